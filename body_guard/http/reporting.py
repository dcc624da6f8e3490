"""How findings are reported: the log, `collect`, `counts`, and a policy's ``on_report``."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from body_guard.core.errors import BodyError
from body_guard.core.redaction import redact_path
from body_guard.core.report import Finding, Report
from body_guard.http.outgoing import EXTENSION
from body_guard.http.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Protocol

    from body_guard.policy import Policy

    class _Request(Protocol):
        """A request of httpx or httpx2."""

        @property
        def extensions(self) -> Mapping[str, Any]: ...

    class _Response(Protocol):
        """A response of httpx or httpx2."""

        @property
        def request(self) -> _Request: ...


__all__ = [
    "Counts",
    "collect",
    "counts",
    "deliver",
    "log",
    "report_emptied",
    "report_failure",
    "report_of",
]

_logger: Final = logging.getLogger("body_guard")

_DONE: Final = {
    "remove": "removed",
    "replace": "replaced",
    "reject": "refused",  # in an audit only: otherwise there is an exception
    "report": "left",
}
_UNKNOWN: Final = "an unknown host"

#: The fields of every record. All of them, since a format string that names one fails on a record
#: without it.
_FIELDS: Final = dict.fromkeys(("rule", "path", "host", "action", "owner", "type", "mode"), "")

#: The name under which is counted what is beyond the bound.
_OTHERS: Final = "(others)"

#: By kind (an attribute of `Counts`), host, name, mode and place.
_tally: Final[Tally[tuple[str, str, str, str, str]]] = Tally()


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted in this process, each by the host that a body goes to.

    A host is ``""`` where it is not known: of an object that is judged before there is a request.
    At most 1,000 combinations of host, rule, mode and kind of place are counted separately, then
    1,000 of host, rule and mode; the rest is counted under the host ``"(others)"``.

    Attributes:
        findings: How often each rule fired, in an audit and where a body was refused too.
        not_judged: How many bodies were not looked into, by `Report.why_not_judged`.
        refused: How many bodies were refused, or would have been in an audit, by the name of the
            error.
        failed: How often the guard failed and the body was sent all the same, by what failed; as
            ``on_report``, how often a reporter did.
    """

    findings: dict[str, dict[str, int]] = field(default_factory=dict)
    not_judged: dict[str, dict[str, int]] = field(default_factory=dict)
    refused: dict[str, dict[str, int]] = field(default_factory=dict)
    failed: dict[str, dict[str, int]] = field(default_factory=dict)


def counts(*, reset: bool = False) -> Counts:
    """Return what was counted in this process, or since the last reset.

    Args:
        reset: Whether to begin anew: what was warned of once is then warned of again. Nothing that
            is counted meanwhile is lost or counted twice.

    Returns:
        The counts by host; they belong to the caller.
    """
    counted = Counts()
    for (kind, host, name, _, _), count in _tally.counts(reset=reset).items():
        names = getattr(counted, kind).setdefault(host, {})
        names[name] = names.get(name, 0) + count
    return counted


def _count(kind: str, host: str, name: str, mode: str = "", place: str = "") -> int:
    """Count one more of a kind, an attribute of `Counts`; return how many there are by now."""
    return _tally.add(
        (kind, host, name, mode, place),
        (kind, host, name, mode, _OTHERS),
        (kind, _OTHERS, _OTHERS, "", _OTHERS),
    )


class _Collector:
    """The list of one `collect`, until its end."""

    __slots__ = ("reports",)

    def __init__(self, reports: list[Report]) -> None:
        self.reports: list[Report] | None = reports


_collecting: Final[ContextVar[tuple[_Collector, ...]]] = ContextVar("body_guard", default=())


@contextmanager
def collect() -> Iterator[list[Report]]:
    """Collect the report of every body that a guard judges in this context.

    Threads and tasks started inside add to the list if they run in a copy of the context, as
    asyncio tasks and `asyncio.to_thread` do, until the ``with`` block ends.

    Returns:
        A context manager that gives a list; it grows as bodies are judged.
    """
    reports: list[Report] = []
    collector = _Collector(reports)
    # A copied context keeps what was collecting when it was made, so leave out what has ended.
    around = [one for one in _collecting.get() if one.reports is not None]
    token = _collecting.set((*around, collector))
    try:
        yield reports
    finally:
        collector.reports = None  # for the copies of this context, which the reset does not reach
        _collecting.reset(token)


def report_of(exchange: _Response | _Request) -> Report | None:
    """Return the report of a request's body.

    Args:
        exchange: A request of httpx or httpx2, or a response: after redirects, of the last request.

    Returns:
        What ``on_report`` gets; None where no guard has judged the request.

    Raises:
        TypeError: This is neither.
    """
    try:
        request: Any = getattr(exchange, "request", exchange)
    except RuntimeError:  # a response that was made without a request
        return None
    try:
        report = request.extensions.get(EXTENSION)
    except AttributeError:
        kind = type(exchange)
        raise TypeError(
            "report_of() takes a request or a response of httpx or httpx2, not a "
            f"{kind.__module__}.{kind.__qualname__}; write report_of(response)."
        ) from None
    return report if isinstance(report, Report) else None


def deliver(report: Report, policy: Policy, host: str) -> None:
    """Report to the log, the counts, every `collect` around the caller, and ``on_report``."""
    collectors = _collecting.get()
    if (collectors or policy.on_report) and report.host != host:
        report = replace(report, host=host)
    for collector in collectors:
        reports = collector.reports
        if reports is not None:
            reports.append(report)
    audit = report.mode == "audit"
    for finding in report.findings:
        _report_finding(finding, report, host)
    if report.refused:
        times = _count("refused", host, report.refused, report.mode)
        if audit and times == 1:
            text = "would have refused a body for %s (%s)"
            log(logging.WARNING, text, host or _UNKNOWN, report.refused, host=host, mode="audit")
    if not report.judged and _count("not_judged", host, report.why_not_judged, report.mode) == 1:
        text, why = "not judged: a body for %s (%s)", report.why_not_judged
        log(logging.INFO, text, host or _UNKNOWN, why, host=host, mode=report.mode)
    for call in policy.reporters if policy.on_report else ():
        try:
            call(report)
        except Exception as error:  # a reporter loses its report, never the request
            _count("failed", host, "on_report")
            text, name = "on_report raised %s; its report is lost", type(error).__qualname__
            log(logging.ERROR, text, name, host=host, mode=report.mode)


def _report_finding(finding: Finding, report: Report, host: str) -> None:
    """Count a finding; warn of the first one of its rule, kind of place, host and mode."""
    path = redact_path(finding.path)
    shape = "/".join(["*" if part.isdigit() else part for part in path.split("/")])
    times = _count("findings", host, finding.rule, report.mode, shape)
    level = logging.WARNING if times == 1 else logging.DEBUG
    audit = report.mode == "audit"
    if finding.action == "reject" and not audit:
        return  # there is an exception
    if not _logger.isEnabledFor(level):
        return
    done = _DONE[finding.action]
    if audit:
        done = done if finding.action == "report" else f"would have {done}"
    elif report.refused:
        done = "found"  # nothing was sent
    facts = [f"rule {finding.rule}"]
    if finding.type:
        facts.append(f"type {finding.type}")
    if finding.owner:
        facts.append(f"owner {finding.owner}")
    log(
        level,
        "%s %s in a body for %s (%s)%s%s",
        done,
        path or "the whole body",
        host or _UNKNOWN,
        ", ".join(facts),
        f"; {finding.hint}" if finding.hint else "",
        f"; {times} times so far" if times > 1 else "",
        rule=finding.rule,
        path=path,
        host=host,
        action=finding.action,
        owner=finding.owner,
        type=finding.type,
        mode=report.mode,
    )


def report_failure(what: str, why: str, host: str = "") -> None:
    """Log and count a failure of the guard after which the body was sent all the same."""
    _count("failed", host, what)
    text = "the guard failed (%s) and the body was sent unguarded, as %s says"
    log(logging.ERROR, text, what, why, host=host)


def report_emptied(error: Exception, host: str) -> None:
    """Log that a body was emptied, since an error could not keep it from being sent."""
    if not isinstance(error, BodyError):
        _count("failed", host, type(error).__name__)
    text = "emptied a body for %s, since litellm sends it anyway: %s"
    log(logging.ERROR, text, host or _UNKNOWN, error, host=host)


def log(level: int, text: str, *args: object, **fields: str) -> None:
    """Log a line that begins with this package's name, with fields for JSON formatters.

    The fields are some of ``rule``, ``path`` (as `redact_path`), ``host``, ``action``, ``owner``,
    ``type`` and ``mode``; the others are ``""``.
    """
    text = f"body_guard: {text}"
    try:
        _logger.log(level, text, *args, extra={**_FIELDS, **fields})
    except KeyError:  # `logging` refuses a field that the application's record factory has set
        _logger.log(level, text, *args)
