"""The compiled encoder of a policy, and what is judged of its notes afterwards.

The pass in C removes by itself what a rule removes wherever it stands. A name whose rule is bound
to places, or does something else, is only noted there, and its member written: here it is judged
by its place, and where the rule acts, the member is cut out of the text, or its value replaced, and
what was found inside is dropped. So both give what `body_guard.core.walk` gives.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from body_guard.core import _speedups
from body_guard.core.plaindata import HINT, is_plain_data
from body_guard.core.report import CLEAN, Listing, Report, segment
from body_guard.core.typenames import package, qualified_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from body_guard.core._speedups import Record
    from body_guard.core.rules import Matcher, Rule

__all__ = ["HTTPX", "CompiledEncoder", "Style"]

_CUT: Final = _speedups.CUT
_PLACE: Final = _speedups.PLACE
_HELD: Final = _speedups.HELD
_BAD_KEY: Final = _speedups.BAD_KEY
_SURROGATE: Final = _speedups.SURROGATE

#: The built-in findings, by their code in a record.
_FAULTS: Final = {
    _speedups.UNSERIALIZABLE: "unserializable",
    _HELD: "unserializable",
    _BAD_KEY: "unserializable",
    _speedups.NON_FINITE: "non-finite",
    _SURROGATE: "surrogate",
}


class Style(NamedTuple):
    """How JSON is written, as by the arguments of `json.dumps`.

    Attributes:
        ensure_ascii: Whether characters beyond ASCII are escaped.
        item_separator: A comma, with spaces around it.
        key_separator: A colon, with spaces around it.
    """

    ensure_ascii: bool = False
    item_separator: str = ","
    key_separator: str = ":"

    def scalar(self, value: object) -> bytes:
        """Return the text of a string, number, boolean or None."""
        return json.dumps(value, ensure_ascii=self.ensure_ascii).encode()


#: As httpx 0.28 writes it.
HTTPX: Final = Style()


class CompiledEncoder:
    """What a policy says of a value, done in one pass.

    Args:
        matcher: The policy's rules.
        asks: Whether a value that json cannot write is not just removed: ``convert=`` is asked, or
            the body is refused.
    """

    __slots__ = ("_flags", "_keys", "_matcher")

    def __init__(self, matcher: Matcher, *, asks: bool = False) -> None:
        self._matcher = matcher
        self._keys = _speedups.KeyTable(*matcher.key_table_arguments())
        self._flags = _speedups.HAND_BACK_UNSERIALIZABLE if asks else 0
        if any(rule.types for rule in matcher.rules):
            self._flags |= _speedups.HAND_BACK_FOREIGN

    def encode(
        self, value: object, max_bytes: int, style: Style = HTTPX
    ) -> tuple[bytes, Report] | None:
        """Encode a value less what must not leave.

        Args:
            value: What is to become a JSON body. None of its code is run.
            max_bytes: What the text may come to.
            style: How to write it.

        Returns:
            The text and the report, as the walk and json would give them; None where only the walk
            can tell.
        """
        ensure_ascii, item_separator, key_separator = style
        flags = self._flags | (_speedups.ENSURE_ASCII if ensure_ascii else 0)
        made = _speedups.encode(value, self._keys, max_bytes, flags, item_separator, key_separator)
        if made is None:
            return None
        content, records = made
        if records is None:
            return content, CLEAN
        notes = _Notes(content, records, self._matcher, style)
        if not notes.judge():
            return None
        content = notes.content()
        return (content, notes.report()) if len(content) <= max_bytes else None


class _Notes:
    """The state of judging the records of one pass."""

    __slots__ = (
        "_changed",
        "_content",
        "_count",
        "_edits",
        "_listing",
        "_matcher",
        "_names",
        "_records",
        "_stands",
        "_style",
        "_tokens",
        "_until",
    )

    def __init__(
        self, content: bytes, records: Sequence[Record], matcher: Matcher, style: Style
    ) -> None:
        self._content = content
        self._records = records
        self._matcher = matcher
        self._style = style
        self._listing = Listing()
        self._count = 0
        self._changed = False
        # Where to put what, in order; None takes a member out, with a separator.
        self._edits: list[tuple[int, int, bytes | None]] = []
        self._until = 0  # the end of the last of them: what begins before it is gone
        self._stands: dict[int, int] = {}  # the places of containers in the globs
        self._tokens: tuple[int, list[str]] = (0, [])  # of the path of the last container
        # Names of types, by their id: the records keep them alive.
        self._names: dict[int, tuple[str, str]] = {}

    def judge(self) -> bool:
        """Judge all records, in order; return whether it could be done here."""
        for index, (code, place, key, kind, start, end) in enumerate(self._records):
            if code == _PLACE or start < self._until:
                continue
            rule = _FAULTS.get(code)
            if rule is not None:
                if code == _HELD:
                    self._edit(start, end, None)
                self._find_fault(rule, place, key, kind)
            elif not self._judge_name(index):
                return False
        return True

    def content(self) -> bytes:
        """Return the text with the edits made."""
        if not self._edits:
            return self._content
        text, separator = self._content, self._style.item_separator.encode()
        pieces: list[bytes] = []
        kept = first = 0
        for start, end, replacement in self._edits:
            if replacement is None and (start == first or text[start - 1 : start] == b"{"):
                # Of the members that are left the next is the first: its separator goes.
                end += len(separator) if text.startswith(separator, end) else 0
                first = end
            elif replacement is None:
                start -= len(separator)
            pieces += (text[kept:start], replacement or b"")
            kept = end
        return b"".join((*pieces, text[kept:]))

    def report(self) -> Report:
        """Return what was found, as far as a report lists it."""
        if not self._count:
            return CLEAN
        findings = tuple(self._listing.findings)
        return Report(findings, self._changed, omitted=self._count - len(findings))

    def _find_fault(self, rule: str, place: int, key: str | int | None, kind: type) -> None:
        if rule != "unserializable":
            self._find(rule, "replace", place, key, kind, "")
        else:
            action = "replace" if type(key) is int else "remove"
            self._find(rule, action, place, key, kind, package(kind))

    def _judge_name(self, index: int) -> bool:
        code, place, key, kind, start, end = self._records[index]
        rule = self._rule(code, place, str(key))
        if rule is None:
            return True
        if code & _CUT:
            pass  # it is gone already
        elif rule.action == "remove":
            self._edit(start, end, None)
        elif rule.action == "replace":
            if callable(rule.replacement):
                return False
            text = self._style.scalar(rule.replacement)
            # The name stands before the value as it would be written alone.
            start += len(self._style.scalar(key)) + len(self._style.key_separator)
            if self._stands_there(index, rule, text, start):
                return True
            self._edit(start, end, text)
        elif rule.action == "reject":
            return False
        self._find(rule.name, rule.action, place, key, kind, rule.owner or package(kind))
        return True

    def _stands_there(self, index: int, rule: Rule, text: bytes, start: int) -> bool:
        """Tell whether a value is a rule's replacement already, so that nothing is to be done."""
        kind, end = self._records[index][3], self._records[index][5]
        if kind is not type(rule.replacement) or self._content[start:end] != text:
            return False
        # U+FFFD may stand there for half a character.
        after = self._records[index + 1 : index + 2]
        return not (after and after[0][0] == _SURROGATE and after[0][4] == start)

    def _rule(self, value: int, place: int, name: str) -> Rule | None:
        """Return the first of the rules for a name that holds where it stands."""
        for placed in self._matcher.rules_of(value):
            if placed.everywhere:
                return placed.rule
            container = self._stand(place)
            if placed.holds(container, self._matcher.places.below(container, name)):
                return placed.rule
        return None

    def _stand(self, place: int) -> int:
        """Return the place of a container in the globs, by its record."""
        pending: list[int] = []
        while place not in self._stands:
            pending.append(place)
            around = self._records[place - 1][1]
            if not around:
                self._stands[place] = self._matcher.places.start
                break
            place = around
        stand = self._stands[place]
        below = self._matcher.places.below
        for place in reversed(pending):
            record = self._records[place - 1]
            if record[1]:
                stand = below(stand, str(record[2]))
                self._stands[place] = stand
        return stand

    def _edit(self, start: int, end: int, replacement: bytes | None) -> None:
        self._edits.append((start, end, replacement))
        self._until = end

    def _find(
        self, rule: str, action: str, place: int, key: str | int | None, kind: type, owner: str
    ) -> None:
        self._count += 1
        self._changed |= action != "report"
        if not self._listing.takes(action):
            return
        known = self._names.get(id(kind))
        if known is None:
            hint = HINT if is_plain_data(kind) else ""
            known = self._names[id(kind)] = qualified_name(kind), hint
        name, hint = known
        tokens = []
        if place:
            tokens = [*self._path(place), _token(f"<{name}>" if key is None else key)]
        hint = hint if rule == "unserializable" else ""
        self._listing.add(tokens, rule, action, name, owner, hint)

    def _path(self, place: int) -> list[str]:
        """Return the tokens of the path of a container, by its record."""
        if self._tokens[0] != place:
            tokens: list[str] = []
            _, around, key, *_ = self._records[place - 1]
            while around:
                tokens.append(_token(key))
                _, around, key, *_ = self._records[around - 1]
            tokens.reverse()
            self._tokens = place, tokens
        return self._tokens[1]


def _token(key: str | int | None) -> str:
    return segment(key) if isinstance(key, str) else str(key)
