"""A value that a library is about to encode: less what may not leave, and reported."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from body_guard.core.encode import encode
from body_guard.core.report import CLEAN
from body_guard.http.auditing import ENCODING_ERRORS, audit
from body_guard.http.outgoing import EXTENSION
from body_guard.http.reporting import deliver
from body_guard.sanitizer import sanitizer_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from body_guard.core.report import Report
    from body_guard.http.request_guard import Guard
    from body_guard.policy import Policy

    Convert = Callable[[Any], object]
    Locate = Callable[[], str]

__all__ = [
    "convert_as",
    "judge_value",
    "leave_to_bytes",
    "prepare_value",
    "sanitize_value",
    "unknown_host",
]


def unknown_host() -> str:
    """Return ``""``, the host of a value whose destination is not known."""
    return ""


def judge_value(
    guard: Guard, value: object, convert: Convert | None, host: str
) -> tuple[object, Report]:
    """Return a value as it may leave, and what was found in it.

    Args:
        guard: Judges it.
        value: Is not changed; where something is to be taken out, a copy is returned.
        convert: What the encoder makes of values that JSON does not know, with the contract of
            ``json.dumps(default=)``; what that can write stays.
        host: That the value goes to.

    Raises:
        BodyError: The body may not leave.
        GuardError: The guard failed.
    """
    __tracebackhide__ = True
    policy = guard.policy
    if convert is not None:
        policy = _converting(policy, convert)
    judged = guard.prepare(value, {EXTENSION: policy}, host)
    return (value, CLEAN) if judged is None else judged


def sanitize_value(
    guard: Guard, value: object, convert: Convert | None, host: str
) -> tuple[Any, Report]:
    """Return a value as `judge_value` does; where nothing is found, the value itself."""
    __tracebackhide__ = True
    sanitized, report = judge_value(guard, value, convert, host)
    return (sanitized, report) if report.findings else (value, CLEAN)


def prepare_value(
    guard: Guard,
    value: object,
    locate: Locate,
    convert: Convert | None = None,
    *,
    last: bool = False,
) -> object:
    """Return a value as it may leave, as `judge_value` does, and report what was found in it.

    ``last`` says that no other guard will see the bytes.

    Raises:
        BodyError: The body may not leave.
        GuardError: The guard failed.
    """
    __tracebackhide__ = True
    host = locate()
    value, report = judge_value(guard, value, convert, host)
    if not last and _stays(report):
        with suppress(*ENCODING_ERRORS):  # then it has no bytes
            report = leave_to_bytes(report, encode(value), guard.policy)
    if report.findings:
        deliver(report, guard.policy, host)
    return value


def leave_to_bytes(report: Report, content: str | bytes, policy: Policy) -> Report:
    """Return a report less what the next guard will find in the bytes."""
    __tracebackhide__ = True
    if not _stays(report):
        return report
    encoded = content if isinstance(content, bytes) else content.encode("utf-8", "replace")
    look = sanitizer_for(policy).sanitize_bytes
    return report.without(audit(lambda: look(encoded, "application/json")))


def _stays(report: Report) -> bool:
    """Check whether something that was found is still in the body."""
    audit = report.mode == "audit"
    return any(audit or finding.action == "report" for finding in report.findings)


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


@dataclass(frozen=True, slots=True)
class _Encoded:
    """What a value is once an encoder has written it."""

    dumps: Callable[[Any], str | bytes]

    def __call__(self, value: Any) -> object:
        try:
            return json.loads(self.dumps(value))
        except (ValueError, RecursionError):
            raise TypeError from None


def convert_as(dumps: Callable[[Any], str | bytes]) -> Convert:
    """Return what an encoder of the application's own makes of values that JSON does not know.

    Args:
        dumps: The encoder.
    """
    return _Encoded(dumps)


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
        both = convert if policy.convert is None else _Either(convert, policy.convert)
        known = _policies[id(policy), convert] = policy, replace(policy, convert=both)
    return known[1]
