"""One outgoing request of httpx or httpx2: look at its body, remember the verdict, replace it.

The body of a request is in two places, ``stream`` and ``_content``, and transports differ in which
they send: HTTPTransport the stream, MockTransport and aiohttp's the content. So both are looked at,
and both are replaced.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

from body_guard.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from body_guard.core.report import Report

__all__ = [
    "EXTENSION",
    "OVERRIDE",
    "Library",
    "destination",
    "json_is_used",
    "library_of",
    "peek",
    "put",
    "recall",
    "remember",
]

#: The request extension that takes a policy in and carries the report out.
EXTENSION: Final = "body_guard"

#: Where a policy given for one request stays while the report has taken its place.
OVERRIDE: Final = "body_guard.policy"

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Library(Protocol):
    """What is used of httpx or httpx2."""

    __name__: str
    Client: type[Any]
    AsyncClient: type[Any]
    BaseTransport: type[Any]
    AsyncBaseTransport: type[Any]
    ByteStream: type[Any]
    SyncByteStream: type[Any]
    AsyncByteStream: type[Any]
    Headers: type[Any]
    InvalidURL: type[Any]
    URL: type[Any]


def library_of(kind: type) -> Library | None:
    """Return httpx or httpx2, whichever a class is of, a subclass of a user's included.

    None where it is of neither; no library is imported.
    """
    for base in kind.__mro__:
        library: Any = sys.modules.get(base.__module__.partition(".")[0])
        if library is not None and library.__name__ in ("httpx", "httpx2"):
            found: Library = library
            return found
    return None


def destination(
    library: Library, base_url: Any, args: tuple[Any, ...], options: dict[str, Any]
) -> str:
    """Return the host that ``build_request(*args, **options)`` will build a request for, in ASCII.

    ``""`` where the address is no URL, so that the library raises its error.
    """
    try:
        url = library.URL(options["url"] if "url" in options else args[1])
    except (IndexError, TypeError, library.InvalidURL):
        return ""
    # As text: the URL of an SDK's client can be of the other library.
    host: bytes = (library.URL(str(base_url)) if url.is_relative_url else url).raw_host
    return host.decode("ascii")


def json_is_used(options: dict[str, Any]) -> bool:
    """Check whether ``build_request(**options)`` will send ``json=``.

    In httpx, ``content``, ``data`` and ``files`` win over it (``httpx/_content.py``,
    ``encode_request``); ``content=b""`` does, an empty mapping as ``data`` does not.
    """
    data = options.get("data")
    return (
        options.get("json") is not None
        and options.get("content") is None
        and not options.get("files")
        and (data is None or (hasattr(data, "items") and not data))
    )


def peek(request: Any, library: Library) -> tuple[bytes, ...]:
    """Return the body of a request if it lies in memory, without consuming anything.

    Nothing for a stream that has not been read. Otherwise the body, and the request's content where
    that differs from its stream's. A redirected request has a ByteStream and no content; a subclass
    of ByteStream may do I/O, so only the very class is looked into.
    """
    # By getattr, here and below: an object that was asked for its __dict__ has one from then on,
    # and the library's code, which CPython 3.11 specialized for objects without, is slower on it.
    content, stream = getattr(request, "_content", None), request.stream
    if type(stream) is not library.ByteStream:
        return () if content is None else (content,)
    body = b"".join(stream)
    return (body,) if content is None or content == body else (body, content)


#: What a stream was judged to hold: these bodies (empty: not looked into), under these headers
#: (None: any), by this policy, with this report. An attribute of the stream: a redirect carries its
#: stream along, and a changed body has another. An extension would be carried along too, to bodies
#: that nobody looked at; a weak dictionary by the identity of streams costs a small request 3 us.
_JUDGED: Final = "_body_guard_judged"

_DESCRIBING: Final = frozenset({b"content-encoding", b"content-type"})


def recall(request: Any, bodies: tuple[bytes, ...], policy: Policy | None = None) -> Report | None:
    """Return the report of these bodies, if they were judged before, by this policy or any."""
    judged = getattr(request.stream, _JUDGED, None)
    if judged is None:
        return None
    known: Report
    same, headers, by, known = judged
    if same != bodies or (policy is not None and by is not policy and by != policy):
        return None
    if headers is not None:
        raw = request.headers.raw
        if headers != raw and _describe(headers) != _describe(raw):
            return None
    return known


def _describe(headers: list[tuple[bytes, bytes]]) -> list[bytes]:
    """Return the headers that select the parser of a body."""
    return [value for name, value in headers if name.lower() in _DESCRIBING]


def remember(
    request: Any,
    bodies: tuple[bytes, ...],
    policy: Policy,
    report: Report,
    *,
    by_headers: bool = True,
) -> None:
    """Remember what the body of a request was judged to be, and leave the report with it.

    Where its stream takes no mark, it is judged again. ``by_headers`` says whether the headers that
    describe the body matter.
    """
    extensions = request.extensions
    headers = request.headers.raw if by_headers and bodies else None
    with suppress(AttributeError):
        setattr(request.stream, _JUDGED, (bodies, headers, policy, report))
    override = extensions.get(EXTENSION)
    if isinstance(override, Policy):
        extensions[OVERRIDE] = override
    extensions[EXTENSION] = report


def put(
    request: Any, library: Library, content: bytes, headers: Mapping[str, str] = _NOTHING
) -> None:
    """Replace the body of a request: headers, stream and content together.

    Everything is computed first and assigned last: a second thread that sends the same request sees
    the old body or the new one.

    Args:
        request: An httpx or httpx2 request.
        library: The module it is of.
        content: The body. Content-Length follows it; where the body is chunked, none is added.
        headers: New values, by lower-case name, of headers that are there. The raw spelling of
            a name and its place stay; of several of one name, the first.
    """
    renewed = {name.encode(): value.encode() for name, value in headers.items()}
    renewed[b"content-length"] = b"%d" % len(content)
    raw: list[tuple[bytes, bytes]] = []
    done: set[bytes] = set()
    for name, value in request.headers.raw:
        key = name.lower()
        if key not in renewed:
            raw.append((name, value))
        elif key not in done:
            done.add(key)
            raw.append((name, renewed[key]))
    if b"content-length" not in done and "Transfer-Encoding" not in request.headers:
        raw.append((b"Content-Length", renewed[b"content-length"]))
    new_headers = library.Headers(raw, encoding=request.headers.encoding)
    stream = library.ByteStream(content)
    request.headers, request.stream, request._content = new_headers, stream, content
