"""Bodies as they leave: what observers get once the last door has passed a request.

A door may change a request in place, and so may a transport below it. So observers are called when
the request has returned, or the next hop of it begins. Where several doors pass the same request,
the outermost one tells of it.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from time import time
from typing import TYPE_CHECKING, Any, Final

from body_guard.core.errors import BodyGuardError
from body_guard.http.outgoing import library_of, peek, recall
from body_guard.http.reporting import log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from body_guard.core.report import Report

    Describe = Callable[[Any], "Departure | None"]

__all__ = ["OBSERVERS", "Departure", "Journey", "describe_request", "leaving"]


@dataclass(frozen=True, slots=True)
class Departure:
    """One body that has left.

    Attributes:
        host: Where it went.
        method: Of the request.
        path: Of the URL, as it is sent, without query.
        content_type: Of the request; None where it declares none.
        content_encoding: Of the request; None where it declares none.
        content: The body; None for a stream.
        report: Of the guard that judged these bytes; None where none did.
        time: When it left, in seconds since the epoch.
    """

    host: str
    method: str
    path: str
    content_type: str | None
    content_encoding: str | None
    content: bytes | None = field(repr=False)
    report: Report | None = None
    time: float = 0.0


#: Called with each `Departure`, in the thread or task that sent the request. While there are none,
#: a request pays for looking at this list.
OBSERVERS: Final[list[Callable[[Departure], None]]] = []


def describe_request(request: Any) -> Departure | None:
    """Return the departure of a request of httpx or httpx2; None where it has no body."""
    __tracebackhide__ = True
    library = library_of(type(request))
    bodies = () if library is None else peek(request, library)
    if bodies == (b"",):
        return None
    url, headers = request.url, request.headers
    return Departure(
        url.host,
        request.method,
        url.raw_path.partition(b"?")[0].decode("ascii"),
        headers.get("content-type"),
        headers.get("content-encoding"),
        bodies[0] if bodies else None,
        recall(request, bodies),
    )


class Journey:
    """The hops of a request while a door sends it; each is told to the observers."""

    __slots__ = ("_began", "_describe", "_is_stream", "_request", "_token")

    def __init__(self) -> None:
        self._request: Any = None
        self._describe: Describe | None = None  # None where no hop has begun
        self._is_stream = False
        self._began = 0.0

    def __enter__(self) -> Journey:
        self._token = _current.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        __tracebackhide__ = True
        if kind is not None and issubclass(kind, BodyGuardError):
            self._describe = None  # a door below has refused it
        self.finish_hop()
        with suppress(ValueError):  # a coroutine that is closed may end in another context
            _current.reset(self._token)

    def begin_hop(self, request: Any, describe: Describe = describe_request) -> None:
        """Note a request that is about to leave."""
        __tracebackhide__ = True
        self._request, self._describe, self._began = request, describe, time()
        with _losing_records():
            before = describe(request)
            self._is_stream = before is not None and before.content is None

    def finish_hop(self) -> None:
        """Notify the observers of the request that has left, if there is one."""
        __tracebackhide__ = True
        request, describe = self._request, self._describe
        self._request = self._describe = None
        if describe is None:
            return
        with _losing_records():
            departure = describe(request)
            if departure is None:
                return
            # A mock transport reads a stream that no door has looked into.
            unread = self._is_stream and departure.report is None
            content = None if unread else departure.content
            departure = replace(departure, content=content, time=self._began)
            for observer in OBSERVERS.copy():
                observer(departure)

    def includes(self, request: Any) -> bool:
        """Check whether this is the request that is leaving, or what carries its body.

        A request; or the bytes of a body, where None is a stream: it may be the library's own,
        around that of the request.
        """
        __tracebackhide__ = True
        if self._describe is None:
            return False
        if request is not None and type(request) is not bytes:
            return request is self._request
        departure = self._describe(self._request)
        return departure is not None and request in (None, departure.content)


@contextmanager
def _losing_records() -> Iterator[None]:
    """Log what an observer raises: it loses its record, never the request."""
    try:
        yield
    except Exception as error:
        log(logging.ERROR, "an observer of bodies raised %s", type(error).__qualname__)


_current: Final[ContextVar[Journey | None]] = ContextVar("body_guard_journey", default=None)


@contextmanager
def leaving(request: Any, describe: Describe = describe_request) -> Iterator[None]:
    """Notify the observers of a request that the block sends, unless a door above does.

    Args:
        request: As of `Journey.includes`.
        describe: Returns its departure, once it has left; None where it has no body.
    """
    __tracebackhide__ = True
    above = _current.get()
    if not OBSERVERS or (above is not None and above.includes(request)):
        yield
        return
    with Journey() as journey:
        journey.begin_hop(request, describe)
        yield
