"""While a client sends: a request is judged before auth signs it, and again where it leaves.

httpx calls its request hooks right before a transport, for each hop of a redirect and for each
request that an auth flow yields (``Client._send_handling_redirects``). So who is the last of these
hooks sees what auth and the other hooks made of a body.
"""

from __future__ import annotations

from collections import UserList
from contextvars import ContextVar
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextvars import Token

    from body_guard.http.request_guard import Guard

__all__ = [
    "AsyncRequestHooks",
    "RequestHooks",
    "begin",
    "end",
    "give_back",
    "judge_sent",
    "judge_sent_async",
    "stand_last",
]

#: The guard of the client that is sending in this context.
_guard: Final[ContextVar[Guard | None]] = ContextVar("body_guard_sending", default=None)


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


def _judge(request: Any) -> None:
    __tracebackhide__ = True
    guard = _guard.get()
    if guard is not None:
        judge_sent(guard, request)


async def _judge_async(request: Any) -> None:
    __tracebackhide__ = True
    guard = _guard.get()
    if guard is not None:
        await judge_sent_async(guard, request)


class RequestHooks(UserList[Any]):
    """A client's request hooks; who iterates them while it sends meets ours behind the last.

    A view of the client's own list, and not a copy: what is appended to either is in both, two
    threads that put one there at the same time do no harm, and the very list can be given back.
    """

    _last = staticmethod(_judge)

    def __init__(self, hooks: Any = ()) -> None:
        self.data = hooks

    def __iter__(self) -> Iterator[Any]:
        if _guard.get() is None:  # somebody copies the list, or looks what is in it
            return iter(self.data)
        return chain(self.data, (self._last,))


class AsyncRequestHooks(RequestHooks):
    """The same for an async client, whose hooks are awaited."""

    _last = staticmethod(_judge_async)  # type: ignore[assignment]


def stand_last(client: Any, hooks: type[RequestHooks]) -> bool:
    """Make ours the last request hook of a client, whatever hooks it has or will be given.

    Args:
        client: Of httpx or httpx2.
        hooks: For its kind, sync or async.

    Returns:
        Whether it was not so before.
    """
    table = client.event_hooks
    own = table.get("request")
    if own is None or type(own) is hooks:
        return False
    table["request"] = hooks(own)
    return True


def give_back(client: Any) -> None:
    """Put back a client's own list of request hooks."""
    table = client.event_hooks
    hooks = table.get("request")
    if issubclass(type(hooks), RequestHooks):
        table["request"] = hooks.data


def begin(guard: Guard) -> Token[Guard | None]:
    """Let a guard judge what is sent in this context, until the `end` of what this returns."""
    return _guard.set(guard)


def end(token: Token[Guard | None]) -> None:
    """Let the guard of before judge again."""
    try:  # noqa: SIM105 - suppress() would double what a clean request costs here
        _guard.reset(token)
    except ValueError:  # a coroutine that is closed unfinished may end in another context
        pass
