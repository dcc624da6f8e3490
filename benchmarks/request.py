"""What guarding a whole request costs: ``python -m benchmarks.request``.

CPU time of ``build_request`` and ``send`` of a `GuardedClient` over a mock transport, against the
same of an `httpx.Client`, of clean bodies: given as ``json=``, and as bytes that the caller
serialized, as SDKs do. Audits stand beside enforcing clients. Where the bytes are more than 1 KB,
their second row compares with httpx and `Sanitizer.sanitize_bytes` together: what the doors cost
beyond the scan. Then what has no goal: a request without a body, and a dirty body (against a clean
one, unguarded).

Not measured: the network, and HTTP/1.1 itself, which are in `benchmarks.end_to_end`.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from benchmarks import bodies, goals
from benchmarks.dirty import one_span
from benchmarks.measure import Side, copies, main, repeated
from benchmarks.variants import SETTINGS, Setting
from body_guard import GuardedAsyncClient, GuardedClient, Sanitizer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.measure import Bench

__all__ = ["run"]

_URL = "https://api.example.com/v1/chat/completions"
_HEADERS = {"Authorization": "Bearer k", "Content-Type": "application/json"}

_TRANSPORT = httpx.MockTransport(lambda _: httpx.Response(200))

_GUARDED = {name: setting for name, setting in SETTINGS.items() if not setting.pure}
_AUDITS = {
    name.replace("guarded", "audit"): Setting(replace(setting.policy, mode="audit"))
    for name, setting in _GUARDED.items()
}


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


def _sides(
    act: Callable[[Any, Any], object],
    fresh: Callable[[], list[Any]],
    settings: Mapping[str, Setting] = _GUARDED,
    *,
    dirty: Callable[[], list[Any]] | None = None,
    plain: Callable[..., Any] = httpx.Client,
    guarded: Callable[..., Any] = GuardedClient,
) -> dict[str, Side]:
    """Return httpx, which gets clean values, and guarded clients."""
    sides = {"httpx": Side(partial(act, plain(transport=_TRANSPORT)), fresh)}
    for name, (policy, pure) in settings.items():
        client = guarded(transport=_TRANSPORT, policy=policy)
        sides[name] = Side(partial(act, client), dirty or fresh, pure)
    return sides


def _values(bench: Bench) -> None:
    recorded = bodies.recorded()
    if recorded is None:
        bench.note(f"recorded bodies: left out, {bodies.RECORDED} is not there")
    clean = [bodies.clean(name, bench.quick) for name in bodies.CLEAN]
    for body in (*clean, *([recorded] if recorded else [])):
        fresh = partial(body.fresh, repeated(body.size, quick=bench.quick))
        race = bench.race(_sides(_json, fresh, {**SETTINGS, **_AUDITS}))
        goal = goals.REQUEST_1_KB if body.name == "chat 1 KB" else goals.REQUEST
        bench.ratios(body.name, race, "httpx", goals=[goal])
    loop = asyncio.new_event_loop()
    for name in ("chat 1 KB", "chat 20 KB"):
        body = bodies.clean(name, bench.quick)
        fresh = partial(body.fresh, repeated(body.size, quick=bench.quick))
        act = partial(_async, loop)
        sides = _sides(act, fresh, plain=httpx.AsyncClient, guarded=GuardedAsyncClient)
        goal = goals.REQUEST_1_KB if name == "chat 1 KB" else goals.REQUEST
        bench.ratios(f"{name}, async", bench.race(sides), "httpx", goals=[goal])
    loop.close()


def _contents(bench: Bench) -> None:
    settings = {**_GUARDED, **_AUDITS}
    names = ("chat 1 KB", "chat 20 KB", "chat 200 KB", "tools 1 MB", "vision 5 MB", "code 100 KB")
    for name in names:
        body = bodies.clean(name, bench.quick)
        times = repeated(body.size, quick=bench.quick)
        fresh = partial(copies, body.texts[0].encode(), times)
        scans = {
            f"scan for {side}": Side(Sanitizer(setting.policy).sanitize_bytes, fresh)
            for side, setting in settings.items()
        }
        is_small = name == "chat 1 KB"
        race = bench.race({**_sides(_bytes, fresh, settings), **({} if is_small else scans)})
        small_goals = [goals.SENT_1_KB] if is_small else []
        bench.ratios(f"{name}, as bytes", race, "httpx", goals=small_goals, of=settings)
        if not is_small:
            subject, scan = f"{name}, as bytes, to httpx and the scan", "scan for {}"
            for side in settings:
                both = ("httpx", scan.format(side))
                bench.ratios(subject, race, *both, goals=[goals.SENT], of=[side])


def _others(bench: Bench) -> None:
    nothing = [None] * (1 if bench.quick else 200)
    bench.ratios("no body", bench.race(_sides(_get, lambda: nothing)), "httpx")
    for name in ("chat 1 KB", "chat 200 KB", "tools 1 MB"):
        body = bodies.clean(name, bench.quick)
        fresh = partial(body.fresh, repeated(body.size, quick=bench.quick))
        race = bench.race(_sides(_json, fresh, dirty=partial(_with_spans, fresh)))
        bench.ratios(f"one Span in {name}", race, "httpx")


def _with_spans(fresh: Callable[[], list[Any]]) -> list[Any]:
    values = fresh()
    for value in values:
        one_span(value)
    return values


def run(bench: Bench) -> None:
    """Measure requests of every clean body, and of some others."""
    log = logging.getLogger("body_guard")  # nobody reads what it says of dirty bodies
    log.addHandler(logging.NullHandler())
    log.propagate = False
    _values(bench)
    _contents(bench)
    _others(bench)


if __name__ == "__main__":
    main(__doc__, {"request": run})
