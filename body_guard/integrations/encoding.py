"""A library's own JSON encoder, guarded: its text, less what may not leave.

Where the encoder writes in a style that the compiled pass knows, the pass writes in its place. What
the pass hands back is walked, and what the walk leaves the library's encoder writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from body_guard.core.errors import BodyError, BodyLimitError
from body_guard.core.report import CLEAN, Finding, Report, stamp
from body_guard.http.auditing import ENCODING_ERRORS, add_note
from body_guard.http.reporting import deliver
from body_guard.integrations.values import judge_value, leave_to_bytes, unknown_host
from body_guard.sanitizer import sanitizer_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from body_guard.core.encode import Style
    from body_guard.http.request_guard import Guard
    from body_guard.integrations.values import Convert, Locate
    from body_guard.policy import Policy

__all__ = ["Encoder", "encode_body"]


@dataclass(frozen=True, slots=True)
class Encoder:
    """A library's encoder, as one call of it has it write.

    Attributes:
        dumps: Encodes a value.
        style: How it writes; None where that is no style of the compiled pass.
        convert: As of `judge_value`.
    """

    dumps: Callable[[object], str | bytes]
    style: Style | None
    convert: Convert | None = None


def encode_body(
    guard: Guard,
    encoder: Encoder,
    value: object,
    locate: Locate = unknown_host,
    found: list[Report] | None = None,
) -> str | bytes:
    """Encode a value as its library would, less what may not leave.

    Args:
        guard: Judges it.
        encoder: The library's.
        value: What is to become a JSON body; it is not changed.
        locate: Returns the host that the body goes to; called where something is found.
        found: Gets what is found, for the report of the request; it is reported here when None.

    Returns:
        What the encoder writes of what may leave; in UTF-8 where the compiled pass wrote it.

    Raises:
        BodyError: The body may not leave.
        GuardError: The guard failed.
    """
    __tracebackhide__ = True
    policy, start = guard.policy, perf_counter()
    passed = guard.call(policy, locate, start, _encode_compiled, policy, encoder, value)
    if passed is None:
        return encoder.dumps(value)
    text: str | bytes
    text, report = passed
    audit = policy.mode == "audit"
    if text and not (audit and report.findings):
        if report.findings:
            host = locate()
            _report(stamp(report, host, perf_counter() - start), text, policy, host, found)
        return text
    host = locate()
    value, report = judge_value(guard, value, encoder.convert, host)
    try:
        text = encoder.dumps(value)
    except ENCODING_ERRORS as error:
        _report(report, b"", policy, host, found)
        if audit:
            add_note(error, value, encoder.convert)
        if audit or not isinstance(error, RecursionError):
            raise
    else:
        _report(report, text, policy, host, found)
        return text
    raise BodyLimitError(
        "The body was not sent: it is too deep to be encoded here.",
        Report((Finding("", "depth", "reject"),)),
    )


def _encode_compiled(policy: Policy, encoder: Encoder, value: object) -> tuple[bytes, Report]:
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


def _report(
    report: Report, text: str | bytes, policy: Policy, host: str, found: list[Report] | None
) -> None:
    __tracebackhide__ = True
    if found is None:
        report = leave_to_bytes(report, text, policy)
    if report.findings:
        if found is None:
            deliver(report, policy, host)
        else:
            found.append(report)
