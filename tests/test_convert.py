"""body_guard.convert.jsonable: plain data for plain data types, nothing else touched."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import pathlib
import sys
import uuid
import zoneinfo
from typing import Annotated, Any

import numpy as np
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from body_guard import Policy, Sanitizer
from body_guard.convert import _plain_text, jsonable

SANITIZER = Sanitizer(Policy(convert=jsonable))


class Warm(pydantic.BaseModel):
    """Any model."""


@pytest.fixture(autouse=True, params=["pydantic_core", "stdlib"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Convert with pydantic_core, and as on a machine that has none."""
    if request.param == "stdlib":
        Warm().model_dump()  # pydantic itself imports it again for its first dump
        monkeypatch.setitem(sys.modules, "pydantic_core", None)
    return str(request.param)


class Colour(enum.Enum):
    RED = "red"


class When(enum.Enum):
    THEN = datetime.date(2024, 2, 29)


class Bits(enum.Flag):
    A = 4


class Day(datetime.date):
    pass


class Numbers(set):  # type: ignore[type-arg]
    pass


@dataclasses.dataclass
class Point:
    x: int
    y: Any = None


@dataclasses.dataclass
class Unfinished:
    x: int
    later: int = dataclasses.field(init=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    colour: Colour = Colour.RED


class Model(pydantic.BaseModel):
    temperature: decimal.Decimal
    top_p: float = pydantic.Field(1.0, alias="topP")
    when: datetime.date | None = None


class Names(pydantic.RootModel[list[str]]):
    pass


UTC = datetime.timezone.utc
INDIA = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
WEST = datetime.timezone(-datetime.timedelta(hours=3, minutes=30))

VALUES: dict[str, tuple[Any, object]] = {
    "datetime": (datetime.datetime(2024, 2, 29, 12, 30), "2024-02-29T12:30:00"),
    "datetime-microseconds": (
        datetime.datetime(2024, 2, 29, 12, 30, 1, 500),
        "2024-02-29T12:30:01.000500",
    ),
    "datetime-utc": (datetime.datetime(2024, 2, 29, tzinfo=UTC), "2024-02-29T00:00:00Z"),
    "datetime-zone": (
        datetime.datetime(2024, 2, 29, tzinfo=zoneinfo.ZoneInfo("UTC")),
        "2024-02-29T00:00:00Z",
    ),
    "datetime-india": (datetime.datetime(2024, 2, 29, tzinfo=INDIA), "2024-02-29T00:00:00+05:30"),
    "datetime-west": (datetime.datetime(2024, 2, 29, tzinfo=WEST), "2024-02-29T00:00:00-03:30"),
    "datetime-early": (datetime.datetime(1, 1, 1), "0001-01-01T00:00:00"),
    "date": (datetime.date(2024, 2, 29), "2024-02-29"),
    "date-subclass": (Day(2024, 2, 29), "2024-02-29"),
    "time": (datetime.time(12, 30), "12:30:00"),
    "time-utc": (datetime.time(12, 30, tzinfo=UTC), "12:30:00Z"),
    "time-microseconds": (datetime.time(0, 0, 0, 1), "00:00:00.000001"),
    "uuid": (
        uuid.UUID("12345678-1234-5678-1234-567812345678"),
        "12345678-1234-5678-1234-567812345678",
    ),
    "path": (pathlib.PurePosixPath("/a/b c"), "/a/b c"),
    "path-here": (pathlib.Path("x"), "x"),
    "windows-path": (pathlib.PureWindowsPath("C:\\a"), "C:\\a"),
    "decimal-int": (decimal.Decimal(7), 7),
    "decimal-big": (
        decimal.Decimal("123456789012345678901234567890"),
        123456789012345678901234567890,
    ),
    "decimal-fraction": (decimal.Decimal("0.7"), 0.7),
    "decimal-point": (decimal.Decimal("1.0"), 1.0),
    "decimal-exponent": (decimal.Decimal("1E+2"), 100.0),
    "decimal-negative": (decimal.Decimal("-12.5"), -12.5),
    "decimal-infinity": (decimal.Decimal("-Infinity"), -float("inf")),
    "enum": (Colour.RED, "red"),
    "enum-of-date": (When.THEN, datetime.date(2024, 2, 29)),
    "flag": (Bits.A, 4),
    "set": ({3}, [3]),
    "empty-set": (set(), []),
    "frozenset": (frozenset({"a"}), ["a"]),
    "set-subclass": (Numbers({1}), [1]),
    "dataclass": (Point(1, {2}), {"x": 1, "y": {2}}),
    "dataclass-with-an-unset-field": (Unfinished(1), {"x": 1}),
    "slotted-dataclass": (Slotted(), {"colour": Colour.RED}),
    "pydantic": (
        Model(temperature=decimal.Decimal("0.7"), topP=0.5),
        {"temperature": decimal.Decimal("0.7"), "topP": 0.5, "when": None},
    ),
    "pydantic-root": (Names(["a"]), ["a"]),
    "numpy-float32": (np.float32(0.5), 0.5),
    "numpy-int8": (np.int8(-3), -3),
    "numpy-uint64": (np.uint64(2**64 - 1), 18446744073709551615),
    "numpy-bool": (np.bool_(True), True),
    "numpy-date": (np.datetime64("2024-02-29"), datetime.date(2024, 2, 29)),
}


@pytest.mark.parametrize(("value", "plain"), VALUES.values(), ids=VALUES)
def test_plain_data_becomes_what_json_can_write(value: Any, plain: object) -> None:
    """One step: what it holds is the walk's to ask about in turn."""
    converted = jsonable(value)
    assert converted == plain
    assert type(converted) is type(plain)


BODIES: dict[str, tuple[Any, bytes]] = {
    "request": (
        {
            "temperature": decimal.Decimal("0.7"),
            "n": np.int64(2),
            "stop": {"\n"},
            "at": datetime.datetime(2024, 2, 29, tzinfo=UTC),
        },
        b'{"temperature":0.7,"n":2,"stop":["\\n"],"at":"2024-02-29T00:00:00Z"}',
    ),
    "nested": (
        [Point(1, [Slotted(), {uuid.UUID(int=1)}])],
        b'[{"x":1,"y":[{"colour":"red"},["00000000-0000-0000-0000-000000000001"]]}]',
    ),
    "model": (
        Model(temperature=decimal.Decimal(1), when=datetime.date(2024, 2, 29)),
        b'{"temperature":1,"topP":1.0,"when":"2024-02-29"}',
    ),
    "enum-of-date": ([When.THEN], b'["2024-02-29"]'),
    "not-a-number": ([decimal.Decimal("NaN"), decimal.Decimal("Infinity")], b"[null,null]"),
    "signalling-nan": ([decimal.Decimal("sNaN"), 1], b"[null,1]"),
    "beyond-floats": ([decimal.Decimal("1E+400")], b"[null]"),
    "too-many-digits": ({"a": decimal.Decimal("1" * 5000), "b": 1}, b'{"b":1}'),
    "undecodable-path": (
        [pathlib.PurePosixPath("a\udce9")],
        '["a\ufffd"]'.encode(),
    ),
}


@pytest.mark.parametrize(("body", "content"), BODIES.values(), ids=BODIES)
def test_a_body_of_plain_data_is_sent_whole(body: Any, content: bytes) -> None:
    """With convert=jsonable nothing of it is lost, and what stands for it is judged."""
    assert SANITIZER.encode(body)[0] == content


def test_what_converted_values_hold_is_judged() -> None:
    """A model or a dataclass is no way around the rules."""
    content, report = SANITIZER.encode([Point(1, {"_sentry_x": 1, "y": object()})])
    assert content == b'[{"x":1,"y":{}}]'
    assert [(f.path, f.rule) for f in report.findings] == [
        ("/0/y/_sentry_x", "sentry"),
        ("/0/y/y", "unserializable"),
    ]


class Hostile:
    """Every way to ask it ends the process."""

    def __getattribute__(self, name: str) -> Any:
        raise SystemExit(name)

    def __getattr__(self, name: str) -> Any:
        raise SystemExit(name)

    def __repr__(self) -> str:
        raise SystemExit("repr")

    def __iter__(self) -> Any:
        raise SystemExit("iter")

    def __eq__(self, other: object) -> bool:
        raise SystemExit("eq")

    def __hash__(self) -> int:
        raise SystemExit("hash")

    @property
    def __class__(self) -> Any:
        raise SystemExit("class")

    def model_dump(self) -> Any:
        raise SystemExit("model_dump")

    def item(self) -> Any:
        raise SystemExit("item")


class Meta(type):
    def __getattribute__(cls, name: str) -> Any:
        raise SystemExit(name)

    def __eq__(cls, other: object) -> bool:
        raise SystemExit("eq")

    def __hash__(cls) -> int:
        raise SystemExit("hash")

    def __instancecheck__(cls, instance: object) -> bool:
        raise SystemExit("instancecheck")

    def __subclasscheck__(cls, subclass: type) -> bool:
        raise SystemExit("subclasscheck")


def of_meta() -> Any:
    # Not at the top of the module, where pytest would ask it what it is.
    class HostileOfMeta(metaclass=Meta):
        pass

    return object.__new__(HostileOfMeta)


REFUSED: dict[str, Any] = {
    "object": object,
    "hostile": Hostile,
    "hostile-metaclass": of_meta,
    "bytes": lambda: b"x",
    "timedelta": lambda: datetime.timedelta(1),
    "array": lambda: np.array([1]),
    "complex": lambda: 1j,
    "generator": lambda: (n for n in [1]),
    "class": lambda: Point,
    "enum-class": lambda: Colour,
    "model-class": lambda: Model,
    "str": lambda: "text",
    "dict": dict,
}


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_anything_else_is_a_type_error(make: Any) -> None:
    """By the contract of json.dumps(default=); it was not asked, and no value is told."""
    value = make()
    with pytest.raises(TypeError, match=r"^no plain data: [\w.<>]+$"):
        jsonable(value)


def test_a_stranger_is_removed_as_without_convert() -> None:
    """What jsonable cannot keep is taken out as ever."""
    content, report = SANITIZER.encode({"a": object.__new__(Hostile), "b": [b"x"]})
    assert content == b'{"b":[null]}'
    assert [f.type for f in report.findings] == [f"{__name__}.Hostile", "builtins.bytes"]


zones = st.none() | st.integers(-1439, 1439).map(
    lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes))
)


@settings(deadline=None)
@given(st.datetimes(timezones=zones) | st.dates() | st.times(timezones=zones) | st.uuids())
def test_both_ways_write_the_same_text(value: Any) -> None:
    """Whether pydantic_core is installed changes no byte of a body."""
    assert jsonable(value) == _plain_text(value)


def test_an_offset_of_seconds_is_no_utc() -> None:
    """Half a minute east of Greenwich (a local mean time) is not Greenwich."""
    odd = datetime.timezone(datetime.timedelta(seconds=30))
    text = _plain_text(datetime.datetime(2024, 2, 29, tzinfo=odd))
    assert text == "2024-02-29T00:00:00+00:00:30"


@dataclasses.dataclass
class Turn:
    """A turn of a conversation that knows its neighbours."""

    price: decimal.Decimal = decimal.Decimal("0.5")
    previous: Turn | None = None
    next: Turn | None = None


@dataclasses.dataclass(eq=False)
class Group:
    members: Any = ()


class Tree(pydantic.BaseModel):
    price: decimal.Decimal = decimal.Decimal("0.5")
    secret: str = pydantic.Field("SECRET", exclude=True)
    parent: Tree | None = pydantic.Field(None, serialization_alias="up")
    children: list[Tree] = []


class Loose(pydantic.BaseModel):
    """A model with members of every kind that lead back to it."""

    model_config = pydantic.ConfigDict(extra="allow")
    host: pydantic.AnyUrl | None = None
    up: Loose | None = None

    @pydantic.computed_field(alias="topOf")  # type: ignore[prop-decorator]
    @property
    def top(self) -> Loose | None:
        return self.up


class Loops(pydantic.RootModel[Any]):
    root: list[Loops] = []


def loose() -> Loose:
    model = Loose(more=1)
    model.up = model.other = model
    return model


def loops() -> Loops:
    model = Loops()
    model.root = [model]
    return model


def turns() -> Turn:
    first, second = Turn(), Turn()
    first.next, second.previous = second, first
    return first


def group() -> Group:
    group = Group()
    group.members = {group}
    return group


def tree() -> Tree:
    root = Tree()
    root.children = [Tree(price=1, children=[Tree(price=3)]), Tree(price=2)]
    for child in root.children:
        child.parent = root
    return root


def owner() -> Tree:
    root = Tree()
    root.parent = root
    return root


CYCLES: dict[str, tuple[Any, bytes, list[str]]] = {
    "dataclasses": (
        turns,
        b'{"price":0.5,"previous":null,"next":{"price":0.5,"next":null}}',
        ["/next/previous"],
    ),
    "set": (group, b'{"members":[null]}', ["/members/0"]),
    "pydantic-itself": (owner, b'{"price":0.5,"children":[]}', ["/up"]),
    "pydantic-members": (loose, b'{"host":null,"more":1}', ["/up", "/other", "/topOf"]),
    "pydantic-root-model": (loops, b"[null]", ["/0"]),
    "pydantic": (
        tree,
        b'{"price":0.5,"up":null,"children":['
        b'{"price":1,"children":[{"price":3,"up":null,"children":[]}]},'
        b'{"price":2,"children":[]}]}',
        ["/children/0/up", "/children/1/up"],
    ),
}


@pytest.mark.parametrize(("make", "content", "closing"), CYCLES.values(), ids=CYCLES)
def test_what_refers_to_itself_is_cut_at_the_closing_edge(
    make: Any, content: bytes, closing: list[str]
) -> None:
    """One level at a time, so that the walk sees the same object come back."""
    sent, report = SANITIZER.encode(make())
    assert sent == content
    assert [(f.path, f.rule) for f in report.findings] == [(path, "cycle") for path in closing]


def test_a_long_chain_of_models_that_refer_back() -> None:
    """The questions are as many as the models, however long the chain."""
    first = last = Tree()
    for _ in range(100):
        following = Tree(parent=None)
        last.children, following.parent = [following], last
        last = following
    content, report = SANITIZER.encode(first)
    assert content.count(b'"price"') == 101
    assert {f.rule for f in report.findings} == {"cycle"}
    assert len(report.findings) == 100


class Shown(pydantic.BaseModel):
    """A model that shows less than it holds, by a function of its own."""

    parent: Shown | None = None
    children: list[Shown] = []

    @pydantic.field_serializer("children")
    def first(self, children: list[Shown]) -> list[Shown]:
        return children[:1]


class Filtered(pydantic.BaseModel):
    parent: Filtered | None = None
    children: list[Annotated[Any, pydantic.PlainSerializer(lambda child: child.parent)]] = []


@pytest.mark.parametrize("kind", [Shown, Filtered])
def test_what_a_function_of_a_model_leaves_out_stays_out(kind: Any) -> None:
    """Where such a model refers to itself, its fields are not written in their place."""
    model = kind()
    model.children = [kind(parent=model), "SECRET"]
    content, report = SANITIZER.encode({"a": model, "b": kind()})
    assert content == b'{"b":{"parent":null,"children":[]}}'
    assert [(f.path, f.rule, f.action) for f in report.findings] == [
        ("/a", "unserializable", "remove")
    ]


class Failing(pydantic.BaseModel):
    field: int = 1

    @pydantic.field_serializer("field")
    def fail(self, field: int) -> int:
        raise ValueError("mine")


def test_a_function_of_a_model_that_fails_is_no_cycle() -> None:
    """Its error is the caller's, as of any convert= with a bug."""
    with pytest.raises(ValueError, match="mine"):
        jsonable(Failing())
