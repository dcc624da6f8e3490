"""A loopback provider that speaks Anthropic's Messages API, plain and as server-sent events."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-3-5-sonnet-20241022",
    "content": [{"type": "text", "text": "Hello."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2},
}

_EVENTS = (
    {
        "type": "message_start",
        "message": {**ANSWER, "content": [], "stop_reason": None},
    },
    {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "text", "text": ""},
    },
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "Hello."},
    },
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 2},
    },
    {"type": "message_stop"},
)
STREAM = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in _EVENTS)
FAILURE = {"type": "error", "error": {"type": "api_error", "message": "it is broken"}}


class Provider(ThreadingHTTPServer):
    """Keeps the bytes of every body it was sent.

    Attributes:
        url: Where it listens.
        bodies: Every body that arrived, in order.
        failing: Answer 500 while this is true.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.bodies: list[bytes] = []
        self.failing = False


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Provider

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(body)
        if self.server.failing:
            self._answer(500, "application/json", json.dumps(FAILURE))
        elif json.loads(body).get("stream"):
            self._answer(200, "text/event-stream", STREAM)
        else:
            self._answer(200, "application/json", json.dumps(ANSWER))

    def _answer(self, status: int, content_type: str, content: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, *args: Any) -> None:
        """Keep the console for pytest."""


@contextmanager
def provider() -> Iterator[Provider]:
    """Listen on a free port of 127.0.0.1 until the end of the block."""
    with Provider() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
