from __future__ import annotations

import http.client
import socket
import struct
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import openai
import pytest

from body_guard.cli import provider as module
from body_guard.cli.provider import Provider, provider

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[Provider]:
    with provider() as listening:
        yield listening


def connect(server: Provider) -> socket.socket:
    url = httpx.URL(server.url)
    assert url.port is not None
    return socket.create_connection((url.host, url.port), timeout=10)


def exchange(server: Provider, sent: bytes) -> bytes:
    """Send bytes and read until the server closes or the client says it is done."""
    with connect(server) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def bodies(server: Provider) -> list[bytes]:
    return [received.body for received in server.received]


def test_keeps_what_arrived(server: Provider) -> None:
    """A request is kept with its path, its headers and the very bytes of its body."""
    body = b'{"a": "\xc3\xa9\\u00e9", "a":  1}'
    httpx.post(f"{server.url}/v1/x?y=1", content=body, headers={"X-A": "b"}, trust_env=False)
    (received,) = server.received
    assert received.path == "/v1/x?y=1"
    assert received.headers["x-a"] == "b"
    assert received.body == body


@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_answers_as_openai_does(server: Provider, prefix: str) -> None:
    """The OpenAI SDK reads the answer as a chat completion."""
    with (
        httpx.Client(trust_env=False) as client,
        openai.OpenAI(api_key="sk-demo", base_url=server.url + prefix, http_client=client) as sdk,
    ):
        completion = sdk.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "Say hello."}]
        )
    assert completion.choices[0].message.content == "Hello."
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.total_tokens == 2
    assert [received.path for received in server.received] == [f"{prefix}/chat/completions"]


@pytest.mark.parametrize("method", ["DELETE", "GET", "PATCH", "POST", "PUT"])
def test_answers_anything_else_with_json(server: Provider, method: str) -> None:
    """Any other path gets a short JSON answer, by any method."""
    response = httpx.request(method, f"{server.url}/anything", trust_env=False)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"status": "ok"}
    assert bodies(server) == [b""]


def test_query_does_not_change_the_answer(server: Provider) -> None:
    """A query after the path of a chat completion gets a chat completion all the same."""
    response = httpx.post(f"{server.url}/v1/chat/completions?api-version=1", trust_env=False)
    assert response.json()["object"] == "chat.completion"


def test_keeps_a_connection(server: Provider) -> None:
    """Two requests go over one connection, and each is kept apart from the other."""
    connection = http.client.HTTPConnection(httpx.URL(server.url).netloc.decode(), timeout=10)
    try:
        connection.request("POST", "/one", b"first")
        connection.getresponse().read()
        used = connection.sock
        connection.request("POST", "/two", b"second")
        connection.getresponse().read()
        assert used is not None
        assert connection.sock is used
    finally:
        connection.close()
    assert bodies(server) == [b"first", b"second"]


def test_reads_a_chunked_body(server: Provider) -> None:
    """A chunked body is put together, and the request behind it is read as one."""
    answer = exchange(
        server,
        b"POST /one HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"
        b"3;name=value\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"
        b"POST /two HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi",
    )
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert bodies(server) == [b"abc0123456789", b"hi"]


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"Content-Length: two\r\n\r\nhi", id="length"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nhi", id="chunk size"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", id="chunks end early"),
    ],
)
def test_refuses_what_it_cannot_read(server: Provider, head: bytes) -> None:
    """A body whose end cannot be told is refused, not kept, and ends the connection."""
    with connect(server) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: h\r\n" + head)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(12) == b"HTTP/1.1 400"
        while client.recv(65536):
            pass
    assert server.received == []


def test_drops_a_body_that_is_cut_off(server: Provider, capfd: pytest.CaptureFixture[str]) -> None:
    """A body shorter than announced is not kept, and nothing is answered or printed."""
    answer = exchange(server, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhi")
    assert answer == b""
    assert server.received == []
    assert capfd.readouterr() == ("", "")


def test_does_not_wait_for_a_body_of_negative_length(server: Provider) -> None:
    """A negative length ends the connection, though the client would keep it open."""
    with connect(server) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n")
        assert client.recv(1) == b""
    assert server.received == []


def test_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """Neither a request, nor one it refuses, nor a client that breaks off shows on the console."""
    with provider() as server:
        httpx.post(server.url, content=b"x", trust_env=False)
        assert b" 501 " in exchange(server, b"BREW / HTTP/1.1\r\nHost: h\r\n\r\n")
        with connect(server) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n")
            # Lingering for no time makes close() send a reset.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert bodies(server) == [b"x"]
    assert capfd.readouterr() == ("", "")


def test_does_not_hide_its_own_errors(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error of the provider itself is shown, since the demo would be wrong without it."""

    def broken(self: object) -> bytes:
        raise RuntimeError("a bug")

    monkeypatch.setattr(module._Handler, "_body", broken)
    with provider() as server:
        assert exchange(server, b"POST / HTTP/1.1\r\nHost: h\r\n\r\n") == b""
    assert "RuntimeError: a bug" in capsys.readouterr().err


def test_stops_while_clients_are_connected() -> None:
    """On leaving, idle and half-used connections are closed, and every thread has ended."""
    request = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"
    before = set(threading.enumerate())
    with ExitStack() as clients:
        with provider() as server:
            idle = clients.enter_context(connect(server))
            half = clients.enter_context(connect(server))
            for client in (idle, half):
                client.sendall(request)
                assert client.recv(12) == b"HTTP/1.1 200"  # so both are accepted by now
            half.sendall(request[:-1])
            assert len(set(threading.enumerate()) - before) == 3
        assert set(threading.enumerate()) - before == set()
        while idle.recv(65536):
            pass  # ends, since the server has closed its side
    assert bodies(server) == [b"hi", b"hi"]


def test_stops_when_the_block_raises() -> None:
    """An exception in the block is not lost, and the server stops."""
    before = set(threading.enumerate())
    with pytest.raises(KeyError), provider():
        raise KeyError
    assert set(threading.enumerate()) - before == set()


def test_hangs_up_on_a_connection_that_has_gone() -> None:
    """A connection that its thread closes at this very moment does not keep the server up."""
    ours, theirs = socket.socketpair()
    ours.close()
    theirs.close()
    with module._Server(("127.0.0.1", 0), module._Handler) as server:
        server._open.add(ours)
        server.hang_up()
        assert ours.fileno() == -1


def test_each_has_a_port_of_its_own() -> None:
    """Two providers at once keep their requests apart."""
    with provider() as one, provider() as two:
        httpx.post(one.url, content=b"1", trust_env=False)
        httpx.post(two.url, content=b"2", trust_env=False)
    assert (bodies(one), bodies(two)) == ([b"1"], [b"2"])
