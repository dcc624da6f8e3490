"""What bodies that are no trees cost: ``python -m benchmarks.shared``.

Cycles and shared containers, in bodies of 34 KB that httpx refuses or would unfold to terabytes.
CPU time of `Sanitizer.encode` against that of `Sanitizer.sanitize`, which walks and writes nothing;
the longest that any one encoding took, since an event loop waits for it; the peak of what it
allocates, from tracemalloc, in another run. Whether a body is encoded or refused stands in its row.
"""

from __future__ import annotations

import tracemalloc
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import bodies, goals
from benchmarks.measure import Side, Spread, main
from benchmarks.variants import SETTINGS
from body_guard import BodyLimitError, Sanitizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measure import Bench

__all__ = ["outcome", "run"]


def outcome(sanitizer: Sanitizer, value: object) -> str:
    """Encode a value; return what came of it."""
    try:
        return f"{len(sanitizer.encode(value)[0]):,} bytes"
    except BodyLimitError:
        return "refused"


def run(bench: Bench) -> None:
    """Measure each body: its memory, then its time in each setting."""
    for body, make in bodies.TANGLED.items():
        value, fresh = make(), partial(_one, make)
        tracemalloc.start()
        subject = f"{body}: {outcome(Sanitizer(), value)}"
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        bench.row(f"{subject}, peak", "guarded", "MiB", Spread.of([peak]))
        for name, (policy, pure) in SETTINGS.items():
            sanitizer = Sanitizer(policy)
            sides = {
                "sanitize": Side(sanitizer.sanitize, fresh, pure),
                name: Side(partial(outcome, sanitizer), fresh, pure),
            }
            race = bench.race(sides)
            bench.ratios(subject, race, "sanitize", goals=[goals.TANGLED])
            goal = goals.STALL if name in goals.STALL.limits else None
            longest = Spread.of([1e3 * max(race.cpu[name])])
            bench.row(f"{subject}, longest", name, "ms", longest, goal=goal)


def _one(make: Callable[[], object]) -> list[object]:
    return [make()]


if __name__ == "__main__":
    main(__doc__, {"shared": run})
