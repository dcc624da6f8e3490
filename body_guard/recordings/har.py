"""HAR 1.2, what browsers and proxies export: the request bodies of its entries."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final

from body_guard.http.content import host_of
from body_guard.recordings.body import Body, Place, Unread
from body_guard.recordings.headers import header
from body_guard.recordings.json_members import find_places, matcher_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["find_har_places", "read_har_request"]

#: The names on the way to a body; behind the second is the index of an entry.
_PATH: Final = ("log", "entries", "request", "postData", "text")
_NAMES: Final = matcher_of(*_PATH)


def read_har_request(
    name: str, index: int, request: Any, places: Mapping[int, tuple[int, int, int]]
) -> Iterator[Body | Unread]:
    """Read the body of a request.

    Args:
        name: Of the file.
        index: Of the entry.
        request: The entry's member ``request``.
        places: Where the bodies stand, as `find_har_places` gives them.
    """
    if not isinstance(request, dict):
        yield Unread(name, f"entry {index}: its request is no object")
        return
    data = request.get("postData")
    if not isinstance(data, dict):
        return
    text = data.get("text")
    if not isinstance(text, str):
        if data.get("params"):
            yield Unread(name, f"entry {index}: has its body as params, not as text")
        elif "_file" in data or "_sha1" in data:  # as Playwright writes them
            yield Unread(name, f"entry {index}: has its body in another file")
        return
    headers = request.get("headers")
    content = text.encode("utf-8", "surrogatepass")
    encoded = data.get("encoding") == "base64"
    if encoded:
        try:
            content = base64.b64decode(text, validate=True)
        except binascii.Error:
            yield Unread(name, f"entry {index}: its body is no base64")
            return
    if not content:
        return
    start, end, line = places.get(index, (0, 0, 0))
    given = data.get("mimeType")
    yield Body(
        name,
        index,
        line,
        host_of(request.get("url")),
        str(request.get("method") or ""),
        content,
        given if given and isinstance(given, str) else header(headers, "content-type"),
        header(headers, "content-encoding"),
        Place(start, end, "base64" if encoded else "string") if line else None,
    )


def find_har_places(content: bytes) -> dict[int, tuple[int, int, int]]:
    """Return start, end and line of the text of each body, by the index of its entry."""

    def is_body(path: tuple[str | int, ...]) -> bool:
        return len(path) == 6 and (*path[:2], *path[3:]) == _PATH

    return find_places(content, _NAMES, is_body, index=2)
