"""Where in JSON text a forbidden name may begin: one search, which parses nothing."""

from __future__ import annotations

import re
from array import array
from itertools import groupby, takewhile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from body_guard.core.rules import Matcher

__all__ = ["Prefilter", "holds"]

_BACKSLASH: Final = ord("\\")

#: A beginning shorter than this is found too often to be worth a look each time.
_LEAST_SHARED: Final = 4

#: A character that is in most names worth hiding and rare in prose; and how many of it are looked
#: at one by one before a search for the whole needle is the cheaper one.
_MARK: Final = b"_"
_HOPS: Final = 16

#: Bytes up to which one search is over before it begins.
_SHORT: Final = 4096

#: Bytes of a name that the pattern of many names tells apart; the rest is compared afterwards. It
#: bounds how deep the pattern is nested, and names alike in more than this are rare.
_MOST_BRANCHES: Final = 8

#: JSON's two-character escapes (RFC 8259 section 7), by the character they spell.
_SHORT_ESCAPES: Final = dict(zip('"\\/\b\f\n\r\t', '"\\/bfnrt', strict=True))

_after_string: Final = re.compile(rb'[^"\\]*(?:\\.[^"\\]*){0,1000}', re.DOTALL).match
_escaped: Final = re.compile(r'["\\\x00-\x1f\ud800-\udfff]').search
_colon: Final = re.compile(rb"[ \t\n\r]*:").match


class Prefilter:
    """The names of a matcher, compiled for a search in bytes.

    Args:
        matcher: The rules whose names are looked for.

    Attributes:
        many: Whether they are more than one search in text can look for at its full speed.
    """

    __slots__ = (
        "_escape",
        "_escape_start",
        "_needles",
        "_pattern",
        "_start",
        "_written_start",
        "many",
    )

    def __init__(self, matcher: Matcher) -> None:
        # A name stands in the text as it is, unless one of its characters is written as an escape.
        self._needles = tuple(
            b'"' + name.encode("utf-8", "surrogatepass") + end
            for names, end in ((matcher.prefixes, b""), (sorted(matcher.keys), b'"'))
            for name in names
        )
        # Where all begin alike, one search for that; otherwise one pattern. A search for each of
        # 150 names would read the text 150 times.
        self._start = _shared(self._needles)
        self.many = len(self._needles) > 1 and not self._start
        # An encoder spells a character of ASCII in one way: as it is, but for these.
        names = "".join((*matcher.prefixes, *matcher.keys))
        self._written_start = self._start if names.isascii() and not _escaped(names) else b""
        branches = _branches(sorted({needle[1 : 1 + _MOST_BRANCHES] for needle in self._needles}))
        # No name begins behind a backslash; in text, many quotes do.
        pattern = rb'"(?=%b)(?<!\\")' % branches if self._needles else rb"(?!)"
        self._pattern = re.compile(pattern)
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
        for at in self._candidates(text):
            if text.startswith(self._needles, at) and _opens_name(text, at):
                found.append(at)
        return found if found or self._has_escape(text) else None

    def finds(self, written: bytes) -> bool:
        """Tell whether a member has a forbidden name, in text that an encoder of JSON wrote."""
        start = self._written_start
        if start:
            if len(written) <= _SHORT:
                if written.rfind(start) < 0:
                    return False
            elif not holds(written, start, _MARK):
                return False
        return self.suspects(written) is not None

    def _candidates(self, text: bytes) -> Iterator[int]:
        if not self._start:
            for match in self._pattern.finditer(text):
                yield match.start()
            return
        at = text.find(self._start)
        while at >= 0:
            yield at
            at = text.find(self._start, at + 1)

    def _has_escape(self, text: bytes) -> bool:
        # Backwards is twice as fast, and mostly there is none.
        if text.rfind(self._escape_start) < 0:
            return False
        return self._escape.search(text, text.find(self._escape_start)) is not None


def holds(text: bytes, needle: bytes, mark: bytes) -> bool:
    """Tell whether a needle is in a text, by way of a character in it that is rare in prose.

    One character is found at 20 GB/s (memchr), several at 2: so from mark to mark, for as long as
    they are rare. After that backwards, which is twice as fast as forwards.

    Args:
        text: Where to search.
        needle: What to search for.
        mark: The character; if it is not in the needle, it is of no use.
    """
    inside = needle.find(mark)
    if inside >= 0:
        at = text.find(mark)
        for _ in range(_HOPS):
            if at < 0:
                return False
            if text.startswith(needle, at - inside):
                return True
            at = text.find(mark, at + 1)
    return text.rfind(needle) >= 0


def _shared(needles: tuple[bytes, ...]) -> bytes:
    """Give what all needles begin with, if that is enough to search for; nothing otherwise."""
    shared = needles[0][: _alike(needles)] if needles else b""
    return shared if len(shared) >= _LEAST_SHARED or len(needles) == 1 else b""


def _branches(endings: list[bytes]) -> bytes:
    """Give the pattern of some endings, in order, that tries each byte once."""
    if not all(endings):
        return b""  # what is longer begins with the one that ends here
    patterns = []
    for first, alike in groupby(endings, key=lambda ending: ending[:1]):
        patterns.append(re.escape(first) + _branches([ending[1:] for ending in alike]))
    return patterns[0] if len(patterns) == 1 else b"(?:%b)" % b"|".join(patterns)


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
