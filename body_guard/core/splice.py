r"""JSON bytes to the same bytes less the forbidden members, and one comma each.

Nothing is turned into objects or written again: what is not cut stays as it is, be it ``1.10``, a
duplicate member or ``"\ud800"``. Where the members stand that a rule may forbid, a scan has told;
here it is decided what the rules say of each, and cut.
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
    from body_guard.core.rule import Rule

__all__ = ["SpliceResult", "splice"]

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


class SpliceResult(NamedTuple):
    """What is left of a text, and what was found in it.

    Attributes:
        content: The text less the forbidden members; the same object when nothing was changed.
        report: A finding for each forbidden member, and each that a rule only reports.
        rejected: Whether the text as a whole may not leave.
    """

    content: bytes
    report: Report
    rejected: bool


def splice(
    text: bytes,
    hits: tuple[bytes, bytes],
    matcher: Matcher,
    *,
    records: bool = False,
    walked: bool = False,
) -> SpliceResult:
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
        The text less each forbidden member. With a member goes the comma before it, or, where no
        member is left before it, the one after it, and what stands between the two.
    """
    containers, members = hits
    cutter = _Cutter(text, matcher, _Containers(text, containers, matcher, records), walked)
    cutter.run(members)
    return cutter.spliced()


class _Cutter:
    """What becomes of the hits of one text, in their order."""

    __slots__ = (
        "_changed",
        "_containers",
        "_done",
        "_found",
        "_gone",
        "_listing",
        "_matcher",
        "_out",
        "_rejected",
        "_text",
        "_walked",
    )

    def __init__(
        self, text: bytes, matcher: Matcher, containers: _Containers, walked: bool
    ) -> None:
        self._text = text
        self._matcher = matcher
        self._containers = containers
        self._walked = walked
        self._gone: dict[int, int] = {}  # by container, how many of its members are cut
        self._out = io.BytesIO()
        self._done = 0  # the text up to here is written, or cut
        self._listing = Listing()
        self._found = 0
        self._changed = False
        self._rejected = False

    def run(self, members: bytes) -> None:
        text, behind = self._text, 0
        for container, position, value, name, start, end in _members(members):
            if name < behind:
                continue  # inside a member that goes
            rule = self._rule(container, value, name)
            if rule is None:
                continue
            if rule.action == "report":
                if not self._walked:
                    self._mark(rule, container, name, start, end)
            elif rule.action != "replace":
                self._mark(rule, container, name, start, end)
                self._remove(container, position, name, end)
                behind = end
            elif text[start:end] != (put := encode_scalar(rule.replacement)):
                self._mark(rule, container, name, start, end)
                self._put(start, put or b"", end)
                behind = end

    def spliced(self) -> SpliceResult:
        report = self._listing.report(self._found, self._changed)
        if not self._changed:
            return SpliceResult(self._text, report, False)
        self._out.write(memoryview(self._text)[self._done :])
        return SpliceResult(self._out.getvalue(), report, self._rejected)

    def _rule(self, container: int, value: int, name: int) -> Rule | None:
        locate = partial(self._containers.states, container, name)
        return first_rule(self._matcher.rules_for_value(value), locate)

    def _mark(self, rule: Rule, container: int, name: int, start: int, end: int) -> None:
        self._found += 1
        self._rejected |= rule.action == "reject"
        if self._listing.takes(rule.action):
            tokens, levels = self._containers.path(container, name, self._listing)
            kind = self._type(start, end)
            self._listing.add(tokens, rule.name, rule.action, kind, rule.owner, levels=levels)

    def _remove(self, container: int, position: int, name: int, end: int) -> None:
        gone = self._gone.get(container, 0)
        self._gone[container] = gone + 1
        if gone < position:  # a member before it stays
            self._put(self._text.rfind(b",", 0, name), b"", end)
            return
        comma = _space(self._text, end).end()
        self._put(name, b"", comma + 1 if self._text[comma] == _COMMA else end)

    def _put(self, start: int, put: bytes, end: int) -> None:
        self._out.write(memoryview(self._text)[self._done : start])
        self._out.write(put)
        self._done = end
        self._changed = True

    def _type(self, start: int, end: int) -> str:
        """Return the type that Python's json makes of a value, as the walk would report it."""
        kind = _TYPES.get(self._text[start : start + 1])
        if kind is None:
            whole = self._text[start:end].lstrip(b"-").isdigit()
            kind = "builtins.int" if whole else "builtins.float"
        return kind


class _Trail(NamedTuple):
    """How to come to a container: the length of its path, in levels and characters."""

    levels: int
    length: int
    first: tuple[str, ...]  # tokens, as many as a shortened path has


class _Containers:
    """The containers around hits: rows of the row around each, and where in that it stands."""

    __slots__ = ("_globs", "_records", "_rows", "_states", "_text", "_trails")

    def __init__(self, text: bytes, rows: bytes, matcher: Matcher, records: bool) -> None:
        self._text = text
        self._rows = memoryview(rows).cast("q")
        self._globs = matcher.globs
        self._records = records
        # So far as they were asked for; what is around the outermost containers has row -1.
        self._states: dict[int, int] = {}
        self._trails = {-1: _Trail(0, 0, ())}

    def states(self, container: int, name: int) -> tuple[int, int]:
        """Return the states of the globs at a container, and at the member of a name in it."""
        known, globs = self._states, self._globs
        for row in self._down_to(container, known):
            around = self._rows[2 * row]
            known[row] = globs.step(known[around], self._token(row)) if around >= 0 else globs.start
        return known[container], globs.step(known[container], self._name(name))

    def path(self, container: int, name: int, listing: Listing) -> tuple[list[str], int]:
        """Return the tokens of the path to a member that are of use, and how many it has."""
        trails = self._trails
        for row in self._down_to(container, trails):
            trails[row] = self._extended(trails[self._rows[2 * row]], row)
        levels, length, first = trails[container]
        own = escape_token(self._name(name))
        most = listing.wants(levels + 1, length + 1 + len(own))
        if levels > len(first) and most > levels:
            first = tuple(map(self._segment, self._down_to(container, {})))[-levels:]
        return [*first, own][:most], levels + 1

    def _extended(self, around: _Trail, row: int) -> _Trail:
        # Where the body stands is part of a path if there are several.
        if self._rows[2 * row] < 0 and not self._records:
            return around
        levels, length, first = around
        token = self._segment(row)
        first = (*first, token) if levels < MOST_TOKENS else first
        return _Trail(levels + 1, length + 1 + len(token), first)

    def _down_to(self, container: int, known: dict[int, Any]) -> Iterator[int]:
        """Yield the rows on the way from one that is known to a container, which is the last."""
        rows = []
        while container >= 0 and container not in known:
            rows.append(container)
            container = self._rows[2 * container]
        return reversed(rows)

    def _segment(self, row: int) -> str:
        return escape_token(self._token(row))

    def _token(self, row: int) -> str:
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
