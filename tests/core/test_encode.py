"""What is left of a body is written as httpx writes it, or refused; never a crash."""

from __future__ import annotations

import enum
import json
import math
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from body_guard import BodyLimitError, Policy, Sanitizer
from body_guard.core import accelerator
from body_guard.core.encode import DEEPEST, encode, encode_scalar

from hostile import HostileMeta, hostile_class
from strategies import clean

if TYPE_CHECKING:
    from collections.abc import Callable

SANITIZER = Sanitizer()


def as_httpx(value: Any) -> bytes:
    """Encode as httpx 0.28 does (``httpx/_content.py``, ``encode_json``)."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


@given(clean)
def test_a_clean_body_is_the_same_object_and_the_same_bytes(body: Any) -> None:
    """Whatever json can write is left alone, and written byte for byte as httpx writes it."""
    value, report = SANITIZER.sanitize(body)
    assert value is body
    assert not report.changed
    assert {found.rule for found in report.findings} <= {"duplicate"}
    content, encoded_report = SANITIZER.encode(body)
    assert content == as_httpx(body)
    assert encoded_report == report
    assert encode(body) == content


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ({"b": 1, "a": [True, None]}, b'{"b":1,"a":[true,null]}'),
        ("é\u2028\U0001f600", b'"\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80"'),
        ('"\\/\b\f\n\r\t\x00\x1f\x7f', b'"\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f"'),
        ([1.0, 1e16, 1e-7, -0.0, 0.1], b"[1.0,1e+16,1e-07,-0.0,0.1]"),
        ({1: 1, 1.5: 2, None: 3, False: 4}, b'{"1":1,"1.5":2,"null":3,"false":4}'),
        ((), b"[]"),
    ],
    ids=["order", "utf-8", "escapes", "floats", "keys", "tuple"],
)
def test_bytes_are_httpx_bytes(value: Any, content: bytes) -> None:
    """The form of the bytes: compact, UTF-8 as it is, in the caller's order."""
    assert encode(value) == content
    assert SANITIZER.encode(value)[0] == content


class Told(dict):  # type: ignore[type-arg]
    @property
    def __class__(self) -> Any:
        raise SystemExit("__class__ was asked")


def test_the_encoder_asks_no_class() -> None:
    """The Python half of json asks isinstance of a whole body, which asks a hostile __class__."""
    assert encode(Told(a=1)) == b'{"a":1}'


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"a": -float("inf")}], ids=repr)
def test_the_encoder_writes_nothing_that_is_no_json(value: Any) -> None:
    """Should the walk ever miss one, NaN does not leave as the bare word that json makes of it."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode(value)


def nested(levels: int) -> Any:
    body: Any = 1
    for level in reversed(range(levels)):
        body = {"a": body} if level % 2 else [body]
    return body


@pytest.fixture
def no_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Return the encoder no room: how deep it can go is another depth on each Python."""

    def encode(value: object) -> bytes:
        raise RecursionError

    monkeypatch.setattr(accelerator, "encode", encode)


@pytest.mark.only_plain
@pytest.mark.parametrize("levels", [101, DEEPEST, DEEPEST + 1, 5_000, 30_000])
@pytest.mark.parametrize("call", [SANITIZER.prepare, SANITIZER.encode], ids=["prepare", "encode"])
@pytest.mark.usefixtures("no_stack")
def test_what_is_too_deep_is_refused(levels: int, call: Callable[[Any], Any]) -> None:
    """A body deeper than the encoder can go is refused, with its depth and its deepest place."""
    body = nested(levels)
    if call == SANITIZER.prepare and levels <= DEEPEST:
        assert call(body)[0] is body
        return
    with pytest.raises(BodyLimitError) as caught:
        call(body)
    assert str(caught.value) == (
        f"The body was not sent: it is {levels:,} levels deep, more than can be encoded here; "
        f"the deepest is {'/0/a' * 16}/...{levels - 1} levels."
    )
    (found,) = caught.value.report.findings
    assert (found.rule, found.action) == ("depth", "reject")
    assert found.path == "/0/a" * ((levels - 1) // 2) + "/0" * ((levels - 1) % 2)
    assert caught.value.__context__ is None


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="3.13's encoder goes 10,000 levels deep")
def test_the_default_recursion_limit_is_a_limit() -> None:
    """At 3,000 levels an encoder with the interpreter's own limit gives up, and so do we."""
    with pytest.raises(BodyLimitError, match=r"it is 3,000 levels deep.*/\.\.\.2999 levels"):
        SANITIZER.encode(nested(3_000))


def test_a_deep_body_that_fits_is_written() -> None:
    """Nothing is cut, and nothing refused, for a depth that the encoder can take."""
    body = nested(500)
    assert SANITIZER.encode(body)[0] == as_httpx(body)


@pytest.mark.parametrize(
    ("levels", "max_bytes", "rule"),
    [(DEEPEST + 1, 2**20, "depth"), (1, 16, "size"), (1, 14, "size")],
    ids=["deepest", "size-of-the-bytes", "size-of-the-walk"],
)
def test_a_limit_does_not_hide_what_was_found(levels: int, max_bytes: int, rule: str) -> None:
    """The report of a refused body tells all findings, the limit last."""
    body = {"x": nested(levels - 1), "é": "é", "_sentry_x": 1}
    with pytest.raises(BodyLimitError) as caught:
        Sanitizer(Policy(max_bytes=max_bytes)).encode(body)
    assert [found.rule for found in caught.value.report.findings] == ["sentry", rule]


@pytest.mark.only_plain
@pytest.mark.usefixtures("no_stack")
def test_a_stack_that_ends_first_does_not_hide_it_either() -> None:
    """The same where the encoder itself gives up."""
    with pytest.raises(BodyLimitError) as caught:
        SANITIZER.encode({"x": [1], "_sentry_x": 1})
    assert [found.rule for found in caught.value.report.findings] == ["sentry", "depth"]


class Word(str):
    __slots__ = ()


class Level(enum.IntEnum):
    HIGH = 3


SPELLED: dict[str, tuple[Any, bytes | None]] = {
    "str": ("a", b'"a"'),
    "not-ascii": ("ü\u2028", '"ü\u2028"'.encode()),
    "control": ("\x00\n", b'"\\u0000\\n"'),
    "int": (-1, b"-1"),
    "float": (1e16, b"1e+16"),
    "minus-zero": (-0.0, b"-0.0"),
    "true": (True, b"true"),
    "none": (None, b"null"),
    "nan": (math.nan, None),
    "infinity": (-math.inf, None),
    "surrogate": ("\ud800", None),
    "digits": (10**5000, None),
    "list": ([], None),
    "dict": ({}, None),
    "bytes": (b"a", None),
    "str-subclass": (Word("a"), None),
    "int-subclass": (Level.HIGH, None),
    "hostile": (object.__new__(hostile_class(object, HostileMeta)), None),
}


@pytest.mark.parametrize(("value", "text"), SPELLED.values(), ids=SPELLED)
def test_scalars_are_spelled_as_json_does(value: Any, text: bytes | None) -> None:
    """Byte for byte as the encoder would; what it could not write has no spelling."""
    assert encode_scalar(value) == text
