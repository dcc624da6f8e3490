"""Keep Sentry's spans out of the dicts that end up in request bodies.

sentry-sdk's LiteLLM integration kept a live span in the caller's ``metadata`` (2.40 to 2.63), and
its Pydantic AI integration did so in ``run(metadata=)`` (2.58 to 2.68). Both are changed here to
keep it where it is not serialized, as later releases do: in litellm's per-request kwargs, and in a
local of one hook around pydantic-ai's request. The shape of the code decides what is changed, not a
version; any other shape is left alone.
"""

from __future__ import annotations

import functools
import logging
from importlib import import_module
from types import CodeType
from typing import TYPE_CHECKING, Any, Final, Literal

from body_guard.http.reporting import log
from body_guard.patches.locks import Lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["install", "status", "uninstall"]

Status = Literal["fixed", "patched", "unfixed", "unknown", "absent"]

_lock: Final = Lock()
_SPAN: Final = "_sentry_span"


def install() -> None:
    """Keep the spans off-band where the installed sentry-sdk does not; otherwise do nothing.

    Works before and after ``sentry_sdk.init`` and the first call, from any thread, any number of
    times. Imports sentry-sdk's integrations, and with them litellm and pydantic-ai, where they are
    installed. A call that is under way meanwhile may leave its span unfinished.
    """
    with _lock:
        for name, (state, change) in _TARGETS.items():
            module = _import_integration(name)
            if module is not None and state(module) == "unfixed":
                install = _Install()
                _installs.append(install)
                change(module, install)


def uninstall() -> None:
    """Restore what `install` replaced.

    Beneath a later patch, ours stays in place and calls the original; the log says so.
    """
    with _lock:
        while _installs:
            for name in _installs.pop().undo():
                log(
                    logging.WARNING,
                    "uninstall() left %s in place, since something else was put on top of it; it "
                    "does nothing but hand on to the original",
                    name,
                )


def status() -> Status:
    """Return where the installed sentry-sdk keeps its spans, imported as by `install`.

    Returns:
        The first of these that is true of the LiteLLM or the Pydantic AI integration: ``"unfixed"``
        (in the caller's dict), ``"unknown"`` (no shape known here, left alone), ``"patched"``
        (off-band, through `install`), ``"fixed"`` (off-band by itself); ``"absent"`` when neither
        can be imported.
    """
    with _lock:
        modules = {name: _import_integration(name) for name in _TARGETS}
        states = {
            _TARGETS[name][0](module) for name, module in modules.items() if module is not None
        }
    order: tuple[Status, ...] = ("unfixed", "unknown", "patched", "fixed")
    return next((state for state in order if state in states), "absent")


class _Install:
    """What one `install` replaced; the replacements ask whether it is still on."""

    def __init__(self) -> None:
        self.on = True
        self._replaced: list[tuple[Any, str, object, object]] = []

    def replace(self, holder: Any, name: str, ours: object) -> None:
        self._replaced.append((holder, name, getattr(holder, name), ours))
        setattr(holder, name, ours)

    def undo(self) -> list[str]:
        """Restore what is still in its place; return the names of what is not."""
        self.on = False
        buried = []
        for holder, name, original, ours in reversed(self._replaced):
            if getattr(holder, name) is ours:
                setattr(holder, name, original)
            else:
                buried.append(name)
        return buried


_installs: Final[list[_Install]] = []
_OFF: Final = _Install()
_OFF.on = False


def _import_integration(name: str) -> Any:
    """Import one of sentry-sdk's integrations; return None where it cannot be imported."""
    try:
        from sentry_sdk.integrations import DidNotEnable
    except ImportError:
        return None
    try:
        return import_module(f"sentry_sdk.integrations.{name}")
    except (ImportError, DidNotEnable):
        return None


def _code_of(function: object) -> CodeType | None:
    return getattr(function, "__code__", None)


# LiteLLM. Every access to the span goes through the global _get_metadata_dict, looked up at call
# time; 2.64 has _store_span, _peek_span and _pop_span in its place.

_CALLBACKS: Final = ("_input_callback", "_success_callback", "_failure_callback")


def _litellm_state(module: Any) -> Status:
    codes = [_code_of(getattr(module, name, None)) for name in _CALLBACKS]
    lookup = getattr(module, "_get_metadata_dict", None)
    if lookup is None:
        fixed = all(code and {"_store_span", "_pop_span"} & {*code.co_names} for code in codes)
        return "fixed" if fixed else "unknown"
    if not all(
        code and "_get_metadata_dict" in code.co_names and _SPAN in code.co_consts for code in codes
    ):
        return "unknown"
    return _state_of(lookup)


def _state_of(lookup: Callable[[dict[str, Any]], object]) -> Status:
    """Call the function in place: its answer holds also where others patched on top of ours."""
    metadata: dict[str, Any] = {}
    kwargs: dict[str, Any] = {"litellm_params": {"metadata": metadata}}
    try:
        found = lookup(kwargs)
    except Exception:  # a foreign function, with requirements of its own
        return "unknown"
    if found is kwargs:
        return "patched"
    return "unfixed" if found is metadata else "unknown"


def _change_litellm(module: Any, install: _Install) -> None:
    original = module._get_metadata_dict

    @functools.wraps(original)
    def _get_metadata_dict(kwargs: Any) -> Any:
        return kwargs if install.on else original(kwargs)

    install.replace(module, "_get_metadata_dict", _get_metadata_dict)


# Pydantic AI. Three hooks, nested in register_hooks, keep the span in ctx.metadata, the very dict
# that the caller gave to run(metadata=). 2.69 has one hook around the request in their place, which
# needs no dict; so has what is put here, made of the same three.

_HOOKS: Final = {
    "before_model_request": "on_request",
    "after_model_request": "on_response",
    "on_model_request_error": "on_error",
}
_JOINED: Final = "wrap_model_request"

#: Has every run's metadata start as ``{"_sentry_span": None}``: the name in 2.58, and later.
_FLAGS: Final = ("are_request_hooks_available", "using_request_hooks")
_INSTALL: Final = "_body_guard_install"


def _pydantic_ai_state(module: Any) -> Status:
    *above, register = _chain(getattr(module, "register_hooks", None))
    code = _code_of(register)
    if code is None:  # up to 2.57 there is no such function, and no span in a dict
        return "fixed" if register is None else "unknown"
    keeping = {code.co_name for code in _nested_code(code) if _SPAN in code.co_consts}
    if not keeping:
        return "fixed"
    if keeping != {*_HOOKS.values()}:
        return "unknown"
    hooks = _find_registered(module)
    if any(getattr(wrapper, _INSTALL, _OFF).on for wrapper in above):
        return "patched" if hooks is None or [*hooks._registry] == [_JOINED] else "unknown"
    if hooks is None:  # init has not run, or they are held somewhere else
        running = getattr(module.PydanticAIIntegration, "using_request_hooks", False)
        return "unknown" if running else "unfixed"
    return "unfixed" if _find_three(hooks) else "unknown"


def _chain(function: Any) -> Iterator[Any]:
    """Return a function and what `functools.wraps` says that it wraps, the innermost last."""
    while hasattr(function, "__wrapped__"):
        yield function
        function = function.__wrapped__
    yield function


def _nested_code(code: CodeType) -> list[CodeType]:
    return [const for const in code.co_consts if isinstance(const, CodeType)]


def _find_registered(module: Any) -> Any:
    """Return Sentry's hooks, held by the ``Agent.__init__`` that it put in place."""
    for function in _chain(module.Agent.__init__):
        code = _code_of(function)
        if code and "hooks" in code.co_freevars and function.__globals__ is vars(module):
            return function.__closure__[code.co_freevars.index("hooks")].cell_contents
    return None


def _find_three(hooks: Any) -> list[Any] | None:
    """Return Sentry's three functions, if the registry holds them and nothing else."""
    registry = getattr(hooks, "_registry", None)
    if not isinstance(registry, dict) or registry.keys() != _HOOKS.keys():
        return None
    found = [entry.func for key in _HOOKS for entry in registry[key]]
    return found if [function.__name__ for function in found] == [*_HOOKS.values()] else None


def _change_pydantic_ai(module: Any, install: _Install) -> None:
    original = module.register_hooks

    @functools.wraps(original)
    def register_hooks(hooks: Any) -> None:
        original(hooks)
        with _lock:
            if install.on:
                _join_hooks(module, hooks, install)

    setattr(register_hooks, _INSTALL, install)
    install.replace(module, "register_hooks", register_hooks)
    hooks = _find_registered(module)
    if hooks is not None:
        _join_hooks(module, hooks, install)


def _join_hooks(module: Any, hooks: Any, install: _Install) -> None:
    """Replace the three hooks before and after the request by one around it."""
    three = _find_three(hooks)
    if three is None:
        return
    joined = type(hooks)()
    joined.on.model_request(_around(*three))
    install.replace(hooks, "_registry", joined._registry)
    for flag in _FLAGS:
        if hasattr(module.PydanticAIIntegration, flag):
            install.replace(module.PydanticAIIntegration, flag, False)


def _around(on_request: Any, on_response: Any, on_error: Any) -> Any:
    async def on_model_request(ctx: Any, *, request_context: Any, handler: Any) -> Any:
        __tracebackhide__ = True  # the messages are in these locals, and errors pass through here
        ctx = _Context(ctx)
        request_context = await on_request(ctx, request_context)
        try:
            response = await handler(request_context)
        except Exception as error:
            return await on_error(ctx, request_context=request_context, error=error)
        return await on_response(ctx, request_context=request_context, response=response)

    return on_model_request


class _Context:
    """A run context with a metadata of its own."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self.metadata: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


_TARGETS: Final[dict[str, tuple[Callable[[Any], Status], Callable[[Any, _Install], None]]]] = {
    "litellm": (_litellm_state, _change_litellm),
    "pydantic_ai": (_pydantic_ai_state, _change_pydantic_ai),
}
