"""Guard: a policy applied to the requests of one HTTP library.

Sentry records the local variables of a traceback's frames, and ours hold the body: wherever an
error can pass through, ``__tracebackhide__`` keeps the frame out of its events (and out of pytest's
tracebacks). It is set in the same way throughout the package.
"""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, Final, TypeVar

from body_guard.core.errors import BodyError, GuardError, SignedBodyError
from body_guard.core.redaction import format_findings
from body_guard.core.report import CLEAN, Report, not_judged, stamp
from body_guard.http import reporting
from body_guard.http.auditing import audit
from body_guard.http.outgoing import EXTENSION, OVERRIDE, peek, put, recall, remember
from body_guard.http.signatures import UnknownDigestError, find_signature, renew_digests
from body_guard.http.streams import abuffer, buffer, is_read_in_part
from body_guard.policy import Policy, check_policy, default_policy
from body_guard.sanitizer import sanitizer_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from body_guard.http.outgoing import Library

    Host = str | Callable[[], str]

__all__ = ["Guard", "add_time", "encode", "sanitize_content"]

_EMPTY: Final = (b"",)

_AUDITED: Final = replace(CLEAN, mode="audit")

_EXTENSION_NAME: Final = f'extensions["{EXTENSION}"]'

_T = TypeVar("_T")


class Guard:
    """Judges the requests of one HTTP library.

    Args:
        library: httpx or httpx2.
        policy: What must not leave; when None, what the environment variable BODY_GUARD_POLICY
            names, or else the default policy.
    """

    __slots__ = ("library", "policy")

    def __init__(self, library: Library, policy: Policy | None = None) -> None:
        self.library = library
        self.policy = default_policy() if policy is None else check_policy(policy)

    def at(self, locate: Callable[[], str]) -> Guard:
        """Return the guard for the host that a body without a request goes to."""
        if not self.policy.hosts:
            return self
        policy = self.policy.for_host(locate())
        return self if policy is self.policy else Guard(self.library, policy)

    def policy_for(self, extensions: Any, host: Any = "") -> Policy:
        """Return the policy that judges a body, by its request's extensions and its host.

        The host is text or a URL of the library; ``""`` when it is not known yet.

        Raises:
            TypeError: The extension is no policy.
        """
        policy = self.policy
        if extensions and EXTENSION in extensions:
            given = extensions[EXTENSION]
            if not _is_report(given):  # ours, of this request or of one that it follows
                policy = check_policy(given, _EXTENSION_NAME)
            elif OVERRIDE in extensions:
                policy = extensions[OVERRIDE]
        if not policy.hosts:
            return policy
        return policy.for_host(host if type(host) is str else host.raw_host.decode("ascii"))

    def prepare(
        self, value: object, extensions: Any, host: Host = ""
    ) -> tuple[object, Report] | None:
        """Sanitize a value that somebody else encodes; None when it is to be sent unguarded.

        In an audit, the value is the one given.
        """
        __tracebackhide__ = True
        start = perf_counter()
        policy = self.policy_for(extensions, host)
        prepared = self.call(policy, host, start, _prepare, policy, value)
        return prepared and (prepared[0], add_time(prepared[1], "", start))

    def judge(
        self,
        request: Any,
        known: Report = CLEAN,
        *,
        encoded: tuple[Policy, bytes] | None = None,
        spent: float = 0.0,
        streams: bool = True,
    ) -> None:
        """Judge the body of a request, and take out of it what may not leave.

        Args:
            request: Repaired in place where it is dirty, untouched where it is clean or the policy
                is an audit, but for its extension ``body_guard``, which gets the report.
            known: What was found in the value this body was made of.
            encoded: A policy, and the bytes that its sanitizer encoded for this request; a patch
                of the library may have made others of them.
            spent: Seconds that encoding them took.
            streams: Whether to report a stream, which is not judged; or to leave it to a later
                door.

        Raises:
            BodyError: The body may not leave.
            GuardError: The guard failed.
        """
        __tracebackhide__ = True
        bodies = peek(request, self.library)
        if not bodies and not streams:
            return
        host = request.url.host
        if encoded and encoded[1:] == bodies and known is CLEAN and not encoded[0].on_report:
            # If the request has another policy by now, send will see that. We encoded it, so ignore
            # Content-Type; unless the policy looks into forms, and it is sent as one.
            policy = encoded[0]
            by_headers = bool(policy.look_into)
            report = stamp(CLEAN if policy.mode == "enforce" else _AUDITED, host, spent)
            remember(request, bodies, policy, report, by_headers=by_headers)
            reporting.deliver(report, policy, host)
            return
        start = perf_counter() - spent
        policy = self.policy_for(request.extensions, request.url)
        judged = self.call(
            policy, host, start, self._judge, request, bodies, policy, known, encoded, host, start
        )
        if judged is not None:
            reporting.deliver(judged, policy, host)
        elif recall(request, bodies, policy) is None:
            # It failed, and the policy lets the body go: no other guard is to fail once more.
            failed = replace(not_judged("the guard failed"), mode=policy.mode)
            remember(request, bodies, policy, add_time(failed, host, start))

    def has_judged(self, request: Any) -> bool:
        """Check whether a request is as it was judged, by the policy it has now."""
        extensions = request.extensions
        report = extensions.get(EXTENSION)
        if type(report) is not Report:
            return False
        policy, bodies = self.policy_for(extensions, request.url), peek(request, self.library)
        if bodies == _EMPTY:  # a redirect to GET: the report is of what was sent before
            return True
        if recall(request, bodies, policy) is not report:
            return False
        return bool(bodies) or not policy.buffer or is_read_in_part(request.stream)

    def was_judged(self, request: Any) -> bool:
        """Check whether a request is as some guard judged it, by any policy."""
        return recall(request, peek(request, self.library)) is not None

    def buffer(self, request: Any) -> None:
        """Read a stream that the policy wants judged."""
        policy = self.policy_for(request.extensions, request.url)
        if policy.mode == "enforce":  # an audit consumes nothing
            buffer(request, self.library, policy)

    async def abuffer(self, request: Any) -> None:
        """Read an async stream that the policy wants judged."""
        policy = self.policy_for(request.extensions, request.url)
        if policy.mode == "enforce":
            await abuffer(request, self.library, policy)

    def _judge(
        self,
        request: Any,
        bodies: tuple[bytes, ...],
        policy: Policy,
        known: Report,
        encoded: tuple[Policy, bytes] | None,
        host: str,
        start: float,
    ) -> Report | None:
        """Return the report to deliver, or None when this body was reported before."""
        __tracebackhide__ = True
        audits = policy.mode == "audit"
        earlier = recall(request, bodies, policy if bodies else None)
        if earlier is not None:
            # The bytes were reported; what was found in the value they were made of may not be.
            known = known.without(earlier) if audits else known
            remember(request, bodies, policy, add_time(earlier + known, host, start))
            return known if known.findings else None
        if not bodies:
            report = known + replace(not_judged("stream"), mode=policy.mode)
        elif audits:
            # What was found in the value was left in it, and is found in its bytes again.
            look = audit(lambda: self._sanitize(request, bodies, policy, CLEAN, encoded))
            report = known + look.without(known)
        else:
            change, report = self._sanitize(request, bodies, policy, known, encoded)
            if change is not None:
                put(request, self.library, *change)
                bodies = (change[0],)
        report = add_time(report, host, start)
        remember(request, bodies, policy, report)
        return report

    def _sanitize(
        self,
        request: Any,
        bodies: tuple[bytes, ...],
        policy: Policy,
        known: Report = CLEAN,
        encoded: tuple[Policy, bytes] | None = None,
    ) -> tuple[tuple[bytes, dict[str, str]] | None, Report]:
        """Return the body and digests to send, and the report; None where the body is clean."""
        if encoded == (policy, *bodies) or not any(bodies):
            return _follow(known, request.headers, bodies[0])
        return sanitize_content(policy, bodies, request.headers, known)

    def call(
        self,
        policy: Policy,
        host: Host,
        start: float,
        judge: Callable[..., _T],
        *args: Any,
    ) -> _T | None:
        """Call the guard's own code; if that fails, nothing is sent, unless the policy says so.

        ``start`` is when the look at the body began.

        Returns:
            What `judge` returns; None where the body is to be sent unguarded.

        Raises:
            BodyError: The body may not leave.
            GuardError: The guard failed.
        """
        __tracebackhide__ = True
        try:
            return judge(*args)
        except BodyError as error:
            refused = replace(error.report, refused=type(error).__name__)
            host = host if isinstance(host, str) else host()
            reporting.deliver(add_time(refused, host, start), policy, host)
            raise error.with_traceback(None) from None  # the frames below hold the body
        except Exception as error:
            failure = str(error) if isinstance(error, GuardError) else _describe(error)
        # Outside the handler: `__context__` would retain the error, which may hold a value.
        if policy.on_error == "send" or policy.mode == "audit":
            why = 'mode="audit"' if policy.mode == "audit" else 'on_error="send"'
            reporting.report_failure(failure, why, host if isinstance(host, str) else host())
            return None
        raise GuardError(
            f"The request was not sent: body_guard itself failed ({failure}). "
            'Policy(on_error="send") would send it unguarded.'
        )


def _prepare(policy: Policy, value: object) -> tuple[object, Report]:
    __tracebackhide__ = True
    prepare = sanitizer_for(policy).prepare
    if policy.mode == "audit":
        return value, audit(lambda: prepare(value))
    return prepare(value)


def encode(policy: Policy, value: object) -> tuple[bytes | None, Report]:
    """Encode what may leave of a value, as the library does.

    In an audit there are bytes of a clean value only: the library encodes others, as they are.
    """
    __tracebackhide__ = True
    sanitizer = sanitizer_for(policy)
    if policy.mode == "enforce":
        return sanitizer.encode(value)
    content = sanitizer.encode_clean(value)
    return content, CLEAN if content is not None else audit(lambda: sanitizer.prepare(value))


def sanitize_content(
    policy: Policy, bodies: tuple[bytes, ...], headers: Any, known: Report = CLEAN
) -> tuple[tuple[bytes, dict[str, str]] | None, Report]:
    """Sanitize the bytes of a request of any library.

    Args:
        policy: What must not leave.
        bodies: The body; behind it, what else may be sent in its place, which is only looked at.
        headers: Looked up by name without regard to case, or by lower-case name.
        known: What was found in the value that the body was made of.

    Returns:
        The body and the digests to send, None where they stay; and the report.

    Raises:
        SignedBodyError: The body is dirty, and a header signs it.
        BodyError: The body may not leave.
    """
    __tracebackhide__ = True
    sanitizer = sanitizer_for(policy)
    types = headers.get("content-type"), headers.get("content-encoding")
    content, report = sanitizer.sanitize_bytes(bodies[0], *types)
    for other in bodies[1:]:
        report += sanitizer.sanitize_bytes(other, *types)[1]
    if known is not CLEAN:
        # What a rule only reports is found in the value, and again in the bytes.
        report = known + report.without(known)
    return _follow(report, headers, content)


def _follow(
    report: Report, headers: Any, content: bytes
) -> tuple[tuple[bytes, dict[str, str]] | None, Report]:
    """Return a body with the digests that follow it, None where it is clean; and its report.

    Raises:
        SignedBodyError: A header signs what was changed.
    """
    if not report.changed:
        return None, report
    header = find_signature(headers)
    if header is None:
        try:
            return (content, renew_digests(headers, content)), report
        except UnknownDigestError as error:
            header = error.header
    raise SignedBodyError(
        f"The body was not sent: it holds {format_findings(report.findings)}, and taking that out "
        f"would make its {header} header wrong. Guard the client that signs, so that the "
        "body is clean before it is signed.",
        report,
    )


def add_time(report: Report, host: str, start: float) -> Report:
    """Return a report with its host, and the time since a start added to its own."""
    return stamp(report, host, report.seconds + perf_counter() - start)


def _is_report(value: object) -> bool:
    """Check whether this is a report, also of a copy of this package from before a reload."""
    kind = type(value)
    return kind is Report or (
        kind.__qualname__ == Report.__qualname__ and kind.__module__ == Report.__module__
    )


def _describe(error: Exception) -> str:
    """Return what failed and where, without the error's message, which may hold a value."""
    *_, (frame, line) = walk_tb(error.__traceback__)
    return (
        f"{type(error).__qualname__} in {frame.f_code.co_name}, {frame.f_code.co_filename}:{line}"
    )
