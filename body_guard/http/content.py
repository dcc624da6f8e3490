"""Bodies of libraries other than httpx, as bytes: judged, and judged once.

Such a library stands on another: requests and botocore on urllib3, a transport of httpx may stand
on aiohttp. What the outer one's door has judged, the inner one's passes.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from body_guard.core.report import CLEAN, Report, not_judged
from body_guard.http.auditing import add_note, audit
from body_guard.http.departures import OBSERVERS, Departure
from body_guard.http.reporting import deliver
from body_guard.http.request_guard import add_time, sanitize_content
from body_guard.http.sending import sent_bodies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, MutableMapping

    from body_guard.http.request_guard import Guard
    from body_guard.policy import Policy

__all__ = [
    "Change",
    "deliver_known",
    "describe_content",
    "describe_prepared",
    "fold_headers",
    "host_of",
    "in_memory",
    "judge_content",
    "renew_headers",
    "report_crash",
    "report_unread",
    "sending",
    "was_judged",
]


class Change(NamedTuple):
    """What a body and its headers become.

    Attributes:
        content: The body.
        headers: New values, by lower-case name, of headers that are there.
    """

    content: bytes
    headers: dict[str, str]


def fold_headers(headers: Mapping[Any, Any] | None) -> dict[str, str]:
    """Return headers by lower-case name; of several of one name, the last."""
    if not headers:
        return {}
    return {_text(name).lower(): _text(value) for name, value in headers.items()}


def _text(part: object) -> str:
    return part.decode("latin-1") if isinstance(part, bytes) else str(part)


def renew_headers(headers: MutableMapping[Any, Any], change: Change) -> None:
    """Set headers to the values of a change; their names keep their spelling and place."""
    for name in list(headers):
        value = change.headers.get(_text(name).lower())
        if value is not None:
            headers[name] = value


def host_of(url: object) -> str:
    """Return the host of a URL, without its port; ``""`` where there is none."""
    try:
        return urlsplit(url).hostname or "" if isinstance(url, str) else ""
    except ValueError:  # a bracket that is not closed
        return ""


def in_memory(body: object) -> bytes | None:
    """Return a body that lies in memory, text in UTF-8; None for a file, a stream or the like."""
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")  # what cannot be sent, its library refuses
    return bytes(body) if isinstance(body, (bytearray, memoryview)) else None


def judge_content(
    guard: Guard,
    content: bytes,
    headers: Mapping[str, str],
    host: str,
    known: Report = CLEAN,
) -> Change | None:
    """Judge the body of a request that is about to be sent or signed, and report it.

    Args:
        guard: Judges it, by its policy for the host.
        content: The body.
        headers: By lower-case name.
        host: Where it goes.
        known: What was found in the value that the body was made of, not delivered yet.

    Returns:
        What the body and its headers become; None where they stay.

    Raises:
        BodyError: The body may not leave.
        GuardError: The guard failed.
    """
    __tracebackhide__ = True
    start = perf_counter()
    policy = guard.policy_for(None, host)
    judged = guard.call(policy, host, start, _judge, policy, content, headers, known)
    if judged is None:
        return None
    change, report = judged
    report = add_time(report, host, start)
    _note(content if change is None else change.content, report)
    deliver(report, policy, host)
    return change


def _judge(
    policy: Policy, content: bytes, headers: Mapping[str, str], known: Report
) -> tuple[Change | None, Report]:
    __tracebackhide__ = True
    if policy.mode == "audit":
        # What was found in the value was left in it, and is found in its bytes again.
        look = audit(lambda: sanitize_content(policy, (content,), headers))
        return None, known + look.without(known)
    change, report = sanitize_content(policy, (content,), headers, known)
    if change is None:
        return None, report
    content, renewed = change
    if "content-length" in headers:
        renewed["content-length"] = str(len(content))
    return Change(content, renewed), report


def report_unread(guard: Guard, why: str, host: str, known: Report = CLEAN) -> None:
    """Report a body that is passed on as it is.

    Args:
        guard: Of the door that it passes.
        why: As `Report.why_not_judged`.
        host: Where it goes.
        known: As of `judge_content`.
    """
    policy = guard.policy_for(None, host)
    report = known + replace(not_judged(why), mode=policy.mode)
    _note(None, report)
    deliver(report, policy, host)


def deliver_known(guard: Guard, known: Report, host: str) -> None:
    """Report what was found in a value of which no body is made."""
    if known.findings:
        deliver(known, guard.policy_for(None, host), host)


def report_crash(
    guard: Guard,
    error: Exception,
    value: object,
    known: Report,
    host: str,
    convert: Callable[[Any], object] | None = None,
) -> None:
    """Note on a library's error what of a value it could not encode, and report what was found.

    Args:
        guard: Of the door.
        error: As the library raised it.
        value: As the caller gave it.
        known: As of `judge_content`.
        host: Where it would have gone.
        convert: As of `add_note`.
    """
    __tracebackhide__ = True
    if known.findings:
        add_note(error, value, convert)
    deliver_known(guard, known, host)


#: What was judged last in this context, as a hash of the bytes; None where it was passed unread.
_noted: Final[ContextVar[tuple[int | None, Report] | None]] = ContextVar(
    "body_guard_noted", default=None
)


def _note(content: bytes | None, report: Report) -> None:
    if OBSERVERS:
        _noted.set((None if content is None else hash(content), report))


def describe_content(
    guard: Guard | None, method: str, url: str, headers: Mapping[Any, Any] | None, body: object
) -> Departure | None:
    """Return the departure of a request of a library beside httpx; None where it has no body.

    Args:
        guard: Of the library, if it is guarded.
        method: Of the request.
        url: Of the request.
        headers: Of the request.
        body: Of the request.
    """
    __tracebackhide__ = True
    if not body:
        return None
    content, noted = in_memory(body), _noted.get() if guard else None
    fits = noted is not None and noted[0] in (None, hash(content))
    parts, folded = urlsplit(url), fold_headers(headers)
    return Departure(
        parts.hostname or "",
        method,
        parts.path or "/",
        folded.get("content-type"),
        folded.get("content-encoding"),
        content,
        noted[1] if noted is not None and fits else None,
    )


def describe_prepared(guard: Guard | None, request: Any) -> Departure | None:
    """Return the departure of a prepared request of requests or botocore, as `describe_content`."""
    __tracebackhide__ = True
    return describe_content(guard, request.method, request.url, request.headers, request.body)


#: The body that the door of an outer library has judged and is sending, in a tuple.
_sent: Final[ContextVar[tuple[object, ...]]] = ContextVar("body_guard_sent", default=())


@contextmanager
def sending(body: object) -> Iterator[None]:
    """Let the doors of the libraries beneath pass a judged body."""
    token = _sent.set((body,))
    try:
        yield
    finally:
        _sent.reset(token)


def was_judged(body: object) -> bool:
    """Check whether a door around this one has judged a body and is sending it."""
    if any(body is sent for sent in _sent.get()):
        return True
    bodies = sent_bodies()
    if bodies is None:
        return False
    # A transport of httpx may hand the stream of a request on, wrapped in one of its own.
    content = in_memory(body)
    return content is None or content in bodies
