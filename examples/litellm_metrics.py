"""litellm, guarded by one call, with OpenTelemetry metrics of what was found.

``python examples/litellm_metrics.py`` sends to the provider of body_guard's demo, on this machine.
Needs ``pip install 'body-guard[cli,litellm,otel]' opentelemetry-sdk``.
"""

from __future__ import annotations

import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # no price list from the network
os.environ["NO_PROXY"] = "127.0.0.1"

import litellm
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Sum

import body_guard.integrations.litellm
from body_guard import Policy, presets
from body_guard.cli.provider import provider
from body_guard.integrations.opentelemetry import Recorder


class Span:
    """A live object, such as a tracing library leaves in a dict."""


def main() -> None:
    """Send one body that would crash and leak, and print what arrived and what was counted."""
    reader = InMemoryMetricReader()  # in production: a PeriodicExportingMetricReader
    meters = MeterProvider([reader])
    policy = Policy(presets("sentry", "litellm"), on_report=Recorder(meters))
    body_guard.integrations.litellm.install(policy)
    with provider() as upstream:
        answer = litellm.completion(
            model="openai/gpt-4o-mini",
            messages=[{"role": "user", "content": "Hi"}],
            api_base=f"{upstream.url}/v1",
            api_key="sk-example",
            extra_body={
                "metadata": {
                    "user_id": "u-17",
                    "_sentry_span": Span(),
                    "user_api_key_hash": "88dc28",
                }
            },
        )
        print("answered:", answer.choices[0].message.content)
        for received in upstream.received:
            print("arrived: ", received.body.decode())
    body_guard.integrations.litellm.uninstall()

    data = reader.get_metrics_data()
    for resource in data.resource_metrics if data else ():
        for metric in (each for scope in resource.scope_metrics for each in scope.metrics):
            if metric.name == "body_guard.findings" and isinstance(metric.data, Sum):
                for point in metric.data.data_points:
                    attributes = point.attributes or {}
                    print("counted: ", attributes["rule"], attributes["owner"], point.value)
    meters.shutdown()


if __name__ == "__main__":
    main()
