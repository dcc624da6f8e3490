"""google-genai: a body while it is an object, sync and async, before ``json.dumps``.

Its async client leaves by aiohttp as soon as that can be imported, which `install` guards by name;
the object is taken out on both ways.
"""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

from body_guard.http.content import host_of
from body_guard.http.doors import own_guard
from body_guard.http.handover import Handover, hand_over, report_rest
from body_guard.integrations.values import judge_value
from body_guard.patches.patch import Hook
from body_guard.patches.process import Row

if TYPE_CHECKING:
    from body_guard.http.request_guard import Guard
    from body_guard.patches.patch import Current

__all__ = ["ROW"]

_MODULE: Final = "google.genai._api_client"


def _patch(original: Any, current: Current) -> Any:
    if inspect.iscoroutinefunction(original):

        @wraps(original)
        async def request_once(self: Any, http_request: Any, *args: Any, **options: Any) -> Any:
            __tracebackhide__ = True
            guard = current()
            send = original.__get__(self)
            if guard is None:
                return await send(http_request, *args, **options)
            handover = _judge(guard, getattr(self, "_async_httpx_client", None), http_request)
            with hand_over(handover), report_rest(handover):
                return await send(http_request, *args, **options)

    else:

        @wraps(original)
        def request_once(self: Any, http_request: Any, *args: Any, **options: Any) -> Any:
            __tracebackhide__ = True
            guard = current()
            send = original.__get__(self)
            if guard is None:
                return send(http_request, *args, **options)
            handover = _judge(guard, getattr(self, "_httpx_client", None), http_request)
            with hand_over(handover), report_rest(handover):
                return send(http_request, *args, **options)

    return request_once


def _judge(guard: Guard, http: Any, http_request: Any) -> Handover:
    """Sanitize the object of a request, which is the SDK's own and made for this call."""
    __tracebackhide__ = True

    def locate() -> str:
        return host_of(str(http_request.url))

    handover = Handover(own_guard(http, guard).at(locate), locate)
    data = http_request.data
    if issubclass(type(data), (dict, list)):  # else bytes that are uploaded
        http_request.data, report = judge_value(handover.guard, data, None, locate())
        if report.findings:
            handover.found.append(report)
    return handover


ROW: Final = Row(
    "google-genai",
    _MODULE,
    lambda module: (
        Hook(
            f"{module}:BaseApiClient", "_request_once", _patch, "bodies of google-genai, as objects"
        ),
        Hook(
            f"{module}:BaseApiClient",
            "_async_request_once",
            _patch,
            "async bodies of google-genai, as objects",
        ),
    ),
)
