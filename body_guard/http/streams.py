"""Bodies that are streams: read up to a bound, so that they can be judged.

A stream that turns out to be longer, or to be no JSON, goes on as it is: what was read of it, then
the rest of the same iterator, as lazily as before.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from body_guard.formats.content_type import detect_media

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from body_guard.http.outgoing import Library
    from body_guard.policy import Policy

__all__ = ["abuffer", "buffer", "is_begun"]


class _Reading:
    """What has been read of a stream, and whether to read on."""

    def __init__(self, request: Any, policy: Policy) -> None:
        self._request = request
        self._policy = policy
        self._size = 0
        self._start = b""
        self.chunks: list[Any] = []

    def wanted(self, library: Library, interface: type[Any]) -> bool:
        """Check whether the body is an unread stream that may be judged once it is read."""
        request, most = self._request, self._policy.buffer
        stream = request.stream
        if type(stream) is library.ByteStream or "_content" in request.__dict__:
            return False
        length = request.headers.get("Content-Length", "")
        too_long = length.isdigit() and int(length) > most
        return issubclass(type(stream), interface) and not too_long and self._may_be_judged(b"{")

    def more(self, chunk: Any) -> bool:
        """Take a chunk; tell whether to read on."""
        try:
            # A copy, unless it is bytes: who yields a buffer may fill it again for the next chunk.
            chunk = b"".join((chunk,))
        except TypeError:  # no bytes-like: sent on as it is, for the library to say what is wrong
            self.chunks.append(chunk)
            return False
        self.chunks.append(chunk)
        self._size += len(chunk)
        self._start = self._start or chunk.lstrip()
        fits = self._size <= self._policy.buffer
        return fits and (not self._start or self._may_be_judged(self._start))

    def _may_be_judged(self, start: bytes) -> bool:
        media = detect_media(start, self._request.headers.get("Content-Type"))
        return not media.why or media.kind in self._policy.look_into

    def keep(self, library: Library) -> None:
        """Return the request what was read, as its whole body; its headers stay."""
        content = b"".join(self.chunks)
        self._request.stream, self._request._content = library.ByteStream(content), content


def buffer(request: Any, library: Library, policy: Policy) -> None:
    """Read the body of a request into memory, up to ``policy.buffer`` bytes."""
    __tracebackhide__ = True
    if not policy.buffer:
        return
    reading = _Reading(request, policy)
    if reading.wanted(library, library.SyncByteStream):
        rest = iter(request.stream)
        for chunk in rest:
            if not reading.more(chunk):
                request.stream = _begun(cast(Any, library))[0](request.stream, reading.chunks, rest)
                return
        reading.keep(library)


async def abuffer(request: Any, library: Library, policy: Policy) -> None:
    """Read the body of a request into memory, up to ``policy.buffer`` bytes."""
    __tracebackhide__ = True
    if not policy.buffer:
        return
    reading = _Reading(request, policy)
    if reading.wanted(library, library.AsyncByteStream):
        rest = aiter(request.stream)
        async for chunk in rest:
            if not reading.more(chunk):
                request.stream = _begun(cast(Any, library))[1](request.stream, reading.chunks, rest)
                return
        reading.keep(library)


def is_begun(stream: Any) -> bool:
    """Check whether a stream was read as far as a policy wanted it, and goes on from there."""
    return hasattr(stream, "_body_guard_begun")


@lru_cache(maxsize=2)
def _begun(library: Any) -> tuple[type[Any], type[Any]]:
    """Make the classes of a stream that was begun to be read, sync and async, for a library."""

    class Begun:
        _body_guard_begun = True

        def __init__(self, stream: Any, chunks: list[Any], rest: Any) -> None:
            self._stream, self._chunks, self._rest = stream, chunks, rest

    class SyncBegun(Begun, library.SyncByteStream):  # type: ignore[misc]
        def __iter__(self) -> Iterator[bytes]:
            __tracebackhide__ = True
            # Whoever iterates a second time gets what the stream itself says to that.
            chunks, self._chunks = self._chunks, []
            yield from chunks
            yield from self._rest if chunks else self._stream

        def close(self) -> None:
            self._stream.close()

    class AsyncBegun(Begun, library.AsyncByteStream):  # type: ignore[misc]
        async def __aiter__(self) -> AsyncIterator[bytes]:
            __tracebackhide__ = True
            chunks, self._chunks = self._chunks, []
            for chunk in chunks:
                yield chunk
            async for chunk in self._rest if chunks else self._stream:
                yield chunk

        async def aclose(self) -> None:
            await self._stream.aclose()

    return SyncBegun, AsyncBegun
