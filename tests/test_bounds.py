"""What judging takes of the stack and of memory, in processes of their own.

A stack that runs over is the end of a process, and a peak is measured where nothing else was.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def run(script: str, *arguments: object) -> str:
    """Return what a script prints, which must be all that comes of it."""
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


DEEP = """
import gc, sys
limit = int(sys.argv[1])
if limit:
    sys.setrecursionlimit(limit)
gc.disable()
from body_guard import BodyLimitError, Sanitizer
sanitizer = Sanitizer()
for kind in ("list", "dict"):
    for leaf, left in ((1, 1), ({"x": object(), "y": 1}, {"y": 1})):
        body = leaf
        for _ in range(100_000):
            body = [body] if kind == "list" else {"a": body}
        value, report = sanitizer.sanitize(body)
        assert len(report.findings) == (leaf != 1)
        assert (value is body) == (leaf == 1)
        for _ in range(100_000):
            assert len(value) == 1
            assert type(value) is type(body)
            value = value["a" if kind == "dict" else 0]
        assert value == left
        try:
            sanitizer.encode(body)
        except BodyLimitError as error:
            assert "100,00" in str(error) and len(str(error)) < 300, error
            error = None
        else:
            raise AssertionError("encoded")
        del body, value, report
gc.collect()
print("done")
"""

SMALL_STACK = """
import sys, threading
limit = int(sys.argv[1])
if limit:
    sys.setrecursionlimit(limit)
from body_guard import BodyLimitError, Sanitizer

def run():
    for levels in (1_000, 3_000, 10_000, 30_000):
        body = 1
        for _ in range(levels):
            body = {"a": body}
        try:
            content, _ = Sanitizer().encode(body)
        except BodyLimitError:
            refused.append(levels)
        else:
            assert content == b'{"a":' * levels + b"1" + b"}" * levels

refused = []
threading.stack_size(2**20)
thread = threading.Thread(target=run)
thread.start()
thread.join()
assert refused[-1:] == [30_000], refused
print("done")
"""

# CPython 3.13 itself cannot free 10,000 levels with so little.
SMALLER_STACK = (
    SMALL_STACK.replace("2**20", "2**19")
    .replace("(1_000, 3_000, 10_000, 30_000)", "(1_000, 1_999, 3_000)")
    .replace("[30_000]", "[3_000]")
)

DEEP_TEXT = """
import sys
limit = int(sys.argv[1])
if limit:
    sys.setrecursionlimit(limit)
from body_guard import BodyLimitError, Sanitizer
sanitizer = Sanitizer()
for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
    text = opening * 100_000 + b'{"_sentry_x":1,"y":2}' + closing * 100_000
    content, report = sanitizer.sanitize_bytes(text)
    assert content == opening * 100_000 + b'{"y":2}' + closing * 100_000
    (found,) = report.findings
    assert found.path == ("/0" if opening == b"[" else "/a") * 100_000 + "/_sentry_x"
    inside = b'{"_sentry_x":' + opening * 100_000 + b"1" + closing * 100_000 + b"}"
    assert sanitizer.sanitize_bytes(inside)[0] == b"{}"
print("done")
"""

OVERVIEW = """
import sys
from body_guard import BodyLimitError, Policy, Sanitizer

limit = int(sys.argv[1])
if limit:
    sys.setrecursionlimit(limit)
asking = (
    Policy(stringified="reject"),
    Policy(schema="openai", schema_action="reject"),
    Policy(schema="anthropic", schema_action="remove"),
)
for opening, closing in (b"[", b"]"), (b'{"x":', b"}"), (b'[["\\\\\\"]",', b"]]"):
    text = b'{"prompt":"<a","y":' + opening * 100_000 + b"1" + closing * 100_000 + b"}"
    for policy in asking:
        try:
            Sanitizer(policy).sanitize_bytes(text, "application/json")
        except BodyLimitError:
            continue
        raise SystemExit("it was sent")
print("done")
"""


@pytest.mark.parametrize("limit", [0, 10**6], ids=["default-limit", "raised-limit"])
@pytest.mark.parametrize(
    "script",
    [DEEP, DEEP_TEXT, OVERVIEW, SMALL_STACK, SMALLER_STACK],
    ids=["values", "texts", "overview", "thread-of-1-MiB", "thread-of-512-KiB"],
)
def test_a_hundred_thousand_levels_end_no_process(script: str, limit: int) -> None:
    """However high the recursion limit: exact values, a clear refusal, and exit code 0."""
    assert run(script, limit) == "done\n"


LARGE = """
import sys, tracemalloc
from body_guard import Sanitizer
shape, size, hits = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if shape == "one string":
    parts = [b'"text":"' + b"x" * (size // 2) + b'"'] * 2
elif shape == "numbers":
    parts = [b'"n":[' + b"0.123456," * (size // 90) + b"1]"] * 10
else:
    parts = [b'"messages":[{"role":"user","content":"' + b"word " * 200 + b'\\\\n"},{}]'] * (size // 1050)
dirt = [b'"_sentry_x":{"a":[1]}'] * hits
content = b"{" + b",".join(dirt + parts) + b"}"
del parts, dirt
tracemalloc.start()
clean, report = Sanitizer().sanitize_bytes(content, "application/json")
assert len(report.findings) == hits, len(report.findings)
assert clean.count(b"_sentry_") == 0
print(round(tracemalloc.get_traced_memory()[1] / len(content), 2))
"""


@pytest.mark.parametrize(
    ("megabytes", "hits"),
    [(10, 0), (10, 100), pytest.param(100, 1000, marks=pytest.mark.exhaustive)],
)
@pytest.mark.parametrize("shape", ["one string", "messages", "numbers"])
def test_a_large_body_costs_a_fifth_more(shape: str, megabytes: int, hits: int) -> None:
    """Judging it takes at most 1.2 times the body in memory, its cleaned copy included."""
    assert float(run(LARGE, shape, megabytes * 1_000_000, hits)) <= 1.2
