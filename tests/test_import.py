"""Importing body_guard costs nothing that was not asked for."""

from __future__ import annotations

import inspect
import subprocess
import sys
import typing

import pytest

import body_guard

from doors import Family


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    "use",
    [
        "",
        "; body_guard.sanitize({'_sentry_x': 1})",
        "; body_guard.Sanitizer().encode([{1}])",
        "; [getattr(body_guard, n) for n in body_guard.__all__ if not n.startswith('Guarded')]",
        "; body_guard.install(); body_guard.coverage(); body_guard.uninstall()",
    ],
    ids=["import", "sanitize", "encode", "names", "install"],
)
def test_the_core_needs_no_http_library(use: str) -> None:
    """No HTTP library, no litellm and no sentry_sdk is loaded by the core."""
    code = f"""import sys, body_guard{use}
print([m for m in ('httpx', 'httpx2', 'httpcore', 'litellm', 'sentry_sdk', 'pydantic', 'ssl')
       if m in sys.modules])"""
    assert run(code) == "[]"


def test_every_public_name_is_there() -> None:
    """__all__ is sorted and true, and dir() shows it before the lazy names are loaded."""
    assert sorted(body_guard.__all__) == list(body_guard.__all__)
    assert all(getattr(body_guard, name) is not None for name in body_guard.__all__)
    listed = run("import body_guard; print(set(body_guard.__all__) <= set(dir(body_guard)))")
    assert listed == "True"
    with pytest.raises(AttributeError, match="has no attribute 'GuardedClint'"):
        body_guard.GuardedClint  # noqa: B018


@pytest.mark.parametrize(
    ("client", "options"),
    [("Client", "_SyncOptions"), ("AsyncClient", "_AsyncOptions")],
    ids=["sync", "async"],
)
def test_the_typed_options_are_the_librarys(family: Family, client: str, options: str) -> None:
    """The signature that type checkers see names exactly the options the installed library takes."""
    source = inspect.getsource(family.guarded).replace("if TYPE_CHECKING:", "if True:", 1)
    namespace: dict[str, typing.Any] = {"__name__": family.guarded.__name__}
    exec(source.partition("__all__ =")[0], namespace)
    typed = set(namespace[options].__annotations__) | set(namespace["_Options"].__annotations__)
    assert typed == set(inspect.signature(getattr(family.library, client)).parameters)


def test_lazy_names_in_this_process() -> None:
    """The names that load something come from the module's own __getattr__ and __dir__."""
    assert body_guard.__getattr__("convert") is body_guard.convert
    assert "GuardedClient" in dir(body_guard)
