"""SDKs that Stainless generates (openai, anthropic, groq, together): a body while it is an object.

``request`` copies the options for each attempt, hands them to ``_prepare_options`` ("Hook for
mutating the given options") and then to ``_build_request``, which encodes the body itself and gives
bytes to httpx. So a live object crashes before any HTTP client is reached, and here is where it can
be taken out: `methods` for one client, `hooks` for all of a process.

What the SDK's encoder can write (datetimes, pydantic models) is legal here and stays, and so does
what tells the SDK to leave a field out.
"""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, time
from decimal import Decimal
from functools import lru_cache, wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

from body_guard.core.encode import HTTPX
from body_guard.core.report import CLEAN
from body_guard.http.auditing import ENCODING_ERRORS, note
from body_guard.http.doors import found_above, known_above
from body_guard.http.outgoing import destination, library_of
from body_guard.http.reporting import deliver
from body_guard.http.request_guard import Guard
from body_guard.integrations.encoding import Encoder, encoded, nowhere, pending, prepared
from body_guard.patches.patch import Hook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from body_guard.core.encode import Style
    from body_guard.core.report import Report
    from body_guard.integrations.encoding import Where
    from body_guard.patches.patch import Current

    Convert = Callable[[Any], object]

__all__ = ["convert_of", "guard_of", "hooks", "methods", "text_of"]

#: The fields of the options that become a body: the SDK merges the second into the first.
_FIELDS: Final = ("json_data", "extra_json")

_TEXTS: Final = (date, time, Decimal, UUID)


class _Cleaned(NamedTuple):
    """What one attempt's options were left with, until its request is built."""

    values: tuple[Any, ...]
    found: list[Report]


#: Put down by ``_prepare_options``, taken up by the ``_build_request`` that follows it.
_cleaned: Final[ContextVar[_Cleaned | None]] = ContextVar("body_guard_cleaned", default=None)

#: The guard for the host that ``_build_request`` builds for, and the host, while the SDK encodes.
_for_host: Final[ContextVar[tuple[Guard, Where] | None]] = ContextVar(
    "body_guard_for_host", default=None
)


def methods(original: Any, guard: Guard, sdk: str) -> dict[str, Any]:
    """Return the methods that a guarded class has of its own.

    Functions of this very class, and not a class in front of it: an object whose class has generic
    bases, as these have, cannot be given a class that begins with another base.

    Args:
        original: The class of an SDK's clients that is to be guarded.
        guard: Judges.
        sdk: The SDK's package.
    """

    def clean(client: Any, options: Any) -> _Cleaned:
        __tracebackhide__ = True
        found: list[Report] = []
        there, where = _destined(guard, client, options)
        with _waiting(found):
            _clean(there, options, sdk, where)
        return _Cleaned(_values(options), found)

    # Before the SDK's own, since AnthropicBedrock's makes a deep copy, and Azure's no super() call.
    if inspect.iscoroutinefunction(original._prepare_options):

        @wraps(original._prepare_options)
        async def _prepare_options(self: Any, options: Any) -> Any:
            __tracebackhide__ = True
            cleaned = clean(self, options)
            options = await original._prepare_options(self, options)
            _cleaned.set(cleaned)
            return options

    else:

        @wraps(original._prepare_options)
        def _prepare_options(self: Any, options: Any) -> Any:
            __tracebackhide__ = True
            cleaned = clean(self, options)
            options = original._prepare_options(self, options)
            _cleaned.set(cleaned)
            return options

    @wraps(original._build_request)
    def _build_request(self: Any, options: Any, *args: Any, **more: Any) -> Any:
        __tracebackhide__ = True
        earlier = _cleaned.get()
        _cleaned.set(None)
        found = [] if earlier is None else earlier.found
        if earlier is None or not _are(_values(options), earlier.values):
            found += clean(self, options).found  # the SDK's own hook has put in something else
        there, where = _destined(guard, self, options)
        with _waiting(found), _audit(there, options, found, sdk, where):
            request = original._build_request(self, options, *args, **more)
            # A stream is for the HTTP client's send, which may read it.
            known = known_above()
            guard_of(request, guard).judge(request, known, streams=known != CLEAN)
        return request

    return {"_prepare_options": _prepare_options, "_build_request": _build_request}


def guard_of(request: Any, guard: Guard) -> Guard:
    """Return the guard for the library that a request is of: some SDKs take httpx and httpx2."""
    library = library_of(type(request)) or guard.library
    return guard if library is guard.library else Guard(library, guard.policy)


def hooks(sdk: str, title: str) -> tuple[Hook, Hook]:
    """Return the two names that every body of an SDK goes by, for all its clients in the process.

    Args:
        sdk: Its package.
        title: What it is called.
    """

    def encoding(original: Callable[[Any], bytes], current: Current) -> Callable[[Any], bytes]:
        style = _style_of(original)

        @wraps(original)
        def openapi_dumps(obj: Any) -> bytes:
            __tracebackhide__ = True
            guard = current()
            if guard is None:
                return original(obj)
            there, where = _for_host.get() or (guard, nowhere)
            encoder = Encoder(original, style, convert_of(sdk))
            text: Any = encoded(there, encoder, obj, where)
            return text  # type: ignore[no-any-return]  # bytes, from either

        return openapi_dumps

    def building(original: Any, current: Current) -> Any:
        @wraps(original)
        def _build_request(self: Any, options: Any, *args: Any, **more: Any) -> Any:
            __tracebackhide__ = True
            guard = current()
            if guard is None:
                return original(self, options, *args, **more)
            found: list[Report] = []
            there, where = _destined(guard, self, options)
            token = _for_host.set((there, where))
            try:
                with _waiting(found), _audit(there, options, found, sdk, where):
                    if options.files or convert_of(sdk) is None:  # else openapi_dumps will see it
                        _clean(there, options, sdk, where)
                    request = original(self, options, *args, **more)
                    guard_of(request, guard).judge(request, known_above())
            finally:
                _for_host.reset(token)
            return request

        return _build_request

    return (
        Hook(f"{sdk}._base_client", "openapi_dumps", encoding, f"bodies of {title}, as objects"),
        Hook(
            f"{sdk}._base_client:BaseClient",
            "_build_request",
            building,
            f"forms of {title}, as objects; all its requests, as bytes",
        ),
    )


def _destined(guard: Guard, client: Any, options: Any) -> tuple[Guard, Where]:
    """Return the guard for where a client is about to send, and what gives the host."""

    def where() -> str:
        return destination(guard.library, client.base_url, (), {"url": options.url})

    return guard.at(where()) if guard.policy.hosts else guard, where


@contextmanager
def _audit(
    guard: Guard, options: Any, found: list[Report], sdk: str, where: Where
) -> Iterator[None]:
    """Let what an audit left in crash as it would, noted and told: there will be no request."""
    __tracebackhide__ = True
    try:
        yield
    except ENCODING_ERRORS as error:
        if guard.policy.mode == "audit":
            for value in _values(options):
                if issubclass(type(value), (dict, list)):
                    note(error, value, convert_of(sdk))
            report = CLEAN
            for each in found:
                report += each.without(report)
            if report.findings:
                deliver(report, guard.policy, where())
        raise


@contextmanager
def _waiting(found: list[Report]) -> Iterator[None]:
    """Keep what is found for the first who judges the request that is being built."""
    above = found_above.get()
    if above is not None:  # this client is guarded, and so is its SDK
        above += found
        found = above
    tokens = found_above.set(found), pending.set(found)
    try:
        yield
    finally:
        found_above.reset(tokens[0])
        pending.reset(tokens[1])


def _values(options: Any) -> tuple[Any, ...]:
    return tuple([getattr(options, name, None) for name in _FIELDS])


def _are(values: tuple[Any, ...], others: tuple[Any, ...]) -> bool:
    return all(value is other for value, other in zip(values, others, strict=True))


def _clean(guard: Guard, options: Any, sdk: str, where: Where) -> None:
    """Clean the fields that become a body.

    The options are the SDK's own copy, made for this attempt; the values in them are the caller's.
    A GET has no body, whatever its options say.
    """
    __tracebackhide__ = True
    if options.method.lower() == "get":
        return
    convert = text_of if options.files else convert_of(sdk)
    for name, value in zip(_FIELDS, _values(options), strict=True):
        if value is None or issubclass(type(value), (bytes, bytearray, *_left_out(sdk))):
            continue
        cleaned = _given(guard, value, convert, _left_out(sdk), where)
        if cleaned is not value:
            setattr(options, name, cleaned)


def _given(
    guard: Guard, value: Any, convert: Convert | None, left_out: tuple[type, ...], where: Where
) -> object:
    """Clean a value but for the members that tell the SDK to leave out what it would send."""
    __tracebackhide__ = True
    if not issubclass(type(value), dict):
        return prepared(guard, value, convert, where=where)
    given = {name: item for name, item in value.items() if not issubclass(type(item), left_out)}
    if len(given) == len(value):
        return prepared(guard, value, convert, where=where)
    cleaned: Any = prepared(guard, given, convert, where=where)
    if cleaned is given:
        return value
    return {
        name: cleaned.get(name, item)
        for name, item in value.items()
        if name in cleaned or name not in given
    }


def text_of(value: Any) -> str:
    """Write what has a text of its own as a form does; of all else it would write the repr.

    Args:
        value: What JSON does not know.

    Raises:
        TypeError: It has none.
    """
    if issubclass(type(value), _TEXTS):
        return str(value)
    raise TypeError


def _style_of(dumps: Callable[[Any], bytes]) -> Style | None:
    """Return httpx's style if an encoder writes in it, seen in what it writes."""
    try:
        is_httpx = dumps({"é": [1.0, None, '"']}) == '{"é":[1.0,null,"\\""]}'.encode()
    except Exception:  # it is no encoder of this kind
        return None
    return HTTPX if is_httpx else None


@lru_cache(maxsize=16)
def convert_of(sdk: str) -> Convert | None:
    """Return what an SDK's encoder makes of a value, or None where httpx's encoder is used."""
    try:
        encoder = import_module(f"{sdk}._utils._json")._CustomEncoder()
    except (ImportError, AttributeError):
        return None
    convert: Convert = encoder.default
    return convert


@lru_cache(maxsize=16)
def _left_out(sdk: str) -> tuple[type, ...]:
    """Return an SDK's types for "not given" and "leave this out"."""
    types = vars(import_module(f"{sdk}._types"))
    return tuple([types[name] for name in ("NotGiven", "Omit") if name in types])
