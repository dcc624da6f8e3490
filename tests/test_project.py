"""The project's own set-up: which warnings fail a test."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]

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
