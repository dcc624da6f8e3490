r"""JSON bytes to the same bytes less the forbidden members, and one comma each.

Nothing is turned into objects or written again: what is not cut stays as it is, be it ``1.10``, a
duplicate member or ``"\ud800"``. A scan is iterative, and accepts what Python's json reads: RFC
8259, and besides it NaN and Infinity. That a string is valid UTF-8 is not asked.
"""

from __future__ import annotations

import io
import re
from bisect import bisect_left
from functools import lru_cache
from itertools import islice
from json.decoder import scanstring as _scanstring  # type: ignore[attr-defined]  # not in typeshed
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from body_guard.core.errors import BodyLimitError
from body_guard.core.replacement import spelled
from body_guard.core.report import CLEAN, Finding, Listing, Report, segment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from body_guard.core.rules import Matcher, Rule

__all__ = ["NotJSONError", "Spliced", "splice"]

#: Levels a scan keeps account of: a body of opening brackets ends here, not in the swap space.
_MOST_LEVELS: Final = 1_000_000

# JSON without names that need a look: no escape in a name, no long string, two levels at most.
# Repeats of a group are bounded: sre keeps a record of each turn, which for a million is memory.
_WS: Final = rb"[ \t\n\r]*"
_SHORT: Final = rb'"[^"\\\x00-\x1f]{0,400}"'
_NUMBER: Final = rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_SCALAR: Final = _NUMBER + rb"|true|false|null|NaN|-?Infinity"


def _nested(levels: int) -> bytes:
    """Give the pattern of a plain value with so many levels of containers."""
    if levels == 0:
        return rb"(?:%b|%b)" % (_SHORT, _SCALAR)
    element = rb"%b%b" % (_nested(levels - 1), _WS)
    member = rb"%b%b:%b%b" % (_SHORT, _WS, _WS, element)
    listed = rb"%b(?:%b(?:,%b%b){0,200})?"
    array = rb"\[%b\]" % (listed % (_WS, element, _WS, element))
    an_object = rb"\{%b\}" % (listed % (_WS, member, _WS, member))
    return rb"(?:%b|%b|%b|%b)" % (_SHORT, _SCALAR, array, an_object)


@lru_cache(maxsize=1)
def _plain() -> tuple[Any, Any]:
    """Give the matchers of a plain value, and of plain members each with its comma.

    Compiling them takes longer than importing the rest of this package, so it waits for a body
    that has to be scanned.
    """
    value = _nested(2)
    members = rb"(?:%b%b:%b%b%b(?:,%b|(?=\}))){0,1000}" % (_SHORT, _WS, _WS, value, _WS, _WS)
    return re.compile(value).match, re.compile(members).match


_space: Final[Any] = re.compile(_WS).match
_separator: Final[Any] = re.compile(rb"[ \t\n\r\x1e]*").match
_scalar: Final[Any] = re.compile(_SCALAR).match
_characters: Final[Any] = re.compile(
    rb'[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*){0,1000}'
).match
_plain_numbers: Final[Any] = re.compile(rb"(?:%b%b,%b){0,1000}" % (_NUMBER, _WS, _WS)).match
#: Strings longer than this are looked through by other means than a pattern, a piece at a time.
_LONG: Final = 200
_PIECE: Final = 2**16
_CONTROLS: Final = bytes(range(32))

_QUOTE, _COLON, _COMMA = b'":,'
_OPEN_OBJECT, _CLOSE_OBJECT, _OPEN_ARRAY, _CLOSE_ARRAY = b"{}[]"
_END: Final = -1  # what stands after the last byte

#: What Python's json makes of a value, by its first byte.
_TYPES: Final = {
    _OPEN_OBJECT: "builtins.dict",
    _OPEN_ARRAY: "builtins.list",
    _QUOTE: "builtins.str",
    ord("t"): "builtins.bool",
    ord("f"): "builtins.bool",
    ord("n"): "builtins.NoneType",
}


class NotJSONError(Exception):
    """The text is not JSON. Says at which byte; holds nothing of the text."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


class Spliced(NamedTuple):
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
    suspects: Sequence[int],
    matcher: Matcher,
    *,
    start: int = 0,
    records: bool = False,
    walked: bool = False,
) -> Spliced:
    """Cut the forbidden members out of JSON text.

    Args:
        text: JSON in UTF-8.
        suspects: What `Prefilter.suspects` gave for it.
        matcher: The rules.
        start: Where the text begins, behind a byte order mark.
        records: Whether there are several texts: one a line, or each behind a record separator
            (RFC 7464). A path then begins with the index of its text; a rule's scope does not.
        walked: Whether the text was made of a walked value: what a rule only reports, the walk has
            reported.

    Returns:
        The text less each forbidden member. With a member goes the comma before it, or, where no
        member is left before it, the one after it, and what stands between the two.

    Raises:
        NotJSONError: The text is not JSON.
        BodyLimitError: The text is nested a million levels deep.
    """
    __tracebackhide__ = True
    scan = _Scan(text, suspects, matcher, records, walked)
    scan.run(start)
    return scan.spliced()


class _Scan:
    """One pass over a text, in the states of a JSON parser; knows at each byte where it stands."""

    __slots__ = (
        "_changed",
        "_cut_level",
        "_cut_rule",
        "_done",
        "_index",
        "_is_array",
        "_kept",
        "_lengths",
        "_levels",
        "_listing",
        "_matcher",
        "_name",
        "_out",
        "_places",
        "_plain_members",
        "_plain_value",
        "_records",
        "_rejected",
        "_stood",
        "_suspects",
        "_text",
        "_tokens",
        "_value",
        "_walked",
    )

    def __init__(
        self,
        text: bytes,
        suspects: Sequence[int],
        matcher: Matcher,
        records: bool,
        walked: bool,
    ) -> None:
        self._text = text
        self._walked = walked
        self._records = records
        self._plain_value, self._plain_members = _plain()
        self._suspects = suspects
        self._matcher = matcher
        # The innermost container: the index of an element; or where the name of a member begins,
        # and whether a member before it stays. The containers around it lie in _levels.
        self._is_array = True
        self._index = 0
        self._name = 0
        self._kept = False
        self._levels: list[tuple[bool, int, int, bool]] = []
        self._stood: list[int] = []  # the places of the containers in _levels, so far as asked for
        self._tokens: list[str] = []  # of the path through _levels, so far as asked for,
        self._lengths: list[int] = []  # and the characters of it down to each
        self._cut_level = -1  # the level of the member being cut, while inside its value,
        self._cut_rule: Any = None  # the rule that says so
        self._value = 0  # where that value begins,
        self._out = io.BytesIO()
        self._done = 0  # the text up to here is written, or cut
        self._listing = Listing()
        self._places = 0
        self._changed = False
        self._rejected = False

    def run(self, start: int) -> None:
        __tracebackhide__ = True
        text = self._text
        between = _separator if self._records else _space
        at = between(text, start).end()
        names_next = False  # a member's name stands here, otherwise a value
        while True:
            stop = self._stop(at)
            if names_next:
                at, ended = self._members(at, stop)
                at = at if ended else self._member(at, stop)
            else:
                found = self._plain_value(text, at, stop) if self._levels else None
                ended = found is not None
                if found is not None:
                    at = found.end()
            if not ended:
                byte = self._byte(at)
                if byte in (_OPEN_OBJECT, _OPEN_ARRAY):
                    at = _space(text, at + 1).end()
                    self._open(byte == _OPEN_ARRAY, at)
                    if not self._closes(at):
                        names_next = not self._is_array
                        at = at if names_next else self._numbers(at)
                        continue
                else:
                    at = self._leaf(at)
            at = _space(text, at).end()
            # A value has ended, or an empty container opened: close what closes here.
            while self._levels:
                if self._cut_level == len(self._levels):
                    self._cut(at)
                if not self._closes(at):
                    break
                self._is_array, self._index, self._name, self._kept = self._levels.pop()
                if self._stood:
                    del self._stood[len(self._levels) :]
                if self._tokens:
                    del self._tokens[len(self._levels) :], self._lengths[len(self._levels) :]
                at = _space(text, at + 1).end()
            else:
                at = between(text, at).end()
                if at == len(text):
                    return
                if not self._records:
                    raise NotJSONError(at)
                self._index += 1
                names_next = False
                continue
            if self._byte(at) != _COMMA:
                raise NotJSONError(at)
            at = _space(text, at + 1).end()
            names_next = not self._is_array
            if self._is_array:
                self._index += 1
                at = self._numbers(at)

    def spliced(self) -> Spliced:
        if not self._places:
            return Spliced(self._text, CLEAN, False)
        findings = tuple(self._listing.findings)
        report = Report(findings, self._changed, omitted=self._places - len(findings))
        if not self._changed:
            return Spliced(self._text, report, False)
        self._out.write(memoryview(self._text)[self._done :])
        return Spliced(self._out.getvalue(), report, self._rejected)

    def _byte(self, at: int) -> int:
        return self._text[at] if at < len(self._text) else _END

    def _before(self, at: int) -> int:
        """Give where the last byte before an offset stands that is no space."""
        at -= 1
        while self._text[at] in b" \t\n\r":
            at -= 1
        return at

    def _closes(self, at: int) -> bool:
        return self._byte(at) == (_CLOSE_ARRAY if self._is_array else _CLOSE_OBJECT)

    def _open(self, is_array: bool, at: int) -> None:
        __tracebackhide__ = True
        if len(self._levels) == _MOST_LEVELS:
            raise BodyLimitError(
                f"The body was not sent: at byte {at} it is over {_MOST_LEVELS:,} levels deep.",
                Report((Finding("", "depth", "reject"),)),
            )
        self._levels.append((self._is_array, self._index, self._name, self._kept))
        self._is_array, self._index, self._name, self._kept = is_array, 0, 0, False

    def _leaf(self, at: int) -> int:
        """Give the end of a string, number or literal."""
        if self._byte(at) == _QUOTE:
            return self._string(at)
        found = _scalar(self._text, at)
        if found is None:
            raise NotJSONError(at)
        end: int = found.end()
        return end

    def _string(self, at: int) -> int:
        """Give the end of a string."""
        text = self._text
        if self._byte(at) != _QUOTE:
            raise NotJSONError(at)
        end = text.find(b'"', at + 1)
        if end - at > _LONG and text.find(b"\\", at + 1, end) < 0:
            for start in range(at + 1, end, _PIECE):
                piece = text[start : min(start + _PIECE, end)]
                if len(piece.translate(None, _CONTROLS)) != len(piece):
                    raise NotJSONError(start)
            return end + 1
        end = at + 1
        while True:
            stop: int = _characters(text, end).end()
            if self._byte(stop) == _QUOTE:
                return stop + 1
            if stop == end:
                raise NotJSONError(stop)
            end = stop

    def _numbers(self, at: int) -> int:
        """Pass over numbers, each with its comma, in one go."""
        start = at
        while (end := _plain_numbers(self._text, at).end()) > at:
            at = end
        self._index += self._text.count(b",", start, at)
        return at

    def _stop(self, at: int) -> int:
        """Give where the next name stands that has to be judged; nothing up to there has to."""
        if self._cut_level < 0:
            following = bisect_left(self._suspects, at)
            if following < len(self._suspects):
                return self._suspects[following]
        return len(self._text)

    def _members(self, at: int, stop: int) -> tuple[int, bool]:
        """Pass over plain members, each with its comma; tell whether the last was among them."""
        start = at
        while (end := self._plain_members(self._text, at, stop).end()) > at:
            at = end
        if at == start:
            return at, False
        self._kept = True
        return at, self._text[self._before(at)] != _COMMA

    def _member(self, at: int, stop: int) -> int:
        """Read a name, and judge it; give the start of its value."""
        text = self._text
        self._name = at
        end = self._string(at)
        value: int = _space(text, end).end()
        if self._byte(value) != _COLON:
            raise NotJSONError(value)
        value = _space(text, value + 1).end()
        if self._cut_level < 0:
            rule = self._rule(at, end) if at == stop or b"\\" in text[at:end] else None
            if rule is None or self._stays(rule, value):
                self._kept = True
            else:
                self._cut_level = len(self._levels)
                self._cut_rule, self._value = rule, value
        return value

    def _rule(self, at: int, end: int) -> Rule | None:
        for placed in self._matcher.named(_unescaped(self._text[at:end])):
            if placed.everywhere or placed.holds(*self._places_here()):
                return placed.rule
        return None

    def _places_here(self) -> tuple[int, int]:
        """Give the places of the innermost container, and of the member that is being read."""
        places, levels, stood = self._matcher.places, self._levels, self._stood
        if not stood:
            stood.append(places.start)
        for level in range(len(stood), len(levels)):
            is_array, index, name, _ = levels[level]
            stood.append(places.below(stood[-1], self._token(is_array, index, name)))
        return stood[-1], places.below(stood[-1], self._token(False, 0, self._name))

    def _stays(self, rule: Rule, value: int) -> bool:
        """Tell whether a rule leaves a value where it is; report it if the rule says so."""
        if rule.action == "report":
            if not self._walked:
                self._mark(rule, value)
            return True
        if rule.action == "replace" and self._byte(value) not in (_OPEN_OBJECT, _OPEN_ARRAY):
            text = self._text[value : self._leaf(value)]
            return text == spelled(rule.replacement)
        return False

    def _mark(self, rule: Rule, value: int) -> None:
        self._places += 1
        self._rejected |= rule.action == "reject"
        if self._listing.takes(rule.action):
            tokens, levels = self._path(self._listing)
            kind = self._type(value)
            self._listing.add(tokens, rule.name, rule.action, kind, rule.owner, levels=levels)

    def _path(self, listing: Listing) -> tuple[list[str], int]:
        """Give the tokens of the path to the member being read that are of use, and their count."""
        # The first level is what stands around the body: a part of the path if there are several.
        tokens, lengths, outermost = self._tokens, self._lengths, 0 if self._records else 1
        for level in range(len(tokens), len(self._levels)):
            is_array, index, name, _ = self._levels[level]
            tokens.append(segment(self._token(is_array, index, name)))
            length = len(tokens[-1]) + 1 if level >= outermost else 0
            lengths.append(lengths[-1] + length if level else length)
        own = segment(self._token(False, 0, self._name))
        levels = len(tokens) + 1 - outermost
        most = listing.wants(levels, lengths[-1] + 1 + len(own))
        return [*islice(tokens, outermost, outermost + most), own][:most], levels

    def _cut(self, at: int) -> None:
        """Leave out, or replace, the member whose value ends before the space that ends here."""
        __tracebackhide__ = True
        text, rule = self._text, self._cut_rule
        end, put = self._before(at) + 1, b""
        if rule.action == "replace":
            start, put = self._value, spelled(rule.replacement) or b""
            self._kept = True
        elif not self._kept and self._byte(at) == _COMMA:
            start, end = self._name, at + 1
        else:
            start = text.rfind(b",", 0, self._name) if self._kept else self._name
        self._mark(rule, self._value)
        self._out.write(memoryview(text)[self._done : start])
        self._out.write(put)
        self._done = end
        self._cut_level = -1
        self._changed = True

    def _token(self, is_array: bool, index: int, name: int) -> str:
        return str(index) if is_array else _unescaped(self._text[name : self._string(name)])

    def _type(self, at: int) -> str:
        """Give the type that Python's json makes of a value, as the walk would report it."""
        first = self._byte(at)
        if first in _TYPES:
            return _TYPES[first]
        whole = self._text[at : self._leaf(at)].lstrip(b"-").isdigit()
        return "builtins.int" if whole else "builtins.float"


def _unescaped(string: bytes) -> str:
    """Give the text of a JSON string token, its quotes included."""
    try:
        text = string.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        text = string.decode("utf-8", "replace")
    return _scanstring(text, 1)[0] if "\\" in text else text[1:-1]
