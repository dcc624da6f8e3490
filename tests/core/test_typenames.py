"""Names of types come from type itself; the class is not asked."""

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

from body_guard.core.typenames import (
    class_attribute,
    is_plain_data,
    lineage,
    package,
    qualified_name,
)

from hostile import HostileMeta, Span, hostile_class


class Outer:
    class Inner:
        pass


def renamed(name: str, module: Any = "some.package") -> Any:
    kind = type("X", (), {})
    kind.__qualname__ = name
    kind.__module__ = module
    return kind


def without_a_module() -> Any:
    names: dict[str, Any] = {}
    exec("X = type('X', (), {})", names)
    return names["X"]


NAMES: dict[str, tuple[Any, str, str]] = {
    "builtin": (set, "builtins.set", ""),
    "none": (type(None), "builtins.NoneType", ""),
    "stdlib": (datetime.datetime, "datetime.datetime", "datetime"),
    "c-class": (collections.OrderedDict, "collections.OrderedDict", "collections"),
    "python-class": (Outer, f"{__name__}.Outer", __name__),
    "nested": (Outer.Inner, f"{__name__}.Outer.Inner", __name__),
    "Span": (Span, "sentry_sdk.tracing.Span", "sentry_sdk"),
    "local": (renamed("f.<locals>.X"), "some.package.f.<locals>.X", "some"),
    "non-ascii": (renamed("Größe"), "some.package.Gr\\xf6\\xdfe", "some"),
    "astral": (renamed("\U0001f600"), "some.package.\\U0001f600", "some"),
    "surrogate": (renamed("\ud800"), "some.package.\\ud800", "some"),
    "long": (renamed("X" * 500), "some.package." + "X" * 187, "some"),
    "no-module": (renamed("Outer.X", module=7), "Outer.X", ""),
    "none-at-all": (without_a_module(), "X", ""),
    "module-of-a-subclass": (renamed("X", module=type("S", (str,), {})("evil")), "X", ""),
    "hostile": (hostile_class(object), "stranger.Hostile", "stranger"),
    "hostile-metaclass": (hostile_class(object, HostileMeta), "stranger.Hostile", "stranger"),
}


@pytest.mark.parametrize(
    "case", NAMES.values(), ids=NAMES
)  # one name: pytest would ask a class for an id
def test_a_type_is_named_by_type_itself(case: tuple[Any, str, str]) -> None:
    """Module and qualified name, printable and bounded; the package is where it begins."""
    kind, name, root = case
    assert qualified_name(kind) == name
    assert package(kind) == root


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise SystemExit("__str__ was run")

    __format__ = __str__  # type: ignore[assignment]


def test_a_name_can_be_hostile_itself() -> None:
    """A qualified name may be of a subclass of str, which is read, not asked."""
    kind = type("X", (), {})
    kind.__qualname__ = Text("Name")
    kind.__module__ = "m"
    assert qualified_name(kind) == "m.Name"


class Base:
    here = "base"
    hidden: object = None


class Child(Base):
    here = "child"


def test_the_lineage_is_the_interpreters() -> None:
    """Itself first, object last, in the order of the interpreter."""
    assert lineage(Child) == (Child, Base, object)
    kind = hostile_class(dict, HostileMeta)
    first, second, third = lineage(kind)
    same = first is kind
    assert same
    assert (second, third) == (dict, object)


@pytest.mark.parametrize(
    ("kind", "name", "found"),
    [
        (Child, "here", "child"),
        (Base, "here", "base"),
        (Child, "hidden", None),
        (Child, "absent", None),
        (dict, "items", dict.__dict__["items"]),
        (collections.Counter, "items", dict.__dict__["items"]),
        (collections.OrderedDict, "items", collections.OrderedDict.__dict__["items"]),
    ],
    ids=["own", "base", "none", "absent", "builtin", "inherited", "overridden"],
)
def test_an_attribute_is_that_of_the_nearest_class(kind: type, name: str, found: Any) -> None:
    """What the lineage has under a name, unbound; None where nobody has it."""
    assert class_attribute(kind, name) is found


def test_an_attribute_of_a_hostile_class_is_read_without_it() -> None:
    """Neither the class nor its metaclass is asked."""
    assert class_attribute(hostile_class(object, HostileMeta), "absent") is None


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
def test_a_hostile_class_is_not_asked_whether_it_is_plain_data(meta: Any) -> None:
    """The answer comes from what type itself knows."""
    answer = is_plain_data(hostile_class(object, meta))
    assert answer is False
