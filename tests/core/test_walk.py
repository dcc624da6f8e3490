"""Each kind of value is treated as JSON.stringify does, and what a walk leaves as it was."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import json
import math
import pathlib
import sys
import tracemalloc
import types
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given

from body_guard import BodyLimitError, BodyRejectedError, Finding, Policy, Rule, Sanitizer
from body_guard.core import listing
from body_guard.core import walk as module
from body_guard.core.matcher import Matcher
from body_guard.core.walk import walk

from hostile import HOSTILE, HostileMeta, Span, hostile_class, hostile_key, snapshot
from strategies import anything

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SANITIZER = Sanitizer()
HINT = "convert=body_guard.convert.jsonable would keep it"
OVER_THE_LIMIT = 10**5000


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Word(str):
    __slots__ = ()


class Count(int):
    pass


class Ratio(float):
    pass


class Tag(str, enum.Enum):
    A = "a"


class Pair(NamedTuple):
    left: object
    right: object


class Bag(dict):  # type: ignore[type-arg]
    pass


class Computed(list):  # type: ignore[type-arg]
    """A list that computes its items."""

    def __iter__(self) -> Iterator[Any]:
        return (item for item in list.__iter__(self))


class Silent(list):  # type: ignore[type-arg]
    """A list that cannot be read."""

    __iter__ = None  # type: ignore[assignment]


class Row(list):  # type: ignore[type-arg]
    pass


@dataclasses.dataclass
class Settings:
    temperature: float = 0.7


def findings(report: Any) -> list[tuple[str, str, str, str, str, str]]:
    return [(f.path, f.rule, f.action, f.type, f.owner, f.hint) for f in report.findings]


def same(one: Any, other: Any) -> bool:
    """Check whether two values are one object, without pytest printing them where they are not."""
    return one is other


# Row: not JSON-serializable.

UNSERIALIZABLE: dict[str, tuple[Callable[[], Any], str, str, str]] = {
    "object": (object, "builtins.object", "", ""),
    "Span": (Span, "sentry_sdk.tracing.Span", "sentry_sdk", ""),
    "set": (lambda: {1}, "builtins.set", "", HINT),
    "frozenset": (lambda: frozenset({1}), "builtins.frozenset", "", HINT),
    "bytes": (lambda: b"x", "builtins.bytes", "", ""),
    "bytearray": (lambda: bytearray(b"x"), "builtins.bytearray", "", ""),
    "memoryview": (lambda: memoryview(b"x"), "builtins.memoryview", "", ""),
    "complex": (lambda: 1j, "builtins.complex", "", ""),
    "range": (lambda: range(3), "builtins.range", "", ""),
    "ellipsis": (lambda: ..., "builtins.ellipsis", "", ""),
    "class": (lambda: dict, "builtins.type", "", ""),
    "function": (lambda: same, "builtins.function", "", ""),
    "module": (lambda: math, "builtins.module", "", ""),
    "exception": (lambda: ValueError("x"), "builtins.ValueError", "", ""),
    "generator": (lambda: (n for n in (1, 2)), "builtins.generator", "", ""),
    "iterator": (lambda: iter([1]), "builtins.list_iterator", "", ""),
    "dict-view": (lambda: {"a": 1}.items(), "builtins.dict_items", "", ""),
    "mappingproxy": (lambda: types.MappingProxyType({"a": 1}), "builtins.mappingproxy", "", ""),
    "deque": (lambda: collections.deque([1]), "collections.deque", "collections", ""),
    "UserDict": (lambda: collections.UserDict(a=1), "collections.UserDict", "collections", ""),
    "datetime": (lambda: datetime.datetime(2024, 1, 1), "datetime.datetime", "datetime", HINT),
    "date": (lambda: datetime.date(2024, 1, 1), "datetime.date", "datetime", HINT),
    "time": (lambda: datetime.time(12), "datetime.time", "datetime", HINT),
    "timedelta": (lambda: datetime.timedelta(1), "datetime.timedelta", "datetime", ""),
    "Decimal": (lambda: decimal.Decimal("0.7"), "decimal.Decimal", "decimal", HINT),
    "UUID": (lambda: uuid.UUID(int=1), "uuid.UUID", "uuid", HINT),
    "Enum": (lambda: Colour.RED, f"{__name__}.Colour", __name__, HINT),
    "dataclass": (Settings, f"{__name__}.Settings", __name__, HINT),
    "numpy-float32": (lambda: np.float32(0.5), "numpy.float32", "numpy", HINT),
    "numpy-int64": (lambda: np.int64(3), "numpy.int64", "numpy", HINT),
    "numpy-array": (lambda: np.array([1]), "numpy.ndarray", "numpy", ""),
}
unserializable = pytest.mark.parametrize(
    ("make", "kind", "owner", "hint"), UNSERIALIZABLE.values(), ids=UNSERIALIZABLE
)


@unserializable
def test_an_unserializable_member_is_removed(
    make: Callable[[], Any], kind: str, owner: str, hint: str
) -> None:
    """What JSON cannot write goes, with its name, from the object it stands in."""
    body = {"before": 1, "x": make(), "after": [2]}
    value, report = SANITIZER.sanitize(body)
    assert value == {"before": 1, "after": [2]}
    assert findings(report) == [("/x", "unserializable", "remove", kind, owner, hint)]
    assert report.changed
    content, encoded_report = SANITIZER.encode(body)
    assert content == b'{"before":1,"after":[2]}'
    assert encoded_report == report


@unserializable
def test_an_unserializable_element_becomes_null(
    make: Callable[[], Any], kind: str, owner: str, hint: str
) -> None:
    """Positions keep: null stands where an element cannot be written."""
    body = ["before", make(), "after"]
    value, report = SANITIZER.sanitize(body)
    assert value == ["before", None, "after"]
    assert findings(report) == [("/1", "unserializable", "replace", kind, owner, hint)]
    assert report.changed
    content, encoded_report = SANITIZER.encode(body)
    assert content == b'["before",null,"after"]'
    assert encoded_report == report


@unserializable
@pytest.mark.parametrize("call", [SANITIZER.sanitize, SANITIZER.encode], ids=["sanitize", "encode"])
def test_an_unserializable_body_is_refused(
    make: Callable[[], Any], kind: str, owner: str, hint: str, call: Callable[[Any], Any]
) -> None:
    """Where nothing is left to send, nothing is sent."""
    with pytest.raises(BodyRejectedError) as caught:
        call(make())
    assert findings(caught.value.report) == [("", "unserializable", "reject", kind, owner, hint)]
    assert str(caught.value) == (
        f"The body was not sent: the whole body (rule unserializable, {kind}) may not leave."
    )


@unserializable
@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda value: {"x": value}, "/x"),
        (lambda value: [value], "/0"),
        (lambda value: {"y": ({"x": value},)}, "/y/0/x"),
    ],
    ids=["member", "element", "nested"],
)
def test_the_strict_choice_refuses_what_cannot_be_written(
    make: Callable[[], Any],
    kind: str,
    owner: str,
    hint: str,
    wrap: Callable[[Any], Any],
    path: str,
) -> None:
    """With unserializable="reject" a body that json.dumps would not take is not sent either."""
    with pytest.raises(BodyRejectedError) as caught:
        Sanitizer(Policy(unserializable="reject")).encode(wrap(make()))
    assert findings(caught.value.report) == [(path, "unserializable", "reject", kind, owner, hint)]


def test_paths_carry_a_hint_on_every_python() -> None:
    """A path is plain data, whatever module this Python keeps the class in."""
    _, report = SANITIZER.sanitize([pathlib.PurePosixPath("x")])
    (found,) = report.findings
    assert (found.rule, found.owner, found.hint) == ("unserializable", "pathlib", HINT)


def test_a_generator_is_never_consumed() -> None:
    """A generator is taken out unasked: it may be reading from the caller's socket."""
    generator = (number for number in range(3))
    SANITIZER.encode({"a": generator, "b": [generator]})
    assert list(generator) == [0, 1, 2]


# Rows: what is replaced by something that can be written.

REPLACED: dict[str, tuple[Any, Any, str, str, str]] = {
    "nan": (math.nan, None, "null", "non-finite", "builtins.float"),
    "inf": (math.inf, None, "null", "non-finite", "builtins.float"),
    "minus-inf": (-math.inf, None, "null", "non-finite", "builtins.float"),
    "float-subclass-nan": (Ratio("nan"), None, "null", "non-finite", f"{__name__}.Ratio"),
    "numpy-nan": (np.float64("nan"), None, "null", "non-finite", "numpy.float64"),
    "lone-high": ("a\ud800b", "a\ufffdb", '"a\ufffdb"', "surrogate", "builtins.str"),
    "lone-low": ("a\udfffb", "a\ufffdb", '"a\ufffdb"', "surrogate", "builtins.str"),
    "at-the-end": ("é\ud83d", "é\ufffd", '"é\ufffd"', "surrogate", "builtins.str"),
    "two-high": ("\ud800\ud800", "\ufffd\ufffd", '"\ufffd\ufffd"', "surrogate", "builtins.str"),
    "inverted": ("\udc00\ud800", "\ufffd\ufffd", '"\ufffd\ufffd"', "surrogate", "builtins.str"),
    "high-then-pair": (
        "\ud800\ud83d\ude00",
        "\ufffd\U0001f600",
        '"\ufffd\U0001f600"',
        "surrogate",
        "builtins.str",
    ),
    "beside-astral": (
        "\U0001f600\udead\U0001f600",
        "\U0001f600\ufffd\U0001f600",
        '"\U0001f600\ufffd\U0001f600"',
        "surrogate",
        "builtins.str",
    ),
    "halves-of-a-pair": (
        "\ud83d\ude00",
        "\U0001f600",
        '"\U0001f600"',
        "surrogate",
        "builtins.str",
    ),
    "str-subclass": (Word("\udcff"), "\ufffd", '"\ufffd"', "surrogate", f"{__name__}.Word"),
}
replaced = pytest.mark.parametrize(
    ("given_value", "left", "text", "rule", "kind"), REPLACED.values(), ids=REPLACED
)


@replaced
@pytest.mark.parametrize(
    ("wrap", "around", "path"),
    [
        (lambda value: {"a": 1, "x": value}, '{"a":1,"x":%s}', "/x"),
        (lambda value: [1, value], "[1,%s]", "/1"),
        (lambda value: (1, value), "[1,%s]", "/1"),
        (lambda value: value, "%s", ""),
        (lambda value: [{"b": [value]}], '[{"b":[%s]}]', "/0/b/0"),
    ],
    ids=["member", "element", "tuple", "whole", "nested"],
)
def test_what_can_be_replaced_is_replaced(
    given_value: Any,
    left: Any,
    text: str,
    rule: str,
    kind: str,
    wrap: Callable[[Any], Any],
    around: str,
    path: str,
) -> None:
    """NaN and the infinities become null, half a character U+FFFD, wherever they stand."""
    value, report = SANITIZER.sanitize(wrap(given_value))
    expected = wrap(left)
    assert value == (list(expected) if type(expected) is tuple else expected)
    assert findings(report) == [(path, rule, "replace", kind, "", "")]
    assert report.changed
    assert SANITIZER.encode(wrap(given_value)) == ((around % text).encode(), report)


# Row: int over the interpreter's digit limit.

DIGITS = pytest.mark.parametrize(
    ("number", "kind"),
    [
        (10**4300, "builtins.int"),
        (-(10**4300), "builtins.int"),
        (Count(OVER_THE_LIMIT), f"{__name__}.Count"),
    ],
    ids=["4301-digits", "negative", "subclass"],
)


@DIGITS
def test_an_int_over_the_digit_limit(number: int, kind: str) -> None:
    """What int.__repr__ refuses to write leaves as what cannot be written does."""
    value, report = SANITIZER.sanitize({"a": number, "b": 1})
    assert value == {"b": 1}
    assert findings(report) == [("/a", "digits", "remove", kind, "", "")]
    assert SANITIZER.encode({"a": number, "b": 1}) == (b'{"b":1}', report)

    value, report = SANITIZER.sanitize([number, 1])
    assert value == [None, 1]
    assert findings(report) == [("/0", "digits", "replace", kind, "", "")]
    assert SANITIZER.encode([number, 1]) == (b"[null,1]", report)

    for call in (SANITIZER.sanitize, SANITIZER.encode):
        with pytest.raises(BodyRejectedError) as caught:
            call(number)
        assert findings(caught.value.report) == [("", "digits", "reject", kind, "", "")]


@pytest.mark.parametrize(
    ("limit", "number", "left"),
    [
        (4300, 10**4300 - 1, True),
        (4300, -(10**4300) + 1, True),
        (640, 10**640 - 1, True),
        (640, 10**640, False),
        (0, OVER_THE_LIMIT, True),
    ],
    ids=["default-last", "default-last-negative", "640-last", "640-first", "no-limit"],
)
def test_the_limit_is_the_interpreters_own(limit: int, number: int, left: bool) -> None:
    """An int of just as many digits as may be written is written, whatever the limit is set to."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(limit)
    try:
        content, report = SANITIZER.encode([number])
    finally:
        sys.set_int_max_str_digits(before)
    assert content.startswith((b"[9", b"[-9", b"[1")) is left
    assert [found.rule for found in report.findings] == ([] if left else ["digits"])


# Row: a key matches a rule.


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("_sentry_span", "/_sentry_span"),
        ("_sentry_", "/_sentry_"),
        ("_sentrysdk_span", "/_sentrysdk_span"),
        ("_sentry_é", "/_sentry_\\u00e9"),
        ("_sentry_a/b~c", "/_sentry_a~1b~0c"),
        ("_sentry_\ud800", "/_sentry_\\ud800"),
        (Word("_sentry_x"), "/_sentry_x"),
    ],
    ids=["span", "prefix-alone", "sdk", "non-ascii", "escaped", "surrogate", "str-subclass"],
)
@pytest.mark.parametrize(
    ("held", "kind"),
    [
        (1, "builtins.int"),
        (None, "builtins.NoneType"),
        ("text", "builtins.str"),
        ({"deep": [1]}, "builtins.dict"),
        (Span(), "sentry_sdk.tracing.Span"),
        (math.nan, "builtins.float"),
    ],
    ids=["int", "none", "str", "dict", "Span", "nan"],
)
def test_a_forbidden_member_is_removed(key: str, path: str, held: Any, kind: str) -> None:
    """A name that a rule forbids goes, whatever it holds, and is reported once."""
    body = {"a": 1, key: held, "b": {"c": [{key: held}]}}
    value, report = SANITIZER.sanitize(body)
    assert value == {"a": 1, "b": {"c": [{}]}}
    assert findings(report) == [
        (path, "sentry", "remove", kind, "sentry-sdk", ""),
        (f"/b/c/0{path}", "sentry", "remove", kind, "sentry-sdk", ""),
    ]
    assert SANITIZER.encode(body) == (b'{"a":1,"b":{"c":[{}]}}', report)


@pytest.mark.parametrize(
    "key",
    ["sentry_", "_Sentry_x", " _sentry_x", "_sentry", "x_sentry_", "_sentrysdk", "\\u005fsentry_"],
)
def test_other_names_stay(key: str) -> None:
    """Names are compared exactly and from their beginning."""
    body = {key: 1}
    assert SANITIZER.sanitize(body)[0] is body


def test_text_is_never_touched() -> None:
    """A forbidden name inside a prompt, or inside JSON in a string, is the user's."""
    body = {"content": "_sentry_span", "arguments": '{"_sentry_span": 1}', "l": ["_sentry_x"]}
    value, report = SANITIZER.sanitize(body)
    assert value is body
    assert not report.findings
    assert SANITIZER.encode(body)[0] == (
        b'{"content":"_sentry_span","arguments":"{\\"_sentry_span\\": 1}","l":["_sentry_x"]}'
    )


# Rows: keys that are no names.

BAD_KEYS: dict[str, tuple[Callable[[], Any], str, str, str, str]] = {
    "nan": (lambda: math.nan, "bad-key", "builtins.float", "", ""),
    "inf": (lambda: math.inf, "bad-key", "builtins.float", "", ""),
    "minus-inf": (lambda: -math.inf, "bad-key", "builtins.float", "", ""),
    "float-subclass-nan": (lambda: Ratio("nan"), "bad-key", f"{__name__}.Ratio", "", ""),
    "digits": (lambda: OVER_THE_LIMIT, "bad-key", "builtins.int", "", ""),
    "int-subclass": (lambda: Count(-OVER_THE_LIMIT), "bad-key", f"{__name__}.Count", "", ""),
    "tuple": (lambda: (1, 2), "unserializable", "builtins.tuple", "", ""),
    "bytes": (lambda: b"k", "unserializable", "builtins.bytes", "", ""),
    "object": (object, "unserializable", "builtins.object", "", ""),
    "Span": (Span, "unserializable", "sentry_sdk.tracing.Span", "sentry_sdk", ""),
    "frozenset": (frozenset, "unserializable", "builtins.frozenset", "", HINT),
    "Enum": (lambda: Colour.RED, "unserializable", f"{__name__}.Colour", __name__, HINT),
    "date": (
        lambda: datetime.date(2024, 1, 1),
        "unserializable",
        "datetime.date",
        "datetime",
        HINT,
    ),
}
bad_keys = pytest.mark.parametrize(
    ("make", "rule", "kind", "owner", "hint"), BAD_KEYS.values(), ids=BAD_KEYS
)


@bad_keys
@pytest.mark.parametrize("held", [1, {"deep": object()}], ids=["int", "dict"])
def test_a_member_whose_key_is_no_name_is_removed(
    make: Callable[[], Any], rule: str, kind: str, owner: str, hint: str, held: Any
) -> None:
    """What json cannot write as a name goes with its value; the path says the key's type."""
    body = {"a": 1, make(): held, "b": [{make(): held}]}
    value, report = SANITIZER.sanitize(body)
    assert value == {"a": 1, "b": [{}]}
    assert findings(report) == [
        (f"/<{kind}>", rule, "remove", kind, owner, hint),
        (f"/b/0/<{kind}>", rule, "remove", kind, owner, hint),
    ]
    assert SANITIZER.encode(body) == (b'{"a":1,"b":[{}]}', report)


@bad_keys
def test_the_strict_choice_refuses_keys_that_are_no_names(
    make: Callable[[], Any], rule: str, kind: str, owner: str, hint: str
) -> None:
    """With unserializable="reject" a key of a foreign type refuses the body; NaN is removed."""
    strict = Sanitizer(Policy(unserializable="reject"))
    if rule == "bad-key":
        assert strict.encode({make(): 1})[0] == b"{}"
        return
    with pytest.raises(BodyRejectedError) as caught:
        strict.encode({make(): 1})
    assert findings(caught.value.report) == [(f"/<{kind}>", rule, "reject", kind, owner, hint)]


@pytest.mark.parametrize(
    ("key", "left", "path"),
    [
        ("\ud800", "\ufffd", "/\\ud800"),
        ("a\udfff/b", "a\ufffd/b", "/a\\udfff~1b"),
        ("\ud83d\ude00", "\U0001f600", "/\\ud83d\\ude00"),
        (Word("\udcff"), "\ufffd", "/\\udcff"),
    ],
    ids=["lone", "inside", "halves-of-a-pair", "str-subclass"],
)
def test_half_a_character_in_a_key_is_replaced(key: str, left: str, path: str) -> None:
    """A key keeps its place and its value, and half a character in it becomes U+FFFD."""
    body = {"a": 1, key: {"c": 2}, "b": 3}
    value, report = SANITIZER.sanitize(body)
    assert value == {"a": 1, left: {"c": 2}, "b": 3}
    kind = f"{__name__}.Word" if type(key) is Word else "builtins.str"
    assert findings(report) == [(path, "surrogate", "replace", kind, "", "")]
    assert value["b"] == 3
    content, _ = SANITIZER.encode(body)
    assert content == f'{{"a":1,"{left}":{{"c":2}},"b":3}}'.encode()


def test_a_key_and_its_value_can_both_be_at_fault() -> None:
    """Each fault of a member is a finding of its own."""
    body: dict[str, Any] = {"\ud800": math.nan}
    body["\udfff"] = object()
    value, report = SANITIZER.sanitize(body)
    assert value == {"\ufffd": None}
    assert [(f.path, f.rule, f.action) for f in report.findings] == [
        ("/\\ud800", "surrogate", "replace"),
        ("/\\ufffd", "non-finite", "replace"),
        ("/\\udfff", "surrogate", "replace"),
        ("/\\ufffd", "unserializable", "remove"),
    ]


# What is left as json leaves it.

LEFT: dict[str, tuple[Any, str]] = {
    "none": (None, "null"),
    "true": (True, "true"),
    "false": (False, "false"),
    "int": (-12, "-12"),
    "big-int": (10**600, "1" + "0" * 600),
    "float": (0.1, "0.1"),
    "exponent": (1e22, "1e+22"),
    "minus-zero": (-0.0, "-0.0"),
    "str": ('é"\\\n\x00\u2028', '"é\\"\\\\\\n\\u0000\u2028"'),
    "astral": ("\U0001f600", '"\U0001f600"'),
    "str-subclass": (Word("w"), '"w"'),
    "str-enum": (Tag.A, '"a"'),
    "numpy-str": (np.str_("n"), '"n"'),
    "int-subclass": (Count(4), "4"),
    "int-subclass-big": (Count(10**600), "1" + "0" * 600),
    "int-enum": (Level.HIGH, "3"),
    "float-subclass": (Ratio(0.5), "0.5"),
    "numpy-float64": (np.float64(0.25), "0.25"),
    "empty-dict": ({}, "{}"),
    "empty-list": ([], "[]"),
    "empty-tuple": ((), "[]"),
    "tuple": ((1, (2,)), "[1,[2]]"),
    "named-tuple": (Pair(1, "r"), '[1,"r"]'),
    "dict-subclass": (Bag(a=1), '{"a":1}'),
    "list-subclass": (Row([1]), "[1]"),
    "ordered-dict": (collections.OrderedDict(b=1, a=2), '{"b":1,"a":2}'),
    "default-dict": (collections.defaultdict(list, a=[1]), '{"a":[1]}'),
    "counter": (collections.Counter("aab"), '{"a":2,"b":1}'),
    "int-key": ({1: "a", -2: "b"}, '{"1":"a","-2":"b"}'),
    "float-key": ({1.5: "a", 1e22: "b"}, '{"1.5":"a","1e+22":"b"}'),
    "bool-key": ({True: "a", False: "b"}, '{"true":"a","false":"b"}'),
    "none-key": ({None: "a"}, '{"null":"a"}'),
    "str-subclass-key": ({Word("w"): 1}, '{"w":1}'),
    "int-enum-key": ({Level.HIGH: 1}, '{"3":1}'),
    "float-subclass-key": ({Ratio(0.5): 1}, '{"0.5":1}'),
    "empty-key": ({"": 1}, '{"":1}'),
}
left = pytest.mark.parametrize(("given_value", "text"), LEFT.values(), ids=LEFT)


@left
@pytest.mark.parametrize(
    ("wrap", "around"),
    [
        (lambda value: value, "%s"),
        (lambda value: {"x": value}, '{"x":%s}'),
        (lambda value: [value, value], "[%s,%s]"),
    ],
    ids=["whole", "member", "element"],
)
def test_what_json_writes_is_left(
    given_value: Any, text: str, wrap: Callable[[Any], Any], around: str
) -> None:
    """A clean value is the same object afterwards, and is written as json writes it."""
    body = wrap(given_value)
    before = snapshot(body)
    value, report = SANITIZER.sanitize(body)
    assert value is body
    assert snapshot(body) == before
    assert (report.findings, report.changed, report.judged) == ((), False, True)
    assert SANITIZER.encode(body) == ((around.replace("%s", text)).encode(), report)


@left
def test_what_json_writes_stays_beside_what_it_cannot(given_value: Any, text: str) -> None:
    """A copy of a container holds the caller's own values, and json writes them the same."""
    value, _ = SANITIZER.sanitize([given_value, object(), {"x": given_value, "_sentry_x": 1}])
    assert value[0] is given_value
    assert value[2]["x"] is given_value
    content, _ = SANITIZER.encode([given_value, object(), {"x": given_value, "_sentry_x": 1}])
    assert content == f'[{text},null,{{"x":{text}}}]'.encode()


@pytest.mark.parametrize(
    ("body", "left", "text"),
    [
        (collections.OrderedDict(b=1, x=object(), a=2), {"b": 1, "a": 2}, '{"b":1,"a":2}'),
        (collections.defaultdict(list, x=object(), a=2), {"a": 2}, '{"a":2}'),
        (Bag(x=object(), a=2), {"a": 2}, '{"a":2}'),
        (Row([object(), 2]), [None, 2], "[null,2]"),
        (Pair(object(), 2), [None, 2], "[null,2]"),
        ((object(), 2), [None, 2], "[null,2]"),
        ({1: object(), 2: 3, None: 4}, {2: 3, None: 4}, '{"2":3,"null":4}'),
        ({Level.HIGH: 1, "x": object()}, {3: 1}, '{"3":1}'),
        ({Ratio(0.5): 1, "x": object()}, {0.5: 1}, '{"0.5":1}'),
        ({Word("w"): 1, "x": object()}, {"w": 1}, '{"w":1}'),
        ({False: 1, "x": object()}, {False: 1}, '{"false":1}'),
    ],
    ids=[
        "ordered-dict",
        "default-dict",
        "dict-subclass",
        "list-subclass",
        "named-tuple",
        "tuple",
        "odd-keys",
        "int-enum-key",
        "float-subclass-key",
        "str-subclass-key",
        "bool-key",
    ],
)
def test_a_copy_is_made_of_plain_containers(body: Any, left: Any, text: str) -> None:
    """What has to be copied becomes a plain dict or list, with keys of json's own types."""
    value, report = SANITIZER.sanitize(body)
    assert value == left
    assert type(value) in (dict, list)
    if type(value) is dict:
        assert {type(key) for key in value} <= {str, int, float, bool, type(None)}
    assert report.changed
    assert SANITIZER.encode(body)[0] == text.encode()


# Duplicate members.


class Twice(dict):  # type: ignore[type-arg]
    """A dict that says what it is told to."""

    def __init__(self, said: Any) -> None:
        super().__init__(x=1)
        self.said = said

    def items(self) -> Any:
        return iter(self.said)


DUPLICATES = pytest.mark.parametrize(
    ("body", "text", "path", "kind"),
    [
        ({1: "a", "1": "b"}, '{"1":"a","1":"b"}', "/1", "builtins.str"),
        ({"true": 1, True: 2.5}, '{"true":1,"true":2.5}', "/true", "builtins.float"),
        ({None: 1, "null": []}, '{"null":1,"null":[]}', "/null", "builtins.list"),
        ({1.5: 1, "1.5": None}, '{"1.5":1,"1.5":null}', "/1.5", "builtins.NoneType"),
        ({Word("a"): 1, "b": 2, Count(1): 3, "1": 4}, None, "/1", "builtins.int"),
        (Twice([("a", 1), ("a", 2)]), '{"a":1,"a":2}', "/a", "builtins.int"),
        (Twice([(1, 1), (True, 2), (1.0, 3), (1, 4)]), None, "/1", "builtins.int"),
    ],
    ids=["int", "bool", "none", "float", "subclasses", "made-up", "made-up-numbers"],
)


@DUPLICATES
def test_duplicate_members_are_reported_and_sent(
    body: Any, text: str | None, path: str, kind: str
) -> None:
    """Two members that come out under one name stay two, as with json, and are reported."""
    value, report = SANITIZER.sanitize(body)
    assert value is body
    assert findings(report) == [(path, "duplicate", "report", kind, "", "")]
    assert not report.changed
    content, _ = SANITIZER.encode(body)
    assert content == (text or json.dumps(body, separators=(",", ":"))).encode()


@DUPLICATES
def test_duplicate_members_survive_a_copy(
    body: Any, text: str | None, path: str, kind: str
) -> None:
    """Two members of one name are two in a copy as well, in their order."""
    text = text or json.dumps(body, separators=(",", ":"))
    if isinstance(body, Twice):
        dirty: Any = Twice([*body.said, ("_sentry_x", 1)])
    else:
        dirty = {**body, "_sentry_x": 1}
    content, report = SANITIZER.encode(dirty)
    assert content == text.encode()
    assert [(f.path, f.rule) for f in report.findings] == [
        ("/_sentry_x", "sentry"),
        (path, "duplicate"),
    ]


ALIKE = {
    "sound-first": ("\ufffd", "\ud800"),
    "sound-second": ("\ud800", "\ufffd"),
    "two-broken": ("\ud800", "\udfff"),
    "str-subclass": ("\ud800", Word("\udfff")),
}


@pytest.mark.parametrize("keys", ALIKE.values(), ids=ALIKE)
def test_keys_that_become_one_by_replacement(keys: tuple[str, str]) -> None:
    """Two keys that differ only in a broken character stay two members, both written soundly."""
    body = dict(zip(keys, (1, 2), strict=True))
    content, report = SANITIZER.encode(body)
    assert content == '{"\ufffd":1,"\ufffd":2}'.encode()
    assert [f.path for f in report.findings if f.rule == "duplicate"] == ["/\\ufffd"]
    value, _ = SANITIZER.sanitize(body)
    again, _ = SANITIZER.sanitize(value)
    assert again is value


def test_a_removed_member_is_no_duplicate() -> None:
    """A member that is gone does not count as the first of two."""
    _, report = SANITIZER.sanitize({1: object(), "1": 2})
    assert [f.rule for f in report.findings] == ["unserializable"]


# Copy only the branch that changes; never touch what is the caller's.


def test_only_the_branch_that_changes_is_copied() -> None:
    """Containers on the way to a change are new, all others are the caller's own."""
    clean_list = [1, [2]]
    clean_dict = {"a": {"b": 1}}
    inner = {"keep": clean_list, "_sentry_x": 1}
    middle = [clean_dict, inner, clean_list]
    body = {"clean": clean_dict, "middle": middle, "list": clean_list, "tuple": (clean_dict,)}
    before = snapshot(body)
    value, _ = SANITIZER.sanitize(body)
    assert value == {
        "clean": {"a": {"b": 1}},
        "middle": [{"a": {"b": 1}}, {"keep": [1, [2]]}, [1, [2]]],
        "list": [1, [2]],
        "tuple": ({"a": {"b": 1}},),
    }
    assert value is not body
    assert value["middle"] is not middle
    assert value["middle"][1] is not inner
    assert value["clean"] is clean_dict
    assert value["list"] is clean_list
    assert value["tuple"] is body["tuple"]
    assert value["middle"][0] is clean_dict
    assert value["middle"][1]["keep"] is clean_list
    assert value["middle"][2] is clean_list
    assert snapshot(body) == before


def test_a_shared_branch_that_changes_is_copied_once() -> None:
    """What stands in two places stands in two places of the copy too."""
    shared = [object()]
    value, _ = SANITIZER.sanitize([shared, {"a": shared}])
    assert value == [[None], {"a": [None]}]
    assert value[0] is value[1]["a"]


@given(anything)
def test_the_callers_value_is_never_changed(body: Any) -> None:
    """Whatever stands in a body, all of its containers hold afterwards what they held before."""
    before = snapshot(body)
    SANITIZER.sanitize(body)
    SANITIZER.encode(body)
    assert snapshot(body) == before


@given(anything)
def test_a_refused_value_is_not_changed_either(body: Any) -> None:
    """A call that raises leaves the caller's value as it was."""
    before = snapshot(body)
    with pytest.raises(BodyRejectedError):
        Sanitizer(Policy(unserializable="reject")).sanitize([body, object()])
    with pytest.raises(BodyLimitError):
        Sanitizer(Policy(max_bytes=1)).encode([body, 1])
    assert snapshot(body) == before


@given(anything)
def test_what_was_sanitized_is_clean(body: Any) -> None:
    """A second look finds nothing to change and gives the same object."""
    value, report = SANITIZER.sanitize(body)
    again, second = SANITIZER.sanitize(value)
    assert again is value
    assert not second.changed
    assert {found.rule for found in second.findings} <= {"duplicate"}
    assert report.changed or value is body


# No code of a stranger's class is run.

hostile = pytest.mark.parametrize(("make", "text"), HOSTILE.values(), ids=HOSTILE)


@hostile
@pytest.mark.parametrize(
    ("wrap", "written", "removed"),
    [
        (lambda value: {"a": 1, "x": value}, '{"a":1,"x":%s}', '{"a":1}'),
        (lambda value: ["a", value], '["a",%s]', '["a",null]'),
        (lambda value: [{"y": (value,)}], '[{"y":[%s]}]', '[{"y":[null]}]'),
        (lambda value: [value, object()], "[%s,null]", "[null,null]"),
        (lambda value: {"x": value, "_sentry_x": value}, '{"x":%s}', "{}"),
        (lambda value: {"l": [value, value]}, '{"l":[%s,%s]}', '{"l":[null,null]}'),
    ],
    ids=["member", "element", "nested", "beside-dirt", "forbidden", "shared"],
)
def test_a_hostile_value_is_harmless(
    make: Callable[[], Any],
    text: str | None,
    wrap: Callable[[Any], Any],
    written: str,
    removed: str,
) -> None:
    """A class of which every method ends the process is judged, and written, without being run."""
    body = wrap(make())
    before = snapshot(body)
    SANITIZER.sanitize(body)
    content, _ = SANITIZER.encode(body)
    assert content == (removed if text is None else written.replace("%s", text)).encode()
    assert snapshot(body) == before


@hostile
def test_a_hostile_body_is_harmless(make: Callable[[], Any], text: str | None) -> None:
    """As a whole body too: refused, or written by what it really is."""
    body = make()
    if text is not None:
        assert same(SANITIZER.sanitize(body)[0], body)
        assert SANITIZER.encode(body)[0] == text.encode()
        return
    for call in (SANITIZER.sanitize, SANITIZER.encode):
        with pytest.raises(BodyRejectedError) as caught:
            call(body)
        assert [found.type for found in caught.value.report.findings] == ["stranger.Hostile"]


@hostile
def test_a_hostile_value_is_named_without_being_asked(
    make: Callable[[], Any], text: str | None
) -> None:
    """A type rule knows a hostile class, and the report names it, by what type itself says."""
    rule = Rule("stranger", types=("stranger.Hostile",), owner="them")
    value, report = Sanitizer(Policy((rule,))).sanitize({"x": make(), "l": [make()]})
    assert value == {"l": [None]}
    assert findings(report) == [
        ("/x", "stranger", "remove", "stranger.Hostile", "them", ""),
        ("/l/0", "stranger", "replace", "stranger.Hostile", "them", ""),
    ]


@pytest.mark.parametrize("meta", [type, HostileMeta], ids=["type", "hostile-metaclass"])
@pytest.mark.parametrize(
    ("base", "text"),
    [(object, None), (str, "text"), (int, "7"), (float, "1.5")],
    ids=["object", "str", "int", "float"],
)
@pytest.mark.parametrize("container", [dict, Bag, collections.OrderedDict])
@pytest.mark.parametrize("dirty", [False, True], ids=["clean", "dirty"])
def test_a_hostile_key_is_harmless(
    meta: Any, base: type, text: str | None, container: Any, dirty: bool
) -> None:
    """A key whose hash worked once, and ends the process now, is not hashed or compared again."""
    key, arm = hostile_key(base, meta)
    body = container()
    body["a"] = 1
    body[key] = [2]
    if dirty:
        body["x"] = object()
    arm()
    SANITIZER.sanitize(body)
    content, report = SANITIZER.encode(body)
    assert content == (b'{"a":1}' if text is None else f'{{"a":1,"{text}":[2]}}'.encode())
    assert [found.path for found in report.findings if found.path != "/x"] == (
        ["/<stranger.Hostile>"] if text is None else []
    )


# Cycles.


def self_dict() -> Any:
    body: dict[str, Any] = {"a": 1}
    body["me"] = body
    body["b"] = 2
    return body


def self_list() -> Any:
    body: list[Any] = [1]
    body.append(body)
    body.append(2)
    return body


def mutual() -> Any:
    left: dict[str, Any] = {"name": "left"}
    right: dict[str, Any] = {"name": "right", "left": left}
    left["right"] = right
    return left


def tuple_in_list() -> Any:
    body: list[Any] = []
    body.append((1, body))
    return body


def shared_before_the_cycle() -> Any:
    shared: dict[str, Any] = {"clean": [1]}
    body = {"one": shared, "loop": [], "two": shared}
    body["loop"].append(body)  # type: ignore[attr-defined]
    return body


def cycle_through_shared() -> Any:
    # Walked at /0 first: there /0/b/a closes the cycle. b is not walked again at /1.
    a: dict[str, Any] = {}
    b: dict[str, Any] = {"a": a}
    a["b"] = b
    return [a, b]


def two_places_of_one_cycle() -> Any:
    loop: list[Any] = ["x"]
    loop.append(loop)
    return {"one": loop, "two": loop}


def through_subclasses() -> Any:
    bag = Bag(a=1)
    row = Row([bag])
    bag["row"] = row
    return bag


def through_made_up() -> Any:
    body: dict[str, Any] = {}
    body["x"] = Computed([1, body])
    return body


CYCLES: dict[str, tuple[Callable[[], Any], Any, list[tuple[str, str, str]]]] = {
    "dict": (self_dict, {"a": 1, "b": 2}, [("/me", "remove", "builtins.dict")]),
    "list": (self_list, [1, None, 2], [("/1", "replace", "builtins.list")]),
    "mutual": (
        mutual,
        {"name": "left", "right": {"name": "right"}},
        [("/right/left", "remove", "builtins.dict")],
    ),
    "tuple-in-list": (tuple_in_list, [[1, None]], [("/0/1", "replace", "builtins.list")]),
    "shared": (
        shared_before_the_cycle,
        {"one": {"clean": [1]}, "loop": [None], "two": {"clean": [1]}},
        [("/loop/0", "replace", "builtins.dict")],
    ),
    "through-shared": (
        cycle_through_shared,
        [{"b": {}}, {}],
        [("/0/b/a", "remove", "builtins.dict"), ("/1/a", "remove", "builtins.dict")],
    ),
    "two-places": (
        two_places_of_one_cycle,
        {"one": ["x", None], "two": ["x", None]},
        [("/one/1", "replace", "builtins.list"), ("/two/1", "replace", "builtins.list")],
    ),
    "subclasses": (
        through_subclasses,
        {"a": 1, "row": [None]},
        [("/row/0", "replace", f"{__name__}.Bag")],
    ),
    "made-up": (through_made_up, {"x": [1, None]}, [("/x/1", "replace", "builtins.dict")]),
}


@pytest.mark.parametrize(("make", "left", "cut"), CYCLES.values(), ids=CYCLES)
def test_a_cycle_is_cut_at_its_closing_edge(
    make: Callable[[], Any], left: Any, cut: list[tuple[str, str, str]]
) -> None:
    """The edge that would lead back to a container still open is taken out, and nothing else."""
    value, report = SANITIZER.sanitize(make())
    assert value == left
    assert [(f.path, f.action, f.type) for f in report.findings] == cut
    assert {f.rule for f in report.findings} == {"cycle"}
    content, again = SANITIZER.encode(make())
    assert json.loads(content) == left
    assert again == report


def test_the_callers_cycle_is_whole_afterwards() -> None:
    """Cutting a cycle cuts the copy."""
    body = mutual()
    SANITIZER.sanitize(body)
    assert body["right"]["left"] is body


# Shared containers.


def doublings(count: int, leaf: Any) -> Any:
    body = leaf
    for _ in range(count):
        body = [body, body]
    return body


def walked(body: Any) -> Any:
    return walk(body, Matcher(Policy().rules))


LEAF = {"a": 1}


@pytest.mark.parametrize(
    ("body", "containers"),
    [
        ([LEAF, LEAF, {"x": LEAF, "y": (LEAF,)}], 4),
        (doublings(60, []), 61),
        (doublings(60, [object()]), 61),
        ([Row([1])] * 5, 2),
    ],
    ids=["members", "clean", "dirty", "foreign"],
)
def test_a_shared_container_is_walked_once(
    body: Any, containers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in many places is one container to walk, one to copy."""
    made = []

    class Node(module._Node):
        def __init__(self, source: Any, *args: Any) -> None:
            made.append(source)
            super().__init__(source, *args)

    monkeypatch.setattr(module, "_Node", Node)
    walked(body)
    assert len(made) == containers + 1  # the body is walked as an element of an array


def test_clean_doublings_are_written_in_full() -> None:
    """A value that unfolds to what fits is written as json writes it."""
    body = doublings(16, {"a": "é"})
    content, report = SANITIZER.encode(body)
    assert content == json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    assert not report.findings


@pytest.mark.parametrize("leaf", [["x"], {"x": object()}], ids=["clean", "dirty"])
def test_doublings_that_would_unfold_to_exabytes_are_refused(leaf: Any) -> None:
    """The size is known without unfolding, so nothing is encoded, and hardly any memory taken."""
    body = doublings(60, leaf)
    tracemalloc.start()
    try:
        with pytest.raises(BodyLimitError) as caught:
            SANITIZER.encode(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200 * 2**20
    assert str(caught.value) == (
        "The body was not sent: encoded, it is larger than max_bytes, 536,870,912."
    )
    found = caught.value.report.findings[-1]
    assert (found.path, found.rule, found.action) == ("", "size", "reject")


def test_a_dirty_shared_container_is_reported_at_each_place() -> None:
    """One fault in one container is as many findings as it has places, in their order."""
    leaf = {"x": object(), "y": 1}
    value, report = SANITIZER.sanitize({"a": leaf, "b": [leaf, leaf]})
    assert value == {"a": {"y": 1}, "b": [{"y": 1}, {"y": 1}]}
    assert [f.path for f in report.findings] == ["/a/x", "/b/0/x", "/b/1/x"]
    assert report.omitted == 0


def test_findings_beyond_a_thousand_are_counted() -> None:
    """A report lists a thousand places; the others are a number, exact to the last."""
    value, report = SANITIZER.sanitize(doublings(60, {"x": object()}))
    assert len(report.findings) == 1000
    assert report.omitted == 1152921504606846976 - 1000
    assert report.findings[0].path == "/0" * 60 + "/x"
    assert report.findings[1].path == "/0" * 59 + "/1/x"
    for _ in range(60):
        assert value[0] is value[1]
        value = value[0]
    assert value == {}

    _, report = SANITIZER.sanitize([object()] * 1001)
    assert (len(report.findings), report.omitted) == (1000, 1)
    _, report = SANITIZER.sanitize([object()] * 1000)
    assert (len(report.findings), report.omitted) == (1000, 0)


@pytest.mark.parametrize("leaf", [["x"], [object()]], ids=["clean", "dirty"])
def test_counting_places_takes_no_memory_of_its_own(
    leaf: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty thousand doublings take the memory of as many lists, not of numbers without bound."""
    monkeypatch.setattr(listing, "_MOST_FINDINGS", 10)
    single = double = leaf
    for _ in range(20_000):
        single, double = [single, None], [double, double]
    peaks = []
    for body in (single, double):
        tracemalloc.start()
        try:
            assert walked(body).depth == 20_001
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]


# Sizes.

SIZES: dict[str, Any] = {
    "empty-list": [],
    "empty-dict": {},
    "scalar": 1,
    "text": "text",
    "list": [1, 2, "a"],
    "dict": {"a": 1, "b": [2, None]},
    "nested": [[[[]]]],
    "gone": {"a": object(), "b": {"cc": b"", "dd": 10**5000}},
    "gone-elements": [object(), b""],
    "forbidden": {"_sentry_x": "long enough to matter", "a": True},
    "numbers": [1.5, -0.0, 10**700, 1e300, math.nan, Level.HIGH, Ratio(2.5)],
    "surrogates": ["\ud800", "\ud83d\ude00", {"\ud83d\ude00": 1}],
    "made-up": Computed([1, [2]]),
    "none-key": {None: 1, True: 2, 1.5: 3},
}


@pytest.mark.parametrize("body", SIZES.values(), ids=SIZES)
def test_the_size_is_a_lower_bound(body: Any) -> None:
    """A body is never called larger than it is, or one that just fits would be refused."""
    walked_body = walked(body)
    assert walked_body.size <= len(SANITIZER.encode(walked_body.value)[0])


@given(anything)
def test_the_size_of_anything_is_a_lower_bound(body: Any) -> None:
    """The same for whatever Hypothesis thinks of."""
    walked_body = walked(body)
    assert walked_body.size <= len(SANITIZER.encode(walked_body.value)[0])


@pytest.mark.parametrize(
    "body", [[1, 2, 3], {"a": {"b": [0.5]}}, "é", ["x" * 100], [[[]]]], ids=json.dumps
)
def test_max_bytes_is_what_may_just_leave(body: Any) -> None:
    """A body of as many bytes as allowed leaves, one more is refused."""
    size = len(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())
    content, _ = Sanitizer(Policy(max_bytes=size)).encode(body)
    assert len(content) == size
    with pytest.raises(BodyLimitError) as caught:
        Sanitizer(Policy(max_bytes=size - 1)).encode(body)
    assert str(caught.value) == (
        f"The body was not sent: encoded, it is larger than max_bytes, {size - 1}."
    )


# convert=.


def test_convert_is_asked_before_a_value_is_given_up() -> None:
    """What convert= returns stands in the value's place; no finding, but a changed body."""
    policy = Policy(convert=lambda value: f"<{type(value).__name__}>")
    body = {"a": object(), "l": [b"x", 1]}
    value, report = Sanitizer(policy).sanitize(body)
    assert value == {"a": "<object>", "l": ["<bytes>", 1]}
    assert (report.findings, report.changed) == ((), True)
    assert Sanitizer(policy).encode(body) == (b'{"a":"<object>","l":["<bytes>",1]}', report)
    assert Sanitizer(policy).encode(object())[0] == b'"<object>"'


def test_convert_is_not_asked_for_what_json_writes() -> None:
    """Subclasses of json's own types, tuples, numbers and forbidden members are no question."""

    def convert(value: Any) -> Any:
        raise AssertionError("asked")

    body = {"a": [1, "x", None, Word("w"), Pair(1, 2), Level.HIGH], "_sentry_x": object()}
    assert Sanitizer(Policy(convert=convert)).encode(body)[0] == b'{"a":[1,"x",null,"w",[1,2],3]}'


def test_convert_gives_up_by_type_error() -> None:
    """TypeError is the contract of json.dumps(default=): the value is treated as without it."""

    def convert(value: Any) -> Any:
        raise TypeError("the prompt")

    _, report = Sanitizer(Policy(convert=convert)).sanitize({"a": object()})
    assert findings(report) == [("/a", "unserializable", "remove", "builtins.object", "", "")]
    with pytest.raises(BodyRejectedError) as caught:
        Sanitizer(Policy(convert=convert)).sanitize(object())
    assert caught.value.__context__ is None


@pytest.mark.parametrize("error", [ValueError, KeyError, RuntimeError, KeyboardInterrupt])
def test_other_errors_of_convert_are_the_callers(error: type[BaseException]) -> None:
    """A convert= with a bug is not mistaken for one without an answer."""

    def convert(value: Any) -> Any:
        raise error("bug")

    with pytest.raises(error, match="bug"):
        Sanitizer(Policy(convert=convert)).sanitize([object()])


CONVERTED: dict[str, tuple[Any, str, list[tuple[str, str]]]] = {
    "none": (None, "null", []),
    "true": (True, "true", []),
    "int": (3, "3", []),
    "str": ("é", '"é"', []),
    "nan": (math.nan, "null", [("/x", "non-finite")]),
    "surrogate": ("\ud800", '"\ufffd"', [("/x", "surrogate")]),
    "list": ([1, 2], "[1,2]", []),
    "tuple": ((1,), "[1]", []),
    "dict": ({"a": {1: 2}}, '{"a":{"1":2}}', []),
    "subclass": (Bag(a=Row([1])), '{"a":[1]}', []),
    "forbidden": ({"_sentry_x": 1, "a": 2}, '{"a":2}', [("/x/_sentry_x", "sentry")]),
    "bad-key": ({b"": 1}, "{}", [("/x/<builtins.bytes>", "unserializable")]),
}


@pytest.mark.parametrize(("answer", "text", "found"), CONVERTED.values(), ids=CONVERTED)
@pytest.mark.parametrize("fresh", [True, False], ids=["fresh", "same-object-each-time"])
def test_what_convert_returns_is_judged(
    answer: Any, text: str, found: list[tuple[str, str]], fresh: bool
) -> None:
    """An answer is walked like what the caller wrote, also one that is given again and again."""

    def convert(value: Any) -> Any:
        if fresh and type(answer) is dict:
            return dict(answer)
        return answer

    sanitizer = Sanitizer(Policy(convert=convert))
    content, report = sanitizer.encode({"x": object(), "y": 1})
    assert content == f'{{"x":{text},"y":1}}'.encode()
    assert [(f.path, f.rule) for f in report.findings] == found
    assert report.changed
    assert sanitizer.encode([object(), object()])[0] == f"[{text},{text}]".encode()


def test_convert_may_return_more_to_convert() -> None:
    """Strangers inside an answer are asked about in turn."""

    def convert(value: Any) -> Any:
        return {set: list, frozenset: sorted}[type(value)](value)

    body = {"a": {frozenset({2, 1})}}
    assert Sanitizer(Policy(convert=convert)).encode(body)[0] == b'{"a":[[1,2]]}'


def test_an_answer_that_needs_an_answer_ends() -> None:
    """A chain of answers is followed a while, then the value is given up by its first name."""
    asked = []

    def convert(value: Any) -> Any:
        asked.append(value)
        return object()

    _, report = Sanitizer(Policy(convert=convert)).sanitize({"a": Span()})
    assert findings(report) == [
        ("/a", "unserializable", "remove", "sentry_sdk.tracing.Span", "sentry_sdk", "")
    ]
    assert len(asked) == 16

    chain = [Span(), b"x", {1}, "at last"]
    policy = Policy(convert=lambda value: chain[chain.index(value) + 1])
    assert Sanitizer(policy).encode(chain[:1])[0] == b'["at last"]'


def test_an_answer_that_is_the_question_gives_up() -> None:
    """A convert= that returns what it was given has no answer."""
    _, report = Sanitizer(Policy(convert=lambda value: value)).sanitize([object()])
    assert [f.rule for f in report.findings] == ["unserializable"]


def test_an_answer_can_close_a_cycle() -> None:
    """A container that convert= leads back into is cut like any other cycle."""
    body: dict[str, Any] = {"a": Node(), "b": 1}
    value, report = Sanitizer(Policy(convert=lambda value: body)).sanitize(body)
    assert value == {"b": 1}
    assert [(f.path, f.rule, f.type) for f in report.findings] == [("/a", "cycle", NODE)]


class Node:
    """An object that refers to others, as a record of a database does."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.links: Any = None


NODE = f"{__name__}.Node"


def named(node: Node) -> dict[str, Any]:
    """Return a fresh dict for a node, which holds the very objects that it refers to."""
    return {"name": node.name, "links": node.links}


def linked(name: str, links: Any = None) -> Node:
    node = Node(name)
    node.links = links
    return node


def loop() -> Node:
    node = Node("a")
    node.links = node
    return node


def ring() -> Node:
    first, second = Node("a"), Node("b")
    first.links, second.links = [second, first], {"back": first}
    return first


CYCLES: dict[str, tuple[Callable[[], Any], bytes, list[str]]] = {
    "itself": (loop, b'{"name":"a"}', ["/links"]),
    "in-an-array": (lambda: [loop()], b'[{"name":"a"}]', ["/0/links"]),
    "each-other": (
        ring,
        b'{"name":"a","links":[{"name":"b","links":{}},null]}',
        ["/links/0/links/back", "/links/1"],
    ),
    "shared": (
        lambda: [shared := linked("s"), shared, {"x": shared}],
        b'[{"name":"s","links":null},{"name":"s","links":null},{"x":{"name":"s","links":null}}]',
        [],
    ),
}


@pytest.mark.parametrize(("make", "content", "closing"), CYCLES.values(), ids=CYCLES)
def test_objects_that_refer_to_each_other_are_a_cycle(
    make: Callable[[], Any], content: bytes, closing: list[str]
) -> None:
    """The answers are fresh each time: what is seen again is the object that was asked about."""
    sanitizer = Sanitizer(Policy(convert=named))
    sent, report = sanitizer.encode(make())
    assert sent == content
    assert [(f.path, f.rule, f.type) for f in report.findings] == [
        (path, "cycle", NODE) for path in closing
    ]
    assert sanitizer.sanitize(make())[0] == json.loads(content)


def test_a_cycle_of_answers_behind_answers() -> None:
    """An object whose answer is one more object, made anew each time, is known again too."""

    class Proxy:
        def __init__(self, node: Node) -> None:
            self.node = node

    def convert(value: Any) -> Any:
        return Proxy(value) if type(value) is Node else named(value.node)

    content, report = Sanitizer(Policy(convert=convert)).encode([loop()])
    assert content == b'[{"name":"a"}]'
    assert [(f.path, f.rule, f.type) for f in report.findings] == [("/0/links", "cycle", NODE)]


def test_convert_is_asked_once_about_an_object() -> None:
    """Twelve objects that all refer to each other are twelve questions, not 12 factorial."""
    nodes = [Node(str(number)) for number in range(12)]
    for node in nodes:
        node.links = nodes.copy()
    asked: list[Node] = []
    policy = Policy(convert=lambda node: asked.append(node) or named(node))
    content, report = Sanitizer(policy).encode(nodes[0])
    assert asked == nodes
    assert content.count(b'"name"') == 2**11
    assert {f.rule for f in report.findings} == {"cycle"}


def test_an_object_at_several_places_is_judged_by_each() -> None:
    """A rule with a place finds it where the rule holds, whether or not it was met elsewhere."""
    shared = linked("s", {"x": 1})
    policy = Policy((Rule("x", keys=("x",), scope=("/b/**",)),), convert=named)
    content, report = Sanitizer(policy).encode({"a": shared, "b": shared})
    assert content == b'{"a":{"name":"s","links":{"x":1}},"b":{"name":"s","links":{}}}'
    assert [(f.path, f.rule) for f in report.findings] == [("/b/links/x", "x")]


def test_a_container_that_cannot_answer_may_be_converted() -> None:
    """convert= is asked about a broken container too."""
    policy = Policy(convert=lambda value: "instead")
    assert Sanitizer(policy).encode([Silent([1])])[0] == b'["instead"]'


def test_converted_values_do_not_mix_up_identities() -> None:
    """Answers that live only for the walk keep their identity while it lasts."""
    policy = Policy(convert=lambda value: [value.prompt])
    body = [Span(str(number)) for number in range(500)]
    value, _ = Sanitizer(policy).sanitize(body)
    assert value == [[str(number)] for number in range(500)]


# Type rules and reject.


class Traced(Span):
    pass


@pytest.mark.parametrize(
    ("types_", "hit"),
    [
        (("sentry_sdk.tracing.Span",), True),
        ((f"{__name__}.Traced",), True),
        (("tracing.Span",), False),
        (("sentry_sdk.tracing.span",), False),
        (("sentry_sdk.tracing.Spa",), False),
        (("other.Thing", "sentry_sdk.tracing.Span"), True),
    ],
    ids=["base", "itself", "no-package", "case", "shorter", "second"],
)
def test_type_rules_match_by_any_class_of_the_lineage(types_: tuple[str, ...], hit: bool) -> None:
    """A type is known by its qualified name, so that no library need be imported."""
    policy = Policy((Rule("live", types=types_, owner="them"),), convert=lambda value: "kept")
    content, report = Sanitizer(policy).encode({"a": Traced(), "l": [Traced()]})
    assert content == (b'{"l":[null]}' if hit else b'{"a":"kept","l":["kept"]}')
    expected = [("/a", "live", "remove"), ("/l/0", "live", "replace")] if hit else []
    assert [(f.path, f.rule, f.action) for f in report.findings] == expected
    assert all((f.owner, f.type) == ("them", f"{__name__}.Traced") for f in report.findings)


def test_type_rules_match_what_json_could_write() -> None:
    """A dict subclass of a forbidden type goes, though json would write it."""
    policy = Policy((Rule("bag", types=(f"{__name__}.Bag", f"{__name__}.Word")),))
    content, _ = Sanitizer(policy).encode({"a": Bag(b=1), "c": Word("w"), "d": [Bag()]})
    assert content == b'{"d":[null]}'


def test_a_forbidden_type_as_the_whole_body_is_refused() -> None:
    """There is nothing left to send where the body itself may not leave."""
    policy = Policy((Rule("bag", types=(f"{__name__}.Bag",)),))
    with pytest.raises(BodyRejectedError) as caught:
        Sanitizer(policy).encode(Bag(a=1))
    assert findings(caught.value.report) == [("", "bag", "reject", f"{__name__}.Bag", __name__, "")]


def test_what_convert_returns_is_held_against_type_rules() -> None:
    """An answer of a forbidden type does not slip in."""
    policy = Policy((Rule("bag", types=(f"{__name__}.Bag",)),), convert=lambda value: Bag(a=1))
    content, report = Sanitizer(policy).encode({"x": object(), "y": 1})
    assert content == b'{"y":1}'
    assert findings(report) == [("/x", "bag", "remove", f"{__name__}.Bag", __name__, "")]


def test_a_rejecting_rule_lists_all_offenders() -> None:
    """The body is walked to the end, so that one look tells all there is to mend."""
    policy = Policy((Rule("no", keys=("k",), action="reject", owner="me"), *Policy().rules))
    body = {"a": {"k": 1}, "_sentry_x": 2, "l": [{"k": object()}], "k": None, "z": [{"k": 1}] * 2}
    before = snapshot(body)
    for call in (Sanitizer(policy).sanitize, Sanitizer(policy).encode):
        with pytest.raises(BodyRejectedError) as caught:
            call(body)
        assert [(f.path, f.rule, f.action) for f in caught.value.report.findings] == [
            ("/a/k", "no", "reject"),
            ("/_sentry_x", "sentry", "remove"),
            ("/l/0/k", "no", "reject"),
            ("/k", "no", "reject"),
            ("/z/0/k", "no", "reject"),
            ("/z/1/k", "no", "reject"),
        ]
        assert str(caught.value) == (
            "The body was not sent: /a/k (rule no, builtins.int), "
            "/l/0/k (rule no, builtins.object), /k (rule no, builtins.NoneType), 2 more "
            "may not leave."
        )
    assert snapshot(body) == before


def test_a_rejecting_rule_for_coerced_keys() -> None:
    """A rule sees the name as json writes it: "1" for the key 1."""
    policy = Policy((Rule("one", keys=("1", "null", "true", "1.5")),))
    content, report = Sanitizer(policy).encode({1: "a", None: "b", 1.5: "c", "x": {True: 1}})
    assert content == b'{"x":{}}'
    assert [f.path for f in report.findings] == ["/1", "/null", "/1.5", "/x/true"]


# Depth.


def nested(levels: int, leaf: Any, kind: str) -> Any:
    body = leaf
    for _ in range(levels):
        body = [body] if kind == "list" else {"a": body}
    return body


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_a_walk_is_not_bound_by_the_stack(kind: str) -> None:
    """Twenty thousand levels are walked like ten, and the place at the bottom is found."""
    body = nested(20_000, {"x": object(), "y": 1}, kind)
    value, report = SANITIZER.sanitize(body)
    (found,) = report.findings
    assert found.path == ("/0" if kind == "list" else "/a") * 20_000 + "/x"
    for _ in range(20_000):
        assert len(value) == 1
        value = value[0 if kind == "list" else "a"]
    assert value == {"y": 1}
    clean = walked(nested(20_000, 1, kind))
    assert (clean.depth, clean.report.changed) == (20_000, False)


def test_the_deepest_place_is_named() -> None:
    """The pointer leads to the innermost container of the longest way down."""
    assert walked({"a": [1], "b": {"c": [[], {"d~": []}]}, "e": [[]]}).deepest() == "/b/c/1/d~0"
    assert walked([]).deepest() == ""
    assert walked(1).deepest() == ""
    assert [walked(body).depth for body in (1, [], [1, [2]], {"a": {"b": {}}})] == [0, 1, 2, 3]


def test_the_finding_is_a_value() -> None:
    """A finding is what the table says, nothing else."""
    _, report = SANITIZER.sanitize({"_sentry_span": Span()})
    assert report.findings == (
        Finding("/_sentry_span", "sentry", "remove", "sentry_sdk.tracing.Span", "sentry-sdk", ""),
    )


def test_a_class_can_be_hostile_and_have_no_name() -> None:
    """A class whose module is no text is told by its own name alone."""
    kind = hostile_class(object)
    type.__setattr__(kind, "__module__", 7)
    _, report = SANITIZER.sanitize([object.__new__(kind)])
    assert [(f.path, f.rule, f.type) for f in report.findings] == [
        ("/0", "unserializable", "Hostile")
    ]
