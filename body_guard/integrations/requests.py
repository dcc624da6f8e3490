"""requests, guarded where it makes a body, and again where an adapter sends it.

``prepare_body`` has the object of ``json=`` and runs before auth; what hooks and auth make of the
body later, the adapter sees, and refuses when it is dirty and signed.
"""

from __future__ import annotations

import sys
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Final

from body_guard.core.report import CLEAN
from body_guard.http.auditing import ENCODING_ERRORS
from body_guard.http.content import (
    deliver_known,
    describe_prepared,
    fold_headers,
    host_of,
    in_memory,
    judge_content,
    renew_headers,
    report_crash,
    report_unread,
    sending,
)
from body_guard.http.departures import leaving
from body_guard.integrations.values import convert_as, sanitize_value
from body_guard.patches.patch import Hook
from body_guard.patches.process import Row

if TYPE_CHECKING:
    from body_guard.core.report import Report
    from body_guard.http.request_guard import Guard
    from body_guard.integrations.values import Convert
    from body_guard.patches.patch import Current

__all__ = ["ROW"]

#: The attribute of a request that says what of it was judged: body, its headers, policy.
_JUDGED: Final = "_body_guard_judged"

_DESCRIBING: Final = ("content-type", "content-encoding")


#: Its own error for NaN is an OSError.
_PREPARING_ERRORS: Final[tuple[type[Exception], ...]] = (*ENCODING_ERRORS, OSError)


def _patch_prepare_body(original: Any, current: Current) -> Any:
    @wraps(original)
    def prepare_body(self: Any, data: Any, files: Any, json: Any = None) -> Any:
        __tracebackhide__ = True
        guard = current()
        prepare = original.__get__(self)
        if guard is None:
            return prepare(data, files, json)
        value, known, host = json, CLEAN, host_of(self.url)
        if json is not None and not data and not files:
            value, known = sanitize_value(guard, json, _convert(), host)
        try:
            result = prepare(data, files, value)
        except _PREPARING_ERRORS as error:
            report_crash(guard, error, json, known, host)
            raise
        if self.body and in_memory(self.body) is not None:  # a stream is for the adapter
            _judge(self, guard, host, known)
        else:
            deliver_known(guard, known, host)
        return result

    return prepare_body


def _patch_send(original: Any, current: Current) -> Any:
    @wraps(original)
    def send(self: Any, request: Any, *args: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        guard = current()
        describe = partial(describe_prepared, guard)
        if guard is None:
            with leaving(request, describe):
                return original.__get__(self)(request, *args, **options)
        if request.body and getattr(request, _JUDGED, None) != _state(request, guard):
            _judge(request, guard, host_of(request.url), CLEAN)
        with sending(request.body), leaving(request, describe):
            return original.__get__(self)(request, *args, **options)

    return send


def _judge(request: Any, guard: Guard, host: str, known: Report) -> None:
    """Judge the body of a prepared request, repair it in place, and remember that."""
    __tracebackhide__ = True
    content = in_memory(request.body)
    if content is None:
        report_unread(guard, "stream", host)
        return
    change = judge_content(guard, content, fold_headers(request.headers), host, known)
    if change is not None:
        request.body = change.content
        renew_headers(request.headers, change)
    setattr(request, _JUDGED, _state(request, guard))


def _state(request: Any, guard: Guard) -> tuple[Any, ...]:
    """Return what the judgement of a request depends on."""
    headers = [request.headers.get(name) for name in _DESCRIBING]
    return request.body, headers, guard.policy


def _convert() -> Convert | None:
    """Return what tells what the JSON module in use can write, if that is not the standard one."""
    encoder = sys.modules["requests.models"].complexjson
    return None if encoder is sys.modules["json"] else convert_as(encoder.dumps)


ROW: Final = Row(
    "requests",
    "requests",
    lambda _: (
        Hook(
            "requests.models:PreparedRequest",
            "prepare_body",
            _patch_prepare_body,
            "what requests prepares, as objects",
        ),
        Hook(
            "requests.adapters:HTTPAdapter",
            "send",
            _patch_send,
            "what requests sends, as bytes, after auth",
        ),
    ),
)
