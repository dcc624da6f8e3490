"""What guarding costs on the wire: ``python -m benchmarks.end_to_end``.

Clients of httpx, guarded and not, against a server in another process on the loopback interface:
one request after another, sync and async, and 32 at once. CPU time of the client's process for a
request, as a ratio; requests a second by the wall clock, which is the machine's as much as ours.
Then the longest that one body of 50 MB keeps an event loop from turning, with the garbage collector
as an application has it.

Not measured: TLS, HTTP/2, a network that is slower than memory.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from benchmarks import bodies, goals
from benchmarks.measure import Side, Spread, main
from benchmarks.server import serving
from body_guard import GuardedAsyncClient, GuardedClient

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from benchmarks.measure import Bench, Race

__all__ = ["run"]

_BODIES = ("chat 1 KB", "chat 20 KB", "chat 200 KB", "tools 1 MB")
_AT_ONCE = 32


def _sync(client: httpx.Client, batch: Sequence[object]) -> None:
    for value in batch:
        client.post("/v1/chat/completions", json=value).raise_for_status()


async def _one_by_one(client: httpx.AsyncClient, batch: Sequence[object]) -> None:
    for value in batch:
        (await client.post("/v1/chat/completions", json=value)).raise_for_status()


async def _at_once(client: httpx.AsyncClient, batch: Sequence[object]) -> None:
    shares = [batch[start::_AT_ONCE] for start in range(_AT_ONCE)]
    await asyncio.gather(*(_one_by_one(client, share) for share in shares))


def _kept(bench: Bench, subject: str, race: Race) -> None:
    goal = goals.REQUEST_1_KB if subject.startswith("chat 1 KB") else goals.REQUEST
    bench.ratios(f"{subject}, CPU", race, "httpx", goals=[goal])
    for side, seconds in race.wall.items():
        rate = Spread.of(1 / second for second in seconds)
        bench.row(f"{subject}, requests", side, "/s", rate)


def _batches(bench: Bench, name: str, least: int) -> tuple[int, Any]:
    body = bodies.clean(name, bench.quick)
    count = 4 if bench.quick else max(least, min(200, 4 * 10**6 // body.size))
    return count, lambda: [body.fresh(count)]


def _throughput(bench: Bench, url: str, loop: asyncio.AbstractEventLoop) -> None:
    limits = httpx.Limits(max_connections=_AT_ONCE)
    sync: dict[str, httpx.Client] = {
        "httpx": httpx.Client(base_url=url, trust_env=False),
        "guarded": GuardedClient(base_url=url, trust_env=False),
    }
    clients: dict[str, httpx.AsyncClient] = {
        "httpx": httpx.AsyncClient(base_url=url, limits=limits, trust_env=False),
        "guarded": GuardedAsyncClient(base_url=url, limits=limits, trust_env=False),
    }
    clock = time.process_time
    for name in _BODIES[: 1 if bench.quick else None]:
        count, fresh = _batches(bench, name, 4)
        sides = {side: Side(partial(_sync, client), fresh) for side, client in sync.items()}
        _kept(bench, f"{name}, sync", bench.race(sides, clock=clock, per=count))
        for way, send, least in (("async", _one_by_one, 4), ("32 at once", _at_once, _AT_ONCE)):
            count, fresh = _batches(bench, name, least)
            sides = {
                side: Side(partial(_run, loop, send, client), fresh)
                for side, client in clients.items()
            }
            _kept(bench, f"{name}, {way}", bench.race(sides, clock=clock, per=count))
    for plain in sync.values():
        plain.close()
    for client in clients.values():
        loop.run_until_complete(client.aclose())


def _run(loop: asyncio.AbstractEventLoop, send: Any, client: Any, batch: Any) -> None:
    made: Coroutine[Any, Any, None] = send(client, batch)
    loop.run_until_complete(made)


async def _stall(client: httpx.AsyncClient, value: object) -> float:
    """Return the longest time between two turns of the event loop while a body is sent."""
    longest, last, sent = 0.0, time.perf_counter(), False

    async def tick() -> None:
        nonlocal longest, last
        while not sent:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0.01)
    longest = 0.0
    await client.post("/v1/chat/completions", json=value)
    sent = True
    await ticking
    return longest


def _stalls(bench: Bench, url: str, loop: asyncio.AbstractEventLoop) -> None:
    clients: dict[str, httpx.AsyncClient] = {
        "httpx": httpx.AsyncClient(base_url=url, timeout=60, trust_env=False),
        "guarded": GuardedAsyncClient(base_url=url, timeout=60, trust_env=False),
    }
    size = 10**5 if bench.quick else 5 * 10**7
    for make in (bodies.chat, bodies.vision, bodies.tools):
        body = bodies.sized(make, size)
        stalls: dict[str, list[float]] = {side: [] for side in clients}
        for _ in range(max(1, bench.rounds // 5)):
            for side, client in clients.items():
                longest = loop.run_until_complete(_stall(client, body.fresh()[0]))
                stalls[side].append(longest)
        subject = f"{body.name}, longest stall"
        pairs = zip(stalls["guarded"], stalls["httpx"], strict=True)
        ratio = Spread.of(one / other for one, other in pairs)
        bench.row(subject, "guarded", "x", ratio, base=statistics.median(stalls["httpx"]))
        for side, seconds in stalls.items():
            bench.row(subject, side, "ms", Spread.of(1e3 * second for second in seconds))
    for client in clients.values():
        loop.run_until_complete(client.aclose())


def run(bench: Bench) -> None:
    """Measure requests, then stalls."""
    loop = asyncio.new_event_loop()
    try:
        with serving() as url:
            _throughput(bench, url, loop)
            _stalls(bench, url, loop)
    finally:
        loop.close()


if __name__ == "__main__":
    main(__doc__, {"end_to_end": run})
