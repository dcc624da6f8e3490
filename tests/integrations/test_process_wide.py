"""install(libraries=): which libraries are guarded, in processes of their own where import matters."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import httpx
import pytest

import body_guard
from body_guard.integrations.process_wide import _NOT_COVERED, BESIDE


def run(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def hooked(library: str) -> set[bool]:
    doors = [door for door in body_guard.coverage().doors if door.name.startswith(f"{library}.")]
    return {door.hooked for door in doors}


@pytest.mark.parametrize("wrong", ["requests", ("requests", "urllib"), ["nothing"]], ids=str)
def test_a_library_that_is_not_known(wrong: Any) -> None:
    """The mistake is named where it is made, and nothing is installed."""
    with pytest.raises(ValueError, match='libraries takes "all" or a tuple of some of "requests"'):
        body_guard.install(libraries=wrong)
    assert not any(door.hooked for door in body_guard.coverage().doors)


@pytest.mark.parametrize("library", BESIDE)
def test_the_last_call_counts(library: str) -> None:
    """A library that is not asked for any more is given back, and httpx is always guarded."""
    import_module(BESIDE[library].module)
    body_guard.install(libraries=(library,))
    assert (hooked(library), hooked(httpx.__name__)) == ({True}, {True})
    body_guard.install()
    assert (hooked(library), hooked(httpx.__name__)) == ({False}, {True})
    body_guard.install(libraries="all")
    assert hooked(library) == {True}
    body_guard.uninstall()
    assert hooked(library) == {False}


@pytest.mark.parametrize("library", BESIDE)
def test_a_library_that_is_imported_later(library: str) -> None:
    """It is not imported for it, and guarded as soon as it is."""
    module = BESIDE[library].module
    states = run(f"""import sys, body_guard
body_guard.install(libraries=("{library}",))
print("{module}" in sys.modules)
def state():
    print({{d.hooked for d in body_guard.coverage().doors if d.name.startswith("{library}.")}})
print([d for d in body_guard.coverage().doors if d.name == "{library}"][0].why)
import {module}
state()
body_guard.uninstall()
state()
""")
    assert states == ["False", "not imported yet; guarded as soon as it is", "{True}", "{False}"]


@pytest.mark.parametrize("library", BESIDE)
def test_what_is_imported_and_not_guarded_is_named(library: str) -> None:
    """With the argument that guards it; not where it is guarded or not imported."""
    sentence = (
        f'{library} is imported and not guarded: call body_guard.install(libraries=("{library}",)).'
    )
    said = run(f"""import body_guard
def said():
    print([each for each in body_guard.coverage().warnings if each.startswith("{library} ")])
said()
import {BESIDE[library].module}
said()
body_guard.install()
said()
body_guard.install(libraries="all")
said()
""")
    assert said == ["[]", f"[{sentence!r}]", f"[{sentence!r}]", "[]"]


@pytest.mark.parametrize("module", _NOT_COVERED)
def test_what_nothing_guards_is_named(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it is imported, installed or not."""
    monkeypatch.delitem(sys.modules, module, raising=False)
    assert _NOT_COVERED[module] not in body_guard.coverage().warnings
    monkeypatch.setitem(sys.modules, module, ModuleType(module))
    body_guard.install(libraries="all")
    assert _NOT_COVERED[module] in body_guard.coverage().warnings
    body_guard.uninstall()
