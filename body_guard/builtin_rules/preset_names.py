"""The names of all presets, for type checkers."""

from __future__ import annotations

from typing import Literal

__all__ = ["PresetName"]

PresetName = Literal[
    "sentry",
    "litellm",
    "litellm-replay",
    "cloud-credentials",
    "opentelemetry",
    "datadog",
    "langfuse",
    "langfuse-trace",
    "langchain",
    "helicone",
    "mlflow",
    "opik",
    "posthog",
    "traceloop",
    "trace-headers",
    "app-ui",
    "generic-private",
]
