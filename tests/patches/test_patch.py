"""Patch: one name replaced and given back, whatever others do with it meanwhile."""

from __future__ import annotations

import functools
import sys
from types import ModuleType
from typing import Any

import pytest

from body_guard.patches import patch as module
from body_guard.patches.patch import Hook, Patch

MODULE = "body_guard_test_module"


class Owner:
    """Has a function and a static one."""

    def method(self, value: int) -> int:
        return value

    @staticmethod
    def static(value: int) -> int:
        return value


def doubling(original: Any, current: Any) -> Any:
    def ours(*args: Any) -> Any:
        return original(*args) * (1 if current() is None else 2)

    return ours


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch) -> Any:
    kind = type("Owner", (), dict(vars(Owner)))
    module = ModuleType(MODULE)
    module.Owner = kind  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, MODULE, module)
    return kind


def patched(name: str = "method") -> Patch:
    guard: Any = "a guard"
    return Patch(Hook(f"{MODULE}:Owner", name, doubling, "it"), lambda: guard)


def by_closure(beneath: Any) -> Any:
    return lambda *args: beneath(*args) + 1


def by_wraps(beneath: Any) -> Any:
    @functools.wraps(beneath)
    def wrapper(*args: Any) -> Any:
        return wrapper.__wrapped__(*args) + 1  # type: ignore[attr-defined]

    return wrapper


def by_partial(beneath: Any) -> Any:
    return functools.partialmethod(beneath)


class Calling:
    """A callable object that holds what it calls."""

    __slots__ = ("beneath",)

    def __init__(self, beneath: Any) -> None:
        self.beneath = beneath

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError("asked")


def by_global(beneath: Any) -> Any:
    """Keep it as a module does whose function is the patch."""
    scope = {"kept": beneath, "__name__": "theirs"}
    exec("def wrapper(*args): return kept(*args) + 1", scope)
    return scope["wrapper"]


def by_nested_global(beneath: Any) -> Any:
    scope = {"kept": beneath, "__name__": "theirs"}
    exec("def call(*args): return (lambda: kept(*args))() + 1", scope)
    exec("def wrapper(*args): return call(*args)", scope)
    return scope["wrapper"]


LATER = {
    "closure": by_closure,
    "wraps": by_wraps,
    "partial": by_partial,
    "object": Calling,
    "global": by_global,
    "global of a function within": by_nested_global,
}


@pytest.mark.parametrize("later", LATER.values(), ids=LATER)
def test_beneath_a_later_patch(owner: Any, later: Any) -> None:
    """Ours is found beneath whatever holds it, and nobody's code is run to find it."""
    patch = patched()
    patch.apply()
    theirs = owner.method = later(vars(owner)["method"])
    assert patch.covered
    assert not patch.lost
    assert patch.door().why == "it; a later patch sits on top"
    patch.apply()
    patch.restore()
    assert vars(owner)["method"] is theirs
    assert patch.applied


def test_a_patch_that_knows_nothing_of_ours(owner: Any) -> None:
    """What replaced ours is not taken for a later patch: installing again stands on it."""
    original = owner.method
    patch = patched()
    patch.apply()
    owner.method = lambda self, value: -original(self, value)
    assert patch.lost
    assert not patch.door().hooked
    patch.apply()
    assert owner().method(3) == -6
    assert not patch.lost


@pytest.mark.parametrize("names", ["", "record"], ids=["not named", "our own record"])
def test_what_is_no_lead(owner: Any, names: str) -> None:
    """What else a patch's module holds says nothing of what it calls, nor does what holds ours."""
    patch = patched()
    patch.apply()
    scope = {"kept": vars(owner)["method"], "record": patch, "__name__": "theirs"}
    exec(f"def wrapper(self, value): return ({names or 'self'}, -value)[1]", scope)
    owner.method = scope["wrapper"]
    assert patch.lost


def test_ours_is_given_back_after_it_was_lost(owner: Any) -> None:
    """Where ours is back, put there by whoever had replaced it, the original comes back too."""
    original = owner.method
    patch = patched()
    patch.apply()
    ours = owner.method
    owner.method = lambda self, value: -value
    patch.restore()
    owner.method = ours
    patch.restore()
    assert owner.method is original
    assert not patch.applied


def test_the_search_has_an_end(owner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours, held beyond it, is put on top: it is there twice, and harmless."""
    monkeypatch.setattr(module, "_FAR", 1)
    patch = patched()
    patch.apply()
    owner.method = by_closure(owner.method)
    assert patch.lost


def test_a_function_of_a_module(owner: Any) -> None:
    """The owner is the module itself."""
    module: Any = sys.modules[MODULE]
    module.function = original = lambda value: value
    patch = Patch(Hook(MODULE, "function", doubling, "it"), lambda: None)
    patch.apply()
    assert module.function is not original
    assert module.function(3) == 3
    patch.restore()
    assert module.function is original


def test_a_static_function(owner: Any) -> None:
    """It stays static, and the very object comes back."""
    original = vars(owner)["static"]
    patch = patched("static")
    patch.apply()
    assert owner.static(3) == owner().static(3) == 6
    patch.restore()
    assert vars(owner)["static"] is original


@pytest.mark.parametrize(
    ("where", "why"),
    [
        (f"{MODULE}:Owner", "this release has no such name"),
        (f"{MODULE}:Nobody", "this release has no such name"),
        (f"{MODULE}.inside", "cannot be imported: ModuleNotFoundError"),
    ],
    ids=["no name", "no class", "no module"],
)
def test_what_is_not_there(owner: Any, where: str, why: str) -> None:
    """It is said, nothing is replaced, and there is nothing to give back."""
    patch = Patch(Hook(where, "other", doubling, "it"), lambda: None)
    assert patch.door().why == "not installed"
    patch.apply()
    patch.restore()
    door = patch.door()
    assert (door.hooked, door.why, door.absent) == (False, why, True)
    assert not hasattr(owner, "other")


def test_ours_is_put_back_by_somebody(owner: Any) -> None:
    """Who restores what was found there restores ours: it is taken up again, and given back."""
    original = vars(owner)["method"]
    patch = patched()
    patch.apply()
    first = vars(owner)["method"]
    owner.method = lambda self: 0  # and does not lead to ours
    patch.apply()
    second = vars(owner)["method"]
    assert second is not first
    owner.method = first
    patch.apply()
    assert vars(owner)["method"] is first
    owner.method = second  # given up, when the first was put back
    owner.method = first
    patch.restore()
    assert vars(owner)["method"] is original
    patch.restore()
    assert vars(owner)["method"] is original


def test_ours_is_put_back_after_it_was_restored(owner: Any) -> None:
    """As by a cassette of vcrpy's around an install() and an uninstall()."""
    original = vars(owner)["method"]
    patch = patched()
    patch.apply()
    first = vars(owner)["method"]
    owner.method = lambda self: 0
    patch.apply()
    patch.restore()
    assert not patch.applied
    owner.method = first
    patch.restore()
    assert vars(owner)["method"] is original


def test_a_subclass_in_the_place_of_a_class(monkeypatch: pytest.MonkeyPatch, owner: Any) -> None:
    """The module's own class is patched, not what somebody put there for a while."""
    owner.__module__ = MODULE
    original = vars(owner)["method"]
    monkeypatch.setattr(sys.modules[MODULE], "Owner", type("Stub", (owner,), {"method": None}))
    patch = patched()
    patch.apply()
    assert vars(owner)["method"] is not original
    patch.restore()
    assert vars(owner)["method"] is original
