"""A library's own JSON encoder, guarded: its text, less what may not leave.

Where the encoder writes in a style that the compiled pass knows, the pass writes in its place. What
the pass hands back is walked, and what the walk leaves the library's encoder writes.
"""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from body_guard.core.encode import encode
from body_guard.core.errors import BodyError, BodyLimitError
from body_guard.core.report import CLEAN, Finding, Report, stamp
from body_guard.http import reporting
from body_guard.http.auditing import ENCODING_ERRORS, audited, note
from body_guard.http.outgoing import EXTENSION
from body_guard.sanitizer import sanitizer_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from body_guard.core.encode import Style
    from body_guard.http.request_guard import Guard
    from body_guard.policy import Policy

    Convert = Callable[[Any], object]
    Where = Callable[[], str]

__all__ = ["Encoder", "encoded", "nowhere", "pending", "prepared", "tell"]


def nowhere() -> str:
    """Return no host: it is not known where a value goes."""
    return ""


#: Where what is found in a value waits for the request that is being built of it.
pending: Final[ContextVar[list[Report] | None]] = ContextVar("body_guard_pending", default=None)


@dataclass(frozen=True, slots=True)
class Encoder:
    """A library's encoder, as one call of it has it write.

    Attributes:
        dumps: Encodes a value.
        style: How it writes; None where that is no style of the compiled pass.
        convert: What it makes of values that JSON does not know, with the contract of
            ``json.dumps(default=)``; what that can write stays.
    """

    dumps: Callable[[object], str | bytes]
    style: Style | None
    convert: Convert | None = None


def encoded(guard: Guard, encoder: Encoder, value: object, where: Where = nowhere) -> str | bytes:
    """Encode a value as its library would, less what may not leave.

    Args:
        guard: Judges it.
        encoder: The library's.
        value: What is to become a JSON body; it is not changed.
        where: Returns the host that the body goes to; called where something is found.

    Returns:
        What the encoder writes of what may leave; in UTF-8 where the compiled pass wrote it.

    Raises:
        BodyError: The body may not leave.
        GuardError: The guard failed.
    """
    __tracebackhide__ = True
    policy = guard.policy
    start = perf_counter()
    passed = guard.guarded(policy, where, start, _passed, policy, encoder, value)
    if passed is None:
        return encoder.dumps(value)
    content, report = passed
    if policy.mode == "audit":
        return (
            content if content and not report.findings else _audited(guard, encoder, value, where)
        )
    if content:
        if any(finding.action == "report" for finding in report.findings):
            report = _untold(report, content, policy)
        if report.findings:
            host = where()
            tell(stamp(report, host, perf_counter() - start), policy, host)
        return content
    value = prepared(guard, value, encoder.convert, where=where)
    try:
        return encoder.dumps(value)
    except RecursionError:
        pass
    raise BodyLimitError(
        "The body was not sent: it is too deep to be encoded here.",
        Report((Finding("", "depth", "reject"),)),
    )


def _passed(policy: Policy, encoder: Encoder, value: object) -> tuple[bytes, Report]:
    """Return what the compiled pass makes of a value; no bytes where it cannot tell."""
    __tracebackhide__ = True
    if encoder.style is None:
        return b"", CLEAN
    sanitizer, asks = sanitizer_for(policy), encoder.convert is not None
    try:
        return sanitizer.encode_as(value, encoder.style, asks=asks) or (b"", CLEAN)
    except BodyError:
        if policy.mode != "audit":
            raise
    return b"", CLEAN  # an audit writes the body as it is, and reports this then


def _audited(guard: Guard, encoder: Encoder, value: object, where: Where) -> str | bytes:
    """Encode a value as it is; report what of it the door behind will not see in its bytes."""
    __tracebackhide__ = True
    host = where()
    judged = _judged(guard, value, encoder.convert, host)
    try:
        text = encoder.dumps(value)
    except ENCODING_ERRORS as error:
        note(error, value, encoder.convert)
        tell(judged[1], guard.policy, host)
        raise
    tell(_untold(judged[1], text, guard.policy), guard.policy, host)
    return text


def _untold(report: Report, text: str | bytes, policy: Policy) -> Report:
    """Leave to the door behind what it will find in the bytes."""
    __tracebackhide__ = True
    if pending.get() is not None:  # that door knows what is waiting
        return report
    content = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    look = sanitizer_for(policy).sanitize_bytes
    return report.without(audited(lambda: look(content, "application/json")))


def prepared(
    guard: Guard,
    value: object,
    convert: Convert | None = None,
    *,
    last: bool = False,
    where: Where = nowhere,
) -> object:
    """Return a value as it may leave, and tell what was found.

    Args:
        guard: Judges it.
        value: Is not changed; where something is to be taken out, a copy is given.
        convert: As in `encoded`.
        last: Whether no other door will see the bytes.
        where: As in `encoded`.

    Raises:
        BodyError: The body may not leave.
        GuardError: The guard failed.
    """
    __tracebackhide__ = True
    host = where()
    value, report = _judged(guard, value, convert, host)
    audit = guard.policy.mode == "audit"
    if not last and any(audit or finding.action == "report" for finding in report.findings):
        with suppress(*ENCODING_ERRORS):  # then nobody will see its bytes
            report = _untold(report, encode(value), guard.policy)
    tell(report, guard.policy, host)
    return value


def _judged(
    guard: Guard, value: object, convert: Convert | None, host: str
) -> tuple[object, Report]:
    __tracebackhide__ = True
    policy = guard.policy
    if convert is not None:
        policy = _converting(policy, convert)
    judged = guard.prepare(value, {EXTENSION: policy}, host)
    return (value, CLEAN) if judged is None else judged


def tell(report: Report, policy: Policy, host: str) -> None:
    """Report what was found; the report of the request's bytes says when that was nothing."""
    if not report.findings:
        return
    waiting = pending.get()
    if waiting is None:
        reporting.deliver(report, policy, host)
    else:
        waiting.append(report)


@dataclass(frozen=True, slots=True)
class _Either:
    """Two functions for ``convert=``, the second asked where the first has no answer."""

    first: Convert
    second: Convert

    def __call__(self, value: Any) -> object:
        try:
            return self.first(value)
        except TypeError:
            return self.second(value)


def _either(first: Convert, second: Convert | None) -> Convert:
    return first if second is None else _Either(first, second)


_MOST_CONVERTING: Final = 64

#: By identity of the policy, which is kept beside, and by the function: making a policy anew for
#: each body, and finding its sanitizer by its rules, takes longer than encoding a small one.
_policies: Final[dict[tuple[int, Convert], tuple[Policy, Policy]]] = {}


def _converting(policy: Policy, convert: Convert) -> Policy:
    """Return a policy that asks a function before its own ``convert=``."""
    known = _policies.get((id(policy), convert))
    if known is None:
        if len(_policies) >= _MOST_CONVERTING:
            _policies.clear()
        made = replace(policy, convert=_either(convert, policy.convert))
        known = _policies[id(policy), convert] = policy, made
    return known[1]
