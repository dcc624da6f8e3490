"""urllib3, guarded where a connection sends a request.

All that stands on it goes through that name, requests and botocore included, after they have
signed: their own rows judge before that, and what they have judged passes here.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from body_guard.http.content import (
    describe_content,
    fold_headers,
    in_memory,
    judge_content,
    renew_headers,
    report_unread,
    was_judged,
)
from body_guard.http.departures import OBSERVERS, leaving
from body_guard.patches.patch import Hook
from body_guard.patches.process import Row

if TYPE_CHECKING:
    from body_guard.http.departures import Departure
    from body_guard.http.request_guard import Guard
    from body_guard.patches.patch import Current

__all__ = ["ROW"]


def _patch_request(original: Any, current: Current) -> Any:
    @wraps(original)
    def request(
        self: Any, method: str, url: str, body: Any = None, headers: Any = None, **options: Any
    ) -> Any:
        __tracebackhide__ = True
        guard = current()
        if guard is not None and body and not was_judged(body):
            body, headers = _judge(guard, body, headers, _host(self, url))
        if not OBSERVERS or not body:
            return original.__get__(self)(method, url, body, headers, **options)

        def describe(_: object) -> Departure | None:
            target = f"//{_host(self, url)}{urlsplit(url).path}"
            return describe_content(guard, method, target, headers, body)

        with leaving(in_memory(body), describe):
            return original.__get__(self)(method, url, body, headers, **options)

    return request


def _judge(guard: Guard, body: Any, headers: Any, host: str) -> tuple[Any, Any]:
    """Return a body and headers as they may leave; the caller's own stay as they are."""
    __tracebackhide__ = True
    content = in_memory(body)
    if content is None:
        report_unread(guard, "stream", host)
        return body, headers
    change = judge_content(guard, content, fold_headers(headers), host)
    if change is None:
        return body, headers
    if change.headers:
        headers = headers.copy()
        renew_headers(headers, change)
    return change.content, headers


def _host(connection: Any, url: str) -> str:
    """Return where a request goes: a proxy is told the whole URL, or asked for a tunnel."""
    host: str | None
    try:
        host = urlsplit(url).hostname if "://" in url else None
    except ValueError:
        host = None
    return host or getattr(connection, "_tunnel_host", None) or connection.host


ROW: Final = Row(
    "urllib3",
    "urllib3",
    lambda _: (
        Hook(
            "urllib3.connection:HTTPConnection",
            "request",
            _patch_request,
            "what urllib3 sends, as bytes, signed or not",
        ),
    ),
)
