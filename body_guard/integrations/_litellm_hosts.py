"""Where litellm is about to send what it encodes: its own functions know before a request does.

A report cannot wait for the request: what is encoded may be a part of a body or the key of a cache,
and the call may crash. The function that encodes, or one above it, has the address of the provider
in a variable, under one of a few names.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final

import httpx

from body_guard.http.outgoing import destination

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

__all__ = ["host_of_frame", "host_of_url"]

#: What litellm's functions call an address, first the one that is sent to where there are two.
_NAMES: Final = (
    "request_url",
    "proxy_endpoint_url",
    "complete_url",
    "endpoint_url",
    "api_base",
    "url",
)

#: How many functions above the one that encodes are looked at.
_FAR: Final = 10


def host_of_url(url: object) -> str:
    """Return the host of an address, or ``""`` where it is none.

    Args:
        url: As text or as httpx's.
    """
    return _host_of("/".join(str(url).split("/", 3)[:3]))


@lru_cache(maxsize=128)
def _host_of(origin: str) -> str:
    return destination(httpx, "", (), {"url": origin})


def host_of_frame(frame: FrameType | None) -> str:
    """Return the host that a function of litellm's is about to send to, or ``""`` if none says.

    Args:
        frame: Of the function that encodes.
    """
    for _ in range(_FAR):
        if frame is None or not str(frame.f_globals.get("__name__")).startswith("litellm."):
            break
        url = _url_in(frame.f_locals)
        if url:
            return host_of_url(url)
        frame = frame.f_back
    return ""


def _url_in(variables: Mapping[str, Any]) -> str:
    """Return the address among a function's variables, or among what it will call with."""
    for name in _NAMES:
        value = variables.get(name)
        if (type(value) is str and "://" in value) or type(value) is httpx.URL:
            return str(value)
    for value in list(variables.values()):
        if type(value) is partial:  # a stream that is opened when it is read, all above gone
            url = _url_in(value.keywords)
            if url:
                return url
    return ""
