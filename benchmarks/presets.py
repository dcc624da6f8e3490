"""What presets, schemas and ``stringified`` cost: ``python -m benchmarks.presets``.

Clean bodies, judged by the default policy and by ones that ask for more: microseconds of CPU, and
how many times the default's. Fresh objects and fresh bytes in each round, rounds in turn, medians;
the garbage collector off. Not measured: a body with something to take out.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import time
from typing import TYPE_CHECKING, Any

from benchmarks import bodies
from body_guard import Policy, Sanitizer, presets
from body_guard.core.preset_tables import PRESETS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

POLICIES = {
    "default": Policy(),
    "sentry, litellm": Policy(presets("sentry", "litellm")),
    "all presets": Policy(presets(*PRESETS)),
    'schema="openai"': Policy(schema="openai"),
    'stringified="report"': Policy(stringified="report"),
}

BODIES: dict[str, Callable[[random.Random], dict[str, Any]]] = {
    "chat 1 KB": lambda pick: bodies.chat(1000, pick),
    "chat 200 KB": lambda pick: bodies.chat(200_000, pick),
    "tools 1 MB": lambda pick: bodies.tools(1_000_000, pick),
    "vision 5 MB": lambda pick: bodies.vision(5_000_000, pick),
}


def timed(call: Callable[[Any], object], values: list[Any]) -> float:
    """Give the microseconds of CPU that one call takes."""
    start = time.thread_time()
    for value in values:
        call(value)
    return (time.thread_time() - start) / len(values) * 1e6


def table(
    what: str, calls: Mapping[str, Callable[[Any], object]], rounds: int, *, text: bool
) -> None:
    print(f"{what:<12} " + " ".join(f"{name:>22}" for name in calls))
    for shape, make in BODIES.items():
        body = json.dumps(make(random.Random(1)), ensure_ascii=False)
        repeat = max(1, 100_000 // len(body))
        times: dict[str, list[float]] = {name: [] for name in calls}
        gc.disable()
        for _ in range(rounds):
            for name, call in calls.items():
                fresh: list[Any] = [
                    body.encode() if text else json.loads(body) for _ in range(repeat)
                ]
                times[name].append(timed(call, fresh))
        gc.enable()
        medians = {name: statistics.median(seen) for name, seen in times.items()}
        least = medians["default"]
        cells = (f"{value:13,.0f} {value / least:7.2f}x" for value in medians.values())
        print(f"{shape:<12} " + " ".join(cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    sanitizers = {name: Sanitizer(policy) for name, policy in POLICIES.items()}
    encoded = {name: one.encode for name, one in sanitizers.items()}
    judged = {name: one.sanitize_bytes for name, one in sanitizers.items()}
    table("encode, us", encoded, rounds, text=False)
    print()
    table("bytes, us", judged, rounds, text=True)


if __name__ == "__main__":
    main()
