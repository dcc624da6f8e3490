"""What cannot be copied: litellm makes deep copies of its arguments before it makes a body of them."""

from __future__ import annotations

import copy
import importlib
import json
import sys
import threading
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import litellm
import pytest

import body_guard
from body_guard import Policy
from body_guard.integrations import _litellm_copies
from body_guard.integrations import litellm as integration

from llm_calls import PLACES, Call, call_named
from llm_fixtures import *  # noqa: F403 - pytest finds fixtures by name in the module
from llm_provider import LLMProvider

pytestmark = LITELLM_WARNINGS  # noqa: F405

#: Where a release of litellm copies what stands there.
COPIED = [
    ("anthropic", "extra_body"),
    ("anthropic", "tool"),
    ("anthropic", "message"),
    ("anthropic", "keyword"),
    ("anthropic-stream", "extra_body"),
    ("sagemaker", "extra_body"),
    ("sagemaker", "keyword"),
    ("bedrock-embedding", "extra_body"),
    ("bedrock-embedding", "keyword"),
    ("converse", "extra_body"),
    ("converse", "tool"),
    ("vllm", "message"),
    ("vllm", "tool"),
    ("mistral", "tool"),
    ("gemini", "tool"),
]
ROWS = pytest.mark.parametrize(
    ("call", "place", "form"),
    [(call_named(name), place, form) for name, place in COPIED for form in ("sync", "async")],
    ids=lambda value: value.name if isinstance(value, Call) else value,
)


@ROWS
def test_a_lock_neither_crashes_nor_leaks(
    call: Call, place: str, form: str, provider: LLMProvider, loop: Any, installed: Any
) -> None:
    """Wherever litellm copies it, the call goes through without it."""
    if place == "tool" and importlib.util.find_spec("mcp") is None:
        pytest.skip("litellm looks for MCP tools among any tools, which needs its proxy extra")
    options = call.arguments(provider.url)
    PLACES[place](options, threading.Lock())
    call.run(form, loop, options)
    (body,) = provider.bodies
    assert b"_sentry_" not in body
    assert b"lock" not in body


@pytest.fixture
def things(tmp_path: Path) -> Any:
    """What neither pickle nor copy takes."""
    with (tmp_path / "file").open("w") as file:
        yield {"lock": threading.Lock(), "generator": (n for n in [1, 2]), "file": file}


@pytest.mark.parametrize("form", ["sync", "async"])
@pytest.mark.parametrize("kind", ["lock", "generator", "file"])
def test_what_cannot_be_copied_is_taken_out(
    kind: str, form: str, things: Any, provider: LLMProvider, loop: Any
) -> None:
    """Unguarded the call crashes; guarded it arrives, told with its host, the caller's as it was."""
    thing, call = things[kind], call_named("anthropic")
    extra = {"x": thing, "kept": [1, {"y": thing, "z": 2}]}
    options = {**call.arguments(provider.url), "extra_body": extra}
    with pytest.raises(litellm.APIConnectionError, match="cannot pickle"):
        call.run(form, loop, options)
    assert provider.received == []
    integration.install()
    with body_guard.collect() as reports:
        call.run(form, loop, options)
    assert json.loads(provider.bodies[0])["extra_body"] == {"kept": [1, {"z": 2}]}
    (found,) = [report for report in reports if report.findings]
    assert [finding.path for finding in found.findings] == ["/extra_body/x", "/extra_body/kept/1/y"]
    assert extra == {"x": thing, "kept": [1, {"y": thing, "z": 2}]}
    assert kind != "generator" or list(thing) == [1, 2]


def test_an_audit_lets_the_copy_crash(provider: LLMProvider, loop: Any) -> None:
    """As unguarded; what would have been taken out is told."""
    integration.install(Policy(mode="audit"))
    call = call_named("anthropic")
    options = {**call.arguments(provider.url), "extra_body": {"x": threading.Lock()}}
    with (
        body_guard.collect() as reports,
        pytest.raises(litellm.APIConnectionError, match="cannot pickle") as caught,
    ):
        call.run("sync", loop, options)
    assert provider.received == []
    assert [(f.path, f.type) for r in reports for f in r.findings] == [
        ("/extra_body/x", "_thread.lock")
    ]
    if sys.version_info >= (3, 11):
        assert "no encoder can write /extra_body/x" in notes(caught.value)


def notes(error: BaseException | None) -> str:
    """Return the notes of an error and of all beneath it."""
    told = []
    while error is not None:
        told += getattr(error, "__notes__", [])
        error = error.__cause__ or error.__context__
    return "\n".join(told)


def test_what_is_too_deep_to_be_copied_is_refused(
    provider: LLMProvider, loop: Any, installed: Any
) -> None:
    """A 400, tried once, and not litellm's own 500."""
    deep: Any = []
    for _ in range(700):  # not so deep that the repr, which litellm 1.77 and 1.81 log, fails first
        deep = [deep]
    call = call_named("anthropic")
    options = {**call.arguments(provider.url), "extra_body": {"deep": deep}}
    with pytest.raises(litellm.BadRequestError, match="The body was not sent: it is too deep"):
        call.run("sync", loop, options)
    assert provider.received == []


# --- copy.deepcopy --------------------------------------------------------------------------------


def named(module: str) -> Any:
    """Return a function of a module of this name, that calls copy.deepcopy as modules do."""
    scope: dict[str, Any] = {"__name__": module}
    exec("import copy\ndef deepcopy(*args): return copy.deepcopy(*args)", scope)
    return scope["deepcopy"]


provider_copy = named("litellm.llms.future.chat.handler")


class Own:
    """Can be copied, and says so."""

    def __init__(self) -> None:
        self.copied = 0

    def __deepcopy__(self, memo: Any) -> Own:
        other = Own()
        other.copied = self.copied + 1
        return other


def test_containers_are_copied_and_what_cannot_be_is_kept(installed: Any) -> None:
    """Nothing of the copy that can change is the caller's; who can be copied is."""
    lock, shared, own = threading.Lock(), {"s": 1}, Own()
    ordered = OrderedDict(b=lock, a=shared)
    value: Any = {
        "l": [lock],
        "t": (shared, {lock}),
        "o": ordered,
        "own": own,
        lock: frozenset({lock}),
    }
    value["cycle"] = value
    made = provider_copy(value)
    assert made is not value
    assert made["cycle"] is made
    assert made["l"] == [lock]
    assert made["l"] is not value["l"]
    assert made["t"] == (shared, {lock})
    assert made["t"][0] is made["o"]["a"] is not shared
    assert type(made["o"]) is OrderedDict
    assert list(made["o"].values()) == [lock, shared]
    assert made[lock] == {lock}
    assert (own.copied, made["own"].copied) == (0, 1)


def test_a_clean_value_is_copied_once(installed: Any) -> None:
    """By copy's own code, with all that it does."""
    own = Own()
    value = {"own": own, "d": defaultdict(list, a=[1])}
    made = provider_copy(value)
    assert made["own"].copied == 1
    assert made["d"] == {"a": [1]}
    assert made["d"].default_factory is list


def test_a_memo_of_the_callers_is_the_callers(installed: Any) -> None:
    """As from a __deepcopy__, beneath a copy that will be made again."""
    with pytest.raises(TypeError, match="cannot pickle"):
        provider_copy([threading.Lock()], {})
    assert provider_copy([1], {}) == [1]


def test_what_a_lock_hides_in_still_fails(installed: Any) -> None:
    """An error while the containers themselves are copied is copy's own."""

    class Hostile(dict[str, Any]):
        def __reduce_ex__(self, protocol: Any) -> Any:
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        provider_copy({"h": Hostile(a=1)})


@pytest.mark.parametrize(
    "module", ["app", "litellm.integrations.sentry", "litellm.caching", "litellm.utils"]
)
def test_others_keep_their_deepcopy(module: str, installed: Any) -> None:
    """The application's, and litellm's own for logs and caches."""
    with pytest.raises(TypeError, match="cannot pickle"):
        named(module)([threading.Lock()])


def test_code_without_a_module_keeps_its_deepcopy(installed: Any) -> None:
    """Run by exec with globals of its own."""
    scope: dict[str, Any] = {"__name__": None}
    exec("import copy\nmade = copy.deepcopy([1])", scope)
    assert scope["made"] == [1]


#: They have ``from copy import deepcopy``, the second as soon as it is asked for.
NAMED = "litellm.llms.sagemaker.completion.handler"


def test_names_that_modules_have_of_it_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Imported before install() or after, they are copy's own again after uninstall()."""
    original = copy.deepcopy
    early = importlib.import_module(NAMED)
    integration.install()
    assert early.deepcopy is copy.deepcopy is not original
    kept = sys.modules.pop(NAMED)
    late = importlib.import_module(NAMED)
    sys.modules[NAMED] = kept
    monkeypatch.setitem(sys.modules, f"{NAMED}_late", late)
    assert late is not early
    assert late.deepcopy is copy.deepcopy
    integration.uninstall()
    assert late.deepcopy is early.deepcopy is copy.deepcopy is original


def test_an_import_meanwhile_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread, or a finalizer, may import while the names are looked at."""

    class Modules(dict[str, Any]):
        def items(self) -> Any:
            for each in dict.items(self):
                self[f"imported_{len(self)}"] = sys
                yield each

        def copy(self) -> dict[str, Any]:
            return dict(self)

    monkeypatch.setattr(sys, "modules", Modules(sys.modules))
    _litellm_copies._rename(object(), object())


def test_beneath_a_later_patch_it_passes_through(
    installed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uninstalled, it copies as copy does."""
    ours = copy.deepcopy
    monkeypatch.setattr(copy, "deepcopy", lambda *args: ours(*args))
    integration.uninstall()
    scope: dict[str, Any] = {"__name__": "litellm.llms.x", "ours": ours, "lock": threading.Lock()}
    with pytest.raises(TypeError, match="cannot pickle"):
        exec("ours([lock])", scope)
    monkeypatch.undo()
    integration.install()
    integration.uninstall()
    assert copy.deepcopy is not ours


def test_coverage_names_it(installed: Any) -> None:
    """A door like the others."""
    (door,) = [door for door in integration.coverage().doors if door.name == "copy.deepcopy"]
    assert door.hooked
