"""What judging bytes costs: ``python -m benchmarks.splice``.

First clean bytes, from 1 KB to 10 MB: GB/s, and beside it a search of the same bytes for one byte,
as fast as the standard library can read. At 1 KB it is the call that takes the time. Then cutting
1, 10 and 1,000 forbidden members, against ``json.loads`` alone of the same text. Not measured: a
body whose names are spelled with escapes.
"""

from __future__ import annotations

import json
import random
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import bodies, goals
from benchmarks.measure import Side, Spread, copies, main, repeated
from benchmarks.variants import SETTINGS
from body_guard import Sanitizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measure import Bench

__all__ = ["run"]

_SHAPES = {
    bodies.chat: (10**3, 10**4, 10**5, 10**6, 10**7),
    bodies.vision: (10**3, 10**5, 10**7),
    bodies.tools: (10**3, 10**4, 10**5, 10**6, 10**7),
    bodies.code: (10**4, 10**5, 10**6),
}


def _search(content: bytes) -> object:
    return content.find(b"\x00")


def _sides(fresh: Callable[[], list[bytes]]) -> dict[str, Side]:
    return {
        name: Side(Sanitizer(policy).sanitize_bytes, fresh, pure)
        for name, (policy, pure) in SETTINGS.items()
    }


def _clean(bench: Bench) -> None:
    for make, sizes in _SHAPES.items():
        for size in sizes[: 2 if bench.quick else None]:
            body = bodies.sized(make, size)
            content = body.texts[0].encode()
            fresh = partial(copies, content, repeated(size, quick=bench.quick))
            race = bench.race({**_sides(fresh), "a search of one byte": Side(_search, fresh)})
            goal = goals.BYTES_1_KB if size == 10**3 else goals.BYTES
            goal = goals.BYTES_CODE if make is bodies.code else goal
            for side, laps in race.cpu.items():
                speed = Spread.of(len(content) / seconds / 1e9 for seconds in laps)
                promised = goal if side in goal.limits else None
                bench.row(f"{body.name}, clean", side, "GB/s", speed, goal=promised)


def _cut(bench: Bench) -> None:
    for name in ("chat 200 KB", "tools 1 MB", "vision 5 MB"):
        for hits in (1, 10, 1000):
            value = bodies.clean(name, bench.quick).fresh()[0]
            body = bodies.dirtied(value, hits, random.Random(hits))
            content = bodies.written(body).encode()
            fresh = partial(copies, content, repeated(len(content), quick=bench.quick))
            race = bench.race({"json.loads": Side(json.loads, fresh), **_sides(fresh)})
            bench.ratios(f"{name}, {hits:,} cuts", race, "json.loads")


def run(bench: Bench) -> None:
    """Measure clean bytes, then cuts."""
    _clean(bench)
    _cut(bench)


if __name__ == "__main__":
    main(__doc__, {"splice": run})
