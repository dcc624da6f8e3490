from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import body_guard
from body_guard.cli import main
from body_guard.cli.commands import group
from body_guard.cli.presets import presets

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


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, arguments, prog_name="body-guard")


def test_version() -> None:
    """That of the package."""
    done = run("--version")
    assert (done.exit_code, done.output) == (0, f"body-guard {body_guard.__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("scna",), "Error: No such command 'scna'"),
        (
            ("policy", "check"),
            "Error: Missing argument 'FILE'. See body-guard policy check --help.",
        ),
        (("presets", "--nmae"), "Error: No such option"),
        (("presets", "none"), "Error: There is no preset 'none'"),
        (
            ("presets", "--format", "xml"),
            "Error: Invalid value for '--format': 'xml' is not one of",
        ),
        (("policy", "explain", "none.toml", "/a"), "Error: none.toml: cannot be read"),
    ],
)
def test_an_error_takes_one_line(arguments: tuple[str, ...], line: str) -> None:
    """It says what is wrong, and what to do."""
    done = run(*arguments)
    assert done.exit_code in (1, 2)
    assert done.stdout == ""
    (written,) = done.stderr.splitlines()
    assert written.startswith(line)


@pytest.mark.parametrize("arguments", [(), ("policy",)], ids=["none", "a group"])
def test_no_command_shows_the_help(arguments: tuple[str, ...]) -> None:
    """Of the group."""
    assert "Commands:" in run(*arguments).output


def test_within_another_program() -> None:
    """Errors are raised there, as click raises them."""
    with pytest.raises(click.UsageError):
        group.main(["presets", "none"], standalone_mode=False)


def test_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends it, in one line."""

    def interrupted(**members: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(presets.callback.__globals__, "print_json", interrupted)
    done = run("presets", "--format", "json")
    assert (done.exit_code, done.stderr.strip()) == (1, "Aborted.")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    """The line that the documentation says to put into the shell's configuration."""
    environment = {"_BODY_GUARD_COMPLETE": f"{shell}_source"}
    done = CliRunner().invoke(group, [], prog_name="body-guard", env=environment)
    assert "_BODY_GUARD_COMPLETE" in done.output
    assert done.exit_code == 0


def test_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal is shown dim text, but no colour where NO_COLOR is set."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    shown = run("presets", "sentry").output
    assert "\x1b[2m" in shown
    assert not re.search(r"\x1b\[[0-9;]*[349][0-9]", shown)
