"""Draws what a benchmark wrote: ``python -m benchmarks.plot FILE.json [...] --out NAME``.

Takes files of ``--json`` and writes ``NAME.svg`` and ``NAME.png``: one panel of bars for each of
encode, dirty, request, end_to_end and peers that is in them, times what unguarded httpx takes, with
the quartiles of the rounds and the goals; and one panel for growth, seconds against bytes. Needs
matplotlib (the dependency group ``bench``).
"""

from __future__ import annotations

import argparse
import json
import pathlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["draw"]

_BARS = {
    "encode": "Encoding a clean body",
    "dirty": "Encoding a dirty body",
    "request": "A whole request, mock transport",
    "end_to_end": "A whole request, loopback, CPU",
    "peers": "Others, encoding a clean body",
}
_SIDES = ("#2b6cb0", "#dd6b20", "#718096", "#38a169", "#805ad5", "#d53f8c", "#b7791f", "#4a5568")


def draw(rows: Sequence[dict[str, Any]], machine: dict[str, Any], out: pathlib.Path) -> None:
    """Draw rows of benchmarks.

    Args:
        rows: As ``--json`` writes them.
        machine: Where they were measured, for the line below.
        out: The files' name without ``.svg`` and ``.png``.
    """
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "body_guard"  # the same figures, the same file
    matplotlib.rcParams["svg.fonttype"] = "none"  # text as text, a tenth of the size
    import matplotlib.pyplot as plt

    ratios = [row for row in rows if row["unit"] == "x" and row["at"] is None]
    panels = [suite for suite in _BARS if any(row["suite"] == suite for row in ratios)]
    growth = [row for row in rows if row["suite"] == "growth" and row["unit"] == "x"]
    growth = [row for row in growth if "of so many bytes" in row["subject"]]
    heights = [1 + 0.22 * sum(row["suite"] == suite for row in ratios) for suite in panels] + [
        4.0
    ] * bool(growth)
    if not heights:
        raise SystemExit("There is nothing to draw: run benchmarks.encode with --json first.")
    figure, grid = plt.subplots(
        len(heights), 1, squeeze=False, figsize=(9, sum(heights)), height_ratios=heights
    )
    axes = list(grid[:, 0])
    for suite, axis in zip(panels, axes, strict=False):
        _bars(axis, _BARS[suite], [row for row in ratios if row["suite"] == suite])
    if growth:
        _growth(axes[-1], growth)
    versions = machine["versions"]
    figure.text(
        0.01,
        0.002,
        f"{machine['python']}, httpx {versions['httpx']}, orjson {versions['orjson']}; "
        f"{machine['processor']}, load {machine['load'][0]}; "
        f"medians and quartiles of {machine['rounds']} rounds",
        fontsize=7,
        color="#4a5568",
    )
    figure.tight_layout(rect=(0, 0.01, 1, 1))
    figure.savefig(out.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(out.with_suffix(".png"), dpi=150)
    plt.close(figure)


def _bars(axis: Any, title: str, rows: Sequence[dict[str, Any]]) -> None:
    subjects = list(dict.fromkeys(row["subject"] for row in rows))
    sides = list(dict.fromkeys(row["side"] for row in rows))
    ticks: list[tuple[float, str]] = []
    at, named = 0.0, set()
    for subject in subjects:
        of_it = [row for row in rows if row["subject"] == subject]
        ticks.append((at + (len(of_it) - 1) / 2, subject))
        for row in of_it:
            side, middle = row["side"], row["middle"]
            spread = [[middle - row["low"]], [row["high"] - middle]]
            label = None if side in named else side
            color = _SIDES[sides.index(side) % len(_SIDES)]
            axis.barh(at, middle, 0.9, color=color, label=label, xerr=spread, ecolor="#1a202c")
            if row["goal"] is not None:
                axis.plot([row["goal"]] * 2, [at - 0.5, at + 0.5], color="#c53030", linewidth=2)
            named.add(side)
            at += 1
        at += 0.6
    axis.axvline(1, color="#1a202c", linewidth=0.8, linestyle="--")
    axis.set_yticks([tick for tick, _ in ticks], [name for _, name in ticks], fontsize=8)
    axis.margins(y=0.01)
    axis.invert_yaxis()
    axis.set_xlabel("times unguarded httpx (dashed: 1; red: the goal)", fontsize=8)
    axis.set_title(title, fontsize=10, loc="left")
    axis.legend(fontsize=7, loc="best")


def _growth(axis: Any, rows: Sequence[dict[str, Any]]) -> None:
    shapes = list(dict.fromkeys(row["subject"].partition(" ")[0] for row in rows))
    for shape, color in zip(shapes, _SIDES, strict=False):
        of_it = [row for row in rows if row["subject"].startswith(shape)]
        sizes = [row["at"] for row in of_it]
        base = [1e3 * row["base"] for row in of_it]
        guarded = [1e3 * row["base"] * row["middle"] for row in of_it]
        axis.plot(sizes, base, color=color, linestyle="--", label=f"{shape}, httpx")
        axis.plot(sizes, guarded, color=color, marker="o", label=f"{shape}, guarded")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("bytes", fontsize=8)
    axis.set_ylabel("ms of CPU", fontsize=8)
    axis.set_title("How encoding grows", fontsize=10, loc="left")
    axis.legend(fontsize=7)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("cost"))
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    machine: dict[str, Any] = {}
    for file in options.files:
        found = json.loads(file.read_text(encoding="utf-8"))
        rows += found["rows"]
        machine = machine or found["machine"]
    draw(rows, machine, options.out)


if __name__ == "__main__":
    main()
