"""Streams: untouched by default, judged up to a bound, and lazy beyond it."""

from __future__ import annotations

import array
import io
from collections.abc import AsyncIterator, Callable, Iterator
from traceback import walk_tb
from typing import Any

import anyio
import httpx
import pytest

from body_guard import Policy, Report
from body_guard.http import streams
from body_guard.http.request_guard import Guard

from doors import Door, Family, Wire, exchange

URL = "http://provider.test/"
DIRTY = b'{"a": 1.10, "_sentry_x": {}}'
CLEAN = b'{"a": 1.10}'
BUFFERED = Policy(buffer=len(DIRTY))


class Source:
    """A body in chunks that notes how far it was read."""

    def __init__(self, *chunks: Any) -> None:
        self.chunks = chunks
        self.read = 0

    def sync(self) -> Iterator[Any]:
        for chunk in self.chunks:
            self.read += 1
            yield chunk

    async def asynchronous(self) -> AsyncIterator[Any]:
        for chunk in self.chunks:
            self.read += 1
            yield chunk

    def of(self, door: Door) -> Any:
        return self.asynchronous() if door.is_async else self.sync()


def chunks(
    door: Door, source: Source, policy: Policy, **options: Any
) -> tuple[Report, list[bytes]]:
    """Send a stream; give the report and the chunks in which it arrived, and when."""
    arrived: list[bytes] = []

    if door.is_async:

        async def handle(request: Any) -> Any:
            arrived.append(b"read before: %d" % source.read)
            arrived.extend([chunk async for chunk in request.stream])
            return door.library.Response(200)

    else:

        def handle(request: Any) -> Any:
            arrived.append(b"read before: %d" % source.read)
            arrived.extend(request.stream)
            return door.library.Response(200)

    class Lazy(door.library.AsyncBaseTransport if door.is_async else door.library.BaseTransport):
        handle_request = handle_async_request = lambda self, request: handle(request)

    client = door.client(Lazy(), policy)
    content = source.of(door)
    if door.is_async:
        response = anyio.run(lambda: client.post(URL, content=content, **options))
    else:
        response = client.post(URL, content=content, **options)
    return response.request.extensions["body_guard"], arrived


def test_untouched_by_default(door: Door) -> None:
    """Not one chunk is read before the transport asks for it."""
    report, arrived = chunks(door, Source(DIRTY[:9], DIRTY[9:]), Policy())
    assert arrived == [b"read before: 0", DIRTY[:9], DIRTY[9:]]
    assert (report.judged, report.why_not_judged) == (False, "stream")


@pytest.mark.parametrize(
    "headers", [{}, {"content-type": "application/json"}], ids=["sniffed", "declared"]
)
def test_a_short_one_is_judged(door: Door, headers: dict[str, str]) -> None:
    """Up to the bound it is read, cut, and sent as one piece."""
    report, arrived = chunks(door, Source(DIRTY[:9], DIRTY[9:]), BUFFERED, headers=headers)
    assert arrived == [b"read before: 2", CLEAN]
    assert report.changed


def test_a_body_in_memory_keeps_its_stream(door: Door) -> None:
    """There is nothing to read: the clean request goes out as it was built."""
    request = door.library.Request("POST", URL, content=CLEAN)
    stream, guard = request.stream, Guard(door.library, BUFFERED)
    if door.is_async:
        anyio.run(guard.abuffer, request)
    else:
        guard.buffer(request)
    assert request.stream is stream


def test_a_stream_of_the_other_kind_is_the_librarys_error(door: Door) -> None:
    """An async client that is given a sync stream, and the reverse, says so as without a guard."""

    async def chunks_async() -> Any:
        yield DIRTY

    content = iter([DIRTY]) if door.is_async else chunks_async()
    request = door.library.Request("POST", URL, content=content)
    stream, guard = request.stream, Guard(door.library, BUFFERED)
    if door.is_async:
        anyio.run(guard.abuffer, request)
    else:
        guard.buffer(request)
    assert request.stream is stream


def test_a_longer_one_goes_on_lazily(door: Door) -> None:
    """What was read goes first, in its chunks; the rest is read when it is asked for."""
    source = Source(DIRTY[:9], DIRTY[9:], b" ", b"\n")
    report, arrived = chunks(door, source, BUFFERED)
    assert arrived == [b"read before: 3", DIRTY[:9], DIRTY[9:], b" ", b"\n"]
    assert report.why_not_judged == "stream"


@pytest.mark.parametrize(
    ("options", "before"),
    [
        ({"headers": {"content-type": "image/png"}}, 0),
        ({"headers": {"content-length": "100"}}, 0),
        ({}, 1),
    ],
    ids=["an image", "known to be longer", "no JSON"],
)
def test_what_cannot_be_judged_is_not_read(door: Door, options: Any, before: int) -> None:
    """Neither by its type, nor by its length, nor beyond its first chunk."""
    report, arrived = chunks(door, Source(b"<a", b">"), BUFFERED, **options)
    assert arrived == [b"read before: %d" % before, b"<a", b">"]
    assert report.why_not_judged == "stream"


@pytest.mark.parametrize(
    "kind",
    [bytearray, memoryview, lambda chunk: array.array("B", chunk)],
    ids=["bytearray", "memoryview", "array"],
)
def test_chunks_need_not_be_bytes(door: Door, kind: Callable[[bytes], Any]) -> None:
    """What httpx joins to a body is judged as one, whatever kind of buffer its chunks are."""
    source = Source(kind(b" "), kind(DIRTY[:9]), kind(DIRTY[9:]))
    report, arrived = chunks(door, source, Policy(buffer=100))
    assert arrived == [b"read before: 3", b" " + CLEAN]
    assert report.changed


def test_a_buffer_that_is_used_again_is_read_in_time(door: Door) -> None:
    """A generator may fill one buffer again and again: what it held is sent, not what it holds."""
    buffer = bytearray(4)

    class Refilling(Source):
        def fill(self) -> Iterator[memoryview]:
            for chunk in self.chunks:
                buffer[: len(chunk)] = chunk
                yield memoryview(buffer)[: len(chunk)]

        def sync(self) -> Any:
            return self.fill()

        async def asynchronous(self) -> Any:
            for chunk in self.fill():
                yield chunk

    whole = [b"[1, ", b"2, 3", b"]"]
    assert chunks(door, Refilling(*whole), BUFFERED)[1][1:] == [b"[1, 2, 3]"]
    assert chunks(door, Refilling(*whole), Policy(buffer=5))[1][1:] == [b"[1, ", b"2, 3", b"]"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([DIRTY[:9], "text"], "sequence item 1: expected a bytes-like object, str found"),
        (["text"], "sequence item 0: expected a bytes-like object, str found"),
        ([123], "sequence item 0: expected a bytes-like object, int found"),
    ],
    ids=["text at last", "text", "an int"],
)
def test_a_chunk_that_is_no_bytes_is_httpx_s_to_refuse(
    door: Door, wire: Wire, source: list[Any], message: str
) -> None:
    """The error is the one that an unguarded client raises."""
    with pytest.raises(TypeError) as caught:
        exchange(door, wire, lambda c: c.post(URL, content=Source(*source).of(door)), BUFFERED)
    assert str(caught.value) == message


def test_headers_of_a_buffered_stream_stay(door: Door, wire: Wire) -> None:
    """It is still chunked, and gets no second length; a clean one is the same bytes."""
    for body in (DIRTY, CLEAN):
        exchange(door, wire, lambda c, b=body: c.post(URL, content=Source(b).of(door)), BUFFERED)
    assert wire.bodies == [CLEAN, CLEAN]
    for request in wire.requests:
        assert request.headers["transfer-encoding"] == "chunked"
        assert "content-length" not in request.headers


def test_a_file_keeps_its_length_right(family: Family, wire: Wire) -> None:
    """A file object is a stream with a length; once cut, it has the new one."""
    with family.guarded.GuardedClient(
        transport=family.library.MockTransport(wire), policy=BUFFERED
    ) as client:
        client.post(URL, content=io.BytesIO(DIRTY))
    assert wire.body == CLEAN
    assert wire.requests[0].headers["content-length"] == str(len(CLEAN))


def test_a_begun_stream_cannot_be_replayed(family: Family, wire: Wire) -> None:
    """Who iterates it again gets what the stream itself says to that."""

    class Iterating(family.library.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            wire.bodies.append(b"".join(request.stream))  # type: ignore[arg-type]
            return family.library.Response(307, headers={"location": "/again"})

    client = family.guarded.GuardedClient(
        transport=Iterating(), policy=Policy(buffer=3), follow_redirects=True
    )
    with pytest.raises(family.library.StreamConsumed):
        client.post(URL, content=Source(b"{", b'"a"', b":1}").sync())
    assert wire.bodies == [b'{"a":1}']


def test_a_buffered_stream_can_be_replayed(door: Door, wire: Wire) -> None:
    """Bytes in memory survive a redirect, clean on both hops."""
    wire.answers = [{"status": 307, "headers": {"location": "/again"}}]
    act = lambda c: c.post(URL, content=Source(DIRTY).of(door), follow_redirects=True)  # noqa: E731
    exchange(door, wire, act, BUFFERED)
    assert wire.bodies == [CLEAN, CLEAN]


def test_a_failing_stream_fails_as_itself(door: Door, wire: Wire) -> None:
    """An error of the caller's own generator is no failure of the guard."""

    def sync() -> Iterator[bytes]:
        yield b"{"
        raise LookupError("mine")

    async def asynchronous() -> AsyncIterator[bytes]:
        yield b"{"
        raise LookupError("mine")

    content: Any = asynchronous() if door.is_async else sync()
    with pytest.raises(LookupError, match="mine"):
        exchange(door, wire, lambda c: c.post(URL, content=content), BUFFERED)


def test_closing_reaches_the_stream(door: Door) -> None:
    """A begun stream is closed with the one inside."""
    closed = []
    library = door.library

    class Closing(library.AsyncByteStream, library.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b"{" * 100

        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"{" * 100

        def close(self) -> None:
            closed.append("close")

        async def aclose(self) -> None:
            closed.append("aclose")

    request = library.Request("POST", URL, stream=Closing())
    if door.is_async:

        async def run() -> None:
            await streams.abuffer(request, library, BUFFERED)
            await request.stream.aclose()

        anyio.run(run)
    else:
        streams.buffer(request, library, BUFFERED)
        request.stream.close()
    assert closed == ["aclose" if door.is_async else "close"]


def test_multipart_parts_on_request(door: Door, wire: Wire) -> None:
    """Httpx's own multipart stream, read and judged where the policy says both."""
    policy = Policy(buffer=10_000, look_into=("multipart",))
    files = {"meta": ("m.json", DIRTY, "application/json"), "raw": ("x.bin", b"\x00_sentry_")}
    exchange(door, wire, lambda c: c.post(URL, files=files), policy)
    assert CLEAN in wire.body
    assert DIRTY not in wire.body
    assert b"\x00_sentry_" in wire.body
    assert wire.requests[0].headers["content-length"] == str(len(wire.body))


@pytest.mark.parametrize("buffered", [1000, 5], ids=["read whole", "begun"])
def test_frames_that_hold_a_stream_are_hidden(door: Door, wire: Wire, buffered: int) -> None:
    """A stream that fails leaves no frame of ours that holds what was read of it."""

    class FailingError(Exception):
        pass

    def sync() -> Any:
        yield b'{"a": "SECRET"}'
        raise FailingError

    async def asynchronous() -> Any:
        yield b'{"a": "SECRET"}'
        raise FailingError

    content = asynchronous() if door.is_async else sync()
    with pytest.raises(FailingError) as caught:
        exchange(door, wire, lambda c: c.post(URL, content=content), Policy(buffer=buffered))
    frames = [frame for frame, _ in walk_tb(caught.value.__traceback__)]
    assert any(frame.f_code.co_filename.endswith("streams.py") for frame in frames)
    assert [frame.f_code.co_name for frame in frames if _holds(frame)] == []


def _holds(frame: Any) -> bool:
    """Check whether Sentry would record the body in a frame of ours."""
    ours = frame.f_globals.get("__name__", "").startswith("body_guard.")
    return (
        ours
        and not frame.f_locals.get("__tracebackhide__")
        and any("SECRET" in repr(value) for value in frame.f_locals.values())
    )


def test_a_prebuilt_request_of_bytes_needs_no_reading(door: Door, wire: Wire) -> None:
    """With a policy that reads streams, bytes that nobody has judged yet are judged as bytes."""
    request = door.library.Request("POST", URL, content=DIRTY)
    exchange(door, wire, lambda c: c.send(request), BUFFERED)
    assert wire.body == CLEAN
