"""The off-band fix by the shape of the code, and what of us Sentry gets to see.

The releases that have the defect run in tests/matrix; here their shapes are made by hand.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import httpx
import litellm
import pytest
import sentry_sdk
import sentry_sdk.integrations.litellm

import body_guard
from body_guard.integrations import sentry as off_band

from sentry_events import MARKER, events, frames, holding, messages

__all__ = ["events"]

LITELLM = "sentry_sdk.integrations.litellm"
PYDANTIC_AI = "sentry_sdk.integrations.pydantic_ai"

#: The shape of 2.40 to 2.63, and that of 2.64 and later.
UNFIXED = """
def _get_metadata_dict(kwargs):
    return kwargs.setdefault("litellm_params", {}).setdefault("metadata", {})

def _input_callback(kwargs):
    _get_metadata_dict(kwargs)["_sentry_span"] = "a span"

def _success_callback(kwargs, response, start, end):
    return _get_metadata_dict(kwargs).pop("_sentry_span", None)

def _failure_callback(kwargs, exception, start, end):
    return _get_metadata_dict(kwargs).get("_sentry_span")
"""
FIXED = """
def _store_span(kwargs, span): ...
def _pop_span(kwargs): ...
def _input_callback(kwargs): _store_span(kwargs, "a span")
def _success_callback(kwargs, response, start, end): _pop_span(kwargs)
def _failure_callback(kwargs, exception, start, end): _pop_span(kwargs)
"""
UNKNOWN = {
    "nothing known in it": "",
    "a callback that has another way": UNFIXED + "def _failure_callback(*args): ...",
    "a callback that is no function": UNFIXED + "_failure_callback = len",
    "a metadata lookup for another purpose": UNFIXED.replace("_sentry_span", "user_id"),
    "a lookup of somebody's own": UNFIXED + "def _get_metadata_dict(kwargs): return {}",
    "a lookup that wants more": UNFIXED + "def _get_metadata_dict(kwargs, more): ...",
    "half of the fix": FIXED + "def _failure_callback(*args): ...",
}


def made(name: str, source: str) -> ModuleType:
    module = ModuleType(name)
    exec(source, vars(module))
    return module


@pytest.fixture
def shape() -> Iterator[Callable[..., Any]]:
    """Put modules of a given shape in the place of sentry-sdk's; None cannot be imported."""
    with pytest.MonkeyPatch.context() as monkeypatch:

        def put(source: str | None = None, pydantic_ai: str | None = None) -> Any:
            modules = []
            for name, text in ((LITELLM, source), (PYDANTIC_AI, pydantic_ai)):
                modules.append(None if text is None else made(name, text))
                monkeypatch.setitem(sys.modules, name, modules[-1])  # type: ignore[arg-type]
            return modules[0] or modules[1]

        yield put
        off_band.uninstall()


def test_a_fixed_release_is_left_alone() -> None:
    """On the installed release nothing changes: no global, no callback list, no class."""
    if off_band.status() != "fixed":
        pytest.skip("this release has the defect; tests/matrix says what happens to it")
    module = sentry_sdk.integrations.litellm
    lists = (litellm.input_callback, litellm.success_callback, litellm.failure_callback)
    before = dict(vars(module))
    off_band.install()
    assert dict(vars(module)) == before
    assert off_band.status() == "fixed"
    off_band.uninstall()
    assert dict(vars(module)) == before
    after = (litellm.input_callback, litellm.success_callback, litellm.failure_callback)
    assert [a is b for a, b in zip(lists, after, strict=True)] == [True, True, True]


def test_importing_imports_neither_library() -> None:
    """Only the functions import."""
    script = (
        "import sys, body_guard.integrations.sentry\n"
        "print([name for name in ('sentry_sdk', 'litellm', 'pydantic_ai') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("missing", ["sentry_sdk.integrations", "litellm"])
def test_absent(shape: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """Without sentry-sdk (ImportError) or without litellm (DidNotEnable) there is nothing to do."""
    shape()
    monkeypatch.delitem(sys.modules, LITELLM)
    monkeypatch.setitem(sys.modules, missing, None)  # type: ignore[arg-type]
    assert off_band.status() == "absent"
    off_band.install()
    off_band.uninstall()
    assert off_band.status() == "absent"


@pytest.mark.parametrize(
    ("source", "state"),
    [(FIXED, "fixed"), *((source, "unknown") for source in UNKNOWN.values())],
    ids=["fixed", *UNKNOWN],
)
def test_what_is_not_known_to_be_unfixed_is_left_alone(
    shape: Callable[..., Any], source: str, state: str
) -> None:
    """Fixed, or of a shape that nobody looked at: nothing is done."""
    module = shape(source)
    before = dict(vars(module))
    assert off_band.status() == state
    off_band.install()
    assert dict(vars(module)) == before
    assert off_band.status() == state


def test_the_span_goes_to_the_kwargs(shape: Callable[..., Any]) -> None:
    """Once installed, all three callbacks find the span where litellm keeps it to itself."""
    module = shape(UNFIXED)
    assert off_band.status() == "unfixed"
    off_band.install()
    assert off_band.status() == "patched"
    kwargs: dict[str, Any] = {"litellm_params": {"metadata": {"user_id": "u1"}}}
    module._input_callback(kwargs)
    assert kwargs == {
        "litellm_params": {"metadata": {"user_id": "u1"}},
        "_sentry_span": "a span",
    }
    assert module._failure_callback(kwargs, None, 0, 0) == "a span"
    assert module._success_callback(kwargs, None, 0, 0) == "a span"
    assert kwargs == {"litellm_params": {"metadata": {"user_id": "u1"}}}


def test_uninstall_gives_back_the_very_function(shape: Callable[..., Any]) -> None:
    """Installing twice changes one thing, and one uninstall undoes it."""
    module = shape(UNFIXED)
    before = dict(vars(module))
    off_band.install()
    once = module._get_metadata_dict
    off_band.install()
    assert module._get_metadata_dict is once
    off_band.uninstall()
    assert dict(vars(module)) == before
    assert off_band.status() == "unfixed"
    off_band.uninstall()
    assert dict(vars(module)) == before


def test_patched_on_top(shape: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    """Ours, buried under somebody's patch, hands on to the original, and the log says so."""
    module = shape(UNFIXED)
    original = module._get_metadata_dict
    off_band.install()
    ours = module._get_metadata_dict
    module._get_metadata_dict = theirs = lambda kwargs: ours(kwargs)
    assert off_band.status() == "patched"
    off_band.install()
    assert module._get_metadata_dict is theirs
    with caplog.at_level(logging.WARNING, "body_guard"):
        off_band.uninstall()
    assert [record.getMessage() for record in caplog.records] == [
        "body_guard: uninstall() left _get_metadata_dict in place, since something else was put on top of it; "
        "it does nothing but hand on to the original"
    ]
    assert module._get_metadata_dict is theirs
    assert off_band.status() == "unfixed"
    kwargs: dict[str, Any] = {}
    assert theirs(kwargs) is original(kwargs)

    off_band.install()
    assert off_band.status() == "patched"
    off_band.uninstall()
    assert module._get_metadata_dict is theirs


def test_a_patch_that_drops_ours_gets_ours_on_top(shape: Callable[..., Any]) -> None:
    """What matters is where the span goes, not who was there first; all is given back."""
    module = shape(UNFIXED)
    original = module._get_metadata_dict
    off_band.install()
    ours = module._get_metadata_dict
    module._get_metadata_dict = theirs = lambda kwargs: original(kwargs)
    assert off_band.status() == "unfixed"
    off_band.install()
    assert off_band.status() == "patched"
    off_band.uninstall()
    assert module._get_metadata_dict is theirs
    kwargs: dict[str, Any] = {}
    assert ours(kwargs) is original(kwargs)


def test_from_many_threads(shape: Callable[..., Any]) -> None:
    """Eight installs at once replace once."""
    module = shape(
        "import time\n" + UNFIXED.replace("return kwargs", "time.sleep(0.01); return kwargs")
    )
    original = module._get_metadata_dict
    start = threading.Barrier(8)

    def install() -> None:
        start.wait()
        off_band.install()

    threads = [threading.Thread(target=install) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert module._get_metadata_dict.__wrapped__ is original
    off_band.uninstall()
    assert module._get_metadata_dict is original


# Pydantic AI: its hooks as pydantic-ai has them, and register_hooks as sentry-sdk 2.58 to 2.68.

HOOKED = """
class Entry:
    def __init__(self, func): self.func = func

class Hooks:
    def __init__(self): self._registry, self.on = {}, On(self)

class On:
    def __init__(self, hooks):
        self.hooks = hooks
    def _put(self, key, func):
        self.hooks._registry.setdefault(key, []).append(Entry(func))
    def before_model_request(self, func): self._put("before_model_request", func)
    def after_model_request(self, func): self._put("after_model_request", func)
    def model_request_error(self, func): self._put("on_model_request_error", func)
    def model_request(self, func): self._put("wrap_model_request", func)

class Agent:
    def __init__(self): ...

class PydanticAIIntegration:
    using_request_hooks = False

def setup_once():
    PydanticAIIntegration.using_request_hooks = True
    hooks = Hooks()
    register_hooks(hooks)
    return hooks
"""
REGISTERS = """
def register_hooks(hooks):
    @hooks.on.before_model_request
    async def on_request(ctx, request_context):
        ctx.metadata["_sentry_span"] = log
        log.append(f"asked in {ctx.run_id}")
        return request_context

    @hooks.on.after_model_request
    async def on_response(ctx, *, request_context, response):
        ctx.metadata.pop("_sentry_span").append(f"got {response}")
        return response

    @hooks.on.model_request_error
    async def on_error(ctx, *, request_context, error):
        ctx.metadata.pop("_sentry_span").append(f"failed: {error}")
        raise error

    original_init = Agent.__init__

    def patched_init(self):
        return hooks and original_init(self)

    Agent.__init__ = patched_init

log = []
"""
UNFIXED_HOOKS = HOOKED + REGISTERS
FIXED_HOOKS = HOOKED + "def register_hooks(hooks):\n    async def on_model_request(): ..."


class RunContext:
    """What pydantic-ai gives to a hook."""

    run_id = "run 1"

    def __init__(self) -> None:
        self.metadata = {"user_id": "u1"}


def ask(hooks: Any, context: RunContext, answer: Callable[[], str]) -> str:
    """Make a model request as pydantic-ai does, with the one hook around it."""

    async def handler(request_context: object) -> str:
        assert context.metadata == {"user_id": "u1"}
        return answer()

    (entry,) = hooks._registry["wrap_model_request"]
    result: str = asyncio.run(entry.func(context, request_context=MARKER, handler=handler))
    return result


def test_one_hook_around_the_request(shape: Callable[..., Any]) -> None:
    """Installed after init, Sentry's own three functions run, with a metadata of their own."""
    module = shape(pydantic_ai=UNFIXED_HOOKS)
    register, hooks = module.register_hooks, module.setup_once()
    three = hooks._registry
    assert off_band.status() == "unfixed"
    off_band.install()
    assert off_band.status() == "patched"
    assert list(hooks._registry) == ["wrap_model_request"]
    assert module.PydanticAIIntegration.using_request_hooks is False
    context = RunContext()
    assert ask(hooks, context, lambda: "an answer") == "an answer"
    assert context.metadata == {"user_id": "u1"}
    with pytest.raises(ZeroDivisionError):
        ask(hooks, context, lambda: str(1 // 0))
    assert module.log == [
        "asked in run 1",
        "got an answer",
        "asked in run 1",
        "failed: integer division or modulo by zero",
    ]
    off_band.install()
    off_band.uninstall()
    assert hooks._registry is three
    assert module.register_hooks is register
    assert module.PydanticAIIntegration.using_request_hooks is True
    assert off_band.status() == "unfixed"


def test_installed_before_init(shape: Callable[..., Any]) -> None:
    """The hooks that init is still to register are joined then; after uninstall they are not."""
    module = shape(pydantic_ai=UNFIXED_HOOKS)
    off_band.install()
    ours = module.register_hooks
    assert off_band.status() == "patched"
    hooks = module.setup_once()
    assert off_band.status() == "patched"
    assert list(hooks._registry) == ["wrap_model_request"]
    off_band.uninstall()
    assert off_band.status() == "unfixed"
    late = module.Hooks()
    ours(late)
    assert list(late._registry) == [
        "before_model_request",
        "after_model_request",
        "on_model_request_error",
    ]


def test_the_flag_of_2_58(shape: Callable[..., Any]) -> None:
    """The flag that puts a placeholder into every run's metadata had another name there."""
    source = UNFIXED_HOOKS + "PydanticAIIntegration.are_request_hooks_available = True\n"
    module = shape(pydantic_ai=source)
    module.setup_once()
    off_band.install()
    assert module.PydanticAIIntegration.are_request_hooks_available is False
    off_band.uninstall()
    assert module.PydanticAIIntegration.are_request_hooks_available is True


PYDANTIC_AI_SHAPES = {
    "before 2.58": (HOOKED, "fixed"),
    "since 2.69": (FIXED_HOOKS, "fixed"),
    "no function": (HOOKED + "register_hooks = len", "unknown"),
    "another hook": (UNFIXED_HOOKS.replace("on_error", "on_failure"), "unknown"),
    "held elsewhere": (
        UNFIXED_HOOKS + "setup_once()\ndef init(self): ...\nAgent.__init__ = init",
        "unknown",
    ),
    "another registry": (UNFIXED_HOOKS + "setup_once()._registry = []", "unknown"),
    "more in the registry": (
        UNFIXED_HOOKS + "setup_once().on.model_request(print)",
        "unknown",
    ),
    "others in the registry": (
        UNFIXED_HOOKS + "setup_once().on.before_model_request(print)",
        "unknown",
    ),
}


@pytest.mark.parametrize(("source", "state"), PYDANTIC_AI_SHAPES.values(), ids=PYDANTIC_AI_SHAPES)
def test_other_shapes_of_pydantic_ai_are_left_alone(
    shape: Callable[..., Any], source: str, state: str
) -> None:
    """Fixed, or of a shape that nobody looked at: nothing is done."""
    module = shape(pydantic_ai=source)
    before = dict(vars(module))
    assert off_band.status() == state
    off_band.install()
    assert dict(vars(module)) == before


def test_hooks_of_an_unknown_kind_registered_later(shape: Callable[..., Any]) -> None:
    """What init registers after install is looked at too, and left alone if it is another thing."""
    module = shape(pydantic_ai=UNFIXED_HOOKS)
    off_band.install()
    hooks = module.Hooks()
    hooks.on.model_request(print)
    module.register_hooks(hooks)
    assert len(hooks._registry) == 4
    assert off_band.status() == "unknown"


@pytest.mark.parametrize(
    ("source", "pydantic_ai", "state"),
    [
        (FIXED, UNFIXED_HOOKS, "unfixed"),
        (UNFIXED, FIXED_HOOKS, "unfixed"),
        (FIXED, HOOKED + "register_hooks = len", "unknown"),
        (FIXED, FIXED_HOOKS, "fixed"),
    ],
)
def test_status_tells_the_worse_of_the_two(
    shape: Callable[..., Any], source: str, pydantic_ai: str, state: str
) -> None:
    """One unfixed integration is enough."""
    shape(source, pydantic_ai)
    assert off_band.status() == state


# Sentry records the locals of every frame of an exception, unless a frame says __tracebackhide__.

DIRTY: Any = {"m": MARKER, "forbidden": 1}
REJECT = body_guard.Policy(rules=(body_guard.Rule("no", keys=("forbidden",), action="reject"),))


class Shown:
    """An object whose repr is the body's."""

    def __repr__(self) -> str:
        return MARKER


class Endless(dict[str, str]):
    """A dict that computes its items, and never comes to the last."""

    def items(self) -> Any:
        return ((f"{MARKER}{number}", MARKER) for number in itertools.count())


def fail(value: object) -> object:
    raise ValueError("no value here")


CONVERT = body_guard.Policy(convert=fail)


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no way", request=request)


def post(policy: body_guard.Policy | None = None, **options: Any) -> None:
    transport = httpx.MockTransport(unreachable)
    with body_guard.GuardedClient(policy=policy, transport=transport) as client:
        client.post("http://x", **options)


def post_through_transport(policy: body_guard.Policy, **options: Any) -> None:
    transport = body_guard.GuardedTransport(httpx.MockTransport(unreachable), policy=policy)
    with httpx.Client(transport=transport) as client:
        client.post("http://x", **options)


async def post_async(policy: body_guard.Policy, **options: Any) -> None:
    transport = httpx.MockTransport(unreachable)
    async with body_guard.GuardedAsyncClient(policy=policy, transport=transport) as client:
        await client.post("http://x", **options)


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


FAILURES: dict[str, tuple[type[Exception], Callable[[], object]]] = {
    "rejected json": (body_guard.BodyRejectedError, lambda: post(REJECT, json=DIRTY)),
    "rejected content": (
        body_guard.BodyRejectedError,
        lambda: post(REJECT, content=json.dumps(DIRTY).encode()),
    ),
    "rejected, async": (
        body_guard.BodyRejectedError,
        lambda: asyncio.run(post_async(REJECT, json=DIRTY)),
    ),
    "rejected at the transport": (
        body_guard.BodyRejectedError,
        lambda: post_through_transport(REJECT, json=DIRTY),
    ),
    "malformed": (
        body_guard.BodyRejectedError,
        lambda: post(
            content=b'{"_sentry_a": "' + MARKER.encode() + b'" x',
            headers={"Content-Type": "application/json"},
        ),
    ),
    "unserializable": (
        body_guard.BodyRejectedError,
        lambda: post(body_guard.Policy(unserializable="reject"), json={"m": MARKER, "o": Shown()}),
    ),
    "too large": (
        body_guard.BodyLimitError,
        lambda: post(body_guard.Policy(max_bytes=10), json=DIRTY),
    ),
    "too deep": (body_guard.BodyLimitError, lambda: post(json={"m": MARKER, "n": nested(20_000)})),
    "signed": (
        body_guard.SignedBodyError,
        lambda: post(
            content=b'{"_sentry_a": 1, "m": "' + MARKER.encode() + b'"}',
            headers={"X-Hub-Signature-256": "sha256=aa"},
        ),
    ),
    "the guard fails": (
        body_guard.GuardError,
        lambda: post(CONVERT, json={"m": MARKER, "o": Shown()}),
    ),
    "the guard fails, and sends": (
        TypeError,
        lambda: post(
            body_guard.Policy(convert=fail, on_error="send"), json={"m": MARKER, "o": Shown()}
        ),
    ),
    "the reporter fails": (
        httpx.ConnectError,
        lambda: post(body_guard.Policy(on_report=(fail,)), json={"m": MARKER, "_sentry_a": 1}),
    ),
    "the network fails": (httpx.ConnectError, lambda: post(json={"m": MARKER, "_sentry_a": 1})),
    "sanitize": (body_guard.BodyRejectedError, lambda: body_guard.sanitize(DIRTY, REJECT)),
    "encode": (
        body_guard.BodyRejectedError,
        lambda: body_guard.Sanitizer(REJECT).encode(DIRTY),
    ),
    "sanitize_bytes": (
        body_guard.BodyRejectedError,
        lambda: body_guard.sanitize_bytes(json.dumps(DIRTY).encode(), policy=REJECT),
    ),
    "bytes too deep": (
        body_guard.BodyLimitError,
        lambda: body_guard.sanitize_bytes(
            b'{"m": "' + MARKER.encode() + b'", "_sentry_a": 1, "n": ' + b"[" * 1_000_000
        ),
    ),
    "a container without end": (
        body_guard.BodyLimitError,
        lambda: body_guard.sanitize({"m": MARKER, "o": Endless(a=MARKER)}),
    ),
    "a convert= that fails": (
        ValueError,
        lambda: body_guard.sanitize({"m": MARKER, "o": Shown()}, CONVERT),
    ),
}


@pytest.mark.parametrize(("kind", "fails"), FAILURES.values(), ids=FAILURES)
def test_our_frames_hold_nothing_of_the_body(
    events: list[Any], kind: type[Exception], fails: Callable[[], object]
) -> None:
    """The caller's frames show what the caller had, httpx's too; ours show nothing of it."""
    body_of_the_caller = {"m": MARKER}
    with pytest.raises(kind) as raised:
        fails()
    sentry_sdk.capture_exception(raised.value)
    assert body_of_the_caller
    holders = holding(frames(events))
    assert f"{__name__}.test_our_frames_hold_nothing_of_the_body" in holders
    assert [name for name in holders if name.startswith("body_guard")] == []
    assert MARKER not in messages(events)


def test_the_hook_around_a_model_request_holds_nothing_either(
    events: list[Any], shape: Callable[..., Any]
) -> None:
    """A model's error passes through our hook, which has the messages in its locals."""
    module = shape(pydantic_ai=UNFIXED_HOOKS)
    hooks = module.setup_once()
    off_band.install()
    with pytest.raises(ZeroDivisionError) as raised:
        ask(hooks, RunContext(), lambda: str(1 // 0))
    sentry_sdk.capture_exception(raised.value)
    assert holding(frames(events)) == [f"{__name__}.handler"]
