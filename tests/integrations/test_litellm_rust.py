"""litellm's Rust engine: what it makes and sends itself, over the loopback interface."""

from __future__ import annotations

import importlib
import io
import json
import logging
import sys
import wave
from collections.abc import Iterator
from functools import partial
from typing import Any

import litellm
import pytest
from litellm.integrations.custom_logger import CustomLogger

import body_guard
from body_guard import BodyLimitError, BodyRejectedError, Policy, Rule, presets
from body_guard.integrations import litellm as integration

pytest.importorskip("litellm.rust_bridge.catalog", reason="this release has no Rust engine")

from test_litellm_calls import computed, signature

from llm_calls import KEYS, MESSAGES, Live
from llm_fixtures import *  # noqa: F403 - pytest finds fixtures by name in the module
from llm_provider import LLMProvider

pytestmark = LITELLM_WARNINGS  # noqa: F405

PDF = "data:application/pdf;base64,aGVsbG8="
DOCUMENT = {"type": "document_url", "document_url": PDF}
TEXTRACT = "aws_textract/analyze-document"

FORMS = pytest.mark.parametrize("form", ["sync", "async"])
MODELS = pytest.mark.parametrize(
    "model", ["mistral/m", "azure_ai/m", "vertex_ai/deepseek-ocr", TEXTRACT, "reducto/parse"]
)


def ocr(form: str, loop: Any, url: str, *args: Any, model: str = "mistral/m", **more: Any) -> Any:
    """Have a document read, by a provider whose requests the Rust engine makes."""
    options: dict[str, Any] = {"api_base": url, **more}
    if not args:
        args, options = (), {"model": model, "document": dict(DOCUMENT), **options}
    if model == TEXTRACT:
        options |= KEYS
    else:
        options |= {"api_key": "k"}
    if model.startswith("vertex_ai/"):
        options |= {"vertex_project": "p", "vertex_location": "us"}
    if form == "sync":
        return litellm.ocr(*args, **options)
    return loop.run_until_complete(litellm.aocr(*args, **options))


def messages(loop: Any, url: str, **more: Any) -> Any:
    options = {"model": "anthropic/claude-3", "max_tokens": 5, "api_base": url, "api_key": "k"}
    given = {"messages": [dict(MESSAGES[0])], **more}
    return loop.run_until_complete(litellm.anthropic.messages.acreate(**options, **given))


@pytest.fixture
def by_rust() -> Iterator[None]:
    """Send Anthropic Messages by the engine, as an environment variable does too."""
    litellm.rust(True)
    yield
    litellm.rust(None)


def install_without_hooks(policy: Policy | None = None) -> None:
    """Install all but the hooks on the engine's steps, as in a release that has them elsewhere."""
    integration.install(policy)
    for patch in integration._installation.patches:
        if "callbacks_legacy_python" in str(patch.hook):
            patch.restore()


@pytest.fixture
def without_hooks(installed: Any) -> None:
    install_without_hooks()


def adding(name: str, thing: Any) -> CustomLogger:
    """Return a callback that puts a thing into a body that is about to be sent."""

    class Adding(CustomLogger):
        def log_pre_api_call(self, model: Any, messages: Any, kwargs: Any) -> None:
            kwargs["additional_args"]["complete_input_dict"][name] = thing

    return Adding()


def is_rusts(provider: LLMProvider) -> bool:
    """Check whether what arrived was sent by no HTTP client of Python's."""
    return {
        received.headers.get("Accept-Encoding", "gzip,deflate") for received in provider.received
    } == {"gzip,deflate"}


# --- OCR ------------------------------------------------------------------------------------------


@FORMS
@MODELS
def test_a_forbidden_key_leaves_an_unguarded_call(
    model: str, form: str, provider: LLMProvider, loop: Any
) -> None:
    """Past Python's HTTP clients: these providers have no other way."""
    ocr(form, loop, provider.url, model=model, extra_body={"_sentry_x": "SECRET"})
    assert b"SECRET" in provider.bodies[-1]
    assert is_rusts(provider)


@FORMS
@MODELS
@pytest.mark.parametrize("thing", ["SECRET", Live()], ids=["string", "live"])
def test_no_forbidden_key_leaves_a_guarded_one(
    thing: Any, model: str, form: str, provider: LLMProvider, loop: Any, installed: Any
) -> None:
    """At any depth of what the caller gives, which stays as it was; signatures are right."""
    extra = {"_sentry_x": thing, "list": [1, {"_sentry_y": thing, "kept": True}], "n": 1}
    document = {**DOCUMENT, "_sentry_doc": thing}
    with body_guard.collect() as reports:
        ocr(form, loop, provider.url, model=model, extra_body=extra, document=document)
    body = json.loads(provider.bodies[-1])
    assert "_sentry_" not in str(body)
    assert "SECRET" not in str(body)
    assert body["list"] == [1, {"kept": True}]
    assert body["n"] == 1
    assert is_rusts(provider)
    assert extra == {"_sentry_x": thing, "list": [1, {"_sentry_y": thing, "kept": True}], "n": 1}
    assert document == {**DOCUMENT, "_sentry_doc": thing}
    assert {report.host for report in reports} == {"127.0.0.1"}
    told = [finding.path for report in reports for finding in report.findings]
    assert sorted(told) == sorted({*told})
    assert {"/_sentry_x", "/list/1/_sentry_y"} <= {*told}
    if model == TEXTRACT:
        assert signature(provider.received[-1]) == computed(provider.received[-1])


@FORMS
def test_a_clean_body_is_the_same_bytes(form: str, provider: LLMProvider, loop: Any) -> None:
    """And is reported once, as clean."""
    extra = {"f": 1.10, "big": 10**18, "none": None, "empty": {}, "é": ["☃", "\u007f"]}
    for guarded in (False, True):
        if guarded:
            integration.install()
        with body_guard.collect() as reports:
            ocr(form, loop, provider.url, extra_body=extra)
    assert provider.bodies[0] == provider.bodies[1]
    assert [(report.judged, report.findings, report.host) for report in reports] == [
        (True, (), "127.0.0.1")
    ]


def test_a_document_by_position(provider: LLMProvider, loop: Any, installed: Any) -> None:
    """As by keyword."""
    document = {**DOCUMENT, "_sentry_x": Live()}
    ocr("sync", loop, provider.url, "mistral/m", document)
    assert json.loads(provider.bodies[0])["document"] == DOCUMENT
    assert "_sentry_x" in document


@FORMS
def test_what_the_engine_could_not_take_is_mended(
    form: str, provider: LLMProvider, loop: Any, installed: Any
) -> None:
    """A set, a lone surrogate, NaN, and a cycle, over which the engine ends the process."""
    cycle: dict[str, Any] = {"a": 1}
    cycle["self"] = cycle
    extra = {"set": {1}, "s": "\ud800", "nan": float("nan"), "cycle": cycle}
    ocr(form, loop, provider.url, extra_body=extra)
    body = json.loads(provider.bodies[0])
    assert {name: body[name] for name in ("s", "nan", "cycle")} == {
        "s": "\ufffd",
        "nan": None,
        "cycle": {"a": 1},
    }
    assert "set" not in body


@pytest.mark.parametrize("levels", [5_000, 100_000])
def test_a_value_too_deep_for_the_engine_is_refused(
    levels: int, provider: LLMProvider, loop: Any, installed: Any
) -> None:
    """It has no limit of its own."""
    deep: Any = []
    for _ in range(levels):
        deep = [deep]
    with pytest.raises(BodyLimitError, match="deep"):
        ocr("sync", loop, provider.url, extra_body={"deep": deep})
    assert provider.received == []


@FORMS
@pytest.mark.parametrize("place", ["extra_body", "a callback"])
def test_a_refused_body_is_not_sent(
    place: str, form: str, provider: LLMProvider, loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller gets the refusal itself, reported once; what a callback adds is judged too."""
    integration.install(Policy((Rule("no", keys=("no",), action="reject"),)))
    if place == "a callback":
        monkeypatch.setattr(litellm, "input_callback", [*litellm.input_callback, adding("no", 1)])
    extra = {"no": 1} if place == "extra_body" else {}
    with body_guard.collect() as reports, pytest.raises(BodyRejectedError, match="/no"):
        ocr(form, loop, provider.url, extra_body=extra)
    assert provider.received == []
    assert [report.refused for report in reports if report.findings] == ["BodyRejectedError"]


def test_a_guard_that_fails_sends_nothing(provider: LLMProvider, loop: Any) -> None:
    """Unless the policy says that it is to be sent."""

    def broken(value: Any) -> Any:
        raise RuntimeError("SECRET")

    integration.install(Policy(convert=broken))
    with pytest.raises(body_guard.GuardError) as caught:
        ocr("sync", loop, provider.url, extra_body={"x": Live()})
    assert "SECRET" not in str(caught.value)
    assert provider.received == []
    integration.install(Policy(convert=broken, on_error="send"))
    with pytest.raises(litellm.APIConnectionError, match="unsupported type Live"):
        ocr("sync", loop, provider.url, extra_body={"x": Live()})


def test_a_guard_that_fails_over_the_body_may_send_it(provider: LLMProvider, loop: Any) -> None:
    """What a callback put there, on_error="send" leaves to the engine, as unguarded."""

    def broken(value: Any) -> Any:
        raise RuntimeError

    integration.install(Policy(convert=broken, on_error="send"))
    litellm.input_callback.insert(0, adding("x", Live()))
    try:
        with pytest.raises(Exception, match="unsupported type Live"):
            ocr("sync", loop, provider.url)
    finally:
        del litellm.input_callback[0]


@FORMS
def test_an_audit_changes_nothing(form: str, provider: LLMProvider, loop: Any) -> None:
    """And tells each finding once."""
    integration.install(Policy(mode="audit"))
    extra = {"_sentry_x": "s", "metadata": {"_sentry_y": "t"}}
    with body_guard.collect() as reports:
        ocr(form, loop, provider.url, extra_body=extra)
    assert json.loads(provider.bodies[0]) == {"model": "m", "document": DOCUMENT, **extra}
    told = [finding.path for report in reports for finding in report.findings]
    assert told == ["/_sentry_x", "/metadata/_sentry_y"]
    assert {report.mode for report in reports} == {"audit"}


def test_an_audit_of_what_is_never_shown(provider: LLMProvider, loop: Any) -> None:
    """Reducto's body is told of where its parts come in."""
    integration.install(Policy(mode="audit"))
    for provided in (
        {"model": "reducto/parse"},
        {"custom_llm_provider": "reducto", "model": "parse"},
    ):
        with body_guard.collect() as reports:
            ocr("sync", loop, provider.url, extra_body={"_sentry_x": "s"}, **provided)
        assert b"_sentry_x" in provider.bodies[-1]
        assert [f.path for report in reports for f in report.findings] == ["/_sentry_x"]


def test_a_destination_has_its_own_policy(provider: LLMProvider, loop: Any) -> None:
    """As everywhere."""
    mine = Policy((Rule("mine", keys=("mine",)),))
    integration.install(Policy(hosts={"127.0.0.1": mine}))
    ocr("sync", loop, provider.url, extra_body={"_sentry_x": "kept", "mine": 1})
    body = json.loads(provider.bodies[0])
    assert body["_sentry_x"] == "kept"
    assert "mine" not in body


def test_rules_for_a_place_hold(provider: LLMProvider, loop: Any) -> None:
    """What merges with the outermost object is judged as that; a schema is for whole bodies."""
    integration.install(
        Policy(presets("litellm"), schema="openai", schema_action="report"),
    )
    ocr("sync", loop, provider.url, extra_body={"max_budget": 5, "pages": {"max_budget": 1}})
    body = json.loads(provider.bodies[0])
    assert "max_budget" not in body
    assert body["pages"] == {"max_budget": 1}


def test_litellms_own_arguments_are_left_to_it(
    provider: LLMProvider, loop: Any, installed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its metadata reaches callbacks as it was given, live objects and all."""
    seen: list[Any] = []

    class Seeing(CustomLogger):
        def log_pre_api_call(self, model: Any, messages: Any, kwargs: Any) -> None:
            seen.append(kwargs["litellm_params"]["metadata"]["_sentry_span"])

    monkeypatch.setattr(litellm, "input_callback", [*litellm.input_callback, Seeing()])
    span = Live()
    ocr("sync", loop, provider.url, metadata={"_sentry_span": span})
    assert seen == [span]
    assert "metadata" not in json.loads(provider.bodies[0])


@FORMS
def test_a_router_tries_a_refused_body_once(form: str, provider: LLMProvider, loop: Any) -> None:
    """As of any other call."""
    integration.install(Policy((Rule("no", keys=("no",), action="reject"),)))
    deployment = {"model": "mistral/m", "api_base": provider.url, "api_key": "k"}
    routed = litellm.Router(
        model_list=[{"model_name": "m", "litellm_params": deployment}],
        num_retries=2,
        retry_after=0,
    )
    options: Any = {"model": "m", "document": dict(DOCUMENT), "extra_body": {"no": 1}}
    call: Any = (
        partial(routed.ocr, **options)
        if form == "sync"
        else partial(loop.run_until_complete, routed.aocr(**options))
    )
    with body_guard.collect() as reports, pytest.raises(BodyRejectedError, match="/no"):
        call()
    assert provider.received == []
    assert len([report for report in reports if report.findings]) == 1


# --- Messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("thing", ["SECRET", Live()], ids=["string", "live"])
@pytest.mark.parametrize("place", ["message", "tool", "metadata", "system"])
def test_messages_by_the_engine(
    place: str, thing: Any, provider: LLMProvider, loop: Any, installed: Any, by_rust: None
) -> None:
    """Where it is switched on: the engine sends, and nothing forbidden with it."""
    given: dict[str, Any] = {
        "message": {"messages": [{**MESSAGES[0], "_sentry_x": thing}]},
        "tool": {"tools": [{"name": "f", "input_schema": {"type": "object"}, "_sentry_x": thing}]},
        "metadata": {"metadata": {"user_id": "u", "_sentry_x": thing}},
        "system": {"system": [{"type": "text", "text": "t", "_sentry_x": thing}]},
    }[place]
    before = repr(given)
    messages(loop, provider.url, **given)
    (body,) = provider.bodies
    assert is_rusts(provider)
    assert b"_sentry_" not in body
    assert b"SECRET" not in body
    assert repr(given) == before


def test_python_has_its_own_doors(provider: LLMProvider, loop: Any, installed: Any) -> None:
    """Not switched on, the same call goes by them: its body is reported once."""
    with body_guard.collect() as reports:
        messages(loop, provider.url, metadata={"user_id": "u"})
    assert not is_rusts(provider)
    assert len(reports) == 1


# --- transcription --------------------------------------------------------------------------------


def transcribe(form: str, loop: Any, url: str, **more: Any) -> Any:
    sound = io.BytesIO()
    with wave.open(sound, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(8000)
        wav.writeframes(b"\0\0")
    sound.name = "a.wav"
    sound.seek(0)
    options = {"model": "bedrock/m", "file": sound, "api_base": url, **KEYS, **more}
    if form == "sync":
        return litellm.transcription(**options)
    return loop.run_until_complete(litellm.atranscription(**options))


@FORMS
@pytest.mark.parametrize("thing", ["SECRET", Live()], ids=["string", "live"])
def test_bedrock_transcription(
    thing: Any, form: str, provider: LLMProvider, loop: Any, installed: Any
) -> None:
    """No member of the caller's becomes one of its body; a live object does not crash it."""
    extra = {"_sentry_x": thing, "inferenceConfig": {"_sentry_y": thing}}
    transcribe(form, loop, provider.url, extra_body=extra, my_param={"x": thing}, language="en")
    (received,) = provider.received
    assert is_rusts(provider)
    assert signature(received) == computed(received)
    assert {*json.loads(received.body)} - {"system"} == {"messages", "inferenceConfig"}
    assert b"SECRET" not in received.body
    assert extra == {"_sentry_x": thing, "inferenceConfig": {"_sentry_y": thing}}


def test_transcription_keeps_its_credentials(provider: LLMProvider, loop: Any) -> None:
    """They stand among its parameters, where a rule for whole bodies would find them."""
    integration.install(Policy(presets("litellm", "sentry")))
    transcribe("sync", loop, provider.url, extra_body={"x": Live()})
    assert signature(provider.received[0]) == computed(provider.received[0])


# --- the callback ---------------------------------------------------------------------------------


@FORMS
@pytest.mark.parametrize("alone", [False, True], ids=["hook", "callback"])
@pytest.mark.parametrize("thing", ["SECRET", Live()], ids=["string", "live"])
def test_what_a_callback_adds_is_judged(
    thing: Any, alone: bool, form: str, provider: LLMProvider, loop: Any, installed: Any
) -> None:
    """Behind all of them, in the engine's dict; what stands in it is theirs, and stays so."""
    if alone:
        install_without_hooks()
    added = {"deep": [{"_sentry_x": thing, "kept": 1}]}
    litellm.input_callback.insert(0, adding("added", added))
    litellm.input_callback.insert(0, adding("_sentry_late", thing))
    try:
        with body_guard.collect() as reports:
            ocr(form, loop, provider.url)
    finally:
        del litellm.input_callback[:2]
    assert json.loads(provider.bodies[0]) == {
        "model": "m",
        "document": DOCUMENT,
        "added": {"deep": [{"kept": 1}]},
    }
    assert added == {"deep": [{"_sentry_x": thing, "kept": 1}]}
    told = [finding.path for report in reports for finding in report.findings]
    assert sorted(told) == ["/_sentry_late", "/added/deep/0/_sentry_x"]
    assert {report.host for report in reports} == {"127.0.0.1"}


@FORMS
def test_the_public_callback_guards_alone(
    form: str, provider: LLMProvider, loop: Any, without_hooks: None
) -> None:
    """Where litellm has no such steps; the document in the body is the caller's own dict."""
    document = {**DOCUMENT, "_sentry_doc": "s"}
    with body_guard.collect() as reports:
        ocr(form, loop, provider.url, document=document, extra_body={"n": {"_sentry_x": "s"}})
    assert json.loads(provider.bodies[0]) == {"model": "m", "document": DOCUMENT, "n": {}}
    assert document == {**DOCUMENT, "_sentry_doc": "s"}
    assert {report.host for report in reports} == {"127.0.0.1"}


@pytest.mark.parametrize("error", ["refusal", "failure"])
def test_what_the_callback_may_not_send_is_emptied(
    error: str,
    provider: LLMProvider,
    loop: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """litellm swallows what a callback raises, so nothing of the body leaves; that is told."""

    def broken(value: Any) -> Any:
        raise RuntimeError("SECRET")

    rule = Rule("no", keys=("no",), action="reject")
    install_without_hooks(Policy((rule,)) if error == "refusal" else Policy(convert=broken))
    litellm.input_callback.insert(0, adding("no", Live()))
    body_guard.counts(reset=True)
    try:
        with body_guard.collect() as reports, caplog.at_level(logging.ERROR, "body_guard"):
            ocr("sync", loop, provider.url)
    finally:
        del litellm.input_callback[0]
    assert provider.bodies == [b"{}"]
    (line,) = [r.getMessage() for r in caplog.records if r.name == "body_guard"]
    assert line.startswith(
        "body_guard: emptied a body for 127.0.0.1, since litellm sends it anyway"
    )
    assert "SECRET" not in line
    counted = body_guard.counts()
    if error == "refusal":
        assert [report.refused for report in reports] == ["BodyRejectedError"]
        assert counted.refused == {"127.0.0.1": {"BodyRejectedError": 1}}
    else:
        (count,) = counted.failed["127.0.0.1"].values()
        assert count == 1


def test_ctrl_c_in_the_callback_is_ctrl_c(provider: LLMProvider, loop: Any) -> None:
    """It passes, and nothing leaves on the way."""

    def interrupted(value: Any) -> Any:
        raise KeyboardInterrupt

    install_without_hooks(Policy(convert=interrupted))
    litellm.input_callback.insert(0, adding("x", Live()))
    try:
        with pytest.raises(KeyboardInterrupt):
            ocr("sync", loop, provider.url)
    finally:
        del litellm.input_callback[0]
    assert provider.received == []


def ours() -> list[Any]:
    return [
        each for each in litellm.input_callback if type(each).__module__.startswith("body_guard")
    ]


def test_the_callback_stays_the_last(provider: LLMProvider, loop: Any, without_hooks: None) -> None:
    """Others come and go; by the next call it is behind them."""
    before = [each for each in litellm.input_callback if each not in ours()]
    first, second = CustomLogger(), CustomLogger()
    litellm.input_callback.append(first)
    ocr("sync", loop, provider.url)
    litellm.input_callback += [second]
    ocr("sync", loop, provider.url)
    assert litellm.input_callback == [*before, first, second, *ours()]
    assert len(ours()) == 1
    integration.install()
    assert litellm.input_callback == [*before, first, second, *ours()]
    integration.uninstall()
    assert litellm.input_callback == [*before, first, second]
    litellm.input_callback[:] = before


def callback_door() -> Any:
    (door,) = [d for d in integration.coverage().doors if d.name == "litellm.input_callback"]
    return door


def test_a_list_assigned_anew_drops_the_callback(
    provider: LLMProvider, loop: Any, installed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """coverage() says so, and nothing puts it back but install()."""
    assert callback_door().hooked
    monkeypatch.setattr(litellm, "input_callback", ["somebody"])
    assert not callback_door().hooked
    assert "assigned anew" in callback_door().why
    litellm.callbacks[:], kept = [], [*litellm.callbacks]
    ocr("sync", loop, provider.url, extra_body={"_sentry_x": "s"})
    litellm.callbacks[:] = kept
    assert b"_sentry_" not in provider.bodies[0]  # the hook is there all the same
    assert litellm.input_callback == ["somebody"]
    integration.install()
    assert callback_door().hooked
    integration.uninstall()
    assert litellm.input_callback == ["somebody"]
    monkeypatch.undo()
    assert ours() == []


def test_a_list_assigned_anew_during_a_call(
    provider: LLMProvider, loop: Any, without_hooks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call goes on with the callbacks that it had."""

    class Assigning(CustomLogger):
        def __init__(self, anew: list[str]) -> None:
            super().__init__()
            self.anew = anew

        def log_pre_api_call(self, model: Any, messages: Any, kwargs: Any) -> None:
            litellm.input_callback = list(self.anew)

    for anew in ([], ["somebody"]):
        monkeypatch.setattr(litellm, "input_callback", [Assigning(anew), *ours()])
        ocr("sync", loop, provider.url, document={**DOCUMENT, "_sentry_x": "s"})
        assert b"_sentry_" not in provider.bodies[-1]
        assert litellm.input_callback == anew
        monkeypatch.undo()


def test_both_lost_is_a_warning(without_hooks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then OCR goes past us, and coverage() does not say otherwise."""
    assert "Reducto" in route("ocr").why
    monkeypatch.setattr(litellm, "input_callback", [])
    assert "nothing judges its bodies" in route("ocr").why
    assert not route("ocr").hooked
    assert any("Rust engine" in w and "ocr" in w for w in integration.coverage().warnings)


# --- coverage -------------------------------------------------------------------------------------


def routes() -> list[Any]:
    return [d for d in integration.coverage().doors if d.name.startswith("Rust: ")]


def route(name: str) -> Any:
    (door,) = [door for door in routes() if door.name.startswith(f"Rust: {name}")]
    return door


def test_coverage_has_every_route_of_the_engine(installed: Any) -> None:
    """As litellm's own table has them."""
    from litellm.rust_bridge.catalog import RULES, Rollout

    required = {rule.route.value for rule in RULES if rule.rollout is Rollout.RUST_REQUIRED}
    assert {door.name.split()[1] for door in routes()} == required == {"ocr", "transcription"}
    assert all(door.hooked and door.why for door in routes())
    integration.uninstall()
    assert not any(door.hooked for door in routes())


def test_coverage_has_a_route_that_is_switched_on(installed: Any, by_rust: None) -> None:
    """litellm.rust(True), or LITELLM_RUST."""
    assert route("messages").name == "Rust: messages (anthropic)"
    assert route("messages").hooked


def test_a_route_that_we_do_not_know_is_not_called_guarded(
    installed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next release may send more by the engine."""
    from litellm.rust_bridge import catalog

    rule = catalog.RouteRule(catalog.Route.EMBEDDINGS, catalog.Rollout.RUST_REQUIRED)
    monkeypatch.setattr(catalog, "RULES", (rule, *catalog.RULES))
    assert not route("embeddings").hooked
    assert any("embeddings" in warning for warning in integration.coverage().warnings)


@pytest.mark.parametrize("name", ["setup", "pre_call"])
def test_a_release_without_the_engines_steps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """OCR is guarded less, and that is said."""
    from body_guard.integrations import _litellm_rust

    monkeypatch.setattr(integration, "_installation", integration._Installation())
    monkeypatch.delattr(f"{_litellm_rust.BRIDGE}.{name}")
    integration.install()
    assert route("ocr").hooked is (name == "pre_call")
    integration.uninstall()


def test_beneath_later_patches_ours_pass_through(
    provider: LLMProvider, loop: Any, installed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uninstalled, the engine is as it was."""
    from body_guard.integrations import _litellm_rust

    module = importlib.import_module(_litellm_rust.BRIDGE)
    for name in ("setup", "pre_call"):
        ours = getattr(module, name)
        monkeypatch.setattr(module, name, partial(ours))
    integration.uninstall()
    ocr("sync", loop, provider.url, extra_body={"_sentry_x": "s"})
    assert b"_sentry_x" in provider.bodies[0]
    monkeypatch.undo()
    integration.install()
    integration.uninstall()


@pytest.mark.parametrize("module", ["litellm.no_package.x", "litellm.no_module"])
def test_a_release_without_the_engine(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is hooked, nothing joins the callbacks, and coverage() has no word of it."""
    from body_guard.integrations import _litellm_rust

    monkeypatch.setattr(integration, "_installation", integration._Installation())
    monkeypatch.setattr(_litellm_rust, "BRIDGE", module)
    integration.install()
    assert ours() == []
    doors = {door.name: door for door in integration.coverage().doors}
    assert doors[f"{module}.setup"].absent
    assert "litellm.input_callback" not in doors
    assert routes() == []
    integration.uninstall()


def test_coverage_without_litellms_table(installed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that keeps it elsewhere: the steps are there, the routes are not known."""
    monkeypatch.delitem(sys.modules, "litellm.rust_bridge.catalog")
    assert routes() == []
    assert callback_door().hooked


def test_the_callback_called_by_somebody_else(installed: Any) -> None:
    """A body of Python's, or of nobody's, is not its business."""
    body = {"_sentry_x": 1}
    (callback,) = ours()
    callback.log_pre_api_call("m", [], {"additional_args": {"complete_input_dict": body}})
    assert body == {"_sentry_x": 1}


def test_frames_of_others_between_the_engine_and_the_callback(
    provider: LLMProvider, loop: Any, without_hooks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tracer's wrapper around litellm's own logging hides nothing."""
    from litellm.litellm_core_utils.litellm_logging import Logging

    original = Logging.pre_call
    scope: dict[str, Any] = {"__name__": "ddtrace.llm", "original": original}
    exec("def pre_call(*args, **more): return original(*args, **more)", scope)
    monkeypatch.setattr(Logging, "pre_call", scope["pre_call"])
    ocr("sync", loop, provider.url, document={**DOCUMENT, "_sentry_x": "s"})
    assert b"_sentry_" not in provider.bodies[0]
