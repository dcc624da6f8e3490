"""SDKs that Fern generates (cohere, elevenlabs, deepgram): a body while it is an object.

``<package>.core.http_client`` has two classes, sync and async, whose ``request`` and ``stream`` get
the object, make plain data of it (``jsonable_encoder``) and give that to httpx as ``json=``. Where
it can, that function writes out the attributes of a live object, and fails where it cannot; so live
objects are taken out before.

Dates, bytes, pydantic models and other plain data are legal here and stay.
"""

from __future__ import annotations

import inspect
import sys
from datetime import timedelta
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, Final

from body_guard.convert import jsonable
from body_guard.core.typenames import class_attribute, is_plain_data
from body_guard.http.doors import ORIGINAL, own_guard
from body_guard.http.handover import Handover, hand_over, is_judged, report_rest
from body_guard.http.outgoing import destination, library_of
from body_guard.integrations.values import judge_value
from body_guard.patches.patch import Hook
from body_guard.patches.process import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from body_guard.http.request_guard import Guard
    from body_guard.integrations.values import Convert
    from body_guard.patches.patch import Current

__all__ = ["MODULE", "ROW", "is_fern_made", "methods"]

#: Where a package that Fern made has its HTTP clients.
MODULE: Final = ".core.http_client"

_METHODS: Final = ("request", "stream")

#: The option of a call with members to merge into its body.
_MORE: Final = "additional_body_parameters"


def methods(original: Any, guard: Guard) -> dict[str, Any]:
    """Return the methods of a guarded class in place of one of the two."""
    return {name: _guarded(getattr(original, name), lambda _: guard) for name in _METHODS}


def is_fern_made(module: Any) -> bool:
    """Check whether a module is of the shape that is guarded here."""
    clients = [getattr(module, name, None) for name in ("HttpClient", "AsyncHttpClient")]
    names = (*_METHODS, "get_base_url")
    return hasattr(module, "jsonable_encoder") and all(
        hasattr(client, name) for client in clients for name in names
    )


def _hooks_of(module: str) -> Iterator[Hook]:
    """Return the hooks of an SDK by its module."""
    if is_fern_made(sys.modules[module]):
        sdk = module.removesuffix(MODULE)
        for client in ("HttpClient", "AsyncHttpClient"):
            for name in _METHODS:
                yield Hook(f"{module}:{client}", name, _patch, f"bodies of {sdk}, as objects")


#: Of every package that Fern made.
ROW: Final = Row("SDKs made by Fern", MODULE, _hooks_of)


def _patch(original: Any, current: Current) -> Any:
    def choose(client: Any) -> Guard | None:
        guard = current()
        if guard is None or hasattr(type(client), ORIGINAL):  # it is judged by its own
            return None
        return own_guard(client.httpx_client, guard)

    return _guarded(original, choose)


def _guarded(original: Any, choose: Callable[[Any], Guard | None]) -> Any:
    """Return a method that judges what it is given by the guard that is chosen for its client."""

    def prepare(client: Any, options: dict[str, Any]) -> Handover | None:
        __tracebackhide__ = True
        guard = choose(client)
        return None if guard is None else _judge(guard, client, options)

    if inspect.iscoroutinefunction(original):

        @wraps(original)
        async def request(self: Any, *args: Any, **options: Any) -> Any:
            __tracebackhide__ = True
            handover = prepare(self, options)
            if handover is None:
                return await original.__get__(self)(*args, **options)
            with hand_over(handover), report_rest(handover):
                return await original.__get__(self)(*args, **options)

    elif original.__name__ == "request":

        @wraps(original)
        def request(self: Any, *args: Any, **options: Any) -> Any:
            __tracebackhide__ = True
            handover = prepare(self, options)
            if handover is None:
                return original.__get__(self)(*args, **options)
            with hand_over(handover), report_rest(handover):
                return original.__get__(self)(*args, **options)

    else:

        @wraps(original)
        def request(self: Any, *args: Any, **options: Any) -> Any:
            __tracebackhide__ = True
            handover = prepare(self, options)
            opening = original.__get__(self)(*args, **options)
            return opening if handover is None else _Opening(opening, handover)

    return request


class _Opening:
    """A context manager that sends a request as it is entered."""

    __slots__ = ("_handover", "_manager")

    def __init__(self, manager: Any, handover: Handover) -> None:
        self._manager = manager
        self._handover = handover

    def __enter__(self) -> Any:
        __tracebackhide__ = True
        with hand_over(self._handover), report_rest(self._handover):
            return self._manager.__enter__()

    def __exit__(self, *details: Any) -> Any:
        return self._manager.__exit__(*details)

    async def __aenter__(self) -> Any:
        __tracebackhide__ = True
        with hand_over(self._handover), report_rest(self._handover):
            return await self._manager.__aenter__()

    async def __aexit__(self, *details: Any) -> Any:
        return await self._manager.__aexit__(*details)


def _judge(guard: Guard, client: Any, options: dict[str, Any]) -> Handover | None:
    """Sanitize what a body is made of, in the options of a call; None where that was done above."""
    __tracebackhide__ = True
    library: Any = library_of(type(client.httpx_client)) or guard.library

    def locate() -> str:
        return destination(library, "", (), {"url": client.get_base_url(options.get("base_url"))})

    handover = Handover(guard.at(locate), locate, values=_values(options))
    if is_judged(handover):  # the SDK calls itself to try again
        return None
    convert = _convert_of(type(client).__mro__[-2].__module__)
    for name in ("json", "data"):
        value = options.get(name)
        if value is not None:
            options[name] = _sanitize(handover, value, convert, options.get("omit"))
    more = options.get("request_options")
    if more and more.get(_MORE):
        sanitized = _sanitize(handover, more[_MORE], convert, None)
        options["request_options"] = {**more, _MORE: sanitized}
    handover.values = _values(options)
    return handover


def _values(options: dict[str, Any]) -> tuple[Any, ...]:
    more = options.get("request_options")
    return options.get("json"), options.get("data"), more.get(_MORE) if more else None


def _sanitize(handover: Handover, value: Any, convert: Convert, omitted: object) -> object:
    """Sanitize a value, except for the members that the SDK leaves out, and note what was found."""
    __tracebackhide__ = True
    if omitted is not None and value is omitted:
        return value
    given = value
    if omitted is not None and issubclass(type(value), dict):
        given = {name: item for name, item in value.items() if item is not omitted}
    sanitized, report = judge_value(handover.guard, given, convert, handover.locate())
    if not report.findings:
        return value  # which may hold what the encoder is to convert
    handover.found.append(report)
    return sanitized


@lru_cache(maxsize=16)
def _convert_of(module: str) -> Convert:
    """Return what the encoder of an SDK makes of plain data, one level of it.

    Not of other objects, whose attributes it would write out.
    """
    encode: Convert = sys.modules[module].jsonable_encoder

    def convert(value: Any) -> object:
        kind = type(value)
        if value is ...:  # which the encoder leaves out
            return None
        if class_attribute(kind, "__pydantic_serializer__") is not None:
            dump = class_attribute(kind, "dict")
            # Fern's own leaves out what was not set; pydantic's is deprecated.
            is_own = getattr(dump, "__module__", "").partition(".")[0] != "pydantic"
            return value.dict(by_alias=True) if is_own else jsonable(value)
        if issubclass(kind, (set, frozenset)) or class_attribute(kind, "__dataclass_fields__"):
            return jsonable(value)
        if issubclass(kind, (bytes, timedelta)) or is_plain_data(kind):
            return encode(value)
        raise TypeError

    return convert
