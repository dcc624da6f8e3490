"""What a rule may put in the place of what it found: a scalar that JSON can write."""

from __future__ import annotations

import enum
import math
from typing import Any

import pytest

from body_guard.core.replacement import spelled

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
