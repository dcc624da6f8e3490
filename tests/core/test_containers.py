"""Containers of any class are read as json reads them: once, and with no other code of theirs."""

from __future__ import annotations

import collections
import enum
import functools
import itertools
import json
import math
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from body_guard import BodyLimitError, Policy, Sanitizer
from body_guard.core import walk
from body_guard.core.containers import read_members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SANITIZER = Sanitizer()


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


def findings(report: Any) -> list[tuple[str, str, str, str, str, str]]:
    return [(f.path, f.rule, f.action, f.type, f.owner, f.hint) for f in report.findings]


def test_an_ordered_dict_keeps_its_own_order() -> None:
    """An OrderedDict that was reordered is copied in the order that json would write."""
    body = collections.OrderedDict(a=1, b=object(), c=3)
    body.move_to_end("a")
    assert SANITIZER.encode(body)[0] == b'{"c":3,"a":1}'


@pytest.mark.parametrize(
    "keys",
    [
        (Tag.A, "b"),
        (Level.HIGH, 4),
        (Word("w"), Count(1), Ratio(1.5), None, True),
    ],
    ids=["str-enum", "int-enum", "others"],
)
def test_an_ordered_dict_keeps_its_order_with_keys_of_subclasses(keys: tuple[Any, ...]) -> None:
    """Clean or dirty, in the order that json writes, which asks for the hash of each key."""
    body = collections.OrderedDict.fromkeys(keys, 1)
    body.move_to_end(keys[0])
    text = json.dumps(body, separators=(",", ":"))
    assert text != json.dumps(dict.fromkeys(keys, 1), separators=(",", ":"))
    assert SANITIZER.encode(body)[0] == text.encode()
    body["_sentry_x"] = 2  # type: ignore[index]
    assert SANITIZER.encode(body)[0] == text.encode()


class Hashed(str):
    __slots__ = ()
    armed = False

    def __hash__(self) -> int:
        if self.armed:
            raise SystemExit("a foreign hash was asked")
        return str.__hash__(self)


def test_an_ordered_dict_does_not_ask_a_foreign_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a key whose class has its own, the order is that of insertion."""
    body = collections.OrderedDict({Hashed("a"): 1, "b": 2})
    body.move_to_end(next(iter(body)))
    monkeypatch.setattr(Hashed, "armed", True)
    assert SANITIZER.encode(body)[0] == b'{"a":1,"b":2}'


def test_an_attribute_of_the_instance_is_not_asked() -> None:
    """A dict with items of its own beside its class's is judged and encoded as one thing."""
    body = Bag(a=1)
    body.items = lambda: [("_sentry_x", 1), ("b", object())]  # type: ignore[method-assign]
    assert SANITIZER.encode([body])[0] == b'[{"a":1}]'
    assert SANITIZER.encode(body)[0] == b'{"a":1}'


class Overriding(dict):  # type: ignore[type-arg]
    """A dict that computes its members, others each time, and counts how often it was asked."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(inside=1)
        self.answers = iter(answers)
        self.asked = 0

    def items(self) -> Any:
        self.asked += 1
        return next(self.answers)


class Listing(list):  # type: ignore[type-arg]
    """The same as a list; what lies in it is never shown."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(["inside"])
        self.answers = iter(answers)
        self.asked = 0

    def __iter__(self) -> Iterator[Any]:
        self.asked += 1
        return iter(next(self.answers))


class TupleOf(tuple):  # type: ignore[type-arg]
    """The same as a tuple."""

    asked: int
    answers: Iterator[Any]

    def __iter__(self) -> Iterator[Any]:
        self.asked += 1
        return iter(next(self.answers))


def tuple_of(*answers: Any) -> TupleOf:
    made = TupleOf(("inside",))
    made.asked = 0
    made.answers = iter(answers)
    return made


LATER = [("_sentry_late", 1), ("late", object())]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Overriding([("a", 1), ("b", [2])], LATER, LATER), '{"a":1,"b":[2]}'),
        (lambda: Overriding({"a": 1}.items(), LATER, LATER), '{"a":1}'),
        (lambda: Overriding([Pair("a", 1)], LATER, LATER), '{"a":1}'),
        (lambda: Overriding([], LATER, LATER), "{}"),
        (lambda: Listing(["a", {"b": 2}], LATER, LATER), '["a",{"b":2}]'),
        (lambda: Listing([], LATER, LATER), "[]"),
        (lambda: tuple_of(["a"], LATER, LATER), '["a"]'),
    ],
    ids=["dict", "dict-view", "named-tuples", "empty-dict", "list", "empty-list", "tuple"],
)
def test_a_container_that_computes_its_items_is_asked_once(
    make: Callable[[], Any], text: str
) -> None:
    """What it says first is judged and encoded; what it would say next never shows."""
    for wrap, around in (
        (lambda item: item, "%s"),
        (lambda item: [item], "[%s]"),
        (lambda item: {"x": item}, '{"x":%s}'),
    ):
        body = make()
        content, report = SANITIZER.encode(wrap(body))
        assert content == (around % text).encode()
        assert body.asked == 1
        assert report.findings == ()
        assert not report.changed

        body = make()
        wrapped = wrap(body)
        value, _ = SANITIZER.sanitize(wrapped)
        assert value is wrapped
        assert body.asked == 1


@pytest.mark.parametrize(
    ("make", "text", "paths"),
    [
        (
            lambda: Overriding([("_sentry_x", 1), ("a", object()), ("b", 2)], LATER),
            '{"b":2}',
            ["/_sentry_x", "/a"],
        ),
        (lambda: Listing([object(), {"_sentry_x": 1}], LATER), "[null,{}]", ["/0", "/1/_sentry_x"]),
        (lambda: tuple_of([math.nan, 1], LATER), "[null,1]", ["/0"]),
    ],
    ids=["dict", "list", "tuple"],
)
def test_what_a_container_says_is_judged(
    make: Callable[[], Any], text: str, paths: list[str]
) -> None:
    """Items that are made up are walked like any other."""
    body = make()
    content, report = SANITIZER.encode({"x": body, "y": body})
    assert content == f'{{"x":{text},"y":{text}}}'.encode()
    assert body.asked == 1
    assert [f.path for f in report.findings] == [f"/{at}{path}" for at in "xy" for path in paths]


class Empty(dict):  # type: ignore[type-arg]
    def items(self) -> Any:
        raise SystemExit("json does not ask an empty dict")


def test_an_empty_dict_is_not_asked() -> None:
    """A dict with nothing in it is {}, as with json, whatever its items would say."""
    body = [Empty()]
    assert SANITIZER.sanitize(body)[0] is body
    assert SANITIZER.encode(body)[0] == b"[{}]"


class Guarded(dict):  # type: ignore[type-arg]
    def items(self) -> Any:
        return [("a", dict.__len__(self))]

    def __getattribute__(self, name: str) -> Any:
        raise SystemExit(f"{name} was looked up")


class Partial(dict):  # type: ignore[type-arg]
    items = functools.partialmethod(lambda self, said: said, [("a", 1)])  # type: ignore[assignment]


class Static(dict):  # type: ignore[type-arg]
    items = staticmethod(lambda: [("a", 1)])  # type: ignore[assignment]


class Called:
    def __call__(self) -> Any:
        return [("a", 1)]


class Attribute(dict):  # type: ignore[type-arg]
    items = Called()  # type: ignore[assignment]


@pytest.mark.parametrize("kind", [Guarded, Partial, Static, Attribute])
def test_a_container_is_asked_whatever_its_method_is_made_of(kind: Any) -> None:
    """What json would be told, by way of the class alone: its instance is not asked for it."""
    assert SANITIZER.encode({"x": kind(inside=1)})[0] == b'{"x":{"a":1}}'


class Refusing(dict):  # type: ignore[type-arg]
    def __init__(self, error: BaseException) -> None:
        super().__init__(a=1)
        self.error = error

    def items(self) -> Any:
        raise self.error


class RefusingList(list):  # type: ignore[type-arg]
    def __init__(self, error: BaseException) -> None:
        super().__init__([1])
        self.error = error

    def __iter__(self) -> Any:
        yield 1
        raise self.error


class NoIter(list):  # type: ignore[type-arg]
    __iter__ = None  # type: ignore[assignment]


class NoItems(dict):  # type: ignore[type-arg]
    items = 3  # type: ignore[assignment]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Refusing(ValueError("x")),
        lambda: Refusing(RecursionError()),
        lambda: RefusingList(KeyError("x")),
        lambda: Overriding(None),
        lambda: Overriding([1, 2]),
        lambda: Overriding(["ab"]),
        lambda: Overriding([["a", 1]]),
        lambda: Overriding([("a", 1), ("b",)]),
        lambda: Overriding([("a", 1, 2)]),
        lambda: Overriding([()]),
        lambda: NoIter([1]),
        lambda: NoItems(a=1),
    ],
    ids=[
        "raises",
        "recursion",
        "raises-later",
        "gives-none",
        "gives-ints",
        "gives-strs",
        "gives-lists",
        "gives-ones",
        "gives-threes",
        "gives-empty",
        "iter-is-none",
        "items-is-no-method",
    ],
)
def test_a_container_that_cannot_answer_is_unserializable(make: Callable[[], Any]) -> None:
    """Where json would raise, the value is removed as one that cannot be written."""
    content, report = SANITIZER.encode({"a": make(), "b": [make()]})
    assert content == b'{"b":[null]}'
    assert [(f.path, f.rule, f.action) for f in report.findings] == [
        ("/a", "unserializable", "remove"),
        ("/b/0", "unserializable", "replace"),
    ]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("make", [Refusing, RefusingList], ids=["dict", "list"])
def test_ctrl_c_is_not_swallowed(make: Any, kind: type[BaseException]) -> None:
    """What is no Exception passes through, a real Ctrl-C first of all."""
    body = {"a": make(kind("stop"))}
    for call in (SANITIZER.sanitize, SANITIZER.encode):
        with pytest.raises(kind):
            call(body)


def set_limit(monkeypatch: pytest.MonkeyPatch, what: str, most: int) -> None:
    """Lower what one walk may come to."""
    monkeypatch.setitem(walk._MOST, what, most)


class Endless(list):  # type: ignore[type-arg]
    def __iter__(self) -> Any:
        return itertools.repeat("more")


class EndlessDict(dict):  # type: ignore[type-arg]
    def items(self) -> Any:
        return zip(itertools.count(), itertools.repeat(1), strict=False)


class Nest(list):  # type: ignore[type-arg]
    def __iter__(self) -> Any:
        yield Nest([1])


@pytest.mark.parametrize(
    ("body", "path", "below"),
    [
        (Endless(), "", "its root"),
        ({"a": [1], "x": Endless()}, "/x", "/x"),
        ([[1], {"c": EndlessDict(a=1)}], "/1/c", "/1/c"),
    ],
    ids=["whole", "member", "nested-dict"],
)
@pytest.mark.parametrize("call", [SANITIZER.sanitize, SANITIZER.encode], ids=["sanitize", "encode"])
def test_items_without_end_are_a_limit(
    body: Any, path: str, below: str, call: Callable[[Any], Any]
) -> None:
    """A container that never stops giving items ends at a bound, by name, not in the swap space."""
    with pytest.raises(BodyLimitError) as caught:
        call(body)
    assert str(caught.value) == (
        f"The body was not sent: below {below}, a container that computes its items (or convert=) "
        "gave more than 1,000,000 of them."
    )
    assert findings(caught.value.report) == [(path, "size", "reject", "", "", "")]


@pytest.mark.parametrize(
    ("body", "convert"),
    [
        (Nest([1]), None),
        (object(), lambda value: [object()]),
        (object(), lambda value: {"a": object(), "b": value}),
    ],
    ids=["items", "convert", "convert-again"],
)
def test_containers_without_end_are_a_limit(
    body: Any, convert: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ever new containers, each with one more inside, end at the same bound."""
    set_limit(monkeypatch, "items", 1000)
    with pytest.raises(BodyLimitError, match="gave more than 1,000 of them"):
        Sanitizer(Policy(convert=convert)).sanitize([body])


@pytest.mark.parametrize(
    ("make", "convert"),
    [
        (lambda: Nest([1]), None),
        (lambda: [object() for _ in range(11)], lambda value: []),
        (lambda: [Listing([1]) for _ in range(11)], None),
    ],
    ids=["nest", "converted", "side-by-side"],
)
def test_made_up_containers_have_a_bound_of_their_own(
    make: Any, convert: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container takes far more memory than an item, so fewer of them are followed."""
    set_limit(monkeypatch, "containers", 10)
    with pytest.raises(BodyLimitError, match="gave more than 10 containers"):
        Sanitizer(Policy(convert=convert)).sanitize([make()])


class Counted(list):  # type: ignore[type-arg]
    given = 0

    def __iter__(self) -> Any:
        while True:
            self.given += 1
            yield 1


def test_items_without_end_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more items are taken than the bound, and one to see that it is passed."""
    set_limit(monkeypatch, "items", 1000)
    body = Counted()
    with pytest.raises(BodyLimitError):
        SANITIZER.sanitize([body])
    assert body.given == 1001


def test_as_many_items_as_the_bound_are_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound itself is not over the bound."""
    set_limit(monkeypatch, "items", 3)
    assert SANITIZER.encode(Listing([1, 2, 3]))[0] == b"[1,2,3]"
    with pytest.raises(BodyLimitError):
        SANITIZER.encode(Listing([1, 2, 3, 4]))
    with pytest.raises(BodyLimitError):
        SANITIZER.encode([Listing([1, 2]), Listing([3, 4])])


def test_a_dict_that_changes_meanwhile_does_not_raise() -> None:
    """While another thread adds and removes members, every look gives some state of the dict."""
    body: dict[str, Any] = {"x": object(), **{str(number): number for number in range(50)}}
    stop = threading.Event()

    def change() -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            body[f"n{number % 97}"] = [number]
            body.pop(f"n{(number * 31) % 97}", None)

    thread = threading.Thread(target=change)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread.start()
    try:
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            value, report = SANITIZER.sanitize({"body": body, "l": [body]})
            assert [f.path for f in report.findings] == ["/body/x", "/l/0/x"]
            assert value["body"] is value["l"][0]
            assert value["body"]["7"] == 7
            json.loads(SANITIZER.encode([body])[0])
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(before)


@pytest.mark.parametrize("failures", [0, 1, 99, 1000], ids=str)
def test_a_dict_is_read_again_when_it_changed_meanwhile(failures: int) -> None:
    """A read that another thread disturbed is tried again, in the end on a copy."""
    source: dict[object, object] = {"a": 1}
    disturbed = iter([True] * failures)

    def items(of: dict[object, object]) -> Any:
        if next(disturbed, False):
            raise RuntimeError("dictionary changed size during iteration")
        return of.items()

    assert read_members(source, items) == [("a", 1)]
