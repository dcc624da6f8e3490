"""What ``import body_guard`` costs, and what a client weighs: ``python -m benchmarks.import_time``.

Wall-clock time of the import statement alone, in fresh interpreters; beside it, that of httpx. The
goal is 50 ms. What an import adds to the process (resident memory, and what tracemalloc saw of it);
what a client allocates, guarded and not, without its connections; the peak of what encoding a body
allocates, beside httpx's.
"""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from typing import TYPE_CHECKING

from benchmarks import bodies, goals
from benchmarks.encode import httpx_encode
from benchmarks.measure import Spread, main
from body_guard import Sanitizer

if TYPE_CHECKING:
    from benchmarks.measure import Bench

__all__ = ["run"]

_TIMED = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"

# Asked once before, so that what the asking costs is not counted.
_WEIGHED = """
import re
def resident():
    with open("/proc/self/status") as lines:
        return int(re.search(r"VmRSS:\\s+(\\d+)", lines.read()).group(1)) / 1024
resident()
before = resident()
import {}
print(resident() - before)
"""

_TRACED = """
import tracemalloc
tracemalloc.start()
import {}
print(tracemalloc.get_traced_memory()[0] / 2**20)
"""

_CLIENTS = """
import gc, tracemalloc, httpx, body_guard
transport = httpx.MockTransport(lambda request: httpx.Response(200))
make = {}
kept = [make() for _ in range(3)]
tracemalloc.start()
kept += [make() for _ in range(200)]
gc.collect()
print(tracemalloc.get_traced_memory()[0] / 200 / 1024)
"""

_MAKERS = {
    "httpx.Client": "lambda: httpx.Client(transport=transport)",
    "GuardedClient": "lambda: body_guard.GuardedClient(transport=transport)",
    "guard(httpx.Client())": "lambda: body_guard.guard(httpx.Client(transport=transport))",
    "GuardedAsyncClient": "lambda: body_guard.GuardedAsyncClient(transport=transport)",
}


def number(program: str) -> float:
    """Return the number that a program prints, run by a fresh interpreter."""
    done = subprocess.run(  # noqa: S603  # our own interpreter, a fixed program
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def run(bench: Bench) -> None:
    """Measure imports, then clients, then encoding."""
    modules = ("body_guard",) if bench.quick else ("body_guard", "httpx", "body_guard.httpx")
    for module in modules:
        times = Spread.of(1e3 * number(_TIMED.format(module)) for _ in range(bench.rounds))
        goal = goals.IMPORT if module == "body_guard" else None
        bench.row(f"import {module}", "", "ms", times, goal=goal)
    for module in modules:
        if sys.platform == "linux":
            grown = Spread.of(number(_WEIGHED.format(module)) for _ in range(3))
            bench.row(f"import {module}, resident", "", "MiB", grown)
        traced = Spread.of([number(_TRACED.format(module))])
        bench.row(f"import {module}, allocated", "", "MiB", traced)
    for name, make in [*_MAKERS.items()][: 2 if bench.quick else None]:
        bench.row("one more client", name, "KiB", Spread.of([number(_CLIENTS.format(make))]))
    sanitizer = Sanitizer()
    for name in ("chat 200 KB", "tools 1 MB", "vision 5 MB"):
        body = bodies.clean(name, bench.quick)
        for side, encode in (("httpx", httpx_encode), ("guarded", sanitizer.encode)):
            encode(body.fresh()[0])  # the first call imports
            value = body.fresh()[0]
            tracemalloc.start()
            encode(value)
            peak = tracemalloc.get_traced_memory()[1] / 2**20
            tracemalloc.stop()
            bench.row(f"encoding {name}, peak", side, "MiB", Spread.of([peak]))


if __name__ == "__main__":
    main(__doc__, {"import_time": run})
