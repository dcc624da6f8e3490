"""Draws what encoding a clean body costs: ``python -m benchmarks.plot FILE.json [--out NAME]``.

Takes what ``python -m benchmarks --json FILE.json`` wrote and writes ``NAME.svg`` and ``NAME.png``:
a panel of bars for the compiled passes, with orjson alone as the floor, and one for the plain ones;
times what unguarded httpx takes, with the quartiles of the rounds and the goals. Needs matplotlib
(the dependency group ``bench``).
"""

from __future__ import annotations

import argparse
import json
import pathlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["draw"]

#: By panel: its sides, each with a colour.
_PANELS: Final = {
    "Encoding a clean body": {
        "guarded": "#2b6cb0",
        "guarded, all presets": "#dd6b20",
        "orjson alone": "#a0aec0",
    },
    "Encoding a clean body, without the compiled passes": {
        "guarded, pure": "#38a169",
        "guarded, pure, all presets": "#805ad5",
    },
}


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

    rows = [row for row in rows if row["suite"] == "encode"]
    if not rows:
        raise SystemExit("There is nothing to draw: run benchmarks.encode with --json first.")
    heights = [1 + 0.17 * sum(row["side"] in sides for row in rows) for sides in _PANELS.values()]
    figure, grid = plt.subplots(
        len(heights), 1, squeeze=False, figsize=(9, sum(heights)), height_ratios=heights
    )
    for (title, sides), axis in zip(_PANELS.items(), grid[:, 0], strict=True):
        _bars(axis, title, sides, rows)
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


def _bars(axis: Any, title: str, sides: dict[str, str], rows: Sequence[dict[str, Any]]) -> None:
    ticks: list[tuple[float, str]] = []
    at, named = 0.0, set()
    for subject in dict.fromkeys(row["subject"] for row in rows):
        of_it = [row for row in rows if row["subject"] == subject and row["side"] in sides]
        ticks.append((at + (len(of_it) - 1) / 2, subject))
        for row in of_it:
            side, middle = row["side"], row["middle"]
            spread = [[middle - row["low"]], [row["high"] - middle]]
            label = None if side in named else side
            axis.barh(
                at, middle, 0.9, color=sides[side], label=label, xerr=spread, ecolor="#1a202c"
            )
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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("cost"))
    options = parser.parse_args()
    found = json.loads(options.file.read_text(encoding="utf-8"))
    draw(found["rows"], found["machine"], options.out)


if __name__ == "__main__":
    main()
