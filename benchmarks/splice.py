"""What judging bytes costs: ``python -m benchmarks.splice``.

First table: bytes that are clean, from 1 KB to 50 MB, are searched and never parsed: GB/s, and how
many times faster than a ``memchr`` of the same bytes they are not. Second table: a splice of 1, 10
and 1,000 forbidden members against ``json.loads`` alone of the same text. CPU time of the thread,
interleaved rounds, medians and the middle half of the rounds; fresh bytes for each round, the
garbage collector off. Not measured: a body whose names are spelled with escapes.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import time
from typing import TYPE_CHECKING

from benchmarks import bodies
from body_guard import Sanitizer

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = {
    "1 KB": 10**3,
    "10 KB": 10**4,
    "100 KB": 10**5,
    "1 MB": 10**6,
    "10 MB": 10**7,
    "50 MB": 5 * 10**7,
}


def timed(call: Callable[[bytes], object], text: bytes, repeat: int) -> float:
    """Give the seconds of CPU that one call takes."""
    copies = [bytes(bytearray(text)) for _ in range(repeat)]
    start = time.thread_time()
    for copy in copies:
        call(copy)
    return (time.thread_time() - start) / repeat


def rounds(calls: list[Callable[[bytes], object]], text: bytes, count: int) -> list[list[float]]:
    """Time calls in turn; give the seconds of each call, by call."""
    repeat = max(1, min(200, 10**6 // len(text)))
    times: list[list[float]] = [[] for _ in calls]
    gc.disable()
    for _ in range(count):
        for call, seconds in zip(calls, times, strict=True):
            seconds.append(timed(call, text, repeat))
    gc.enable()
    return times


def spread(values: list[float]) -> str:
    """Give median and middle half."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:7.2f} ({low:.2f} to {high:.2f})"


def sanitize(text: bytes) -> object:
    """Judge bytes."""
    return SANITIZER.sanitize_bytes(text, "application/json")


def search(text: bytes) -> object:
    """Read the bytes once, as fast as the standard library can."""
    return text.find(b"\x00")


SANITIZER = Sanitizer()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    count = parser.parse_args().rounds
    pick = random.Random(1)
    print("clean bytes: GB/s, median (middle half)      search of one byte")
    for shape in (bodies.chat, bodies.vision, bodies.tools):
        for name, size in SIZES.items():
            text = json.dumps(shape(size, pick), ensure_ascii=False).encode()
            judged, searched = rounds([sanitize, search], text, count)
            speeds = [
                [len(text) / seconds / 1e9 for seconds in times] for times in (judged, searched)
            ]
            print(f"{shape.__name__:>7} {name:>7} {spread(speeds[0])}   {spread(speeds[1])}")
    print("\nsplice: times json.loads alone, median (middle half)")
    for shape, size in ((bodies.chat, 200_000), (bodies.tools, 10**6), (bodies.vision, 5 * 10**6)):
        for hits in (1, 10, 1000):
            body = bodies.dirtied(shape(size, pick), hits, pick)
            text = json.dumps(body, ensure_ascii=False).encode()
            judged, loaded = rounds([sanitize, json.loads], text, count)
            ratios = [one / other for one, other in zip(judged, loaded, strict=True)]
            print(f"{shape.__name__:>7} {len(text):>9,} bytes, {hits:>5} hits {spread(ratios)}")


if __name__ == "__main__":
    main()
