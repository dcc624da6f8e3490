from __future__ import annotations

import asyncio
import copy
import functools
import io
import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest
import sentry_sdk
from click.testing import CliRunner, Result
from rich.console import Console

import body_guard
from body_guard.cli import demo
from body_guard.cli.commands import group
from body_guard.cli.story import Call, Claim, Story, Telling
from body_guard.integrations import litellm as integration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(body_guard.__file__).parents[1]

LITELLM_CRASHES = "2. Plain, the call ends in an error of litellm's: not JSON serializable."
LITELLM_SENDS_NOTHING = "2. Plain, nothing arrives."
LITELLM_CLEAN = "2. Guarded, one body arrives, without a _sentry_ key."
LITELLM_REST = "2. Guarded, every other member arrives as it was."
LITELLM_REPORT = "2. Guarded, the report names the place and the type."
LITELLM_CALLER = "2. The caller's metadata still holds the span."
LITELLM_SENTRY = "2. Sentry gets the span."
PLAIN_CRASHES = "1. Plain, the call ends in a TypeError."
PLAIN_SENDS_NOTHING = "1. Plain, nothing arrives."
CRASH_CLEAN = "1. Guarded, one body arrives, without a _sentry_ key."
CRASH_REST = "1. Guarded, every other member arrives as it was."
CRASH_REPORT = "1. Guarded, the report names the place and the type."
CALLER = "1. The caller's metadata still holds the span."
SENTRY = "1. Sentry gets the span."
PLAIN_LEAKS = "3. Plain, the key arrives, with its value."
LEAK_CLEAN = "3. Guarded, one body arrives, without a _sentry_ key."
LEAK_REST = "3. Guarded, all the rest arrives, byte for byte."
LEAK_REPORT = "3. Guarded, the report names the place and the type."


class Fake(httpx.Client):
    """A client that takes what a guarded one takes, and guards nothing."""

    def __init__(self, *, policy: object = None, **options: Any) -> None:
        super().__init__(**options)


class InPlace(Fake):
    """A guard that edits the caller's metadata."""

    def build_request(self, *args: Any, **options: Any) -> httpx.Request:
        if options.get("json"):
            options["json"]["metadata"].pop("_sentry_span")
        return super().build_request(*args, **options)


class TooMuch(Fake):
    """A guard that removes all metadata and reports nothing."""

    def build_request(self, *args: Any, **options: Any) -> httpx.Request:
        body = options.get("json") or json.loads(options["content"])
        rest = {name: body[name] for name in body if name != "metadata"}
        return super().build_request(*args, **{**options, "json": rest, "content": None})


class Twice(body_guard.GuardedClient):
    """A guard that sends everything two times."""

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        super().send(request, **options)
        return super().send(request, **options)


class Refuses(Fake):
    """A guard that fails."""

    def build_request(self, *args: Any, **options: Any) -> httpx.Request:
        raise body_guard.GuardError("the guard failed")


@pytest.fixture(autouse=True)
def loop() -> Iterator[None]:
    """Close the event loop that litellm asks for in a synchronous call; nobody else would."""
    asked_for = asyncio.new_event_loop()
    asyncio.set_event_loop(asked_for)
    yield
    asyncio.set_event_loop(None)
    asked_for.close()


def run(*options: str) -> Result:
    return CliRunner().invoke(group, ["demo", *options])


def failed(result: Result) -> list[str]:
    _, _, listed = result.stdout.partition("What failed:\n")
    return listed.splitlines()


def test_every_claim_holds() -> None:
    """The demo exits with 0, shows what arrived, and fails no claim."""
    result = run("--verbose")
    assert result.exit_code == 0
    assert result.stdout.endswith("\nAll 18 claims held.\n")
    assert "FAILED" not in result.stdout
    assert result.stdout.count(" held ") == 18
    assert "TypeError: Object of type Span is not " in result.stdout
    assert " InternalServerError: " in result.stdout
    assert "Nothing arrived." in result.stdout
    found = "/metadata/_sentry_span   sentry   sentry_sdk.tracing.Span   sentry-sdk"
    assert result.stdout.count(found) == 2
    assert "/metadata/_sentry_trace   sentry   builtins.str   sentry-sdk" in result.stdout


def test_a_story_fits_a_screen() -> None:
    """Without --verbose a story is at most 24 lines of 80 columns, without claims that held."""
    result = run()
    assert result.exit_code == 0
    assert " held " not in result.stdout
    assert result.stdout.endswith("\nAll 18 claims held; --verbose shows them.\n")
    lines = result.stdout.splitlines()
    starts = [at for at, line in enumerate(lines) if line[:3] in ("1. ", "2. ", "3. ")]
    sizes = [end - at for at, end in zip(starts, [*starts[1:], len(lines)], strict=True)]
    assert len(sizes) == 3
    assert max(sizes) <= 24
    assert max(map(len, lines)) <= 80


def test_the_leaked_value_is_not_printed() -> None:
    """What should not leave does not show on the console either, only its length."""
    result = run()
    assert '"_sentry_trace": "(51 chars)"' in result.stdout
    assert demo._TRACE not in result.output
    assert demo._TRACE.split("-")[0] not in result.output


@pytest.mark.parametrize(
    ("guard", "expected"),
    [
        pytest.param(
            Fake,
            [CRASH_CLEAN, CRASH_REST, CRASH_REPORT, LEAK_CLEAN, LEAK_REST, LEAK_REPORT],
            id="passes everything",
        ),
        pytest.param(
            InPlace,
            [CRASH_REPORT, CALLER, LEAK_CLEAN, LEAK_REST, LEAK_REPORT],
            id="edits in place",
        ),
        pytest.param(
            TooMuch, [CRASH_REST, CRASH_REPORT, LEAK_REST, LEAK_REPORT], id="removes too much"
        ),
        pytest.param(Twice, [CRASH_CLEAN, CRASH_REST, LEAK_CLEAN, LEAK_REST], id="sends twice"),
        pytest.param(
            Refuses,
            [CRASH_CLEAN, CRASH_REST, CRASH_REPORT, LEAK_CLEAN, LEAK_REST, LEAK_REPORT],
            id="fails",
        ),
    ],
)
def test_a_broken_guard_is_found_out(
    monkeypatch: pytest.MonkeyPatch, guard: type[httpx.Client], expected: list[str]
) -> None:
    """With a guard that does not guard, the demo exits with 1 and says which claims failed."""
    monkeypatch.setattr(demo, "GuardedClient", guard)
    result = run()
    assert result.exit_code == 1
    assert failed(result) == expected
    assert result.stdout.count("FAILED") == len(expected)
    assert "claims held" not in result.stdout


def without_span(options: dict[str, Any]) -> dict[str, Any]:
    """Edit the caller's metadata."""
    options["extra_body"]["metadata"].pop("_sentry_span")
    return options


def without_metadata(options: dict[str, Any]) -> dict[str, Any]:
    """Remove all metadata."""
    return {**options, "extra_body": None}


def refused(options: dict[str, Any]) -> dict[str, Any]:
    """Fail."""
    raise openai.OpenAIError("the guard failed")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(dict, [LITELLM_CLEAN, LITELLM_REST, LITELLM_REPORT], id="does nothing"),
        pytest.param(without_span, [LITELLM_REPORT, LITELLM_CALLER], id="edits in place"),
        pytest.param(without_metadata, [LITELLM_REST, LITELLM_REPORT], id="removes too much"),
        pytest.param(refused, [LITELLM_CLEAN, LITELLM_REST, LITELLM_REPORT], id="fails"),
    ],
)
def test_a_broken_install_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[dict[str, Any]], dict[str, Any]],
    expected: list[str],
) -> None:
    """With an install() that does something else to litellm's calls, the demo exits with 1."""
    litellm = demo._litellm()
    completion = litellm.completion

    def install() -> None:
        litellm.completion = lambda **options: completion(**change(options))

    def uninstall() -> None:
        litellm.completion = completion

    monkeypatch.setattr(integration, "install", install)
    monkeypatch.setattr(integration, "uninstall", uninstall)
    result = run()
    assert result.exit_code == 1
    assert failed(result) == expected


def test_an_install_that_does_nothing_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where install() is a no-op, the guarded call crashes too, and the demo exits with 1."""
    monkeypatch.setattr(integration, "install", lambda: None)
    result = run()
    assert result.exit_code == 1
    assert failed(result) == [LITELLM_CLEAN, LITELLM_REST, LITELLM_REPORT]


def test_a_litellm_that_is_guarded_is_found_out() -> None:
    """Where litellm is guarded before the demo, nothing crashes, and from then on it is not."""
    integration.install()
    try:
        result = run()
    finally:
        integration.uninstall()
    assert result.exit_code == 1
    assert failed(result) == [LITELLM_CRASHES, LITELLM_SENDS_NOTHING]


def test_a_guard_that_stays_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first story leaves litellm guarded, the last one has no leak to show."""
    with monkeypatch.context() as patch:
        patch.setattr(integration, "uninstall", lambda: None)
        result = run()
    integration.uninstall()
    assert result.exit_code == 1
    assert failed(result)[0] == PLAIN_LEAKS


def test_a_first_story_that_breaks_off_leaves_no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that no story expects ends the demo, with litellm as it was."""
    dumps, install = json.dumps, integration.install

    def broken(*args: Any, **options: Any) -> Any:
        raise LookupError

    def then_break() -> None:
        install()
        monkeypatch.setattr(demo, "_complete", broken)

    monkeypatch.setattr(integration, "install", then_break)
    assert isinstance(run().exception, LookupError)
    assert json.dumps is dumps
    assert not any(door.hooked for door in integration.coverage().doors)


def test_a_failing_guard_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of a guard that fails is shown where its body would be."""
    monkeypatch.setattr(demo, "GuardedClient", Refuses)
    assert "GuardError: the guard failed" in run().stdout


def test_a_plain_client_that_is_guarded_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the plain calls neither crash nor leak, there is nothing to show, and it says so."""
    monkeypatch.setattr(demo, "httpx", SimpleNamespace(Client=body_guard.GuardedClient))
    result = run()
    assert result.exit_code == 1
    assert failed(result) == [PLAIN_CRASHES, PLAIN_SENDS_NOTHING, PLAIN_LEAKS]


def test_a_lost_span_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Sentry gets no span, the demo says so."""
    init = sentry_sdk.init
    monkeypatch.setattr(
        sentry_sdk, "init", lambda **options: init(**{**options, "traces_sample_rate": 0.0})
    )
    result = run()
    assert result.exit_code == 1
    assert failed(result) == [SENTRY, LITELLM_SENTRY]


def test_the_process_is_left_as_it_was() -> None:
    """After the demo litellm, Sentry, the logger and the threads are what they were."""
    litellm = demo._litellm()
    logger = logging.getLogger("body_guard")
    scope = sentry_sdk.get_global_scope()

    def state() -> list[object]:
        return [
            litellm.client_session,
            litellm.suppress_debug_info,
            copy.copy(litellm.input_callback),
            scope.client,
            json.dumps,
            litellm.completion,
            integration.coverage().doors[0].hooked,
            list(logger.handlers),
            [thread for thread in threading.enumerate() if "serve_forever" in thread.name],
        ]

    litellm.client_session = session = httpx.Client()
    try:
        before = state()
        assert run().exit_code == 0
        assert state() == before
        assert litellm.client_session is session
        assert litellm.in_memory_llm_clients_cache.cache_dict == {}
    finally:
        litellm.client_session = None
        session.close()


def test_stories_are_told_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stories are numbered as they stand in the table, and their text is printed as it is.

    Of one that fails all claims are shown, of the others none.
    """
    call = Call("name", "", (), ())
    stories = [
        Story(
            f"[bold]{name}[/bold]",
            f":pill: {name}",
            lambda held=held: Telling(
                call, call, (Claim("So too.", True), Claim("[red]So.[/red]", held))
            ),
        )
        for name, held in (("a", True), ("b", False))
    ]
    monkeypatch.setattr(demo, "STORIES", stories)
    result = run()
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[:2] == ["1. [bold]a[/bold]", ":pill: a"]
    second = lines.index("2. [bold]b[/bold]")
    assert lines[second + 1] == ":pill: b"
    shown = [at for at, line in enumerate(lines) if line.startswith((" held ", " FAILED "))]
    assert [lines[at].split(maxsplit=1)[1].rstrip() for at in shown] == [
        "So too.",
        "[red]So.[/red]",
    ]
    assert min(shown) > second
    assert lines[-2:] == ["What failed:", "2. [red]So.[/red]"]


#: A package that takes its time: its import ends when the terminal has said that it began.
SLOW = """
import sys, time
end = time.monotonic() + 20
while "Importing slow 1.2" not in sys.terminal.getvalue() and time.monotonic() < end:
    time.sleep(0.01)
sys.terminal.write("<imported>")
"""


def test_what_is_imported_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On a terminal a spinner names package and version, unless the package is imported already."""
    (tmp_path / "slow.py").write_text(SLOW)
    metadata = tmp_path / "slow-1.2.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Name: slow\nVersion: 1.2\n")
    monkeypatch.syspath_prepend(tmp_path)
    terminal = io.StringIO()
    monkeypatch.setattr(sys, "terminal", terminal, raising=False)
    console = functools.partial(Console, file=terminal, width=80, force_terminal=True)
    monkeypatch.setattr(demo, "Console", console)
    call = Call("name", "", (), ())
    story = Story("title", "about", lambda: Telling(call, call, ()), ("json", "slow"))
    monkeypatch.setattr(demo, "STORIES", [story])
    try:
        assert run().exit_code == 0
    finally:
        del sys.modules["slow"]
    text = terminal.getvalue()
    events = ("about", "Importing slow 1.2", "<imported>", "Nothing arrived.")
    places = [text.index(event) for event in events]
    assert places == sorted(places)
    assert "Importing json" not in text


def test_what_the_guard_logs_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    """A warning of body_guard becomes a line, and one of less weight does not."""
    caplog.set_level(logging.DEBUG, "body_guard")
    logger = logging.getLogger("body_guard")
    with demo._collect_log() as lines:
        logger.warning("removed %s", "/a")
        logger.info("not judged")
    logger.warning("afterwards")
    assert lines == ["removed /a"]


def test_litellm_is_imported_without_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before litellm is imported, it is told to use the price list that it carries."""
    monkeypatch.delenv("LITELLM_LOCAL_MODEL_COST_MAP")
    monkeypatch.delitem(sys.modules, "litellm", raising=False)
    monkeypatch.setattr(
        demo, "import_module", lambda name: (name, os.environ["LITELLM_LOCAL_MODEL_COST_MAP"])
    )
    assert demo._litellm() == ("litellm", "True")


def test_an_imported_litellm_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a process that has imported litellm is not changed."""
    monkeypatch.delenv("LITELLM_LOCAL_MODEL_COST_MAP")
    fake = ModuleType("litellm")
    monkeypatch.setitem(sys.modules, "litellm", fake)
    assert demo._litellm() is fake
    assert "LITELLM_LOCAL_MODEL_COST_MAP" not in os.environ


#: Runs the command as its console script does. Tells of every peer but this machine, and of the
#: moment when litellm is looked for, with a warning that would end the import as an error.
SCRIPT = """
import sys, warnings
def audit(event, arguments):
    if event == "socket.connect" and arguments[1][0] != "127.0.0.1":
        sys.stderr.write(f"connects to {arguments[1]}")
    if event == "socket.getaddrinfo" and arguments[0] != "127.0.0.1":
        sys.stderr.write(f"looks up {arguments[0]}")
sys.addaudithook(audit)
class Finder:
    def find_spec(name, path, target):
        if name.startswith("litellm."):
            sys.meta_path.remove(Finder)
            print("litellm is imported")
            warnings.warn("of a third party")
sys.meta_path.insert(0, Finder)
sys.argv = ["body-guard", "demo"]
from body_guard.cli import main
main()
"""


def test_as_a_process(tmp_path: Path) -> None:
    """Piped to where only ASCII is read, the demo fits, and talks to this machine only.

    The proxies that its environment names lead nowhere, and nothing of a setting is left over. The
    first story is told before litellm is imported. Warnings of others neither show nor fail it.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LITELLM", "SENTRY", "OPENAI", "PYTHON", "COV"))
        and name not in ("FORCE_COLOR", "TTY_COMPATIBLE")
    }
    environment |= {
        "ALL_PROXY": "http://127.0.0.1:9",
        "COLUMNS": "80",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "PYTHONIOENCODING": "ascii",
        "PYTHONPATH": str(ROOT),
        "SENTRY_SPOTLIGHT": "http://spotlight.invalid/stream",
    }
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", SCRIPT],
        capture_output=True,
        timeout=120,
        cwd=tmp_path,
        env=environment,
    )
    text = done.stdout.decode("ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert text.endswith("\nAll 18 claims held; --verbose shows them.\n")
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert "removed /metadata/_sentry_span in a body for " in text
    assert "removed /metadata/_sentry_trace in a body for 127.0.0.1" in text
    assert demo._TRACE not in text
    first, _, _ = text.partition("litellm is imported\n")
    assert "TypeError: Object of type Span" in first
    assert '"metadata": {"user_id": "u-17"}' in first
    assert "removed /metadata/_sentry_span in a body for 127.0.0.1" in first
