"""Sanitizer: a policy compiled, and the core's parts in the order in which a body meets them."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

from body_guard.body_checks import Overview
from body_guard.builtin_rules.zones import ZONES
from body_guard.core import accelerator
from body_guard.core.encode import DEEPEST, encode
from body_guard.core.errors import BodyLimitError, BodyRejectedError, GuardError
from body_guard.core.key_search import KeySearch
from body_guard.core.matcher import Matcher
from body_guard.core.redaction import format_findings, redact_path
from body_guard.core.report import CLEAN, Finding, Report, not_judged
from body_guard.core.splice import SpliceResult, splice
from body_guard.core.walk import WalkResult, walk
from body_guard.formats.compression import BombError, CorruptError, codec_of, codings_of
from body_guard.formats.content_type import is_json_text, media_of
from body_guard.formats.forms import sanitize_form, sanitize_multipart
from body_guard.formats.text_encoding import encoding_of
from body_guard.policy import DEFAULT, Policy, checked_policy

if TYPE_CHECKING:
    from body_guard.core.encode import Style
    from body_guard.core.encode_notes import CompiledEncoder
    from body_guard.formats.content_type import Kind

__all__ = ["Sanitizer", "sanitize", "sanitize_bytes", "sanitizer_for"]

#: By kind, whether a body is read as several JSON texts. What nobody declared may be one text, or a
#: line for each of several.
_RECORDS: Final = {"json": (False,), "records": (True,), "sniffed": (False, True)}

#: How often a value is walked again because another thread made it unencodable meanwhile.
_MOST_TRIES: Final = 3

#: How deeply multipart bodies may stand in each other; each level is a copy of what is in it.
_MOST_LEVELS: Final = 8


class Sanitizer:
    """Takes out of bodies what a policy says must not leave. Build once, call from any thread.

    Args:
        policy: What must not leave; `Policy()` when None.

    Attributes:
        policy: As given.

    Raises:
        TypeError: This is no policy.
    """

    __slots__ = ("_compiled", "_key_search", "_matcher", "_overview", "policy")

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = DEFAULT if policy is None else checked_policy(policy)
        self._matcher = Matcher(self.policy.rules, ZONES)
        self._compiled: CompiledEncoder | None = None
        self._key_search: KeySearch | None = None  # seldom needed, and slow to compile
        asked = self.policy.schema is not None or self.policy.stringified != "off"
        self._overview = Overview(self.policy) if asked else None

    def sanitize(self, value: object) -> tuple[object, Report]:
        """Take out of a value what may not leave.

        Args:
            value: What is to become a JSON body.

        Returns:
            The value and the report. A clean value comes back as the same object; otherwise only
            the containers on the way to a change are copied, as plain dicts and lists.

        Raises:
            BodyRejectedError: A rule said so, or the value as a whole cannot be sent.
            BodyLimitError: A container of a foreign class gave items without end.
        """
        __tracebackhide__ = True
        walked = self._walked(value)
        return walked.value if walked.report.changed else value, walked.report

    def prepare(self, value: object) -> tuple[object, Report]:
        """Do as `sanitize`, for a value that another encoder is about to write.

        Args:
            value: What is to become a JSON body.

        Returns:
            As `sanitize`; but a container of a foreign class is replaced by a plain one, so that
            the encoder need not ask it for its items (again).

        Raises:
            BodyRejectedError: As `sanitize`.
            BodyLimitError: The value is too deep for any encoder, or larger than ``max_bytes``.
        """
        __tracebackhide__ = True
        if self._is_clean(value):
            return value, CLEAN
        walked = self._prepared(value)
        return walked.value, walked.report

    def encode(self, value: object) -> tuple[bytes, Report]:
        """Take out of a value what may not leave, and encode it as httpx does.

        Args:
            value: What is to become a JSON body.

        Returns:
            UTF-8 JSON, byte for byte what httpx would send for the value that is left, and the
            report.

        Raises:
            BodyRejectedError: As `sanitize`.
            BodyLimitError: The value is deeper than the encoder can go, or its encoding is larger
                than ``max_bytes``.
            GuardError: Other threads keep making the value unencodable.
        """
        __tracebackhide__ = True
        passed = self.encode_as(value)
        return self._encode_walked(value) if passed is None else passed

    def encode_as(
        self, value: object, style: Style | None = None, *, asks: bool = False
    ) -> tuple[bytes, Report] | None:
        """Take out of a value what may not leave, and encode it, if the compiled pass can.

        Args:
            value: What is to become a JSON body. None of its code is run.
            style: How to write it; as httpx does when None.
            asks: Whether somebody else is asked about values that JSON does not know.

        Returns:
            UTF-8 JSON and the report; None where `prepare` has to be asked.

        Raises:
            BodyRejectedError: As `sanitize`.
            BodyLimitError: As `sanitize_bytes`.
        """
        __tracebackhide__ = True
        encoder = self._encoder()
        if encoder is None:
            return None
        passed = encoder.encode(value, self.policy.max_bytes, style, asks=asks)
        if passed is None or self._overview is None:
            return passed
        return self._overlooked(*passed, self._overview)

    def _is_clean(self, value: object) -> bool:
        """Check in one pass whether a value is of json's own types, with nothing to find in it."""
        __tracebackhide__ = True
        encoder = self._encoder()
        if encoder is None:
            return False
        content = encoder.encode_clean(value, self.policy.max_bytes)
        return content is not None and (
            self._overview is None or self._overview.passes(value, content)
        )

    def _encoder(self) -> CompiledEncoder | None:
        if not accelerator.is_compiled():
            return None
        if self._compiled is None:
            asks = self.policy.convert is not None or self.policy.unserializable == "reject"
            self._compiled = accelerator.encoder(self._matcher, asks=asks)
        return self._compiled

    def _encode_walked(self, value: object) -> tuple[bytes, Report]:
        __tracebackhide__ = True
        most = self.policy.max_bytes
        for _ in range(_MOST_TRIES):
            prepared = self._prepared(value)
            report = prepared.report
            try:
                content = encode(prepared.value)
                break
            except RecursionError:
                pass
            except (TypeError, ValueError):
                continue  # another thread put something in since the walk: walk again
            raise _too_deep(prepared)
        else:
            # Not inside the handler: the errors of json carry the body.
            raise GuardError("the body kept changing while it was encoded")
        if len(content) > most:
            raise _too_large(most, report)
        # Another thread may have added a key since the walk; what is encoded is what counts.
        content, late = self._sanitize_json(content, "json", walked=True)
        return content, report + late

    def sanitize_bytes(
        self,
        content: bytes,
        content_type: str | None = "application/json",
        content_encoding: str | None = None,
    ) -> tuple[bytes, Report]:
        """Cut out of a serialized body what may not leave.

        Args:
            content: The body.
            content_type: The value of its Content-Type header. JSON where none is given; None says
                that nothing is declared, so that it may be JSON, JSON lines, or something else.
            content_encoding: The value of its Content-Encoding header, if it has one.

        Returns:
            The body and the report. A clean body comes back as the same object; otherwise all but
            the forbidden members is the same, byte for byte, in the same text encoding. A body
            that is declared to be no JSON, or that nobody declared and that does not begin like
            it, is passed, and the report says why it was not judged.

        Raises:
            TypeError: The body is not bytes.
            BodyRejectedError: A rule said so, or the body is declared to be JSON, seems to hold a
                forbidden key, and does not parse.
            BodyLimitError: It is over ``max_bytes`` and may hold something forbidden, grows over
                it when decompressed, or is nested too deeply to be judged.
        """
        __tracebackhide__ = True
        if not isinstance(content, bytes):
            raise _no_bytes(content)
        return self._sanitize_part(content, content_type, content_encoding)

    def _sanitize_part(
        self,
        content: bytes,
        content_type: str | None,
        content_encoding: str | None,
        room: _Room | None = None,
    ) -> tuple[bytes, Report]:
        """Do as `sanitize_bytes` for a body, or a part of one, within the room there is for all."""
        __tracebackhide__ = True
        if not content:
            return content, CLEAN
        codings = codings_of(content_encoding) if content_encoding else ()
        if codings and not is_json_text(content):
            room = room or _Room(self.policy)
            return self._sanitize_compressed(content, content_type, codings, room)
        media = media_of(content, content_type)
        if media.why and media.kind not in self.policy.look_into:
            return content, not_judged(media.why)
        if media.kind == "form":
            return _allowed(sanitize_form(content, self._matcher))
        if media.kind == "multipart":
            return self._sanitize_multipart(content, content_type or "", room or _Room(self.policy))
        clean, report = self._sanitize_json(content, media.kind)
        if self._overview is None or media.kind == "records":
            return clean, report
        return self._overlooked(clean, report, self._overview)

    def _sanitize_multipart(
        self, content: bytes, content_type: str, room: _Room
    ) -> tuple[bytes, Report]:
        __tracebackhide__ = True
        if not room.levels:
            return content, not_judged("parts nested too deeply")
        room.levels -= 1
        spliced = sanitize_multipart(
            content, content_type, self._matcher, partial(self._sanitize_part, room=room)
        )
        room.levels += 1
        return (content, not_judged("multipart")) if spliced is None else _allowed(spliced)

    def _walked(self, value: object, *, for_encoder: bool = False) -> WalkResult:
        __tracebackhide__ = True
        walked = walk(value, self.policy, self._matcher, for_encoder=for_encoder)
        if walked.rejected:
            raise _rejected(walked.report)
        if self._overview is not None:
            rules, report = self._overview.of_value(walked.value)
            if rules:
                walked = walked.then(walk(walked.value, self.policy, Matcher(rules, ZONES)))
            walked.report += report
            if walked.rejected or _rejects(walked.report):
                raise _rejected(walked.report)
        return walked

    def _overlooked(
        self, content: bytes, report: Report, overview: Overview
    ) -> tuple[bytes, Report]:
        """Do for bytes what the overview asks for."""
        __tracebackhide__ = True
        encoding = encoding_of(content)
        text = encoding.to_utf8(content)
        if not overview.concerns(text):
            return content, report
        if len(content) > self.policy.max_bytes:
            if self.policy.on_limit == "send" or overview.only_reports:
                return content, report + not_judged("larger than max_bytes")
            raise _too_large(self.policy.max_bytes)
        in_utf8 = text is content
        start = len(encoding.mark) if in_utf8 else 0
        too_deep = False
        try:
            rules, found = overview.of_text(text[start:])
        except RecursionError:
            too_deep = True
        if too_deep and overview.only_reports:
            return content, report + not_judged("nested too deeply")
        if too_deep:  # not inside the handler: the error's frames hold the body
            raise BodyLimitError(
                "The body was not sent: it is nested too deeply to be judged as a whole.",
                report + Report((Finding("", "depth", "reject"),)),
            )
        if rules:
            matcher = Matcher(rules, ZONES)
            hits = accelerator.scan(text, matcher, start)
            if isinstance(hits, tuple):
                cut = splice(text, hits, matcher)
                report += cut.report
                if cut.report.changed:
                    content = cut.content if in_utf8 else encoding.from_utf8(cut.content)
        report += found
        if _rejects(report):
            raise _rejected(report)
        return content, report

    def _prepared(self, value: object) -> WalkResult:
        __tracebackhide__ = True
        walked = self._walked(value, for_encoder=True)
        if walked.depth > DEEPEST:
            raise _too_deep(walked)
        if walked.size > self.policy.max_bytes:
            raise _too_large(self.policy.max_bytes, walked.report)
        return walked

    def _sanitize_compressed(
        self, content: bytes, content_type: str | None, codings: tuple[str, ...], room: _Room
    ) -> tuple[bytes, Report]:
        __tracebackhide__ = True
        name = ", ".join(codings)
        looks = "compressed" in self.policy.look_into and len(codings) == 1
        codec = codec_of(name) if looks else None
        if codec is None:
            return content, not_judged(f"content encoding {name}"[:80])
        text, too_large = None, False
        try:
            text = codec.decompress(content, room.bytes)
        except BombError:
            too_large = True
        except CorruptError:
            return content, not_judged(f"content encoding {name}, corrupt")
        if too_large or text is None:
            if self.policy.on_limit == "send":
                return content, not_judged("larger than max_bytes")
            raise _too_large(self.policy.max_bytes)
        room.bytes -= len(text)
        clean, report = self._sanitize_part(text, content_type, None, room)
        return (codec.compress(clean) if report.changed else content), report

    def _sanitize_json(
        self, content: bytes, kind: Kind, walked: bool = False
    ) -> tuple[bytes, Report]:
        __tracebackhide__ = True
        encoding = encoding_of(content)
        text = encoding.to_utf8(content)
        in_utf8 = text is content
        start = len(encoding.mark) if in_utf8 else 0
        matcher = self._matcher
        # The plain scan is slow, and where no key occurs it finds nothing.
        if not accelerator.is_compiled() and not self._finds_key(text):
            return content, CLEAN
        for records in _RECORDS[kind]:
            found = accelerator.scan(text, matcher, start, records)
            if not isinstance(found, int):
                break
        if found is None or (isinstance(found, int) and not self._finds_key(text)):
            return content, CLEAN
        if len(content) > self.policy.max_bytes:
            if self.policy.on_limit == "send" or matcher.only_reports:
                return content, not_judged("larger than max_bytes")
            raise _too_large(self.policy.max_bytes)
        if isinstance(found, int):
            return self._unreadable(content, kind, found)
        clean, report = _allowed(splice(text, found, matcher, records=records, walked=walked))
        if not report.changed:
            return content, report
        return (clean if in_utf8 else encoding.from_utf8(clean)), report

    def _finds_key(self, text: bytes) -> bool:
        if self._key_search is None:
            self._key_search = KeySearch((*self._matcher.keys, *self._matcher.prefixes))
        return self._key_search.may_contain(text)

    def _unreadable(self, content: bytes, kind: Kind, found: int) -> tuple[bytes, Report]:
        """Judge bytes that seem to hold a forbidden key, by what the scan said of them."""
        __tracebackhide__ = True
        if found < 0 and self._matcher.only_reports:
            return content, not_judged("nested too deeply")
        if found < 0:
            raise BodyLimitError(
                f"The body was not sent: at byte {-found} it is over 1,000,000 levels deep.",
                Report((Finding("", "depth", "reject"),)),
            )
        if kind == "sniffed" or self._matcher.only_reports:
            return content, Report((Finding("", "malformed", "report"),))
        raise BodyRejectedError(
            "The body was not sent: it is declared to be JSON and seems to hold a forbidden key, "
            f"but stops being JSON at byte {found}, so nothing can be cut out safely.",
            Report((Finding("", "malformed", "reject"),)),
        )


def _no_bytes(content: object) -> TypeError:
    write = "for a value, write sanitize(value)"
    if isinstance(content, str):
        write = "write text.encode()"
    elif isinstance(content, bytearray | memoryview):
        write = "write bytes(content)"
    return TypeError(f"sanitize_bytes takes bytes, not {type(content).__name__}; {write}.")


class _Room:
    """What the parts of one body may come to: bytes when decompressed, levels of multipart ones."""

    __slots__ = ("bytes", "levels")

    def __init__(self, policy: Policy) -> None:
        self.bytes = policy.max_bytes
        self.levels = _MOST_LEVELS


def _allowed(spliced: SpliceResult) -> tuple[bytes, Report]:
    __tracebackhide__ = True
    if spliced.rejected:
        raise _rejected(spliced.report)
    return spliced.content, spliced.report


def _rejects(report: Report) -> bool:
    return any(finding.action == "reject" for finding in report.findings)


def _rejected(report: Report) -> BodyRejectedError:
    refusing = [finding for finding in report.findings if finding.action == "reject"]
    return BodyRejectedError(
        f"The body was not sent: {format_findings(refusing)} may not leave.", report
    )


def _too_deep(walked: WalkResult) -> BodyLimitError:
    path = walked.deepest()
    return BodyLimitError(
        f"The body was not sent: it is {walked.depth:,} levels deep, more than can be encoded "
        f"here; the deepest is {redact_path(path)}.",
        walked.report + Report((Finding(path, "depth", "reject"),)),
    )


def _too_large(max_bytes: int, report: Report = CLEAN) -> BodyLimitError:
    return BodyLimitError(
        f"The body was not sent: encoded, it is larger than max_bytes, {max_bytes:,}.",
        report + Report((Finding("", "size", "reject"),)),
    )


def sanitizer_for(policy: Policy) -> Sanitizer:
    """Return the sanitizer of a policy, built once."""
    known = _known.get(id(policy))
    if known is None:
        checked_policy(policy)  # before it is hashed
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        known = _known[id(policy)] = policy, _built(policy)
    return known[1]


_MOST_KNOWN: Final = 256

#: By identity, the policy beside it so that its id stays its own: hashing one with a hundred rules
#: takes longer than judging a small body.
_known: Final[dict[int, tuple[Policy, Sanitizer]]] = {}


@lru_cache(maxsize=_MOST_KNOWN)
def _built(policy: Policy) -> Sanitizer:
    return Sanitizer(policy)


def sanitize(value: object, policy: Policy | None = None) -> tuple[object, Report]:
    """Take out of a value what may not leave: `Sanitizer.sanitize` for a single call."""
    __tracebackhide__ = True
    return sanitizer_for(DEFAULT if policy is None else policy).sanitize(value)


def sanitize_bytes(
    content: bytes,
    content_type: str | None = "application/json",
    policy: Policy | None = None,
) -> tuple[bytes, Report]:
    """Cut out of a serialized body what may not leave: `Sanitizer.sanitize_bytes` for one call."""
    __tracebackhide__ = True
    sanitizer = sanitizer_for(DEFAULT if policy is None else policy)
    return sanitizer.sanitize_bytes(content, content_type)
