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

SECTION_8 = {
    "any clean body, floats and depth 200 included": 1.05,
    "bytes already serialized, clean": 1.0,
    "chat 1 KB": 0.5,
    "chat 200 KB, vision 5 MB, embeddings": 0.3,
    "one Span in metadata: chat 1 KB": 2.0,
    "one Span in metadata: chat 200 KB": 0.5,
    "one Span in metadata: tools 1 MB": 1.5,
    "the whole request, any clean body": 1.0,
    "tools 1 MB of small dicts": 0.4,
    "without orjson, any clean body": 1.1,
}


def run(tmp_path: pathlib.Path, *arguments: str) -> tuple[dict[str, Any], str]:
    """Run a benchmark as its user does; give what it wrote and what it printed."""
    file = tmp_path / "found.json"
    command = [sys.executable, "-m", *arguments, "--quick", "--json", str(file)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return json.loads(file.read_text(encoding="utf-8")), done.stdout


@pytest.mark.parametrize("name", ["end_to_end", "growth", "import_time", "shared"])
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
    assert {row["row"]: row["goal"] for row in found["rows"] if row["row"]} == SECTION_8
    assert all(f"| {row} " in printed for row in SECTION_8)
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
