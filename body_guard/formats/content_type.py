"""Content types: which bodies are JSON, as declared, or else by their first characters."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

from body_guard.formats.text_encoding import detect_encoding

__all__ = ["Kind", "Media", "detect_media", "is_json_text", "is_text", "parameter"]

Kind = Literal["json", "records", "sniffed", "form", "multipart", "opaque"]


class Media(NamedTuple):
    """What a body is judged as.

    Attributes:
        kind: ``json``, one text; ``records``, several; ``sniffed``, undeclared, one or several; or
            another format.
        why: Why a body of this kind is not judged; empty when it is.
    """

    kind: Kind
    why: str = ""


#: The first pattern that the whole media type matches, in lower case, decides.
_TYPES: Final[tuple[tuple[str, Kind], ...]] = (
    # RFC 7464 (json-seq), RFC 8142 (+json-seq), and the names that JSON Lines goes by.
    (r"application/(?:x-)?(?:ndjson|jsonl|jsonlines|json-lines|json-seq)", "records"),
    (r"text/(?:x-)?(?:ndjson|jsonl)|application/x-json-stream|[^/]+/[^/]+\+json-seq", "records"),
    # RFC 8259, RFC 6839 (+json), and older names.
    (r"application/(?:x-)?json|text/(?:x-)?json|[^/]+/[^/]+\+json", "json"),
    (r"|text/plain", "sniffed"),
    (r"application/x-www-form-urlencoded", "form"),
    (r"multipart/[^/]+", "multipart"),
)


def detect_media(content: bytes, content_type: str | None) -> Media:
    """Return what to judge a body as.

    Args:
        content: The body.
        content_type: The value of its Content-Type header, if it has one.
    """
    media = _declared(content_type or "")
    if media.kind == "sniffed" and not _begins_like_json(content):
        return Media("opaque", "not JSON")
    return media


def is_text(content_type: str) -> bool:
    """Check whether a content type is plain text, which is also the default."""
    return _declared(content_type).kind == "sniffed"


#: Characters that no JSON text holds (RFC 8259, sections 2 and 7).
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def is_json_text(content: bytes) -> bool:
    """Check whether content is plainly JSON text, so that no content coding was applied.

    Compressed data can begin with a brace, but it is not text that ends with one.
    """
    if not _begins_like_json(content):
        return False
    encoding = detect_encoding(content)
    try:
        text = content[len(encoding.mark) :].decode(encoding.codec)
    except UnicodeDecodeError:
        return False
    return text.rstrip(" \t\n\r").endswith(("}", "]")) and not _CONTROLS.search(text)


@lru_cache(maxsize=64)
def _declared(content_type: str) -> Media:
    # The first of several: a client joins a header given twice by a comma.
    media_type = re.split("[;,]", content_type, maxsplit=1)[0].strip().lower()
    for pattern, kind in _TYPES:
        if re.fullmatch(pattern, media_type):
            return Media(kind, kind if kind in ("form", "multipart") else "")
    return Media("opaque", f"content type {media_type}"[:80])


def _begins_like_json(content: bytes) -> bool:
    encoding = detect_encoding(content)
    start = content[len(encoding.mark) :][:256] if encoding.mark else content[:256]
    # The slice may cut a character, so ignore what cannot be decoded.
    return start.decode(encoding.codec, "ignore").lstrip(" \t\n\r").startswith(("{", "["))


#: Up to a semicolon outside of quotes, or an unclosed quote.
_parameter: Final[Any] = re.compile(r'(?:[^;"]+|"[^"\\]*(?:\\.[^"\\]*)*")*', re.DOTALL).match
_quoted: Final = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL).match


def parameter(content_type: str, name: str) -> str | None:
    """Return a parameter of a Content-Type value, unquoted (RFC 9110, section 5.6.6)."""
    for part in _parts(content_type)[1:]:
        key, _, value = part.partition("=")
        if key.strip().lower() == name:
            value = value.strip()
            quoted = _quoted(value)
            if quoted is not None:
                return re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL)
            if value:
                return re.split(r"[\s,]", value, maxsplit=1)[0]
    return None


def _parts(text: str) -> list[str]:
    """Split at the semicolons outside of quotes, and at all of them after an unclosed quote."""
    parts, start = [], 0
    while (end := _parameter(text, start).end()) < len(text) and text[end] == ";":
        parts.append(text[start:end])
        start = end + 1
    return [*parts, *([text[start:]] if end == len(text) else text[start:].split(";"))]
