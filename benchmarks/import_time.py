"""What ``import body_guard`` costs: ``python -m benchmarks.import_time``.

Wall-clock time of the import statement alone, the median over fresh interpreters; beside it, that
of httpx. The goal is 50 ms.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

_TIMED = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def seconds(module: str) -> float:
    """Give how long one fresh interpreter takes to import a module, in seconds."""
    done = subprocess.run(  # noqa: S603  # our own interpreter, a fixed program
        [sys.executable, "-c", _TIMED.format(module)], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    for module in ("body_guard", "httpx", "body_guard.httpx"):
        times = sorted(1000 * seconds(module) for _ in range(rounds))
        print(
            f"import {module:<17} median {statistics.median(times):6.1f} ms, "
            f"from {times[0]:.1f} to {times[-1]:.1f} (n={rounds})"
        )


if __name__ == "__main__":
    main()
