"""What guarding a whole request costs: ``python -m benchmarks.request``.

CPU time of ``build_request`` and ``send`` of a `GuardedClient` over a mock transport, against the
same of an `httpx.Client`, of clean bodies. Beside it what has no goal, since a guard can but add to
it: a body that the caller serialized, as the OpenAI and Anthropic SDKs do, a request without a
body, and a dirty body (against a clean one, unguarded).

Not measured: the network, and HTTP/1.1 itself, which are in `benchmarks.end_to_end`.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from benchmarks import bodies, goals, variants
from benchmarks.dirty import one_span
from benchmarks.measure import Side, copies, main, repeated
from body_guard import GuardedAsyncClient, GuardedClient

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.goals import Goal
    from benchmarks.measure import Bench

__all__ = ["run"]

_URL = "https://api.example.com/v1/chat/completions"
_HEADERS = {"Authorization": "Bearer k", "Content-Type": "application/json"}


def _answer(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200)


def _json(client: httpx.Client, value: object) -> httpx.Response:
    return client.send(client.build_request("POST", _URL, json=value))


def _bytes(client: httpx.Client, content: bytes) -> httpx.Response:
    return client.send(client.build_request("POST", _URL, content=content, headers=_HEADERS))


def _get(client: httpx.Client, _: object) -> httpx.Response:
    return client.send(client.build_request("GET", _URL))


def _async(loop: asyncio.AbstractEventLoop, client: httpx.AsyncClient, value: object) -> None:
    async def send() -> None:
        await client.send(client.build_request("POST", _URL, json=value))

    loop.run_until_complete(send())


def _compared(
    bench: Bench,
    subject: str,
    act: Callable[[Any, Any], object],
    clients: Mapping[str, Any],
    fresh: Callable[[], list[Any]],
    *,
    dirty: Callable[[], list[Any]] | None = None,
    goal: Goal | None = None,
) -> None:
    """Compare clients with the first of them, which alone is given clean values if some are not."""
    first, *guarded = clients
    sides = {side: Side(partial(act, clients[side]), dirty or fresh) for side in guarded}
    race = bench.race({first: Side(partial(act, clients[first]), fresh), **sides})
    bench.ratios(subject, race, first, dict.fromkeys(guarded, goal))


def _clean(bench: Bench, clients: Mapping[str, Any], transport: httpx.MockTransport) -> None:
    recorded = bodies.recorded()
    if recorded is None:
        bench.note(f"recorded bodies: left out, {bodies.RECORDED} is not there")
    clean = [bodies.clean(name, bench.quick) for name in bodies.CLEAN]
    for body in (*clean, *([recorded] if recorded else [])):
        fresh = partial(body.fresh, repeated(body.size, quick=bench.quick))
        _compared(bench, body.name, _json, clients, fresh, goal=goals.REQUEST)
    asynchronous = {
        "httpx": httpx.AsyncClient(transport=transport),
        "guarded": GuardedAsyncClient(transport=transport),
    }
    loop = asyncio.new_event_loop()
    for name in ("chat 1 KB", "chat 20 KB"):
        body = bodies.clean(name, bench.quick)
        fresh = partial(body.fresh, repeated(body.size, quick=bench.quick))
        act = partial(_async, loop)
        _compared(bench, f"{name}, async", act, asynchronous, fresh, goal=goals.REQUEST)
    loop.close()


def _others(bench: Bench, clients: Mapping[str, Any]) -> None:
    for name in ("chat 1 KB", "chat 200 KB", "tools 1 MB", "vision 5 MB"):
        body = bodies.clean(name, bench.quick)
        times = repeated(body.size, quick=bench.quick)
        fresh = partial(copies, body.texts[0].encode(), times)
        _compared(bench, f"{name}, as bytes", _bytes, clients, fresh)
    _compared(bench, "no body", _get, clients, lambda: [None] * (1 if bench.quick else 200))
    for name in ("chat 1 KB", "chat 200 KB", "tools 1 MB"):
        body = bodies.clean(name, bench.quick)
        fresh = partial(body.fresh, repeated(body.size, quick=bench.quick))
        dirty = partial(_with_spans, fresh)
        _compared(bench, f"one Span in {name}", _json, clients, fresh, dirty=dirty)


def _with_spans(fresh: Callable[[], list[Any]]) -> list[Any]:
    values = fresh()
    for value in values:
        one_span(value)
    return values


def run(bench: Bench) -> None:
    """Measure requests of every clean body, and of some others."""
    log = logging.getLogger("body_guard")  # what it says of dirty bodies goes nowhere
    log.addHandler(logging.NullHandler())
    log.propagate = False
    transport, policy = httpx.MockTransport(_answer), variants.every_preset()
    clients: dict[str, httpx.Client] = {
        "httpx": httpx.Client(transport=transport),
        "guarded": GuardedClient(transport=transport),
    }
    if policy:
        clients["guarded, all presets"] = GuardedClient(transport=transport, policy=policy)
    _clean(bench, clients, transport)
    _others(bench, clients)


if __name__ == "__main__":
    main(__doc__, {"request": run})
