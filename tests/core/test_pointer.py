"""A path is an RFC 6901 pointer, in ASCII."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from body_guard import Sanitizer
from body_guard.core.pointer import escape_token, join_pointer, split_pointer

SEGMENTS = {
    # RFC 6901 sections 5 and 3
    "foo": "foo",
    "": "",
    "a/b": "a~1b",
    "c%d": "c%d",
    "e^f": "e^f",
    "g|h": "g|h",
    "i\\j": "i\\\\j",
    'k"l': 'k\\"l',
    " ": " ",
    "m~n": "m~0n",
    "~1": "~01",
    "/~": "~1~0",
    # and what JSON text must escape, or a log could not show
    "\n\r\t": "\\u000a\\u000d\\u0009",
    "\x00\x1f": "\\u0000\\u001f",
    "\x7f\x80": "\\u007f\\u0080",
    "é": "\\u00e9",
    "\u2028": "\\u2028",
    "\uffff": "\\uffff",
    "\U0001f600": "\\ud83d\\ude00",
    "\U0010ffff": "\\udbff\\udfff",
    "\ud800": "\\ud800",
    "a\udfffb": "a\\udfffb",
    "<b>'&": "<b>'&",
    "[0]{}": "[0]{}",
    "a.b-c_d": "a.b-c_d",
}


@pytest.mark.parametrize(("key", "token"), SEGMENTS.items(), ids=map(ascii, SEGMENTS))
def test_a_segment_is_a_pointer_in_json_string_form(key: str, token: str) -> None:
    """RFC 6901 section 3 for the slash and the tilde, section 5 for the rest, ASCII only."""
    assert escape_token(key) == token


def unescaped(pointer: str) -> list[str]:
    """Read a JSON Pointer as RFC 6901 section 4 does."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


@given(st.lists(st.text(), max_size=5))
def test_a_path_leads_back_to_the_keys(keys: list[str]) -> None:
    """Read as the JSON string it is, a path is the RFC 6901 pointer of the very keys."""
    path = join_pointer(escape_token(key) for key in keys)
    assert path.isascii()
    assert path.isprintable()
    assert unescaped(json.loads(f'"{path}"')) == keys


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_a_findings_path_leads_to_its_place(keys: list[str]) -> None:
    """The path of a finding, read that way, is the way to what was found."""
    body: object = object()
    for key in reversed(keys):
        body = {key: body}
    if any(key.startswith(("_sentry_", "_sentrysdk_")) for key in keys):
        return
    _, report = Sanitizer().sanitize([body])
    (found,) = report.findings
    assert unescaped(json.loads(f'"{found.path}"')) == ["0", *keys]


def test_a_pointer_joins_segments() -> None:
    """The whole body is the empty pointer, an empty key a slash."""
    assert join_pointer([]) == ""
    assert join_pointer([""]) == "/"
    assert join_pointer(["a", "0", "b~1c"]) == "/a/0/b~1c"


@given(st.lists(st.text(), max_size=5))
def test_a_pointer_is_split_into_the_keys(keys: list[str]) -> None:
    """Decoded as RFC 6901 section 4 says: ~1 first, then ~0."""
    pointer = join_pointer(key.replace("~", "~0").replace("/", "~1") for key in keys)
    assert split_pointer(pointer) == keys
