"""The guarded classes of httpx; the code they share with httpx2 is in `body_guard.http.doors`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import httpx

from body_guard.http.doors import (
    AsyncClientDoor,
    AsyncTransportDoor,
    PolicyOption,
    SyncClientDoor,
    SyncTransportDoor,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from typing import TypedDict

    from httpx._client import EventHook
    from httpx._types import (
        AuthTypes,
        CertTypes,
        CookieTypes,
        HeaderTypes,
        ProxyTypes,
        QueryParamTypes,
        TimeoutTypes,
    )
    from typing_extensions import Unpack

    from body_guard.http.outgoing import Library
    from body_guard.policy import Policy

    class _Options(TypedDict, total=False):
        """What httpx.Client and httpx.AsyncClient both take (httpx 0.28)."""

        auth: AuthTypes | None
        params: QueryParamTypes | None
        headers: HeaderTypes | None
        cookies: CookieTypes | None
        verify: ssl.SSLContext | str | bool
        cert: CertTypes | None
        trust_env: bool
        http1: bool
        http2: bool
        proxy: ProxyTypes | None
        timeout: TimeoutTypes
        follow_redirects: bool
        limits: httpx.Limits
        max_redirects: int
        event_hooks: Mapping[str, list[EventHook]] | None
        base_url: httpx.URL | str
        default_encoding: str | Callable[[bytes], str]

    class _SyncOptions(_Options, total=False):
        mounts: Mapping[str, httpx.BaseTransport | None] | None
        transport: httpx.BaseTransport | None

    class _AsyncOptions(_Options, total=False):
        mounts: Mapping[str, httpx.AsyncBaseTransport | None] | None
        transport: httpx.AsyncBaseTransport | None


__all__ = [
    "GuardedAsyncClient",
    "GuardedAsyncTransport",
    "GuardedClient",
    "GuardedTransport",
]


class GuardedClient(PolicyOption, SyncClientDoor, httpx.Client):
    """An `httpx.Client` whose requests leave without what must not leave.

    Args:
        policy: What must not leave; the default policy when None.
        options: As `httpx.Client`.
    """

    _body_guard_library: ClassVar[Library] = httpx

    if TYPE_CHECKING:  # the signatures are httpx's own

        def __init__(
            self, *, policy: Policy | None = None, **options: Unpack[_SyncOptions]
        ) -> None:
            pass


class GuardedAsyncClient(PolicyOption, AsyncClientDoor, httpx.AsyncClient):
    """An `httpx.AsyncClient` whose requests leave without what must not leave.

    Args:
        policy: What must not leave; the default policy when None.
        options: As `httpx.AsyncClient`.
    """

    _body_guard_library: ClassVar[Library] = httpx

    if TYPE_CHECKING:

        def __init__(
            self, *, policy: Policy | None = None, **options: Unpack[_AsyncOptions]
        ) -> None:
            pass


class GuardedTransport(SyncTransportDoor, httpx.BaseTransport):
    """A transport that judges every request on its way to another; it refuses dirty signed ones.

    Args:
        transport: Any httpx transport; it stays reachable as ``.transport``.
        policy: What must not leave; the default policy when None.

    Raises:
        TypeError: The transport is of another library, or async.
    """

    _body_guard_library: ClassVar[Library] = httpx

    if TYPE_CHECKING:

        def __init__(self, transport: httpx.BaseTransport, *, policy: Policy | None = None) -> None:
            self.transport: httpx.BaseTransport

        def handle_request(self, request: httpx.Request) -> httpx.Response: ...


class GuardedAsyncTransport(AsyncTransportDoor, httpx.AsyncBaseTransport):
    """An async transport that judges every request on its way to another.

    Args:
        transport: Any async httpx transport; it stays reachable as ``.transport``.
        policy: What must not leave; the default policy when None.

    Raises:
        TypeError: The transport is of another library, or sync.
    """

    _body_guard_library: ClassVar[Library] = httpx

    if TYPE_CHECKING:

        def __init__(
            self, transport: httpx.AsyncBaseTransport, *, policy: Policy | None = None
        ) -> None:
            self.transport: httpx.AsyncBaseTransport

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response: ...
