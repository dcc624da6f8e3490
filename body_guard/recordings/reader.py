"""Which reader reads a file: by its name, else by how it begins."""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, Final

from body_guard.recordings.body import Body, Counted, Unread, UnreadableError
from body_guard.recordings.cassette import find_json_places, read_json_request, read_yaml
from body_guard.recordings.har import find_har_places, read_har_request
from body_guard.recordings.interactions import read_interactions
from body_guard.recordings.jsonl import LONGEST, Quick, read_jsonl, read_text
from body_guard.recordings.sources import suffix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from body_guard.recordings.sources import Opened, Source

__all__ = ["read_source"]

#: Bytes at the beginning by which a file is told.
_HEAD: Final = 2**16

#: Bytes of a document up to which it is searched for the lines of its bodies.
_LARGEST_PLACED: Final = 64 * 2**20

#: Lines of which one that is JSON says that the others are too, or were meant to be.
_FIRST: Final = 3

_YAML: Final = re.compile(rb"(?m)^(?:interactions|version) *:")
_DOCUMENT: Final = re.compile(rb'"(?:log|interactions)"\s*:')


def read_source(
    source: Source, opened: Opened, quick: Quick | None = None
) -> Iterator[Body | Counted | Unread]:
    """Read the request bodies of a file.

    Args:
        source: The file.
        opened: The same, open.
        quick: As of `read_jsonl`.

    Yields:
        Its bodies, in order; and an entry for whatever cannot be read, after which it goes on
        where that is possible.
    """
    try:
        yield from _read(source, opened.file, quick)
    except UnreadableError as error:
        yield Unread(source.name, str(error))
    except OSError as error:
        yield Unread(source.name, f"cannot be read: {error.strerror}")
    if opened.trouble:
        yield Unread(source.name, opened.trouble)


def _read(
    source: Source, file: IO[bytes], quick: Quick | None
) -> Iterator[Body | Counted | Unread]:
    name, kind = source.name, suffix(source.path)
    head = file.read(_HEAD)
    file.seek(0)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise UnreadableError("is empty")
    if b"\0" in head and text[0] not in b"{[":
        raise UnreadableError("is binary: it holds NUL bytes")
    if kind in (".jsonl", ".ndjson"):
        yield from read_jsonl(name, file, quick)
    elif kind in (".yaml", ".yml") or (text[0] not in b"{[" and _YAML.search(head)):
        yield from read_yaml(name, file, named=source.named)
    elif kind == ".har" or _DOCUMENT.search(head):
        yield from _read_document(name, file, quick)
    else:
        yield from _read_json(name, file, quick)


def _read_document(
    name: str, file: IO[bytes], quick: Quick | None
) -> Iterator[Body | Counted | Unread]:
    """Read HAR or a cassette in JSON; what turns out to be neither is read as other JSON is."""
    try:
        kind = next(read_interactions(file), None)
    except UnreadableError:  # JSON lines are no document
        kind = None
    if kind is None:
        file.seek(0)
        yield from _read_json(name, file, quick)
        return
    file.seek(0)
    content = file.read(_LARGEST_PLACED + 1)
    file.seek(0)
    if len(content) > _LARGEST_PLACED:
        content = b""
    read, find = (
        (read_har_request, find_har_places)
        if kind == "har"
        else (read_json_request, find_json_places)
    )
    places = find(content)
    for each in read_interactions(file):
        if not isinstance(each, str):
            yield from read(name, each.number, each.request, places)


def _read_json(
    name: str, file: IO[bytes], quick: Quick | None
) -> Iterator[Body | Counted | Unread]:
    """Read JSON lines, where one of the first is JSON by itself and more follow; else one text."""
    lines = [line for line in (file.readline(LONGEST) for _ in range(_FIRST)) if line.strip()]
    file.seek(0)
    if len(lines) > 1 and any(map(_is_json, lines)):
        yield from read_jsonl(name, file, quick)
        return
    content = file.read(LONGEST + 1)
    if len(content) > LONGEST:
        raise UnreadableError(f"is one text of more than {LONGEST:,} bytes")
    for item in read_text(name, content, 0, 1):
        yield Unread(name, item.why.removeprefix("line 1: ")) if isinstance(item, Unread) else item


def _is_json(line: bytes) -> bool:
    return line.lstrip()[:1] in (b"{", b"[") and not any(
        isinstance(item, Unread) for item in read_text("", line, 1, 1)
    )
