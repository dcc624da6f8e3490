"""Where in JSON text a forbidden name may begin: a search at memory speed that parses nothing."""

from __future__ import annotations

import re
from array import array
from itertools import takewhile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from body_guard.core.rules import Matcher

__all__ = ["Prefilter"]

_BACKSLASH: Final = ord("\\")

#: A beginning shorter than this is found too often to be worth a look each time.
_LEAST_SHARED: Final = 4

#: JSON's two-character escapes (RFC 8259 section 7), by the character they spell.
_SHORT_ESCAPES: Final = dict(zip('"\\/\b\f\n\r\t', '"\\/bfnrt', strict=True))

_after_string: Final = re.compile(rb'[^"\\]*(?:\\.[^"\\]*){0,1000}', re.DOTALL).match
_colon: Final = re.compile(rb"[ \t\n\r]*:").match


class Prefilter:
    """The names of a matcher, compiled for a search in bytes.

    Args:
        matcher: The rules whose names are looked for.
    """

    __slots__ = ("_escape", "_escape_start", "_needles", "_starts")

    def __init__(self, matcher: Matcher) -> None:
        # A name stands in the text as it is, unless one of its characters is written as an escape.
        self._needles = tuple(
            b'"' + name.encode("utf-8", "surrogatepass") + end
            for names, end in ((matcher.prefixes, b""), (sorted(matcher.keys), b'"'))
            for name in names
        )
        self._starts = _starts(self._needles)
        spellings = {
            spelling
            for name in (*matcher.prefixes, *matcher.keys)
            for character in name
            for spelling in _spellings(character)
        }
        self._escape = re.compile(b"|".join(sorted(spellings)) or rb"(?!)")
        latin = all(spelling.startswith(rb"\\u00") for spelling in spellings)
        self._escape_start = rb"\u00" if latin else b"\\"

    def suspects(self, text: bytes) -> array[int] | None:
        """Give the places that have to be looked at.

        Args:
            text: JSON in UTF-8.

        Returns:
            None when no member can have a forbidden name. Otherwise the offsets, ascending, of
            the opening quotes of all names that begin as a forbidden one does; an empty array
            when some may be spelled with an escape, which only a scan can tell.
        """
        found = array("Q")
        for start in self._starts:
            at = text.find(start)
            while at >= 0:
                if text.startswith(self._needles, at) and _opens_name(text, at):
                    found.append(at)
                at = text.find(start, at + 1)
        if found and len(self._starts) > 1:
            return array("Q", sorted(set(found)))
        return found if found or self._has_escape(text) else None

    def finds(self, written: bytes) -> bool:
        """Tell whether a member has a forbidden name, in text that an encoder of JSON wrote."""
        # Backwards is twice as fast, and mostly there is none.
        return (
            max(map(written.rfind, self._written_starts), default=-1) >= 0
            and self.suspects(written) is not None
        )

    def _has_escape(self, text: bytes) -> bool:
        # Backwards is twice as fast, and mostly there is none.
        if text.rfind(self._escape_start) < 0:
            return False
        return self._escape.search(text, text.find(self._escape_start)) is not None


def _starts(needles: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Give what to search for: where all needles begin alike, one search does for all."""
    shared = needles[0][: _alike(needles)] if needles else b""
    return (shared,) if len(shared) >= _LEAST_SHARED else tuple(sorted(set(needles)))


def _alike(needles: tuple[bytes, ...]) -> int:
    """Give how many bytes all needles have in common at their beginning."""
    columns = takewhile(lambda column: len(set(column)) == 1, zip(*needles, strict=False))
    return sum(1 for _ in columns)


def _spellings(character: str) -> list[bytes]:
    """Give patterns of the escapes that spell a character, or the first half of its pair."""
    code = int.from_bytes(character.encode("utf-16-be", "surrogatepass")[:2], "big")
    digits = [f"[{d}{d.upper()}]" if d.isalpha() else d for d in f"{code:04x}"]
    patterns = [rb"\\u" + "".join(digits).encode()]
    short = _SHORT_ESCAPES.get(character)
    if short is not None:
        patterns.append(re.escape(f"\\{short}".encode()))
    return patterns


def _opens_name(text: bytes, at: int) -> bool:
    """Tell whether the quote at an offset opens a member's name, in text that is JSON."""
    before = at
    while before and text[before - 1] == _BACKSLASH:
        before -= 1
    if (at - before) % 2:  # an escaped quote: a string goes on here
        return False
    end = at + 1
    while True:
        stop = _after_string(text, end).end()  # type: ignore[union-attr]  # matches anything
        if text[stop : stop + 1] == b'"':
            return _colon(text, stop + 1) is not None
        if stop == end:
            return True  # the string does not end: not JSON, as the scan will say
        end = stop
