"""The gate: what fails it, what does not, and what its last lines say."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import pytest

PATH = pathlib.Path(__file__).parents[1] / ".ci" / "gate.py"


@pytest.fixture(scope="module")
def module() -> Any:
    spec = importlib.util.spec_from_file_location("gate", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gate"] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def gate(module: Any, tmp_path: pathlib.Path) -> Any:
    for name in ("clone", "readme"):
        (tmp_path / name).mkdir()
    return module.Gate(tmp_path, time.monotonic(), deadline=time.monotonic() + 60)


def run(module: Any, monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    """Run the gate as `.ci/run` does; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["gate.py", *options])
    return int(module.main())


def fail(gate: Any) -> None:
    raise sys.modules["gate"].StepFailed("by design")


def skip(gate: Any) -> None:
    raise sys.modules["gate"].StepSkipped("not here")


def break_down(gate: Any) -> None:
    raise KeyError("a mistake in the gate")


def hang(gate: Any) -> None:
    sys.modules["gate"].attempt(gate, "sleep", "60", cwd=gate.work)


def do_nothing(gate: Any) -> None:
    gate.notes.append("done")


SAID = """
SKIPPED [3] tests/a.py:1: it is Tuesday
SKIPPED [1] tests/b.py:2: it is Tuesday
SKIPPED [2] tests/b.py:7: no compiler
4 passed, 6 skipped in 0.10s (0:00:01)
"""


def test_a_suite_that_skips_what_is_recorded_passes(
    module: Any, gate: Any, monkeypatch: Any
) -> None:
    """Its tests are counted, and its skipped ones told by reason."""
    recorded = Counter({"it is Tuesday": 4, "no compiler": 2})
    monkeypatch.setattr(module, "recorded_skips", {"suite": recorded}.get)
    module.judge(gate, "suite", 0, SAID)
    assert gate.passed == 4
    assert gate.skipped == ["suite: 6", "  4 it is Tuesday", "  2 no compiler"]
    assert gate.notes == []


def test_a_suite_that_skips_more_fails(module: Any, gate: Any, monkeypatch: Any) -> None:
    """One more for a known reason is enough, though fewer skip for another."""
    recorded = Counter({"it is Tuesday": 3, "no compiler": 9})
    monkeypatch.setattr(module, "recorded_skips", {"suite": recorded}.get)
    with pytest.raises(module.StepFailed, match="'it is Tuesday': 1"):
        module.judge(gate, "suite", 0, SAID)


def test_a_suite_that_skips_less_is_noted(module: Any, gate: Any, monkeypatch: Any) -> None:
    """So that the file is brought up to date."""
    recorded = Counter({"it is Tuesday": 4, "no compiler": 3})
    monkeypatch.setattr(module, "recorded_skips", {"suite": recorded}.get)
    module.judge(gate, "suite", 0, SAID)
    assert gate.notes == ["suite: fewer skip than tests/skips.txt says: {'no compiler': 1}"]


def test_a_suite_fails_by_its_tests_and_by_its_exit_code(module: Any, gate: Any) -> None:
    """A crash fails it too, though no test has."""
    said = "FAILED tests/a.py::test_x[1 - 2] - assert 1 == 2\n1 failed, 3 passed in 0.10s\n"
    with pytest.raises(module.StepFailed, match="suite: 1 failed"):
        module.judge(gate, "suite", 1, said)
    assert gate.failed == ["suite: tests/a.py::test_x[1 - 2]"]
    assert gate.passed == 3
    with pytest.raises(module.StepFailed, match="exit code 139"):
        module.judge(gate, "suite", 139, "")


def test_what_is_recorded_is_found_by_suite(module: Any, gate: Any, monkeypatch: Any) -> None:
    """A suite that the file does not have is told from one that skips nothing."""
    monkeypatch.setattr(module, "ROOT", gate.work)
    (gate.work / "tests").mkdir()
    text = "# what skips\n[a]\n2 it is Tuesday\n\n[b]\n[c]\n1 x\n"
    (gate.work / "tests/skips.txt").write_text(text, encoding="utf-8")
    assert module.recorded_skips("a") == {"it is Tuesday": 2}
    assert module.recorded_skips("b") == {}
    assert module.recorded_skips("d") is None


def test_a_step_that_fails_stops_those_that_need_it_alone(
    module: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 1, and the summary says of each step what became of it."""
    steps = {
        "first": module.Step(fail, 1, ()),
        "second": module.Step(do_nothing, 1, ("first",)),
        "third": module.Step(do_nothing, 1, ()),
        "fourth": module.Step(skip, 1, ()),
        "fifth": module.Step(break_down, 1, ()),
    }
    monkeypatch.setattr(module, "STEPS", steps)
    assert run(module, monkeypatch) == 1
    summary = capsys.readouterr().out.partition("== summary\n")[2].splitlines()
    assert [line.split()[:2] for line in summary[:5]] == [
        ["first", "failed"],
        ["second", "failed"],
        ["third", "ran"],
        ["fourth", "skipped"],
        ["fifth", "failed"],
    ]
    assert summary[0].endswith("by design")
    assert summary[1].endswith("needs first")
    assert summary[3].endswith("not here")
    assert summary[-1] == "0 passed, 0 failed"


def test_a_step_is_run_with_what_it_needs_and_no_more(
    module: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A skipped step fails nothing."""
    steps = {
        "first": module.Step(do_nothing, 1, ()),
        "second": module.Step(skip, 1, ("first",)),
        "third": module.Step(fail, 1, ()),
    }
    monkeypatch.setattr(module, "STEPS", steps)
    assert run(module, monkeypatch, "--only", "second") == 0
    assert "third" not in capsys.readouterr().out


def test_a_step_that_hangs_is_ended(
    module: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has failed, and its processes are gone."""
    monkeypatch.setattr(module, "STEPS", {"first": module.Step(hang, 0.01, ())})
    start = time.monotonic()
    assert run(module, monkeypatch) == 1
    assert time.monotonic() - start < 30
    assert "did not end in time: sleep 60" in capsys.readouterr().out


def test_the_gate_ends_before_it_is_killed(
    module: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A step that has more time than the gate is ended with the gate's."""
    monkeypatch.setattr(module, "ENDS_WITHIN", 0.5)
    monkeypatch.setattr(module, "STEPS", {"first": module.Step(hang, 1, ())})
    start = time.monotonic()
    assert run(module, monkeypatch) == 1
    assert time.monotonic() - start < 30
    assert "did not end in time: sleep 60" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("there", "installed"),
    [
        ({"gcc", "apt-get"}, None),
        ({"apt-get"}, "gcc libc6-dev"),
        ({"gcc"}, None),
        (set(), "not here"),
    ],
    ids=["all", "no compiler", "no apt", "neither"],
)
def test_apt_brings_what_a_machine_lacks(
    module: Any, gate: Any, there: set[str], installed: str | None, monkeypatch: Any
) -> None:
    """Where there is no apt either, the step says so, and is skipped."""
    commands: list[str] = []
    monkeypatch.setattr(module.shutil, "which", lambda name: name if name in there else None)
    monkeypatch.setattr(module, "run", lambda gate, *command: commands.append(" ".join(command)))
    monkeypatch.setattr(module.sysconfig, "get_path", lambda _: str(gate.work))
    (gate.work / "Python.h").touch()
    if installed == "not here":
        with pytest.raises(module.StepSkipped, match="gcc, libc6-dev are not here"):
            module.system(gate)
        return
    module.system(gate)
    assert bool(commands) == bool(installed)
    assert installed is None or commands[-1].endswith(f"--no-install-recommends {installed}")


def test_a_wheel_says_what_judges(module: Any) -> None:
    """What is run with a wheel alone fails where the other implementation is at work."""
    import body_guard

    passes, _, _ = body_guard.coverage().passes.partition(" ")
    for wanted in ("compiled", "pure"):
        done = subprocess.run([sys.executable, "-c", module.ALONE, wanted], check=False)
        assert (done.returncode == 0) is (wanted == passes)


def test_the_command_lists_the_steps(module: Any) -> None:
    """As a person calls it, a line each."""
    command = ["bash", str(PATH.with_name("run")), "--list"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(module.STEPS)
    assert all(line.endswith(".") for line in done.stdout.splitlines())


def test_what_the_gate_started_ends_with_it(tmp_path: pathlib.Path) -> None:
    """Its processes have sessions of their own, which no signal to the gate would reach."""
    code = f"""
import pathlib, runpy, signal, sys, time
module = runpy.run_path({str(PATH)!r})
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
gate = module["Gate"](pathlib.Path("."), 0.0, deadline=time.monotonic() + 60)
module["attempt"](gate, "bash", "-c", "echo $$; exec sleep 60", cwd=gate.work)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the command
        started = int(process.stdout.readline())
        process.terminate()
        assert process.wait(30) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(started, 0)


@pytest.mark.parametrize(
    ("said", "pages", "why"),
    [
        ("No issues found\n", ("index", "a"), None),
        ("mkdocstrings: body_guard.X could not be found\n", ("index", "a"), "body_guard.X"),
        ("No issues found\n", ("index",), "not built: a"),
    ],
    ids=["whole", "a name is missing", "a page is missing"],
)
def test_the_documentation_is_built_whole(
    module: Any, gate: Any, said: str, pages: tuple[str, ...], why: str | None, monkeypatch: Any
) -> None:
    """The generator says nothing of a page that it leaves out."""
    folder = gate.clone / "docs"
    (folder / "site").mkdir(parents=True)
    for page in ("index", "a"):
        (folder / f"{page}.md").touch()
    for page in pages:
        (folder / "site" / page.replace("index", "")).mkdir(exist_ok=True)
        (folder / "site" / page.replace("index", "") / "index.html").touch()
    monkeypatch.setattr(module, "run", lambda *_, **__: said)
    if why is None:
        module.docs(gate)
        assert gate.notes == ["2 pages"]
        return
    with pytest.raises(module.StepFailed, match=why):
        module.docs(gate)


def test_contributing_names_every_step(module: Any) -> None:
    """In the table of what each needs and checks."""
    text = (PATH.parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    _, _, table = text.partition("| step | needs | checks |\n")
    first = [row.split(" | ")[0] for row in table.partition("\n\n")[0].splitlines()[1:]]
    assert re.findall(r"`(\w+)`", "".join(first)) == list(module.STEPS)


@pytest.mark.parametrize("action", [fail, hang, break_down])
def test_the_newest_releases_fail_nothing(
    module: Any, action: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by a failure nor by a hang nor by a mistake of the gate's own."""
    assert module.STEPS["newest"].may_fail
    step = module.Step(action, 0.01, (), may_fail=True)
    monkeypatch.setattr(module, "STEPS", {"newest": step})
    assert run(module, monkeypatch) == 0


@pytest.mark.parametrize(
    ("install", "code", "said", "lines"),
    [
        (
            0,
            1,
            "FAILED tests/a.py::test_x - no\n1 failed, 8 passed in 0.10s\n",
            ["newest: 1 failed", "  tests/a.py::test_x"],
        ),
        (0, 0, "9 passed in 0.10s\n", ["newest: 0 failed"]),
        (0, -11, "..", ["newest: 0 failed, and pytest ended with exit code -11"]),
        (1, 0, "error: no solution\n", ["newest: could not be installed:", "error: no solution"]),
    ],
)
def test_the_last_lines_name_what_the_newest_releases_break(
    module: Any, gate: Any, install: int, code: int, said: str, lines: list[str], monkeypatch: Any
) -> None:
    """Or say why they were not tried."""

    def attempt(gate: Any, *command: Any, **_: Any) -> tuple[int, str]:
        if "install" in command:
            return install, said
        if "list" in command:
            return 0, "litellm==9.9\nrich==1\n"
        return (code, said) if "-n" in command else (0, "")

    (gate.clone / "tests").mkdir()
    (gate.clone / "tests/constraints.txt").write_text("litellm==1.0\n", encoding="utf-8")
    monkeypatch.setattr(module, "attempt", attempt)
    try:
        module.newest(gate)
    except module.StepFailed:
        assert lines != ["newest: 0 failed"]
    assert gate.newest == lines
    assert install or gate.notes == ["litellm 9.9 (pinned: 1.0)"]


def test_no_time_is_left_for_the_newest_releases(module: Any, gate: Any) -> None:
    """A slow machine's gate ends with its summary all the same."""
    gate.start -= module.LATEST_START_OF_NEWEST + 1
    with pytest.raises(module.StepSkipped):
        module.newest(gate)
    assert gate.newest == ["newest: not run, since the steps before it took too long"]
