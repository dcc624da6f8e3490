"""Names of types come from type itself; the class is not asked."""

from __future__ import annotations

import collections
import datetime
from typing import Any

import pytest

from body_guard.core.typenames import class_attribute, lineage, package, qualified_name

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
