"""Serialized bodies: the content coding is undone, the content type selects the format."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from body_guard.core.refusals import check_allowed, make_too_large
from body_guard.core.report import CLEAN, Report, not_judged
from body_guard.formats.compression import BombError, CorruptError, find_codec, split_codings
from body_guard.formats.content_type import detect_media, is_json_text
from body_guard.formats.forms import sanitize_form, sanitize_multipart

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from body_guard.core.matcher import Matcher
    from body_guard.formats.json_bytes import JSONBytes
    from body_guard.formats.limits import Limits

    Check = Callable[[bytes, Report], tuple[bytes, Report]]

__all__ = ["Serialized"]

#: How deeply multipart bodies may be nested; each level is a copy of what is in it.
_MOST_LEVELS: Final = 8


class _Room:
    """What the parts of one body may come to: bytes when decompressed, levels of multipart ones."""

    __slots__ = ("bytes", "levels")

    def __init__(self, max_bytes: int) -> None:
        self.bytes = max_bytes
        self.levels = _MOST_LEVELS


class Serialized:
    """Sanitizes bytes of every format, by the rules of one policy.

    Args:
        matcher: The rules.
        limits: How large a body may be.
        look_into: The formats to judge that are opaque by default.
        json_bytes: Sanitizes JSON.
        check: What the policy asks of a body as a whole, after the rules.
    """

    __slots__ = ("_check", "_json", "_limits", "_look_into", "_matcher")

    def __init__(
        self,
        matcher: Matcher,
        limits: Limits,
        look_into: Collection[str],
        json_bytes: JSONBytes,
        check: Check | None,
    ) -> None:
        self._matcher = matcher
        self._limits = limits
        self._look_into = look_into
        self._json = json_bytes
        self._check = check

    def sanitize(
        self,
        content: bytes,
        content_type: str | None,
        content_encoding: str | None,
        room: _Room | None = None,
    ) -> tuple[bytes, Report]:
        """Cut out of a body what may not leave, as `Sanitizer.sanitize_bytes` says.

        Args:
            content: The body, or a part of one.
            content_type: The value of its Content-Type header.
            content_encoding: The value of its Content-Encoding header.
            room: What is left for all parts of the body.
        """
        __tracebackhide__ = True
        if not content:
            return content, CLEAN
        codings = split_codings(content_encoding) if content_encoding else ()
        if codings and not is_json_text(content):
            room = room or _Room(self._limits.max_bytes)
            return self._sanitize_compressed(content, content_type, codings, room)
        media = detect_media(content, content_type)
        if media.why and media.kind not in self._look_into:
            return content, not_judged(media.why)
        if media.kind == "form":
            clean, report = sanitize_form(content, self._matcher)
            return clean, check_allowed(report)
        if media.kind == "multipart":
            room = room or _Room(self._limits.max_bytes)
            return self._sanitize_multipart(content, content_type or "", room)
        sanitized = self._json.sanitize(content, media.kind)
        if self._check is None or media.kind == "records":
            return sanitized
        return self._check(*sanitized)

    def _sanitize_multipart(
        self, content: bytes, content_type: str, room: _Room
    ) -> tuple[bytes, Report]:
        __tracebackhide__ = True
        if not room.levels:
            return content, not_judged("parts nested too deeply")
        room.levels -= 1
        sanitize = partial(self.sanitize, room=room)
        sanitized = sanitize_multipart(content, content_type, self._matcher, sanitize)
        room.levels += 1
        if sanitized is None:
            return content, not_judged("multipart")
        clean, report = sanitized
        return clean, check_allowed(report)

    def _sanitize_compressed(
        self, content: bytes, content_type: str | None, codings: tuple[str, ...], room: _Room
    ) -> tuple[bytes, Report]:
        __tracebackhide__ = True
        name = ", ".join(codings)
        looks = "compressed" in self._look_into and len(codings) == 1
        codec = find_codec(name) if looks else None
        if codec is None:
            return content, not_judged(f"content encoding {name}"[:80])
        try:
            text = codec.decompress(content, room.bytes)
        except CorruptError:
            return content, not_judged(f"content encoding {name}, corrupt")
        except BombError:
            text = None
        if text is None:
            if self._limits.send_larger:
                return content, not_judged("larger than max_bytes")
            raise make_too_large(self._limits.max_bytes)
        room.bytes -= len(text)
        clean, report = self.sanitize(text, content_type, None, room)
        return (codec.compress(clean) if report.changed else content), report
