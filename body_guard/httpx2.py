"""The guarded classes of httpx2; the code they share with httpx is in `body_guard.http.doors`.

`GuardedClient.sse` and the request that opens a WebSocket are judged as every request is; the
frames of a WebSocket are no bodies, and go by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

try:
    import httpx2
except ModuleNotFoundError as error:
    if error.name != "httpx2":
        raise
    raise ModuleNotFoundError(
        "body_guard.httpx2 needs httpx2, which is not installed; "
        "write pip install 'body-guard[httpx2]' (Python 3.11 and later).",
        name="httpx2",
    ) from None

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

    from httpx2._client import EventHook
    from httpx2._types import (
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
        """What httpx2.Client and httpx2.AsyncClient both take (httpx2 2.16)."""

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
        limits: httpx2.Limits
        max_redirects: int
        event_hooks: Mapping[str, list[EventHook]] | None
        base_url: httpx2.URL | str
        default_encoding: str | Callable[[bytes], str | None]

    class _SyncOptions(_Options, total=False):
        mounts: Mapping[str, httpx2.BaseTransport | None] | None
        transport: httpx2.BaseTransport | None

    class _AsyncOptions(_Options, total=False):
        mounts: Mapping[str, httpx2.AsyncBaseTransport | None] | None
        transport: httpx2.AsyncBaseTransport | None


__all__ = [
    "GuardedAsyncClient",
    "GuardedAsyncTransport",
    "GuardedClient",
    "GuardedTransport",
]


class GuardedClient(PolicyOption, SyncClientDoor, httpx2.Client):
    """An `httpx2.Client` whose requests leave without what must not leave.

    Args:
        policy: What must not leave; the default policy when None.
        options: As `httpx2.Client`.
    """

    _body_guard_library: ClassVar[Library] = httpx2

    if TYPE_CHECKING:  # the signatures are httpx2's own

        def __init__(
            self, *, policy: Policy | None = None, **options: Unpack[_SyncOptions]
        ) -> None:
            pass


class GuardedAsyncClient(PolicyOption, AsyncClientDoor, httpx2.AsyncClient):
    """An `httpx2.AsyncClient` whose requests leave without what must not leave.

    Args:
        policy: What must not leave; the default policy when None.
        options: As `httpx2.AsyncClient`.
    """

    _body_guard_library: ClassVar[Library] = httpx2

    if TYPE_CHECKING:

        def __init__(
            self, *, policy: Policy | None = None, **options: Unpack[_AsyncOptions]
        ) -> None:
            pass


class GuardedTransport(SyncTransportDoor, httpx2.BaseTransport):
    """A transport that judges every request on its way to another; it refuses dirty signed ones.

    Args:
        transport: Any httpx2 transport; it stays reachable as ``.transport``.
        policy: What must not leave; the default policy when None.

    Raises:
        TypeError: The transport is of another library, or async.
    """

    _body_guard_library: ClassVar[Library] = httpx2

    if TYPE_CHECKING:

        def __init__(
            self, transport: httpx2.BaseTransport, *, policy: Policy | None = None
        ) -> None:
            self.transport: httpx2.BaseTransport

        def handle_request(self, request: httpx2.Request) -> httpx2.Response: ...


class GuardedAsyncTransport(AsyncTransportDoor, httpx2.AsyncBaseTransport):
    """An async transport that judges every request on its way to another.

    Args:
        transport: Any async httpx2 transport; it stays reachable as ``.transport``.
        policy: What must not leave; the default policy when None.

    Raises:
        TypeError: The transport is of another library, or sync.
    """

    _body_guard_library: ClassVar[Library] = httpx2

    if TYPE_CHECKING:

        def __init__(
            self, transport: httpx2.AsyncBaseTransport, *, policy: Policy | None = None
        ) -> None:
            self.transport: httpx2.AsyncBaseTransport

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response: ...
