"""body-guard run: a program that one cannot edit, guarded."""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import body_guard
from body_guard.cli.commands import group
from body_guard.cli.guarding import Options, make_environment, start
from body_guard.cli.provider import Provider, provider
from body_guard.http.departures import OBSERVERS
from body_guard.integrations.process_wide import unwatch

#: A program, and one that starts it as a child.
PROGRAM = """
import sys
import httpx
httpx.post(sys.argv[1], json={"_sentry_x": "secret", "a": 1})
"""
PARENT = """
import subprocess, sys
subprocess.run([sys.executable, "program.py", sys.argv[1]], check=True)
"""
STARTUP = str(Path(body_guard.__file__).parent / "cli/startup")


@pytest.fixture
def server() -> Iterator[Provider]:
    with provider() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "parent.py").write_text(PARENT)
    return tmp_path


def body_guard_run(
    folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    root = str(Path(body_guard.__file__).parents[1])
    paths = os.pathsep.join(filter(None, [environment.pop("PYTHONPATH", ""), root]))
    return subprocess.run(
        [sys.executable, "-m", "body_guard", "run", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, **environment},
        timeout=60,
    )


@pytest.mark.parametrize("program", ["program.py", "parent.py"])
def test_a_program_and_its_children_are_guarded(
    program: str, folder: Path, server: Provider
) -> None:
    """And recorded, in one file."""
    done = body_guard_run(
        folder, "--record", "out.jsonl", "--", sys.executable, program, server.url
    )
    assert done.returncode == 0, done.stderr
    assert [received.body for received in server.received] == [b'{"a":1}']
    (line,) = map(json.loads, (folder / "out.jsonl").read_text().splitlines())
    assert (line["body"], line["changed"]) == ({"a": "int"}, True)
    assert done.stderr.startswith("body_guard: removed /_sentry_x in a body for ")
    assert done.stderr.count("\n") == 1


def test_an_audit_changes_nothing(folder: Path, server: Provider) -> None:
    """It records what left."""
    arguments = ("--audit", "--record", "out.jsonl", sys.executable, "program.py", server.url)
    done = body_guard_run(folder, *arguments)
    assert done.returncode == 0, done.stderr
    assert b"_sentry_x" in server.received[0].body
    (line,) = map(json.loads, (folder / "out.jsonl").read_text().splitlines())
    assert (line["body"], line["changed"]) == ({"_sentry_x": "str(6)", "a": "int"}, False)
    assert [found["rule"] for found in line["findings"]] == ["sentry"]
    assert "would have removed /_sentry_x" in done.stderr
    assert "secret" not in done.stderr


def test_a_policy_file_and_other_libraries(folder: Path, server: Provider) -> None:
    """The file is found wherever the program goes."""
    (folder / "policy.toml").write_text('[[rules]]\nname = "ours"\nkeys = ["a"]\n')
    (folder / "other.py").write_text(
        "import os, sys\nos.chdir('/')\nimport requests\n"
        "requests.post(sys.argv[1], json={'a': 1, 'b': 2})\n"
    )
    options = ("--policy", "policy.toml", "--libraries", "all")
    done = body_guard_run(folder, *options, "--", sys.executable, "other.py", server.url)
    assert done.returncode == 0, done.stderr
    assert [received.body for received in server.received] == [b'{"b": 2}']


def test_a_sitecustomize_of_ones_own_is_imported(folder: Path) -> None:
    """The next on the path, as without this."""
    (folder / "site").mkdir()
    (folder / "site/sitecustomize.py").write_text("print('mine')\n")
    code = "import sitecustomize, body_guard; print(sitecustomize.__file__, len(body_guard.coverage().doors) > 1)"
    done = body_guard_run(folder, sys.executable, "-c", code, PYTHONPATH=str(folder / "site"))
    # Twice, since it stood on the path of the command, too.
    assert done.stderr == ""
    assert done.stdout == f"mine\nmine\n{folder}/site/sitecustomize.py True\n", done.stderr


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import sys; sys.exit(7)", 7),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    ],
    ids=["exit code", "signal"],
)
def test_the_end_is_the_commands_own(code: str, expected: int, folder: Path) -> None:
    """It takes the place of the process."""
    assert body_guard_run(folder, "--", sys.executable, "-c", code).returncode == expected


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("missing-command",), 127, "Error: missing-command: there is no such command"),
        (("./program.py",), 126, "Error: ./program.py: it cannot be run: Permission denied."),
        ((), 2, "Error: Missing argument 'COMMAND...'"),
        (("--policy", "no.toml", "true"), 2, "no.toml"),
        (("--record", "no/file", "true"), 2, "Error: --record no/file: No such file or directory"),
        (("--libraries", "htpx", "true"), 2, "Error: Invalid value for '--libraries'"),
    ],
    ids=["no command", "no program", "nothing", "no policy", "no record", "no library"],
)
def test_what_is_wrong_is_said_in_a_line(
    arguments: tuple[str, ...],
    code: int,
    message: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before anything runs."""
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(group, ["run", *arguments])
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_what_is_run(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """The command as it stands, options of its own included, in an environment that says all."""
    ran: list[Any] = []

    def execvpe(*given: Any) -> None:
        ran.append(given)
        raise SystemExit(0)

    monkeypatch.setattr(os, "execvpe", execvpe)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", "/mine")
    (folder / "policy.toml").write_text("")
    options = ["--libraries", "requests", "--policy", "policy.toml", "--record", "out.jsonl"]
    result = CliRunner().invoke(group, ["run", *options, "app", "--audit", "--", "x"])
    assert result.exit_code == 0
    ((name, command, environment),) = ran
    assert (name, command) == ("app", ("app", "--audit", "--", "x"))
    assert environment["PYTHONPATH"] == f"{STARTUP}{os.pathsep}/mine"
    assert environment["BODY_GUARD_POLICY"] == str(folder / "policy.toml")
    assert json.loads(environment["BODY_GUARD_RUN"]) == {
        "audit": False,
        "libraries": ["requests"],
        "record": str(folder / "out.jsonl"),
    }


def test_a_process_does_what_its_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process: guarded by an audit, and recorded."""
    options = Options(True, ("all",), str(tmp_path / "out.jsonl"))
    environment = make_environment({}, options, "")
    assert environment["PYTHONPATH"] == STARTUP
    start(environment)
    try:
        hooked = {
            door.name.partition(".")[0] for door in body_guard.coverage().doors if door.hooked
        }
        assert {"httpx", "requests"} <= hooked
        assert len(OBSERVERS) == 1
    finally:
        OBSERVERS.clear()
        unwatch()
    start(make_environment({}, Options(), ""))
    assert not OBSERVERS


def test_a_process_that_cannot_be_guarded_does_not_run(folder: Path, server: Provider) -> None:
    """It says why; a program that was to be guarded sends nothing without."""
    environment = make_environment(os.environ, Options(), "")
    done = subprocess.run(
        [sys.executable, "program.py", server.url],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**environment, "BODY_GUARD_POLICY": "missing.toml"},
    )
    assert done.returncode == 1
    assert (
        f"body-guard run: {sys.executable} was not guarded and has not run: PolicyError: "
        in done.stderr
    )
    assert not server.received


class _ExitError(Exception):
    """In the place of the end of the process."""


def run_startup() -> None:
    runpy.run_path(f"{STARTUP}/sitecustomize.py")


def test_the_start_in_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All its ways: guarded, with and without another sitecustomize, a broken one, and a failure."""

    def leave(code: int) -> None:
        raise _ExitError(code)

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(sys, "path", [STARTUP, str(tmp_path), *sys.path])
    monkeypatch.setitem(sys.modules, "sitecustomize", sys)
    monkeypatch.delenv("BODY_GUARD_RUN", raising=False)
    with pytest.raises(_ExitError):
        run_startup()
    assert "was not guarded and has not run: KeyError: 'BODY_GUARD_RUN'" in capsys.readouterr().err
    assert STARTUP not in sys.path
    monkeypatch.setenv("BODY_GUARD_RUN", make_environment({}, Options(), "")["BODY_GUARD_RUN"])
    run_startup()
    assert len(body_guard.coverage().doors) > 1
    (tmp_path / "sitecustomize.py").write_text("import missing_module\n")
    with pytest.raises(ModuleNotFoundError, match="missing_module"):
        run_startup()
