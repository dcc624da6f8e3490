"""The gate: ``.ci/run``, ``.ci/run --only lint --only types``, ``.ci/run --list``.

It judges what is committed, on clean checkouts of its own. It needs python3 with venv and pip, and
the way to PyPI; it installs what else it needs. A step that fails stops those that need it and no
others. The summary at the end says what ran, what did not and why, and how long each took.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import traceback
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
THIS = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
#: The one that is installed as where there is no C compiler.
WITHOUT_COMPILER = "3.12"
#: What runs on every Python; the rest runs on this one.
CORE_AND_DOORS = (
    "tests/core",
    "tests/builtin_rules",
    "tests/formats",
    "tests/fuzz",
    "tests/test_sanitizer.py",
    "tests/test_policy.py",
    "tests/test_scoped.py",
    "tests/test_limits.py",
    "tests/test_bounds.py",
    "tests/test_recorded.py",
    "tests/test_jsontestsuite.py",
    "tests/cli",
    "tests/http",
    "tests/patches/test_process.py",
    "tests/patches/test_clients.py",
)
#: What a release of another library may break.
STANDS_ON_OTHERS = (
    "tests/integrations",
    "tests/builtin_rules/test_presets_installed.py",
    "tests/http/test_doors.py",
    "tests/test_httpx2.py",
    "tests/patches/test_process.py",
    "tests/builtin_rules/test_schema_update.py",
    "tests/integrations/test_sdks.py",
    "tests/patches/test_clients.py",
    "tests/http/test_wire.py",
)
WATCHED = ("anthropic", "httpx2", "litellm", "openai", "pydantic", "sentry-sdk")
#: CI kills what runs for 90 minutes, and a summary with it.
ENDS_WITHIN = 80 * 60  # seconds
#: The newest releases are not tried when the rest took this long.
LATEST_START_OF_NEWEST = 70 * 60  # seconds
#: Sources of the compiled module, and what an editable install leaves in the checkout.
NOT_SHIPPED = {".c", ".h", ".so", ".pyc"}


class StepFailed(Exception):  # noqa: N818  # what happened, not a mistake in this file
    """A step failed; the message is for the summary."""


class StepSkipped(Exception):  # noqa: N818
    """A step cannot run here, which is no failure; the message says why."""


@dataclass(slots=True)
class Gate:
    """What the steps share.

    Args:
        work: A folder that goes away at the end.
        start: When the gate began, on the monotonic clock, as is `deadline`.
        deadline: When the step that runs is ended.
        notes: What the summary says of the step that runs.
        passed: How many tests passed, in all suites.
        failed: The tests that failed, by suite.
        skipped: How many each suite skipped, and why.
        newest: What the last lines say of the newest releases.
    """

    work: Path
    start: float
    deadline: float = 0.0
    notes: list[str] = field(default_factory=list)
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    newest: list[str] = field(default_factory=list)

    @property
    def clone(self) -> Path:
        """The checkout that has the environment of CONTRIBUTING.md."""
        return self.work / "clone"

    @property
    def readme(self) -> Path:
        """The checkout in which the README's commands run."""
        return self.work / "readme"

    def tool(self, name: str) -> Path:
        """Return the path of a command of the environment."""
        return self.clone / ".venv" / "bin" / name


# Processes


def attempt(
    gate: Gate, *command: str | Path, cwd: Path | None = None, pip_cache: Path | None = None
) -> tuple[int, str]:
    """Run a command, print what it prints, and return its exit code and that.

    It has until the deadline of the step; then it is killed, with all that it started.
    """
    shown = " ".join(map(str, command))
    print(f"$ {shown}", flush=True)
    environment = {**os.environ, **({"PIP_CACHE_DIR": str(pip_cache)} if pip_cache else {})}
    # So that one process imports what another has compiled.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    lines = []
    with subprocess.Popen(
        command,
        cwd=cwd or gate.clone,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        late = threading.Timer(
            gate.deadline - time.monotonic(), os.killpg, (process.pid, signal.SIGKILL)
        )
        late.start()
        try:
            for line in process.stdout or ():
                print(line, end="", flush=True)
                lines.append(line)
            process.wait()
        finally:
            late.cancel()
            if process.poll() is None:  # the gate itself is ended
                os.killpg(process.pid, signal.SIGKILL)
    if time.monotonic() > gate.deadline:
        raise StepFailed(f"did not end in time: {shown}")
    return process.returncode, "".join(lines)


def run(gate: Gate, *command: str | Path, cwd: Path | None = None) -> str:
    """Run a command that has to succeed; return what it prints."""
    code, output = attempt(gate, *command, cwd=cwd)
    if code:
        raise StepFailed(f"exit code {code}: {' '.join(map(str, command))}")
    return output


def command_of(document: Path, word: str = "") -> str:
    """Return the one command of a document that makes .venv and has this word in it."""
    lines = document.read_text(encoding="utf-8").splitlines()
    found = [each for each in lines if each.startswith("python3 -m venv .venv && ")]
    found = [each for each in found if word in each]
    if len(found) != 1:
        raise StepFailed(f"{document.name} has {len(found)} commands with {word!r}")
    return found[0]


# Suites


def recorded_skips(suite: str) -> Counter[str] | None:
    """Return what tests/skips.txt has of a suite: each reason, and how often it comes."""
    found: Counter[str] | None = None
    for line in (ROOT / "tests/skips.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            if found is not None:
                break
            if line == f"[{suite}]":
                found = Counter()
        elif found is not None and line and not line.startswith("#"):
            count, _, reason = line.partition(" ")
            found[reason] = int(count)
    return found


def broken_tests(output: str) -> list[str]:
    """Return the names of the tests that pytest says have failed."""
    return re.findall(r"(?m)^(?:FAILED|ERROR) (\S+?(?:\[.*\])?)(?: - .*)?$", output)


def judge(gate: Gate, suite: str, code: int, output: str) -> None:
    """Count what pytest says, and fail where a test failed or more are skipped than before."""
    gate.passed += sum(map(int, re.findall(r"(?m)\b(\d+) passed\b.* in [\d.]+s", output)))
    broken = broken_tests(output)
    gate.failed += [f"{suite}: {each}" for each in broken]
    skipped: Counter[str] = Counter()
    for count, reason in re.findall(r"(?m)^SKIPPED \[(\d+)\] \S+: (.*)$", output):
        skipped[reason.strip()] += int(count)
    table = [f"{count} {reason}" for reason, count in sorted(skipped.items())]
    gate.skipped += [f"{suite}: {sum(skipped.values())}", *(f"  {each}" for each in table)]
    if code or broken:
        raise StepFailed(f"{suite}: {len(broken)} failed, exit code {code}")
    before = recorded_skips(suite)
    if before is None:
        gate.notes.append(f"tests/skips.txt does not say what {suite} skips")
    elif more := skipped - before:
        print("\nIf these may skip, tests/skips.txt has to say:", f"[{suite}]", *table, sep="\n")
        raise StepFailed(f"{suite}: more skip than tests/skips.txt says: {dict(more)}")
    elif fewer := before - skipped:
        gate.notes.append(f"{suite}: fewer skip than tests/skips.txt says: {dict(fewer)}")


# Steps; what the summary says of one, besides that it ran, it notes


def checkout(gate: Gate) -> None:
    """Clone what is committed, twice: for the README's commands, and for the rest."""
    for folder in (gate.clone, gate.readme):
        if (ROOT / ".git").exists():
            run(gate, "git", "clone", "--quiet", ROOT, folder, cwd=ROOT)
        else:
            shutil.copytree(ROOT, folder)


def system(gate: Gate) -> None:
    """Install by apt what a bare machine lacks: a C compiler, Python's headers, venv."""
    lacks = []
    if not shutil.which("gcc"):
        lacks += ["gcc", "libc6-dev"]
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        lacks.append("python3-dev")
    if not find_spec("ensurepip"):
        lacks.append("python3-venv")
    if lacks and not shutil.which("apt-get"):
        raise StepSkipped(f"{', '.join(lacks)} are not here, and neither is apt-get")
    if lacks:
        run(gate, "apt-get", "update", "--quiet")
        run(gate, "apt-get", "install", "--quiet", "--yes", "--no-install-recommends", *lacks)
    gate.notes.append(f"installed {', '.join(lacks)}" if lacks else "nothing was missing")


def environment(gate: Gate) -> None:
    """Make the environment of CONTRIBUTING.md, word for word."""
    run(gate, "bash", "-c", command_of(gate.clone / "CONTRIBUTING.md"))


def lint(gate: Gate) -> None:
    """Run ruff, as a linter and as a formatter."""
    run(gate, gate.tool("ruff"), "check", ".")
    run(gate, gate.tool("ruff"), "format", "--check", ".")


def types(gate: Gate) -> None:
    """Run mypy on the package, and basedpyright on what its users see."""
    run(gate, gate.tool("mypy"))
    run(gate, gate.tool("basedpyright"), "--pythonpath", gate.tool("python"))


def docs(gate: Gate) -> None:
    """Build the documentation; a warning, a link or an anchor that leads nowhere fails it."""
    folder = gate.clone / "docs"
    said = run(gate, gate.tool("zensical"), "build", "--strict", "--clean", cwd=folder)
    # It shows a page without a name of the reference that it does not find, and no issue.
    if missing := re.findall(r"mkdocstrings: .*", said):
        raise StepFailed("; ".join(missing))
    pages = {each.relative_to(folder).with_suffix("") for each in folder.rglob("*.md")}
    built = {each.parent.relative_to(folder / "site") for each in folder.rglob("index.html")}
    if missing := [str(each) for each in pages - built if each.name != "index"]:
        raise StepFailed(f"not built: {', '.join(missing)}")
    gate.notes.append(f"{len(pages)} pages")


#: Run with the implementation that has to judge, ``compiled`` or ``pure``.
ALONE = """
import importlib.metadata, sys, body_guard
assert importlib.metadata.version("body-guard") == body_guard.__version__
assert body_guard.coverage().passes.startswith(sys.argv[1]), body_guard.coverage().passes
assert body_guard.sanitize_bytes(b'{"a":1,"_sentry_x":{}}')[0] == b'{"a":1}'
client = body_guard.GuardedClient()
assert client.build_request("POST", "http://x", json={"_sentry_x": 1}).content == b"{}"
"""


def use_alone(gate: Gate, path: Path, passes: str) -> Path:
    """Install a wheel without any extra, see that it works, and return its environment."""
    alone = gate.work / f"alone-{passes}"
    run(gate, "python3", "-m", "venv", alone)
    run(gate, alone / "bin/pip", "install", "--quiet", "-c", "tests/constraints.txt", path)
    run(gate, alone / "bin/python", "-c", ALONE, passes, cwd=gate.work)
    return alone


def wheel(gate: Gate) -> None:
    """Build sdist and wheels, look for every file in one, and use both without any extra."""
    built, pure = gate.work / "dist", gate.work / "pure"
    build = (gate.tool("python"), "-m", "build", "--outdir")
    run(gate, *build, built, ".")
    (sdist,), (path,) = built.glob("*.tar.gz"), built.glob("*.whl")
    run(gate, "env", "CC=/bin/false", *build, pure, "--wheel", ".")
    (plain,) = pure.glob("*.whl")
    run(gate, gate.tool("twine"), "check", "--strict", sdist, path, plain)
    if any(each.endswith(".so") for each in zipfile.ZipFile(plain).namelist()):
        raise StepFailed("the wheel that was built without a compiler has a compiled module")
    within = set(zipfile.ZipFile(path).namelist())
    files = [each for each in (gate.clone / "body_guard").rglob("*") if each.is_file()]
    wanted = {str(each.relative_to(gate.clone)) for each in files if each.suffix not in NOT_SHIPPED}
    if missing := wanted - within:
        raise StepFailed(f"not in the wheel: {', '.join(sorted(missing))}")
    alone = use_alone(gate, plain, "pure")
    code, said = attempt(gate, alone / "bin/body-guard", "demo", cwd=gate.work)
    if code == 0 or "pip install" not in said:
        raise StepFailed("body-guard without its extra did not say what to install")
    if not shutil.which("gcc"):
        gate.notes.append("no compiled wheel: gcc is not here")
        return
    if not any(each.endswith(".so") for each in within):
        raise StepFailed("the wheel has no compiled module")
    use_alone(gate, path, "compiled")


def readme_command(gate: Gate, word: str) -> tuple[int, str]:
    """Run a command of the README, word for word, and note how long it took and with what cache."""
    command = command_of(gate.readme / "README.md", word)
    cache = gate.work / "pip-cache"
    state = "warm" if cache.exists() else "cold"
    shutil.rmtree(gate.readme / ".venv", ignore_errors=True)
    start = time.monotonic()
    result = attempt(gate, "bash", "-c", command, cwd=gate.readme, pip_cache=cache)
    gate.notes.append(f"{time.monotonic() - start:.0f} s with a {state} pip cache")
    return result


def demo(gate: Gate) -> None:
    """Run the README's first command, the demo, with an empty pip cache."""
    code, _ = readme_command(gate, "body-guard demo")
    if code:
        raise StepFailed(f"exit code {code}")


def tests(gate: Gate) -> None:
    """Run the README's second command, the tests, and see that it installs what is pinned."""
    judge(gate, f"tests, Python {THIS}", *readme_command(gate, "/pytest"))
    pins = (gate.readme / "tests/constraints.txt").read_text(encoding="utf-8")
    pinned = {line.partition(" ")[0] for line in pins.splitlines()}
    listed = run(gate, gate.readme / ".venv/bin/pip", "list", "--format=freeze")
    for name, version in re.findall(r"(?m)^(\S+)==(\S+)$", listed):
        pin = f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}"
        if pin not in pinned and name not in ("body-guard", "pip", "setuptools"):
            raise StepFailed(f"{pin} was installed, and is not pinned")


def coverage(gate: Gate) -> None:
    """Run the whole suite on this Python, what is exhaustive included, with branch coverage."""
    tool = gate.tool("coverage")
    options = ("-q", "-n", "2", "-m", "", "-p", "no:cacheprovider")
    code, output = attempt(gate, tool, "run", "-m", "pytest", *options)
    judge(gate, f"all tests, Python {THIS}", code, output)
    run(gate, tool, "combine", "--quiet")
    run(gate, tool, "report")


def interpreter(version: str) -> str | None:
    """Find a Python by its own path: a pyenv shim says yes to versions that it refuses to run."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    found = [*map(str, versions.glob(f"{version}.*/bin/python")), shutil.which(f"python{version}")]
    tell = "import sys; print('%d.%d' % sys.version_info[:2])"
    for python in filter(None, found):
        done = subprocess.run([python, "-c", tell], capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:
            return python
    return None


def pythons(gate: Gate) -> None:
    """Run core and doors on the other Pythons of this machine."""
    problems = []
    uv = gate.tool("uv")
    for version in (each for each in PYTHONS if each != THIS):
        found = interpreter(version)
        if found is None:
            gate.notes.append(f"{version} is not on this machine")
            continue
        venv = gate.work / f"python{version}"
        python = venv / "bin/python"
        run(gate, uv, "venv", "--quiet", "--python", found, venv)
        install = (uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python)
        wanted = "pure" if version == WITHOUT_COMPILER else "compiled"
        compiler = ("env", "CC=/bin/false") if wanted == "pure" else ()
        run(gate, *compiler, *install, "-c", "tests/constraints.txt", "-e", ".[test]")
        passes = run(gate, python, "-c", "import body_guard; print(body_guard.coverage().passes)")
        if not passes.startswith(wanted):
            problems.append(f"Python {version}: bodies are judged by {passes.strip()}")
        command = (venv / "bin/pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *CORE_AND_DOORS)
        try:
            judge(gate, f"core and doors, Python {version}", *attempt(gate, *command))
        except StepFailed as error:
            problems.append(str(error))
    if problems:
        raise StepFailed("; ".join(problems))


def sanitizers(gate: Gate) -> None:
    """Run the tests of the compiled pass on a build that sees faults of memory."""
    if not shutil.which("gcc"):
        raise StepSkipped("gcc is not here")
    run(gate, gate.clone / ".ci" / "asan", gate.tool("python"))


def cells(gate: Gate) -> None:
    """Run the matrix of other releases, each cell with its whole tree pinned."""
    command = (gate.tool("python"), "tests/matrix/cells.py", gate.work / "cells")
    code, output = attempt(gate, *command)
    said = re.split(r"(?m)^== (\S+), done after .*$", output)[1:]
    problems = []
    for name, text in zip(said[::2], said[1::2], strict=True):
        try:
            judge(gate, f"cell {name}", 0, text)
        except StepFailed as error:
            problems.append(str(error))
    if code or problems:
        raise StepFailed("; ".join(problems) or f"exit code {code}")


def benchmarks(gate: Gate) -> None:
    """See that every benchmark runs; the figures of this step say nothing."""
    python, cost = gate.tool("python"), gate.work / "cost.json"
    run(gate, python, "-m", "benchmarks", "--quick", "--json", cost)
    run(gate, python, "-m", "benchmarks.plot", cost, "--out", gate.work / "cost")
    for name in ("end_to_end", "growth", "import_time", "litellm_path", "peers", "shared"):
        run(gate, python, "-m", f"benchmarks.{name}", "--quick")
    run(gate, python, "-m", "benchmarks.presets", "--rounds", "1")


def newest(gate: Gate) -> None:
    """Run what stands on other libraries with their newest releases; it fails nothing, loudly."""
    gate.newest = ["newest: did not come to an end"]
    if time.monotonic() - gate.start > LATEST_START_OF_NEWEST:
        gate.newest = ["newest: not run, since the steps before it took too long"]
        raise StepSkipped("the steps before it took too long")
    python, uv = gate.work / "newest" / "bin" / "python", gate.tool("uv")
    run(gate, uv, "venv", "--quiet", python.parents[1])
    install = (uv, "pip", "install", "--compile-bytecode", "--upgrade", "--python", python)
    code, said = attempt(gate, *install, "-e", ".[test]")
    if code:
        gate.newest = ["newest: could not be installed:", *said.splitlines()[-5:]]
        raise StepFailed("could not be installed")
    pins = (gate.clone / "tests/constraints.txt").read_text(encoding="utf-8")
    listed = run(gate, uv, "pip", "list", "--format=freeze", "--python", python)
    for name, version in re.findall(r"(?m)^(\S+)==(\S+)$", listed):
        if name in WATCHED:
            pinned = re.findall(rf"(?m)^{name}==(\S+)", pins)
            moved = "" if version in pinned else f" (pinned: {', '.join(pinned)})"
            gate.notes.append(f"{name} {version}{moved}")
    command = (python.with_name("pytest"), "-q", "-n", "2", "-p", "no:cacheprovider")
    code, said = attempt(gate, *command, *STANDS_ON_OTHERS)
    broken = broken_tests(said)
    ended = "" if code == bool(broken) else f", and pytest ended with exit code {code}"
    gate.newest = [f"newest: {len(broken)} failed{ended}", *(f"  {each}" for each in broken)]
    if code:
        raise StepFailed(f"{len(broken)} failed{ended}")


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the gate.

    Args:
        action: What it does; the first line of its docstring is what ``--list`` says.
        minutes: After so many it is ended, and has failed.
        needs: Steps without which it cannot run.
        may_fail: Whether the gate passes all the same.
    """

    action: Callable[[Gate], None]
    minutes: float
    needs: tuple[str, ...] = ("environment",)
    may_fail: bool = False


STEPS = {
    "checkout": Step(checkout, 2, ()),
    "system": Step(system, 5, ("checkout",)),
    "environment": Step(environment, 15, ("checkout",)),
    "lint": Step(lint, 3),
    "types": Step(types, 5),
    "docs": Step(docs, 3),
    "wheel": Step(wheel, 5),
    "demo": Step(demo, 10, ("checkout",)),
    "tests": Step(tests, 20, ("checkout",)),
    "coverage": Step(coverage, 25),
    "pythons": Step(pythons, 25),
    "sanitizers": Step(sanitizers, 8),
    "cells": Step(cells, 25),
    "benchmarks": Step(benchmarks, 8),
    "newest": Step(newest, 10, may_fail=True),
}


def with_needs(names: list[str]) -> set[str]:
    """Return the names of steps, and of those that they need."""
    needed = {each for name in names for each in STEPS[name].needs}
    return {*names, *(with_needs(sorted(needed)) if needed else ())}


def take(gate: Gate, name: str, results: dict[str, str]) -> str:
    """Run a step and note why it did not; return ``ran``, ``failed`` or ``skipped``."""
    step = STEPS[name]
    gate.notes = []
    if broken := [each for each in step.needs if results[each] != "ran"]:
        gate.notes = [f"needs {', '.join(broken)}"]
        return "failed"
    gate.deadline = min(time.monotonic() + step.minutes * 60, gate.start + ENDS_WITHIN)
    try:
        step.action(gate)
    except StepSkipped as error:
        gate.notes.append(str(error))
        return "skipped"
    except StepFailed as error:
        gate.notes.append(str(error))
        return "failed"
    except Exception as error:  # a mistake in this file costs its step, not the summary
        traceback.print_exc()
        gate.notes.append(repr(error))
        return "failed"
    return "ran"


def main() -> int:
    """Run the steps asked for, all by default; return 1 if one failed that may not."""
    parser = argparse.ArgumentParser(prog=".ci/run", description="Judge what is committed.")
    parser.add_argument("--only", action="append", choices=STEPS, help="a step, and what it needs")
    parser.add_argument("--list", action="store_true", help="list the steps")
    asked = parser.parse_args()
    if asked.list:
        for name, step in STEPS.items():
            print(f"{name:12} {(step.action.__doc__ or '').splitlines()[0]}")
        return 0
    chosen = with_needs(asked.only or [*STEPS])
    results: dict[str, str] = {}
    summary = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work:
        gate = Gate(Path(work), time.monotonic())
        for name in (each for each in STEPS if each in chosen):
            print(f"\n== {name}", flush=True)
            start = time.monotonic()
            results[name] = take(gate, name, results)
            seconds = f"{time.monotonic() - start:.0f} s"
            summary.append(f"{name:12} {results[name]:8} {seconds:>7}  {'; '.join(gate.notes)}")
    print("\n== skipped tests", *gate.skipped, sep="\n")
    print("\n== failed tests", *gate.failed, sep="\n")
    print("\n== summary", *summary, sep="\n")
    print(f"all in {(time.monotonic() - gate.start) / 60:.0f} minutes")
    print(*gate.newest, sep="\n")
    print(f"{gate.passed} passed, {len(gate.failed)} failed", flush=True)
    return int(any(results[name] == "failed" for name in results if not STEPS[name].may_fail))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what it started ends with it
    sys.exit(main())
