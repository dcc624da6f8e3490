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

#: The value of a name in a key table: flags in the low bits, above them its entry in `KeyIndex`.
INDEX_SHIFT: Final = 4
#: The flag of a name where the first rule that matches it removes it in any place.
CUT: Final = 1


class Zone(NamedTuple):
    """A place in bodies that protecting rules leave alone.

    Attributes:
        glob: A pointer glob.
        why: What is there, and the evidence.
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

    def holds(self, container: int, member: int) -> bool:
        """Check whether the rule holds for a member, by the states at its container and at it."""
        return bool(container & self.scope) and not (container & self.closed or member & self.kept)


class Matcher:
    """The rules of a policy, compiled once, asked about members and foreign types.

    Args:
        rules: In order of precedence: the first that matches a member and holds for it applies.
        zones: What the rules that `protect` leave alone.

    Attributes:
        compiled: The rules, in order.
        globs: Those of the rules.
        has_scopes: Whether a rule does not hold everywhere.
        has_types: Whether a rule matches types.
        keys: All exact names.
        only_reports: Whether no rule removes, replaces or rejects anything.
        prefixes: All prefixes, for one `str.startswith`.
        zones: As given, where a rule protects.
    """

    def __init__(self, rules: Iterable[Rule], zones: Iterable[Zone] = ()) -> None:
        rules = tuple(rules)
        scoped = [rule for rule in rules if not rule.everywhere]
        self.has_scopes = bool(scoped)
        self.has_types = any(rule.types for rule in rules)
        self.only_reports = all(rule.action == "report" for rule in rules)
        self.zones = tuple(zones) if any(rule.protect for rule in rules) else ()
        globs = [glob for rule in scoped for glob in (*rule.scope, *rule.exceptions)]
        self.globs = Globs([*globs, *(zone.glob for zone in self.zones)])
        self.compiled = tuple(map(self._compile, rules))
        self._index = index = KeyIndex((rule.keys, rule.prefixes) for rule in rules)
        self.keys = frozenset(index.names)
        self.prefixes = tuple(index.prefixes)
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
        """Return the rules that match a member of this (decoded) name."""
        return self._rules_at(self._index.find(name))

    def rules_for_value(self, value: int) -> tuple[CompiledRule, ...]:
        """Return the rules that match a name, by its value in a key table."""
        return self._rules_at(value >> INDEX_SHIFT)

    def _rules_at(self, entry: int) -> tuple[CompiledRule, ...]:
        found = self._known.get(entry)
        if found is None:
            positions = self._index.rules(entry)
            found = self._known[entry] = tuple(self.compiled[position] for position in positions)
        return found

    def rules_for_type(self, kind: type) -> tuple[CompiledRule, ...]:
        """Return the rules that match a value of this type; none of its code is run."""
        if not self.has_types:
            return ()
        names = {qualified_name(base) for base in lineage(kind)}
        return tuple(found for found in self.compiled if not names.isdisjoint(found.rule.types))

    def key_table(self, make: Callable[[dict[str, int], dict[str, int]], _Table]) -> _Table:
        """Return the key table that a function makes of `key_table_arguments`, built once."""
        table: _Table | None = self._tables.get(make)
        if table is None:
            table = self._tables[make] = make(*self.key_table_arguments())
        return table

    def key_table_arguments(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return the values of all exact names and of all prefixes, for a key table.

        A member's name has the value of the exact name that it is, else that of the longest prefix
        that it begins with. `rules_for_value` returns all rules that match a name of this value, by
        whichever of its prefixes. With `CUT` in it, these need not be asked for: the first of them
        removes the member in any place, with all that is inside.
        """

        def values(entries: dict[str, int]) -> dict[str, int]:
            found = {}
            for text, entry in entries.items():
                first = self.compiled[self._index.first[entry]]
                cuts = first.everywhere and first.rule.action == "remove"
                found[text] = entry << INDEX_SHIFT | (CUT if cuts else 0)
            return found

        return values(self._index.names), values(self._index.prefixes)


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
