"""The doors' tests once more, in a process where ``import httpx`` gives httpx2."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
FILES = [
    "test_doors.py",
    "test_http2.py",
    "test_httpx2.py",
    "test_install.py",
    "test_reporting.py",
    "test_signatures.py",
    "test_streams.py",
    "test_swap.py",
    "test_wire.py",
]

# Before pytest, whose plugins (respx's) may import httpx, after which it cannot be aliased.
RUN = """
import sys
import httpx2

httpx2.alias_httpx()

import pytest

status = pytest.main(sys.argv[1:])
import httpx

assert httpx is httpx2, "something imported another httpx"
assert "httpcore" not in sys.modules or sys.modules["httpcore"].__name__ == "httpcore2"
sys.exit(status)
"""


def test_the_doors_where_httpx_is_httpx2() -> None:
    """Every test of the doors passes, on the rows of httpx, and there are some."""
    pytest.importorskip("httpx2", reason="httpx2 needs Python 3.11")
    options = ["-q", "-p", "no:respx", "-p", "no:cacheprovider", "-k", "not httpx2-"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # httpx2 has imported anyio
    done = subprocess.run(
        [sys.executable, "-c", RUN, *options, *FILES],
        cwd=HERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    passed = re.search(r"^(\d+) passed", done.stdout, re.MULTILINE)
    assert passed is not None, done.stdout
    assert int(passed[1]) > 300
