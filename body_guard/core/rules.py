"""Rule: one thing that must not leave; Matcher: all rules of a policy, compiled."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeVar, get_args

from body_guard.builtin_rules.zones import MEMBERS, ZONES
from body_guard.core.errors import PolicyError
from body_guard.core.key_index import KeyIndex
from body_guard.core.replacement import spelled
from body_guard.core.scopes import ANYWHERE, Places, parsed, parts
from body_guard.core.typenames import lineage, qualified_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = [
    "CUT",
    "INDEX_SHIFT",
    "RESERVED",
    "STARTS",
    "Action",
    "Judged",
    "Matcher",
    "Placed",
    "Rule",
    "strings",
]

Action = Literal["remove", "replace", "reject", "report"]

_Table = TypeVar("_Table")

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

#: Characters of a prefix by which most names are told apart from it: slicing so few costs less
#: than comparing with many prefixes.
STARTS: Final = 3

#: The value of a key, as `Matcher.key_table_arguments` describes it: flags in the low bits, above
#: them an entry of its `KeyIndex`.
INDEX_SHIFT: Final = 4
#: The flag of a key where the first rule that it breaks removes it, whatever the place.
CUT: Final = 1

_PROTECTED: Final = (*ZONES, *MEMBERS)

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
        self._check_places()
        self._check_replacement()

    def _check_places(self) -> None:
        for field in ("scope", "exceptions"):
            globs = strings(f"Rule {self.name!r}: {field}", self, field, "/metadata/**")
            object.__setattr__(self, field, globs)
            for glob in globs:
                try:
                    segments = parsed(glob)
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
        if spelled(self.replacement) is None:
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
        return (spelled(self.replacement), *(getattr(self, field.name) for field in fields(self)))

    @property
    def everywhere(self) -> bool:
        """Whether the rule holds at every place."""
        return (
            any(parsed(glob) == ANYWHERE for glob in self.scope)
            and not self.exceptions
            and not self.protect
        )


def strings(
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


class Placed(NamedTuple):
    """A rule of a matcher, with the places where it holds as bits of theirs.

    Attributes:
        rule: The rule.
        everywhere: Whether it holds at every place; the rest says nothing then.
        scope: Of containers in which it holds.
        closed: Of containers that it stays out of.
        kept: Of members that stay.
    """

    rule: Rule
    everywhere: bool
    scope: int = 0
    closed: int = 0
    kept: int = 0

    @property
    def cuts(self) -> bool:
        """Whether it removes what it matches, wherever that stands."""
        return self.everywhere and self.rule.action == "remove"

    def holds(self, container: int, member: int) -> bool:
        """Check whether the rule holds for a member, by the place it stands in and its own."""
        return bool(container & self.scope) and not (container & self.closed or member & self.kept)


class Judged(NamedTuple):
    """What becomes of a rule at a place, as `Matcher.explain` gives it.

    Attributes:
        rule: The rule.
        fires: Whether it is the one that would fire there.
        why: Why, or why not.
    """

    rule: Rule
    fires: bool
    why: str


class Matcher:
    """The rules of a policy, compiled once, asked for every member and every foreign type.

    A place is what `Places` makes of a path. It is asked for only where a rule that is bound to
    places matches, so that finding it may take time.

    Args:
        rules: In order of precedence: the first that matches, and holds there, is the one.

    Attributes:
        prefixes: All prefixes, for one `str.startswith`.
        keys: All exact names.
        starts: The first `STARTS` characters of the prefixes that have as many: what begins with
            none of these has none of those prefixes.
        short: The prefixes that are shorter.
        only_reports: Whether no rule takes, replaces or refuses anything.
        places: Where a path has got to in the globs of the rules.
        rules: As given.
    """

    __slots__ = (
        "_index",
        "_named",
        "_placed",
        "_tables",
        "_types",
        "keys",
        "only_reports",
        "places",
        "prefixes",
        "rules",
        "short",
        "starts",
    )

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = rules = tuple(rules)
        self.prefixes: tuple[str, ...] = tuple(
            {prefix: None for rule in rules for prefix in rule.prefixes}
        )
        self.keys = frozenset(key for rule in rules for key in rule.keys)
        self.short = tuple(prefix for prefix in self.prefixes if len(prefix) < STARTS)
        self.starts = frozenset(
            prefix[:STARTS] for prefix in self.prefixes if len(prefix) >= STARTS
        )
        self.only_reports = all(rule.action == "report" for rule in rules)
        self._types = any(rule.types for rule in rules)
        bound = [rule for rule in rules if not rule.everywhere]
        zones = [zone.glob for zone in _PROTECTED] if any(rule.protect for rule in rules) else []
        self.places = Places(
            [*(glob for rule in bound for glob in (*rule.scope, *rule.exceptions)), *zones]
        )
        self._placed = tuple(self._bound(rules))
        self._index = KeyIndex((rule.keys, rule.prefixes) for rule in rules)
        # By entry of the index, once asked for.
        self._named: dict[int, tuple[Placed, ...]] = {0: ()}
        self._tables: dict[Any, Any] = {}

    def _bound(self, rules: tuple[Rule, ...]) -> Iterator[Placed]:
        ends = self.places.ends
        protects = any(rule.protect for rule in rules)
        closed = ends(zone.glob for zone in ZONES) if protects else 0
        kept = ends(zone.glob for zone in MEMBERS) if protects else 0
        for rule in rules:
            if rule.everywhere:
                yield Placed(rule, True)
            else:
                excepted = ends(rule.exceptions) | (kept if rule.protect else 0)
                yield Placed(rule, False, ends(rule.scope), closed if rule.protect else 0, excepted)

    def named(self, name: str) -> tuple[Placed, ...]:
        """Return the rules that a member of this (decoded) name breaks where they hold."""
        return self._rules_at(self._index.find(name))

    def rules_of(self, value: int) -> tuple[Placed, ...]:
        """Return the rules of a key, by its value as `key_table_arguments` describes it."""
        return self._rules_at(value >> INDEX_SHIFT)

    def _rules_at(self, entry: int) -> tuple[Placed, ...]:
        found = self._named.get(entry)
        if found is None:
            positions = self._index.rules(entry)
            found = self._named[entry] = tuple(self._placed[position] for position in positions)
        return found

    def key_table(self, make: Callable[[dict[str, int], dict[str, int]], _Table]) -> _Table:
        """Return the table of all names that a class makes of `key_table_arguments`, built once."""
        table: _Table | None = self._tables.get(make)
        if table is None:
            table = self._tables[make] = make(*self.key_table_arguments())
        return table

    def key_table_arguments(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return the values of all exact names and of all prefixes, for a `KeyTable`.

        A member's name has the value of the exact name that it is, else that of the longest prefix
        that it begins with. A value stands for all rules that such a name breaks by any of its
        prefixes: `rules_of` returns them, in order. With `CUT` in it, no more need be asked: the
        first of them removes the member wherever it stands, and with it all that is inside.
        """
        first, placed = self._index.first, self._placed

        def valued(entries: dict[str, int]) -> dict[str, int]:
            return {
                text: entry << INDEX_SHIFT | (CUT if placed[first[entry]].cuts else 0)
                for text, entry in entries.items()
            }

        return valued(self._index.names), valued(self._index.prefixes)

    def typed(self, kind: type) -> tuple[Placed, ...]:
        """Return the rules that a value of this type breaks where they hold, without its code."""
        if not self._types:
            return ()
        names = {qualified_name(base) for base in lineage(kind)}
        return tuple(placed for placed in self._placed if not names.isdisjoint(placed.rule.types))

    def first(self, name: str, container: int, member: int) -> Rule | None:
        """Return the rule that a member breaks, by the place it stands in and its own; or None."""
        for placed in self.named(name):
            if placed.everywhere or placed.holds(container, member):
                return placed.rule
        return None

    def explain(self, pointer: str) -> list[Judged]:
        """Say for every rule, in order, what becomes of it at a place.

        Args:
            pointer: An RFC 6901 pointer of a member or element.

        Returns:
            A row for each rule. A rule by types fires for values of those types only, and says so:
            whether it comes before a rule by name is a matter of the value.

        Raises:
            ValueError: It is no pointer.
        """
        tokens = parts(pointer)
        container, member = self.places.around, self.places.start
        for token in tokens:
            container, member = member, self.places.below(member, token)
        # The name of an array's element cannot be told from a member's: both are judged as names.
        named = {id(placed) for placed in self.named(tokens[-1])} if tokens else set()
        judged: list[Judged] = []
        first: Rule | None = None
        for placed in self._placed:
            rule = placed.rule
            barred = "" if placed.everywhere else self._barred(placed, container, member)
            if id(placed) not in named and not rule.types:
                judged.append(Judged(rule, False, "none of its keys or prefixes matches the name"))
            elif barred:
                judged.append(Judged(rule, False, barred))
            elif id(placed) not in named:
                types = ", ".join(rule.types)
                judged.append(Judged(rule, False, f"would fire for a value of type {types}"))
            elif first is not None:
                judged.append(Judged(rule, False, f"rule {first.name!r} comes first"))
            else:
                first = rule
                judged.append(Judged(rule, True, _matched(rule, tokens[-1])))
        return judged

    def _barred(self, placed: Placed, container: int, member: int) -> str:
        """Say why a rule does not hold at a place; nothing if it does."""
        ends, rule = self.places.ends, placed.rule
        if not container & placed.scope:
            return f"its scope is {', '.join(rule.scope)}"
        for glob in rule.exceptions:
            if member & ends((glob,)):
                return f"excepted by {glob}"
        for zones, place in ((ZONES, container), (MEMBERS, member)):
            for zone in zones if rule.protect else ():
                if place & ends((zone.glob,)):
                    return f"protected by {zone.glob}: {zone.why}"
        return ""


def _matched(rule: Rule, name: str) -> str:
    if name in rule.keys:
        return f"the key {name!r}"
    prefix = next(prefix for prefix in rule.prefixes if name.startswith(prefix))
    return f"the prefix {prefix!r}"
