"""What was found, told to whoever asked: the log, `collect`, and a policy's ``on_report``."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from body_guard.core.report import Finding, Report, shown

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from body_guard.core.policy import Policy

__all__ = ["Tally", "collect", "counts", "deliver", "tell_failure"]

_log: Final = logging.getLogger("body_guard")
_collecting: Final[ContextVar[tuple[list[Report], ...]]] = ContextVar("body_guard", default=())

_DONE: Final = {
    "remove": "removed",
    "replace": "replaced",
    "reject": "refused",  # in an audit only: otherwise an exception tells of those
    "report": "left",
}
_UNKNOWN: Final = "an unknown host"


class Tally:
    """Counts by key, for threads and forked processes; at most `most` keys, the rest in one.

    Args:
        most: How many keys are told apart.
    """

    REST: Final = "(others)"

    def __init__(self, most: int = 1000) -> None:
        self._most = most
        self._counts: dict[Hashable, int] = {}
        self._renew()
        # A lock that another thread held during a fork would never be released in the child.
        os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def add(self, key: Hashable) -> int:
        """Count one more; give how many there are of its key now."""
        with self._lock:
            if key not in self._counts and len(self._counts) >= self._most:
                key = self.REST
            count = self._counts[key] = self._counts.get(key, 0) + 1
            return count

    def counts(self) -> dict[Hashable, int]:
        """Give a copy of all counts."""
        with self._lock:
            return dict(self._counts)


_tally: Final = Tally()


def counts() -> dict[Hashable, int]:
    """Give what was counted in this process.

    Returns:
        Findings by ``(rule, shape of the path)``, bodies not judged by ``("not judged", reason)``,
        failures of the guard by ``("failed", what)``, bodies that an audit would have refused by
        ``("would refuse", error)``.
    """
    return _tally.counts()


@contextmanager
def collect() -> Iterator[list[Report]]:
    """Collect the report of every body that a guard judges in this context.

    Threads and tasks started inside add to the list if they run in a copy of the context, as
    asyncio tasks and `asyncio.to_thread` do.

    Returns:
        A context manager that gives a list; it grows as bodies are judged.
    """
    reports: list[Report] = []
    token = _collecting.set((*_collecting.get(), reports))
    try:
        yield reports
    finally:
        _collecting.reset(token)


def deliver(report: Report, policy: Policy, host: str) -> None:
    """Tell a report to the log, to every `collect` around the caller, and to ``on_report``.

    Args:
        report: Of one body.
        policy: The one it was judged by.
        host: Where the body goes; ``""`` when that is not known yet.
    """
    for reports in _collecting.get():
        reports.append(report)
    audit = report.mode == "audit"
    for finding in report.findings:
        if audit or finding.action != "reject":
            _tell(finding, host, audit)
    if audit and report.refused and _tally.add(("would refuse", report.refused)) == 1:
        _log.warning("would have refused a body for %s (%s)", host or _UNKNOWN, report.refused)
    if not report.judged and _tally.add(("not judged", report.why_not_judged)) == 1:
        _log.info("not judged: a body for %s (%s)", host, report.why_not_judged)
    if not policy.on_report:
        return
    report = replace(report, host=host)
    for tell in policy.reporters:
        try:
            tell(report)
        except Exception as error:  # a reporter loses its report, never the request
            _tally.add(("failed", "on_report"))
            _log.error("on_report raised %s; its report is lost", type(error).__qualname__)


def _tell(finding: Finding, host: str, audit: bool) -> None:
    """Warn once for each rule and shape of path; after that, count."""
    path = shown(finding.path)
    shape = "/".join(["*" if part.isdigit() else part for part in path.split("/")])
    times = _tally.add((finding.rule, shape))
    facts = [f"rule {finding.rule}"]
    if finding.type:
        facts.append(f"type {finding.type}")
    if finding.owner:
        facts.append(f"owner {finding.owner}")
    would = "would have " if audit and finding.action != "report" else ""
    _log.log(
        logging.WARNING if times == 1 else logging.DEBUG,
        "%s %s in a body for %s (%s)%s%s",
        would + _DONE[finding.action],
        path or "the whole body",
        host or _UNKNOWN,
        ", ".join(facts),
        f"; {finding.hint}" if finding.hint else "",
        f"; {times} times so far" if times > 1 else "",
    )


def tell_failure(what: str, why: str) -> None:
    """Log and count a failure of the guard after which the body was sent all the same."""
    _tally.add(("failed", what))
    _log.error("the guard failed (%s) and the body was sent unguarded, as %s says", what, why)
