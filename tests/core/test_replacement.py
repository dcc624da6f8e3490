"""What stands in the place of what was found: a scalar that JSON can write, or nothing is sent."""

from __future__ import annotations

import enum
import math
from typing import Any

import pytest

from body_guard import GuardError, Rule
from body_guard.core.replacement import spelled, stands, substitute

from hostile import HostileMeta, hostile_class


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
    assert spelled(value) == text


def rule(replacement: Any, *, sees_value: bool = False) -> Rule:
    return Rule("r", keys=("x",), action="replace", replacement=replacement, sees_value=sees_value)


def unseen() -> object:
    raise AssertionError("nobody asked for the value")


def test_a_constant_is_put_there() -> None:
    """As the value, and as the bytes that it becomes; whoever does not ask gets no value."""
    assert substitute(rule("gone"), "/x", "m.T", unseen) == ("gone", b'"gone"')
    assert substitute(rule(None), "/x", "m.T", unseen) == (None, b"null")


def test_a_function_is_told_place_and_type() -> None:
    """And the value only when it was said to see it."""
    told = rule(lambda path, kind: f"{path} {kind}")
    assert substitute(told, "/x", "m.T", unseen) == ("/x m.T", b'"/x m.T"')
    shown = rule(lambda path, kind, value: len(value), sees_value=True)
    assert substitute(shown, "/x", "m.T", lambda: [1, 2]) == (2, b"2")


def fails(path: str, kind: str) -> object:
    raise KeyError("secret")


FAILURES = {
    "raises": (fails, "raised builtins.KeyError"),
    "list": (lambda path, kind: ["secret"], "gave builtins.list, no scalar that JSON can write"),
    "nan": (lambda path, kind: math.nan, "gave builtins.float, no scalar that JSON can write"),
    "arguments": (lambda path: "secret", "raised builtins.TypeError"),
}


@pytest.mark.parametrize(("function", "failure"), FAILURES.values(), ids=FAILURES)
def test_a_function_that_fails_sends_nothing(function: Any, failure: str) -> None:
    """The error names the rule; what the function raised or gave is nowhere in it."""
    with pytest.raises(GuardError) as raised:
        substitute(rule(function), "/x", "m.T", unseen)
    assert str(raised.value) == f"the replacement function of rule 'r' {failure}"
    assert raised.value.__context__ is None


def test_what_is_there_already_stands() -> None:
    """A constant in place of itself is no finding; a function is always asked."""
    assert stands(rule(1.0), b"1.0")
    assert not stands(rule(1.0), b"1")
    assert not stands(rule(1.0), None)
    assert not stands(rule(lambda path, kind: 1), b"1")
