"""The scan of JSON text: what it accepts, and where it finds the names of rules."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from body_guard import Policy, Rule
from body_guard.core import accelerator, plain_scan
from body_guard.core.matcher import Matcher

from strategies import json_texts

MATCHER = Matcher(Policy().rules)

#: Text that is no JSON, and the byte at which that shows.
INVALID: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 0),
    "space": (b"  ", 2),
    "word": (b"hello", 0),
    "open-object": (b"{", 1),
    "open-array": (b"[", 1),
    "open-array-after-value": (b"[1", 2),
    "open-array-after-comma": (b"[1,", 3),
    "close": (b"]", 0),
    "mismatched": (b"[}", 1),
    "mismatched-after-value": (b"[1}", 2),
    "mismatched-object": (b'{"a":1]', 6),
    "twice": (b"{}{}", 2),
    "trailing": (b"[1] x", 4),
    "comma-array": (b"[1,]", 3),
    "comma-object": (b'{"a":1,}', 7),
    "comma-string-object": (b'{"a":"b",}', 9),
    "comma-first": (b"[,1]", 1),
    "comma-first-object": (b'{,"a":1}', 1),
    "comma-twice": (b"[1,,2]", 3),
    "no-comma": (b"[1 2]", 3),
    "no-comma-object": (b'{"a":1 "b":2}', 7),
    "no-colon": (b'{"a" 1}', 5),
    "no-value": (b'{"a":}', 5),
    "no-name": (b"{:1}", 1),
    "bare-name": (b"{a:1}", 1),
    "number-name": (b"{1:1}", 1),
    "single-quotes": (b"{'a':1}", 1),
    "colon-in-array": (b'["a":1]', 4),
    "open-string": (b'"abc', 4),
    "open-name": (b'{"abc', 5),
    "open-string-after-backslash": (b'"a\\', 2),
    "open-string-after-escape": (b'"a\\"', 4),
    "bad-escape": (b'"\\x"', 1),
    "bad-unicode-escape": (b'"\\u12g4"', 1),
    "short-unicode-escape": (b'"\\u12"', 1),
    "upper-case-escape": (b'"\\U0041"', 1),
    "newline-in-string": (b'"a\nb"', 2),
    "control-in-string": (b'"a\x00"', 2),
    "control-in-name": (b'{"a\x1f":1}', 3),
    "leading-zero": (b"[01]", 2),
    "leading-zeros-object": (b'{"a":00}', 6),
    "plus": (b"[+1]", 1),
    "minus": (b"[-]", 1),
    "dot": (b"[1.]", 2),
    "dot-first": (b"[.5]", 1),
    "exponent": (b"[1e]", 2),
    "exponent-sign": (b"[1e+]", 2),
    "hex": (b"[0x1]", 2),
    "upper-case-literal": (b"[True]", 1),
    "cut-literal": (b"[nul]", 1),
    "long-literal": (b"[nullx]", 5),
    "minus-nan": (b"[-NaN]", 1),
    "byte": (b"[\xff]", 1),
    "nul": (b"[1]\x00", 3),
    "nul-in-front": (b"\x00[1]", 0),
    "byte-order-mark": (b"\xef\xbb\xbf[1]", 0),
    "record-separator": (b"\x1e[1]", 0),
    "escape-at-the-end": (b'"' + b"a" * 15 + b"\\", 16),
    "unicode-escape-at-the-end": (b'"\\u004', 1),
    "literal-at-the-end": (b"-Infinit", 0),
    "comment": (b"[1/*x*/]", 2),
    "form-feed": (b"[\x0c1]", 1),
    "no-break-space": (b"[\xc2\xa01]", 1),
    "inside-forbidden": (b'{"_sentry_x":[1,}', 16),
    "name-inside-forbidden": (b'{"_sentry_x":{"a"}}', 17),
    "after-forbidden": (b'{"_sentry_x":1 "a":2}', 15),
    "forbidden-without-value": (b'{"_sentry_x":', 13),
    "forbidden-without-end": (b'{"_sentry_x', 11),
    "forbidden-with-nothing-to-name-its-type": (b'{"_sentry_x":x}', 13),
}


@pytest.mark.parametrize(("text", "position"), INVALID.values(), ids=INVALID)
def test_what_is_no_json_is_told_by_position(text: bytes, position: int) -> None:
    """The answer is the byte at which that shows."""
    assert accelerator.scan(text, MATCHER) == position


@pytest.mark.parametrize("text", ['["%s"]', '{"%s":1}', '{"a":{"b":"%s"}}'], ids=repr)
def test_a_control_character_is_found_in_strings_of_any_length(text: str) -> None:
    """At the end of a long string as in a short one; without it, the same text is JSON."""
    for length in (*range(70), 300, 5_000, 70_000):
        broken = (text % ("x" * length + "\n" + "x" * (length % 7))).encode()
        assert accelerator.scan(broken, MATCHER) == broken.index(b"\n")
        assert accelerator.scan((text % ("x" * length + "\\n")).encode(), MATCHER) is None


@given(json_texts())
def test_it_reads_what_python_reads(text: str) -> None:
    """A text is JSON for a scan just when it is for Python's json."""
    found = accelerator.scan(text.encode("utf-8", "surrogatepass"), MATCHER)
    try:
        json.loads(text)
    except ValueError:
        assert isinstance(found, int)
    else:
        assert not isinstance(found, int)


@pytest.mark.parametrize("number", ["-", "", "+"])
def test_numbers_are_read_as_python_reads_them(number: str) -> None:
    """All texts of five characters that look like one."""
    pieces = "019.eE+-"
    texts = [number]
    for _ in range(4):
        texts = [text + piece for text in texts for piece in ("", *pieces)]
    for text in set(texts):
        try:
            json.loads(f"[{text}]")
        except ValueError:
            valid = False
        else:
            valid = True
        found = accelerator.scan(f"[{text}]".encode(), MATCHER)
        assert (found is None) is valid, text


def test_a_million_levels_are_the_most() -> None:
    """One more is told as too deep, by a negative number, wherever it is."""
    deep = b"[" * 1_000_000
    assert accelerator.scan(deep + b"]" * 1_000_000, MATCHER) is None
    assert accelerator.scan(deep, MATCHER) == 1_000_000
    assert accelerator.scan(deep + b"[", MATCHER) == -1_000_001
    assert accelerator.scan(b" " + b'{"a":[' * 500_000 + b"{}", MATCHER) == -3_000_002


Row = tuple[int, ...]


def rows(text: bytes, matcher: Matcher, **arguments: Any) -> tuple[list[Row], list[Row]]:
    """Return the containers and the members that a scan finds."""
    found = accelerator.scan(text, matcher, **arguments)
    assert isinstance(found, tuple)
    containers, members = found
    return list(struct.iter_unpack("2q", containers)), list(struct.iter_unpack("6q", members))


def test_a_member_is_told_by_where_it_stands_and_how_far_it_goes() -> None:
    """Containers by what is around them; members by container, position, name, value and end."""
    matcher = Matcher((Rule("r", keys=("x",), scope=("/a",)),))
    (value,) = matcher.key_table_arguments()[0].values()
    text = b'[0, {"a":[{"y":{},"x" : [1.5] , "x":2}]}, {"x":{"x":"s"}}]'
    containers, members = rows(text, matcher)
    assert containers == [(-1, 0), (0, 1), (1, ~5), (2, 0), (0, 2), (4, ~43)]
    assert members == [
        (3, 1, value, 18, 24, 29),
        (3, 2, value, 32, 36, 37),
        (4, 0, value, 43, 47, 56),
        (5, 0, value, 48, 52, 55),
    ]


def test_inside_a_member_that_is_cut_nothing_is_told() -> None:
    """Since it goes with it; behind it names are judged again."""
    matcher = Matcher((Rule("r", keys=("x",)), Rule("s", keys=("y",), action="report")))
    x, y = matcher.key_table_arguments()[0].values()
    text = b'{"x":{"x":[{"y":1}],"y":{}},"y":{"x":1,"y":2},"x":"y"}'
    containers, members = rows(text, matcher)
    assert containers == [(-1, 0), (0, ~28)]
    assert [(row[0], row[2], row[3]) for row in members] == [
        (0, x, 1),
        (0, y, 28),
        (1, x, 33),
        (1, y, 39),
        (0, x, 46),
    ]


def test_texts_in_a_sequence_are_told_by_their_index() -> None:
    """One a line, or behind record separators, or with nothing between them."""
    text = b'\x1e{"a":{"_sentry_x":1}}\n\x1e\x1e 12 {}{"_sentry_y":2}\n\n'
    containers, members = rows(text, MATCHER, records=True)
    assert containers == [(-1, 0), (0, ~2), (-1, 3)]
    assert [text[row[3] : row[5]] for row in members] == [b'"_sentry_x":1', b'"_sentry_y":2']
    assert accelerator.scan(text, MATCHER) == 0
    assert accelerator.scan(b"1 2 ]", MATCHER, records=True) == 4
    assert accelerator.scan(b"\n", MATCHER, records=True) == 1


def test_a_scan_begins_behind_a_mark() -> None:
    """Offsets are those of the whole text."""
    text = b'\xef\xbb\xbf{"_sentry_x":1}'
    _, members = rows(text, MATCHER, start=3)
    assert members[0][3:] == (4, 16, 17)
    assert accelerator.scan(b"\xef\xbb\xbf{", MATCHER, start=3) == 4
    assert accelerator.scan(b"12", MATCHER, start=2) == 2


SPELLINGS: dict[str, tuple[str, bytes, bool]] = {
    "plain": ("größe", "größe".encode(), True),
    "escaped": ("größe", b"gr\\u00f6\\u00DFe", True),
    "escaped-in-part": ("größe", "gr\\u00f6ße".encode(), True),
    "another": ("größe", b"gr\\u00f6\\u00d6e", False),
    "longer": ("größe", b"gr\\u00f6\\u00dfen", False),
    "much-longer": ("größe", b"gr\\u00f6\\u00df" + b"e" * 100, False),
    "much-longer-in-escapes": ("größe", b"gr\\u00f6\\u00df" + b"\\u0065" * 100, False),
    "shorter": ("größe", b"gr\\u00f6\\u00df", False),
    "pair": ("\U0001f600", b"\\ud83d\\uDE00", True),
    "pair-as-it-is": ("\U0001f600", "\U0001f600".encode(), True),
    "half": ("\ud83d", b"\\ud83d", True),
    "half-as-it-is": ("\ud83d", b"\xed\xa0\xbd", True),
    "other-half": ("\ude00", b"\\ude00", True),
    "half-before-a-letter": ("\ud83dx", b"\\ud83dx", True),
    "half-before-an-escape": ("\ud83d\n", b"\\ud83d\\n", True),
    "half-before-a-letter-in-an-escape": ("\ud83dA", b"\\ud83d\\u0041", True),
    "two-first-halves": ("\ud83d\ud83d", b"\\ud83d\\ud83d", True),
    "halves-the-wrong-way-round": ("\ude00\ud83d", b"\\ude00\\ud83d", True),
    "half-escaped-half-as-it-is": ("\U0001f600", b"\\ud83d\xed\xb8\x80", False),
    "halves-as-they-are": ("\U0001f600", b"\xed\xa0\xbd\xed\xb8\x80", False),
    "nul": ("\x00", b"\\u0000", True),
    "controls": ("\b\f\n\r\t", b"\\b\\f\\n\\r\\t", True),
    "controls-by-number": ("\b\f\n\r\t", b"\\u0008\\u000c\\u000a\\u000d\\u0009", True),
    "punctuation": ('"\\/', b'\\"\\\\\\/', True),
    "slash": ("/", b"/", True),
    "an-escaped-backslash": ("\\u0041", b"\\\\u0041", True),
    "a-letter-behind-a-backslash": ("A", b"\\\\u0041", False),
    "empty": ("", b"", True),
    "not-empty": ("", b"\\u0000", False),
    "bad-utf-8": ("a\ufffd", b"a\xff", False),
    "case": ("größe", "GRÖSSE".encode(), False),
}


@pytest.mark.parametrize(("key", "name", "same"), SPELLINGS.values(), ids=SPELLINGS)
def test_names_are_compared_decoded(key: str, name: bytes, same: bool) -> None:
    """By any spelling that JSON allows, and as exactly as strings of Python."""
    text = b'{"a":1,"%b":[2]}' % name
    found = accelerator.scan(text, Matcher((Rule("r", keys=(key,)),)))
    assert isinstance(found, tuple) is same


@pytest.mark.parametrize(
    ("key", "name"),
    [(key, name) for key, name, same in SPELLINGS.values() if same and key],
    ids=[which for which, (key, _, same) in SPELLINGS.items() if same and key],
)
def test_prefixes_are_compared_decoded_too(key: str, name: bytes) -> None:
    """However long the name is that begins so."""
    for behind in (b"", b"x", b"\\n", b"x" * 70, b"\\u0065" * 20):
        text = b'{"a":1,"%b%b":[2]}' % (name, behind)
        _, members = rows(text, Matcher((Rule("r", prefixes=(key,)),)))
        assert [row[3] for row in members] == [7]


@given(st.binary(max_size=30), st.booleans())
def test_no_bytes_are_too_strange(text: bytes, records: bool) -> None:
    """Any bytes are JSON or are not; nothing else happens."""
    found = accelerator.scan(text, MATCHER, 0, records)
    assert found is None or (isinstance(found, int) and 0 <= found <= len(text))


def test_every_cut_of_a_text_is_told_as_its_end() -> None:
    """Whatever it breaks off in, and however many bytes are read at once."""
    text = json.dumps(
        {"a" * 40: ["\u00e9" * 20, 1.5e-7, True, None, {"b": {}}], "_sentry_x": "y" * 40}
    )
    whole = text.encode()
    for end in range(len(whole)):
        found = accelerator.scan(whole[:end], MATCHER)
        assert isinstance(found, int)
        assert found <= end


# What the parser of json says of a text, so that the plain scan need not read it byte by byte.
PARSED: dict[str, tuple[bytes, bool]] = {
    "no-key": (b'[{"a":"_sentry_x"},{"b":[{}]}]', True),
    "key": (b'{"a":[{"_sentry_x":1}]}', False),
    "key-in-escapes": (b'{"\\u005fsentry_x":1}', False),
    "key-in-a-member-that-a-later-one-replaces": (b'{"a":{"_sentry_x":1},"a":2}', False),
    "not-json": (b'{"a":1', False),
    "two-texts": (b'{"a":1}{"b":2}', False),
    "bad-utf-8": (b'{"a":"\xff"}', False),
    "surrogate": (b'{"a":"\xed\xa0\x80"}', True),
    "many-digits": (b"[" + b"1" * 5_000 + b"]", False),
    "deep": (b"[" * 2_001 + b"]" * 2_001, False),
    "deep-in-text": (b'["' + b"[" * 2_001 + b'"]', True),
}


@pytest.mark.only_plain
@pytest.mark.parametrize(("text", "clean"), PARSED.values(), ids=PARSED)
def test_most_texts_need_no_more_than_json(text: bytes, clean: bool) -> None:
    """Only a text that json parses, with no name in it that a rule mentions, is clean at once."""
    keys = MATCHER.key_table(plain_scan.key_table)
    assert plain_scan._has_no_key(text, keys, records=False) is clean


@pytest.mark.only_plain
def test_texts_in_a_sequence_need_no_more_either() -> None:
    """One a line, or behind record separators."""
    keys = MATCHER.key_table(plain_scan.key_table)
    text = b'\x1e{"a":1}\n\x1e[2]\n3'
    assert plain_scan._has_no_key(text, keys, records=True)
    assert not plain_scan._has_no_key(text + b'{"_sentry_x":1}', keys, records=True)
    assert not plain_scan._has_no_key(b"", keys, records=True)


@pytest.mark.only_plain
def test_a_large_text_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parser's values would take several times its size; the scan says the same of it."""
    keys = MATCHER.key_table(plain_scan.key_table)
    monkeypatch.setattr(plain_scan, "_has_no_key", lambda *_: 1 / 0)
    monkeypatch.setattr(plain_scan, "_MOST_PARSED", 6)
    assert plain_scan.scan(b'{"a":1}', keys, 0, False) is None
    with pytest.raises(ZeroDivisionError):
        plain_scan.scan(b'{"a":', keys, 0, False)
