"""A provider that reads what it is sent and says ok: ``python -m benchmarks.server``.

Prints its URL and answers until it is ended. It does as little as HTTP/1.1 allows: what a benchmark
of clients measures should be the clients.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["serving"]

_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n"
    b'{"status":"ok"}'
)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class _Provider(asyncio.Protocol):
    """One connection: heads are kept until they are whole, bodies are counted and dropped."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.head = bytearray()
        self.left = 0

    def data_received(self, data: bytes) -> None:
        if self.left:
            self._body(data)
            return
        self.head += data
        end = self.head.find(b"\r\n\r\n")
        if end < 0:
            return
        found = _LENGTH.search(self.head, 0, end)
        self.left = int(found.group(1)) if found else 0
        rest = bytes(self.head[end + 4 :])
        self.head.clear()
        self._body(rest)

    def _body(self, data: bytes) -> None:
        self.left -= len(data)
        if self.left <= 0:
            self.left = 0
            self.transport.write(_ANSWER)


@contextmanager
def serving() -> Iterator[str]:
    """Run the provider in a process of its own; yield its URL."""
    command = [sys.executable, "-m", "benchmarks.server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        try:
            yield url
        finally:
            process.terminate()


async def serve() -> None:
    """Listen on a free port of 127.0.0.1."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Provider, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
