"""Rule: one thing that must not leave; a frozen value, checked when it is built."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final, Literal, get_args

from body_guard.core.encode import encode_scalar
from body_guard.core.errors import PolicyError
from body_guard.core.scopes import ANYWHERE, parse_glob

__all__ = ["RESERVED", "Action", "Rule", "read_strings"]

Action = Literal["remove", "replace", "reject", "report"]

#: Names of the findings that no rule of a policy makes.
RESERVED: Final = frozenset(
    (
        *("bad-key", "cycle", "depth", "digits", "duplicate", "malformed", "non-finite"),
        *("size", "stringified", "surrogate", "unserializable"),
    )
)

#: Types that JSON is made of: a rule against one of these would empty every body.
_JSON_TYPES: Final = frozenset(
    f"builtins.{name}"
    for name in ("NoneType", "bool", "dict", "float", "int", "list", "object", "str", "tuple")
)

_NOT_GIVEN: Final[Any] = object()  # None is null


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that must not leave, and what to do with it.

    Args:
        name: What a finding calls it.
        keys: Member names, compared decoded and exactly.
        prefixes: Beginnings of member names, compared decoded and exactly.
        types: Qualified names, ``module.QualName``; a value matches by any class in the
            lineage of its type, so the library that defines the class need not be imported.
        action: ``remove`` removes the member (an array element becomes null), ``replace`` puts
            ``replacement`` in its place, ``reject`` refuses the whole body, ``report`` leaves it.
            Each is reported.
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
        self._check_matchers()
        for field in ("owner", "evidence"):
            if type(getattr(self, field)) is not str:
                raise self._error(f"{field} takes a string.")
        if self.action not in get_args(Action):
            raise self._error(f"action {self.action!r} is none of {get_args(Action)}.")
        self._check_scope()
        self._check_replacement()

    def _error(self, why: str) -> PolicyError:
        return PolicyError(f"Rule {self.name!r}: {why}")

    def _read_strings(self, field: str, example: str = "_sentry_span") -> tuple[str, ...]:
        strings = read_strings(f"Rule {self.name!r}: {field}", getattr(self, field), example)
        object.__setattr__(self, field, strings)
        return strings

    def _check_matchers(self) -> None:
        given = [self._read_strings(field) for field in ("keys", "prefixes", "types")]
        if not any(given):
            raise PolicyError(f"Rule {self.name!r} matches nothing: give keys, prefixes or types.")
        if "" in self.prefixes:
            raise self._error("the prefix '' would match every member.")
        for name in self.types:
            if name in _JSON_TYPES or "." not in name:
                raise self._error(
                    f"{name!r} cannot be a type rule; name a type by module and qualified name, "
                    "such as 'opentelemetry.trace.span.Span'."
                )

    def _check_scope(self) -> None:
        for field in ("scope", "exceptions"):
            for glob in self._read_strings(field, "/metadata/**"):
                try:
                    segments = parse_glob(glob)
                except ValueError as error:
                    raise self._error(f"{field} {glob!r} {error}.") from None
                if field == "exceptions" and segments == ANYWHERE:
                    raise self._error(f"exceptions {glob!r} excepts all.")
        if not self.scope:
            raise PolicyError(f"Rule {self.name!r} holds nowhere: scope is empty.")
        if type(self.protect) is not bool:
            raise self._error("protect takes True or False.")

    def _check_replacement(self) -> None:
        if self.replacement is _NOT_GIVEN:
            if self.action == "replace":
                raise self._error(
                    "action 'replace' needs a replacement; write "
                    'replacement="...", or replacement=None for null.'
                )
            object.__setattr__(self, "replacement", None)
        if self.action != "replace" and self.replacement is not None:
            raise self._error(f"a replacement goes with action 'replace', not {self.action!r}.")
        if encode_scalar(self.replacement) is None:
            raise self._error(
                "replacement takes a string, number, boolean or None that JSON can write, "
                f"not {type(self.replacement).__name__}."
            )

    def __eq__(self, other: object) -> bool:
        return self._identity() == other._identity() if isinstance(other, Rule) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[object, ...]:
        # 1, 1.0 and True are equal, but not the same in a body; policies are cached by equality.
        values = (getattr(self, field.name) for field in fields(self))
        return (encode_scalar(self.replacement), *values)

    @property
    def everywhere(self) -> bool:
        """Whether the rule holds for all members of all containers."""
        anywhere = any(parse_glob(glob) == ANYWHERE for glob in self.scope)
        return anywhere and not self.exceptions and not self.protect


def read_strings(what: str, value: Any, example: str = "_sentry_span") -> tuple[str, ...]:
    """Return several strings as a tuple.

    Args:
        what: What takes them, for the error.
        value: Any iterable; not a bare string, which would be read as characters.
        example: One such string, for the error.

    Raises:
        PolicyError: It is something else.
    """
    if isinstance(value, str):
        raise PolicyError(f"{what} takes several strings; write ({value!r},).")
    try:
        strings = tuple(value)
    except TypeError:
        strings = (None,)
    if not all(isinstance(item, str) for item in strings):
        raise PolicyError(f"{what} takes strings, for example ({example!r},).")
    return strings
