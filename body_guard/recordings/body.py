"""What reading a recording yields: bodies, and what could not be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["DEEPEST", "TOO_DEEP", "Body", "Counted", "Form", "Place", "Unread", "UnreadableError"]

#: Levels of nesting that a recording may have; no encoder writes as many.
DEEPEST: Final = 10_000

TOO_DEEP: Final = f"is nested over {DEEPEST:,} levels deep"

#: How a body is written in its file: as it is; as the text in a JSON string; as base64 in one; as a
#: YAML scalar of text, or of base64; as YAML that is no scalar.
Form = Literal["raw", "string", "base64", "yaml-text", "yaml-binary", "yaml-value"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a body stands in its file, in bytes of the file once decompressed."""

    start: int
    end: int
    form: Form


@dataclass(frozen=True, slots=True)
class Body:
    """One request body of a recording.

    Attributes:
        file: The name of the file, as it was given.
        entry: The number of the line, from 1; or the index of the interaction, from 0.
        line: Where the body stands in the file, from 1; 0 where that is not known.
        host: Where it went; ``""`` where the recording does not say.
        method: Of the request; ``""`` where the recording does not say.
        content: The body.
        content_type: The value of its Content-Type header; None where the recording has none.
        content_encoding: The value of its Content-Encoding header, if it has one.
        place: Where to put a cleaned one; None where that is not known.
    """

    file: str
    entry: int
    line: int
    host: str
    method: str
    content: bytes
    content_type: str | None = None
    content_encoding: str | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """Bodies that are not yielded one by one.

    Attributes:
        file: The name of the file, as it was given.
        bodies: How many.
        why_not_judged: Why they were not recorded; ``""`` where a quick look found them clean.
    """

    file: str
    bodies: int
    why_not_judged: str = ""


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that could not be read.

    Attributes:
        file: The name of the file, as it was given.
        why: Half a sentence; no value out of a body is in it.
    """

    file: str
    why: str


class UnreadableError(Exception):
    """A file, or the rest of it, cannot be read; the message is `Unread.why`."""
