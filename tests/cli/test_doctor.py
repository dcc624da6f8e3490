from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, get_args

import httpx
import litellm
import openai._base_client
import pytest
from click.testing import CliRunner, Result

import body_guard
from body_guard.cli import doctor
from body_guard.cli.commands import group
from body_guard.core import accelerator
from body_guard.integrations import litellm as integration
from body_guard.integrations import sentry
from body_guard.patches import patch

ROOT = Path(body_guard.__file__).parents[1]

ALL_HOOKED = "\nEvery door that exists is hooked.\n"
AIOHTTP = "litellm.llms.custom_httpx.aiohttp_handler"


def run(*options: str, width: int = 300) -> Result:
    options = options or ("--verbose",)
    return CliRunner().invoke(group, ["doctor", *options], env={"COLUMNS": str(width)})


def rows(result: Result) -> list[list[str]]:
    """Return the cells of each line, of which three spaces keep two apart."""
    return [
        [cell.strip() for cell in line.split("   ") if cell.strip()]
        for line in result.stdout.splitlines()
    ]


def not_hooked(result: Result) -> list[str]:
    _, _, listed = result.stdout.partition("Not hooked:\n")
    return listed.splitlines()


def test_every_door_is_shown() -> None:
    """The doors that install() hooks are rows, in order, and the exit code is 0."""
    integration.install()
    doors = integration.coverage().doors
    integration.uninstall()
    result = run()
    assert result.exit_code == 0
    assert result.stdout.endswith(ALL_HOOKED)
    assert "install() hooks here: it was called in this process" in result.stdout
    shown = [row for row in rows(result) if len(row) == 3][1:]
    short = [door for door in doors if len(door.name) <= 34]
    assert len(short) > 10
    for door in short:
        assert [door.name, "no" if door.absent else "yes", door.why] in shown
    assert [why for *_, why in shown] == [door.why for door in doors]


def test_a_long_name_takes_two_lines() -> None:
    """The last part of a name that is too long for its column stands below the rest."""
    shown = rows(run())
    first = shown.index(["BaseLLMAIOHTTPHandler.", "yes", "aiohttp_openai's bodies, as objects"])
    assert shown[first + 1] == ["_make_common_async_call"]


def test_the_process_is_left_as_it_was() -> None:
    """After the command no name is replaced, no client is watched, and no door is hooked."""
    names = [json.dumps, openai._base_client.BaseClient._build_request]
    with httpx.Client() as session:
        litellm.client_session = session
        try:
            assert run().exit_code == 0
        finally:
            litellm.client_session = None
        assert type(session) is httpx.Client
        assert session.event_hooks == {"request": [], "response": []}
    assert names == [json.dumps, openai._base_client.BaseClient._build_request]
    assert not any(door.hooked for door in integration.coverage().doors)


def test_a_guard_that_is_installed_stays() -> None:
    """In a process that is guarded, the command shows that, and keeps the guard and its policy."""
    integration.install()
    try:
        guard = integration._installation.guard
        assert run().exit_code == 0
        assert integration._installation.guard is guard
        assert all(door.hooked or door.absent for door in integration.coverage().doors)
    finally:
        integration.uninstall()


def test_an_install_that_does_nothing_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where install() hooks nothing, each door there is counts as not hooked; the exit code is 1."""
    monkeypatch.setattr(integration, "install", lambda: None)
    result = run()
    assert result.exit_code == 1
    doors = integration.coverage().doors
    assert not_hooked(result) == [door.name for door in doors if not door.absent]
    assert ALL_HOOKED not in result.stdout


def test_one_door_that_is_not_hooked_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single door that exists and is not hooked is named, and the exit code is 1."""
    install = integration.install

    def all_but_one() -> None:
        install()
        integration._installation.patches[0].restore()

    monkeypatch.setattr(integration, "install", all_but_one)
    result = run()
    assert result.exit_code == 1
    assert ["json.dumps", "no", "not installed"] in rows(result)
    assert not_hooked(result) == ["json.dumps"]


def test_a_name_that_a_release_lacks_is_no_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the installed releases do not have is shown so, and the exit code is 0."""
    monkeypatch.delattr(openai._base_client, "openapi_dumps")
    result = run()
    assert result.exit_code == 0
    absent = "this release has no such name"
    assert ["openai._base_client.openapi_dumps", "no", absent] in rows(result)


@pytest.mark.parametrize(
    ("error", "code", "named"),
    [
        pytest.param(ModuleNotFoundError, 0, [], id="absent"),
        pytest.param(
            ImportError, 1, ["BaseLLMAIOHTTPHandler._make_common_async_call"], id="broken"
        ),
    ],
)
def test_a_module_that_cannot_be_imported(
    monkeypatch: pytest.MonkeyPatch, error: type[ImportError], code: int, named: list[str]
) -> None:
    """A module that is not there is no door; one that breaks is a door that is not hooked."""
    real = patch.import_module

    def import_module(name: str) -> Any:
        if name == AIOHTTP:
            raise error(name)
        return real(name)

    monkeypatch.setattr(patch, "import_module", import_module)
    result = run()
    assert result.exit_code == code
    why = f"cannot be imported: {error.__name__}"
    assert ["BaseLLMAIOHTTPHandler.", "no", why] in rows(result)
    assert not_hooked(result) == named


def test_a_litellm_that_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where litellm cannot be imported for a reason of its own, the command says so, with 1."""

    def broken() -> Any:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(integration, "install", broken)
    monkeypatch.setattr(sentry, "status", broken)
    result = run()
    assert result.exit_code == 1
    assert ["litellm", "no", "install() raises RuntimeError"] in rows(result)
    assert ["absent", doctor._SENTRY["absent"]] in rows(result)
    assert not_hooked(result) == ["litellm"]


def test_without_litellm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where litellm is not installed there is no door and no warning, and the exit code is 0."""
    monkeypatch.setitem(sys.modules, "litellm", None)
    result = run()
    assert result.exit_code == 0
    assert ["litellm", "no", "not installed"] in rows(result)
    assert "what goes past every door" not in result.stdout
    assert "hooks here" not in result.stdout
    assert ALL_HOOKED not in result.stdout


def test_there_is_a_sentence_for_each_status() -> None:
    """Whatever status() can give is explained, and nothing else."""
    assert set(doctor._SENTRY) == set(get_args(sentry.Status))


@pytest.mark.parametrize("status", get_args(sentry.Status))
def test_the_status_of_sentry_is_explained(monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    """The state of sentry-sdk stands beside what it means; by itself it fails nothing."""
    monkeypatch.setattr(sentry, "status", lambda: status)
    result = run()
    assert result.exit_code == 0
    assert [status, doctor._SENTRY[status]] in rows(result)


def test_an_unfixed_sentry_is_told_what_to_do() -> None:
    """Who has a sentry-sdk that is not fixed reads of both ways out."""
    sentence = doctor._SENTRY["unfixed"]
    assert "call body_guard.integrations.sentry.install()" in sentence
    assert "upgrade sentry-sdk to 2.64" in sentence


def test_versions_are_shown() -> None:
    """Each distribution stands beside its version."""
    shown = rows(run())
    for name in ("httpx", "litellm", "sentry-sdk", "openai"):
        assert [name, version(name)] in shown
    # openai 3 brings it on every Python.
    there = version("httpx2") if find_spec("httpx2") else "not installed"
    assert ["httpx2", there] in shown
    passes = f"{body_guard.__version__}, its passes {accelerator.describe()}"
    assert ["body-guard", passes] in shown


def test_a_distribution_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution without metadata is said to be not installed."""

    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "version", absent)
    shown = rows(run())
    for name in ("httpx", "httpx2", "litellm", "sentry-sdk", "openai", "anthropic"):
        assert [name, "not installed"] in shown


def test_what_goes_past_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each warning of coverage() is a row, and where there is none, neither is the table."""
    monkeypatch.setattr(
        integration, "_NOT_COVERED", ((lambda: True, "One [red]way[/red]."), (lambda: False, "No."))
    )
    shown = rows(run())
    assert ["One [red]way[/red]."] in shown
    assert ["No."] not in shown
    monkeypatch.setattr(integration, "_NOT_COVERED", ())
    assert "what goes past every door" not in run().stdout


def test_what_is_imported_beside_httpx_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the argument that guards it; and where there is nothing, there is no table."""
    warning = (
        'requests is imported and not guarded: call body_guard.install(libraries=("requests",)).'
    )
    monkeypatch.setitem(sys.modules, "requests", ModuleType("requests"))
    assert [warning] in rows(run())
    monkeypatch.setattr(body_guard, "coverage", lambda: patch.Coverage(()))
    assert "beside httpx" not in run().stdout


@pytest.mark.parametrize("imported", [True, False])
def test_litellm_is_imported_without_the_network(
    monkeypatch: pytest.MonkeyPatch, imported: bool
) -> None:
    """Before litellm is imported it is told to use its own price list; afterwards, nothing."""
    seen = []
    monkeypatch.delenv("LITELLM_LOCAL_MODEL_COST_MAP")
    monkeypatch.setattr(
        integration, "install", lambda: seen.append("LITELLM_LOCAL_MODEL_COST_MAP" in os.environ)
    )
    monkeypatch.setattr(sentry, "status", lambda: "fixed")
    if not imported:
        monkeypatch.delitem(sys.modules, "litellm")
    run()
    assert seen == [not imported]


#: Runs the command as its console script does, without some distributions and their modules, and
#: tells of every connection and look-up.
SCRIPT = """
import importlib.metadata, sys
missing = {missing!r}
for name in missing:
    sys.modules[name.replace("-", "_")] = None
found = importlib.metadata.Distribution.from_name
def from_name(name):
    if name in missing:
        raise importlib.metadata.PackageNotFoundError(name)
    return found(name)
importlib.metadata.Distribution.from_name = from_name
def audit(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        sys.stderr.write(event)
sys.addaudithook(audit)
sys.argv = ["body-guard", "doctor", "--verbose"]
from body_guard.cli import main
main()
"""


def as_process(directory: Path, encoding: str, *missing: str) -> str:
    """Return what the command prints as a process of its own, piped, if it exits with 0."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LITELLM", "SENTRY", "OPENAI", "PYTHON", "COV"))
        and name not in ("FORCE_COLOR", "TTY_COMPATIBLE")
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(missing=missing)],
        capture_output=True,
        timeout=120,
        cwd=directory,
        env={**environment, "COLUMNS": "80", "PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode(encoding)


def test_as_a_process(tmp_path: Path) -> None:
    """Piped to where only ASCII is read, the report is shown, and asks nobody anything."""
    text = as_process(tmp_path, "ascii")
    assert text.endswith(ALL_HOOKED)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert " json.dumps " in text


@pytest.mark.parametrize(
    "missing",
    [
        pytest.param(("litellm",), id="litellm"),
        pytest.param(("sentry-sdk",), id="sentry-sdk"),
        pytest.param(("litellm", "openai", "anthropic", "sentry-sdk"), id="all"),
    ],
)
def test_as_a_process_without(tmp_path: Path, missing: tuple[str, ...]) -> None:
    """What is not installed is said to be so, and the rest is shown, in 80 columns of UTF-8."""
    lines = as_process(tmp_path, "utf-8", *missing).splitlines()
    assert max(map(len, lines)) <= 80
    for name in missing:
        assert any(line.split() == [name, "not", "installed"] for line in lines)
    doors = [line for line in lines if line.startswith(" json.dumps ")]
    assert bool(doors) is ("litellm" not in missing)
    assert any(line.startswith(" absent ") for line in lines)


def first_lines(result: Result) -> list[str]:
    return [line.partition(": ")[2] for line in result.stdout.splitlines()[:3]]


def test_it_begins_with_three_lines() -> None:
    """What is guarded, what bypasses it, what to do; the doors are listed on request."""
    result = run("--format", "text")
    assert [line.partition(":")[0] for line in result.stdout.splitlines()[:4]] == [
        "Guarded",
        "Bypasses it",
        "To do",
        "",
    ]
    guarded, _, todo = first_lines(result)
    assert guarded.startswith("litellm, at all of its ")
    assert todo.startswith("Call body_guard.integrations.litellm.install() where")
    assert "json.dumps" not in result.stdout
    assert "json.dumps" in run("--verbose").stdout


@pytest.mark.parametrize(
    ("ways", "line"),
    [
        ((), "nothing that is known of."),
        (("One way.",), "One way."),
        (("One way.", "Another."), "One way. And 1 more, below."),
    ],
)
def test_what_bypasses_it_is_the_second_line(
    monkeypatch: pytest.MonkeyPatch, ways: tuple[str, ...], line: str
) -> None:
    """The first of several; the others are a table."""
    told = tuple((lambda: True, way) for way in ways)
    monkeypatch.setattr(integration, "_NOT_COVERED", told)
    monkeypatch.setattr(doctor.body_guard, "coverage", lambda: SimpleNamespace(warnings=()))
    assert first_lines(run())[1] == line


def test_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """About sentry-sdk too, where there is something; and where litellm is not, or not whole."""
    monkeypatch.setattr(sentry, "status", lambda: "unfixed")
    assert first_lines(run())[2].endswith(doctor._SENTRY["unfixed"])
    monkeypatch.setattr(integration, "install", lambda: None)
    guarded, _, todo = first_lines(run())
    assert guarded.startswith("litellm only in part: 0 of ")
    assert todo.startswith("Upgrade body-guard, or pin")
    monkeypatch.setitem(sys.modules, "litellm", None)
    guarded, _, todo = first_lines(run())
    assert guarded.endswith("litellm is not installed.")
    assert todo.startswith("Guard your clients")


def test_json_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, with each door."""
    report = json.loads(run("--format", "json").stdout)
    assert report["version"] == 1
    doors = {each["name"]: each["hooked"] for each in report["doors"]}
    assert doors["json.dumps"] is True
    assert report["not_hooked"] == []
    assert report["distributions"]["litellm"] == version("litellm")
    assert report["sentry"] in get_args(sentry.Status)
    assert {"sdk", "argument", "takes", "guard_sees"} == set(report["sdks"][0])
    monkeypatch.setattr(integration, "install", lambda: None)
    result = run("--format", "json")
    assert result.exit_code == 1
    assert "json.dumps" in json.loads(result.stdout)["not_hooked"]
