"""record: a line for every body that leaves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import aiohttp
import botocore.parsers
import botocore.session
import httpx
import pytest
import requests
import urllib3

import body_guard
from body_guard import BodyRejectedError, GuardedClient, GuardedTransport, Policy, Rule
from body_guard.cli.provider import provider
from body_guard.http.departures import OBSERVERS, Departure
from body_guard.integrations.process_wide import _installation

from doors import Door, Family, Wire, exchange, using

URL = "https://api.example.com/v1/chat?key=secret"
DIRTY = {"model": "m", "_sentry_x": 1}
FOUND = {
    "path": "/_sentry_x",
    "rule": "sentry",
    "action": "remove",
    "type": "builtins.int",
    "owner": "sentry-sdk",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbound.jsonl"


@pytest.fixture
def lines(path: Path) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Record; read what was recorded so far."""

    def read() -> list[dict[str, Any]]:
        return [json.loads(line) for line in path.read_text().splitlines()]

    with body_guard.record(path):
        yield read
    assert not OBSERVERS


def bodies(lines: list[dict[str, Any]]) -> list[Any]:
    return [line.get("body") for line in lines]


def test_a_line_at_every_door(door: Door, wire: Wire, lines: Any) -> None:
    """One, as the request has returned; what was removed is not in it."""
    if door.kind == "transport":
        content = json.dumps(DIRTY).encode()

        def act(c):
            return c.post(URL, content=content, headers={"Content-Type": "application/json"})
    else:
        act = lambda c: c.post(URL, json=DIRTY)  # noqa: E731
    exchange(door, wire, act)
    (line,) = lines()
    assert line.pop("time").endswith("Z")
    assert line == {
        "host": "api.example.com",
        "method": "POST",
        "path": "/v1/chat",
        "content_type": "application/json",
        "judged": True,
        "changed": True,
        "findings": [FOUND],
        "body": {"model": "str(1)"},
    }
    assert json.loads(wire.body) == {"model": "m"}


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_what_is_not_guarded_leaves_as_it_is(
    family: Family, is_async: bool, wire: Wire, lines: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The line says what a guard would have found; nothing else does."""
    client = family.client(is_async)(transport=family.library.MockTransport(wire))
    response = using(client, lambda c: c.post(URL, json=DIRTY))
    (line,) = lines()
    assert (line["judged"], line["changed"], line["findings"]) == (True, False, [FOUND])
    assert line["body"] == {"model": "str(1)", "_sentry_x": "int"}
    assert json.loads(wire.body) == DIRTY
    assert response.request.extensions.keys() <= {"timeout"}
    assert not caplog.records
    assert body_guard.counts() == body_guard.Counts()
    assert not any(door.hooked for door in body_guard.coverage().doors)


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_transport_without_a_client(family: Family, is_async: bool, lines: Any) -> None:
    """The library's own transports are observed too."""
    library = family.library
    with provider() as server:
        request = library.Request("POST", server.url, json=DIRTY)

        async def send() -> None:
            async with library.AsyncHTTPTransport() as transport:
                response = await transport.handle_async_request(request)
                await response.aread()

        if is_async:
            asyncio.run(send())
        else:
            with library.HTTPTransport() as transport:
                transport.handle_request(request).read()
    assert bodies(lines()) == [{"model": "str(1)", "_sentry_x": "int"}]


def test_an_installation_stays(wire: Wire, path: Path) -> None:
    """And what is installed, or uninstalled, while it is recorded."""

    def post() -> bytes:
        wire.bodies.clear()
        with httpx.Client(transport=httpx.MockTransport(wire)) as client:
            client.post(URL, json=DIRTY)
        return wire.body

    body_guard.install()
    with body_guard.record(path):
        assert post() == b'{"model":"m"}'
        body_guard.uninstall()
        assert b"_sentry_x" in post()
        body_guard.install()
        assert post() == b'{"model":"m"}'
    assert post() == b'{"model":"m"}'
    assert len(path.read_text().splitlines()) == 3
    body_guard.uninstall()
    assert b"_sentry_x" in post()


def test_each_hop_is_a_line(door: Door, wire: Wire, lines: Any) -> None:
    """Of a redirect that keeps the body; not of one that drops it."""
    again = {"status": 307, "headers": {"Location": "https://other.example.com/a"}}
    gone = {"status": 303, "headers": {"Location": "https://other.example.com/b"}}
    wire.answers = [again, gone]
    exchange(door, wire, lambda c: c.post(URL, content=b'{"a":1}', follow_redirects=True))
    assert [(line["host"], line["path"]) for line in lines()] == [
        ("api.example.com", "/v1/chat"),
        ("other.example.com", "/a"),
    ]
    assert len(wire.requests) == 3


def test_the_last_of_several_doors_counts(wire: Wire, lines: Any) -> None:
    """A transport repairs a request in place; there is one line, of what left."""
    policy = Policy((Rule("ours", keys=("model",)),))
    inner = GuardedTransport(httpx.MockTransport(wire), policy=policy)
    with GuardedClient(transport=GuardedTransport(inner)) as client:
        client.post(URL, json={"model": "m", "a": 1})
    assert bodies(lines()) == [{"a": "int"}]
    assert wire.body == b'{"a":1}'


def test_what_was_refused_has_no_line(wire: Wire, lines: Any) -> None:
    """Whether by the client's door or by a transport's; it has not left."""
    reject = Policy((Rule("ours", keys=("model",), action="reject"),))
    client = GuardedClient(transport=httpx.MockTransport(wire), policy=reject)
    with client, pytest.raises(BodyRejectedError):
        client.post(URL, json=DIRTY)
    inner = GuardedTransport(httpx.MockTransport(wire), policy=reject)
    with httpx.Client(transport=inner) as client, pytest.raises(BodyRejectedError):
        client.post(URL, json=DIRTY)
    assert lines() == []


def test_what_failed_on_the_way_may_have_left(lines: Any) -> None:
    """So it has a line."""

    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("too slow")

    client = httpx.Client(transport=httpx.MockTransport(fail))
    with client, pytest.raises(httpx.ReadTimeout):
        client.post(URL, json={"a": 1})
    assert bodies(lines()) == [{"a": "int"}]


NOT_JUDGED: dict[str, dict[str, Any]] = {
    "a stream": {"content": iter([b'{"a": "secret"}'])},
    "an image": {"content": b"secret", "headers": {"Content-Type": "image/png"}},
    "a form": {"data": {"a": "secret"}},
}


@pytest.mark.parametrize("make", [httpx.Client, GuardedClient], ids=["plain", "guarded"])
@pytest.mark.parametrize("options", NOT_JUDGED.values(), ids=NOT_JUDGED)
def test_what_was_not_judged_has_no_content(
    make: Any, options: Any, wire: Wire, path: Path
) -> None:
    """The line has no body, with values either."""
    if not isinstance(options.get("content", b""), bytes):
        options = {"content": iter([b'{"a": "secret"}'])}
    with body_guard.record(path, values=True), make(transport=httpx.MockTransport(wire)) as client:
        client.post(URL, **options)
    (text,) = path.read_text().splitlines()
    line = json.loads(text)
    assert (line["judged"], line["changed"], line["findings"]) == (False, False, [])
    assert "body" not in line
    assert "secret" not in text


def test_a_request_without_a_body_has_no_line(door: Door, wire: Wire, lines: Any) -> None:
    """Nothing has left."""
    exchange(door, wire, lambda c: c.get(URL))
    assert lines() == []


def test_values_are_shown_on_request(wire: Wire, path: Path) -> None:
    """As they left; what was removed is not among them."""
    body = {"ada@example.com": 1.5, "_sentry_x": "gone", "lone": "\ud800"}
    other = '{"ada@example.com":"\ud800"}'.encode("utf-16", "surrogatepass")
    client = GuardedClient(transport=httpx.MockTransport(wire))
    with body_guard.record(path, values=True), client:
        client.post(URL, json=body)
        client.post(URL, content=other)
    first, second = [json.loads(line) for line in path.read_text().splitlines()]
    assert first["body"] == {"ada@example.com": 1.5, "lone": "\ufffd"}
    assert [found["path"] for found in first["findings"]] == ["/_sentry_x", "/lone"]
    assert second["body"] == {"ada@example.com": "\ud800"}
    assert "gone" not in path.read_text()


def test_a_path_of_a_finding_is_redacted(wire: Wire, lines: Any) -> None:
    """A key of it can be data."""
    with GuardedClient(transport=httpx.MockTransport(wire)) as client:
        client.post(URL, json={"ada@example.com": {"_sentry_x": 1}})
    (line,) = lines()
    assert line["findings"][0]["path"] == "/<15 characters, b5fc85e5>/_sentry_x"


def _requests(url: str, body: Any) -> None:
    given = {"data": body} if hasattr(body, "__next__") else {"json": body}
    requests.post(f"{url}/a?key=secret", **given)


def _urllib3(url: str, body: Any) -> None:
    content = body if hasattr(body, "__next__") else json.dumps(body)
    headers = {"Content-Type": "application/json"}
    with urllib3.PoolManager() as pool:
        pool.request("POST", f"{url}/a?key=secret", body=content, headers=headers)


def _aiohttp(url: str, body: Any) -> None:
    async def chunks() -> Any:
        for chunk in body:
            yield chunk

    async def send() -> None:
        given = {"data": chunks()} if hasattr(body, "__next__") else {"json": body}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{url}/a?key=secret", **given),
        ):
            pass

    asyncio.run(send())


BESIDE = {"requests": _requests, "urllib3": _urllib3, "aiohttp": _aiohttp}


@pytest.mark.parametrize("guarded", [False, True], ids=["watched", "guarded"])
@pytest.mark.parametrize("library", BESIDE)
def test_libraries_beside_httpx(library: str, guarded: bool, lines: Any) -> None:
    """Guarded or not, a line a body."""
    send = BESIDE[library]
    body_guard.install(libraries=(library,) if guarded else ())
    with provider() as server:
        send(server.url, {"a": 1, "_sentry_x": 1})
        send(server.url, iter([b"secret"]))
    first, second = lines()
    assert (first["host"], first["path"], first["method"]) == ("127.0.0.1", "/a", "POST")
    assert first["body"] == ({"a": "int"} if guarded else {"a": "int", "_sentry_x": "int"})
    assert (first["judged"], first["changed"]) == (True, guarded)
    assert [found["rule"] for found in first["findings"]] == ["sentry"]
    assert first["content_type"] == "application/json"
    assert (second["judged"], "body" in second) == (False, False)


@pytest.mark.parametrize("libraries", [(), ("botocore",), "all"], ids=["watched", "alone", "all"])
def test_botocore(libraries: Any, lines: Any) -> None:
    """Judged before it is signed; what its protocol says is no JSON is not."""
    body_guard.install(libraries=libraries)
    options: dict[str, Any] = {
        "region_name": "us-east-1",
        "aws_access_key_id": "a",
        "aws_secret_access_key": "b",
    }
    with provider() as server:
        session = botocore.session.get_session()
        runtime = session.create_client("bedrock-runtime", endpoint_url=server.url, **options)
        body = json.dumps({"a": 1, "_sentry_x": 1})
        runtime.invoke_model(modelId="m", body=body, contentType="application/json")["body"].read()
        sns = session.create_client("sns", endpoint_url=server.url, **options)
        with contextlib.suppress(botocore.parsers.ResponseParserError):
            sns.publish(TopicArn="arn:aws:sns:us-east-1:1:a", Message="secret")
    first, *others = lines()
    assert first["body"] == ({"a": "int"} if libraries else {"a": "int", "_sentry_x": "int"})
    assert first["changed"] is bool(libraries)
    assert [found["rule"] for found in first["findings"]] == ["sentry"]
    assert {line["judged"] for line in others} == {False}


@pytest.mark.parametrize("library", ["requests", "aiohttp"])
def test_each_hop_of_another_library(library: str, lines: Any) -> None:
    """A redirect that keeps the body is a line of its own."""
    with redirecting() as url:
        BESIDE[library](url, {"a": 1})
    assert [line["path"] for line in lines()] == ["/a", "/again"]


@contextlib.contextmanager
def redirecting() -> Iterator[str]:
    """Redirect what is not on its second way."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200 if self.path == "/again" else 307)
            self.send_header("Location", "/again")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_threads_and_tasks(wire: Wire, lines: Any) -> None:
    """A line for each body, whoever sends it."""

    def post(number: int) -> None:
        with httpx.Client(transport=httpx.MockTransport(wire)) as client:
            client.post(URL, json={f"thread{number}": 1})

    async def tasks() -> None:
        async with body_guard.GuardedAsyncClient(transport=httpx.MockTransport(wire)) as client:
            await asyncio.gather(*(client.post(URL, json={f"task{n}": 1}) for n in range(20)))

    threads = [threading.Thread(target=post, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    asyncio.run(tasks())
    for thread in threads:
        thread.join()
    seen = sorted(key for body in bodies(lines()) for key in body)
    assert seen == sorted([f"thread{n}" for n in range(5)] + [f"task{n}" for n in range(20)])


def test_another_client_in_an_auth_flow(wire: Wire, lines: Any) -> None:
    """A token that is fetched in between is a body of its own, and loses no other."""

    class Auth(httpx.Auth):
        def auth_flow(self, request: httpx.Request) -> Any:
            yield request
            with httpx.Client(transport=httpx.MockTransport(wire)) as client:
                client.post(URL, json={"token": 1})
            yield request

    with httpx.Client(transport=httpx.MockTransport(wire), auth=Auth()) as client:
        client.post(URL, json={"a": 1})
    assert sorted(map(str, bodies(lines()))) == sorted(
        map(str, [{"a": "int"}, {"token": "int"}, {"a": "int"}])
    )


def test_started_and_stopped_by_hand(wire: Wire, path: Path) -> None:
    """Each as often as one likes; two recorders at once have a line each."""
    recorder = body_guard.record(path)
    other = body_guard.record(f"{path}.other")
    with httpx.Client(transport=httpx.MockTransport(wire)) as client:
        client.post(URL, json={"before": 1})
        recorder.start()
        recorder.start()
        other.start()
        client.post(URL, json={"both": 1})
        recorder.stop()
        recorder.stop()
        client.post(URL, json={"after": 1})
        assert _installation in sys.meta_path
        other.stop()
        assert _installation not in sys.meta_path
        client.post(URL, json={"last": 1})
    assert [json.loads(line)["body"] for line in path.read_text().splitlines()] == [{"both": "int"}]
    assert len(Path(f"{path}.other").read_text().splitlines()) == 2
    assert type(client.event_hooks["request"]) is list


def test_a_failure_to_write_loses_the_record(
    wire: Wire, path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never the request; it is said once, without a value."""

    def full(number: int, line: bytes) -> int:
        raise OSError(28, "No space left on device")

    with body_guard.record(path), httpx.Client(transport=httpx.MockTransport(wire)) as client:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            client.post(URL, json={"a": "secret"})
            client.post(URL, json={"a": "secret"})
        client.post(URL, json={"a": 1})
    assert len(wire.bodies) == 3
    assert len(path.read_text().splitlines()) == 1
    assert caplog.messages == [
        f"body_guard: a body could not be recorded in {path} (No space left on device); "
        "this is said once"
    ]
    assert caplog.records[0].levelno == logging.ERROR


def test_an_observer_that_fails_loses_no_request(
    wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor another observer's record of the next."""

    def fail(departure: Any) -> None:
        raise ValueError("secret")

    OBSERVERS.append(fail)
    try:
        with GuardedClient(transport=httpx.MockTransport(wire)) as client:
            assert client.post(URL, json={"a": 1}).status_code == 200
    finally:
        OBSERVERS.remove(fail)
    assert caplog.messages == ["body_guard: an observer of bodies raised ValueError"]


def test_a_body_that_leaves_as_it_is_stopped(path: Path) -> None:
    """Another thread may have taken the list of observers before."""
    recorder = body_guard.record(path)
    with recorder:
        (observer,) = OBSERVERS
    observer(Departure("a.test", "POST", "/", None, None, b"{}"))
    assert path.read_bytes() == b""


def test_a_file_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    """When it is started, and nothing is hooked then."""
    with pytest.raises(FileNotFoundError):
        body_guard.record(tmp_path / "missing" / "file").start()
    assert not OBSERVERS


@pytest.mark.parametrize("options", [{"max_bytes": 0}, {"backups": -1}])
def test_sizes_that_make_no_sense_are_refused(options: Any, path: Path) -> None:
    """At once."""
    with pytest.raises(ValueError, match="positive max_bytes, and backups from 0 on"):
        body_guard.record(path, **options)


def test_the_body_of_a_line_that_is_too_long_is_left_out(wire: Wire, path: Path) -> None:
    """A file keeps to its size."""
    client = httpx.Client(transport=httpx.MockTransport(wire))
    with body_guard.record(path, max_bytes=400), client:
        client.post(URL, json=["x"] * 100)
    (line,) = map(json.loads, path.read_text().splitlines())
    assert "body" not in line
    assert path.stat().st_size < 400


def test_a_fork_records_too(wire: Wire, path: Path) -> None:
    """To the same file, opened again."""
    with body_guard.record(path), httpx.Client(transport=httpx.MockTransport(wire)) as client:
        child = os.fork()
        if not child:  # pragma: no cover - measured in the parent
            client.post(URL, json={"child": 1})
            os._exit(0)
        os.waitpid(child, 0)
        client.post(URL, json={"parent": 1})
    lines = [json.loads(line)["body"] for line in path.read_text().splitlines()]
    assert lines == [{"child": "int"}, {"parent": "int"}]


def test_a_library_that_is_imported_later(path: Path) -> None:
    """It is observed as soon as it is there; nothing imports it."""
    code = f"""
import sys, body_guard
recorder = body_guard.record({str(path)!r})
recorder.start()
assert "httpx" not in sys.modules and "requests" not in sys.modules
import httpx
httpx.Client(transport=httpx.MockTransport(lambda r: httpx.Response(200))).post("http://a.test/", json=[1])
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert json.loads(path.read_text())["body"] == ["int"]
