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

from benchmarks import bodies, dirty, goals, variants
from benchmarks.measure import Side, copies, main, repeated
from body_guard import GuardedAsyncClient, GuardedClient

if TYPE_CHECKING:
    from collections.abc import Callable

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


def _async(client: httpx.AsyncClient, loop: asyncio.AbstractEventLoop, value: object) -> None:
    async def send() -> None:
        await client.send(client.build_request("POST", _URL, json=value))

    loop.run_until_complete(send())


def _compared(
    bench: Bench,
    subject: str,
    act: Callable[[Any, Any], object],
    fresh: Callable[[], list[Any]],
    clients: dict[str, Any],
    goal: Goal | None = None,
) -> None:
    race = bench.race({name: Side(partial(act, client), fresh) for name, client in clients.items()})
    first, *others = clients
    bench.ratios(subject, race, first, dict.fromkeys(others, goal))


def run(bench: Bench) -> None:
    """Measure requests of every clean body, and of some others."""
    transport, policy = httpx.MockTransport(_answer), variants.every_preset()
    clients: dict[str, httpx.Client] = {
        "httpx": httpx.Client(transport=transport),
        "guarded": GuardedClient(transport=transport),
    }
    if policy:
        clients["guarded, all presets"] = GuardedClient(transport=transport, policy=policy)
    recorded = bodies.recorded()
    if recorded is None:
        bench.note(f"recorded bodies: left out, {bodies.RECORDED} is not there")
    clean = [bodies.clean(name, bench.quick) for name in bodies.CLEAN]
    for body in (*clean, *([recorded] if recorded else [])):
        fresh = partial(body.fresh, repeated(body.size, quick=bench.quick))
        _compared(bench, body.name, _json, fresh, clients, goals.REQUEST)

    loop = asyncio.new_event_loop()
    body = bodies.clean("chat 20 KB", bench.quick)
    fresh = partial(body.fresh, repeated(body.size, quick=bench.quick))
    asynchronous = {
        "httpx": httpx.AsyncClient(transport=transport),
        "guarded": GuardedAsyncClient(transport=transport),
    }
    act = partial(_async, loop=loop)
    _compared(
        bench,
        f"{body.name}, async",
        lambda client, value: act(client, value=value),
        fresh,
        asynchronous,
        goals.REQUEST,
    )
    loop.close()

    for name in ("chat 1 KB", "chat 200 KB", "tools 1 MB", "vision 5 MB"):
        body = bodies.clean(name, bench.quick)
        times = repeated(body.size, quick=bench.quick)
        content = body.texts[0].encode()
        _compared(bench, f"{name}, as bytes", _bytes, partial(copies, content, times), clients)
    _compared(bench, "no body", _get, lambda: [None] * (1 if bench.quick else 200), clients)
    _dirty(bench, clients)


def _dirty(bench: Bench, clients: dict[str, httpx.Client]) -> None:
    """Compare a guarded client's dirty request with a plain client's clean one."""
    log = logging.getLogger("body_guard")
    log.addHandler(logging.NullHandler())
    log.propagate = False
    for name in ("chat 1 KB", "chat 200 KB", "tools 1 MB"):
        body = bodies.clean(name, bench.quick)
        times = repeated(body.size, quick=bench.quick)

        def with_span(body: bodies.Body = body, times: int = times) -> list[Any]:
            values = body.fresh(times)
            for value in values:
                dirty.one_span(value)
            return values

        race = bench.race(
            {
                side: Side(
                    partial(_json, client),
                    partial(body.fresh, times) if side == "httpx" else with_span,
                )
                for side, client in clients.items()
            }
        )
        guarded = [side for side in clients if side != "httpx"]
        bench.ratios(f"one Span in {name}", race, "httpx", dict.fromkeys(guarded))


if __name__ == "__main__":
    main(__doc__, {"request": run})
