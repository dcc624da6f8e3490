"""JSON lines: a body a line, or a request a line; and single bodies, which are one such line."""

from __future__ import annotations

import json
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final

from body_guard.core import accelerator
from body_guard.core.json_text import is_deeper
from body_guard.core.matcher import Matcher
from body_guard.http.content import host_of
from body_guard.recordings.body import DEEPEST, TOO_DEEP, Body, Counted, Place, Unread
from body_guard.recordings.json_members import find_in_lines, find_members, matcher_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from body_guard.core.rule import Rule
    from body_guard.recordings.json_members import Span

__all__ = ["LONGEST", "Quick", "read_jsonl", "read_text"]

#: Bytes that one body, and so one line, may come to.
LONGEST: Final = 256 * 2**20

#: Bytes that are looked at in one go: enough that a call costs nothing, few enough that one finding
#: does not make many lines be looked at one by one.
_BLOCK: Final = 2**18

#: Lines of a file that are named one by one when they are no JSON.
_MOST_NAMED: Final = 20

_QUOTE: Final = ord('"')

_BOM: Final = b"\xef\xbb\xbf"

#: What makes a line a request: ``body`` and where it goes; or litellm's raw request.
_ENVELOPE: Final = (
    *("body", "content_type", "host", "judged", "method", "url"),
    *("raw_request_api_base", "raw_request_body"),
)
_MATCHER: Final = matcher_of(*_ENVELOPE)


class Quick:
    """A look at many lines at once, which finds most bodies clean.

    Args:
        rules: What bodies must not hold, wherever it stands and wherever they go.
    """

    __slots__ = ("_matcher", "_rules")

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._rules = Matcher(rules)
        names = any(self._rules.rules_for_name(name) for name in _ENVELOPE)
        self._matcher = None if names else matcher_of(*_ENVELOPE, beside=rules)

    def find_requests(self, texts: bytes) -> Mapping[int, Mapping[str, Span]] | None:
        """Return the lines that are requests, as `find_in_lines`; None where one may be dirty."""
        if self._matcher is None:
            return None
        found = find_in_lines(texts, self._matcher, _ENVELOPE)
        return found if _is_utf8(texts) else None

    def passes(self, texts: bytes) -> bool:
        """Check whether JSON texts are valid, and have no name in them that the rules mention."""
        return accelerator.scan(texts, self._rules, 0, True) is None


def _is_utf8(text: bytes) -> bool:
    try:
        return text.isascii() or bool(text.decode())
    except UnicodeDecodeError:
        return False


def read_jsonl(
    name: str, file: IO[bytes], quick: Quick | None = None
) -> Iterator[Body | Counted | Unread]:
    """Read a file of JSON lines, in constant memory.

    Args:
        name: Of the file.
        file: At its beginning.
        quick: Looks at many lines at once; what it finds clean is counted, and not yielded.
    """
    line, start, unread = 1, 0, 0
    while block := file.read(_BLOCK):
        rest = file.readline(LONGEST)
        block += rest
        size = len(block)
        whole = len(rest) < LONGEST or rest.endswith(b"\n")
        if not whole:
            while len(rest) == LONGEST and not rest.endswith(b"\n"):
                rest = file.readline(LONGEST)
                size += len(rest)
            block = block[: block.rfind(b"\n") + 1]
        found = None if quick is None else _look(name, block, line, start, quick)
        for item in _read_lines(name, block, line, start) if found is None else found:
            unread += isinstance(item, Unread)
            if not isinstance(item, Unread) or unread <= _MOST_NAMED:
                yield item
        line += block.count(b"\n")
        start += size
        if not whole:
            yield Unread(name, f"line {line}: is longer than {LONGEST:,} bytes")
            line += 1
    if unread > _MOST_NAMED:
        yield Unread(name, f"{unread - _MOST_NAMED:,} more lines cannot be read")


def _look(
    name: str, block: bytes, line: int, start: int, quick: Quick
) -> list[Body | Counted] | None:
    """Look at all lines of a block at once; None where they have to be looked at one by one."""
    lines = list(filter(None, map(bytes.strip, block.split(b"\n"))))
    # A text that goes on in the next line is no line, and no shorter one is too deep.
    if not all(each[0] in b"{[" and each[-1] in b"}]" for each in lines):
        return None
    if any(is_deeper(each, DEEPEST) for each in lines if len(each) > 2 * DEEPEST):
        return None
    requests = quick.find_requests(block)
    if requests is None:
        return None
    items: list[Body | Counted] = []
    texts, count, counted = [], len(lines) - len(requests), 0
    for members in requests.values():
        shape, value = _shape(block, members)
        if shape == "body" or block[value] in b"{[":
            count += 1
        elif block[value] == _QUOTE and block[value + 1] in b"{[":
            texts.append(_unescape(block[slice(*members["body"])]))
        else:
            line += block.count(b"\n", counted, value)
            counted = value
            items += _read_members(name, block, members, line, line, start, 0)
    if texts and not quick.passes(b"\n".join(texts)):
        return None
    return [Counted(name, count + len(texts)), *items]


def _shape(text: bytes, members: Mapping[str, Span]) -> tuple[str, int]:
    """Return what a line is, and where its body begins, or another member if it has none."""
    judged = members.get("judged")
    if judged and "host" in members and text[slice(*judged)] == b"false":
        return "not judged", judged[0]
    if "raw_request_body" in members:
        return "litellm", members["raw_request_body"][0]
    if "body" in members and ("url" in members or "host" in members):
        return "request", members["body"][0]
    return "body", 0


def _unescape(string: bytes) -> bytes:
    """Return the text of a JSON string in UTF-8."""
    # json.loads would look for the encoding and for what stands around the string.
    text: str = _scanstring(string.decode(), 1)[0]
    return text.encode("utf-8", "surrogatepass")


_scanstring: Final[Any] = json.decoder.scanstring  # type: ignore[attr-defined]


def _read_lines(
    name: str, block: bytes, line: int, start: int
) -> Iterator[Body | Counted | Unread]:
    for text in block.split(b"\n"):
        if text.strip():
            yield from read_text(name, text, line, line, start)
        line += 1
        start += len(text) + 1


def read_text(
    name: str, text: bytes, entry: int, line: int, start: int = 0
) -> Iterator[Body | Counted | Unread]:
    """Read a JSON text: a body, or a request with one.

    Args:
        name: Of the file.
        text: The JSON.
        entry: As of `Body`.
        line: Where it begins.
        start: The offset of the text in the file.
    """
    mark = len(_BOM) if text.startswith(_BOM) else 0
    if why := check_json(text):
        yield Unread(name, f"line {line}: {why}")
        return
    members = find_members(text, _MATCHER, mark)
    if isinstance(members, int):
        yield Unread(name, f"line {line}: is no JSON from byte {members} on")
        return
    yield from _read_members(name, text, members, entry, line, start, mark)


def _read_members(
    name: str,
    text: bytes,
    members: Mapping[str, Span],
    entry: int,
    line: int,
    start: int,
    mark: int,
) -> Iterator[Body | Counted]:
    """Read a JSON text by where its members are that make it a request."""
    shape, _ = _shape(text, members)
    if shape == "not judged":
        yield Counted(name, 1, "not judged when it was recorded")
        return
    span, url = (mark, len(text.rstrip())), ""
    if shape == "litellm":
        span, url = members["raw_request_body"], "raw_request_api_base"
    elif shape == "request":
        span, url = members["body"], "url"
    value = partial(_string, text, members)
    raw = text[slice(*span)]
    if url and raw == b"null":
        return
    content_type: str | None = "application/json"
    place = Place(start + span[0], start + span[1], "raw")
    if url and raw.startswith(b'"'):
        raw = _unescape(raw)
        content_type = value("content_type") or None
        place = Place(place.start, place.end, "string")
    host = (value("host") or host_of(value(url))) if url else ""
    method = value("method") if url else ""
    yield Body(name, entry, line, host, method, raw, content_type, None, place)


def _string(text: bytes, members: Mapping[str, Span], key: str) -> str:
    """Return a member that is a string; ``""`` where it is none."""
    value = json.loads(text[slice(*members[key])]) if key in members else ""
    return value if isinstance(value, str) else ""


def check_json(text: bytes) -> str:
    """Return why a text cannot be read, but for its grammar; ``""`` where nothing is wrong."""
    if b"\0" in text:
        return "holds NUL bytes"
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            return "is no UTF-8"
    return TOO_DEEP if is_deeper(text, DEEPEST) else ""
