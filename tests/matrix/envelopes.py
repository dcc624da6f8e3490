"""What a real sentry_sdk would have sent, and the gen_ai spans in it, in either of their forms."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import sentry_sdk
import sentry_sdk.transport


class Envelopes(list[Any]):
    """Every envelope that was captured, in order."""

    def spans(self) -> list[dict[str, Any]]:
        """Return the attributes of every finished gen_ai.chat span, and empty the list.

        Up to 2.63 they are in the transaction, from 2.64 on items of their own.
        """
        items = [item for envelope in self for item in envelope.items]
        self.clear()
        inside = [
            span["data"]
            for item in items
            if item.type == "transaction"
            for span in item.payload.json["spans"]
            if span["op"] == "gen_ai.chat" and span["timestamp"]
        ]
        alone = [
            {name: attribute["value"] for name, attribute in span["attributes"].items()}
            for item in items
            if item.type == "span"
            for span in item.payload.json["items"]
            if span["end_timestamp"]
        ]
        return inside + [span for span in alone if span["sentry.op"] == "gen_ai.chat"]


@contextmanager
def capturing(integration: Any) -> Iterator[Envelopes]:
    """Run sentry_sdk with an integration and a transport that keeps everything."""
    kept = Envelopes()

    class Keeping(sentry_sdk.transport.Transport):
        def capture_envelope(self, envelope: Any) -> None:
            kept.append(envelope)

    sentry_sdk.init(
        dsn="http://k@127.0.0.1:9/1",
        transport=Keeping,
        traces_sample_rate=1.0,
        send_default_pii=True,
        integrations=[integration],
    )
    with sentry_sdk.isolation_scope() as scope:
        scope.clear()
        yield kept
    sentry_sdk.init()


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run in an event loop of its own, and end what litellm leaves in it.

    Not by asyncio.run, which cancels a task once and waits for it: up to Python 3.11 wait_for can
    lose a cancellation, and litellm's logging worker, waiting by it, then never ends.
    """
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(work)
    finally:
        while tasks := asyncio.all_tasks(loop):
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.wait(tasks, timeout=0.1))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def finished(transaction: Any, count: int, patience: float = 30.0) -> None:
    """Wait until that many gen_ai spans have ended: litellm calls back from other threads."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        spans = [s for s in transaction._span_recorder.spans if s.op == "gen_ai.chat"]
        if sum(span.timestamp is not None for span in spans) >= count:
            return
        await asyncio.sleep(0.02)
