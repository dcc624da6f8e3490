"""aiohttp, guarded where a session is given a request: the object of ``json=``, then its bytes.

A session's own ``json_serialize`` writes the object, and what that can write is legal. A redirect
that aiohttp follows carries the body as it was judged for the first host.
"""

from __future__ import annotations

import json as standard_json
import sys
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

from body_guard.core.report import CLEAN
from body_guard.http.auditing import ENCODING_ERRORS
from body_guard.http.content import (
    describe_content,
    fold_headers,
    in_memory,
    judge_content,
    renew_headers,
    report_crash,
    report_unread,
    was_judged,
)
from body_guard.http.departures import OBSERVERS, leaving
from body_guard.integrations.values import convert_as, sanitize_value
from body_guard.patches.patch import Hook
from body_guard.patches.process import Row

if TYPE_CHECKING:
    from body_guard.core.report import Report
    from body_guard.http.departures import Departure
    from body_guard.http.request_guard import Guard
    from body_guard.patches.patch import Current

__all__ = ["ROW"]


def _patch_request(original: Any, current: Current) -> Any:
    @wraps(original)
    async def _request(self: Any, method: str, str_or_url: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        guard = current()
        if guard is not None:
            value, data = options.get("json"), options.get("data")
            if value is not None and data is None:
                options["data"] = _encode(guard, self, str_or_url, options)
                options["json"] = None
            elif data is not None and value is None and not was_judged(data):
                _judge_data(guard, self, str_or_url, options)
        return await original.__get__(self)(method, str_or_url, **options)

    return _request


def _patch_send(original: Any, current: Current) -> Any:
    @wraps(original)
    async def send(self: Any, *args: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        if not OBSERVERS:
            return await original.__get__(self)(*args, **options)

        # Bytes in memory are those of a payload; what else there is, is a stream.
        body = getattr(self.body, "_value", self.body)

        def describe(_: object) -> Departure | None:
            return describe_content(current(), self.method, str(self.url), self.headers, body)

        with leaving(in_memory(body), describe):
            return await original.__get__(self)(*args, **options)

    return send


def _encode(guard: Guard, session: Any, url: Any, options: dict[str, Any]) -> Any:
    """Return the payload that aiohttp makes of ``json=``, less what may not leave."""
    __tracebackhide__ = True
    given, host = options["json"], _host(session, url)
    in_bytes = getattr(session, "_json_serialize_bytes", None)
    dumps = in_bytes or session._json_serialize
    convert = None if dumps is standard_json.dumps else convert_as(dumps)
    value, known = sanitize_value(guard, given, convert, host)
    try:
        text = dumps(value)
    except ENCODING_ERRORS as error:
        report_crash(guard, error, given, known, host, convert)
        raise
    content = _judge(guard, session, text, host, options, known, "application/json")
    payload = sys.modules["aiohttp"].payload
    if in_bytes is not None:
        return payload.JsonBytesPayload(value, dumps=lambda _: content)
    return payload.JsonPayload(value, dumps=lambda _: content)


def _judge_data(guard: Guard, session: Any, url: Any, options: dict[str, Any]) -> None:
    __tracebackhide__ = True
    data, host = options["data"], _host(session, url)
    if in_memory(data) is not None:
        options["data"] = _judge(guard, session, data, host, options)
    elif data:
        form = isinstance(data, (dict, list, tuple)) or hasattr(type(data), "add_field")
        report_unread(guard, "form" if form else "stream", host)


def _judge(
    guard: Guard,
    session: Any,
    data: Any,
    host: str,
    options: dict[str, Any],
    known: Report = CLEAN,
    content_type: str | None = None,
) -> Any:
    """Return a body in memory as it may leave, text as text; its headers follow in the options."""
    __tracebackhide__ = True
    content, headers = in_memory(data), session._prepare_headers(options.get("headers"))
    if not content:
        return data
    folded = fold_headers(headers)
    if content_type is not None:
        folded.setdefault("content-type", content_type)
    change = judge_content(guard, content, folded, host, known)
    if change is None:
        return data
    if change.headers:
        renew_headers(headers, change)
        options["headers"] = headers
    return change.content.decode("utf-8", "surrogatepass") if type(data) is str else change.content


def _host(session: Any, url: Any) -> str:
    """Return where a request goes; ``""`` where that is no URL, which aiohttp will refuse."""
    try:
        return session._build_url(url).raw_host or ""
    except (TypeError, ValueError):
        return ""


ROW: Final = Row(
    "aiohttp",
    "aiohttp",
    lambda _: (
        Hook(
            "aiohttp.client:ClientSession",
            "_request",
            _patch_request,
            "what aiohttp sends, as objects, or bytes where it is given these",
        ),
        Hook(
            "aiohttp.client_reqrep:ClientRequest",
            "send",
            _patch_send,
            "each hop that aiohttp sends, for record() alone",
        ),
    ),
)
