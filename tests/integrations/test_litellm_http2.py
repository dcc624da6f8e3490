"""litellm over HTTP/2: for all providers by a setting, and for one by its own default."""

from __future__ import annotations

import inspect
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import litellm
import pytest
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

from body_guard.integrations import litellm as integration

pytest.importorskip("h2")
if not hasattr(litellm, "http2"):
    pytest.skip("this release has no HTTP/2", allow_module_level=True)

import h2.config
import h2.connection
import h2.events

from llm_calls import Live, call_named
from llm_fixtures import *  # noqa: F403 - pytest finds fixtures by name in the module
from llm_provider import CHAT, GEMINI, MESSAGE

pytestmark = LITELLM_WARNINGS  # noqa: F405

PEM = Path(__file__).parents[1] / "data" / "loopback.pem"
ANSWERS = {b"/v1/chat": CHAT, b"/v1/messages": MESSAGE}


def answer(connection: Any, event: Any, path: bytes) -> None:
    body = json.dumps(next((a for p, a in ANSWERS.items() if path.startswith(p)), GEMINI)).encode()
    headers = [(":status", "200"), ("content-type", "application/json")]
    connection.send_headers(event.stream_id, headers)
    connection.send_data(event.stream_id, body, end_stream=True)


def serve(peer: ssl.SSLSocket, arrived: list[tuple[dict[bytes, bytes], bytes]]) -> None:
    """Answer the requests of one connection, one at a time; keep their headers and bodies."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    connection.initiate_connection()
    headers: dict[bytes, bytes] = {}
    body = b""
    with peer, suppress(OSError):
        while True:
            peer.sendall(connection.data_to_send())
            received = peer.recv(65536)
            if not received:
                return
            for event in connection.receive_data(received):
                if isinstance(event, h2.events.RequestReceived):
                    headers, body = {bytes(n): bytes(v) for n, v in event.headers}, b""
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data
                elif isinstance(event, h2.events.StreamEnded):
                    arrived.append((headers, body))
                    answer(connection, event, headers[b":path"])


@pytest.fixture
def server() -> Iterator[tuple[str, list[Any]]]:
    """Return the address of a server that speaks HTTP/2 over TLS alone, and what arrives there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    context.set_alpn_protocols(["h2"])
    arrived: list[Any] = []
    threads: list[threading.Thread] = []

    def accept(listening: socket.socket) -> None:
        while True:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            with suppress(OSError):
                peer = context.wrap_socket(plain, server_side=True)
                threads.append(threading.Thread(target=serve, args=(peer, arrived), daemon=True))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threads.append(threading.Thread(target=accept, args=(listening,)))
        threads[-1].start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}", arrived
        listening.shutdown(socket.SHUT_RDWR)
        threads[0].join()


@pytest.fixture(autouse=True)
def fresh_clients() -> Iterator[None]:
    litellm.in_memory_llm_clients_cache.flush_cache()
    yield
    litellm.in_memory_llm_clients_cache.flush_cache()


@pytest.mark.parametrize("form", ["sync", "async"])
@pytest.mark.parametrize("name", ["openai", "vllm", "anthropic", "gemini"])
@pytest.mark.parametrize("thing", [Live(), "SECRET"], ids=["live", "string"])
def test_a_call_over_http2(
    thing: Any,
    name: str,
    form: str,
    server: tuple[str, list[Any]],
    loop: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The setting takes another transport in place of aiohttp's: guarded like that one."""
    url, arrived = server
    monkeypatch.setattr(litellm, "http2", True)
    monkeypatch.setattr(litellm, "ssl_verify", False)
    integration.install()
    call = call_named(name)
    call.run(form, loop, {**call.arguments(url), "extra_body": {"_sentry_x": thing, "kept": 1}})
    ((headers, body),) = arrived
    assert b"_sentry_" not in body
    assert b"SECRET" not in body
    assert b"kept" in body
    assert headers[b"content-length"] == b"%d" % len(body)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("argument", ["json", "data"])
def test_a_provider_that_has_http2_by_default(
    argument: str, when: str, server: tuple[str, list[Any]], loop: Any
) -> None:
    """Its handler has a transport of litellm's own; its client's bytes are netted all the same."""
    if "http2" not in inspect.signature(AsyncHTTPHandler).parameters:
        pytest.skip("this release has HTTP/2 for all providers or none")
    url, arrived = server
    early = AsyncHTTPHandler(http2=True, ssl_verify=False) if when == "before" else None
    integration.install()
    handler = early or AsyncHTTPHandler(http2=True, ssl_verify=False)
    dirty: Any = {"a": 1, "_sentry_x": "SECRET"}
    given = {"json": dirty} if argument == "json" else {"data": json.dumps(dirty)}
    loop.run_until_complete(handler.post(f"{url}/v1/chat", **given))
    loop.run_until_complete(handler.close())
    ((headers, body),) = arrived
    assert json.loads(body) == {"a": 1}
    assert headers[b"content-length"] == b"%d" % len(body)
