"""Rule: one thing that must not leave; a frozen value, checked when it is built."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final, Literal, get_args

from body_guard.core.encode import encode_scalar
from body_guard.core.errors import PolicyError
from body_guard.core.scopes import ANYWHERE, parse_glob

__all__ = ["RESERVED", "Action", "Rule", "read_strings"]

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
        "stringified",
        "surrogate",
        "unserializable",
    }
)

#: Types that JSON is made of: a rule against one of these would empty every body.
_JSON_TYPES: Final = frozenset(
    f"builtins.{name}"
    for name in ("NoneType", "bool", "dict", "float", "int", "list", "object", "str", "tuple")
)

_NOT_GIVEN: Final[Any] = object()  # None is null


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
            A body is one JSON text: a line of JSON Lines, a JSON part of a multipart body.
        exceptions: Pointer globs of members that stay: ``**/_meta``. The rule goes on below them.
        protect: Whether to stay out of the zones where any name may be an application's own: the
            properties of a JSON Schema, the arguments of a tool call.
        replacement: For ``replace``, which needs one: a string, number, boolean or None, which is
            null. A member that has it already is not found again.
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
    replacement: object = _NOT_GIVEN
    owner: str = ""
    evidence: str = ""

    def __post_init__(self) -> None:
        if type(self.name) is not str or not self.name:
            raise PolicyError(f"A rule needs a name, a non-empty string; got {self.name!r}.")
        if self.name in RESERVED:
            raise PolicyError(f"{self.name!r} is the name of a built-in finding; choose another.")
        for field in ("keys", "prefixes", "types"):
            object.__setattr__(
                self, field, read_strings(f"Rule {self.name!r}: {field}", self, field)
            )
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
        self._check_places()
        self._check_replacement()

    def _check_places(self) -> None:
        for field in ("scope", "exceptions"):
            globs = read_strings(f"Rule {self.name!r}: {field}", self, field, "/metadata/**")
            object.__setattr__(self, field, globs)
            for glob in globs:
                try:
                    segments = parse_glob(glob)
                except ValueError as error:
                    raise PolicyError(f"Rule {self.name!r}: {field} {glob!r} {error}.") from None
                if field == "exceptions" and segments == ANYWHERE:
                    raise PolicyError(f"Rule {self.name!r}: exceptions {glob!r} excepts all.")
        if not self.scope:
            raise PolicyError(f"Rule {self.name!r} holds nowhere: scope is empty.")
        if type(self.protect) is not bool:
            raise PolicyError(f"Rule {self.name!r}: protect takes True or False.")

    def _check_replacement(self) -> None:
        if self.replacement is _NOT_GIVEN:
            if self.action == "replace":
                raise PolicyError(
                    f"Rule {self.name!r}: action 'replace' needs a replacement; write "
                    'replacement="...", or replacement=None for null.'
                )
            object.__setattr__(self, "replacement", None)
        if self.action != "replace" and self.replacement is not None:
            raise PolicyError(
                f"Rule {self.name!r}: a replacement goes with action 'replace', "
                f"not {self.action!r}."
            )
        if encode_scalar(self.replacement) is None:
            raise PolicyError(
                f"Rule {self.name!r}: replacement takes a string, number, boolean or None that "
                f"JSON can write, not {type(self.replacement).__name__}."
            )

    def __eq__(self, other: object) -> bool:
        return self._said() == other._said() if isinstance(other, Rule) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._said())

    def _said(self) -> tuple[object, ...]:
        # 1, 1.0 and True are equal, but not the same in a body; policies are cached by equality.
        return (
            encode_scalar(self.replacement),
            *(getattr(self, field.name) for field in fields(self)),
        )

    @property
    def everywhere(self) -> bool:
        """Whether the rule holds at every place."""
        return (
            any(parse_glob(glob) == ANYWHERE for glob in self.scope)
            and not self.exceptions
            and not self.protect
        )


def read_strings(
    what: str, holder: object, field: str, example: str = "_sentry_span"
) -> tuple[str, ...]:
    """Return a field as a tuple of strings.

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
        raise PolicyError(f"{what} takes strings, for example ({example!r},).")
    return values
