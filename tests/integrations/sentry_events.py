"""What a real sentry_sdk would have sent of an error, and which frames in it hold a body."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
import sentry_sdk.transport

__all__ = ["MARKER", "events", "frames", "holding", "messages"]

#: Stands in every body that is sent here.
MARKER = "MARKER-7391"


@pytest.fixture
def events() -> Iterator[list[Any]]:
    """Return the events that a real sentry_sdk, as it is by default, would have sent."""
    kept: list[Any] = []

    class Keeping(sentry_sdk.transport.Transport):
        def capture_envelope(self, envelope: Any) -> None:
            kept.extend(item.payload.json for item in envelope.items if item.type == "event")

    sentry_sdk.init(dsn="http://k@127.0.0.1:9/1", transport=Keeping, attach_stacktrace=True)
    with sentry_sdk.isolation_scope() as scope:
        scope.clear()
        yield kept
    sentry_sdk.get_global_scope().set_client(None)  # an init() would go on adding headers


def frames(events: list[Any]) -> list[dict[str, Any]]:
    """Return every frame of every event, those of its exceptions and those of its threads."""
    return [
        frame
        for event in events
        for part in ("exception", "threads")
        for value in event.get(part, {}).get("values", [])
        for frame in (value.get("stacktrace") or {}).get("frames", [])
    ]


def holding(frames: list[dict[str, Any]]) -> list[str]:
    """Name the functions whose local variables hold the body."""
    return [
        f"{frame['module']}.{frame['function']}"
        for frame in frames
        if MARKER in json.dumps(frame.get("vars"), default=repr)
    ]


def messages(events: list[Any]) -> str:
    """Return the messages of all exceptions."""
    return "".join(
        value["value"] for event in events for value in event.get("exception", {}).get("values", [])
    )
