"""Where a forbidden name may begin: found at memory speed, and never missed."""

from __future__ import annotations

import json
from array import array
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from body_guard import Policy, Report, Rule, Sanitizer
from body_guard.core.prefilter import Prefilter, holds
from body_guard.core.rules import Matcher

SENTRY = Prefilter(Matcher(Policy().rules))

SUSPECTS: dict[str, tuple[bytes, list[int] | None]] = {
    "empty": (b"", None),
    "clean": (b'{"a":1}', None),
    "name": (b'{"_sentry_x":1}', [1]),
    "prefix-alone": (b'{"_sentry_":1}', [1]),
    "space-before-colon": (b'{"_sentry_x" \t\r\n:1}', [1]),
    "second-prefix": (b'{"_sentrysdk_x":1}', [1]),
    "several": (b'{"_sentrysdk_x":1,"a":{"_sentry_y":2},"_sentry_z":3}', [1, 23, 38]),
    "value": (b'{"a":"_sentry_x"}', None),
    "element": (b'["_sentry_x","_sentry_y"]', None),
    "prose": (b'{"a":"the _sentry_x key"}', None),
    "json-in-a-string": (b'{"a":"{\\"_sentry_x\\":1}"}', None),
    "json-in-json-in-a-string": (b'{"a":"{\\\\\\"_sentry_x\\\\\\":1}"}', None),
    "behind-a-backslash": (b'{"a\\\\":1,"_sentry_x":2}', [9]),
    "value-ends-in-backslash": (b'["\\\\","_sentry_x"]', None),
    "escaped-quote-in-name": (b'{"_sentry_\\"x\\"":1}', [1]),
    "escaped-backslash-in-name": (b'{"_sentry_\\\\":1}', [1]),
    "colon-in-value": (b'["_sentry_:", ":"]', None),
    "quote-colon-in-value": (b'["_sentry_\\":"]', None),
    "inside-a-name": (b'{"a\\"_sentry_x":1}', None),
    "longer-name": (b'{"x_sentry_":1,"_sentry":2}', None),
    "case": (b'{"_Sentry_x":1}', None),
    "no-end": (b'{"_sentry_x', [1]),
    "no-end-after-backslash": (b'{"_sentry_x\\', [1]),
    "no-colon": (b'{"_sentry_x"', None),
    "escape": (b'{"\\u005fsentry_x":1}', []),
    "escape-upper-case": (b'{"\\u005Fsentry_x":1}', []),
    "escape-inside": (b'{"_sen\\u0074ry_x":1}', []),
    "escape-in-a-value": (b'{"a":"\\u005f"}', []),
    "other-escape": (b'{"\\u00e9\\u2028\\n\\ud83d":1}', None),
    "escape-and-name": (b'{"\\u005fsentry_x":1,"_sentry_y":2}', [20]),
    "newlines-in-text": (b'{"_sentry_\n":1}', [1]),
    "many-escapes": (b'{"_sentry_' + b"\\n" * 3000 + b'":1}', [1]),
    "many-escapes-in-a-value": (b'["_sentry_' + b"\\n" * 3000 + b'"]', None),
}


@pytest.mark.parametrize(("text", "places"), SUSPECTS.values(), ids=SUSPECTS)
def test_what_has_to_be_looked_at(text: bytes, places: list[int] | None) -> None:
    """None where no name can be forbidden, offsets of those that are, [] where a scan must tell."""
    found = SENTRY.suspects(text)
    assert (None if found is None else list(found)) == places


NAMED = {
    "key": (("secret",), b'{"secret":1}', [1]),
    "key-longer": (("secret",), b'{"secrets":1}', None),
    "key-value": (("secret",), b'{"a":"secret"}', None),
    "key-non-ascii": (("größe",), '{"größe":1}'.encode(), [1]),
    "key-non-ascii-escaped": (("größe",), b'{"gr\\u00f6\\u00dfe":1}', []),
    "key-astral-escaped": (("\U0001f600",), b'{"\\uD83d\\ude00":1}', []),
    "key-astral": (("\U0001f600",), '{"\U0001f600":1}'.encode(), [1]),
    "key-slash": (("a/b",), b'{"a/b":1}', [1]),
    "key-slash-escaped": (("a/b",), b'{"a\\/b":1}', []),
    "key-quote": (('a"b',), b'{"a\\"b":1}', []),
    "key-newline": (("a\nb",), b'{"a\\nb":1}', []),
    "key-backslash": (("a\\b",), b'{"a\\\\b":1}', []),
    "key-empty": (("",), b'{"":1}', [1]),
    "key-empty-value": (("",), b'{"a":""}', None),
    "key-surrogate": (("\ud800",), b'{"\\ud800":1}', []),
    "key-that-is-a-prefix": (("ab", "abc"), b'{"ab":1,"abc":2}', [1, 8]),
    "none": ((), b'{"_sentry_x\\u005f":1}', None),
}


@pytest.mark.parametrize(("keys", "text", "places"), NAMED.values(), ids=NAMED)
def test_exact_names_are_found_too(
    keys: tuple[str, ...], text: bytes, places: list[int] | None
) -> None:
    """Of any characters, and as any of the escapes JSON has for them."""
    rules = (Rule("r", keys=keys),) if keys else ()
    found = Prefilter(Matcher(rules)).suspects(text)
    assert (None if found is None else list(found)) == places


def test_a_place_is_named_once() -> None:
    """A name that two rules forbid is one place."""
    matcher = Matcher((Rule("p", prefixes=("_x", "_x_")), Rule("k", keys=("_x_y",))))
    found = Prefilter(matcher).suspects(b'{"_x_y":1,"_xz":2}')
    assert found is not None
    assert list(found) == [1, 10]


MANY = Prefilter(
    Matcher(
        (
            *Policy().rules,
            Rule("k", keys=("a", "ab", "abcdefghij", "abcdefghik", "x.y", "größe", "z\x1f", ",")),
            Rule("p", prefixes=("litellm_", "abcdefgh_", "_", "\ud800")),
        )
    )
)

NAMED_BY_MANY = {
    "each": (
        b'{"a":1,"ab":2,"abcdefghij":3,"x.y":4,"litellm_z":5,"_q":6}',
        [1, 7, 14, 29, 37, 51],
    ),
    "longer": (b'{"abc":1,"abcdefghil":2,"abcdefghijk":3,"xzy":4,"litellm":5}', None),
    "within-a-prefix": (b'{"abcdefgh_":1,"abcdefgh":2}', [1]),
    "of-both-rules": (b'{"_sentry_x":1}', [1]),
    "in-values": (b'{"b":["a","_q"],"c":"litellm_z"}', None),
    "quotes-that-overlap": (b'{"x":"y","a":1}', [9]),
    "not-ascii": ('{"größe":1}'.encode(), [1]),
    "control-character": (b'{"z\\u001f":1}', []),
    "surrogate": (b'{"\xed\xa0\x80x":1}', [1]),
}


@pytest.mark.parametrize(("text", "places"), NAMED_BY_MANY.values(), ids=NAMED_BY_MANY)
def test_many_names_are_one_search(text: bytes, places: list[int] | None) -> None:
    """However they begin: one pattern, of bounded depth, finds where any may stand."""
    found = MANY.suspects(text)
    assert (None if found is None else list(found)) == places


def test_names_of_any_length_and_number_compile() -> None:
    """A pattern that told all of them apart would be nested too deeply for the compiler."""
    keys = tuple("a" * length for length in range(1, 2000))
    prefilter = Prefilter(Matcher((Rule("r", keys=keys),)))
    text = b'{"' + b"a" * 1999 + b'":1,"' + b"a" * 2000 + b'":2}'
    found = prefilter.suspects(text)
    assert found is not None
    assert list(found) == [1]


_letters = st.text(st.sampled_from('ab_",\\:'), min_size=1, max_size=4)


@given(
    st.lists(_letters, max_size=4),
    st.lists(_letters, max_size=3),
    st.recursive(
        _letters,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_letters, inner, max_size=3),
        max_leaves=12,
    ),
)
def test_as_reading_the_names_says(keys: list[str], prefixes: list[str], value: object) -> None:
    """None only where no name is forbidden; and where each is that needs no escape."""
    rules = (Rule("r", keys=tuple(keys), prefixes=tuple(prefixes)),) if keys or prefixes else ()
    matcher = Matcher(rules)
    names: list[str] = []

    def collected(pairs: list[tuple[str, object]]) -> None:
        names.extend(name for name, _ in pairs if matcher.named(name))

    text = json.dumps(value, separators=(",", ":"))
    json.loads(text, object_pairs_hook=collected)
    found = Prefilter(matcher).suspects(text.encode())
    if found is None:
        assert names == []
    else:
        opened = [begun(text, at) for at in found]
        plain = [name for name in names if not set(name) & {'"', "\\"}]
        assert Counter(plain) <= Counter(opened)  # what looks like a name may be one more


def begun(text: str, at: int) -> object:
    """Give the string that begins with a quote; None where that quote ends one."""
    try:
        return json.JSONDecoder().raw_decode(text, at)[0]
    except json.JSONDecodeError:
        return None


def test_the_end_of_a_string_may_look_like_a_name() -> None:
    """A name that begins with punctuation is suspected there too; the scan tells."""
    matcher = Matcher((Rule("r", prefixes=(":",)),))
    assert Prefilter(matcher).suspects(b'[{"a":[]}]') == array("Q", [4])
    assert Sanitizer(Policy((Rule("r", prefixes=(":",)),))).sanitize_bytes(b'[{"a":[]}]') == (
        b'[{"a":[]}]',
        Report(),
    )


def spelled(draw: st.DrawFn, name: str) -> str:
    """Spell a name in one of the ways JSON allows."""
    return "".join(
        draw(st.sampled_from((character, f"\\u{ord(character):04x}", f"\\u{ord(character):04X}")))
        for character in name
    )


@given(st.data(), st.text(max_size=5), st.text(max_size=5))
def test_no_spelling_is_missed(data: st.DataObject, rest: str, before: str) -> None:
    """However a forbidden name is spelled, and whatever stands around it, the text is suspect."""
    name = data.draw(st.composite(spelled)("_sentry_")) + json.dumps(rest)[1:-1]
    text = f'{{{json.dumps(before)} : ["\\"", {json.dumps(before)}], "{name}"  : 1}}'
    found = SENTRY.suspects(text.encode("utf-8", "surrogatepass"))
    assert found is not None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", False),
        ("a_b_c", False),
        ('{"_x":1}', True),
        ("_" * 5 + '{"_x":1}', True),
        ("_" * 100 + '{"_x":1}', True),
        ("_" * 100, False),
    ],
    ids=["empty", "marks", "first", "later", "behind-many-marks", "many-marks"],
)
def test_a_needle_is_found_by_its_mark(text: str, found: bool) -> None:
    """From mark to mark while they are few, by one search after that."""
    assert holds(text.encode(), b'"_x', b"_") == found
    assert holds(text.encode(), b'"_x', b"~") == found


@pytest.mark.parametrize("padding", [0, 5000], ids=["short", "long"])
def test_what_an_encoder_wrote_is_searched(padding: int) -> None:
    """A name is found; the same in a text is not, nor one that an encoder would spell so."""
    fill = b"x" * padding
    assert SENTRY.finds(b'{"a":"%b","_sentry_x":1}' % fill)
    assert not SENTRY.finds(b'{"a":"%b","b":"_sentry_x"}' % fill)
    assert not SENTRY.finds(b'{"a":"%b","b":1}' % fill)
    quoted = Prefilter(Matcher((Rule("q", keys=('a"b',)),)))
    assert quoted.finds(b'{"c":"%b","a\\"b":1}' % fill)
    assert not quoted.finds(b'{"c":"%b"}' % fill)
