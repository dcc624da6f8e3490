"""LLM providers on the loopback interface, by the shapes of their answers; it keeps what arrives."""

from __future__ import annotations

import base64
import json
import re
import socket
import struct
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any

USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}
    ],
    "usage": USAGE,
    "service_tier": "default",
}
CHAT_CHUNK = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1700000000,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "delta": {"role": "assistant", "content": "Hello."},
            "finish_reason": "stop",
        }
    ],
}
TEXT = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1700000000,
    "model": "m",
    "choices": [{"index": 0, "text": "Hello.", "finish_reason": "stop", "logprobs": None}],
    "usage": USAGE,
}
EMBEDDING = {
    "object": "list",
    "model": "m",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.1]}],
    "usage": {"prompt_tokens": 1, "total_tokens": 1},
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1700000000,
    "status": "completed",
    "model": "m",
    "output": [
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hello.", "annotations": []}],
        }
    ],
    "parallel_tool_calls": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
}
BATCH = {
    "id": "batch_1",
    "object": "batch",
    "endpoint": "/v1/chat/completions",
    "input_file_id": "file_1",
    "completion_window": "24h",
    "status": "validating",
    "created_at": 1700000000,
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "Hello."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
MESSAGE_EVENTS = (
    {
        "type": "message_start",
        "message": {**MESSAGE, "content": [], "stop_reason": None},
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "Hello."},
    },
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 1},
    },
    {"type": "message_stop"},
)
CONVERSE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hello."}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
    "metrics": {"latencyMs": 1},
}
GEMINI = {
    "candidates": [
        {
            "content": {"role": "model", "parts": [{"text": "Hello."}]},
            "finishReason": "STOP",
            "index": 0,
        }
    ],
    "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
}
COHERE_CHAT = {
    "id": "c",
    "text": "Hello.",
    "generation_id": "g",
    "finish_reason": "COMPLETE",
    "message": {"role": "assistant", "content": [{"type": "text", "text": "Hello."}]},
    "meta": {"billed_units": {"input_tokens": 1, "output_tokens": 1}},
    "usage": {"tokens": {"input_tokens": 1, "output_tokens": 1}},
}
COHERE_EMBED = {
    "id": "e",
    "texts": ["hi"],
    "embeddings": {"float": [[0.1]]},
    "meta": {"billed_units": {"input_tokens": 1}},
}
OCR = {
    "pages": [{"index": 0, "markdown": "Hello.", "images": [], "dimensions": None}],
    "model": "m",
    "usage_info": {"pages_processed": 1},
}
REDUCTO = {
    "job_id": "j",
    "duration": 1,
    "usage": {"num_pages": 1},
    "result": {"type": "full", "chunks": [{"content": "Hello.", "embed": "", "blocks": []}]},
}
RERANK = {
    "id": "r",
    "results": [{"index": 0, "relevance_score": 0.9}],
    "meta": {"billed_units": {"search_units": 1}},
}


def _aws_event(kind: str, payload: dict[str, Any]) -> bytes:
    """Frame one event as AWS does: lengths, headers of type 7 (a string), and two checksums."""
    content = json.dumps(payload).encode()
    headers = b"".join(
        struct.pack("!B", len(name)) + name + struct.pack("!BH", 7, len(value)) + value
        for name, value in (
            (b":message-type", b"event"),
            (b":event-type", kind.encode()),
            (b":content-type", b"application/json"),
        )
    )
    prelude = struct.pack("!II", 16 + len(headers) + len(content), len(headers))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + content
    return message + struct.pack("!I", zlib.crc32(message))


CONVERSE_EVENTS = b"".join(
    (
        _aws_event("messageStart", {"role": "assistant"}),
        _aws_event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hello."}}),
        _aws_event("messageStop", {"stopReason": "end_turn"}),
        _aws_event("metadata", {"usage": CONVERSE["usage"], "metrics": {"latencyMs": 1}}),
    )
)
INVOKE_EVENTS = b"".join(
    _aws_event("chunk", {"bytes": base64.b64encode(json.dumps(event).encode()).decode()})
    for event in MESSAGE_EVENTS
)

#: What is answered: the first row whose pattern is found in the path. A tuple is streamed as
#: server-sent events when the body asks for a stream; bytes are AWS's events.
ANSWERS: tuple[tuple[str, Any, tuple[Any, ...]], ...] = (
    (r"/ocr$", OCR, ()),
    (r"^/upload$", {"file_id": "reducto://file"}, ()),
    (r"^/parse$", REDUCTO, ()),
    (r"/chat/completions", CHAT, (CHAT_CHUNK, "[DONE]")),
    (r"/completions", TEXT, ({**TEXT, "object": "text_completion"}, "[DONE]")),
    (r"/embeddings", EMBEDDING, ()),
    (r"/responses", RESPONSE, ({"type": "response.completed", "response": RESPONSE},)),
    (r"/images/generations", {"created": 1700000000, "data": [{"url": "http://i"}]}, ()),
    (r"/batches", BATCH, ()),
    (r"/messages", MESSAGE, MESSAGE_EVENTS),
    (r"/converse-stream", CONVERSE_EVENTS, ()),
    (r"/invoke-with-response-stream", INVOKE_EVENTS, ()),
    (r"[rR]awPredict", MESSAGE, MESSAGE_EVENTS),
    (r"/converse", CONVERSE, ()),
    (r"titan-embed.*/invoke", {"embedding": [0.1], "inputTextTokenCount": 1}, ()),
    (r"/invoke$", MESSAGE, ()),
    (r"/invocations", {**CHAT, "generated_text": "Hello."}, (CHAT_CHUNK, "[DONE]")),
    (r"[gG]enerateContent", GEMINI, (GEMINI,)),
    (r"/embed", COHERE_EMBED, ()),
    (r"/rerank", RERANK, ()),
    (r"/v\d/chat$|/chat$", COHERE_CHAT, ()),
)


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived."""

    method: str
    path: str
    headers: Message
    body: bytes


@dataclass(slots=True)
class LLMProvider:
    """A server that listens.

    ``script`` says what happens to the next requests, first to last: a number is answered as a
    status, ``"drop"`` closes the connection, ``"slow"`` answers after the client has given up.
    """

    url: str = ""
    received: list[Received] = field(default_factory=list)
    script: list[int | str] = field(default_factory=list)

    @property
    def bodies(self) -> list[bytes]:
        return [received.body for received in self.received]

    def clear(self) -> None:
        self.received.clear()
        self.script.clear()


@contextmanager
def llm_provider() -> Iterator[LLMProvider]:
    """Listen on a free port of 127.0.0.1."""
    provider = LLMProvider()
    with _Server(provider) as server:
        provider.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()
            server.hang_up()


class _Server(ThreadingTCPServer):
    request_queue_size = 64

    def __init__(self, provider: LLMProvider) -> None:
        self.provider = provider
        self._open: set[Any] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # a client may go when it likes
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _answer(self) -> None:
        provider = self.server.provider
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self._chunks()
        provider.received.append(Received(self.command, self.path, self.headers, body))
        act = provider.script.pop(0) if provider.script else 200
        if act == "drop":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif act == "slow":
            time.sleep(1)
            self.close_connection = True
        elif act == 200:
            self._say(body)
        else:
            self._send(int(act), b'{"error": {"message": "scripted"}}', "application/json")

    do_DELETE = do_GET = do_PATCH = do_POST = do_PUT = _answer  # noqa: N815 - http.server's names

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _say(self, body: bytes) -> None:
        path = self.path.partition("?")[0]
        for pattern, whole, events in ANSWERS:
            if re.search(pattern, path):
                streamed = "streamGenerateContent" in path or b'"stream": true' in body
                if isinstance(whole, bytes):
                    self._send(200, whole, "application/vnd.amazon.eventstream")
                elif events and (streamed or b'"stream":true' in body):
                    self._send(200, b"".join(map(_event, events)), "text/event-stream")
                else:
                    self._send(200, json.dumps(whole).encode(), "application/json")
                return
        self._send(200, b'{"status": "ok"}', "application/json")

    def _send(self, status: int, answer: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: object) -> None:
        """Keep the console quiet."""


def _event(event: Any) -> bytes:
    if isinstance(event, str):
        return f"data: {event}\n\n".encode()
    name = f"event: {event['type']}\n" if isinstance(event.get("type"), str) else ""
    return f"{name}data: {json.dumps(event)}\n\n".encode()
