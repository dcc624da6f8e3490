"""Guard: a policy at work on the requests of one HTTP library; what every door asks.

Sentry records the local variables of a traceback's frames, and ours hold the body: where an error
can pass through, ``__tracebackhide__`` keeps the frame out of its events (and out of pytest's
tracebacks). It is set in the same way throughout the package.
"""

from __future__ import annotations

from traceback import walk_tb
from typing import TYPE_CHECKING, Any, Final, TypeVar

from body_guard import _reporting
from body_guard._request import peek, put, recall, remember
from body_guard._signatures import UnknownDigestError, digests, signed_by
from body_guard._streams import abuffer, buffer
from body_guard.core.errors import BodyError, GuardError, SignedBodyError
from body_guard.core.policy import DEFAULT, Policy
from body_guard.core.report import CLEAN, Report, not_judged, told
from body_guard.core.sanitizer import sanitizer_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from body_guard._request import Library
    from body_guard.core.sanitizer import Sanitizer

__all__ = ["EXTENSION", "Guard"]

#: The request extension that takes a policy in and carries the report out.
EXTENSION: Final = "body_guard"

#: Where a policy given for one request stays while the report has taken its place.
_OVERRIDE: Final = "body_guard.policy"

_T = TypeVar("_T")


class Guard:
    """Judges the requests of one HTTP library.

    Args:
        library: httpx or httpx2.
        policy: What must not leave; the default policy when None.
    """

    __slots__ = ("library", "policy")

    def __init__(self, library: Library, policy: Policy | None = None) -> None:
        if policy is not None and not isinstance(policy, Policy):
            raise TypeError(f"policy takes a body_guard.Policy, not {type(policy).__name__}")
        self.library = library
        self.policy = DEFAULT if policy is None else policy

    def encode(self, value: object, extensions: Any) -> tuple[bytes, Report] | None:
        """Encode a value for a body, sanitized; None when it is to be sent unguarded."""
        __tracebackhide__ = True
        sanitizer = self._sanitizer(extensions or {})
        return self._guarded(sanitizer.policy, "", lambda: sanitizer.encode(value))

    def prepare(self, value: object, extensions: Any) -> tuple[object, Report] | None:
        """Sanitize a value that somebody else encodes; None when it is to be sent unguarded."""
        __tracebackhide__ = True
        sanitizer = self._sanitizer(extensions or {})
        return self._guarded(sanitizer.policy, "", lambda: sanitizer.prepare(value))

    def judge(
        self, request: Any, known: Report = CLEAN, *, encoded: bool = False, streams: bool = True
    ) -> None:
        """Judge the body of a request, and take out of it what may not leave.

        Args:
            request: Repaired in place where it is dirty, untouched where it is clean, but for its
                extension ``body_guard``, which gets the report.
            known: What was found in the value this body was made of.
            encoded: Whether the body is the very bytes that `encode` gave.
            streams: Whether to report a stream, which is not judged; or to leave it to a later
                door.

        Raises:
            BodyError: The body may not leave.
            GuardError: The guard failed.
        """
        __tracebackhide__ = True
        if not streams and not peek(request, self.library):
            return
        sanitizer = self._sanitizer(request.extensions)
        policy = sanitizer.policy
        host = request.url.host
        report = self._guarded(
            policy, host, lambda: self._judge(request, sanitizer, known, encoded)
        )
        if report is not None:
            _reporting.deliver(report, policy, host)

    def buffer(self, request: Any) -> None:
        """Read a stream that the policy wants judged."""
        buffer(request, self.library, self._sanitizer(request.extensions).policy)

    async def abuffer(self, request: Any) -> None:
        """Read an async stream that the policy wants judged."""
        await abuffer(request, self.library, self._sanitizer(request.extensions).policy)

    def _judge(
        self, request: Any, sanitizer: Sanitizer, known: Report, encoded: bool
    ) -> Report | None:
        """Give the report, or None when this body was reported before."""
        bodies = peek(request, self.library)
        if not bodies:
            told_before = isinstance(request.extensions.get(EXTENSION), Report)
            report = known + not_judged("stream")
            self._leave(request, report)
            return None if told_before else report
        earlier = recall(request, self.library, bodies, sanitizer.policy)
        if earlier is not None:
            # The bytes were reported; what was found in the value they were made of may not be.
            remember(request, self.library, sanitizer.policy, earlier + known)
            self._leave(request, earlier + known)
            return None if known == CLEAN else known
        report, sent = known, bodies[0]
        if not encoded:
            headers = request.headers
            types = headers.get("Content-Type"), headers.get("Content-Encoding")
            looks = [sanitizer.sanitize_bytes(body, *types) for body in bodies]
            sent = looks[0][0]
            report = sum((found for _, found in looks), known)
        if report.changed:
            self._put(request, sent, report)
        remember(request, self.library, sanitizer.policy, report)
        self._leave(request, report)
        return report

    def _leave(self, request: Any, report: Report) -> None:
        override = request.extensions.get(EXTENSION)
        if isinstance(override, Policy):
            request.extensions[_OVERRIDE] = override
        request.extensions[EXTENSION] = report

    def _put(self, request: Any, content: bytes, report: Report) -> None:
        """Give a request its cleaned body, unless that would break a signature or a digest."""
        header, renewed = signed_by(request.headers), {}
        if header is None:
            try:
                renewed = digests(request.headers, content)
            except UnknownDigestError as error:
                header = error.header
        if header is not None:
            raise SignedBodyError(
                f"The body was not sent: it holds {told(report.findings)}, and taking that out "
                f"would make its {header} header wrong. Guard the client that signs, so that the "
                "body is clean before it is signed.",
                report,
            )
        put(request, self.library, content, renewed)

    def _sanitizer(self, extensions: Any) -> Sanitizer:
        for name in (EXTENSION, _OVERRIDE):
            override = extensions.get(name)
            if isinstance(override, Policy):
                return sanitizer_for(override)
        return sanitizer_for(self.policy)

    def _guarded(self, policy: Policy, host: str, judge: Callable[[], _T]) -> _T | None:
        """Call the guard's own code; a failure of it sends nothing, unless the policy says so."""
        __tracebackhide__ = True
        try:
            return judge()
        except BodyError as error:
            _reporting.deliver(error.report, policy, host)
            raise error.with_traceback(None) from None  # the frames below hold the body
        except Exception as error:
            failure = str(error) if isinstance(error, GuardError) else _described(error)
        # Outside the handler, so that the error, which may hold a value, is nobody's context.
        if policy.on_error == "send":
            _reporting.tell_failure(failure)
            return None
        raise GuardError(
            f"The request was not sent: body_guard itself failed ({failure}). "
            'Policy(on_error="send") would send it unguarded.'
        )


def _described(error: Exception) -> str:
    """Say what failed and where, without a word of the error's message."""
    *_, (frame, line) = walk_tb(error.__traceback__)
    return (
        f"{type(error).__qualname__} in {frame.f_code.co_name}, {frame.f_code.co_filename}:{line}"
    )
