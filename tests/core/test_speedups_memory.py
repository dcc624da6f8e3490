"""The compiled pass keeps no reference and no memory, and survives when there is none to be had."""

from __future__ import annotations

import math
import subprocess
import sys
import textwrap
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from hostile import Span

if TYPE_CHECKING:
    from collections.abc import Callable

_speedups: Any = pytest.importorskip(
    "body_guard.core._speedups", reason="the compiled pass was not built"
)

#: Names to cut, and to note.
TABLE = _speedups.key_table({"note": 32, "größe": 48}, {"_sentry_": 17})
MEBIBYTE = 2**20


class Sub(dict):  # type: ignore[type-arg]
    pass


class Text(str):
    pass


def encode(value: object, most: int = MEBIBYTE, flags: int = 0) -> Any:
    return _speedups.encode(value, TABLE, most, flags, ", ", ": ")


def scan(text: bytes) -> Any:
    return _speedups.scan(text, TABLE, 0, False)


def refused(value: object) -> None:
    try:
        encode(value, most=None)  # type: ignore[arg-type]
    except TypeError:
        return
    raise AssertionError("None is no number")


def _dirty() -> Any:
    return {
        "note": {"_sentry_x": Span(), "größe": [Span(), math.nan, "\ud800", {b"key": 1}]},
        Text("subclass"): Sub({"note": Span(), "deep": [[[[{"_sentry_": 1}]]]]}),
        "large": [2**100, "x" * 5000, "\U0001f600" * 500],
    }


def _cycle() -> Any:
    value = _dirty()
    value["large"].append({"note": value["large"]})
    return value


# Bodies that end in every way that there is, and what to call with them.
ENDS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "clean": (lambda: {"a": [1, 2.5, {"b": ["é" * 50, None, True]}]}, encode),
    "dirty": (_dirty, encode),
    "handed-back": (lambda: [_dirty(), {1: 1}], encode),
    "handed-back-deep": (lambda: {"note": [[[{"größe": [_dirty(), {"\ud800": 1}]}]]]}, encode),
    "handed-back-unserializable": (
        lambda: [_dirty(), Span()],
        lambda value: encode(value, flags=_speedups.HAND_BACK_UNSERIALIZABLE),
    ),
    "handed-back-foreign": (
        lambda: [{"note": {}}, _dirty()],
        lambda value: encode(value, flags=_speedups.HAND_BACK_FOREIGN),
    ),
    "cycle": (_cycle, encode),
    "too-large": (_dirty, lambda value: encode(value, most=3000)),
    "refused": (_dirty, refused),
    "scan-clean": (lambda: b'{"a": [1, "note"]}', scan),
    "scan-found": (lambda: b'[{"note": {"a": [{"_sentry_x": {"note": {}}}]}}]', scan),
    "scan-found-deep": (lambda: b'{"note": [' * 100 + b"1" + b"]}" * 100, scan),
    "scan-no-json": (lambda: b'{"note": [{"_sentry_x": 1}],}', scan),
    "scan-cut-off": (lambda: b'{"note":' * 100, scan),
}


def _references(value: Any) -> list[int]:
    """Count the references to every object of a value, and to the classes of what is in it."""
    counts = [sys.getrefcount(item) for item in (Span, Sub, Text, bytes, float, TABLE)]
    pending, known = [value], set()
    while pending:
        item = pending.pop()
        counts.append(sys.getrefcount(item))
        if id(item) not in known and issubclass(type(item), dict):
            pending += [*dict.keys(item), *dict.values(item)]
        elif id(item) not in known and issubclass(type(item), list):
            pending += item
        known.add(id(item))
    return counts


@pytest.mark.parametrize(("make", "call"), ENDS.values(), ids=ENDS)
def test_no_reference_is_kept(make: Callable[[], Any], call: Callable[[Any], Any]) -> None:
    """However the pass ends, every object has the references that it had before."""
    value = make()
    call(value)
    before = _references(value)
    for _ in range(10):
        call(value)
    assert _references(value) == before


@pytest.mark.parametrize(("make", "call"), ENDS.values(), ids=ENDS)
def test_no_memory_is_kept(make: Callable[[], Any], call: Callable[[Any], Any]) -> None:
    """A thousand passes take no more than one."""
    value = make()
    tracemalloc.start()
    try:
        for _ in range(50):
            call(value)
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(1000):
            call(value)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 1000


_SWEEP = """
import math, sys
import _testcapi
from body_guard.core import _speedups

class Span: pass
class Sub(dict): pass

names, prefixes = {"note": 32, "gr\\u00f6\\u00dfe": 48, "": 64}, {"_sentry_": 17}
whole = _speedups.key_table(names, prefixes)
value = {
    "note": {"_sentry_x": Span(), "gr\\u00f6\\u00dfe": [Span(), math.nan, "\\ud800", {b"k": 1}]},
    "deep": Sub(a=[[[[[[[[[[[[[[[[[[[[{"note": 1}]]]]]]]]]]]]]]]]]]]]),
    "large": [2**100, 0.1, "x" * 50_000, "\\u4f60" * 9000, 1],
}
right = _speedups.encode(value, whole, 10**6, 0, ",", ":")
assert right[1]

def build():
    return type(_speedups.key_table(names, prefixes)).__name__

def encode():
    return _speedups.encode(value, whole, 10**6, 0, ",", ":")

text = b'[{"note": [' * 100 + b'{"_sentry_x": 1}'
found = _speedups.scan(text + b"]}]" * 100, whole, 0, False)
assert len(found[1]) == 101 * 48

def scan():
    return _speedups.scan(text + b"]}]" * 100, whole, 0, False)

def stop():
    return _speedups.scan(text, whole, 0, False)

for call, expected in (
    (build, "PyCapsule"), (encode, right), (scan, found), (stop, len(text))
):
    for stop in (1, 2, 0):  # one allocation fails, or two, or all from there on
        failed = 0
        for start in range(1, 2000):
            _testcapi.set_nomemory(start, start + stop if stop else 0)
            try:
                made = call()
            except MemoryError:
                failed += 1
                continue
            finally:
                _testcapi.remove_mem_hooks()
            assert made == expected, (call, start, stop, made)
            if start > failed + 100:
                break
        else:
            raise AssertionError("it never had enough")
        print(call.__name__, stop, failed)
        assert failed > 5
"""


def test_any_allocation_may_fail() -> None:
    """The first, the second, ...: each ends in MemoryError, or the right result."""
    pytest.importorskip("_testcapi", reason="this Python has no _testcapi")
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(_SWEEP)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
