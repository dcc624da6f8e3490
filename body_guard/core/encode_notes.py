"""The compiled encoder of a policy, and what is judged of its notes afterwards.

The pass in C removes the members that a rule removes in any place. A name whose rule has a scope or
another action is only noted, and its member written. Here the notes are judged: where the rule
applies, the member is cut out of the text or its value replaced, and what was found inside is
dropped. So bytes and report are those of `body_guard.core.walk`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from body_guard.core import _speedups
from body_guard.core.encode import HTTPX
from body_guard.core.listing import Listing
from body_guard.core.matcher import first_rule
from body_guard.core.pointer import escape_token
from body_guard.core.report import CLEAN, Report
from body_guard.core.typenames import package, qualified_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from body_guard.core._speedups import Record
    from body_guard.core.encode import Style
    from body_guard.core.matcher import Matcher
    from body_guard.core.rule import Rule
    from body_guard.core.scopes import Globs

__all__ = ["CompiledEncoder"]

_CUT: Final = _speedups.CUT
_PLACE: Final = _speedups.PLACE
_HELD: Final = _speedups.HELD
_SURROGATE: Final = _speedups.SURROGATE

#: The built-in findings, by their code in a record.
_FAULTS: Final = {
    _speedups.UNSERIALIZABLE: "unserializable",
    _HELD: "unserializable",
    _speedups.BAD_KEY: "unserializable",
    _speedups.NON_FINITE: "non-finite",
    _SURROGATE: "surrogate",
}


#: A finding that has no path yet: place, key and type as in its record, rule, action, owner (None
#: is the package of the type).
_Mark: TypeAlias = "tuple[int, str | int | None, type, str, str, str | None]"
#: Where to put what into the text; None takes a member out.
_Edit: TypeAlias = "tuple[int, int, bytes | None]"


class CompiledEncoder:
    """Encodes a value less what a policy forbids, in one pass.

    Args:
        matcher: The policy's rules.
        asks: Whether a value that json cannot write is not just removed: ``convert=`` is asked, or
            the body is refused.
    """

    def __init__(self, matcher: Matcher, *, asks: bool = False) -> None:
        self._matcher = matcher
        self._keys = matcher.key_table(_speedups.key_table)
        self._flags = _speedups.HAND_BACK_UNSERIALIZABLE if asks else 0
        if matcher.has_types:
            self._flags |= _speedups.HAND_BACK_FOREIGN

    def encode(
        self, value: object, max_bytes: int, style: Style | None = None, *, asks: bool = False
    ) -> tuple[bytes, Report] | None:
        """Encode a value less what must not leave.

        Args:
            value: What is to become a JSON body. None of its code is run.
            max_bytes: What the text may come to.
            style: How to write it; as httpx does when None.
            asks: Whether somebody else is asked about values that JSON does not know.

        Returns:
            The text and the report, those of the walk and json; None where only the walk decides.
        """
        flags = _speedups.HAND_BACK_UNSERIALIZABLE if asks else 0
        return self._encode(value, max_bytes, style or HTTPX, flags)

    def encode_clean(self, value: object, max_bytes: int) -> bytes | None:
        """Encode a value of json's own types with nothing to find in it; return None for others.

        Args:
            value: Anything. None of its code is run.
            max_bytes: What the text may come to.
        """
        flags = _speedups.HAND_BACK_UNSERIALIZABLE | _speedups.HAND_BACK_FOREIGN
        encoded = self._encode(value, max_bytes, HTTPX, flags)
        return None if encoded is None or encoded[1] is not CLEAN else encoded[0]

    def _encode(
        self, value: object, max_bytes: int, style: Style, flags: int
    ) -> tuple[bytes, Report] | None:
        ensure_ascii, item_separator, key_separator = style
        flags |= self._flags | (_speedups.ENSURE_ASCII if ensure_ascii else 0)
        written = _speedups.encode(
            value, self._keys, max_bytes, flags, item_separator, key_separator
        )
        if written is None:
            return None
        content, records = written
        if records is None:
            return content, CLEAN
        judged = _judge(records, content, self._matcher, style)
        if judged is None:
            return None
        marks, edits = judged
        content = _apply_edits(content, edits, item_separator.encode())
        return (content, _make_report(records, marks)) if len(content) <= max_bytes else None


def _judge(
    records: Sequence[Record], content: bytes, matcher: Matcher, style: Style
) -> tuple[list[_Mark], list[_Edit]] | None:
    """Judge all records, in order; None where the walk has to."""
    marks: list[_Mark] = []
    edits: list[_Edit] = []
    states: _States | None = None
    until = 0  # the end of the last edit: what begins before it was cut or replaced
    for index, (code, place, key, kind, start, end) in enumerate(records):
        if code == _PLACE or start < until:
            continue
        if code in _FAULTS:
            marks.append(_make_mark(code, place, key, kind))
            if code == _HELD:
                edits.append((start, end, None))
            continue
        named = matcher.rules_for_value(code)
        if code & _CUT:
            rule = named[0].rule
            marks.append((place, key, kind, rule.name, rule.action, rule.owner or None))
            continue
        states = states or _States(records, matcher.globs)
        first = first_rule(named, partial(states.at, place, str(key)))
        if first is None:
            continue
        rule = first
        if rule.action == "reject":
            return None
        if rule.action == "replace":
            text = style.scalar(rule.replacement)
            # Before the value is the name, as it would be written alone.
            start += len(style.scalar(key)) + len(style.key_separator)
            if _is_replaced(records, index, rule, text, content[start:end]):
                continue
            edits.append((start, end, text))
            until = end
        elif rule.action == "remove":
            edits.append((start, end, None))
            until = end
        marks.append((place, key, kind, rule.name, rule.action, rule.owner or None))
    return marks, edits


def _make_mark(code: int, place: int, key: str | int | None, kind: type) -> _Mark:
    rule = _FAULTS[code]
    if rule != "unserializable":
        return place, key, kind, rule, "replace", ""
    return place, key, kind, rule, "replace" if type(key) is int else "remove", None


def _is_replaced(
    records: Sequence[Record], index: int, rule: Rule, text: bytes, written: bytes
) -> bool:
    """Check whether a value is the rule's replacement already."""
    if records[index][3] is not type(rule.replacement) or written != text:
        return False
    # U+FFFD may have been written for a lone surrogate, of which the next record then is.
    following = records[index + 1 : index + 2]
    return not (
        following and following[0][0] == _SURROGATE and following[0][1:3] == records[index][1:3]
    )


class _States:
    """The states of the globs at containers, by their records."""

    def __init__(self, records: Sequence[Record], globs: Globs) -> None:
        self._records = records
        self._globs = globs
        self._known: dict[int, int] = {}

    def at(self, place: int, name: str) -> tuple[int, int]:
        """Return the state at a container, and that at a member of it."""
        known = self._known
        pending: list[int] = []
        while place not in known:
            pending.append(place)
            around = self._records[place - 1][1]
            if not around:
                known[pending.pop()] = self._globs.start
                break
            place = around
        container = known[place]
        for inner in reversed(pending):
            container = self._globs.step(container, str(self._records[inner - 1][2]))
            known[inner] = container
        return container, self._globs.step(container, name)


def _apply_edits(content: bytes, edits: Sequence[_Edit], comma: bytes) -> bytes:
    """Return the text with the edits made; with a member that is cut goes one separator."""
    if not edits:
        return content
    pieces: list[bytes] = []
    kept = first = 0
    for start, end, text in edits:
        if text is None and (start == first or content[start - 1 : start] == b"{"):
            # The next one is the first of those that are left: it needs no separator.
            end += len(comma) if content.startswith(comma, end) else 0
            first = end
        elif text is None:
            start -= len(comma)
        pieces += (content[kept:start], text or b"")
        kept = end
    return b"".join((*pieces, content[kept:]))


def _make_report(records: Sequence[Record], marks: Sequence[_Mark]) -> Report:
    listing = Listing()
    changed = False
    path: list[str] = []
    path_of = 0  # the place of the last one: findings in one container often come in a row
    for place, key, kind, rule, action, owner in marks:
        changed = changed or action != "report"
        if listing.full:
            continue
        if path_of != place:
            path, path_of = _path(records, place), place
        last = escape_token(f"<{qualified_name(kind)}>" if key is None else key)
        owner = package(kind) if owner is None else owner
        listing.add_value([*path, last] if place else [], rule, action, kind, owner)
    return listing.report(len(marks), changed)


def _path(records: Sequence[Record], place: int) -> list[str]:
    """Return the tokens of the path of a container, by its record."""
    tokens: list[str] = []
    while around := records[place - 1][1]:
        # Only a member that was not written can be without a name.
        tokens.append(escape_token(records[place - 1][2]))  # type: ignore[arg-type]
        place = around
    tokens.reverse()
    return tokens
