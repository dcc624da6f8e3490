"""Write the snapshot of the members that providers know, read from their SDKs.

``python -m body_guard.builtin_rules.schema_update`` imports the SDKs that are installed, reads the
names in their TypedDicts, and writes ``schema_tables.py``. What other releases knew stays there: a
provider goes on taking what an older SDK sends. Run it in an environment for each release.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
import re
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin, get_type_hints

from body_guard.builtin_rules import schema_tables
from body_guard.builtin_rules.schema import Provider, Schema, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["main", "read", "source"]

TABLES: Final = Path(schema_tables.__file__)

#: Members that only the body of a model call has.
_TOLD_BY: Final = ("input", "messages", "prompt")

#: The Assistants API, switched off in August 2026, let messages have metadata; chat does not.
_RETIRED: Final = "openai.types.beta."

_REQUEST: Final = re.compile(r"Params(?:Base|NonStreaming|Streaming)?\Z")


def read(sdk: str) -> Schema:
    """Read the types of an installed SDK.

    Args:
        sdk: ``"openai"`` or ``"anthropic"``.

    Returns:
        What they know; all endpoints that share a shape taken together, since a body does not say
        to which of them it goes.

    Raises:
        ImportError: It is not installed.
    """
    requests = list(_requests(sdk))
    shapes: dict[str, Shape] = {}
    metadata: set[str] = set()
    free = False
    for name in _TOLD_BY:
        found = [hints for hints in requests if name in hints]
        if not found:
            continue
        element = {key for hints in found for kind in _elements(hints[name]) for key in _keys(kind)}
        root = frozenset(key for hints in found for key in hints)
        shapes[name] = Shape(root, frozenset(element))
        for hints in found:
            kinds = [*_dicts(hints["metadata"])] if "metadata" in hints else []
            metadata.update(key for kind in kinds for key in _keys(kind))
            free = free or ("metadata" in hints and not kinds)
    version = importlib.metadata.version(sdk)
    return Schema(sdk, version, shapes, None if free else frozenset(metadata))


def _requests(sdk: str) -> Iterator[dict[str, Any]]:
    """Return the members of each request body, by their names on the wire."""
    types = importlib.import_module(f"{sdk}.types")
    for found in pkgutil.walk_packages(types.__path__, f"{types.__name__}."):
        if found.name.endswith("_params") and not found.name.startswith(_RETIRED):
            module = importlib.import_module(found.name)
            for name, kind in vars(module).items():
                if _REQUEST.search(name) and hasattr(kind, "__required_keys__"):
                    yield _keys(kind)


def _keys(kind: Any) -> dict[str, Any]:
    """Return the members of a TypedDict, by their names on the wire."""
    members = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        # Annotated[..., PropertyInfo(alias=...)], or that in Required[]: what the SDK writes.
        notes = [note for part in (hint, *get_args(hint)) for note in _notes(part)]
        aliases = [note.alias for note in notes if getattr(note, "alias", None)]
        members[aliases[0] if aliases else name] = hint
    return members


def _notes(hint: Any) -> tuple[Any, ...]:
    notes: tuple[Any, ...] = getattr(hint, "__metadata__", ())
    return notes


def _elements(hint: Any) -> Iterator[Any]:
    """Return the TypedDicts that may stand in the lists that a hint allows."""
    kind = get_origin(hint)
    is_list = isinstance(kind, type) and issubclass(kind, Iterable) and not issubclass(kind, dict)
    for part in get_args(hint):
        yield from _dicts(part) if is_list else _elements(part)


def _dicts(hint: Any) -> Iterator[Any]:
    """Return the TypedDicts that a hint names, in unions and lists, but not in other TypedDicts."""
    if hasattr(hint, "__required_keys__"):
        yield hint
    for part in get_args(hint):
        yield from _dicts(part)


def source(schemas: dict[Provider, tuple[Schema, ...]]) -> str:
    """Return the text of the module of tables."""
    blocks = [
        f'    "{provider}": (\n{"".join(map(_release, releases))}    ),\n'
        for provider, releases in sorted(schemas.items())
    ]
    return _HEAD + "".join(blocks) + "}\n"


def _release(schema: Schema) -> str:
    shapes = "".join(
        f'                "{name}": Shape(\n'
        f"                    root={_block(shape.root, 20)},\n"
        f"                    element={_block(shape.element, 20)},\n"
        "                ),\n"
        for name, shape in sorted(schema.shapes.items())
    )
    known = "None" if schema.metadata is None else _block(schema.metadata, 12)
    return (
        "        Schema(\n"
        f'            sdk="{schema.sdk}",\n'
        f'            version="{schema.version}",\n'
        f"            shapes={{\n{shapes}            }},\n"
        f"            metadata={known},\n"
        "        ),\n"
    )


def _block(names: frozenset[str], indent: int) -> str:
    if not names:
        return "frozenset()"
    margin = " " * (indent + 4)
    lines = textwrap.fill(" ".join(sorted(names)), 100 - len(margin), break_on_hyphens=False)
    return f'_names(\n{margin}"""\n{textwrap.indent(lines, margin)}\n{margin}"""\n{" " * indent})'


_HEAD: Final = '''\
"""What the providers' SDKs know. Written by `body_guard.builtin_rules.schema_update`."""

from __future__ import annotations

from typing import Final

from body_guard.builtin_rules.schema import Provider, Schema, Shape

__all__ = ["SCHEMAS"]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


SCHEMAS: Final[dict[Provider, tuple[Schema, ...]]] = {
'''


def _by_version(schema: Schema) -> list[int]:
    return [int(part) for part in schema.version.split(".") if part.isdigit()]


def main() -> None:
    """Write the tables anew, and say from what."""
    schemas = dict(schema_tables.SCHEMAS)
    for sdk in get_args(Provider):
        try:
            installed = read(sdk)
        except ImportError:
            print(f"{sdk}: not installed")
            continue
        others = [one for one in schemas[sdk] if one.version != installed.version]
        schemas[sdk] = tuple(sorted((*others, installed), key=_by_version))
        print(f"{sdk}: {', '.join(one.version for one in schemas[sdk])}")
    TABLES.write_text(source(schemas), encoding="utf-8")


if __name__ == "__main__":  # pragma: no cover  # it writes into the package
    main()
