"""Rule: one thing that must not leave; Matcher: all rules of a policy, compiled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from body_guard.core.errors import PolicyError
from body_guard.core.typenames import lineage, qualified_name

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["RESERVED", "Action", "Matcher", "Rule", "strings"]

Action = Literal["remove", "replace", "reject", "report"]

#: Names of the findings that no rule of a policy makes (DESIGN section 2, and the limits).
RESERVED: Final = frozenset(
    {
        "bad-key",
        "cycle",
        "depth",
        "digits",
        "duplicate",
        "malformed",
        "non-finite",
        "size",
        "surrogate",
        "unserializable",
    }
)

#: Types that JSON is made of: a rule against one of these would empty every body.
_JSON_TYPES: Final = frozenset(
    f"builtins.{name}"
    for name in ("NoneType", "bool", "dict", "float", "int", "list", "object", "str", "tuple")
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that must not leave, and what to do where it stands.

    Args:
        name: What a finding calls it.
        keys: Member names, compared decoded and exactly.
        prefixes: Beginnings of member names, compared decoded and exactly.
        types: Qualified names, ``module.QualName``; a type matches by any class it stands on, so
            the library that defines it need not be imported.
        action: ``remove`` takes the member out (an array element becomes null), ``replace`` puts
            ``replacement`` in its place, ``reject`` refuses the whole body, ``report`` leaves it
            and says so.
        scope: Where the rule holds: pointer globs of the object or array that the member stands
            in. ``*`` is one segment, ``**`` any number of them, none too; ``/`` is the body
            itself. ``("/", "/metadata/**")`` is the outermost object, and metadata with all below.
        exceptions: Pointer globs of members that stay: ``**/_meta``.
        protect: Whether to stay out of the zones where any name may be an application's own: the
            properties of a JSON Schema, the arguments of a tool call.
        replacement: For ``replace``: a string, number, boolean or None; or a function that is
            given the path and the qualified type name, and gives one.
        sees_value: Whether a ``replacement`` function is given the value too, as a third argument.
        owner: The distribution that puts such a thing into bodies.
        evidence: Where that can be read: an issue, a source line.

    Raises:
        PolicyError: The rule has no name, matches nothing, or would match everything.
    """

    name: str
    keys: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    action: Action = "remove"
    scope: tuple[str, ...] = ("**",)
    exceptions: tuple[str, ...] = ()
    protect: bool = False
    replacement: object = None
    sees_value: bool = False
    owner: str = ""
    evidence: str = ""

    def __post_init__(self) -> None:
        if type(self.name) is not str or not self.name:
            raise PolicyError(f"A rule needs a name, a non-empty string; got {self.name!r}.")
        if self.name in RESERVED:
            raise PolicyError(f"{self.name!r} is the name of a built-in finding; choose another.")
        for field in ("keys", "prefixes", "types"):
            object.__setattr__(self, field, strings(f"Rule {self.name!r}: {field}", self, field))
        if not (self.keys or self.prefixes or self.types):
            raise PolicyError(f"Rule {self.name!r} matches nothing: give keys, prefixes or types.")
        if "" in self.prefixes:
            raise PolicyError(f"Rule {self.name!r}: the prefix '' would match every member.")
        for name in self.types:
            if name in _JSON_TYPES or "." not in name:
                raise PolicyError(
                    f"Rule {self.name!r}: {name!r} cannot be a type rule; name a type by module "
                    "and qualified name, such as 'opentelemetry.trace.span.Span'."
                )
        for field in ("owner", "evidence"):
            if type(getattr(self, field)) is not str:
                raise PolicyError(f"Rule {self.name!r}: {field} takes a string.")
        if self.action not in get_args(Action):
            raise PolicyError(
                f"Rule {self.name!r}: action {self.action!r} is none of {get_args(Action)}."
            )


def strings(what: str, holder: object, field: str) -> tuple[str, ...]:
    """Give a field as a tuple of strings.

    Raises:
        PolicyError: It is something else; a bare string too, which would be read as characters.
    """
    value = getattr(holder, field)
    if isinstance(value, str):
        raise PolicyError(f"{what} takes several strings; write ({value!r},).")
    try:
        values = tuple(value)
    except TypeError:
        values = (None,)
    if not all(isinstance(item, str) for item in values):
        raise PolicyError(f"{what} takes strings, for example ('_sentry_span',).")
    return values


class Matcher:
    """The rules of a policy, compiled once, asked for every member and every foreign type.

    Args:
        rules: In order of precedence: the first that matches is the one reported.

    Attributes:
        prefixes: All prefixes, for one `str.startswith`.
        keys: All exact names.
    """

    __slots__ = ("_rules", "_types", "keys", "prefixes")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        self.prefixes: tuple[str, ...] = tuple(
            {prefix: None for rule in self._rules for prefix in rule.prefixes}
        )
        self.keys = frozenset(key for rule in self._rules for key in rule.keys)
        self._types = any(rule.types for rule in self._rules)

    def key(self, name: str) -> Rule | None:
        """Give the rule that a member of this (decoded) name breaks, or None."""
        for rule in self._rules:
            if name in rule.keys or name.startswith(rule.prefixes):
                return rule
        return None

    def type(self, kind: type) -> Rule | None:
        """Give the rule that a value of this type breaks, or None; runs none of its code."""
        if self._types:
            names = {qualified_name(base) for base in lineage(kind)}
            for rule in self._rules:
                if not names.isdisjoint(rule.types):
                    return rule
        return None
