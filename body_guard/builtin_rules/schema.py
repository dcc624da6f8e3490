"""Schemas: the members that a provider's API knows, and those of a body that it does not.

A list of forbidden names finds only names that somebody has met. A list of known names also finds
new ones, and reports a false one where the API has grown and the snapshot has not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from body_guard.core.rule import Rule
from body_guard.formats.json_values import members

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from body_guard.core.rule import Action

__all__ = ["Provider", "Schema", "Shape", "merge_releases"]

Provider = Literal["openai", "anthropic"]

#: What gateways of the provider's API accept, and no type of its SDK names.
_ALSO_KNOWN: Final[dict[str, frozenset[str]]] = {
    "anthropic": frozenset({"anthropic_beta", "anthropic_version"}),  # Bedrock and Vertex
    "openai": frozenset({"data_sources"}),  # Azure
}


@dataclass(frozen=True, slots=True)
class Shape:
    """The requests that have a certain member at their root.

    Attributes:
        root: Names that any of them knows at the root.
        element: Names in the objects of its list (messages, input items); empty when it holds no
            objects.
    """

    root: frozenset[str]
    element: frozenset[str]


@dataclass(frozen=True, slots=True)
class Schema:
    """The request bodies of a provider, as one release of its SDK types them.

    Attributes:
        sdk: The distribution.
        version: Its release.
        shapes: By the member that identifies them: ``messages``, ``input``, ``prompt``. A body
            without any of these is not checked.
        metadata: Names known in ``metadata``; None when any is allowed there.
    """

    sdk: str
    version: str
    shapes: Mapping[str, Shape]
    metadata: frozenset[str] | None

    def unknown_members(self, body: object, action: Action) -> tuple[Rule, ...]:
        """Return rules for the members of a body that the API does not know.

        Args:
            body: A value that json can write, or one of `body_guard.formats.json_values`.
            action: Of the rules.

        Returns:
            A rule for each place (root, metadata, the elements of a list) that has some.
        """
        root = [*members(body)]
        told_by = [(name, self.shapes[name]) for name, _ in root if name in self.shapes]
        if not told_by:
            return ()
        known = frozenset[str]().union(_ALSO_KNOWN[self.sdk], *(one.root for _, one in told_by))
        places = {"/": {name for name, _ in root} - known}
        if self.metadata is not None:
            there = [value for name, value in root if name == "metadata"]
            places["/metadata"] = _names(there) - self.metadata
        for list_name, shape in told_by:
            if shape.element:
                lists = [value for name, value in root if name == list_name]
                listed = [one for one in lists if issubclass(type(one), (list, tuple))]
                elements = [item for one in listed for item in one]
                places[f"/{list_name}/*"] = _names(elements) - shape.element
        return tuple(
            Rule(
                name=f"{self.sdk}-schema",
                keys=tuple(sorted(names)),
                action=action,
                scope=(place,),
                evidence=f"no type of {self.sdk} {self.version} names it",
            )
            for place, names in places.items()
            if names
        )


def _names(values: Iterable[object]) -> set[str]:
    return {name for value in values for name, _ in members(value)}


def merge_releases(releases: tuple[Schema, ...]) -> Schema:
    """Return what at least one of several releases of an SDK knows."""
    shapes: dict[str, Shape] = {}
    for release in releases:
        for name, shape in release.shapes.items():
            so_far = shapes.get(name, Shape(frozenset(), frozenset()))
            shapes[name] = Shape(so_far.root | shape.root, so_far.element | shape.element)
    known = [one.metadata for one in releases]
    return Schema(
        releases[-1].sdk,
        ", ".join(one.version for one in releases),
        shapes,
        None if None in known else frozenset().union(*(names for names in known if names)),
    )
