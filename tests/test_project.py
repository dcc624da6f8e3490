"""The project's own set-up: what is pinned, and which warnings fail a test."""

from __future__ import annotations

import itertools
import pathlib
import re
import subprocess
import sys

import pytest
from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = pathlib.Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONSTRAINTS = (ROOT / "tests/constraints.txt").read_text(encoding="utf-8")
PINS = [Requirement(line) for line in CONSTRAINTS.splitlines() if not line.startswith("#")]

PLANTED = """
import gc
import threading
import warnings


def test_fails_by_a_warning_of_ours():
    warnings.warn_explicit("x", UserWarning, "walk.py", 1, module="body_guard.core.walk")


def test_fails_by_a_deprecation_that_we_trigger():
    warnings.warn_explicit("x", DeprecationWarning, "httpx.py", 1, module="body_guard.httpx")


async def planted():
    pass


def test_fails_by_a_coroutine_never_awaited():
    planted()
    gc.collect()


def test_fails_by_a_file_left_open():
    open(__file__)
    gc.collect()


def test_fails_by_a_resource_warning():
    warnings.warn("x", ResourceWarning)


class Planted:
    def __del__(self):
        raise ValueError


def test_fails_by_an_error_in_a_finalizer():
    Planted()
    gc.collect()


def fail():
    raise ValueError


def test_fails_by_an_error_in_a_thread():
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


def test_passes_with_a_warning_of_a_third_party():
    warnings.warn_explicit("x", UserWarning, "utils.py", 1, module="litellm.types.utils")


def test_passes_with_a_deprecation_of_a_third_party():
    warnings.warn_explicit("x", DeprecationWarning, "main.py", 1, module="pydantic.main")
"""


def asked_for() -> list[Requirement]:
    """List what the package, its extras and the dependency groups ask for."""
    project = PYPROJECT["project"]
    extras, groups = project["optional-dependencies"], PYPROJECT["dependency-groups"]
    texts = itertools.chain(project["dependencies"], *extras.values(), *groups.values())
    return [each for each in map(Requirement, texts) if each.name != "body-guard"]


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_the_constraints_pin_all_that_is_asked_for(python: str) -> None:
    """On every Python one release of each, exactly, and one that the requirement allows."""
    here = {"python_version": python, "python_full_version": f"{python}.0"}
    pins: dict[str, list[str]] = {}
    for pin in PINS:
        (specifier,) = pin.specifier
        assert specifier.operator == "=="
        if pin.marker is None or pin.marker.evaluate(here):
            pins.setdefault(pin.name, []).append(specifier.version)
    assert {name: found for name, found in pins.items() if len(found) > 1} == {}
    for wanted in asked_for():
        if wanted.marker is None or wanted.marker.evaluate(here):
            (version,) = pins.get(wanted.name, ["missing"])
            assert version in wanted.specifier, f"{wanted} is asked for, {version} is pinned"


def test_the_build_backend_is_pinned() -> None:
    """Constraints do not reach build isolation."""
    (backend,) = map(Requirement, PYPROJECT["build-system"]["requires"])
    assert [each.operator for each in backend.specifier] == ["=="]


def test_the_command_that_renews_the_constraints_is_in_contributing() -> None:
    """It is the one at their top, which uv wrote without its --upgrade."""
    (command,) = re.findall(r"(?m)^# +(uv pip compile .*)$", CONSTRAINTS)
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert f".venv/bin/{command} --upgrade --quiet\n" in contributing


def test_our_warnings_fail_a_test_and_a_third_partys_do_not(tmp_path: pathlib.Path) -> None:
    """The filters of pyproject.toml, on a planted module whose tests are named by what they do."""
    planted = tmp_path / "test_planted.py"
    planted.write_text(PLANTED, encoding="utf-8")
    options = ("-c", ROOT / "pyproject.toml", "--rootdir", tmp_path, "-p", "no:cacheprovider")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-rA", "-q", planted],
        capture_output=True,
        text=True,
        check=False,
    )
    results = {
        name: result
        for result, name in re.findall(r"(?m)^(FAILED|PASSED) \S+::(test_\w+)", done.stdout)
    }
    assert results == {
        name: "FAILED" if name.startswith("test_fails_") else "PASSED"
        for name in re.findall(r"def (test_\w+)", PLANTED)
    }, done.stdout + done.stderr


def test_the_gate_runs_what_is_exhaustive() -> None:
    """The configuration leaves it out, and the gate's own option takes the place of that."""
    options = PYPROJECT["tool"]["pytest"]["ini_options"]["addopts"]
    assert ("-m", "not exhaustive") in itertools.pairwise(options)
    assert '"-m", "",' in (ROOT / ".ci/gate.py").read_text(encoding="utf-8")
