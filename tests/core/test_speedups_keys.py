"""The key table of the compiled pass: what it finds, and what it refuses to hold."""

from __future__ import annotations

import json
import struct
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

_speedups: Any = pytest.importorskip(
    "body_guard.core._speedups", reason="the compiled pass was not built"
)


def find(table: Any, name: str) -> int:
    """Return the value of a name, as encode and scan find it: in a dict, and in bytes."""
    made = _speedups.encode({name: 0}, table, 2**20, 0, ",", ":")
    if any("\ud800" <= character <= "\udfff" for character in name):
        made = None  # a name with half a character is handed back
    found = set() if made is None else {made[1][-1][0] if made[1] else 0}
    for text in (json.dumps(name), json.dumps(name, ensure_ascii=False)):
        rows = _speedups.scan(b"{%b:0}" % text.encode("utf-8", "surrogatepass"), table, 0, False)
        found.add(struct.unpack("6q", rows[1])[2] if rows else 0)
    (value,) = found
    return value


NAMES = {"a": 1, "id": 2, "größe": 3, "_sentry_": 4, "": 5, "x" * 70: 6, "\U0001f600": 7}
PREFIXES = {"_sentry_": 16, "_sentry_x": 17, "u": 18, "ä": 19, "y" * 64: 20, "y" * 66: 21}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a", 1),
        ("b", 0),
        ("A", 0),
        ("aa", 0),
        ("", 5),
        ("id", 2),
        ("größe", 3),
        ("größ", 0),
        ("größen", 0),
        ("\U0001f600", 7),
        ("\U0001f601", 0),
        ("_sentry", 0),
        ("_sentry_", 4),
        ("_sentry_span", 16),
        ("_sentry_x", 17),
        ("_sentry_xyz", 17),
        ("_sentry_\u4f60", 16),
        ("u", 18),
        ("user" * 10_000, 18),
        ("ä", 19),
        ("äa\ud800", 19),
        ("x" * 69, 0),
        ("x" * 70, 6),
        ("x" * 71, 0),
        ("y" * 63, 0),
        ("y" * 65, 20),
        ("y" * 70, 21),
        ("y" * 65 + "é" * 10_000, 20),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_a_name_has_the_value_of_the_key_that_fits_best(name: str, value: int) -> None:
    """An exact name wins over prefixes, a longer prefix over a shorter."""
    assert find(_speedups.key_table(NAMES, PREFIXES), name) == value


_few = st.text("ab_é你\U0001f600\ud800", max_size=4)


@given(
    st.dictionaries(_few, st.integers(1, 2**32 - 1)),
    st.dictionaries(_few.filter(bool), st.integers(1, 2**32 - 1)),
    st.lists(_few.flatmap(lambda text: _few.map(lambda more: text + more))),
)
def test_it_finds_what_a_search_finds(
    names: dict[str, int], prefixes: dict[str, int], asked: list[str]
) -> None:
    """For any keys and names, the table says what trying them one by one would say."""
    table = _speedups.key_table(names, prefixes)
    for name in [*asked, *names, *prefixes]:
        fitting = [prefix for prefix in prefixes if name.startswith(prefix)]
        by_prefix = prefixes[max(fitting, key=len)] if fitting else 0
        assert find(table, name) == names.get(name, by_prefix)


def test_a_lone_surrogate_in_a_key_is_found() -> None:
    """Rules may be written with half a character; a name in bytes has it in its 3-byte form."""
    table = _speedups.key_table({"\ud800": 9}, {})
    assert find(table, "\ud800") == 9


@pytest.mark.parametrize(
    ("names", "prefixes", "error"),
    [
        ({"a": 0}, {}, ValueError),
        ({"a": -1}, {}, OverflowError),
        ({"a": 2**32}, {}, ValueError),
        ({"a": 2**70}, {}, OverflowError),
        ({"a": "1"}, {}, TypeError),
        ({1: 1}, {}, TypeError),
        ({}, {"": 1}, ValueError),
        ([], 1, (TypeError, AttributeError)),
    ],
    ids=["zero", "negative", "33-bits", "huge", "str", "int-name", "empty-prefix", "no-mapping"],
)
def test_what_is_no_key_is_refused(names: Any, prefixes: Any, error: Any) -> None:
    """A table is right when it is built, or not built."""
    with pytest.raises(error):
        _speedups.key_table(names, prefixes)


def test_a_table_holds_a_hundred_thousand_keys() -> None:
    """Names and prefixes alike are found; were building quadratic, this would not end."""
    names = {f"name_{number}": number + 1 for number in range(100_000)}
    table = _speedups.key_table(names, names)
    assert find(table, "name_99999") == 100_000
    assert find(table, "name_777_") == 778


def test_tables_release_what_they_hold() -> None:
    """Building, refusing and dropping tables leaves no references behind."""
    value = 2**31 + 12345
    names = {f"name_{number}": value for number in range(100)}
    before = sys.getrefcount(value)
    for _ in range(100):
        _speedups.key_table(names, names)
        with pytest.raises(ValueError, match="prefix"):
            _speedups.key_table(names, {"": value})
    assert sys.getrefcount(value) == before
