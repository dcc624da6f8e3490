"""Key index: the rules that match a member's name, by exact names and by prefixes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["KeyIndex"]


class KeyIndex:
    """The names and prefixes of some rules, built in time linear in their number.

    An entry is a number from 1 for each name and each prefix. The rules of an entry are those that
    list it, and those with a prefix that it begins with. They are collected when asked for, because
    to store them for each of many nested prefixes would take quadratic memory.

    Args:
        rules: The exact names and the prefixes of each rule, in order of precedence.

    Attributes:
        names: The entry of each exact name.
        prefixes: The entry of each prefix.
        first: By entry, the position of the first of its rules.
    """

    def __init__(self, rules: Iterable[tuple[Iterable[str], Iterable[str]]]) -> None:
        listed: dict[tuple[str, bool], dict[int, None]] = {}
        for position, (names, prefixes) in enumerate(rules):
            for is_name, texts in ((True, names), (False, prefixes)):
                for text in texts:
                    listed.setdefault((text, is_name), {})[position] = None
        self.names: dict[str, int] = {}
        self.prefixes: dict[str, int] = {}
        self.first = [-1]
        self._own: list[tuple[int, ...]] = [()]  # by entry, the rules that list it,
        self._parents = [0]  # and the longest prefix that it begins with
        open_prefixes: list[str] = []
        # In this order a prefix comes before all that begins with it, and nothing else between.
        for entry, ((text, is_name), positions) in enumerate(sorted(listed.items()), 1):
            while open_prefixes and not text.startswith(open_prefixes[-1]):
                open_prefixes.pop()
            parent = self.prefixes[open_prefixes[-1]] if open_prefixes else 0
            first = next(iter(positions))
            self.first.append(min(first, self.first[parent]) if parent else first)
            self._own.append(tuple(positions))
            self._parents.append(parent)
            if is_name:
                self.names[text] = entry
            else:
                self.prefixes[text] = entry
                open_prefixes.append(text)
        self._outermost = tuple(
            prefix for prefix, entry in self.prefixes.items() if not self._parents[entry]
        )
        self._lengths = sorted({len(prefix) for prefix in self.prefixes}, reverse=True)

    def find(self, name: str) -> int:
        """Return the entry of a name: its own, else that of its longest prefix, else 0."""
        entry = self.names.get(name)
        if entry is not None:
            return entry
        if not name.startswith(self._outermost):
            return 0
        return next(filter(None, (self.prefixes.get(name[:size]) for size in self._lengths)))

    def rules(self, entry: int) -> list[int]:
        """Return the positions of an entry's rules, in order."""
        positions: set[int] = set()
        while entry:
            positions.update(self._own[entry])
            entry = self._parents[entry]
        return sorted(positions)
