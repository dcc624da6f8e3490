"""What shared containers cost: ``python -m benchmarks.shared``.

A list that holds one list twice, which holds one twice, and so on: n doublings are n + 1 containers
and 2**n places. Twenty doublings are encoded, as json would; sixty are refused without being
unfolded (goal: 2 s). CPU time of the thread, a fifth of the rounds; peak of tracemalloc in another
run.
"""

from __future__ import annotations

import tracemalloc
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import goals
from benchmarks.measure import Side, Spread, main
from body_guard import BodyLimitError, Sanitizer

if TYPE_CHECKING:
    from benchmarks.measure import Bench

__all__ = ["doubled", "outcome", "run"]


def doubled(times: int, leaf: object) -> object:
    """Give a value of `times` + 1 containers that unfolds to 2**times leaves."""
    value = [leaf]
    for _ in range(times):
        value = [value, value]
    return value


def outcome(value: object) -> str:
    """Encode a value; say what came of it."""
    try:
        content, report = Sanitizer().encode(value)
    except BodyLimitError:
        return "refused"
    places = len(report.findings) + report.omitted
    return f"{len(content):,} bytes" + (f", {places:,} findings" if places else "")


def run(bench: Bench) -> None:
    """Measure values of few containers and many places."""
    for times in (10, 60) if bench.quick else (20, 60):
        for leaf in (1, {"_sentry_x": 1}):
            value = doubled(times, leaf)
            kind = "clean" if leaf == 1 else "dirty"
            what = f"{times} doublings, {kind}: {outcome(value)}"
            fresh = partial(_one, times, leaf)
            rounds = max(1, bench.rounds // 5)
            race = bench.race({"guarded": Side(outcome, fresh)}, rounds=rounds)
            goal = goals.SHARED if times == 60 else None
            bench.row(what, "guarded", "s", Spread.of(race.cpu["guarded"]), goal=goal)
            tracemalloc.start()
            outcome(value)
            peak = tracemalloc.get_traced_memory()[1] / 2**20
            tracemalloc.stop()
            bench.row(f"{what}, peak", "guarded", "MiB", Spread.of([peak]))


def _one(times: int, leaf: object) -> list[object]:
    return [doubled(times, leaf)]


if __name__ == "__main__":
    main(__doc__, {"shared": run})
