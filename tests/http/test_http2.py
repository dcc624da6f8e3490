"""HTTP/2, where nobody polices the length: it has to be right by itself."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest

from doors import Family

DIRTY = b'{"a": 1.10, "_sentry_x": {}}'
CLEAN = b'{"a": 1.10}'


def serve(listening: socket.socket, arrived: list[Any]) -> None:
    """Answer the requests of one connection; keep their headers and bodies."""
    peer, _ = listening.accept()
    with peer:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        headers: Any = {}
        body = b""
        while True:
            peer.sendall(connection.data_to_send())
            received = peer.recv(65536)
            if not received:
                return
            for event in connection.receive_data(received):
                if isinstance(event, h2.events.RequestReceived):
                    headers, body = dict(event.headers), b""
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data
                elif isinstance(event, h2.events.StreamEnded):
                    arrived.append((headers, body))
                    connection.send_headers(event.stream_id, [(":status", "200")], end_stream=True)


@pytest.fixture
def server() -> Iterator[tuple[str, list[Any]]]:
    """Return the address of an HTTP/2 server without TLS, and what arrives there."""
    arrived: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening, arrived))
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", arrived
        thread.join()


@pytest.mark.parametrize("content", [DIRTY, CLEAN], ids=["dirty", "clean"])
def test_the_length_is_right(family: Family, server: tuple[str, list[Any]], content: bytes) -> None:
    """The content-length that arrives is that of the body that arrives."""
    url, arrived = server
    with family.guarded.GuardedClient(http1=False, http2=True, trust_env=False) as client:
        response = client.post(url, content=content)
    assert response.http_version == "HTTP/2"
    ((headers, body),) = arrived
    assert body == CLEAN
    assert headers[b"content-length"] == b"%d" % len(CLEAN)


def test_a_transport_over_http2(family: Family, server: tuple[str, list[Any]]) -> None:
    """The same through a guarded transport."""
    url, arrived = server
    inside = family.library.HTTPTransport(http1=False, http2=True)
    with family.library.Client(transport=family.guarded.GuardedTransport(inside)) as client:
        client.post(url, content=DIRTY)
    assert [(headers[b"content-length"], body) for headers, body in arrived] == [(b"11", CLEAN)]
