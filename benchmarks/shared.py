"""What shared containers cost: ``python -m benchmarks.shared``.

A list that holds one list twice, which holds one twice, and so on: n doublings are n + 1 containers
and 2**n places. Twenty doublings are encoded, as json would; sixty are refused without being
unfolded (goal: 2 s). CPU time of the process, peak of tracemalloc in a second run.
"""

from __future__ import annotations

import time
import tracemalloc

from body_guard import BodyLimitError, Sanitizer


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


def main() -> None:
    for times, leaf in ((20, 1), (20, {"_sentry_x": 1}), (60, 1), (60, {"_sentry_x": 1})):
        value = doubled(times, leaf)
        start = time.process_time()
        said = outcome(value)
        seconds = time.process_time() - start
        tracemalloc.start()
        outcome(value)
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        kind = "dirty" if isinstance(leaf, dict) else "clean"
        print(f"{times} doublings, {kind}: {said:<36} {seconds:6.3f} s, peak {peak:6.1f} MiB")


if __name__ == "__main__":
    main()
