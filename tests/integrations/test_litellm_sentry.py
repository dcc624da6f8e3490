"""What Sentry gets to see of a body that is guarded in litellm."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import openai
import pytest
import sentry_sdk
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler, HTTPHandler

import body_guard
from body_guard import Policy, Rule
from body_guard.integrations import litellm as integration

from llm_calls import FORMS, Call, call_named
from llm_fixtures import *  # noqa: F403 - pytest finds fixtures by name in the module
from llm_provider import LLMProvider
from sentry_events import MARKER, events, frames, holding, messages

__all__ = ["events"]

pytestmark = LITELLM_WARNINGS  # noqa: F405

REFUSING = Policy((Rule("no", keys=("no",), action="reject"),))

# --- frames ---------------------------------------------------------------------------------------

#: A row for each way in which litellm serializes.
FAMILIES = (
    "openai",
    "openai-stream",
    "azure",
    "vllm",
    "maritalk",
    "anthropic",
    "gemini",
    "cohere",
    "aiohttp",
    "converse",
    "invoke",
    "sagemaker",
    "openai-embedding",
    "image",
    "batches",
)
BY_FAMILY = [(call, form) for call, form in FORMS if call.name in FAMILIES]
FAILING = pytest.mark.parametrize(
    ("call", "form"), BY_FAMILY, ids=[f"{call.name}-{form}" for call, form in BY_FAMILY]
)


def assert_ours_hold_nothing(events: list[Any], error: BaseException) -> None:
    """Capture an error, and look at each frame that Sentry kept: of ours none shows the body."""
    sentry_sdk.capture_exception(error)
    seen = frames(events)
    assert any(frame.get("vars") for frame in seen)
    assert [name for name in holding(seen) if name.startswith("body_guard")] == []


@FAILING
def test_frames_of_a_refusal(
    call: Call, form: str, provider: LLMProvider, loop: Any, events: list[Any]
) -> None:
    """The error passes through our doors; litellm's frames hold the body, ours do not."""
    if call.lately and not call.sends_extra_body(form, loop, provider):
        pytest.skip(f"this release sends no extra_body of {call.name}")
    integration.install(REFUSING)
    options = {**call.arguments(provider.url), "extra_body": {"no": 1, "m": MARKER}}
    with pytest.raises(Exception, match=r"/no \(rule no") as raised:
        call.run(form, loop, options)
    assert_ours_hold_nothing(events, raised.value)
    assert MARKER not in messages(events)
    assert any(name.startswith("litellm") for name in holding(frames(events)))


@FAILING
def test_frames_of_a_providers_error(
    call: Call, form: str, provider: LLMProvider, loop: Any, events: list[Any], installed: Any
) -> None:
    """The same where the body was cleaned and sent, and the error comes back through our doors."""
    provider.script[:] = [400]
    things = {"_sentry_span": MARKER, "m": MARKER}
    options = {**call.arguments(provider.url), "extra_body": things}
    with pytest.raises(Exception, match=r"scripted|Bad Request|400") as raised:
        call.run(form, loop, options)
    assert_ours_hold_nothing(events, raised.value)


SIGNED = {"Authorization": "AWS4-HMAC-SHA256 x", "Content-Type": "application/json"}
FORBIDDEN: Any = {"no": 1, "m": MARKER}
DOORS: dict[str, Callable[[Any, str], Any]] = {
    "json=": lambda kind, url: kind().post(url, json=FORBIDDEN),
    "a form": lambda kind, url: kind().post(url, data=FORBIDDEN),
    "bytes": lambda kind, url: kind().post(
        url, data=json.dumps(FORBIDDEN), headers={"Content-Type": "application/json"}
    ),
    "signed bytes": lambda kind, url: kind().post(
        url, data=json.dumps({"_sentry_x": MARKER}), headers=SIGNED
    ),
    "another method": lambda kind, url: kind().put(url, json=FORBIDDEN),
}


@pytest.mark.parametrize("kind", [HTTPHandler, AsyncHTTPHandler])
@pytest.mark.parametrize("door", DOORS)
def test_frames_of_a_handlers_door(
    door: str, kind: Any, provider: LLMProvider, loop: Any, events: list[Any]
) -> None:
    """Each door of litellm's own handlers, called as litellm does."""
    integration.install(Policy((*Policy().rules, *REFUSING.rules)))

    def send() -> None:
        result = DOORS[door](kind, provider.url)
        loop.run_until_complete(result)

    with pytest.raises(body_guard.BodyError) as raised:
        send()
    assert_ours_hold_nothing(events, raised.value)
    assert provider.received == []


@pytest.mark.parametrize("form", ["sync", "async"])
@pytest.mark.parametrize("files", [False, True], ids=["json", "files"])
def test_frames_of_the_sdks_doors(
    form: str, files: bool, provider: LLMProvider, loop: Any, events: list[Any]
) -> None:
    """The OpenAI SDK alone: its encoding step, and a form with files."""
    integration.install(REFUSING)
    options: Any = {"api_key": "k", "base_url": f"{provider.url}/v1", "max_retries": 0}
    body: Any = {"cast_to": object, "body": {"no": 1, "m": MARKER}}
    if files:
        body["files"] = [("file", b"x")]

    async def post() -> None:
        if form == "async":
            async with openai.AsyncOpenAI(**options) as client:
                await client.post("/things", **body)
        else:
            with openai.OpenAI(**options) as client:
                client.post("/things", **body)

    with pytest.raises(body_guard.BodyRejectedError) as raised:
        loop.run_until_complete(post())
    assert_ours_hold_nothing(events, raised.value)
    assert any(name.startswith("openai") for name in holding(frames(events)))


# --- breadcrumbs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["openai", "vllm"])
def test_our_warning_is_one_breadcrumb(
    name: str, provider: LLMProvider, loop: Any, events: list[Any], installed: Any
) -> None:
    """Sentry's logging integration makes it of our log record; we add none, and no value is in it."""
    call = call_named(name)
    key = f"_sentry_crumb_{name}"  # the warning comes once for each place
    for _ in range(2):
        options = {**call.arguments(provider.url), "extra_body": {key: MARKER}}
        call.run("sync", loop, options)
    sentry_sdk.capture_message("look")
    (event,) = events
    ours = [crumb for crumb in event["breadcrumbs"]["values"] if key in json.dumps(crumb)]
    assert [(crumb["category"], crumb["level"]) for crumb in ours] == [("body_guard", "warning")]
    assert ours[0]["message"].startswith(f"body_guard: removed /{key} in a body for ")
    assert MARKER not in json.dumps(event["breadcrumbs"])
