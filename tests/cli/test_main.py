from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import body_guard
from body_guard.cli import main

ROOT = Path(body_guard.__file__).parents[1]

#: What an interpreter runs in which some modules are not installed.
WITHOUT = """
import sys
for module in {missing!r}:
    sys.modules[module] = None
sys.argv = {argv!r}
from body_guard.cli import main
main()
"""


def run_without(missing: tuple[str, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
    code = WITHOUT.format(missing=missing, argv=["body-guard", *arguments])
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )


@pytest.mark.parametrize(
    ("missing", "arguments", "named", "extra"),
    [
        pytest.param(("click",), ("demo",), "click", "demo", id="click"),
        pytest.param(("rich",), ("demo",), "rich", "demo", id="rich"),
        pytest.param(("rich",), ("doctor",), "rich", "cli", id="rich for the doctor"),
        pytest.param(("click", "rich"), (), "click and rich", "cli", id="click and rich"),
        pytest.param(("litellm",), ("demo",), "litellm", "demo", id="litellm"),
        pytest.param(("sentry_sdk",), ("demo",), "sentry_sdk", "demo", id="sentry_sdk"),
        pytest.param(
            ("litellm", "sentry_sdk"),
            ("demo",),
            "litellm and sentry_sdk",
            "demo",
            id="both libraries",
        ),
    ],
)
def test_what_is_missing_is_named(
    missing: tuple[str, ...], arguments: tuple[str, ...], named: str, extra: str
) -> None:
    """Without an extra a command says in one line which one it needs, and exits with 2."""
    done = run_without(missing, *arguments)
    assert done.stderr == f"body-guard needs {named}: pip install 'body-guard[{extra}]'\n"
    assert done.stdout == ""
    assert done.returncode == 2


def test_help_needs_no_library() -> None:
    """The help of the group works without litellm and sentry_sdk."""
    done = run_without(("litellm", "sentry_sdk"), "--help")
    assert done.returncode == 0
    assert done.stderr == ""
    assert "demo" in done.stdout


def test_missing_module_in_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same from within a process: SystemExit(2), and the sentence on stderr."""
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setattr(sys, "argv", ["body-guard"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "body-guard needs rich: pip install 'body-guard[cli]'\n"


def test_main_is_called_body_guard(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command calls itself by the name of its console script."""
    monkeypatch.setattr(sys, "argv", ["anything", "--help"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith("Usage: body-guard ")


def test_as_a_module() -> None:
    """``python -m body_guard`` is the command, by its name."""
    done = subprocess.run(
        [sys.executable, "-m", "body_guard", "--help"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert done.stdout.startswith("Usage: body-guard ")


@pytest.mark.parametrize("command", ["scan", "fields"])
def test_scan_and_fields_need_their_extra(command: str) -> None:
    """What is missing is named, with the extra that brings it."""
    done = run_without(("ijson", "yaml"), command, "x")
    assert done.stderr == "body-guard needs ijson and yaml: pip install 'body-guard[scan]'\n"
    assert done.returncode == 2
