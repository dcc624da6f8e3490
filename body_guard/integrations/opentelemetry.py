"""OpenTelemetry: what guards find, as metrics, and as events of the current span.

.. code-block:: python

    from body_guard.integrations import opentelemetry

    policy = Policy(on_report=opentelemetry.record)

This uses OpenTelemetry's API alone: without an SDK that the application sets up, nothing is
recorded. Prometheus is reached by the SDK's exporter, ``opentelemetry-exporter-prometheus``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

try:
    from opentelemetry import metrics, trace
except ImportError as error:  # also of a name: others may have made the namespace
    if error.name != "opentelemetry":
        raise
    raise ModuleNotFoundError(
        "body_guard.integrations.opentelemetry needs opentelemetry-api, which is not installed; "
        "write pip install 'body-guard[otel]'.",
        name="opentelemetry",
    ) from None

from body_guard.core.redaction import redact_path

if TYPE_CHECKING:
    from body_guard.core.report import Finding, Report

__all__ = ["Recorder", "record"]

#: Values of one attribute that a recorder keeps apart. Hosts and owners come from data: a host per
#: tenant would be a time series per tenant.
_MOST_VALUES: Final = 100
_OTHER: Final = "_OTHER"

#: Findings of one body that become events of a span, which holds 128 by default.
_MOST_EVENTS: Final = 16

_BOUNDARIES: Final = (0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


class Recorder:
    """A reporter for ``Policy(on_report=)`` that records to OpenTelemetry.

    The counters ``body_guard.bodies``, ``body_guard.refused`` and ``body_guard.not_judged`` and the
    histogram ``body_guard.duration`` (in seconds) have the attributes ``host`` and ``mode``;
    refusals ``error.type`` too, and what was not judged ``reason``; ``body_guard.findings`` has
    ``rule``, ``action`` and ``owner`` besides. No attribute has more than 100 values.
    Findings are also events, ``body_guard.finding``, of the current span if that is recorded, with
    ``path`` as the log shows it.

    Args:
        meter_provider: Where to; the global one when None.
    """

    def __init__(self, meter_provider: metrics.MeterProvider | None = None) -> None:
        meter = metrics.get_meter("body_guard", meter_provider=meter_provider)
        self._bodies = meter.create_counter("body_guard.bodies", "{body}", "Bodies looked at.")
        self._findings = meter.create_counter(
            "body_guard.findings", "{finding}", "What was found in bodies."
        )
        self._refused = meter.create_counter(
            "body_guard.refused", "{body}", "Bodies that were refused, or would be."
        )
        self._not_judged = meter.create_counter(
            "body_guard.not_judged", "{body}", "Bodies that were not looked into."
        )
        self._duration = meter.create_histogram(
            "body_guard.duration",
            "s",
            "What looking at a body took.",
            explicit_bucket_boundaries_advisory=_BOUNDARIES,
        )
        self._known: dict[str, set[str]] = {}

    def __call__(self, report: Report) -> None:
        """Record a report."""
        common = {"host": self._bound("host", report.host), "mode": report.mode}
        # A body is counted when its request is judged, not when its object is.
        if report.host or (report.refused and report.mode == "enforce"):
            self._bodies.add(1, common)
        self._duration.record(report.seconds, common)
        for finding in report.findings:
            self._findings.add(1, {**common, **self._attributes(finding)})
        if report.refused:
            self._refused.add(1, {**common, "error.type": report.refused})
        if not report.judged:
            reason = self._bound("reason", report.why_not_judged)
            self._not_judged.add(1, {**common, "reason": reason})
        span = trace.get_current_span()
        for finding in report.findings[:_MOST_EVENTS] if span.is_recording() else ():
            place = {"path": redact_path(finding.path), "type": finding.type}
            span.add_event("body_guard.finding", {**common, **self._attributes(finding), **place})

    def _attributes(self, finding: Finding) -> dict[str, str]:
        return {
            "rule": self._bound("rule", finding.rule),
            "action": finding.action,
            "owner": self._bound("owner", finding.owner),
        }

    def _bound(self, attribute: str, value: str) -> str:
        known = self._known.setdefault(attribute, set())
        if value not in known:
            if len(known) >= _MOST_VALUES:
                return _OTHER
            known.add(value)
        return value


@lru_cache(maxsize=1)
def _recorder() -> Recorder:
    return Recorder()


def record(report: Report) -> None:
    """Record a report to OpenTelemetry's global providers, as `Recorder` says."""
    _recorder()(report)
