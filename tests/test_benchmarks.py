"""The benchmarks run and answer every promise; how fast anything is, no test says."""

from __future__ import annotations

import json
import math
import pathlib
import subprocess
import sys
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).parents[1]

#: The rows of the design's table: the default policy, every preset on.
ENFORCING = {
    "encode, chat 1 KB": (0.35, 0.45),
    "encode, chat 200 KB": (0.33, 0.40),
    "encode, tools 1 MB": (0.35, 0.45),
    "encode, vision 5 MB": (0.15, 0.25),
    "encode, embeddings 400 KB": (0.45, 0.55),
    "encode, code 100 KB": (0.25, 0.35),
    "encode, wide 1 MB": (0.30, 0.40),
    "encode, depth 200": (0.20, 0.30),
    "encode, vectors 2 MB": (0.90, 1.00),
    "one Span, chat 1 KB": (1.0, 1.2),
    "one Span, chat 200 KB": (0.4, 0.6),
    "one Span, tools 1 MB": (0.4, 0.6),
    "1,000 faults in 200 KB": (3.5, 4),
    "bytes, clean": (1.0, 0.5),
    "bytes, clean, 1 KB": (0.6, 0.5),
    "bytes, clean, code": (0.8, 0.5),
    "request by json=": (1.0, 1.05),
    "request by json=, 1 KB": (1.03, 1.05),
    "request by bytes, 1 KB": (1.06, 1.06),
    "request by bytes, larger, to httpx and the scan": (1.06, 1.06),
    "json.dumps of litellm and of the SDKs": (1.0, 1.0),
    "a cyclic or tangled body of 34 KB, to sanitize": (10, 10),
    "a cyclic or tangled body of 34 KB, longest stall, ms": (50, 50),
}
PURE = {
    "encode, without the compiled pass": (5, 6),
    "encode, without the compiled pass, depth 200": (10, 10),
}
SECTION_8 = {
    **{(row, "guarded"): limits[0] for row, limits in ENFORCING.items()},
    **{(row, "guarded, all presets"): limits[1] for row, limits in ENFORCING.items()},
    **{(row, "audit"): limits[0] for row, limits in ENFORCING.items() if "request" in row},
    **{
        (row, "audit, all presets"): limits[1]
        for row, limits in ENFORCING.items()
        if "request" in row
    },
    **{(row, "guarded, pure"): limits[0] for row, limits in PURE.items()},
    **{(row, "guarded, pure, all presets"): limits[1] for row, limits in PURE.items()},
}


def run(tmp_path: pathlib.Path, *arguments: str) -> tuple[dict[str, Any], str]:
    """Run a benchmark as its user does; return what it wrote and what it printed."""
    file = tmp_path / "found.json"
    command = [sys.executable, "-m", *arguments, "--quick", "--json", str(file)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return json.loads(file.read_text(encoding="utf-8")), done.stdout


@pytest.mark.parametrize("name", ["end_to_end", "growth", "import_time", "presets", "scan"])
def test_a_benchmark_runs(name: str, tmp_path: pathlib.Path) -> None:
    """Each gives figures, with the machine they are of."""
    found, printed = run(tmp_path, f"benchmarks.{name}", "--markdown")
    assert {row["suite"] for row in found["rows"]} == {name}
    assert all(math.isfinite(row["middle"]) for row in found["rows"])
    assert found["machine"]["versions"]["httpx"] in printed
    assert "| subject " in printed


def test_one_command_answers_section_8(tmp_path: pathlib.Path) -> None:
    """Every row of the design's table is there with its goal, and in the table at the end."""
    found, printed = run(tmp_path, "benchmarks")
    figures = [row for row in found["rows"] if row["row"]]
    assert {(row["row"], row["side"]): row["goal"] for row in figures} == SECTION_8
    assert all(f"| {row} " in printed for row, _ in SECTION_8)
    assert "not measured" not in printed
    assert all(row["low"] <= row["middle"] <= row["high"] for row in found["rows"])


def test_what_becomes_of_bodies_is_found_by_running(tmp_path: pathlib.Path) -> None:
    """The table of behaviours has a line for httpx, which guards nothing, and one for us."""
    found, _ = run(tmp_path, "benchmarks.peers")
    (table,) = found["tables"]
    lines = {
        peer: dict(zip(table["header"][1:], cells, strict=True)) for peer, *cells in table["lines"]
    }
    assert lines["httpx"]["a live object"] == "raises TypeError"
    assert lines["httpx"]["text under _sentry_x"].endswith("; leaks the prompt")
    assert lines["body_guard"] == {
        "a live object": "removed",
        "a Span of sentry_sdk": "removed",
        "text under _sentry_x": "removed",
        "NaN": '"score": null',
        "a cycle": "removed",
        "a tuple key": "removed",
        "a lone surrogate": r'"text": "half \ufffd"',
        "a set": "removed",
        '{1: "a", "1": "b"}': '"1": "a", "1": "b"',
    }
