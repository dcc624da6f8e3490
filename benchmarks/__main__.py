"""Every row of DESIGN section 8, measured: ``python -m benchmarks``.

Runs the benchmarks that answer them and ends with one table: for each row and setting the goal,
how many figures there are, how many meet it, and the worst of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import dirty, encode, request, splice
from benchmarks.goals import SECTION_8
from benchmarks.measure import main

if TYPE_CHECKING:
    from benchmarks.measure import Bench


def summary(bench: Bench) -> None:
    """Print the table."""
    lines: list[tuple[str, ...]] = []
    for goal in SECTION_8:
        limit = f"{'>=' if goal.at_least else '<='} {goal.limit:g}"
        found = [row for row in bench.rows if row.row == goal.row]
        if not found:
            lines.append((goal.row, "", limit, "not measured", "", "", ""))
        for side in dict.fromkeys(row.side for row in found):
            rows = [row for row in found if row.side == side]
            rows.sort(key=lambda row: row.middle, reverse=not goal.at_least)
            worst, _, middle, quartiles, *_ = rows[0].cells()
            met = f"{sum(row.met is True for row in rows)} of {len(rows)}"
            lines.append((goal.row, side, limit, met, middle, quartiles, worst))
    header = ("DESIGN section 8", "side", "goal", "met", "worst", "quartiles", "of")
    bench.table("\nThe goals", header, lines)


if __name__ == "__main__":
    suites = {
        "encode": encode.run,
        "dirty": dirty.run,
        "splice": splice.run,
        "request": request.run,
    }
    main(__doc__, suites, summary)
