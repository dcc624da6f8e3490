"""What one guard hands over to the next about the body of a request that is being made.

A body of an SDK meets several guards before its request exists: at the SDK's options, at its
encoder, at the HTTP client. A request has one report, so each of them leaves here what it found,
and the first that judges the request takes that.
"""

from __future__ import annotations

import operator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from body_guard.core.report import CLEAN
from body_guard.http.reporting import deliver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from body_guard.core.report import Report
    from body_guard.http.request_guard import Guard

__all__ = [
    "Handover",
    "hand_over",
    "is_judged",
    "put_down",
    "receive",
    "report_rest",
    "take_findings",
    "take_up",
]


@dataclass(slots=True)
class Handover:
    """A body on its way from one guard to the next.

    Attributes:
        guard: Judges the body, by the policy for its destination.
        locate: Returns the host that the body goes to.
        found: Reports of what was found in the body and is not delivered yet.
        values: The objects that the body will be made of, as they were judged.
        building: Whether its request is being built; otherwise it waits for that.
    """

    guard: Guard
    locate: Callable[[], str]
    found: list[Report] = field(default_factory=list)
    values: tuple[Any, ...] = ()
    building: bool = False


_current: Final[ContextVar[Handover | None]] = ContextVar("body_guard_handover", default=None)


def put_down(handover: Handover) -> None:
    """Leave a judged body to the guard that will build a request of it in this context."""
    _current.set(handover)


def take_up() -> Handover | None:
    """Return what `put_down` left in this context, once."""
    handover = _current.get()
    if handover is None or handover.building:
        return None
    _current.set(None)
    return handover


@contextmanager
def hand_over(handover: Handover) -> Iterator[None]:
    """Make a body known to the guards inside the block, which builds its request."""
    above = receive()
    if above is not None:  # the client is guarded, and so are all of the process
        above.found += handover.found
        handover.found = above.found
    handover.building = True
    token = _current.set(handover)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def report_rest(handover: Handover) -> Iterator[None]:
    """Report what was found if the block builds no request that could tell of it."""
    __tracebackhide__ = True
    try:
        yield
    finally:
        report = take_findings()
        if report.findings:
            deliver(report, handover.guard.policy, handover.locate())


def is_judged(handover: Handover) -> bool:
    """Check whether another guard is building a request of this body, by the same policy."""
    above = receive()
    return (
        above is not None
        and above.guard.policy == handover.guard.policy
        and len(above.values) == len(handover.values)
        and all(map(operator.is_, above.values, handover.values))
    )


def receive() -> Handover | None:
    """Return what is known of the body whose request is being built; None where none is."""
    handover = _current.get()
    return handover if handover is not None and handover.building else None


def take_findings(report: Report = CLEAN) -> Report:
    """Return what was found in the body so far, once, joined with what was found now."""
    handover = receive()
    if handover is None:
        return report
    known = CLEAN
    for each in handover.found:  # two guards may have found the same
        known += each.without(known)
    handover.found.clear()
    return known + report
