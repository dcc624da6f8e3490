"""Importing body_guard costs nothing that was not asked for."""

from __future__ import annotations

import ast
import graphlib
import inspect
import subprocess
import sys
import typing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import body_guard
from body_guard.core import accelerator

from doors import Family

if TYPE_CHECKING:
    from collections.abc import Collection

PACKAGE = Path(body_guard.__file__).parent


def modules() -> dict[str, Path]:
    """Map the name of each module of the package to its file."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, known: Collection[str]) -> set[str]:
    """Find the known modules that a file imports: lazily, for type checkers and by name too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                found.add(module if module in known else str(node.module))
        # As import_module takes it; the package's own name is that of its logger, too.
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value:
            found.add(node.value)
    return found.intersection(known)


def test_the_core_imports_the_core_alone() -> None:
    """Values and bytes in, values and bytes out: no policy, no table of rules, no HTTP."""
    known = modules()
    core = {name: path for name, path in known.items() if name.startswith("body_guard.core.")}
    assert len(core) > 10
    assert {
        name: outside
        for name, path in core.items()
        if (outside := imports(path, known) - {*core, "body_guard.core"})
    } == {}


def test_imports_make_no_circle() -> None:
    """Neither those for type checkers nor those within functions; the error names the circle."""
    known = modules()
    graph = {name: imports(path, known) - {name} for name, path in known.items()}
    assert len([*graphlib.TopologicalSorter(graph).static_order()]) == len(known)


@pytest.mark.parametrize(
    "source",
    [
        "import body_guard.b",
        "from body_guard import b",
        "from body_guard.b import c",
        "if TYPE_CHECKING:\n    from body_guard.b import c",
        "def f():\n    from body_guard import b",
        "import_module('body_guard.b')",
    ],
)
def test_an_import_is_found_however_it_is_written(source: str, tmp_path: Path) -> None:
    """The two tests above would pass if imports were not found."""
    path = tmp_path / "a.py"
    path.write_text(source, encoding="utf-8")
    assert imports(path, ["body_guard", "body_guard.b"]) == {"body_guard.b"}


def test_no_module_has_the_name_of_a_public_function() -> None:
    """Importing it would bind the name in the package to the module."""
    names = {name.removeprefix("body_guard.") for name in modules()}
    assert names.intersection(body_guard.__all__) == {"convert"}
    assert inspect.ismodule(body_guard.convert)


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


def test_which_passes_judge_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coverage says which implementation is at work, and why the plain one is."""
    code = "import body_guard; print(body_guard.coverage().passes)"
    assert run(code) == accelerator.describe()
    monkeypatch.setenv("BODY_GUARD_PURE", "1")
    assert run(code) == "pure (BODY_GUARD_PURE=1)"
    without = "import sys; sys.modules['body_guard.core._speedups'] = None; "
    monkeypatch.delenv("BODY_GUARD_PURE")
    assert run(without + code) == "pure (built without a C compiler)"


def test_the_gil_stays_off_where_it_is() -> None:
    """A free-threaded Python does without the compiled module, which would switch the GIL on."""
    off = "import sys; sys._is_gil_enabled = lambda: False; import body_guard; "
    assert run(off + "print(body_guard.coverage().passes)") == "pure (Python runs without the GIL)"
    assert run(off + "print('body_guard.core._speedups' in sys.modules)") == "False"


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


MISSING = {
    "body_guard.httpx2": (
        "httpx2",
        "body_guard.httpx2 needs httpx2, which is not installed; "
        "write pip install 'body-guard[httpx2]' (Python 3.11 and later).",
    ),
    "body_guard.integrations.opentelemetry": (
        "opentelemetry",
        "body_guard.integrations.opentelemetry needs opentelemetry-api, which is not installed; "
        "write pip install 'body-guard[otel]'.",
    ),
}


@pytest.mark.parametrize(("module", "missing"), MISSING.items(), ids=MISSING)
def test_a_missing_extra_is_named(module: str, missing: tuple[str, str]) -> None:
    """One sentence says what to install, and no chain of errors hides it."""
    library, message = missing
    code = f"""import sys
sys.modules[{library!r}] = None
try:
    import {module}
except ModuleNotFoundError as error:
    print(error.name, error.__cause__, error.__suppress_context__)
    print(error)
"""
    assert run(code) == f"{library} None True\n{message}"


@pytest.mark.parametrize(("module", "missing"), MISSING.items(), ids=MISSING)
@pytest.mark.parametrize(
    ("source", "error"),
    [("import missing", "No module named 'missing'"), ("1 / 0", "division by zero")],
    ids=["needs another", "is broken"],
)
def test_a_library_that_cannot_be_imported_says_so_itself(
    tmp_path: Path, module: str, missing: tuple[str, str], source: str, error: str
) -> None:
    """To install what is there would not help."""
    package = tmp_path / missing[0]
    package.mkdir()
    (package / "__init__.py").write_text(source, encoding="utf-8")
    code = f"""import sys
sys.path.insert(0, {str(tmp_path)!r})
try:
    import {module}
except Exception as error:
    print(error)
"""
    assert run(code) == error


def test_half_an_opentelemetry_is_a_missing_extra(tmp_path: Path) -> None:
    """Its packages share a namespace: another one may be there without the API."""
    (tmp_path / "opentelemetry" / "sdk").mkdir(parents=True)
    module = "body_guard.integrations.opentelemetry"
    code = f"""import sys
sys.path[:] = [{str(tmp_path)!r}, *(p for p in sys.path if "site-packages" not in p)]
sys.meta_path[:] = [finder for finder in sys.meta_path if isinstance(finder, type)]
try:
    import {module}
except ImportError as error:
    print(error)
"""
    assert run(code) == MISSING[module][1]
