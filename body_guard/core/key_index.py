"""Key index: which rules a member's name breaks, by exact names and by prefixes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["KeyIndex"]


class KeyIndex:
    """The names and prefixes of some rules. Building it takes time linear in what they name.

    An entry is a number from 1 for each name and each prefix. The rules of an entry are those that
    list it, and those with a prefix that it begins with; they are put together when asked for,
    because the rules of nested prefixes, written out for each, would take quadratic memory.

    Args:
        rules: The exact names and the prefixes of each rule, in order of precedence.

    Attributes:
        names: The entry of each exact name.
        prefixes: The entry of each prefix.
        first: By entry, the position of the first of its rules.
    """

    __slots__ = ("_around", "_lengths", "_outermost", "_own", "first", "names", "prefixes")

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
        self._around = [0]  # and the longest prefix that it begins with
        begun: list[str] = []
        # In this order a prefix comes before all that begins with it, and nothing else between.
        for entry, ((text, is_name), positions) in enumerate(sorted(listed.items()), 1):
            while begun and not text.startswith(begun[-1]):
                begun.pop()
            around = self.prefixes[begun[-1]] if begun else 0
            first = next(iter(positions))
            self.first.append(min(first, self.first[around]) if around else first)
            self._own.append(tuple(positions))
            self._around.append(around)
            if is_name:
                self.names[text] = entry
            else:
                self.prefixes[text] = entry
                begun.append(text)
        self._outermost = tuple(
            prefix for prefix, entry in self.prefixes.items() if not self._around[entry]
        )
        self._lengths = sorted({len(prefix) for prefix in self.prefixes}, reverse=True)

    def find(self, name: str) -> int:
        """Return the entry of a name: its own, else that of its longest prefix, else 0."""
        entry = self.names.get(name)
        if entry is not None:
            return entry
        if not name.startswith(self._outermost):
            return 0
        begun = (self.prefixes.get(name[:length]) for length in self._lengths)
        return next(filter(None, begun))

    def rules(self, entry: int) -> list[int]:
        """Return the positions of an entry's rules, in order."""
        positions: set[int] = set()
        while entry:
            positions.update(self._own[entry])
            entry = self._around[entry]
        return sorted(positions)
