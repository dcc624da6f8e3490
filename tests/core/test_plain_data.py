"""Which types get the hint that a ready-made convert= would keep them."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import pathlib
import re
import uuid
from typing import Any

import numpy as np
import pydantic
import pytest

from body_guard.core.plain_data import HINT, is_plain_data

from hostile import HostileMeta, Span, hostile_class


class Colour(enum.Enum):
    RED = 1


class Bits(enum.Flag):
    A = 1


class Day(datetime.date):
    pass


class Model(pydantic.BaseModel):
    a: int = 1


@dataclasses.dataclass
class Row:
    a: int = 1


class SubRow(Row):
    pass


@dataclasses.dataclass(slots=True, frozen=True)
class Slotted:
    a: int = 1


PLAIN: dict[str, Any] = {
    "datetime": datetime.datetime(2024, 1, 1),
    "date": datetime.date(2024, 1, 1),
    "time": datetime.time(),
    "date-subclass": Day(2024, 1, 1),
    "decimal": decimal.Decimal(1),
    "uuid": uuid.uuid4(),
    "enum": Colour.RED,
    "flag": Bits.A,
    "path": pathlib.Path(),
    "pure-path": pathlib.PurePosixPath(),
    "windows-path": pathlib.PureWindowsPath(),
    "set": set(),
    "frozenset": frozenset(),
    "dataclass": Row(),
    "dataclass-subclass": SubRow(),
    "slotted-dataclass": Slotted(),
    "pydantic": Model(),
    "float32": np.float32(1),
    "int8": np.int8(1),
    "bool_": np.bool_(True),
    "datetime64": np.datetime64("2024-01-01"),
}


@pytest.mark.parametrize("value", PLAIN.values(), ids=PLAIN)
def test_plain_data_gets_the_hint(value: Any) -> None:
    """What body_guard.convert.jsonable keeps is known by its type alone."""
    assert is_plain_data(type(value))


class Lookalike:
    """Has the attribute on the instance, where the interpreter would not look either."""

    def __init__(self) -> None:
        self.__dataclass_fields__: dict[str, object] = {}


OTHERS: dict[str, Any] = {
    "object": object(),
    "Span": Span(),
    "bytes": b"",
    "timedelta": datetime.timedelta(),
    "fraction": fractions.Fraction(1),
    "complex": 1j,
    "deque": collections.deque(),
    "array": np.array([1]),
    "pattern": re.compile(""),
    "lookalike": Lookalike(),
    "dataclass-itself": Row,
    "enum-itself": Colour,
}


@pytest.mark.parametrize("value", OTHERS.values(), ids=OTHERS)
def test_other_things_get_none(value: Any) -> None:
    """A live object is nobody's data, and what cannot be converted gets no promise."""
    assert not is_plain_data(type(value))


@pytest.mark.parametrize("meta", [type, HostileMeta], ids=["type", "hostile-metaclass"])
def test_a_hostile_class_is_not_asked(meta: Any) -> None:
    """The answer comes from what type itself knows."""
    answer = is_plain_data(hostile_class(object, meta))
    assert answer is False


def test_the_hint_is_what_to_write() -> None:
    """The remedy is spelled as it is typed."""
    assert HINT == "convert=body_guard.convert.jsonable would keep it"
