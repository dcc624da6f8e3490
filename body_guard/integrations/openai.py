"""The OpenAI SDK's encoding step, where a body is still an object and nothing has failed yet.

``openai._base_client`` encodes a body itself, before httpx is asked for a request (``content =
openapi_dumps(json_data)``, openai 2.20 and up), so a guarded ``http_client=`` sees bytes, and a
live object crashes before it. `HOOKS` are the two names that every body of the SDK goes by, Azure's
too. datetimes and pydantic models are legal there, since the SDK's encoder writes them: they stay.
"""

from __future__ import annotations

import sys
from functools import lru_cache, wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from body_guard._guard import Guard
from body_guard.core.report import CLEAN
from body_guard.integrations._encoding import encoded, pending, prepared
from body_guard.integrations._patch import Hook

if TYPE_CHECKING:
    from collections.abc import Callable

    from body_guard.core.report import Report
    from body_guard.integrations._patch import Current

__all__ = ["HOOKS", "guard_of"]


def guard_of(request: Any, guard: Guard) -> Guard:
    """Give the guard for the library that a request is of: the SDK takes httpx and httpx2."""
    library: Any = sys.modules[type(request).__module__.partition(".")[0]]
    return guard if library is guard.library else Guard(library, guard.policy)


def _encoding(original: Callable[[Any], bytes], current: Current) -> Callable[[Any], bytes]:
    @wraps(original)
    def openapi_dumps(obj: Any) -> bytes:
        __tracebackhide__ = True
        guard = current()
        return original(obj) if guard is None else encoded(guard, original, obj, {}, _convert())

    return openapi_dumps


def _building(original: Any, current: Current) -> Any:
    @wraps(original)
    def _build_request(self: Any, options: Any, *args: Any, **more: Any) -> Any:
        __tracebackhide__ = True
        guard = current()
        if guard is None:
            return original(self, options, *args, **more)
        found: list[Report] = []
        token = pending.set(found)
        try:
            _clean_what_httpx_encodes(guard, options)
            request = original(self, options, *args, **more)
        finally:
            pending.reset(token)
        guard_of(request, guard).judge(request, sum(found, CLEAN))
        return request

    return _build_request


def _clean_what_httpx_encodes(guard: Guard, options: Any) -> None:
    """Clean the fields of a form, and every body of an SDK that leaves the encoding to httpx.

    The options are the SDK's own copy, made for this attempt; the values in them are the caller's.
    """
    __tracebackhide__ = True
    convert = _convert()
    if convert is not None and not options.files:
        return  # openapi_dumps will see it
    for name in ("json_data", "extra_json"):
        value = getattr(options, name, None)
        if issubclass(type(value), (dict, list)):
            setattr(options, name, prepared(guard, value, convert))


@lru_cache(maxsize=1)
def _convert() -> Callable[[Any], object] | None:
    """Give what the SDK's encoder makes of a value, or None where httpx's encoder is used."""
    try:
        encoder = import_module("openai._utils._json")._CustomEncoder()
    except (ImportError, AttributeError):
        return None
    convert: Callable[[Any], object] = encoder.default
    return convert


#: The encoding step, and the request that is made of it: the net behind it.
HOOKS: Final = (
    Hook("openai._base_client", "openapi_dumps", _encoding, "bodies of the OpenAI SDK, as objects"),
    Hook(
        "openai._base_client:BaseClient",
        "_build_request",
        _building,
        "forms of the OpenAI SDK, as objects; all its requests, as bytes",
    ),
)
