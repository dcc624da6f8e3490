"""When things go wrong: refusals, retries, timeouts, dropped connections; and many at once."""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import litellm
import pytest
from litellm import Router
from litellm.integrations.custom_logger import CustomLogger

import body_guard
from body_guard import BodyError, Policy, Rule
from body_guard.integrations import litellm as integration

from llm_calls import FORMS, MESSAGES, Call, Live, call_named
from llm_fixtures import *  # noqa: F403 - pytest finds fixtures by name in the module
from llm_provider import LLMProvider

pytestmark = LITELLM_WARNINGS  # noqa: F405

REFUSING = Policy((Rule("no", keys=("no",), action="reject"),))

#: Calls that send no extra_body.
_NO_EXTRA_BODY = {
    "bedrock-embedding",
    "bedrock-messages",
    "anthropic-messages",
    "anthropic-messages-stream",
    "rerank",
}
#: Where older releases make something else of a provider's own 400, too.
_NO_400_BEFORE = {"maritalk", "aiohttp", "google-genai", "google-genai-stream"}
_NO_400_BEFORE |= {"vllm-messages", "openai-messages", "gemini-messages"}
#: litellm raises the very error that it got.
_UNMAPPED = {"batches"}
_FAMILIES = [(call, form) for call, form in FORMS if call.name not in _NO_EXTRA_BODY]


@pytest.mark.parametrize(
    ("call", "form"), _FAMILIES, ids=[f"{call.name}-{form}" for call, form in _FAMILIES]
)
def test_a_refused_body_is_a_400(call: Call, form: str, provider: LLMProvider, loop: Any) -> None:
    """The caller gets litellm's BadRequestError, with our sentence; nothing is sent or repeated."""
    if call.lacks:
        pytest.skip(f"litellm's {call.function} needs {call.lacks}, of its proxy extra")
    if call.lately and not call.sends_extra_body(form, loop, provider):
        pytest.skip(f"this release sends no extra_body of {call.name}")
    integration.install(REFUSING)
    options = call.arguments(provider.url)
    options["extra_body"] = {"no": 1}
    with (
        body_guard.collect() as reports,
        pytest.raises(Exception, match=r"The body was not sent: .*/no \(rule no") as caught,
    ):
        call.run(form, loop, options)
    assert provider.received == []
    assert {finding.rule for report in reports for finding in report.findings} == {"no"}
    if call.name in _NO_400_BEFORE and not is_400(caught.value):
        provider.script[:] = [400]
        with pytest.raises(Exception, match=r"scripted|Bad Request") as own:
            call.run(form, loop, call.arguments(provider.url))
        assert not is_400(own.value)
        pytest.skip(f"this release makes no 400 of a provider's own 400 in {call.name}")
    assert caught.value.status_code == 400
    expected = BodyError if call.name in _UNMAPPED else litellm.BadRequestError
    assert isinstance(caught.value, expected)


def is_400(error: BaseException) -> bool:
    return getattr(error, "status_code", None) == 400


@pytest.mark.parametrize("form", ["sync", "async"])
@pytest.mark.parametrize("name", ["openai", "vllm", "maritalk", "anthropic", "gemini", "converse"])
def test_a_body_over_the_limit_is_a_400(
    name: str, form: str, provider: LLMProvider, loop: Any
) -> None:
    """BodyLimitError is what BodyRejectedError is to litellm's caller, where a 400 is a 400."""
    call = call_named(name)
    integration.install(Policy(max_bytes=1000))
    options = call.arguments(provider.url)
    options["messages"] = [{"role": "user", "content": "x" * 2000}]
    with pytest.raises(Exception, match=r"The body was not sent: .*max_bytes") as caught:
        call.run(form, loop, options)
    assert provider.received == []
    assert is_400(caught.value) or call.name in _NO_400_BEFORE


@pytest.mark.parametrize("form", ["sync", "async"])
def test_a_signed_dirty_body_is_a_400(form: str, provider: LLMProvider, loop: Any) -> None:
    """Where json.dumps is not ours, the net refuses signed bytes; other hooks stand without it."""
    integration.install()
    integration._installation.patches[0].restore()
    call = call_named("vllm")
    options = call.arguments(provider.url)
    options["extra_headers"] = {"X-Hub-Signature-256": "sha256=aa"}
    options["extra_body"] = {"_sentry_x": "SECRET"}
    with pytest.raises(litellm.BadRequestError, match="x-hub-signature-256 header wrong") as caught:
        call.run(form, loop, options)
    assert "SECRET" not in str(caught.value)
    assert provider.received == []


def router(provider: LLMProvider, model: str = "openai/m", **more: Any) -> Router:
    deployment = {"model": model, "api_base": f"{provider.url}/v1", "api_key": "k"}
    return Router(
        model_list=[{"model_name": "m", "litellm_params": deployment}],
        num_retries=2,
        retry_after=0,
        allowed_fails=0,
        cooldown_time=60,
        **more,
    )


ROUTED = pytest.mark.parametrize("model", ["openai/m", "hosted_vllm/m", "azure/m", "anthropic/m"])


@ROUTED
@pytest.mark.parametrize("form", ["sync", "async"])
def test_a_router_tries_a_refused_body_once_and_cools_nothing_down(
    model: str, form: str, provider: LLMProvider, loop: Any
) -> None:
    """One attempt; the deployment is there for the next call."""
    integration.install(REFUSING)
    routed = router(provider, model)

    def call(**more: Any) -> Any:
        if form == "async":
            return loop.run_until_complete(routed.acompletion("m", MESSAGES, **more))
        return routed.completion("m", MESSAGES, **more)

    with body_guard.collect() as reports, pytest.raises(litellm.BadRequestError):
        call(extra_body={"no": 1})
    assert provider.received == []
    assert len([report for report in reports if report.findings]) == 1
    call()
    assert len(provider.received) == 1


def test_what_comes_after_a_refusal_is_tried_again(provider: LLMProvider, loop: Any) -> None:
    """A fallback has its own retries: its errors are raised in the wake of ours, and are not ours."""
    integration.install(REFUSING)
    refused, other = (
        {"model": "hosted_vllm/m", "api_base": f"{provider.url}/v1", "api_key": "k", **more}
        for more in ({"extra_body": {"no": 1}}, {})
    )
    routed = Router(
        model_list=[
            {"model_name": "m", "litellm_params": refused},
            {"model_name": "other", "litellm_params": other},
        ],
        fallbacks=[{"m": ["other"]}],
        num_retries=1,
        retry_after=0,
        disable_cooldowns=True,
    )
    provider.script[:] = [500]
    answer = loop.run_until_complete(routed.acompletion("m", MESSAGES))
    assert answer.choices[0].message.content == "Hello."
    assert len(provider.received) == 2


@ROUTED
@pytest.mark.parametrize("thing", [Live(), "SECRET"], ids=["live", "string"])
def test_what_a_router_retries_is_guarded_each_time(
    model: str, thing: Any, provider: LLMProvider, loop: Any, installed: Any
) -> None:
    """A 500, then an answer."""
    provider.script[:] = [500]
    routed = Router(
        model_list=[
            {
                "model_name": "m",
                "litellm_params": {
                    "model": model,
                    "api_base": f"{provider.url}/v1",
                    "api_key": "k",
                    "max_retries": 0,
                },
            }
        ],
        num_retries=1,
        retry_after=0,
        disable_cooldowns=True,
    )
    loop.run_until_complete(routed.acompletion("m", MESSAGES, extra_body={"_sentry_x": thing}))
    assert len(provider.bodies) == 2
    assert not any(b"_sentry_" in body for body in provider.bodies)


def test_a_fallback_is_guarded(provider: LLMProvider, loop: Any, installed: Any) -> None:
    """The second deployment is of another family, which serializes otherwise."""
    provider.script[:] = [400]
    routed = Router(
        model_list=[
            {
                "model_name": "m",
                "litellm_params": {
                    "model": "hosted_vllm/m",
                    "api_base": f"{provider.url}/v1",
                    "api_key": "k",
                },
            },
            {
                "model_name": "other",
                "litellm_params": {
                    "model": "anthropic/claude-3",
                    "api_base": provider.url,
                    "api_key": "k",
                },
            },
        ],
        fallbacks=[{"m": ["other"]}],
        num_retries=0,
    )
    loop.run_until_complete(
        routed.acompletion("m", MESSAGES, extra_body={"_sentry_x": Live(), "kept": 1})
    )
    assert [received.path for received in provider.received] == [
        "/v1/chat/completions",
        "/v1/messages",
    ]
    assert not any(b"_sentry_" in body for body in provider.bodies)


@pytest.mark.parametrize("name", ["openai", "vllm", "anthropic", "gemini", "converse"])
@pytest.mark.parametrize("form", ["sync", "async"])
def test_a_timeout_does_not_open_a_way_around(
    name: str, form: str, provider: LLMProvider, loop: Any, installed: Any
) -> None:
    """What is sent after a timeout is guarded, whoever sends it again."""
    call = call_named(name)
    provider.script[:] = ["slow"]
    options = call.arguments(provider.url)
    options.update(extra_body={"_sentry_x": Live()}, timeout=0.3, max_retries=0)
    with pytest.raises((litellm.Timeout, litellm.APIConnectionError)):
        call.run(form, loop, options)
    options = {**call.arguments(provider.url), "extra_body": {"_sentry_x": "SECRET"}}
    call.run(form, loop, options)
    assert len(provider.bodies) == 2
    assert not any(b"_sentry_" in body for body in provider.bodies)


@pytest.mark.parametrize("name", ["vllm", "anthropic", "gemini", "cohere", "converse"])
@pytest.mark.parametrize("thing", [Live(), "SECRET"], ids=["live", "string"])
def test_a_dropped_connection_does_not_open_a_way_around(
    name: str, thing: Any, provider: LLMProvider, loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client is rebuilt and litellm posts again: the second body is as clean as the first."""
    monkeypatch.setattr(litellm, "disable_aiohttp_transport", True)
    litellm.in_memory_llm_clients_cache.flush_cache()
    integration.install()
    provider.script[:] = ["drop"]
    call = call_named(name)
    options = {**call.arguments(provider.url), "extra_body": {"_sentry_x": thing}}
    try:
        call.run("async", loop, options)
    except (litellm.InternalServerError, litellm.APIConnectionError):
        if len(provider.bodies) != 1:
            raise
    finally:
        litellm.in_memory_llm_clients_cache.flush_cache()
    assert not any(b"_sentry_" in body for body in provider.bodies)
    if len(provider.bodies) == 1:
        pytest.skip("this release does not post again after a dropped connection")
    assert provider.bodies[0] == provider.bodies[1]


# --- many at once ---------------------------------------------------------------------------------

MIXED = ("openai", "vllm", "anthropic", "gemini", "converse", "cohere")


def own_findings(reports: list[Any]) -> set[str]:
    return {finding.path.rpartition("/")[2] for report in reports for finding in report.findings}


def test_threads_do_not_see_each_others_reports(
    provider: LLMProvider, loop: Any, installed: Any
) -> None:
    """Each thread collects what was found in its own calls, and nothing else."""
    found: dict[int, set[str]] = {}
    start = threading.Barrier(8)

    def work(number: int) -> None:
        start.wait()
        with body_guard.collect() as reports:
            for name in MIXED:
                call = call_named(name)
                options = call.arguments(provider.url)
                options["extra_body"] = {f"_sentry_{number}": Live(), "n": number}
                call.run("sync", loop, options)
        found[number] = own_findings(reports)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: contextvars.copy_context().run(work, n), range(8)))
    assert found == {number: {f"_sentry_{number}"} for number in range(8)}
    assert len(provider.bodies) == 8 * len(MIXED)
    assert not any(b"_sentry_" in body for body in provider.bodies)


def test_tasks_do_not_see_each_others_reports(
    provider: LLMProvider, loop: Any, installed: Any
) -> None:
    """The same for tasks of one loop."""

    async def work(number: int) -> set[str]:
        with body_guard.collect() as reports:
            for name in MIXED:
                call = call_named(name)
                options = call.arguments(provider.url)
                options["extra_body"] = {f"_sentry_{number}": Live(), "n": number}
                await call._callable("async")(**options)
        return own_findings(reports)

    async def run() -> list[set[str]]:
        return await asyncio.gather(*(work(number) for number in range(8)))

    assert loop.run_until_complete(run()) == [{f"_sentry_{number}"} for number in range(8)]
    assert not any(b"_sentry_" in body for body in provider.bodies)


# --- what the caller sees -------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["sync", "async"])
@pytest.mark.parametrize("name", ["openai", "openai-stream", "vllm", "anthropic", "converse"])
def test_collect_shows_one_request_for_a_clean_call(
    name: str, form: str, provider: LLMProvider, loop: Any, installed: Any
) -> None:
    """A body is reported once, however many doors it goes by."""
    call = call_named(name)
    with body_guard.collect() as reports:
        call.run(form, loop, call.arguments(provider.url))
    assert [(report.judged, report.findings) for report in reports] == [(True, ())]


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return [shape(item) for item in value] if isinstance(value, list) else type(value).__name__


@pytest.mark.parametrize("form", ["sync", "async"])
@pytest.mark.parametrize("name", ["openai", "vllm", "anthropic", "responses", "batches"])
def test_the_callers_values_end_as_they_would_without_us(
    name: str, form: str, provider: LLMProvider, loop: Any
) -> None:
    """Keys are added to metadata by litellm; the guard takes none away and adds none."""
    call = call_named(name)
    if call.lacks:
        pytest.skip(f"litellm's {call.function} needs {call.lacks}, of its proxy extra")
    ends = []
    for guarded in (False, True):
        if guarded:
            integration.install()
        given = {"metadata": {"user_id": "u", "_sentry_span": "s"}, "extra_body": {"_sentry_x": 1}}
        call.run(form, loop, {**call.arguments(provider.url), **given})
        given["metadata"].pop("hidden_params", None)  # added by a log worker, sooner or later
        ends.append(shape(given))
    assert ends[0] == ends[1]
    assert ends[1]["metadata"]["_sentry_span"] == "str"
    assert b"_sentry_" in provider.bodies[0]
    assert b"_sentry_" not in provider.bodies[1]


def test_lazy_modules_loaded_after_install_are_guarded(
    provider: LLMProvider, loop: Any, installed: Any
) -> None:
    """Imported anew, as if install() had come first."""
    import importlib
    import sys

    name = "litellm.llms.cohere.embed.transformation"
    importlib.import_module(name)
    kept = sys.modules.pop(name)
    try:
        module = importlib.import_module(name)
        assert module is not kept
        call = call_named("cohere-embedding")
        options = {**call.arguments(provider.url), "extra_body": {"_sentry_x": Live()}}
        call.run("sync", loop, options)
    finally:
        sys.modules[name] = kept
    assert b"_sentry_" not in provider.bodies[0]
    assert json.loads(provider.bodies[0])


# --- litellm's callbacks --------------------------------------------------------------------------


class Callbacks(CustomLogger):
    """Keeps what Sentry's, Langfuse's and everybody's input callbacks are given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def log_pre_api_call(self, model: Any, messages: Any, kwargs: Any) -> None:
        metadata = kwargs["litellm_params"]["metadata"]
        body = kwargs["additional_args"].get("complete_input_dict")
        shown = {
            "model": kwargs["model"],
            "messages": kwargs["messages"],
            "metadata": {name: metadata[name] for name in ("user_id", "_sentry_span")},
            # A text is what was signed before, and goes out as it is.
            "body": None if isinstance(body, str) else body,
        }
        self.seen.append(json.loads(json.dumps(shown)))


@pytest.mark.parametrize("form", ["sync", "async"])
@pytest.mark.parametrize("name", ["openai", "vllm", "converse", "anthropic"])
def test_callbacks_see_what_they_saw(
    name: str, form: str, provider: LLMProvider, loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard cleans a copy on its way to the wire: the caller's message and metadata are shown."""
    call = call_named(name)
    callbacks = Callbacks()
    monkeypatch.setattr(litellm, "input_callback", [*litellm.input_callback, callbacks])
    for guarded in (False, True):
        if guarded:
            integration.install()
        options = call.arguments(provider.url)
        options["messages"] = [{"role": "user", "content": "hi", "_sentry_note": "kept"}]
        options["metadata"] = {"user_id": "u1", "_sentry_span": "kept"}
        options["extra_body"] = {"_sentry_x": "kept", "a": 1}
        call.run(form, loop, options)
    assert len(callbacks.seen) == 2
    assert callbacks.seen[0] == callbacks.seen[1]
    assert callbacks.seen[1]["metadata"] == {"user_id": "u1", "_sentry_span": "kept"}
    assert b"_sentry_x" in provider.bodies[0]
    assert b"_sentry_" not in provider.bodies[1]
