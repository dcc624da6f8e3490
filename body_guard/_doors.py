"""The doors: what a guarded client and a guarded transport do, for any library, sync or async.

Leaf classes in `body_guard.httpx` and `body_guard.httpx2` name the library; sync and async differ
by ``await``. The guard stands on the class where `guard` swapped it in, so that an SDK's
``self.__class__(...)`` stays guarded, and on the instance where it was given there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from body_guard._guard import Guard
from body_guard._request import json_is_used

if TYPE_CHECKING:
    from types import TracebackType

    from body_guard._request import Library
    from body_guard.core.policy import Policy

__all__ = [
    "AsyncClientDoor",
    "AsyncTransportDoor",
    "ClientDoor",
    "SyncClientDoor",
    "SyncTransportDoor",
]


class ClientDoor:
    """Judges what a client builds, before anything signs it; the errors are the caller's own.

    Stands in front of an HTTP library's client class, whose signatures are what type checkers see.
    """

    _library: ClassVar[Library]
    _body_guard: Guard

    if not TYPE_CHECKING:

        def __init__(self, *args, policy=None, **options):
            if policy is not None or not hasattr(type(self), "_body_guard"):
                self._body_guard = Guard(self._library, policy)
            super().__init__(*args, **options)

        def build_request(self, *args, **options):
            """Build a request as the library does, of what may leave."""
            __tracebackhide__ = True
            return self._build(super().build_request, args, options)

    def _build(self, build: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        __tracebackhide__ = True
        guard = self._body_guard
        if not json_is_used(options):
            request = build(*args, **options)
            guard.judge(request, streams=False)  # those are for send, which may read them
            return request
        value, extensions = options["json"], options.get("extensions")
        if not self._is_librarys(build):
            # A user's override below us gets the json= that it expects.
            prepared = guard.prepare(value, extensions)
            if prepared is None:
                return build(*args, **options)
            request = build(*args, **{**options, "json": prepared[0]})
            guard.judge(request, prepared[1])
            return request
        encoded = guard.encode(value, extensions)
        if encoded is None:
            return build(*args, **options)
        request = build(*args, **{**options, "json": None, "content": encoded[0]})
        request.headers.setdefault("Content-Type", "application/json")
        guard.judge(request, encoded[1], encoded=True)
        return request

    def _is_librarys(self, build: Any) -> bool:
        return getattr(build, "__func__", None) is self._library.Client.build_request


class SyncClientDoor(ClientDoor):
    """A guarded client."""

    if not TYPE_CHECKING:

        def send(self, request, **options):
            """Send a request, judged; auth, hooks and redirects come after."""
            self._body_guard.buffer(request)
            self._body_guard.judge(request)
            return super().send(request, **options)


class AsyncClientDoor(ClientDoor):
    """A guarded async client."""

    if not TYPE_CHECKING:

        async def send(self, request, **options):
            """Send a request, judged; auth, hooks and redirects come after."""
            await self._body_guard.abuffer(request)
            self._body_guard.judge(request)
            return await super().send(request, **options)


class _TransportDoor:
    """Judges every hop, with all that auth and hooks made of it; refuses what is signed."""

    _library: ClassVar[Library]
    _kind: ClassVar[str]

    def __init__(self, transport: Any, *, policy: Policy | None = None) -> None:
        expected = getattr(self._library, self._kind)
        if not issubclass(type(transport), expected):
            raise TypeError(
                f"{type(self).__name__} wraps an {self._library.__name__}.{self._kind}, "
                f"not a {type(transport).__module__}.{type(transport).__qualname__}."
            )
        self.transport = transport
        self._guard = Guard(self._library, policy)


class SyncTransportDoor(_TransportDoor):
    """A guarded transport around another."""

    _kind = "BaseTransport"

    def handle_request(self, request: Any) -> Any:
        """Judge a request and hand the same object on."""
        self._guard.buffer(request)
        self._guard.judge(request)
        return self.transport.handle_request(request)

    def __enter__(self) -> Any:
        self.transport.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.transport.__exit__(exc_type, exc_value, traceback)

    def close(self) -> None:
        """Close the transport inside."""
        self.transport.close()


class AsyncTransportDoor(_TransportDoor):
    """A guarded async transport around another."""

    _kind = "AsyncBaseTransport"

    async def handle_async_request(self, request: Any) -> Any:
        """Judge a request and hand the same object on."""
        await self._guard.abuffer(request)
        self._guard.judge(request)
        return await self.transport.handle_async_request(request)

    async def __aenter__(self) -> Any:
        await self.transport.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.transport.__aexit__(exc_type, exc_value, traceback)

    async def aclose(self) -> None:
        """Close the transport inside."""
        await self.transport.aclose()
