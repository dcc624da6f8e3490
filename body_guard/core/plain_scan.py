"""The scan of JSON text in plain Python: the same answers as the compiled one, slowly.

Most texts have no name that a rule mentions, which json's parser finds out at its own speed.
"""

from __future__ import annotations

import json
import re
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from body_guard.core.encode import DEEPEST
from body_guard.core.json_text import is_deeper, to_utf8, unescape

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["key_table", "scan"]

#: Levels that a scan keeps account of: a body of opening brackets ends here.
_MOST_LEVELS: Final = 1_000_000

#: Bytes of a text that is parsed first: what the parser makes of one is several times as large.
_MOST_PARSED: Final = 8 * 2**20

_WS: Final = rb"[ \t\n\r]*"
_SCALAR: Final = (
    rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null|NaN|-?Infinity"
)
_space: Final[Any] = re.compile(_WS).match
_between: Final[Any] = re.compile(rb"[ \t\n\r\x1e]*").match  # RFC 7464: texts in a sequence
#: The same of decoded text.
_blank: Final[Any] = re.compile(r"[ \t\n\r]*").match
_between_records: Final[Any] = re.compile(r"[ \t\n\r\x1e]*").match
_scalar: Final[Any] = re.compile(_SCALAR).match
#: A piece of a string. It is bounded, since re keeps a record of each turn of a repeated group.
_characters: Final[Any] = re.compile(
    rb'[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*){0,1000}'
).match
_replace_escapes: Final[Any] = re.compile(rb"(?:\\u[0-9a-fA-F]{4})+|\\.").sub

_QUOTE, _COLON, _COMMA = b'":,'
_OPEN_OBJECT, _CLOSE_OBJECT, _OPEN_ARRAY, _CLOSE_ARRAY = b"{}[]"


class _KeyTable:
    """The member names that rules mention, each with a value."""

    def __init__(self, names: Mapping[str, int], prefixes: Mapping[str, int]) -> None:
        self._exact = frozenset(names)
        self._starts = tuple(prefixes)
        self._names = {to_utf8(name): value for name, value in names.items()}
        self._prefixes = {to_utf8(prefix): value for prefix, value in prefixes.items()}
        self._lengths = sorted({len(prefix) for prefix in self._prefixes}, reverse=True)

    def find(self, name: bytes) -> int:
        """Return the value of an exact name, else that of its longest prefix, else 0."""
        value = self._names.get(name)
        if value is None:
            values = (self._prefixes.get(name[:length]) for length in self._lengths)
            value = next(filter(None, values), 0)
        return value

    def has_any(self, names: set[str]) -> bool:
        """Check whether one of these names has a value."""
        if not self._exact.isdisjoint(names):
            return True
        return any(name.startswith(self._starts) for name in names)


#: As `_speedups.pyi` has it.
key_table = _KeyTable


def scan(text: bytes, keys: Any, start: int, records: bool, /) -> tuple[bytes, bytes] | int | None:
    """Find the members of JSON text whose names are in a table; see `_speedups.pyi`."""
    if len(text) <= _MOST_PARSED and _has_no_key(text[start:], keys, records):
        return None
    state = _Scan(text, keys)
    try:
        state.read_texts(start, records)
    except _StoppedError as stopped:
        return stopped.answer
    if not state.members:
        return None
    return state.containers.tobytes(), state.members.tobytes()


def _has_no_key(text: bytes, keys: Any, records: bool) -> bool:
    """Check whether json can parse a text, or several, without a name of the table in them."""
    # With a raised recursion limit json runs off the end of the stack, and the process dies.
    if is_deeper(text, DEEPEST):
        return False
    names: set[str] = set()
    # Called for each object that closes, those that a later member of the same name replaces too.
    parse = json.JSONDecoder(object_hook=names.update).raw_decode
    skip = _between_records if records else _blank
    try:
        decoded = text.decode("utf-8", "surrogatepass")
        _, at = parse(decoded, skip(decoded, 0).end())
        while records and (at := skip(decoded, at).end()) < len(decoded):
            _, at = parse(decoded, at)
        at = skip(decoded, at).end()
    except (ValueError, RecursionError):
        return False
    return at == len(decoded) and not keys.has_any(names)


class _StoppedError(Exception):
    def __init__(self, answer: int) -> None:
        super().__init__(answer)
        self.answer = answer


@dataclass(slots=True, eq=False)
class _Level:
    """An open container; the lowest is what is around the texts: an array of them."""

    is_array: bool
    index: int = 0  # of the member or element at hand
    name: int = 0  # where the name of the member at hand begins
    row: int = -1  # its own among the containers, once it has one
    noted: int = -1  # where the end of the member at hand belongs, if that was noted


class _Scan:
    """One pass over a text."""

    def __init__(self, text: bytes, keys: Any) -> None:
        self._text = text
        self._find = keys.find
        self._levels = [_Level(is_array=True)]
        self._cut: _Level | None = None  # whose member at hand is cut with all that is inside
        self.containers = array("q")
        self.members = array("q")

    def read_texts(self, start: int, records: bool) -> None:
        text, between = self._text, _between if records else _space
        at = self._read_text(between(text, start).end())
        while (at := between(text, at).end()) < len(text):
            if not records:
                raise _StoppedError(at)
            self._levels[0].index += 1
            at = self._read_text(at)

    def _read_text(self, at: int) -> int:
        text, levels = self._text, self._levels
        while True:
            byte = self._byte(at)
            if byte in (_OPEN_OBJECT, _OPEN_ARRAY):
                at = self._open(byte == _OPEN_ARRAY, at)
                if self._byte(at) not in (_CLOSE_OBJECT, _CLOSE_ARRAY):
                    at = at if levels[-1].is_array else self._read_name(levels[-1], at)
                    continue
            elif byte == _QUOTE:
                at = self._skip_string(at)
            else:
                found = _scalar(text, at)
                if found is None:
                    raise _StoppedError(at)
                at = found.end()
            at = self._close(at)
            if len(levels) == 1:
                return at
            if self._byte(at) != _COMMA:
                raise _StoppedError(at)
            at = _space(text, at + 1).end()
            levels[-1].index += 1
            at = at if levels[-1].is_array else self._read_name(levels[-1], at)

    def _byte(self, at: int) -> int:
        return self._text[at] if at < len(self._text) else 0  # which no token contains

    def _skip_string(self, at: int) -> int:
        stop: int = _characters(self._text, at + 1).end()
        while self._byte(stop) != _QUOTE:
            at, stop = stop, _characters(self._text, stop).end()
            if stop == at:
                raise _StoppedError(stop)
        return stop + 1

    def _open(self, is_array: bool, at: int) -> int:
        if len(self._levels) > _MOST_LEVELS:
            raise _StoppedError(-(at + 1))
        self._levels.append(_Level(is_array))
        end: int = _space(self._text, at + 1).end()
        return end

    def _close(self, at: int) -> int:
        """Close the containers that end behind a value; return the offset of what follows."""
        levels = self._levels
        while True:
            level = levels[-1]
            if level.noted >= 0:
                self.members[level.noted] = at
                level.noted = -1
                self._cut = None if self._cut is level else self._cut
            at = _space(self._text, at).end()
            closing = _CLOSE_ARRAY if level.is_array else _CLOSE_OBJECT
            if len(levels) == 1 or self._byte(at) != closing:
                return at
            levels.pop()
            at += 1

    def _read_name(self, level: _Level, at: int) -> int:
        """Read the name of a member; return where its value begins."""
        if self._byte(at) != _QUOTE:
            raise _StoppedError(at)
        level.name = at
        end = self._skip_string(at)
        colon = _space(self._text, end).end()
        if self._byte(colon) != _COLON:
            raise _StoppedError(colon)
        start: int = _space(self._text, colon + 1).end()
        name = _replace_escapes(lambda found: unescape(found[0]), self._text[at + 1 : end - 1])
        self._note(level, 0 if self._cut else self._find(name), start)
        return start

    def _note(self, level: _Level, value: int, start: int) -> None:
        if not value:
            return
        if level.row < 0:
            self._note_containers()
        level.noted = len(self.members) + 5
        self.members.extend((level.row, level.index, value, level.name, start, 0))
        if value & 1:  # body_guard.core.matcher.CUT
            self._cut = level

    def _note_containers(self) -> None:
        """Add a row for each open container that has none, the outermost first."""
        depth = len(self._levels) - 1
        while depth > 1 and self._levels[depth - 1].row < 0:
            depth -= 1
        for around, level in zip(self._levels[depth - 1 :], self._levels[depth:], strict=False):
            level.row = len(self.containers) // 2
            token = around.index if around.is_array else ~around.name
            self.containers.extend((around.row, token))
