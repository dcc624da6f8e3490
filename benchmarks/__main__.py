"""Every row of DESIGN section 8, measured: ``python -m benchmarks``.

Runs the benchmarks that answer them and ends with one table: for each row the goal, how many
figures there are of it, how many meet it, and the worst of them.
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
        rows = [row for row in bench.rows if row.row == goal.row]
        sign = ">=" if goal.at_least else "<="
        if not rows:
            lines.append((goal.row, f"{sign} {goal.limit:g}", "not measured", "", "", ""))
            continue
        rows.sort(key=lambda row: row.middle, reverse=not goal.at_least)
        subject, side, middle, quartiles, *_ = rows[0].cells()
        met = sum(row.met is True for row in rows)
        worst = f"{subject}, {side}"
        lines.append(
            (goal.row, f"{sign} {goal.limit:g}", f"{met} of {len(rows)}", middle, quartiles, worst)
        )
    header = ("DESIGN section 8", "goal", "met", "worst", "quartiles", "of")
    bench.table("\nThe goals", header, lines)


if __name__ == "__main__":
    suites = {
        "encode": encode.run,
        "dirty": dirty.run,
        "splice": splice.run,
        "request": request.run,
    }
    main(__doc__, suites, summary)
