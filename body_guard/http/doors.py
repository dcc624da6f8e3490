"""The doors: what a guarded client and a guarded transport do, for any library, sync or async.

Leaf classes in `body_guard.httpx` and `body_guard.httpx2` name the library; sync and async differ
by ``await``. The guard is an attribute of the class that `guard` swapped in, so that an SDK's
``self.__class__(...)`` is guarded, and of the instance where ``policy=`` was given.
"""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Final

from body_guard.core.report import CLEAN
from body_guard.http.auditing import ENCODING_ERRORS, add_note
from body_guard.http.departures import OBSERVERS, leaving
from body_guard.http.handover import take_findings
from body_guard.http.outgoing import destination, json_is_used
from body_guard.http.reporting import deliver
from body_guard.http.request_guard import Guard, add_time, encode
from body_guard.http.sending import (
    AsyncRequestHooks,
    RequestHooks,
    add_last_hook,
    judge_sent,
    judge_sent_async,
    send,
    send_async,
)

if TYPE_CHECKING:
    from body_guard.core.report import Report
    from body_guard.http.outgoing import Library
    from body_guard.http.request_guard import Host
    from body_guard.policy import Policy

__all__ = [
    "ORIGINAL",
    "AsyncClientDoor",
    "AsyncTransportDoor",
    "ClientDoor",
    "PolicyOption",
    "SyncClientDoor",
    "SyncTransportDoor",
    "build",
    "is_guarded",
    "own_guard",
]

#: The attribute of a class that `guard` made: the class that it replaces.
ORIGINAL: Final = "_body_guard_original"


def build(
    guard: Guard,
    client: Any,
    original: Any,
    args: tuple[Any, ...],
    options: dict[str, Any],
    *,
    is_librarys: bool,
) -> Any:
    """Build a request of what may leave, before anything signs it.

    Args:
        guard: Judges it.
        client: An httpx or httpx2 client.
        original: The ``build_request`` to call, bound to it.
        args: Of ``build_request``.
        options: Of ``build_request``.
        is_librarys: Whether `original` is the library's own, which takes bytes that the guard
            encoded; a user's override gets the ``json=`` that it expects.

    Returns:
        The request.

    Raises:
        BodyError: The body may not leave.
        GuardError: The guard failed.
    """
    __tracebackhide__ = True
    if not json_is_used(options):
        return _build_from_bytes(guard, original(*args, **options))
    extensions = options.get("extensions")
    policy = guard.policy_for(extensions) if extensions else guard.policy

    # Found out where it is needed: to parse a URL costs more than to judge a small body.
    locate = partial(destination, guard.library, client.base_url, args, options)
    host: Host = locate
    if policy.hosts or policy.mode == "audit":
        host = located = locate()
        policy = policy.for_host(located)
    if not is_librarys:
        prepared = guard.prepare(options["json"], extensions, host)
        if prepared is None:
            return original(*args, **options)
        options["json"], found = prepared
        return _build_from_value(guard, policy, original, args, options, host, found)
    start = perf_counter()
    encoded = guard.call(policy, host, start, encode, policy, options["json"])
    spent = perf_counter() - start
    if encoded is None:
        return original(*args, **options)
    content, found = encoded
    if content is None:
        found = add_time(found, "", start)
        return _build_from_value(guard, policy, original, args, options, host, found)
    options.update(json=None, content=content)
    request = original(*args, **options)
    if "Content-Type" not in request.headers:
        request.headers["Content-Type"] = "application/json"
    guard.judge(request, take_findings(found), encoded=(policy, content), spent=spent)
    return request


def _build_from_bytes(guard: Guard, request: Any) -> Any:
    __tracebackhide__ = True
    known = take_findings()
    # A stream is for send, which may read it; unless there is something to report.
    guard.judge(request, known, streams=known is not CLEAN)
    return request


def _build_from_value(
    guard: Guard,
    policy: Policy,
    original: Any,
    args: tuple[Any, ...],
    options: dict[str, Any],
    host: Host,
    found: Report,
) -> Any:
    """Build a request of a value that the library or a user's override encodes."""
    __tracebackhide__ = True
    try:
        request = original(*args, **options)
    except ENCODING_ERRORS as error:
        if policy.mode == "audit":
            add_note(error, options["json"])
            deliver(found, policy, host if isinstance(host, str) else host())
        raise
    guard.judge(request, take_findings(found))
    return request


class ClientDoor:
    """Judges what a client builds, before anything signs it; errors reach the caller unchanged.

    A mixin before an HTTP library's client class, whose signatures are what type checkers see, or,
    in a class that `guard` made, before a user's: what it adds begins with ``_body_guard_``.
    """

    _body_guard_library: ClassVar[Library]
    _body_guard_guard: Guard
    _body_guard_hooks: ClassVar[type[RequestHooks]]

    if not TYPE_CHECKING:

        def __init_subclass__(cls, **options):
            # The user's own hook is not called for a class that guard() makes.
            if ORIGINAL not in vars(cls):
                super().__init_subclass__(**options)

        def build_request(self, *args, **options):
            """Build a request as the library does, of what may leave."""
            __tracebackhide__ = True
            guard, original = self._body_guard_guard, super().build_request
            plain = guard.library.Client.build_request
            is_librarys = getattr(original, "__func__", None) is plain
            return build(guard, self, original, args, options, is_librarys=is_librarys)

        @property
        def event_hooks(self):
            """The client's own hooks; while it sends, the guard's is the last request hook."""
            return super().event_hooks

        @event_hooks.setter
        def event_hooks(self, event_hooks):
            super(ClientDoor, type(self)).event_hooks.__set__(self, event_hooks)
            add_last_hook(self, self._body_guard_hooks)  # a hook or an auth flow may have set them


def is_guarded(client: Any) -> bool:
    """Check whether a client has a guard of its own, also of another copy of this package."""
    return hasattr(type(client), "_body_guard_library")


def own_guard(client: Any, guard: Guard) -> Guard:
    """Return the guard of an HTTP client, or the given one where it has none of its own."""
    own: Guard = getattr(client, "_body_guard_guard", guard)
    return own


class PolicyOption:
    """The keyword ``policy=`` of a client class that is guarded as it is made."""

    if not TYPE_CHECKING:

        def __init__(self, *args, policy=None, **options):
            self._body_guard_guard = Guard(self._body_guard_library, policy)
            super().__init__(*args, **options)


class SyncClientDoor(ClientDoor):
    """A guarded client."""

    _body_guard_hooks = RequestHooks

    if not TYPE_CHECKING:

        def send(self, request, **options):
            """Send a request, judged before auth, and again after it on each hop."""
            __tracebackhide__ = True
            # Of the class of now: unguard() may come in between.
            return send(self._body_guard_guard, self, super().send, request, **options)


class AsyncClientDoor(ClientDoor):
    """A guarded async client."""

    _body_guard_hooks = AsyncRequestHooks

    if not TYPE_CHECKING:

        async def send(self, request, **options):
            """Send a request, judged before auth, and again after it on each hop."""
            __tracebackhide__ = True
            return await send_async(self._body_guard_guard, self, super().send, request, **options)


class _TransportDoor:
    """Judges every hop, with all that auth and hooks made of it; refuses what is signed."""

    _body_guard_library: ClassVar[Library]
    _body_guard_kind: ClassVar[str]

    def __init__(self, transport: Any, *, policy: Policy | None = None) -> None:
        library, kind = self._body_guard_library, self._body_guard_kind
        expected = getattr(library, kind)
        if not issubclass(type(transport), expected):
            raise TypeError(
                f"{type(self).__name__} wraps an {library.__name__}.{kind}, "
                f"not a {type(transport).__module__}.{type(transport).__qualname__}."
            )
        self.transport = transport
        self._body_guard_guard = Guard(library, policy)


class SyncTransportDoor(_TransportDoor):
    """A guarded transport around another."""

    _body_guard_kind = "BaseTransport"

    def handle_request(self, request: Any) -> Any:
        """Judge a request and hand the same object on."""
        judge_sent(self._body_guard_guard, request)
        if not OBSERVERS:
            return self.transport.handle_request(request)
        with leaving(request):
            return self.transport.handle_request(request)

    def __enter__(self) -> Any:
        self.transport.__enter__()
        return self

    def __exit__(self, *details: Any) -> None:
        self.transport.__exit__(*details)

    def close(self) -> None:
        """Close the transport inside."""
        self.transport.close()


class AsyncTransportDoor(_TransportDoor):
    """A guarded async transport around another."""

    _body_guard_kind = "AsyncBaseTransport"

    async def handle_async_request(self, request: Any) -> Any:
        """Judge a request and hand the same object on."""
        await judge_sent_async(self._body_guard_guard, request)
        if not OBSERVERS:
            return await self.transport.handle_async_request(request)
        with leaving(request):
            return await self.transport.handle_async_request(request)

    async def __aenter__(self) -> Any:
        await self.transport.__aenter__()
        return self

    async def __aexit__(self, *details: Any) -> None:
        await self.transport.__aexit__(*details)

    async def aclose(self) -> None:
        """Close the transport inside."""
        await self.transport.aclose()
