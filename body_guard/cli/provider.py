"""A provider on the loopback interface: it keeps what arrives and answers like OpenAI's API."""

from __future__ import annotations

import json
import socket
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

__all__ = ["Provider", "Received", "provider"]

_COMPLETION: Final = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "gpt-4o-mini",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello."},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}

#: What is answered, by path; any other path gets `_OTHERWISE`.
_ANSWERS: Final[dict[str, object]] = {
    "/chat/completions": _COMPLETION,
    "/v1/chat/completions": _COMPLETION,
}
_OTHERWISE: Final = {"status": "ok"}


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived; of a chunked body, the bytes of its chunks."""

    path: str
    headers: Message
    body: bytes


@dataclass(frozen=True, slots=True)
class Provider:
    """A server on ``http://127.0.0.1:<port>``, and every request that arrived whole; it grows."""

    url: str
    received: list[Received]


@contextmanager
def provider() -> Iterator[Provider]:
    """Listen on a free port of 127.0.0.1; on leaving, every connection and thread has ended."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        # The default poll interval would make each stop take up to half a second.
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield Provider(f"http://127.0.0.1:{server.server_address[1]}", server.received)
        finally:
            server.shutdown()
            thread.join()
            server.hang_up()


class _Server(ThreadingTCPServer):
    """A thread for each connection; it waits for them all when it closes.

    Not http.server's: that asks the resolver for the machine's name, and leaves threads behind.
    """

    def __init__(self, *args: Any) -> None:
        self.received: list[Received] = []
        self._open: set[Any] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep open, so that their threads can end."""
        for connection in list(self._open):
            with suppress(OSError):  # its thread may have closed it just now
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a client may go when it likes
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes
    server: _Server

    def _answer(self) -> None:
        try:
            body = self._body()
        except ValueError:
            self.send_error(400)
            return
        self.server.received.append(Received(self.path, self.headers, body))
        answer = json.dumps(_ANSWERS.get(self.path.partition("?")[0], _OTHERWISE)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_DELETE = do_GET = do_PATCH = do_POST = do_PUT = _answer  # noqa: N815 - http.server's names

    def _body(self) -> bytes:
        """Read the body to its end, since the next request follows it on the connection."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(self._chunks())
        return self._exactly(int(self.headers.get("Content-Length", "0")))

    def _chunks(self) -> Iterator[bytes]:
        """Return the chunks of a body (RFC 9112, section 7.1), extensions and trailers dropped."""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield self._exactly(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _exactly(self, size: int) -> bytes:
        content = self.rfile.read(max(size, 0))
        if len(content) != size:
            raise ConnectionAbortedError("the client left in the middle of a body")
        return content

    def log_message(self, *args: object) -> None:
        """Keep the console for the demo."""
