"""Pointer globs, the scopes of rules; all globs of a policy are matched at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from body_guard.core.pointer import split_pointer

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ANYWHERE", "Globs", "parse_glob"]

_ONE: Final = "*"
_MANY: Final = "**"

#: The glob that matches every place, taken apart.
ANYWHERE: Final = (_MANY,)


def parse_glob(glob: str) -> tuple[str, ...]:
    """Split a glob into segments.

    Args:
        glob: An RFC 6901 pointer in which ``*`` is any one segment and ``**`` any number of them,
            none too. ``/`` and ``""`` are the body itself; a glob that begins with ``**`` needs no
            slash before it.

    Returns:
        The segments, decoded. A name with an asterisk cannot be written, so none is mistaken for a
        wildcard.

    Raises:
        ValueError: It is no glob; the message ends a sentence that names it.
    """
    if glob in ("", "/"):
        return ()
    segments = split_pointer(
        glob if glob.startswith("/") or not glob.startswith(_MANY) else f"/{glob}"
    )
    for segment in segments:
        if not segment:
            raise ValueError("has an empty segment")
        if "*" in segment and segment not in (_ONE, _MANY):
            raise ValueError(
                f"has the segment {segment!r}; * and ** stand for whole segments, not within one"
            )
    # A ** after another one matches no more.
    pairs = zip(segments, ["", *segments], strict=False)
    return tuple(segment for segment, before in pairs if not segment == before == _MANY)


class Globs:
    """Globs as one automaton, whose state is what is matched so far of each.

    A state is an int with a bit for each position in each glob (the bit-parallel simulation of a
    nondeterministic automaton, as in Baeza-Yates and Gonnet's shift-and): a step costs three
    operations on a number of some hundred bits, whatever the globs, so that nothing is cached.

    Args:
        globs: As `parse_glob` takes them.

    Attributes:
        start: The state at the body.
        around: The state at the container of the body: there is none, and only ``**`` matches it.
    """

    def __init__(self, globs: Iterable[str]) -> None:
        self._one = self._many = self.start = 0
        self._literal: dict[str, int] = {}
        self._ends: dict[str, int] = {}
        bit = 1
        for glob in dict.fromkeys(globs):
            self.start |= bit
            for segment in parse_glob(glob):
                if segment == _MANY:
                    self._many |= bit
                elif segment == _ONE:
                    self._one |= bit
                else:
                    self._literal[segment] = self._literal.get(segment, 0) | bit
                bit <<= 1
            self._ends[glob] = bit
            bit <<= 1
        self.start |= (self.start & self._many) << 1
        self.around = self.ends(glob for glob in self._ends if parse_glob(glob) == ANYWHERE)

    def ends(self, globs: Iterable[str]) -> int:
        """Return the bits of which a state has one where one of these globs matches."""
        bits = 0
        for glob in globs:
            bits |= self._ends[glob]
        return bits

    def step(self, state: int, token: str) -> int:
        """Return the state at a member or element, by the (decoded) token of its path."""
        passed = state & (self._one | self._literal.get(token, 0))
        after = passed << 1 | state & self._many
        # A ** may match nothing; none follows upon another.
        return after | (after & self._many) << 1
