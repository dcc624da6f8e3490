"""Bodies that litellm's Rust engine makes and sends: OCR always, Messages where it is switched on.

Neither an encoder nor an HTTP client of Python's sees them. The engine takes the arguments of a
call when it sets it up, and shows the body to litellm's callbacks before it signs and sends it, as
a dict of its own: what is changed in that dict is what it sends. It is guarded in three places:

* the arguments, less what the engine cannot take; also what it sends and never shows (Reducto's);
* its own step that calls the callbacks: the body after all of them; the caller gets our error;
* a callback, the public way, for a release that has no such step. litellm swallows what a callback
  raises, so a body that may not be sent is emptied there.
"""

from __future__ import annotations

import inspect
import sys
from contextvars import ContextVar
from dataclasses import replace
from functools import partial, wraps
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import litellm
from litellm.integrations.custom_logger import CustomLogger

from body_guard.core.encode import encode
from body_guard.core.errors import BodyGuardError
from body_guard.http import reporting
from body_guard.http.auditing import ENCODING_ERRORS
from body_guard.http.request_guard import Guard
from body_guard.integrations._litellm_bodies import guard_for, host_of_url
from body_guard.integrations.values import prepare_value
from body_guard.patches.locks import Lock
from body_guard.patches.patch import Door

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import FrameType

    from body_guard.integrations.values import Locate
    from body_guard.patches.patch import Current, Wrap

__all__ = ["BRIDGE", "LastCallback", "has_engine", "routes", "rows", "sanitize_parameters"]

#: The module by which the engine calls Python.
BRIDGE: Final = "litellm.rust_bridge.host.callbacks_legacy_python"
_LOGGING: Final = "litellm.litellm_core_utils.litellm_logging"

#: The provider whose body the engine does not show; it shows the document that it uploads first.
_HIDING: Final = "reducto"

#: What the first arguments of an OCR call are called, given by position. Other calls give none.
_POSITIONAL: Final = ("model", "document")

#: Whether a call of the callbacks is beneath our hook, which judges after them.
_beneath: Final[ContextVar[bool]] = ContextVar("body_guard_beneath", default=False)


def has_engine() -> bool:
    """Check whether this release of litellm has the engine."""
    try:
        return find_spec(BRIDGE) is not None
    except ModuleNotFoundError:  # of the package that it would be in
        return False


def rows() -> tuple[tuple[str, tuple[str, ...], Wrap, str], ...]:
    """Return the engine's steps that are replaced: owner, names, wrap, and what is seen there."""
    arguments = "arguments of the Rust engine's calls, as objects"
    bodies = "bodies of the Rust engine, after all callbacks"
    return (
        (BRIDGE, ("setup",), _guard_setup, arguments),
        (BRIDGE, ("pre_call",), _guard_pre_call, bodies),
    )


# --- arguments ------------------------------------------------------------------------------------


def _guard_setup(original: Any, current: Current) -> Any:
    signature = inspect.signature(original)

    @wraps(original)
    def setup(*args: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        call = original(*args, **options)
        guard = current()
        if guard is None:
            return call
        given = signature.bind(*args, **options).arguments
        changed = _sanitize_arguments(guard, given["call_type"], given["args"], call.kwargs)
        return replace(call, kwargs={**call.kwargs, **changed}) if changed else call

    return setup


def _sanitize_arguments(
    guard: Guard, call_type: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return those arguments that become a part of a body and may not leave as they are."""
    __tracebackhide__ = True
    given = {**dict(zip(_POSITIONAL, args, strict=False)), **kwargs}
    locate = partial(host_of_url, given.get("api_base"))
    guard = guard.at(locate)
    last = _HIDING in (given.get("custom_llm_provider"), str(given.get("model")).partition("/")[0])
    changed = {}
    for name, value in given.items():
        if issubclass(type(value), (dict, list)) and not _is_litellms(name, call_type):
            sanitized = _sanitize(guard, value, locate, is_whole=name == "extra_body", last=last)
            if sanitized is not value:
                changed[name] = sanitized
    return changed


def _is_litellms(name: str, call_type: str) -> bool:
    """Check whether an argument is for litellm and its callbacks, and no part of a body."""
    if name == "metadata" and call_type.endswith("messages"):
        return False
    return name in litellm.types.utils.all_litellm_params


def _sanitize(
    guard: Guard, value: object, locate: Locate, *, is_whole: bool = False, last: bool
) -> object:
    """Return an argument of the engine's less what may not leave and what it cannot take.

    ``is_whole`` says that its members will be those of the body, so that rules for a place hold.
    """
    __tracebackhide__ = True
    if not is_whole:
        guard = guard_for(guard, value)
    elif guard.policy.schema is not None:
        guard = Guard(guard.library, replace(guard.policy, schema=None))
    return prepare_value(guard, value, locate, last=last)


def sanitize_parameters(guard: Guard, value: Any, locate: Locate) -> Any:
    """Return the parameters of a transcription as the engine can take them.

    It makes the body of a few that it knows by name, so that no other member can leave.
    """
    __tracebackhide__ = True
    try:
        encode(value)
    except ENCODING_ERRORS:
        return _sanitize(guard, value, locate, last=True)
    return value


# --- bodies ---------------------------------------------------------------------------------------


def _guard_pre_call(original: Any, current: Current) -> Any:
    signature = inspect.signature(original)

    @wraps(original)
    def pre_call(*args: Any, **options: Any) -> None:
        __tracebackhide__ = True
        token = _beneath.set(True)
        try:
            original(*args, **options)
        finally:
            _beneath.reset(token)
        guard = current()
        if guard is not None:
            _judge(guard, signature.bind(*args, **options).arguments["additional_args"])

    return pre_call


def _judge(guard: Guard, shown: Mapping[str, Any]) -> None:
    """Take out of the engine's body what may not leave: in the dict itself, of which it is sent.

    The values in that dict can be the caller's, and are replaced where they are dirty.
    """
    __tracebackhide__ = True
    host = host_of_url(shown.get("api_base"))
    body: Any = shown.get("complete_input_dict")
    prepared = guard.prepare(body, None, host)
    if prepared is None:  # to be sent unguarded
        return
    sanitized, report = prepared
    if sanitized is not body:
        body.clear()
        body.update(sanitized)
    reporting.deliver(report, guard.policy_for(None, host), host)


class LastCallback(CustomLogger):  # type: ignore[misc]  # litellm is Any to mypy
    """Judges the engine's bodies where litellm shows them, behind all other callbacks."""

    def __init__(self, current: Current) -> None:
        super().__init__()
        self._current = current
        self._lock = Lock()
        self._joined: list[list[Any]] = []  # the lists it was put in: litellm's now, and before

    def start(self) -> None:
        """Join litellm's callbacks."""
        with self._lock:
            if self not in litellm.input_callback:
                litellm.input_callback.append(self)
                self._joined.append(litellm.input_callback)

    def stop(self) -> None:
        """Leave them as they would be without it."""
        with self._lock:
            for callbacks in (*self._joined, litellm.input_callback):
                while self in callbacks:
                    callbacks.remove(self)
            self._joined.clear()

    def door(self) -> Door:
        """Return whether it is among litellm's callbacks."""
        name = "litellm.input_callback"
        if self._current() is None:
            return Door(name, False, "not installed")
        if self in litellm.input_callback:
            return Door(name, True, "bodies of the Rust engine, as objects")
        return Door(name, False, "assigned anew, by somebody else: install again")

    def log_pre_api_call(self, model: Any, messages: Any, kwargs: Any) -> None:  # noqa: ARG002
        """Judge a body that the engine is about to send; ignore those of Python's."""
        __tracebackhide__ = True
        self._stay_last()
        guard = self._current()
        if guard is None or _beneath.get() or not _is_called_by_engine(sys._getframe(1)):
            return
        shown = kwargs["additional_args"]
        try:
            _judge(guard, shown)
        except BaseException as error:
            shown["complete_input_dict"].clear()
            if not isinstance(error, BodyGuardError):
                raise
            reporting.report_emptied(error, host_of_url(shown.get("api_base")))

    def _stay_last(self) -> None:
        """Go behind the callbacks that were added since the last call."""
        callbacks = litellm.input_callback
        if callbacks and callbacks[-1] is self:
            return
        with self._lock:
            if self in callbacks:
                callbacks.append(self)  # first, so that no call meanwhile goes without it
                callbacks.remove(self)


def _is_called_by_engine(frame: FrameType | None) -> bool:
    """Check whether the engine called litellm's callbacks, also through wrappers of others."""
    while frame is not None:
        name = str(frame.f_globals.get("__name__"))
        if name.startswith("litellm.") and name != _LOGGING:
            return name.startswith("litellm.rust_bridge.")
        frame = frame.f_back
    return False


# --- coverage -------------------------------------------------------------------------------------


def routes(doors: Iterable[Door]) -> tuple[Door, ...]:
    """Return a door for each route of the engine; the other doors say whether it is guarded."""
    catalog: Any = sys.modules.get("litellm.rust_bridge.catalog")
    configuration: Any = sys.modules.get("litellm.rust_bridge.configuration")
    if catalog is None or configuration is None:
        return ()
    hooked = {door.name.rpartition(".")[2] for door in doors if door.hooked}
    found = {}
    for rule in catalog.RULES:
        if configuration.decision(rule.rollout) is not configuration.Decision.PYTHON:
            name = f"Rust: {rule.route.value}"
            if rule.providers:
                name += f" ({', '.join(sorted(rule.providers))})"
            lack = _lack(rule.route.value, hooked)
            found[name] = Door(name, not lack, lack or "what it makes of a call is judged")
    return tuple(found.values())


def _lack(route: str, hooked: set[str]) -> str:
    """Return what is missing for a route to be guarded."""
    if route == "transcription":
        dispatches = {"audio_transcriptions", "async_audio_transcriptions"} <= hooked
        return "" if dispatches else "a live object in its parameters crashes it"
    if route not in ("ocr", "messages"):
        return "body_guard does not know this route"
    if not hooked & {"pre_call", "input_callback"}:
        return "nothing judges its bodies: install again"
    if route == "ocr" and "setup" not in hooked:
        return "what Reducto is sent is not shown, and a live object crashes it"
    return ""
