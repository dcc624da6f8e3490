"""Whether a forbidden key may occur: never missed in JSON, however it is spelled, and fast."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from body_guard import Policy
from body_guard.core.key_search import KeySearch
from body_guard.core.matcher import Matcher

SENTRY = KeySearch(Matcher(Policy().rules).prefixes)

FOUND: dict[str, tuple[bytes, bool]] = {
    "empty": (b"", False),
    "clean": (b'{"a":1}', False),
    "name": (b'{"_sentry_x":1}', True),
    "other-prefix": (b'{"_sentrysdk_x":1}', True),
    "value": (b'["_sentry_"]', True),
    "prose": (b"the_sentry_key", True),
    "single-quotes": (b"{'_sentry_x':1}", True),
    "bare": (b"{_sentry_x:1}", True),
    "in-part": (b'{"_sentry":1,"sentry_x":2}', False),
    "case": (b'{"_SENTRY_x":1}', False),
    "escaped": (b'{"\\u005fsentry_x":1}', True),
    "escaped-upper-case": (b"{'\\u005Fsentry_x':1}", True),
    "escaped-throughout": (b'"\\u005f\\u0073\\u0065\\u006e\\u0074\\u0072\\u0079\\u005f', True),
    "escaped-inside": (b'{"_sen\\u0074ry_x":1}', True),
    "other-escapes": (b'{"a\\u005fsentr":"\\u00e9\\ud83d\\n\\\\"}', False),
    "no-escape": (b'{"\\u005sentry_":1}', False),
    "not-utf-8": (b"\xff_sentry_\xff", True),
}


@pytest.mark.parametrize(("text", "found"), FOUND.values(), ids=FOUND)
def test_the_text_of_a_key_is_found(text: bytes, found: bool) -> None:
    """Anywhere, whether or not there is JSON around it."""
    assert SENTRY.may_contain(text) is found


KEYS: dict[str, tuple[tuple[str, ...], bytes, bool]] = {
    "none": ((), b'{"a":1}', False),
    "empty": (("",), b"{", True),
    "of-two": (("secret", "other"), b"{other", True),
    "that-begins-another": (("ab1234", "ab12"), b"xab12", True),
    "alike-in-many-bytes": (("abcdefghij", "abcdefghik"), b"abcdefghik", True),
    "alike-and-neither": (("abcdefghij", "abcdefghik"), b"abcdefghil", False),
    "not-ascii": (("größe",), b"gr\\u00f6\\u00DFe", True),
    "astral": (("\U0001f600key",), b"\\uD83D\\uDE00key", True),
    "astral-as-it-is": (("\U0001f600key",), "\U0001f600key".encode(), True),
    "half": (("\ud83dkey",), b"\\ud83dkey", True),
    "quote": (('a"bc',), b'{"a\\"bc"', True),
    "slash": (("a/bc",), b'{"a\\/bc"', True),
    "slash-as-it-is": (("a/bc",), b'{"a/bc"', True),
    "newline": (("a\nbc",), b'{"a\\nbc"', True),
    "backslash": (("a\\bc",), b'{"a\\\\bc"', True),
    "pattern": (("a.*c",), b'{"abbc"', False),
    "short": (("_",), b'{"_x":1}', True),
    "short-in-a-word": (("_", "ls_"), b'{"tool_calls_":1}', False),
    "short-in-single-quotes": (("_",), b"{'_x':1}", True),
    "short-at-the-start": (("_",), b"_x", True),
    "short-escaped": (("_",), b'{"\\u005fx":1}', True),
    "short-beside-a-long": (("_", "secret"), b'{"a_secret":1}', True),
    "short-and-no-word": ((":",), b'{"a":1}', True),
}


@pytest.mark.parametrize(("keys", "text", "found"), KEYS.values(), ids=KEYS)
def test_keys_are_of_any_characters(keys: tuple[str, ...], text: bytes, found: bool) -> None:
    """One is as good as many; a short one is no part of a word."""
    assert KeySearch(keys).may_contain(text) is found


def test_keys_of_any_length_and_number_compile() -> None:
    """A pattern that told all of them apart would be nested too deeply for the compiler."""
    search = KeySearch("a" * length for length in range(4, 2000))
    assert search.may_contain(b"xaaaay")
    assert not search.may_contain(b"xaaay")
    assert KeySearch(f"key_{number}" for number in range(5000)).may_contain(b"{key_4321:")


_keys = st.text(st.sampled_from('ab_",\\é:\U0001f600'), min_size=1, max_size=5)


@given(
    st.lists(_keys, max_size=4),
    st.recursive(
        _keys,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3),
        max_leaves=12,
    ),
    st.booleans(),
)
def test_no_key_of_json_is_missed(keys: list[str], value: object, ensure_ascii: bool) -> None:
    """Where a member's name begins with a key, the search finds something."""
    names: list[str] = []
    text = json.dumps(value, ensure_ascii=ensure_ascii)
    json.loads(text, object_pairs_hook=lambda pairs: names.extend(name for name, _ in pairs))
    if any(name.startswith(tuple(keys)) for name in names):
        assert KeySearch(keys).may_contain(text.encode())


@given(st.data(), st.sampled_from(("_sentry_", "größe", "_", '"\\/\n')), st.text(max_size=5))
def test_no_spelling_is_missed(data: st.DataObject, key: str, rest: str) -> None:
    """Whatever characters are written as escapes, and with which digits."""
    spelled = "".join(
        data.draw(st.sampled_from((json.dumps(character)[1:-1], f"\\u{ord(character):04X}")))
        for character in key
    )
    text = f'{{"a\\"\\\\":["\\""],"{spelled}{json.dumps(rest)[1:-1]}":1}}'
    assert next(reversed(json.loads(text))).startswith(key)
    assert KeySearch((key,)).may_contain(text.encode())
