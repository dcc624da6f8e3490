"""Matcher: all rules of a policy, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from body_guard.core.key_index import KeyIndex
from body_guard.core.scopes import Globs
from body_guard.core.typenames import lineage, qualified_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from body_guard.core.rule import Rule

__all__ = ["CUT", "INDEX_SHIFT", "CompiledRule", "Matcher", "Zone", "first_rule"]

_Table = TypeVar("_Table")

#: The value of a key, as `Matcher.key_table_arguments` describes it: flags in the low bits, above
#: them an entry of its `KeyIndex`.
INDEX_SHIFT: Final = 4
#: The flag of a key where the first rule that it breaks removes it, whatever the place.
CUT: Final = 1


class Zone(NamedTuple):
    """A place that protecting rules leave alone.

    Attributes:
        glob: A pointer glob.
        why: What stands there, and where that is said.
        itself: Whether the members that the glob matches stay; else those of the objects that it
            matches.
    """

    glob: str
    why: str
    itself: bool = False


class CompiledRule(NamedTuple):
    """A rule, and the globs that limit it as bits of a state of `Globs`.

    Attributes:
        rule: The rule.
        everywhere: Whether it holds for all members; the bits are not set then.
        scope: The containers in which it holds.
        closed: The containers in which it does not.
        kept: The members that stay.
    """

    rule: Rule
    everywhere: bool
    scope: int = 0
    closed: int = 0
    kept: int = 0

    @property
    def cuts(self) -> bool:
        """Whether it removes whatever it matches."""
        return self.everywhere and self.rule.action == "remove"

    def holds(self, container: int, member: int) -> bool:
        """Check whether the rule holds for a member, by the states at its container and at it."""
        return bool(container & self.scope) and not (container & self.closed or member & self.kept)


class Matcher:
    """The rules of a policy, compiled once, asked for every member and every foreign type.

    Args:
        rules: In order of precedence: the first that matches, and holds there, is the one.
        zones: What the rules that `protect` leave alone.

    Attributes:
        prefixes: All prefixes, for one `str.startswith`.
        keys: All exact names.
        has_scopes: Whether a rule does not hold everywhere.
        has_types: Whether a rule matches types.
        only_reports: Whether no rule removes, replaces or rejects anything.
        globs: Those of the rules.
        compiled: The rules, in order.
        zones: As given, where a rule protects.
    """

    __slots__ = (
        "_index",
        "_known",
        "_tables",
        "compiled",
        "globs",
        "has_scopes",
        "has_types",
        "keys",
        "only_reports",
        "prefixes",
        "zones",
    )

    def __init__(self, rules: Iterable[Rule], zones: Iterable[Zone] = ()) -> None:
        rules = tuple(rules)
        self.prefixes = tuple(dict.fromkeys(prefix for rule in rules for prefix in rule.prefixes))
        self.keys = frozenset(key for rule in rules for key in rule.keys)
        self.only_reports = all(rule.action == "report" for rule in rules)
        self.zones = tuple(zones) if any(rule.protect for rule in rules) else ()
        self.has_types = any(rule.types for rule in rules)
        scoped = [rule for rule in rules if not rule.everywhere]
        self.has_scopes = bool(scoped)
        globs = [glob for rule in scoped for glob in (*rule.scope, *rule.exceptions)]
        self.globs = Globs([*globs, *(zone.glob for zone in self.zones)])
        self.compiled = tuple(map(self._compile, rules))
        self._index = KeyIndex((rule.keys, rule.prefixes) for rule in rules)
        self._known: dict[int, tuple[CompiledRule, ...]] = {0: ()}  # by entry of the index
        self._tables: dict[Any, Any] = {}

    def _compile(self, rule: Rule) -> CompiledRule:
        if rule.everywhere:
            return CompiledRule(rule, True)
        ends = self.globs.ends
        zones = self.zones if rule.protect else ()
        closed = ends(zone.glob for zone in zones if not zone.itself)
        kept = ends(zone.glob for zone in zones if zone.itself)
        return CompiledRule(rule, False, ends(rule.scope), closed, ends(rule.exceptions) | kept)

    def rules_for_name(self, name: str) -> tuple[CompiledRule, ...]:
        """Return the rules that a member of this (decoded) name breaks where they hold."""
        return self._rules_at(self._index.find(name))

    def rules_for_value(self, value: int) -> tuple[CompiledRule, ...]:
        """Return the rules of a key, by its value as `key_table_arguments` describes it."""
        return self._rules_at(value >> INDEX_SHIFT)

    def _rules_at(self, entry: int) -> tuple[CompiledRule, ...]:
        found = self._known.get(entry)
        if found is None:
            positions = self._index.rules(entry)
            found = self._known[entry] = tuple(self.compiled[position] for position in positions)
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
        prefixes: `rules_for_value` returns them, in order. With `CUT` in it, no more need be asked:
        the first of them removes the member wherever it stands, and with it all that is inside.
        """
        first, compiled = self._index.first, self.compiled

        def values(entries: dict[str, int]) -> dict[str, int]:
            return {
                text: entry << INDEX_SHIFT | (CUT if compiled[first[entry]].cuts else 0)
                for text, entry in entries.items()
            }

        return values(self._index.names), values(self._index.prefixes)

    def rules_for_type(self, kind: type) -> tuple[CompiledRule, ...]:
        """Return the rules that a value of this type breaks where they hold, without its code."""
        if not self.has_types:
            return ()
        names = {qualified_name(base) for base in lineage(kind)}
        return tuple(found for found in self.compiled if not names.isdisjoint(found.rule.types))


def first_rule(found: Iterable[CompiledRule], locate: Callable[[], tuple[int, int]]) -> Rule | None:
    """Return the first of the rules that match a member which holds for it.

    Args:
        found: Those that match, in order.
        locate: Returns the states of the globs at the member's container and at the member; called
            only where a rule has a scope, so that it may take time.
    """
    for compiled in found:
        if compiled.everywhere or compiled.holds(*locate()):
            return compiled.rule
    return None
