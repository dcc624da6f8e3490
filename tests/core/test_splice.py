"""Forbidden members are cut out of JSON text; all else stays, byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given

from body_guard import BodyRejectedError, Policy, Report, Rule, Sanitizer
from body_guard.core import accelerator
from body_guard.core.matcher import Matcher
from body_guard.core.report import CLEAN
from body_guard.core.splice import splice

from strategies import json_texts

MATCHER = Matcher(Policy().rules)


def cut(text: bytes, matcher: Matcher = MATCHER) -> tuple[bytes, Report]:
    """Scan a text and splice it."""
    hits = accelerator.scan(text, matcher)
    assert not isinstance(hits, int)
    return (text, CLEAN) if hits is None else splice(text, hits, matcher)


#: Text, what is left of it, and the paths of what was cut.
CUTS: dict[str, tuple[bytes, bytes, list[str]]] = {
    "only": (b'{"_sentry_x":1}', b"{}", ["/_sentry_x"]),
    "first": (b'{"_sentry_x":1,"a":2}', b'{"a":2}', ["/_sentry_x"]),
    "last": (b'{"a":2,"_sentry_x":1}', b'{"a":2}', ["/_sentry_x"]),
    "middle": (b'{"a":2,"_sentry_x":1,"b":3}', b'{"a":2,"b":3}', ["/_sentry_x"]),
    "two-first": (b'{"_sentry_x":1,"_sentry_y":2,"a":3}', b'{"a":3}', ["/_sentry_x", "/_sentry_y"]),
    "two-last": (b'{"a":3,"_sentry_x":1,"_sentry_y":2}', b'{"a":3}', ["/_sentry_x", "/_sentry_y"]),
    "two-only": (b'{"_sentry_x":1,"_sentry_y":2}', b"{}", ["/_sentry_x", "/_sentry_y"]),
    "three-only": (
        b'{"_sentry_x":1,"_sentry_y":2,"_sentry_z":3}',
        b"{}",
        ["/_sentry_x", "/_sentry_y", "/_sentry_z"],
    ),
    "around": (
        b'{"_sentry_x":1,"a":2,"_sentry_y":3}',
        b'{"a":2}',
        ["/_sentry_x", "/_sentry_y"],
    ),
    "between": (
        b'{"a":1,"_sentry_x":1,"b":2,"_sentry_y":3,"c":4}',
        b'{"a":1,"b":2,"c":4}',
        ["/_sentry_x", "/_sentry_y"],
    ),
    "duplicates": (
        b'{"_sentry_x":1,"a":1,"a":2,"_sentry_x":2}',
        b'{"a":1,"a":2}',
        ["/_sentry_x", "/_sentry_x"],
    ),
    "array-of-objects": (
        b'[{"_sentry_x":1},{"a":1},{"a":[{"b":1,"_sentrysdk_y":{}}]},[]]',
        b'[{},{"a":1},{"a":[{"b":1}]},[]]',
        ["/0/_sentry_x", "/2/a/0/_sentrysdk_y"],
    ),
    "nested-in-forbidden": (
        b'{"_sentry_x":{"_sentry_y":[{"_sentry_z":1}]},"a":2}',
        b'{"a":2}',
        ["/_sentry_x"],
    ),
    "clean-inside-forbidden": (b'{"a":1,"_sentry_x":{"b":[{}]}}', b'{"a":1}', ["/_sentry_x"]),
    "empty-object": (b'{"_sentry_x":{},"a":{}}', b'{"a":{}}', ["/_sentry_x"]),
    "empty-array": (b'{"a":[],"_sentry_x":[]}', b'{"a":[]}', ["/_sentry_x"]),
    "deep": (b'{"a":{"b":{"_sentry_x":1},"c":2}}', b'{"a":{"b":{},"c":2}}', ["/a/b/_sentry_x"]),
    "after-a-container": (
        b'{"a":{"b":1},"_sentry_x":1,"c":[1],"_sentry_y":2}',
        b'{"a":{"b":1},"c":[1]}',
        ["/_sentry_x", "/_sentry_y"],
    ),
    "index": (
        b'[1,2.5,-3,"a",[4,5],{"_sentry_x":1},6,{"_sentry_y":1}]',
        b'[1,2.5,-3,"a",[4,5],{},6,{}]',
        ["/5/_sentry_x", "/7/_sentry_y"],
    ),
    # Any spelling that JSON allows.
    "escaped": (b'{"\\u005fsentry_x":1,"a":2}', b'{"a":2}', ["/_sentry_x"]),
    "escaped-upper-case": (b'{"\\u005Fsentry_x":1}', b"{}", ["/_sentry_x"]),
    "escaped-throughout": (
        b'{"\\u005f\\u0073\\u0065\\u006e\\u0074\\u0072\\u0079\\u005f":1,"a":2}',
        b'{"a":2}',
        ["/_sentry_"],
    ),
    "escaped-beside-plain": (
        b'{"a":1,"\\u005fsentry_x":1,"b":2,"_sentry_y":3}',
        b'{"a":1,"b":2}',
        ["/_sentry_x", "/_sentry_y"],
    ),
    "escaped-after-many": (
        b"{" + b'"a":"b",' * 2500 + b'"_s\\u0065ntry_x":1}',
        b"{" + b'"a":"b",' * 2499 + b'"a":"b"}',
        ["/_sentry_x"],
    ),
    "long-name": (
        b'{"a":1,"_sentry_' + b"\\n" * 3000 + b'":2}',
        b'{"a":1}',
        ["/_sentry_" + "\\u000a" * 3000],
    ),
    "quote-in-name": (b'{"_sentry_\\"x\\"":1,"a":2}', b'{"a":2}', ['/_sentry_\\"x\\"']),
    "slash-in-name": (b'{"_sentry_a\\/b~c":1}', b"{}", ["/_sentry_a~1b~0c"]),
    "surrogate-in-name": (b'{"_sentry_\\ud800":1}', b"{}", ["/_sentry_\\ud800"]),
    "pair-in-name": (b'{"_sentry_\\ud83d\\ude00":1}', b"{}", ["/_sentry_\\ud83d\\ude00"]),
    "utf-8-in-name": ('{"_sentry_é":1,"é":2}'.encode(), '{"é":2}'.encode(), ["/_sentry_\\u00e9"]),
    "bad-utf-8-in-name": (b'{"_sentry_\xff":1,"\xff":2}', b'{"\xff":2}', ["/_sentry_\\ufffd"]),
    "encoded-surrogate-in-name": (
        b'{"_sentry_\xed\xa0\x80":1}',
        b"{}",
        ["/_sentry_\\ud800"],
    ),
    # What stands between the members.
    "space-first": (b'{ "_sentry_x" : 1 , "a" : 2 }', b'{  "a" : 2 }', ["/_sentry_x"]),
    "space-last": (b'{ "a" : 2 , "_sentry_x" : 1 }', b'{ "a" : 2  }', ["/_sentry_x"]),
    "space-middle": (
        b'{ "a" : 2 , "_sentry_x" : 1 , "b" : 3 }',
        b'{ "a" : 2  , "b" : 3 }',
        ["/_sentry_x"],
    ),
    "space-only": (b' { "_sentry_x" : 1 } ', b" {  } ", ["/_sentry_x"]),
    "indented-last": (
        b'{\n  "a": 1,\n  "_sentry_x": {\n    "b": 2\n  }\n}\n',
        b'{\n  "a": 1\n}\n',
        ["/_sentry_x"],
    ),
    "indented-first": (
        b'{\r\n\t"_sentry_x": 1,\r\n\t"a": 1\r\n}',
        b'{\r\n\t\r\n\t"a": 1\r\n}',
        ["/_sentry_x"],
    ),
    "indented-middle": (
        b'{\n "a": 1,\n "_sentry_x": 1,\n "b": 2\n}',
        b'{\n "a": 1,\n "b": 2\n}',
        ["/_sentry_x"],
    ),
    # What stays as it is, however it is spelled.
    "numbers": (
        b'{"a":1.10,"b":1e999,"c":-0,"d":1E+2,"_sentry_x":1,"e":0.0e-0,"f":[-0.0,123456789012345678901234567890]}',
        b'{"a":1.10,"b":1e999,"c":-0,"d":1E+2,"e":0.0e-0,"f":[-0.0,123456789012345678901234567890]}',
        ["/_sentry_x"],
    ),
    "not-numbers": (
        b'{"a":NaN,"_sentry_x":1,"b":[Infinity,-Infinity]}',
        b'{"a":NaN,"b":[Infinity,-Infinity]}',
        ["/_sentry_x"],
    ),
    "surrogates": (
        b'{"a":"\\ud800","_sentry_x":"\\udfff","b":"\\uDBFF"}',
        b'{"a":"\\ud800","b":"\\uDBFF"}',
        ["/_sentry_x"],
    ),
    "escapes": (
        b'{"\\u0061":"\\/\\u00e9\\b\\f\\n\\r\\t\\"\\\\","_sentry_x":1}',
        b'{"\\u0061":"\\/\\u00e9\\b\\f\\n\\r\\t\\"\\\\"}',
        ["/_sentry_x"],
    ),
    "prose": (
        b'{"_sentry_x":1,"content":"say _sentry_x, or \\"_sentry_x\\": 1, to it"}',
        b'{"content":"say _sentry_x, or \\"_sentry_x\\": 1, to it"}',
        ["/_sentry_x"],
    ),
    "json-in-a-string": (
        b'{"arguments":"{\\"_sentry_x\\": 1}","_sentry_x":1}',
        b'{"arguments":"{\\"_sentry_x\\": 1}"}',
        ["/_sentry_x"],
    ),
    "value-like-a-name": (
        b'{"a":"_sentry_x","_sentry_x":"a","l":["_sentry_x"]}',
        b'{"a":"_sentry_x","l":["_sentry_x"]}',
        ["/_sentry_x"],
    ),
    "braces-in-strings": (
        b'{"_sentry_x":"}],{\\"","a":"{[,:"}',
        b'{"a":"{[,:"}',
        ["/_sentry_x"],
    ),
    "long-strings": (
        b'{"a":"' + b"\\n" * 5000 + b'","_sentry_x":"' + b"\\\\" * 5000 + b'"}',
        b'{"a":"' + b"\\n" * 5000 + b'"}',
        ["/_sentry_x"],
    ),
    "many-numbers": (
        b"[[0," + b"1, " * 2500 + b'2],{"_sentry_x":1}]',
        b"[[0," + b"1, " * 2500 + b"2],{}]",
        ["/1/_sentry_x"],
    ),
    "many-numbers-before": (
        b"[" + b"1,2.5," * 1500 + b'{"_sentry_x":1}]',
        b"[" + b"1,2.5," * 1500 + b"{}]",
        ["/3000/_sentry_x"],
    ),
}


@pytest.mark.parametrize(("text", "left", "paths"), CUTS.values(), ids=CUTS)
def test_forbidden_members_are_cut_out(text: bytes, left: bytes, paths: list[str]) -> None:
    """With a member goes one comma; every other byte stays as it was written."""
    content, report = cut(text)
    assert content == left
    assert [found.path for found in report.findings] == paths
    assert {(f.rule, f.action, f.owner) for f in report.findings} == {
        ("sentry", "remove", "sentry-sdk")
    }
    assert report.changed
    assert Sanitizer().sanitize_bytes(text, "application/json") == (left, report)


CLEAN_TEXTS: dict[str, bytes] = {
    "object": b'{"a":1}',
    "scalars": b'[1,-1,0,1.5,1e5,"a",true,false,null,NaN,Infinity,-Infinity]',
    "string": b'"text"',
    "number": b" 12 ",
    "literal": b"null",
    "empties": b'{"a":{},"b":[],"":[[],{}]}',
    "space": b' \t\r\n{ "a" : [ 1 , 2 ] , "b" : { } } ',
    "prose": b'["_sentry_x","{\\"_sentry_x\\":1}"]',
    "escapes": b'{"\\u005f":"\\u005f","_sentr\\u0079":1}',
    "strings-in-a-row": b'{"a":"b","c":"d","e":["f","g"]}',
}


@pytest.mark.parametrize("text", CLEAN_TEXTS.values(), ids=CLEAN_TEXTS)
def test_a_clean_text_is_the_same_object(text: bytes) -> None:
    """What holds nothing forbidden is not written again."""
    content, report = cut(text)
    assert content is text
    assert (report.findings, report.changed) == ((), False)


def stripped(pairs: list[tuple[str, Any]]) -> Any:
    """Make of an object its members, in their order, less the forbidden ones."""
    return ("object", [(k, v) for k, v in pairs if not k.startswith(("_sentry_", "_sentrysdk_"))])


@given(json_texts())
def test_what_is_left_is_the_text_less_the_forbidden_members(text: str) -> None:
    """Read by Python's json, duplicates and all, only the forbidden members are missing."""
    try:
        expected = json.loads(text, object_pairs_hook=stripped)
    except ValueError:
        return
    content = cut(text.encode("utf-8", "surrogatepass"))[0]
    left = json.loads(
        content.decode("utf-8", "surrogatepass"),
        object_pairs_hook=lambda pairs: ("object", pairs),
    )
    assert repr(left) == repr(expected)


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object with a name that stands twice: Python's json keeps one of the two."""
    assume(len(dict(pairs)) == len(pairs))
    return dict(pairs)


@given(json_texts())
def test_a_text_is_judged_as_the_value_it_spells(text: str) -> None:
    """The findings are those of a walk over the value, but for what only a value can have."""
    try:
        value = json.loads(text, object_pairs_hook=unique)
    except ValueError:
        return
    _, report = cut(text.encode("utf-8", "surrogatepass"))
    _, walked = Sanitizer().sanitize(value)
    assert report.findings == tuple(f for f in walked.findings if f.rule == "sentry")


TYPES = {
    b"{}": "builtins.dict",
    b"[]": "builtins.list",
    b'"a"': "builtins.str",
    b"true": "builtins.bool",
    b"false": "builtins.bool",
    b"null": "builtins.NoneType",
    b"0": "builtins.int",
    b"-12": "builtins.int",
    b"1.5": "builtins.float",
    b"-1e5": "builtins.float",
    b"NaN": "builtins.float",
    b"-Infinity": "builtins.float",
}


@pytest.mark.parametrize(("value", "kind"), TYPES.items(), ids=lambda value: str(value))
def test_a_finding_in_bytes_has_the_type_it_would_have_in_a_value(value: bytes, kind: str) -> None:
    """By the first byte of the value, as Python's json reads it."""
    text = b'{"a":[{"_sentry_x":%b}]}' % value
    (found,) = cut(text)[1].findings
    assert found.type == kind
    _, report = Sanitizer().sanitize(json.loads(text))
    assert report.findings == (found,)


def test_exact_names_and_their_order_are_the_matchers() -> None:
    """Rules by exact name, of any characters, and the first rule first."""
    matcher = Matcher(
        (
            Rule("exact", keys=("größe", "a/b", "_x_1"), owner="one"),
            Rule("begin", prefixes=("_x_",), action="reject", owner="two"),
        )
    )
    text = '{"gr\\u00f6\\u00dfe":1,"größe":2,"größer":3,"a\\/b":4,"_x_1":5,"_x_2":6}'.encode()
    content, report = cut(text, matcher)
    assert content == '{"größer":3}'.encode()
    assert [(f.path, f.rule, f.action, f.owner) for f in report.findings] == [
        ("/gr\\u00f6\\u00dfe", "exact", "remove", "one"),
        ("/gr\\u00f6\\u00dfe", "exact", "remove", "one"),
        ("/a~1b", "exact", "remove", "one"),
        ("/_x_1", "exact", "remove", "one"),
        ("/_x_2", "begin", "reject", "two"),
    ]
    with pytest.raises(BodyRejectedError) as caught:
        Sanitizer(
            Policy(
                (
                    Rule("exact", keys=("a",), owner="one"),
                    Rule("begin", prefixes=("_x_",), action="reject", owner="two"),
                )
            )
        ).sanitize_bytes(b'{"a":1,"_x_2":{"secret":1}}')
    assert str(caught.value) == (
        "The body was not sent: /_x_2 (rule begin, builtins.dict) may not leave."
    )
    assert [f.path for f in caught.value.report.findings] == ["/a", "/_x_2"]


def test_findings_in_bytes_beyond_a_thousand_are_counted() -> None:
    """Everything is cut, a thousand places are listed, the others are a number."""
    text = b"[" + b",".join([b'{"_sentry_x":1}'] * 1500) + b"]"
    content, report = cut(text)
    assert content == b"[" + b",".join([b"{}"] * 1500) + b"]"
    assert len(report.findings) == 1000
    assert report.findings[999].path == "/999/_sentry_x"
    assert report.omitted == 500


@pytest.mark.parametrize(
    ("opening", "closing", "token"),
    [(b"[", b"]", "/0"), (b'{"a":', b"}", "/a"), (b'[0,{"a":', b"}]", "/1/a")],
    ids=["arrays", "objects", "both"],
)
def test_a_scan_is_not_bound_by_the_stack(opening: bytes, closing: bytes, token: str) -> None:
    """A hundred thousand levels are scanned like ten."""
    text = opening * 100_000 + b'{"_sentry_x":1,"y":2}' + closing * 100_000
    content, report = cut(text)
    assert content == opening * 100_000 + b'{"y":2}' + closing * 100_000
    (found,) = report.findings
    assert found.path == token * 100_000 + "/_sentry_x"
