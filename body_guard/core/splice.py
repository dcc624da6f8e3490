r"""JSON bytes to the same bytes less the forbidden members, and one comma each.

Nothing is parsed and written again: what is not cut stays as it is, ``1.10``, a duplicate member
and ``"\ud800"`` included. A scan has found the members that a rule may forbid; here it is decided
what the rules say of each.
"""

from __future__ import annotations

import io
import re
import struct
from functools import partial
from json.decoder import scanstring as _scanstring  # type: ignore[attr-defined]  # not in typeshed
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from body_guard.core.encode import encode_scalar
from body_guard.core.listing import Listing
from body_guard.core.matcher import first_rule
from body_guard.core.pointer import escape_token
from body_guard.core.redaction import MOST_TOKENS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from body_guard.core.matcher import Matcher
    from body_guard.core.report import Report

__all__ = ["splice"]

_space: Final[Any] = re.compile(rb"[ \t\n\r]*").match
#: A piece of a string. It is bounded, since re keeps a record of each turn of a repeated group.
_characters: Final[Any] = re.compile(rb'[^"\\]*(?:\\.[^"\\]*){0,1000}', re.DOTALL).match
_QUOTE, _COMMA = b'",'
_members: Final = struct.Struct("6q").iter_unpack

#: What Python's json makes of a value, by its first byte.
_TYPES: Final = {
    b"{": "builtins.dict",
    b"[": "builtins.list",
    b'"': "builtins.str",
    b"t": "builtins.bool",
    b"f": "builtins.bool",
    b"n": "builtins.NoneType",
}


def splice(
    text: bytes,
    hits: tuple[bytes, bytes],
    matcher: Matcher,
    *,
    records: bool = False,
    walked: bool = False,
) -> tuple[bytes, Report]:
    """Cut the forbidden members out of JSON text.

    Args:
        text: JSON in UTF-8.
        hits: What the scan of it found, by the names of these rules.
        matcher: The rules.
        records: Whether the scan was of several texts. A path then begins with the index of its
            text; a rule's scope does not.
        walked: Whether the text was made of a walked value: what a rule only reports, the walk has
            reported.

    Returns:
        The text less each forbidden member; the same object when nothing was changed. With a member
        goes the comma before it, or, where no member is left before it, the one after it, and what
        stands between the two. And the report.
    """
    rows, members = hits
    containers = _Containers(text, rows, matcher, records)
    gone: dict[int, int] = {}  # by container, how many of its members are cut
    listing, found = Listing(), 0
    out, done = io.BytesIO(), 0  # the text up to `done` is written, or cut
    for container, position, value, name, start, end in _members(members):
        if name < done:
            continue  # inside a member that was cut or replaced
        locate = partial(containers.states, container, name)
        rule = first_rule(matcher.rules_for_value(value), locate)
        if rule is None or (walked and rule.action == "report"):
            continue
        put = (encode_scalar(rule.replacement) or b"") if rule.action == "replace" else b""
        if put and put == text[start:end]:
            continue
        found += 1
        if listing.takes(rule.action):
            tokens, levels = containers.path(container, name, listing)
            kind = _type_of(text, start, end)
            listing.add(tokens, rule.name, rule.action, kind, rule.owner, levels=levels)
        if rule.action == "report":
            continue
        if rule.action != "replace":
            before = gone.get(container, 0)
            gone[container] = before + 1
            start, end = _with_comma(text, name, end, is_first=before == position)
        out.write(memoryview(text)[done:start])
        out.write(put)
        done = end
    report = listing.report(found, changed=done > 0)
    if not done:
        return text, report
    out.write(memoryview(text)[done:])
    return out.getvalue(), report


def _with_comma(text: bytes, name: int, end: int, *, is_first: bool) -> tuple[int, int]:
    """Return where a member begins and ends with the comma that goes with it."""
    if not is_first:
        return text.rfind(b",", 0, name), end
    comma = _space(text, end).end()
    return name, comma + 1 if text[comma] == _COMMA else end


def _type_of(text: bytes, start: int, end: int) -> str:
    """Return the type that Python's json makes of a value, as the walk would report it."""
    kind = _TYPES.get(text[start : start + 1])
    if kind is None:
        whole = text[start:end].lstrip(b"-").isdigit()
        kind = "builtins.int" if whole else "builtins.float"
    return kind


class _Trail(NamedTuple):
    """The path to a container: its length, in levels and characters, and its first tokens."""

    levels: int
    length: int
    first: tuple[str, ...]  # as many as a shortened path has


class _Containers:
    """The containers around hits: the row of the one around each, and the offset or index in it."""

    def __init__(self, text: bytes, rows: bytes, matcher: Matcher, records: bool) -> None:
        self._text = text
        self._rows = memoryview(rows).cast("q")
        self._globs = matcher.globs
        self._records = records
        # By row, once asked for; what is around the outermost containers has row -1.
        self._states: dict[int, int] = {}
        self._trails = {-1: _Trail(0, 0, ())}

    def states(self, container: int, name: int) -> tuple[int, int]:
        """Return the states of the globs at a container, and at the member of a name in it."""
        known, globs = self._states, self._globs
        for row in self._down_to(container, known):
            around = self._rows[2 * row]
            known[row] = globs.step(known[around], self._key(row)) if around >= 0 else globs.start
        return known[container], globs.step(known[container], self._name(name))

    def path(self, container: int, name: int, listing: Listing) -> tuple[list[str], int]:
        """Return the tokens of the path to a member that are of use, and how many it has."""
        trails = self._trails
        for row in self._down_to(container, trails):
            levels, length, first = trail = trails[self._rows[2 * row]]
            # The index of a text is part of a path if there are several.
            if self._records or self._rows[2 * row] >= 0:
                token = escape_token(self._key(row))
                first = (*first, token) if levels < MOST_TOKENS else first
                trail = _Trail(levels + 1, length + 1 + len(token), first)
            trails[row] = trail
        levels, length, first = trails[container]
        own = escape_token(self._name(name))
        most = listing.wants(levels + 1, length + 1 + len(own))
        if levels > len(first) and most > levels:
            keys = map(self._key, self._down_to(container, {}))
            first = tuple(map(escape_token, keys))[-levels:]
        return [*first, own][:most], levels + 1

    def _down_to(self, container: int, known: dict[int, Any]) -> Iterator[int]:
        """Yield the rows on the way from one that is known to a container, which is the last."""
        rows = []
        while container >= 0 and container not in known:
            rows.append(container)
            container = self._rows[2 * container]
        return reversed(rows)

    def _key(self, row: int) -> str:
        token = self._rows[2 * row + 1]
        return str(token) if token >= 0 else self._name(~token)

    def _name(self, at: int) -> str:
        """Return the decoded name of a member, by the offset of its first quote."""
        text, end = self._text, at + 1
        while text[end] != _QUOTE:
            end = _characters(text, end).end()
        string = text[at : end + 1]
        try:
            name = string.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            name = string.decode("utf-8", "replace")
        return _scanstring(name, 1)[0] if "\\" in name else name[1:-1]
