"""Sanitizer: every way that a body can take, from a value or from bytes."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from body_guard.body_checks import make_checks
from body_guard.builtin_rules.zones import ZONES
from body_guard.core import accelerator
from body_guard.core.matcher import Matcher
from body_guard.core.report import CLEAN, Report
from body_guard.formats.json_bytes import JSONBytes
from body_guard.formats.limits import Limits
from body_guard.formats.serialized import Serialized
from body_guard.objects import Objects
from body_guard.policy import DEFAULT, Policy, check_policy

if TYPE_CHECKING:
    from body_guard.core.encode import Style
    from body_guard.core.encode_notes import CompiledEncoder

__all__ = ["Sanitizer", "sanitize", "sanitize_bytes", "sanitizer_for"]


class Sanitizer:
    """Removes from bodies what a policy says must not leave. Build once, call from any thread.

    Args:
        policy: What must not leave; `Policy()` when None.

    Attributes:
        policy: As given.

    Raises:
        TypeError: This is no policy.
    """

    __slots__ = ("_checks", "_compiled", "_json", "_matcher", "_objects", "_serialized", "policy")

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy = DEFAULT if policy is None else check_policy(policy)
        self._matcher = matcher = Matcher(policy.rules, ZONES)
        limits = Limits(policy.max_bytes, policy.on_limit == "send")
        self._checks = checks = make_checks(policy, limits)
        self._compiled: CompiledEncoder | None = None
        self._objects = Objects(policy, matcher, checks)
        self._json = JSONBytes(matcher, limits)
        check = None if checks is None else checks.check_bytes
        self._serialized = Serialized(matcher, limits, policy.look_into, self._json, check)

    def sanitize(self, value: object) -> tuple[object, Report]:
        """Remove from a value what may not leave.

        Args:
            value: What is to become a JSON body.

        Returns:
            The value and the report. A clean value comes back as the same object; otherwise only
            the containers on the way to a change are copied, as plain dicts and lists.

        Raises:
            BodyRejectedError: A rule said so, or the value as a whole cannot be sent.
            BodyLimitError: A container of a foreign class yields items without end.
        """
        __tracebackhide__ = True
        walked = self._objects.walk(value)
        return walked.value if walked.report.changed else value, walked.report

    def prepare(self, value: object) -> tuple[object, Report]:
        """Sanitize a value that another encoder is about to write.

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
        if self.encode_clean(value) is not None:
            return value, CLEAN
        walked = self._objects.prepare(value)
        return walked.value, walked.report

    def encode(self, value: object) -> tuple[bytes, Report]:
        """Remove from a value what may not leave, and encode it as httpx does.

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
        encoded = self.encode_as(value)
        if encoded is not None:
            return encoded
        content, report = self._objects.encode(value)
        # Another thread may have added a key since the walk; what is encoded is what counts.
        content, late = self._json.sanitize(content, "json", walked=True)
        return content, report + late

    def encode_as(
        self, value: object, style: Style | None = None, *, asks: bool = False
    ) -> tuple[bytes, Report] | None:
        """Remove from a value what may not leave, and encode it, if the compiled pass can.

        Args:
            value: What is to become a JSON body. None of its code is run.
            style: How to write it; as httpx does when None.
            asks: Whether the caller's encoder converts values that JSON does not know.

        Returns:
            UTF-8 JSON and the report; None where `prepare` has to decide.

        Raises:
            BodyRejectedError: As `sanitize`.
            BodyLimitError: As `sanitize_bytes`.
        """
        __tracebackhide__ = True
        encoder = self._encoder()
        if encoder is None:
            return None
        encoded = encoder.encode(value, self.policy.max_bytes, style, asks=asks)
        if encoded is None or self._checks is None:
            return encoded
        return self._checks.check_bytes(*encoded)

    def encode_clean(self, value: object) -> bytes | None:
        """Encode a value of json's own types with nothing to find in it, as httpx does.

        Args:
            value: Anything. None of its code is run.

        Returns:
            UTF-8 JSON; None for other values, and where there is no compiled pass.
        """
        __tracebackhide__ = True
        encoder = self._encoder()
        if encoder is None:
            return None
        content = encoder.encode_clean(value, self.policy.max_bytes)
        if content is None or self._checks is None or self._checks.is_clean(value, content):
            return content
        return None

    def _encoder(self) -> CompiledEncoder | None:
        if not accelerator.is_compiled():
            return None
        if self._compiled is None:
            asks = self.policy.convert is not None or self.policy.unserializable == "reject"
            self._compiled = accelerator.CompiledEncoder(self._matcher, asks=asks)
        return self._compiled

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
        return self._serialized.sanitize(content, content_type, content_encoding)


def _no_bytes(content: object) -> TypeError:
    write = "for a value, write sanitize(value)"
    if isinstance(content, str):
        write = "write text.encode()"
    elif isinstance(content, bytearray | memoryview):
        write = "write bytes(content)"
    return TypeError(f"sanitize_bytes takes bytes, not {type(content).__name__}; {write}.")


def sanitizer_for(policy: Policy) -> Sanitizer:
    """Return the sanitizer of a policy, built once."""
    known = _known.get(id(policy))
    if known is None:
        check_policy(policy)  # before it is hashed
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
