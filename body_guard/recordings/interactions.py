"""Requests in one large JSON document, HAR or a cassette, read in constant memory."""

from __future__ import annotations

from importlib import import_module
from typing import IO, TYPE_CHECKING, Any, Final, Literal, NamedTuple

from body_guard.recordings.body import DEEPEST, TOO_DEEP, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Interaction", "read_interactions"]

Kind = Literal["har", "cassette"]

#: By the names on the way to the array of interactions, what such a document is.
_ARRAYS: Final[dict[tuple[str, ...], Kind]] = {
    ("log", "entries"): "har",
    ("interactions",): "cassette",
}


class Interaction(NamedTuple):
    """The request of one of the interactions in a document.

    Attributes:
        kind: Of the document.
        number: Of the interaction, from 0.
        request: What the document says of it.
    """

    kind: Kind
    number: int
    request: Any


def read_interactions(file: IO[bytes]) -> Iterator[Interaction | Kind]:
    """Read the requests of a document, one after the other.

    Args:
        file: At its beginning.

    Yields:
        The kind of the document, once that is known, if it is one of these; then each request.

    Raises:
        UnreadableError: It is no JSON any more, or nested too deeply.
    """
    ijson = import_module("ijson")
    if file.read(3) != b"\xef\xbb\xbf":
        file.seek(0)
    try:
        yield from _follow(ijson.basic_parse(file, use_float=True), ijson.ObjectBuilder)
    except (ijson.JSONError, ValueError):
        # The error quotes the document.
        raise UnreadableError("ends too early, or is no JSON from somewhere on") from None


def _follow(events: Any, builder: Any) -> Iterator[Interaction | Kind]:
    names: list[str] = []  # of the members on the way to the value at hand, "" in an array
    kind: Kind | None = None
    array = index = -1  # its level; the interaction at hand
    request: Any = None
    for event, value in events:
        if request is not None:
            request.event(event, value)
        if event == "map_key":
            names[-1] = value
            continue
        ends = event in ("end_map", "end_array")
        if ends:
            names.pop()
            if len(names) < array:
                kind, array = None, -1
        elif kind and len(names) == array:
            index += 1
        if kind and request is None and len(names) == array + 1 and names[-1] == "request":
            request = builder()
            request.event(event, value)
        if event in ("start_map", "start_array"):
            if len(names) >= DEEPEST:
                raise UnreadableError(TOO_DEEP)
            if event == "start_array" and not kind and tuple(names) in _ARRAYS:
                kind, array, index = _ARRAYS[tuple(names)], len(names) + 1, -1
                yield kind
            names.append("")
        elif kind and request is not None and len(names) == array + 1:
            yield Interaction(kind, index, request.value)
            request = None
