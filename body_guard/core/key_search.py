"""Key search: whether the text of a forbidden key occurs in any bytes."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, Final

from body_guard.core.json_text import to_utf8, unescape

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["KeySearch"]

#: Bytes of a key that the pattern branches at; the rest is compared as a whole. It bounds how deep
#: the pattern is nested.
_MOST_BRANCHES: Final = 8

#: The escapes of JSON (RFC 8259, section 7): how they begin, and their pattern. Those of ASCII
#: characters, which are rare in texts; those of code units, several in a row since two may be one
#: character; and all, with those of two characters.
_ASCII: Final = rb"\u00", rb"\\u00[0-7][0-9a-fA-F]"
_UNITS: Final = rb"\u", rb"(?:\\u[0-9a-fA-F]{4})+"
_ALL: Final = b"\\", _UNITS[1] + rb'|\\["\\/bfnrt]'
_WRITTEN_AS_PAIRS: Final = frozenset('"\\/\b\f\n\r\t')

#: A shorter key occurs in the middle of many words: ``_`` in ``tool_calls``.
_LEAST_ANYWHERE: Final = 4
_WORD: Final = re.compile(r"[A-Za-z0-9_]").match


class KeySearch:
    """A search for the keys of a policy, plain or written with escapes, anywhere in a text.

    A key of one to three characters is found at the beginning of a word only.

    Args:
        keys: Exact names and prefixes. An exact name is found in a longer one too.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        names = frozenset(keys)
        short = {name for name in names if len(name) < _LEAST_ANYWHERE and _WORD(name)}
        patterns = [_build_pattern(sorted(map(to_utf8, names - short)))] if names - short else []
        # The first byte stands first, so that re skips to where that occurs.
        patterns += [b"%b(?<![A-Za-z0-9_]%b)" % (2 * (re.escape(to_utf8(name)),)) for name in short]
        self._key = re.compile(b"|".join(patterns) if patterns else rb"(?!)").search
        paired = any(not _WRITTEN_AS_PAIRS.isdisjoint(name) for name in names)
        plain = all(map(str.isascii, names))
        self._start, pattern = _ALL if paired else _ASCII if plain else _UNITS
        self._escape = re.compile(pattern)

    def may_contain(self, text: bytes) -> bool:
        """Check whether a key may occur in a text in UTF-8; False is certain."""
        if self._key(text) is not None:
            return True
        if self._start not in text:
            return False
        return self._key(self._escape.sub(lambda found: unescape(found[0]), text)) is not None


def _build_pattern(texts: list[bytes], depth: int = 0) -> bytes:
    """Return a pattern for sorted texts that tries each of their first bytes once."""
    if not texts[0]:
        return b""  # the others begin with this one
    if len(texts) == 1 or depth == _MOST_BRANCHES:
        return _group([re.escape(text) for text in texts])
    return _group(
        [
            re.escape(first) + _build_pattern([text[1:] for text in alike], depth + 1)
            for first, alike in groupby(texts, key=lambda text: text[:1])
        ]
    )


def _group(patterns: list[bytes]) -> bytes:
    return patterns[0] if len(patterns) == 1 else b"(?:%b)" % b"|".join(patterns)
