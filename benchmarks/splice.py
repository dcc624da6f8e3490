"""What judging bytes costs: ``python -m benchmarks.splice``.

First, bytes that are clean, from 1 KB to 50 MB, are searched and never parsed: GB/s, and beside it
a search of the same bytes for one byte, as fast as the standard library can read. At 1 KB it is the
call that takes the time. Then, a splice of 1, 10 and 1,000 forbidden members against ``json.loads``
alone of the same text. Not measured: a body whose names are spelled with escapes.
"""

from __future__ import annotations

import json
import random
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import bodies, goals, variants
from benchmarks.measure import Side, Spread, copies, main, repeated
from body_guard import Sanitizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measure import Bench

__all__ = ["run"]

_SIZES = (10**3, 10**4, 10**5, 10**6, 10**7, 5 * 10**7)


def _judge(sanitizer: Sanitizer, content: bytes) -> object:
    return sanitizer.sanitize_bytes(content, "application/json")


def _search(content: bytes) -> object:
    return content.find(b"\x00")


def _clean(bench: Bench) -> None:
    policy = variants.every_preset()
    acts: dict[str, Callable[[bytes], object]] = {"guarded": partial(_judge, Sanitizer())}
    if policy:
        acts["guarded, all presets"] = partial(_judge, Sanitizer(policy))
    acts["a search of one byte"] = _search
    for make in (bodies.chat, bodies.vision, bodies.tools):
        for size in _SIZES[: 2 if bench.quick else None]:
            body = bodies.sized(make, size)
            content = body.texts[0].encode()
            fresh = partial(copies, content, repeated(size, quick=bench.quick))
            race = bench.race({side: Side(act, fresh) for side, act in acts.items()})
            for side in acts:
                speed = Spread.of(len(content) / seconds / 1e9 for seconds in race.cpu[side])
                goal = goals.BYTES if side.startswith("guarded") else None
                bench.row(f"{body.name}, clean", side, "GB/s", speed, goal=goal)


def _cut(bench: Bench) -> None:
    for name in ("chat 200 KB", "tools 1 MB", "vision 5 MB"):
        for hits in (1, 10, 1000):
            value = bodies.clean(name, bench.quick).fresh()[0]
            body = bodies.dirtied(value, hits, random.Random(hits))
            content = bodies.written(body).encode()
            fresh = partial(copies, content, repeated(len(content), quick=bench.quick))
            sides = {
                "json.loads": Side(json.loads, fresh),
                "guarded": Side(partial(_judge, Sanitizer()), fresh),
            }
            race = bench.race(sides)
            bench.ratios(f"{name}, {hits:,} cuts", race, "json.loads", {"guarded": None})


def run(bench: Bench) -> None:
    """Measure clean bytes, then cuts."""
    _clean(bench)
    _cut(bench)


if __name__ == "__main__":
    main(__doc__, {"splice": run})
