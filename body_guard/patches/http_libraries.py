"""The names of httpx and httpx2 that are replaced process-wide.

``build_request`` and ``send`` are replaced on the libraries' own classes, so that all clients are
guarded, existing ones, subclasses, an SDK's copies and ``httpx.post`` included. So are the methods
of their transports, which some call without a client.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Final
from weakref import ref

from body_guard.http.departures import OBSERVERS, leaving
from body_guard.http.doors import build, is_guarded
from body_guard.http.sending import (
    AsyncRequestHooks,
    RequestHooks,
    add_last_hook,
    judge_sent,
    judge_sent_async,
    remove_last_hook,
    send,
    send_async,
)
from body_guard.patches.patch import Hook
from body_guard.patches.process import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from body_guard.http.request_guard import Guard
    from body_guard.patches.patch import Current, Wrap

__all__ = ["http_row"]

_AROUND_AUTH: Final = ", as bytes, before and after auth"


def _guard_for(client: Any, current: Current) -> Guard | None:
    """Return the guard of the process; None for a client that has its own, which judges alone."""
    return None if is_guarded(client) else current()


# The original is bound as a class would do it, by __get__: it may be no function but an object of
# wrapt's, which OpenTelemetry and ddtrace put there, and which a call would misguide.


def _patch_build(original: Any, current: Current) -> Any:
    @wraps(original)
    def build_request(self: Any, *args: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        guard = _guard_for(self, current)
        if guard is None:
            return original.__get__(self)(*args, **options)
        # A user's override is called before a patch of the library's own class.
        return build(guard, self, original.__get__(self), args, options, is_librarys=True)

    return build_request


def _patch_send(senders: _Senders) -> Wrap:
    def wrap(original: Any, current: Current) -> Any:
        @wraps(original)
        def patched(self: Any, request: Any, *args: Any, **options: Any) -> Any:
            __tracebackhide__ = True
            guard = _guard_for(self, current)
            if guard is None and (not OBSERVERS or is_guarded(self)):
                return original.__get__(self)(request, *args, **options)
            senders.add_last_hook(self, RequestHooks)
            return send(guard, self, original.__get__(self), request, *args, **options)

        return patched

    return wrap


def _patch_send_async(senders: _Senders) -> Wrap:
    def wrap(original: Any, current: Current) -> Any:
        @wraps(original)
        async def patched(self: Any, request: Any, *args: Any, **options: Any) -> Any:
            __tracebackhide__ = True
            guard = _guard_for(self, current)
            if guard is None and (not OBSERVERS or is_guarded(self)):
                return await original.__get__(self)(request, *args, **options)
            senders.add_last_hook(self, AsyncRequestHooks)
            return await send_async(guard, self, original.__get__(self), request, *args, **options)

        return patched

    return wrap


def _patch_handle(original: Any, current: Current) -> Any:
    @wraps(original)
    def handle_request(self: Any, request: Any) -> Any:
        __tracebackhide__ = True
        guard = current()
        if guard is not None and not guard.was_judged(request):
            judge_sent(guard, request)
        if not OBSERVERS:
            return original.__get__(self)(request)
        with leaving(request):
            return original.__get__(self)(request)

    return handle_request


def _patch_handle_async(original: Any, current: Current) -> Any:
    @wraps(original)
    async def handle_async_request(self: Any, request: Any) -> Any:
        __tracebackhide__ = True
        guard = current()
        if guard is not None and not guard.was_judged(request):
            await judge_sent_async(guard, request)
        if not OBSERVERS:
            return await original.__get__(self)(request)
        with leaving(request):
            return await original.__get__(self)(request)

    return handle_async_request


class _Senders:
    """The clients that have sent, and so have the guard's hook, until `leave`."""

    def __init__(self) -> None:
        #: By identity: a user's may have no hash.
        self.clients: dict[int, ref[Any]] = {}

    def add_last_hook(self, client: Any, hooks: type[RequestHooks]) -> None:
        """Make the guard's the last request hook of a client."""
        if add_last_hook(client, hooks):
            key = id(client)
            self.clients[key] = ref(client, lambda _: self.clients.pop(key, None))

    def hooks(self, name: str) -> Iterator[Hook]:
        """Return the names to replace in a library."""
        rows: tuple[tuple[str, str, Wrap, str], ...] = (
            # Where both clients have build_request from.
            (
                "._client:BaseClient",
                "build_request",
                _patch_build,
                "clients of {} build, as objects",
            ),
            (":Client", "send", _patch_send(self), "clients of {} send" + _AROUND_AUTH),
            (
                ":AsyncClient",
                "send",
                _patch_send_async(self),
                "async clients of {} send" + _AROUND_AUTH,
            ),
            (
                ":HTTPTransport",
                "handle_request",
                _patch_handle,
                "else is given to transports of {}, as bytes",
            ),
            (
                ":AsyncHTTPTransport",
                "handle_async_request",
                _patch_handle_async,
                "else is given to async transports of {}, as bytes",
            ),
        )
        for owner, method, wrap, sees in rows:
            yield Hook(name + owner, method, wrap, f"what {sees.format(name)}")

    def leave(self) -> None:
        """Restore the clients' own request hooks."""
        clients, self.clients = self.clients, {}
        for known in clients.copy().values():  # one may be freed meanwhile
            client = known()
            if client is not None and not is_guarded(client):
                remove_last_hook(client)


def http_row(name: str) -> Row:
    """Return the row of httpx or httpx2."""
    senders = _Senders()
    return Row(name, name, senders.hooks, senders.leave)
