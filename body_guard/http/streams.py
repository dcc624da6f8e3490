"""Bodies that are streams: read up to a bound, so that they can be judged.

A stream that is longer, or is no JSON, is sent as it is: what was read of it, then the rest of the
same iterator, as lazily as before.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from body_guard.formats.content_type import detect_media

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from body_guard.http.outgoing import Library
    from body_guard.policy import Policy

__all__ = ["abuffer", "buffer", "is_read_in_part"]


class _Reading:
    """What has been read of a stream, and whether to read on."""

    def __init__(self, request: Any, policy: Policy) -> None:
        self._request = request
        self._policy = policy
        self._size = 0
        self._start = b""
        self.chunks: list[Any] = []

    def is_wanted(self, library: Library, interface: type[Any]) -> bool:
        """Check whether the body is an unread stream that may be judged once it is read."""
        request, most = self._request, self._policy.buffer
        stream = request.stream
        if type(stream) is library.ByteStream:  # in memory already
            return False
        length = request.headers.get("Content-Length", "")
        too_long = length.isdigit() and int(length) > most
        return issubclass(type(stream), interface) and not too_long and self._may_be_judged(b"{")

    def add(self, chunk: Any) -> bool:
        """Add a chunk; return whether to read on."""
        try:
            # A copy, unless it is bytes: a generator may fill one buffer again for each chunk.
            chunk = b"".join((chunk,))
        except TypeError:  # no bytes-like: sent on as it is, so that the library raises its error
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
        """Make what was read the request's whole body; its headers stay."""
        content = b"".join(self.chunks)
        self._request.stream, self._request._content = library.ByteStream(content), content


def buffer(request: Any, library: Library, policy: Policy) -> None:
    """Read the body of a request into memory, up to ``policy.buffer`` bytes."""
    __tracebackhide__ = True
    if not policy.buffer:
        return
    reading = _Reading(request, policy)
    if reading.is_wanted(library, library.SyncByteStream):
        rest = iter(request.stream)
        for chunk in rest:
            if not reading.add(chunk):
                request.stream = _resuming(cast(Any, library))[0](
                    request.stream, reading.chunks, rest
                )
                return
        reading.keep(library)


async def abuffer(request: Any, library: Library, policy: Policy) -> None:
    """Read the body of a request into memory, up to ``policy.buffer`` bytes."""
    __tracebackhide__ = True
    if not policy.buffer:
        return
    reading = _Reading(request, policy)
    if reading.is_wanted(library, library.AsyncByteStream):
        rest = aiter(request.stream)
        async for chunk in rest:
            if not reading.add(chunk):
                request.stream = _resuming(cast(Any, library))[1](
                    request.stream, reading.chunks, rest
                )
                return
        reading.keep(library)


def is_read_in_part(stream: Any) -> bool:
    """Check whether a stream was read as far as a policy allows, and continues from there."""
    return hasattr(stream, "_body_guard_read")


@lru_cache(maxsize=2)
def _resuming(library: Any) -> tuple[type[Any], type[Any]]:
    """Return a library's classes, sync and async, of a stream that was read in part."""

    class Resuming:
        _body_guard_read = True

        def __init__(self, stream: Any, chunks: list[Any], rest: Any) -> None:
            self._stream, self._chunks, self._rest = stream, chunks, rest

    class SyncResuming(Resuming, library.SyncByteStream):  # type: ignore[misc]
        def __iter__(self) -> Iterator[bytes]:
            __tracebackhide__ = True
            # A second iteration is the stream's own to allow or refuse.
            chunks, self._chunks = self._chunks, []
            yield from chunks
            yield from self._rest if chunks else self._stream

        def close(self) -> None:
            self._stream.close()

    class AsyncResuming(Resuming, library.AsyncByteStream):  # type: ignore[misc]
        async def __aiter__(self) -> AsyncIterator[bytes]:
            __tracebackhide__ = True
            chunks, self._chunks = self._chunks, []
            for chunk in chunks:
                yield chunk
            async for chunk in self._rest if chunks else self._stream:
                yield chunk

        async def aclose(self) -> None:
            await self._stream.aclose()

    return SyncResuming, AsyncResuming
