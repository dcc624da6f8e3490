"""What only httpx2 has, that neither library loads the other, and httpx2 in httpx's place."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

import body_guard
from body_guard import Policy

from doors import FAMILIES, Wire

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="httpx2 needs Python 3.11")
if sys.version_info >= (3, 11):
    import httpx2
    from httpx2.websockets import WebSocketUpgradeError

    import body_guard.httpx2

URL = "http://provider.test/v1"
DIRTY, CLEAN = b'{"_sentry_x": 1, "q": 1.10}', b'{ "q": 1.10}'
REPO = Path(__file__).parent.parent


def events() -> Any:
    return {"headers": {"content-type": "text/event-stream"}, "content": b"data: 1\n\n"}


def test_a_query_has_a_body_and_is_judged(wire: Wire) -> None:
    """QUERY (client.query) carries a body, as an object and as bytes."""
    with body_guard.httpx2.GuardedClient(transport=httpx2.MockTransport(wire)) as client:
        client.query(URL, json={"_sentry_x": 1, "q": 1})
        client.query(URL, content=DIRTY)
    assert [request.method for request in wire.requests] == ["QUERY", "QUERY"]
    assert wire.bodies == [b'{"q":1}', CLEAN]


def test_a_query_keeps_its_clean_body_over_a_redirect(wire: Wire) -> None:
    """A 302 keeps QUERY and its body: the second hop carries the cleaned bytes."""
    wire.answers = [{"status": 302, "headers": {"location": "/again"}}]
    transport = httpx2.MockTransport(wire)
    with body_guard.httpx2.GuardedClient(transport=transport, follow_redirects=True) as client:
        client.query(URL, content=DIRTY)
    assert wire.bodies == [CLEAN, CLEAN]


def test_server_sent_events_are_asked_for_with_a_clean_body(wire: Wire) -> None:
    """client.sse() goes through the doors, sync."""
    wire.answers = [events()]
    client = body_guard.httpx2.GuardedClient(transport=httpx2.MockTransport(wire))
    with client, client.sse(URL, method="POST", json={"_sentry_x": 1, "stream": True}) as source:
        assert [event.data for event in source] == ["1"]
    assert wire.bodies == [b'{"stream":true}']


def test_server_sent_events_async(wire: Wire) -> None:
    """client.sse() goes through the doors, async."""
    wire.answers = [events()]

    async def run() -> None:
        client = body_guard.httpx2.GuardedAsyncClient(transport=httpx2.MockTransport(wire))
        async with client, client.sse(URL, method="POST", content=DIRTY) as source:
            assert [event.data async for event in source] == ["1"]

    anyio.run(run)
    assert wire.bodies == [CLEAN]


def test_the_request_that_opens_a_websocket_is_judged(wire: Wire) -> None:
    """The upgrade is a request like another, refused here by the server, sync."""
    seen: list[body_guard.Report] = []
    transport, policy = httpx2.MockTransport(wire), Policy(on_report=(seen.append,))
    with body_guard.httpx2.GuardedClient(transport=transport, policy=policy) as client:
        opening = client.websocket("ws://provider.test/ws")
        with pytest.raises(WebSocketUpgradeError):
            opening.__enter__()
    assert wire.requests[0].headers["upgrade"] == "websocket"
    assert [report.judged for report in seen] == [True]


def test_the_request_that_opens_an_async_websocket_is_judged(wire: Wire) -> None:
    """The same, async."""
    seen: list[body_guard.Report] = []
    transport, policy = httpx2.MockTransport(wire), Policy(on_report=(seen.append,))

    async def run() -> None:
        async with body_guard.httpx2.GuardedAsyncClient(
            transport=transport, policy=policy
        ) as client:
            await client.websocket("ws://provider.test/ws").__aenter__()

    with pytest.raises(WebSocketUpgradeError):
        anyio.run(run)
    assert wire.requests[0].headers["upgrade"] == "websocket"
    assert [report.judged for report in seen] == [True]


def in_a_process_of_its_own(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("used", "other"), [("httpx", "httpx2"), ("httpx2", "httpx")], ids=["httpx", "httpx2"]
)
def test_neither_library_loads_the_other(used: str, other: str) -> None:
    """Our classes for one, and guard() on a client of it, leave the other unloaded."""
    code = f"""import sys, body_guard, body_guard.{used}, {used}
body_guard.guard({used}.Client())
body_guard.{used}.GuardedClient().build_request("POST", "{URL}", json={{"_sentry_x": 1}})
body_guard.install()
print({other!r} in sys.modules, {used!r} in sys.modules)"""
    assert in_a_process_of_its_own(code) == "False True"


@pytest.mark.skipif(len(FAMILIES) < 2, reason="one library stands in for the other")
@pytest.mark.parametrize(
    "modules",
    [
        pytest.param(("http/test_doors.py", "http/test_wire.py"), id="http/test_doors.py"),
        pytest.param(
            (
                "http/test_http2.py",
                "test_httpx2.py",
                "patches/test_process.py",
                "patches/test_transports.py",
                "http/test_reporting.py",
                "http/test_sending.py",
                "http/test_signatures.py",
                "http/test_streams.py",
                "patches/test_clients.py",
            ),
            id="the rest",
            marks=pytest.mark.exhaustive,
        ),
    ],
)
def test_the_door_tests_pass_with_httpx2_in_httpxs_place(modules: tuple[str, ...]) -> None:
    """With httpx2.alias_httpx(), `import httpx` is httpx2: every door test passes, and some ran."""
    # Plugins would import httpx before the alias; respx does not see httpx2.
    options = (
        "-q",
        "-p",
        "no:respx",
        "-p",
        "no:pytest_httpx",
        "-p",
        "no:cacheprovider",
        "--no-header",
        "-W",
        "default",
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *[f"tests/{each}" for each in modules]],
        cwd=REPO,
        env={**os.environ, "BODY_GUARD_ALIAS_HTTPX": "1", "PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 200
