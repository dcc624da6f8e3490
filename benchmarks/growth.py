"""How the cost grows: ``python -m benchmarks.growth``.

Series of bodies, each larger, dirtier or deeper than the one before, and the exponent of the CPU
time: the slope of its logarithm over that of the size, by least squares, fitted to every round.
1 is linear; the goal, for the size, is 1.1. What every body costs alike pulls an exponent down, and
memory that no cache holds any more pushes it up, so httpx's own stands beside it, and ``the last
step`` is the slope between the two largest alone.

Shared references are counted twice: by what is written, where they are encoded, and by the number
of containers, where unfolding them would end nowhere and they are refused.
"""

from __future__ import annotations

import math
import random
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks import bodies, goals
from benchmarks.encode import httpx_encode
from benchmarks.measure import Side, Spread, copies, main, repeated
from benchmarks.shared import outcome
from body_guard import Sanitizer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.goals import Goal
    from benchmarks.measure import Bench, Race

__all__ = ["run"]

_SANITIZER = Sanitizer()
_SIZES = (10**3, 10**4, 10**5, 10**6, 10**7, 5 * 10**7)


def _encode(value: object) -> bytes:
    return _SANITIZER.encode(value)[0]


def _judge(content: bytes) -> bytes:
    return _SANITIZER.sanitize_bytes(content, "application/json")[0]


def slope(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return the exponent of a cost in a size, by least squares of the logarithms."""
    across, up = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    left, low = sum(across) / len(across), sum(up) / len(up)
    product = sum((x - left) * (y - low) for x, y in zip(across, up, strict=True))
    return product / sum((x - left) ** 2 for x in across)


def _series(
    bench: Bench,
    what: str,
    races: Mapping[float, Race],
    base: str | None = None,
    goal: Goal | None = None,
) -> None:
    """Keep the figures of a series of races, and the exponents of the sides; goal: of ours."""
    for at, race in races.items():
        if base:
            bench.ratios(f"{what}: {at:,.0f}", race, base, at=at)
            continue
        for side, laps in race.cpu.items():
            spread = Spread.of(1e6 * seconds for seconds in laps)
            bench.row(f"{what}: {at:,.0f}", side, "us", spread, at=at)
    sizes = list(races)
    for side in races[sizes[0]].cpu:
        rounds = list(zip(*(race.cpu[side] for race in races.values()), strict=True))
        fitted = Spread.of(slope(sizes, costs) for costs in rounds)
        promised = None if side == base else goal
        bench.row(f"{what}: exponent", side, "", fitted, goal=promised)
        last = Spread.of(slope(sizes[-2:], costs[-2:]) for costs in rounds)
        bench.row(f"{what}: exponent, the last step", side, "", last)


def _sizes(bench: Bench, rounds: int) -> None:
    for make in (bodies.chat, bodies.tools, bodies.vision):
        values: dict[float, Race] = {}
        contents: dict[float, Race] = {}
        for size in _SIZES[:2] if bench.quick else _SIZES:
            body = bodies.sized(make, size)
            fresh = partial(body.fresh, repeated(body.size, quick=bench.quick))
            sides = {"httpx": Side(httpx_encode, fresh), "guarded": Side(_encode, fresh)}
            values[body.size] = bench.race(sides, rounds=rounds)
            again = partial(copies, body.texts[0].encode(), repeated(body.size, quick=bench.quick))
            contents[body.size] = bench.race({"guarded": Side(_judge, again)}, rounds=rounds)
        _series(bench, f"{make.__name__} of so many bytes", values, "httpx", goals.GROWTH)
        what = f"{make.__name__} already serialized, of so many bytes"
        _series(bench, what, contents, goal=goals.GROWTH)


def _places(bench: Bench, rounds: int) -> None:
    steps = (10, 100) if bench.quick else (10, 100, 1_000, 10_000)
    kinds: dict[str, Callable[[], object]] = {
        "live objects": bodies.Span,
        "lone surrogates": lambda: "half \udc9f of a pair",
        "infinities": lambda: math.inf,
    }
    for kind, make in kinds.items():
        races: dict[float, Race] = {}
        for places in steps:

            def fresh(places: int = places, make: Callable[[], object] = make) -> list[Any]:
                messages = [{"role": "user", "content": make()} for _ in range(places)]
                return [{"model": "m-1", "messages": messages}]

            races[places] = bench.race({"guarded": Side(_encode, fresh)}, rounds=rounds)
        _series(bench, f"so many {kind}", races)
    races = {}
    for places in steps:
        body = bodies.dirtied(bodies.tools(10**6, random.Random(1)), places, random.Random(2))
        again = partial(copies, bodies.written(body).encode(), 1)
        races[places] = bench.race({"guarded": Side(_judge, again)}, rounds=rounds)
    what = "1 MB already serialized, so many forbidden members"
    _series(bench, what, races)


def _depths(bench: Bench, rounds: int) -> None:
    clean: dict[float, Race] = {}
    dirty: dict[float, Race] = {}
    for levels in (10, 30) if bench.quick else (10, 30, 100, 300, 900):
        body = bodies.sized(bodies.deep, levels)
        fresh = partial(body.fresh, 1 if bench.quick else 20)
        sides = {"httpx": Side(httpx_encode, fresh), "guarded": Side(_encode, fresh)}
        clean[levels] = bench.race(sides, rounds=rounds)

        def with_span(fresh: Callable[[], list[Any]] = fresh) -> list[Any]:
            values = fresh()
            for value in values:
                bodies.dicts(value)[-1]["_sentry_span"] = bodies.Span()
            return values

        dirty[levels] = bench.race({"guarded": Side(_encode, with_span)}, rounds=rounds)
    _series(bench, "so many levels", clean, "httpx")
    _series(bench, "a live object below so many levels", dirty)


def _shared(bench: Bench, rounds: int) -> None:
    races: dict[float, Race] = {}
    for times in (6, 8) if bench.quick else (8, 12, 16, 20):
        side = Side(_encode, lambda times=times: [bodies.doubled(times, 1)])  # type: ignore[misc]
        races[2.0**times] = bench.race({"guarded": side}, rounds=rounds)
    _series(bench, "shared lists, written as so many", races)
    races = {}
    for times in (60, 120) if bench.quick else (60, 120, 240, 480):
        side = Side(partial(outcome, _SANITIZER), lambda times=times: [bodies.doubled(times, 1)])  # type: ignore[misc]
        races[times] = bench.race({"guarded": side}, rounds=rounds)
    _series(bench, "shared lists refused, so many", races)


def run(bench: Bench) -> None:
    """Measure every series; a fifth of the rounds each, since the largest bodies take seconds."""
    rounds = max(1, bench.rounds // 5)
    for series in (_sizes, _places, _depths, _shared):
        series(bench, rounds)


if __name__ == "__main__":
    main(__doc__, {"growth": run})
