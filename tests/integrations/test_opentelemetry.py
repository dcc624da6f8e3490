"""OpenTelemetry: metrics and span events, by its SDK's own readers; Prometheus by its exporter."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import body_guard
from body_guard import Finding, Policy, Report, Rule

pytest.importorskip("opentelemetry.sdk", reason="the SDK comes with the test extra")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from body_guard.integrations import opentelemetry

URL = "http://provider.test/v1"
HERE = {"host": "provider.test", "mode": "enforce"}
SENTRY = {"rule": "sentry", "action": "remove", "owner": "sentry-sdk"}


class Metrics:
    """A meter provider whose data can be read."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader])

    def points(self) -> dict[str, list[tuple[dict[str, Any], Any]]]:
        """Return attributes and value, or count, of each data point, by metric."""
        data = self.reader.get_metrics_data()
        found: dict[str, list[tuple[dict[str, Any], Any]]] = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                assert scope.scope.name == "body_guard"
                for metric in scope.metrics:
                    found[metric.name] = [
                        (dict(point.attributes), getattr(point, "value", None) or point.count)  # type: ignore[union-attr,arg-type]
                        for point in metric.data.data_points
                    ]
        return found


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    state = Metrics()
    yield state
    state.provider.shutdown()


def client(policy: Policy) -> httpx.Client:
    transport = httpx.MockTransport(lambda request: httpx.Response(200))
    return body_guard.GuardedClient(transport=transport, policy=policy)


def test_every_metric_and_its_attributes(metrics: Metrics) -> None:
    """Bodies, findings, refusals, what was not judged, and how long it took."""
    recorder = opentelemetry.Recorder(metrics.provider)
    rules = (*Policy().rules, Rule("no", keys=("no",), action="reject"))
    with client(Policy(rules, on_report=recorder)) as guarded:
        guarded.post(URL, json={"a": 1})
        guarded.post(URL, json={"_sentry_x": "SECRET", "b": [{"_sentry_y": 1}]})
        guarded.post("http://other.test", content=iter([b"x"]))
        with pytest.raises(body_guard.BodyRejectedError):
            guarded.post(URL, json={"no": 1})
    other = {"host": "other.test", "mode": "enforce"}
    no = {"rule": "no", "action": "reject", "owner": ""}
    assert metrics.points() == {
        "body_guard.bodies": [(HERE, 3), (other, 1)],
        "body_guard.findings": [({**HERE, **SENTRY}, 2), ({**HERE, **no}, 1)],
        "body_guard.refused": [({**HERE, "error.type": "BodyRejectedError"}, 1)],
        "body_guard.not_judged": [({**other, "reason": "stream"}, 1)],
        "body_guard.duration": [(HERE, 3), (other, 1)],
    }


def test_an_audit_is_told_apart(metrics: Metrics) -> None:
    """A refusal that was none counts as a body that went out."""
    recorder = opentelemetry.Recorder(metrics.provider)
    with client(Policy(mode="audit", on_report=recorder)) as guarded:
        guarded.post(URL, content=b'{"_sentry_x":1}', headers={"signature": "s"})
    here = {"host": "provider.test", "mode": "audit"}
    points = metrics.points()
    assert points["body_guard.bodies"] == [(here, 1)]
    assert points["body_guard.findings"] == [({**here, **SENTRY}, 1)]
    assert points["body_guard.refused"] == [({**here, "error.type": "SignedBodyError"}, 1)]


def test_a_body_that_is_judged_twice_is_one_body(metrics: Metrics) -> None:
    """What is found in an object, before there is a request, is counted with that request."""
    recorder = opentelemetry.Recorder(metrics.provider)
    finding = Finding("/_sentry_x", "sentry", "remove", "", "sentry-sdk")
    recorder(Report((finding,), changed=True))
    recorder(Report(host="provider.test"))
    recorder(Report((finding,), refused="BodyRejectedError"))  # there will be no request of it
    recorder(Report((finding,), refused="BodyRejectedError", mode="audit"))
    bodies = metrics.points()["body_guard.bodies"]
    assert bodies == [(HERE, 1), ({"host": "", "mode": "enforce"}, 1)]


def test_the_unit_of_time_is_the_second(metrics: Metrics) -> None:
    """With buckets for what takes microseconds."""
    opentelemetry.Recorder(metrics.provider)(Report(host="h", seconds=0.0002))
    data = metrics.reader.get_metrics_data()
    assert data is not None
    (metric,) = [
        metric
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        if metric.name == "body_guard.duration"
    ]
    (point,) = metric.data.data_points
    assert metric.unit == "s"
    assert point.sum == 0.0002  # type: ignore[union-attr]
    assert point.explicit_bounds[:5] == (0.00001, 0.00003, 0.0001, 0.0003, 0.001)  # type: ignore[union-attr]


def test_hosts_without_end_end_in_one_series(metrics: Metrics) -> None:
    """A host per tenant does not make a time series per tenant; those known stay apart."""
    recorder = opentelemetry.Recorder(metrics.provider)
    for number in range(300):
        recorder(Report(host=f"tenant-{number}.test"))
    recorder(Report(host="tenant-0.test"))
    points = {point["host"]: count for point, count in metrics.points()["body_guard.bodies"]}
    assert len(points) == 101
    assert points["_OTHER"] == 200
    assert points["tenant-0.test"] == 2


def test_findings_are_events_of_the_current_span() -> None:
    """With the shape of the path that the log shows, and no value; at most sixteen for a body."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    body = {"jane@example.org": {"_sentry_x": "SECRET"}, "many": [{"_sentry_y": 1}] * 50}
    with client(Policy(on_report=opentelemetry.record)) as guarded:
        with tracer.start_as_current_span("call"):
            guarded.post(URL, json=body)
        guarded.post(URL, json=body)  # no span is current
    (span,) = exporter.get_finished_spans()
    assert len(span.events) == 16
    assert {event.name for event in span.events} == {"body_guard.finding"}
    attributes = dict(span.events[0].attributes or {})
    path = attributes.pop("path")
    assert attributes == {**HERE, **SENTRY, "type": "builtins.str"}
    assert str(path).startswith("/<16 characters, ")
    assert str(path).endswith(">/_sentry_x")
    told = [dict(event.attributes or {}) for event in span.events]
    assert "SECRET" not in str(told)
    assert "jane" not in str(told)
    provider.shutdown()


def test_a_policy_with_it_is_a_value() -> None:
    """Compared, cached, and sent to worker processes."""
    policy = Policy(on_report=opentelemetry.record)
    assert pickle.loads(pickle.dumps(policy)) == policy  # noqa: S301 - our own pickle


def test_prometheus_by_opentelemetrys_exporter() -> None:
    """The names that a scrape shows."""
    exporter = pytest.importorskip("opentelemetry.exporter.prometheus")
    import prometheus_client

    reader = exporter.PrometheusMetricReader()
    provider = MeterProvider([reader])
    with client(Policy(on_report=opentelemetry.Recorder(provider))) as guarded:
        guarded.post(URL, json={"_sentry_x": 1})
    lines = prometheus_client.generate_latest().decode().splitlines()
    provider.shutdown()
    (line,) = [line for line in lines if line.startswith("body_guard_findings_total{")]
    for label in ('rule="sentry"', 'action="remove"', 'owner="sentry-sdk"', 'mode="enforce"'):
        assert label in line
    assert line.endswith(" 1.0")
    assert any(line.startswith("body_guard_duration_seconds_bucket{") for line in lines)
