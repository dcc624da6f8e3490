"""What litellm is about to encode: where it goes, and whether it is a whole body.

litellm's functions know the destination before a request does. A report cannot wait for the
request: what is encoded may be a part of a body or the key of a cache, and the call may crash.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import httpx

from body_guard.http.outgoing import destination
from body_guard.http.request_guard import Guard

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

    from body_guard.policy import Policy

__all__ = ["guard_for", "host_of_frame", "host_of_url"]

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
    """Return the host of an address, text or httpx's URL; ``""`` where it has none."""
    return destination(httpx, "", (), {"url": str(url)})


def host_of_frame(frame: FrameType | None) -> str:
    """Return the host that a function of litellm's is about to send to; ``""`` if it is unknown.

    The function that encodes, or one above it, has the address in a variable.
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


#: Members that a whole request to a model has, and the arguments of a tool hardly ever.
_MEMBERS_OF_BODIES: Final = frozenset(
    {"contents", "inputText", "inputs", "instances", "messages", "model"}
)

_last: tuple[Policy, Guard] | None = None


def guard_for(guard: Guard, value: object) -> Guard:
    """Return the guard for a value that may be a whole body or no body at all.

    The modules that encode bodies also encode the arguments of tool calls and the keys of caches of
    AWS credentials. There, a rule for the outermost object would take ``max_budget`` out of a
    tool's arguments, and out of a cache's key the names that tell accounts apart. What this leaves,
    the guard of the bytes will see in its place.

    Returns:
        The same guard for a whole body; else one with the rules that hold everywhere, and without
        the checks of whole bodies.
    """
    if issubclass(type(value), dict):
        names: list[object] = list(dict.keys(value))  # type: ignore[arg-type]  # it is one
        if any(type(name) is str and name in _MEMBERS_OF_BODIES for name in names):
            return guard
    # Kept for one policy, which is as many as are installed: to hash one takes longer than to look.
    global _last
    last, policy = _last, guard.policy
    if last is None or last[0] is not policy or last[1].library is not guard.library:
        rules = tuple(rule for rule in policy.rules if rule.everywhere)
        parts = replace(policy, rules=rules, schema=None, stringified="off")
        last = _last = policy, guard if parts == policy else Guard(guard.library, parts)
    return last[1]
