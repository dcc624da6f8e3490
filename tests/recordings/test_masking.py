"""Bodies as a recording shows them."""

from __future__ import annotations

import json

import pytest

from body_guard.recordings.masking import format_body

MASKED = {
    "a text is its length": (b'{"a": "secret"}', {"a": "str(6)"}),
    "numbers are their kind": (b"[1, -2.5, 1e3, 0]", ["int", "float", "float", "int"]),
    "NaN and infinity": (b"[NaN, -Infinity]", ["float", "float"]),
    "booleans, and null stays": (b"[true, false, null]", ["bool", "bool", None]),
    "nested": (b'{"a": [{"b": {"c": "x"}}]}', {"a": [{"b": {"c": "str(1)"}}]}),
    "empty": (b'{"a": {}, "b": [], "c": ""}', {"a": {}, "b": [], "c": "str(0)"}),
    "a key that is data": (b'{"ada@example.com": 1}', {"<15 characters, b5fc85e5>": "int"}),
    "a key with a lone surrogate": (b'{"\\ud800": 1}', {"<6 characters, fb3d4358>": "int"}),
    "10,000 digits": (b"[" + b"1" * 10_000 + b"]", ["int"]),
    "of two members of one name, the last": (b'{"a": 1, "a": "xy"}', {"a": "str(2)"}),
    "a byte order mark": (b'\xef\xbb\xbf{"a": 1}', {"a": "int"}),
    "UTF-16": ('{"a": "ä"}'.encode("utf-16"), {"a": "str(1)"}),
    "a scalar": (b'"secret"', "str(6)"),
    "a text": (b"name=secret", "str(11)"),
    "no text": (b"\xff\x80secret\x00", "bytes(9)"),
    "JSON that is cut": (b'{"a": "secret', "str(13)"),
}


@pytest.mark.parametrize(("content", "expected"), MASKED.values(), ids=MASKED)
def test_no_value_is_shown(content: bytes, expected: object) -> None:
    """Its kind stands in its place."""
    text = format_body(content, values=False)
    assert text is not None
    assert json.loads(text) == expected
    assert "secret" not in text


def test_json_lines_are_masked_line_by_line() -> None:
    """They are a string, whose lines are JSON."""
    text = format_body(b'{"a": "secret"}\n\n\x1e{"b": 1}\n', values=False)
    assert text == json.dumps('{"a": "str(6)"}\n{"b": "int"}')


VALUES = {
    "as it was written": (b'{ "a": 1.10 }', '{ "a": 1.10 }'),
    "on one line": (b'{\r\n "a": "x\\ny"\n}', '{   "a": "x\\ny" }'),
    "a byte order mark": (b'\xef\xbb\xbf{"a": 1}', '{"a": 1}'),
    "UTF-16": ('{"a": "ä"}'.encode("utf-16"), '{"a": "ä"}'),
    "JSON lines": (b'{"a": 1}\n{"b": 2}\n', r'"{\"a\": 1}\n{\"b\": 2}\n"'),
    "no text": (b"\xff\x80\x00", '"bytes(3)"'),
}


@pytest.mark.parametrize(("content", "expected"), VALUES.values(), ids=VALUES)
def test_values_are_shown_as_they_are(content: bytes, expected: str) -> None:
    """Not a number is written anew."""
    assert format_body(content, values=True) == expected


@pytest.mark.parametrize("values", [False, True])
@pytest.mark.parametrize("depth", [1_500, 100_000])
def test_what_is_too_deep_is_left_out(depth: int, values: bool) -> None:
    """Whatever the stack has room for."""
    assert format_body(b"[" * depth + b"]" * depth, values=values) is None
