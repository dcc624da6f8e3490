"""SDKs that Stainless generates (openai, anthropic, groq, together): a body while it is an object.

``request`` copies the options for each attempt, hands them to ``_prepare_options`` ("Hook for
mutating the given options") and then to ``_build_request``, which encodes the body itself and gives
bytes to httpx. So a live object crashes before any HTTP client is reached, and is taken out here:
by `methods` for one client, by `hooks` for all clients of the process.

What the SDK's encoder can write (datetimes, pydantic models) is legal here and stays, and so does
what makes the SDK leave a field out.
"""

from __future__ import annotations

import inspect
import sys
from contextlib import contextmanager
from datetime import date, time
from decimal import Decimal
from functools import lru_cache, partial, wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from body_guard.core.encode import HTTPX
from body_guard.core.report import CLEAN
from body_guard.http.auditing import ENCODING_ERRORS, add_note
from body_guard.http.doors import ORIGINAL, own_guard
from body_guard.http.handover import (
    Handover,
    hand_over,
    is_judged,
    put_down,
    receive,
    take_findings,
    take_up,
)
from body_guard.http.outgoing import destination, library_of
from body_guard.http.reporting import deliver
from body_guard.http.request_guard import Guard
from body_guard.integrations.encoding import Encoder, encode_body
from body_guard.integrations.values import judge_value
from body_guard.patches.patch import Hook
from body_guard.patches.process import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from body_guard.core.encode import Style
    from body_guard.core.report import Report
    from body_guard.integrations.values import Convert
    from body_guard.patches.patch import Current

__all__ = ["MODULE", "ROW", "convert_of", "guard_of", "hooks", "methods", "text_of"]

#: Where a package that Stainless made has its clients' base class, and its encoder.
MODULE: Final = "._base_client"

#: The fields of the options that become a body: the SDK merges the second into the first.
_FIELDS: Final = ("json_data", "extra_json")

_TEXTS: Final = (date, time, Decimal, UUID)


def methods(original: Any, guard: Guard, sdk: str) -> dict[str, Any]:
    """Return the methods of a guarded class of an SDK's clients.

    Functions of this very class, and not a class in front of it: an object whose class has generic
    bases, as these have, cannot be given a class that begins with another base.
    """

    def judge(client: Any, options: Any) -> Handover:
        __tracebackhide__ = True
        handover = _start(guard, client, options)
        _sanitize_options(handover, options, sdk)
        return handover

    # Before the SDK's own, since AnthropicBedrock's makes a deep copy, and Azure's no super() call.
    if inspect.iscoroutinefunction(original._prepare_options):

        @wraps(original._prepare_options)
        async def _prepare_options(self: Any, options: Any) -> Any:
            __tracebackhide__ = True
            handover = judge(self, options)
            options = await original._prepare_options(self, options)
            put_down(handover)
            return options

    else:

        @wraps(original._prepare_options)
        def _prepare_options(self: Any, options: Any) -> Any:
            __tracebackhide__ = True
            handover = judge(self, options)
            options = original._prepare_options(self, options)
            put_down(handover)
            return options

    @wraps(original._build_request)
    def _build_request(self: Any, options: Any, *args: Any, **more: Any) -> Any:
        __tracebackhide__ = True
        earlier = take_up()
        handover = _start(guard, self, options, earlier.found if earlier else None)
        # The SDK's own hook may have put in something else.
        if earlier is None or not _are_same(handover.values, earlier.values):
            _sanitize_options(handover, options, sdk)
        with hand_over(handover), _report_crash(handover, options, sdk):
            request = original._build_request(self, options, *args, **more)
            # A stream is for the HTTP client's send, which may read it.
            known = take_findings()
            guard_of(request, guard).judge(request, known, streams=known != CLEAN)
        return request

    return {"_prepare_options": _prepare_options, "_build_request": _build_request}


def guard_of(request: Any, guard: Guard) -> Guard:
    """Return the guard for the library that a request is of: some SDKs take httpx and httpx2."""
    library = library_of(type(request)) or guard.library
    return guard if library is guard.library else Guard(library, guard.policy)


def hooks(sdk: str, title: str, *, yields: bool = False) -> tuple[Hook, ...]:
    """Return the hooks that see every body of an SDK, for all its clients in the process.

    Args:
        sdk: Its package.
        title: What it is called.
        yields: Whether a client with a guard of its own is left to that; else it is judged by both.
    """

    def build(original: Any, current: Current) -> Any:
        @wraps(original)
        def _build_request(self: Any, options: Any, *args: Any, **more: Any) -> Any:
            __tracebackhide__ = True
            guard = current()
            if guard is not None and yields:
                guard = _guard_for(self, guard)
            plain = original.__get__(self)  # as a class binds it: it may be no function
            if guard is None:
                return plain(options, *args, **more)
            handover = _start(guard, self, options)
            if is_judged(handover):
                return plain(options, *args, **more)
            with hand_over(handover), _report_crash(handover, options, sdk):
                if _is_form(options) or convert_of(sdk) is None:  # else openapi_dumps will see it
                    _sanitize_options(handover, options, sdk)
                request = plain(options, *args, **more)
                known = take_findings()
                # A stream is for the HTTP client's send, which may read it.
                streams = not yields or known != CLEAN
                guard_of(request, guard).judge(request, known, streams=streams)
            return request

        return _build_request

    return (
        Hook(
            f"{sdk}{MODULE}",
            "openapi_dumps",
            partial(_encode, sdk),
            f"bodies of {title}, as objects",
        ),
        Hook(
            f"{sdk}{MODULE}:BaseClient",
            "_build_request",
            build,
            f"forms of {title}, as objects; all its requests, as bytes",
        ),
    )


def _encode(sdk: str, original: Callable[[Any], bytes], current: Current) -> Callable[[Any], bytes]:
    """Return an SDK's encoder, guarded."""
    style = _style_of(original)

    @wraps(original)
    def openapi_dumps(obj: Any) -> bytes:
        __tracebackhide__ = True
        guard = current()
        if guard is None:
            return original(obj)
        encoder = Encoder(original, style, convert_of(sdk))
        handover = receive()
        text: Any = (
            encode_body(guard, encoder, obj)
            if handover is None
            else encode_body(handover.guard, encoder, obj, handover.locate, handover.found)
        )
        return text  # type: ignore[no-any-return]  # bytes, from either

    return openapi_dumps


def _hooks_of(module: str) -> Iterator[Hook]:
    """Return the hooks of an SDK by its module, as its release has them."""
    code = sys.modules[module]
    if not hasattr(code, "FinalRequestOptions") or not hasattr(code, "BaseClient"):
        return
    sdk = module.removesuffix(MODULE)
    encoding, building = hooks(sdk, sdk, yields=True)
    if hasattr(code, encoding.name):
        yield encoding
    yield building  # an older one leaves the encoding to httpx


#: Of every package that Stainless made.
ROW: Final = Row("SDKs made by Stainless", MODULE, _hooks_of)


def _guard_for(client: Any, guard: Guard) -> Guard | None:
    """Return the guard of a client of an SDK, if that of the process is the given one.

    That of the HTTP client beneath, if it has one of its own; None where the client is guarded.
    """
    if hasattr(type(client), ORIGINAL):
        return None
    return own_guard(client._client, guard)


def _start(guard: Guard, client: Any, options: Any, found: list[Report] | None = None) -> Handover:
    """Return what is known of the body that a client is about to send."""
    base_url = client.base_url
    library = library_of(type(base_url)) or guard.library

    def locate() -> str:
        return destination(library, base_url, (), {"url": options.url})

    return Handover(guard.at(locate), locate, found or [], _values(options))


@contextmanager
def _report_crash(handover: Handover, options: Any, sdk: str) -> Iterator[None]:
    """Note and report an encoder's error in an audit: there will be no request."""
    __tracebackhide__ = True
    try:
        yield
    except ENCODING_ERRORS as error:
        if handover.guard.policy.mode == "audit":
            for value in _values(options):
                if issubclass(type(value), (dict, list)):
                    add_note(error, value, convert_of(sdk))
            report = take_findings()
            if report.findings:
                deliver(report, handover.guard.policy, handover.locate())
        raise


def _values(options: Any) -> tuple[Any, ...]:
    return tuple([getattr(options, name, None) for name in _FIELDS])


def _are_same(values: tuple[Any, ...], others: tuple[Any, ...]) -> bool:
    return all(value is other for value, other in zip(values, others, strict=True))


def _is_form(options: Any) -> bool:
    """Check whether a body is sent as a form, with files or without."""
    if options.files:
        return True
    headers = options.headers
    if not issubclass(type(headers), dict):  # not given
        return False
    types = [value for name, value in headers.items() if str(name).lower() == "content-type"]
    return any(str(value).startswith("multipart/form-data") for value in types)


def _sanitize_options(handover: Handover, options: Any, sdk: str) -> None:
    """Sanitize the fields that become a body.

    The options are the SDK's own copy, made for this attempt; the values in them are the caller's.
    A GET has no body, whatever its options say.
    """
    __tracebackhide__ = True
    if options.method.lower() == "get":
        return
    left_out = _types_left_out(sdk)
    convert = text_of if _is_form(options) else convert_of(sdk)
    for name, value in zip(_FIELDS, handover.values, strict=True):
        if value is None or issubclass(type(value), (bytes, bytearray, *left_out)):
            continue
        sanitized = _sanitize(handover, value, convert, left_out)
        if sanitized is not value:
            setattr(options, name, sanitized)
    handover.values = _values(options)


def _sanitize(
    handover: Handover, value: Any, convert: Convert | None, left_out: tuple[type, ...]
) -> object:
    """Sanitize a value, except for the members by which the SDK leaves something out."""
    __tracebackhide__ = True
    given = value
    if issubclass(type(value), dict):
        given = {name: item for name, item in value.items() if not issubclass(type(item), left_out)}
        if len(given) == len(value):
            given = value
    sanitized: Any
    sanitized, report = judge_value(handover.guard, given, convert, handover.locate())
    if report.findings:
        handover.found.append(report)
    if given is value or sanitized is given:
        return value if sanitized is given else sanitized
    return {
        name: sanitized.get(name, item)
        for name, item in value.items()
        if name in sanitized or name not in given
    }


def text_of(value: Any) -> str:
    """Return the text that a form writes of a date, time, Decimal or UUID.

    Raises:
        TypeError: It is none of these; a form would write its repr.
    """
    if issubclass(type(value), _TEXTS):
        return str(value)
    raise TypeError


def _style_of(dumps: Callable[[Any], bytes]) -> Style | None:
    """Return httpx's style if an encoder writes a sample in it."""
    try:
        is_httpx = dumps({"é": [1.0, None, '"']}) == '{"é":[1.0,null,"\\""]}'.encode()
    except Exception:  # it is no encoder of this kind
        return None
    return HTTPX if is_httpx else None


@lru_cache(maxsize=16)
def convert_of(sdk: str) -> Convert | None:
    """Return the ``default`` of an SDK's encoder, or None where httpx's encoder is used."""
    try:
        encoder = import_module(f"{sdk}._utils._json")._CustomEncoder()
    except (ImportError, AttributeError):
        return None
    convert: Convert = encoder.default
    return convert


@lru_cache(maxsize=16)
def _types_left_out(sdk: str) -> tuple[type, ...]:
    """Return an SDK's types for "not given" and "leave this out"."""
    types = vars(import_module(f"{sdk}._types"))
    return tuple([types[name] for name in ("NotGiven", "Omit") if name in types])
