"""Every row of DESIGN section 8, measured: ``python -m benchmarks``.

Runs the benchmarks that answer them and ends with one table: for each row and side the goal, how
many figures there are, how many meet it, and the worst of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import dirty, dumps, encode, request, shared, splice
from benchmarks.goals import SECTION_8
from benchmarks.measure import main

if TYPE_CHECKING:
    from benchmarks.measure import Bench


def summary(bench: Bench) -> None:
    """Print the table."""
    lines: list[tuple[str, ...]] = []
    for goal in SECTION_8:
        for side, limit in goal.limits.items():
            promise = f"{'>=' if goal.at_least else '<='} {limit:g}"
            rows = [row for row in bench.rows if (row.row, row.side) == (goal.row, side)]
            if not rows:
                lines.append((goal.row, side, promise, "not measured", "", "", ""))
                continue
            rows.sort(key=lambda row: row.middle, reverse=not goal.at_least)
            subject, _, middle, quartiles, *_ = rows[0].cells()
            met = f"{sum(row.met is True for row in rows)} of {len(rows)}"
            lines.append((goal.row, side, promise, met, middle, quartiles, subject))
    header = ("DESIGN section 8", "side", "goal", "met", "worst", "quartiles", "of")
    bench.table("\nThe goals", header, lines)


if __name__ == "__main__":
    suites = {
        "encode": encode.run,
        "dirty": dirty.run,
        "splice": splice.run,
        "request": request.run,
        "dumps": dumps.run,
        "shared": shared.run,
    }
    main(__doc__, suites, summary)
