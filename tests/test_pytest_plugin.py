"""The pytest plugin, in suites of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points

import pytest

from body_guard.cli.provider import provider
from body_guard.http.departures import OBSERVERS
from body_guard.integrations.process_wide import _installation

pytest_plugins = ["pytester"]

Run = Callable[..., pytest.RunResult]

#: Where this package is installed, its entry point loads the plugin.
_LOADED = [each for each in entry_points(group="pytest11") if each.name == "body_guard"]

HEAD = """
import httpx, pytest, body_guard
from body_guard import Policy, Rule

DIRTY = {"model": "secret", "_sentry_x": "secret"}
CLEAN = {"model": "secret"}

def send(body=DIRTY, client=httpx.Client, **options):
    transport = httpx.MockTransport(lambda request: httpx.Response(200))
    with client(transport=transport) as made:
        made.post("https://api.example.com/v1", json=body, **options)
"""
FOUND = "POST api.example.com: /_sentry_x (rule sentry: builtins.str, sentry-sdk)"


@pytest.fixture
def run(pytester: pytest.Pytester) -> Run:
    """Run a suite of one module, and check that it leaves nothing behind."""

    def run(code: str, *options: str, process: bool = False) -> pytest.RunResult:
        pytester.makepyfile(HEAD + code)
        given = (*(() if _LOADED else ("-p", "body_guard.pytest_plugin")), *options)
        method = pytester.runpytest_subprocess if process else pytester.runpytest_inprocess
        result = method(*given)
        assert not OBSERVERS
        assert _installation not in sys.meta_path
        assert "secret" not in re.sub("(?s)warnings summary.*", "", result.stdout.str())
        return result

    return run


def test_the_fixture_shows_what_left(run: Run) -> None:
    """Host, method, content and report of each body, whoever sent it."""
    result = run("""
def test(outbound):
    send()
    (body,) = outbound.bodies
    assert (body.host, body.method) == ("api.example.com", "POST")
    assert body.content == b'{"model":"secret","_sentry_x":"secret"}'
    assert [found.path for found in body.report.findings] == ["/_sentry_x"]
    assert body.report.host == "api.example.com"
    assert not body.report.changed
    assert "secret" not in repr(body)
""")
    result.assert_outcomes(passed=1)


def test_assert_clean_names_place_rule_owner_and_host(run: Run) -> None:
    """And no value; one that is guarded passes."""
    result = run("""
def test_dirty(outbound):
    send()
    outbound.assert_clean()

def test_guarded(outbound):
    send(client=body_guard.GuardedClient)
    outbound.assert_clean()

def test_installed(outbound):
    body_guard.install()
    send()
    body_guard.uninstall()
    outbound.assert_clean()

def test_transport(outbound):
    inner = httpx.MockTransport(lambda request: httpx.Response(200))
    with httpx.Client(transport=body_guard.GuardedTransport(inner)) as client:
        client.post("https://api.example.com/v1", json=DIRTY)
    outbound.assert_clean()
""")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        ["E*AssertionError: outbound bodies hold what may not leave (1):", f"E*{FOUND}"]
    )


def test_no_body_is_no_success(run: Run) -> None:
    """Nor is one that cannot be judged; what was not seen is not clean."""
    result = run("""
def test_none(outbound):
    outbound.assert_clean()

def test_stream(outbound):
    httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200))).post(
        "https://api.example.com/v1", content=iter([b"{}"]))
    assert outbound.bodies[0].content is None
    outbound.assert_clean()
""")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "E*no outbound body was seen; expected at least 1",
            "E*no outbound body was seen, and 1 that could not be judged (stream); expected*",
        ]
    )


def test_the_marker_checks_at_teardown(run: Run) -> None:
    """Fixtures' bodies are among those; a test that has failed, or skips, is not asked."""
    result = run("""
@pytest.fixture
def late():
    yield
    send()

@pytest.mark.outbound
def test_dirty():
    send()

@pytest.mark.outbound
def test_dirty_late(late):
    send(CLEAN)

@pytest.mark.outbound
def test_silent():
    pass

@pytest.mark.outbound
def test_clean():
    send(CLEAN)

@pytest.mark.outbound(min_bodies=2)
def test_too_few():
    send(CLEAN)

@pytest.mark.outbound
def test_asserted(outbound):
    send()
    with pytest.raises(AssertionError):
        outbound.assert_clean()

@pytest.mark.outbound
def test_failed():
    send()
    assert False

@pytest.mark.outbound
def test_skipped():
    pytest.skip()

def test_unmarked():
    send()
""")
    result.assert_outcomes(passed=7, errors=4, failed=1, skipped=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_dirty *",
            FOUND,
            "*ERROR at teardown of test_dirty_late *",
            FOUND,
            "no outbound body was seen; expected at least 1",
            "1 outbound bodies were seen; expected at least 2",
        ]
    )


def test_a_policy_and_what_is_allowed(run: Run) -> None:
    """A rule by its name, or a place by its glob; nothing else with it."""
    result = run("""
OURS = Policy((Rule("ours", keys=("model",)), Rule("theirs", keys=("_sentry_x",))))

@pytest.mark.outbound(policy=OURS)
def test_policy():
    send()

@pytest.mark.outbound(policy=OURS, allow=("ours", "/metadata/**"))
def test_allowed():
    send({"model": 1, "metadata": {"a": [{"_sentry_x": 1}]}})

@pytest.mark.outbound(allow=("/metadata/*",))
def test_elsewhere(outbound):
    send()

@pytest.mark.outbound(allow="sentry")
def test_a_text():
    send()

@pytest.mark.outbound(alow=())
def test_misspelt():
    send()
""")
    result.assert_outcomes(passed=3, errors=4)
    result.stdout.fnmatch_lines(
        [
            "POST api.example.com: /model (rule ours: builtins.str)",
            "POST api.example.com: /_sentry_x (rule theirs: builtins.str)",
            FOUND,
            "E*PolicyError: allow takes several strings; write ('sentry',).",
            "E*TypeError: *unexpected keyword argument 'alow'*",
        ]
    )


SUITE = """
def test_dirty():
    send()
    send(CLEAN)

def test_clean():
    send(CLEAN)

def test_silent():
    pass
"""


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_a_strict_suite(run: Run, options: tuple[str, ...]) -> None:
    """Every test is judged, and the last line says what was seen."""
    result = run(SUITE, "--outbound=strict", *options, process=bool(options))
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_dirty *",
            FOUND,
            "outbound: 3 bodies in 2 tests, 1 finding in 1 test",
        ]
    )
    assert result.ret == 1


def test_a_suite_that_is_only_reported(run: Run, pytester: pytest.Pytester) -> None:
    """By the ini option; nothing fails."""
    pytester.makeini("[pytest]\noutbound = report\n")
    result = run(SUITE)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        [
            "*test_a_suite_that_is_only_reported.py::test_dirty",
            f"  {FOUND}",
            "outbound: 3 bodies in 2 tests, 1 finding in 1 test",
        ]
    )


def test_off_is_the_default_and_wins_on_the_command_line(
    run: Run, pytester: pytest.Pytester
) -> None:
    """No test is judged, and nothing is said."""
    assert "outbound:" not in run(SUITE).stdout.str()
    pytester.makeini("[pytest]\noutbound = strict\n")
    result = run(SUITE, "--outbound=off")
    result.assert_outcomes(passed=3)


def test_an_unknown_mode_is_refused(run: Run, pytester: pytest.Pytester) -> None:
    """With those that there are."""
    pytester.makeini("[pytest]\noutbound = on\n")
    result = run(SUITE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*outbound is one of off, report, strict, not 'on'."])


def test_the_fixture_in_a_strict_suite(run: Run) -> None:
    """Need not see a body, unless it is asked; asked for late, it has seen all."""
    result = run(
        """
def test_silent(outbound):
    assert outbound.bodies == []

def test_late(request):
    send(CLEAN)
    assert len(request.getfixturevalue("outbound").bodies) == 1
""",
        "--outbound=strict",
    )
    result.assert_outcomes(passed=2)


def test_the_policy_of_the_environment(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BODY_GUARD_POLICY, as everywhere."""
    path = pytester.path / "policy.toml"
    path.write_text('[[rules]]\nname = "ours"\nkeys = ["model"]\n')
    monkeypatch.setenv("BODY_GUARD_POLICY", str(path))
    result = run("@pytest.mark.outbound\ndef test():\n    send(CLEAN)\n")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*rule ours: builtins.str*"])


def test_it_imports_no_http_library() -> None:
    """Nor what it needs for a test that asks for it."""
    code = """
import sys, body_guard.pytest_plugin
print([m for m in ("httpx", "requests", "urllib3", "aiohttp", "body_guard.recordings",
       "body_guard.integrations.process_wide") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


LIBRARIES = {
    "httpx, async": """
import asyncio
async def act(url, body):
    async with httpx.AsyncClient() as client:
        await client.post(url, json=body)
def post(url, body):
    asyncio.run(act(url, body))
""",
    "httpx2": """
httpx2 = pytest.importorskip("httpx2")
def post(url, body):
    with httpx2.Client() as client:
        client.post(url, json=body)
""",
    "requests": """
import requests
def post(url, body):
    requests.post(url, json=body)
""",
    "urllib3": """
import json, urllib3
def post(url, body):
    with urllib3.PoolManager() as pool:
        pool.request("POST", url, body=json.dumps(body))
""",
    "aiohttp": """
import aiohttp, asyncio
async def act(url, body):
    async with aiohttp.ClientSession() as session, session.post(url, json=body):
        pass
def post(url, body):
    asyncio.run(act(url, body))
""",
    "botocore": """
import botocore.session, json
def post(url, body):
    client = botocore.session.get_session().create_client("bedrock-runtime", endpoint_url=url,
        region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    client.invoke_model(modelId="m", body=json.dumps(body), contentType="application/json")["body"].read()
""",
}


@pytest.mark.parametrize("code", LIBRARIES.values(), ids=LIBRARIES)
def test_every_library(code: str, run: Run) -> None:
    """What is not guarded fails, what is guarded passes; each body is seen once."""
    with provider() as server:
        result = run(f"""
{code}
@pytest.mark.parametrize("guarded", [True, False])
@pytest.mark.outbound
def test(guarded, outbound):
    if guarded:
        body_guard.install(libraries="all")
    post({server.url!r}, DIRTY)
    body_guard.uninstall()
    assert len(outbound.bodies) == 1
""")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(
        ["*ERROR at teardown of test?False? *", "*/_sentry_x (rule sentry*"]
    )


def test_beside_respx(run: Run) -> None:
    """It sees the request after the guard, and so does the plugin."""
    result = run("""
import respx

@pytest.mark.outbound
@respx.mock
def test_dirty():
    respx.post("https://api.example.com/v1").respond(200)
    httpx.post("https://api.example.com/v1", json=DIRTY)

@pytest.mark.outbound
def test_guarded(respx_mock, outbound):
    respx_mock.post("https://api.example.com/v1").respond(200)
    with body_guard.GuardedClient() as client:
        client.post("https://api.example.com/v1", json=DIRTY)
    assert len(outbound.bodies) == 1
""")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_dirty *"])


def test_beside_pytest_httpx(run: Run) -> None:
    """It replaces the transports' methods, beneath what the plugin sees."""
    pytest.importorskip("pytest_httpx")
    result = run("""
@pytest.mark.outbound
def test_dirty(httpx_mock):
    httpx_mock.add_response()
    httpx.post("https://api.example.com/v1", json=DIRTY)

@pytest.mark.outbound
def test_guarded(httpx_mock, outbound):
    httpx_mock.add_response()
    with body_guard.GuardedClient() as client:
        client.post("https://api.example.com/v1", json=DIRTY)
    assert len(outbound.bodies) == 1
    assert httpx_mock.get_request().content == b'{"model":"secret"}'
""")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_dirty *"])


#: vcrpy stands above these libraries' own names, and calls none of them where it plays back.
UNSEEN = ("urllib3", "aiohttp")


@pytest.mark.parametrize("name", ["httpx, async", "requests", "urllib3", "aiohttp"])
def test_beside_vcrpy(name: str, run: Run) -> None:
    """While it records, and again while it plays back; a body that cannot be seen is no success."""
    pytest.importorskip("vcr")
    code = f"""
import vcr
{LIBRARIES[name]}
@pytest.mark.outbound
def test_dirty(outbound):
    with vcr.use_cassette("dirty.yaml") as cassette:
        post(URL, DIRTY)
    assert cassette.play_count == PLAYED
    assert len(outbound.bodies) == BODIES

@pytest.mark.outbound
def test_guarded(outbound):
    body_guard.install(libraries="all")
    with vcr.use_cassette("clean.yaml") as cassette:
        post(URL, DIRTY)
    body_guard.uninstall()
    assert cassette.play_count == PLAYED
    assert len(outbound.bodies) == BODIES
"""
    # A process each: the emitter of PyYAML does not survive a second import.
    with provider() as server:
        url = repr(server.url)
        code = code.replace("URL", url)
        recording = run(code.replace("PLAYED", "0").replace("BODIES", "1"), process=True)
        seen = "0" if name in UNSEEN else "1"
        playing = run(code.replace("PLAYED", "1").replace("BODIES", seen), process=True)
        assert len(server.received) == 2
    # vcrpy keeps aiohttp's own function from when it was imported, and calls that, past the guard.
    recording.assert_outcomes(passed=2, errors=2 if name == "aiohttp" else 1)
    recording.stdout.fnmatch_lines(["*ERROR at teardown of test_dirty *"])
    playing.assert_outcomes(passed=2, errors=2 if name in UNSEEN else 1)
    if name in UNSEEN:
        playing.stdout.fnmatch_lines(["no outbound body was seen; expected at least 1"])
