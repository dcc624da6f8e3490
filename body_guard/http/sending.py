"""While a client sends: a request is judged before auth signs it, and again where it leaves.

httpx calls its request hooks right before a transport, for each hop of a redirect and for each
request that an auth flow yields (``Client._send_handling_redirects``). So the last of these hooks
sees what auth and the other hooks made of a body.
"""

from __future__ import annotations

from collections import UserList
from contextvars import ContextVar
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from body_guard.http.departures import OBSERVERS, Journey
from body_guard.http.outgoing import peek

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextvars import Token

    from body_guard.http.request_guard import Guard

__all__ = [
    "AsyncRequestHooks",
    "RequestHooks",
    "add_last_hook",
    "judge_sent",
    "judge_sent_async",
    "remove_last_hook",
    "send",
    "send_async",
    "sent_bodies",
]

#: The guard of the client that is sending in this context, the request, and where it is observed;
#: no guard where it is only observed.
_sending: Final[ContextVar[tuple[Guard | None, Any, Journey | None] | None]] = ContextVar(
    "body_guard_sending", default=None
)


def judge_sent(guard: Guard, request: Any) -> None:
    """Judge a request that is about to be sent, unless it was judged as it is before."""
    __tracebackhide__ = True
    if not guard.has_judged(request):
        guard.buffer(request)
        guard.judge(request)


async def judge_sent_async(guard: Guard, request: Any) -> None:
    """Judge a request that is about to be sent by an async client or transport."""
    __tracebackhide__ = True
    if not guard.has_judged(request):
        await guard.abuffer(request)
        guard.judge(request)


def send(
    guard: Guard | None,
    client: Any,
    original: Callable[..., Any],
    request: Any,
    /,
    *args: Any,
    **options: Any,
) -> Any:
    """Send a request by the client's own ``send``, judged before auth, and after it on each hop.

    Without a guard, it is only observed.
    """
    __tracebackhide__ = True
    add_last_hook(client, RequestHooks)
    if guard is not None:
        judge_sent(guard, request)
    journey = Journey() if OBSERVERS else None
    token = _sending.set((guard, request, journey))
    try:
        if journey is None:
            return original(request, *args, **options)
        with journey:
            return original(request, *args, **options)
    finally:
        _end(token)


async def send_async(
    guard: Guard | None,
    client: Any,
    original: Callable[..., Any],
    request: Any,
    /,
    *args: Any,
    **options: Any,
) -> Any:
    """Do as `send` for an async client."""
    __tracebackhide__ = True
    add_last_hook(client, AsyncRequestHooks)
    if guard is not None:
        await judge_sent_async(guard, request)
    journey = Journey() if OBSERVERS else None
    token = _sending.set((guard, request, journey))
    try:
        if journey is None:
            return await original(request, *args, **options)
        with journey:
            return await original(request, *args, **options)
    finally:
        _end(token)


def _end(token: Token[tuple[Guard | None, Any, Journey | None] | None]) -> None:
    try:  # noqa: SIM105 - suppress() would double what a clean request costs here
        _sending.reset(token)
    except ValueError:  # a coroutine that is closed unfinished may end in another context
        pass


def _judge(request: Any) -> None:
    __tracebackhide__ = True
    now = _sending.get()
    if now is not None:
        guard, sent, journey = now
        if journey is not None:
            journey.finish_hop()
        if guard is not None:
            judge_sent(guard, request)
        if journey is not None:
            journey.begin_hop(request)
        if request is not sent:  # of a redirect or an auth flow; `_end` resets it
            _sending.set((guard, request, journey))


async def _judge_async(request: Any) -> None:
    __tracebackhide__ = True
    now = _sending.get()
    if now is not None:
        guard, sent, journey = now
        if journey is not None:
            journey.finish_hop()
        if guard is not None:
            await judge_sent_async(guard, request)
        if journey is not None:
            journey.begin_hop(request)
        if request is not sent:
            _sending.set((guard, request, journey))


def sent_bodies() -> tuple[bytes, ...] | None:
    """Return the bodies of the request that a guarded client is sending; None where none is."""
    now = _sending.get()
    return None if now is None or now[0] is None else peek(now[1], now[0].library)


class RequestHooks(UserList[Any]):
    """A client's request hooks, with the guard's behind them while the client sends.

    A view of the client's own list, and not a copy: what is appended to either is in both, two
    threads that put one there at the same time do no harm, and the very list can be restored.
    """

    _last = staticmethod(_judge)

    def __init__(self, hooks: Any = ()) -> None:
        self.data = hooks

    def __iter__(self) -> Iterator[Any]:
        if _sending.get() is None:  # somebody copies or inspects the list
            return iter(self.data)
        return chain(self.data, (self._last,))


class AsyncRequestHooks(RequestHooks):
    """The same for an async client, whose hooks are awaited."""

    _last = staticmethod(_judge_async)  # type: ignore[assignment]


def add_last_hook(client: Any, hooks: type[RequestHooks]) -> bool:
    """Make the guard's the last request hook of a client, whatever hooks it has or will be given.

    Returns:
        Whether it was not so before.
    """
    table = client.event_hooks
    own = table.get("request")
    if own is None or type(own) is hooks:
        return False
    table["request"] = hooks(own)
    return True


def remove_last_hook(client: Any) -> None:
    """Restore a client's own list of request hooks."""
    table = client.event_hooks
    hooks = table.get("request")
    if issubclass(type(hooks), RequestHooks):
        table["request"] = hooks.data
