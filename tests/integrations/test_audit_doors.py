"""An audit where SDKs and litellm make bodies: what crashes, crashes as before, and says where."""

from __future__ import annotations

import json
import math
from typing import Any

import httpx
import openai
import pytest
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler, HTTPHandler

import body_guard
from body_guard import Policy, Rule
from body_guard.core.encode import JSON_DUMPS
from body_guard.http.request_guard import Guard
from body_guard.integrations import litellm as integration
from body_guard.integrations.encoding import Encoder, encode_body
from body_guard.integrations.values import prepare_value, unknown_host

from doors import Wire
from llm_fixtures import *  # noqa: F403 - pytest finds fixtures by name in the module

pytestmark = LITELLM_WARNINGS  # noqa: F405

AUDIT = Policy(mode="audit")
MESSAGES: Any = [{"role": "user", "content": "hi"}]
NOTE = "body_guard: no encoder can write /metadata/_sentry_span (test_audit_doors.Span)"
BODY = {"a": 1, "_sentry_x": "SECRET", "metadata": {}}


class Span:
    """Stands for a live object."""

    def __repr__(self) -> str:
        return "SECRET"


def live() -> dict[str, Any]:
    return {"a": 1, "metadata": {"_sentry_span": Span()}}


def notes(error: BaseException) -> list[str]:
    if not hasattr(error, "add_note"):
        pytest.skip("Python 3.10 has no notes")
    return list(getattr(error, "__notes__", ()))


def found(reports: list[body_guard.Report]) -> list[tuple[str, str]]:
    assert all(r.mode == "audit" and not r.changed for r in reports)
    return [(f.path, f.rule) for report in reports for f in report.findings]


def dumps(value: Any, **options: Any) -> str:
    """Call json.dumps as a module of litellm's does that makes bodies."""
    scope: dict[str, Any] = {"__name__": "litellm.llms.somebody.chat"}
    exec("import json\ndef dumps(value, options): return json.dumps(value, **options)", scope)
    return str(scope["dumps"](value, options))


@pytest.fixture
def audited() -> None:
    integration.install(AUDIT)


def handler(body: Any) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200))
    HTTPHandler(client=httpx.Client(transport=transport)).post("http://p.test/", json=body)


def async_handler(body: Any) -> None:
    import asyncio

    async def run() -> None:
        sender = AsyncHTTPHandler()
        await sender.post("http://p.test/", json=body)

    asyncio.run(run())


def sdk(body: Any) -> None:
    wire = Wire()
    http_client = httpx.Client(transport=httpx.MockTransport(wire))
    with openai.OpenAI(api_key="k", http_client=http_client, max_retries=0) as client:
        client.chat.completions.create(model="m", messages=MESSAGES, extra_body=body)


def sdk_post(body: Any) -> None:
    http_client = httpx.Client(transport=httpx.MockTransport(Wire()))
    with openai.OpenAI(api_key="k", http_client=http_client, max_retries=0) as client:
        client.post("/x", cast_to=object, body=body)


def guarded_sdk(body: Any) -> None:
    wire = Wire()
    http_client = httpx.Client(transport=httpx.MockTransport(wire))
    with openai.OpenAI(api_key="k", http_client=http_client, max_retries=0) as client:
        integration.uninstall()
        body_guard.guard(client, AUDIT)
        client.chat.completions.create(model="m", messages=MESSAGES, extra_body=body)


def both(body: Any) -> None:
    wire = Wire()
    http_client = httpx.Client(transport=httpx.MockTransport(wire))
    with openai.OpenAI(api_key="k", http_client=http_client, max_retries=0) as client:
        body_guard.guard(client, AUDIT)
        client.chat.completions.create(model="m", messages=MESSAGES, extra_body=body)


CRASHING = {
    "json.dumps": dumps,
    "HTTPHandler": handler,
    "AsyncHTTPHandler": async_handler,
    "openai": sdk,
    "openai, post": sdk_post,
    "guard(openai)": guarded_sdk,
    "both": both,
}


@pytest.mark.parametrize("send", CRASHING.values(), ids=CRASHING)
def test_a_body_that_crashes_still_does(audited: None, send: Any) -> None:
    """With the encoder's own error and one note, and what was found is told once."""
    with body_guard.collect() as reports, pytest.raises(TypeError, match="Span is not") as caught:
        send(live())
    assert found(reports) == [("/metadata/_sentry_span", "sentry")]
    assert notes(caught.value) == [NOTE]


def test_what_no_json_can_say_is_written_as_before(audited: None) -> None:
    """litellm's json.dumps writes NaN; told is what its bytes do not show."""
    with body_guard.collect() as reports:
        assert dumps({"t": math.nan, "_sentry_x": 1}) == '{"t": NaN, "_sentry_x": 1}'
        assert dumps(BODY, indent=1) == json.dumps(BODY, indent=1)
        assert dumps({"a": {1}}, default=list) == '{"a": [1]}'
    assert found(reports) == [("/t", "non-finite")]


def test_names_that_the_call_leaves_out_are_the_encoders(audited: None) -> None:
    """skipkeys= is no matter of style, so the walk says what the encoder left out."""
    with body_guard.collect() as reports:
        assert dumps({(1,): 1, "a": 1}, skipkeys=True) == '{"a": 1}'
        assert dumps({(1,): 1, "t": math.nan}, skipkeys=True) == '{"t": NaN}'
    left_out = ("/<builtins.tuple>", "unserializable")
    assert found(reports) == [left_out, left_out, ("/t", "non-finite")]


def test_text_that_is_no_utf8_is_written_as_before(audited: None) -> None:
    """A lone surrogate is escaped by litellm's json.dumps, and found."""
    with body_guard.collect() as reports:
        assert dumps({"t": "\ud800", "n": math.nan}) == '{"t": "\\ud800", "n": NaN}'
        assert (
            dumps({"t": "\ud800", "n": math.nan}, ensure_ascii=False) == '{"t": "\ud800", "n": NaN}'
        )
    assert found(reports) == [("/t", "surrogate"), ("/n", "non-finite")] * 2


def test_a_body_that_is_not_plain_is_encoded_as_it_is() -> None:
    """A dict of a class of its own is the encoder's to ask; the bytes tell what is in it."""

    class Mine(dict[str, Any]):
        pass

    guard = Guard(httpx, AUDIT)
    with body_guard.collect() as reports:
        text = Encoder(json.dumps, JSON_DUMPS)
        assert encode_body(guard, text, Mine(_sentry_x=1)) == '{"_sentry_x": 1}'
        in_bytes = Encoder(_bytes, JSON_DUMPS)
        assert encode_body(guard, in_bytes, Mine(_sentry_x=1, t=math.nan)) == (
            b'{"_sentry_x": 1, "t": NaN}'
        )
    assert found(reports) == [("/t", "non-finite")]


def _bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("value", "last", "told"),
    [
        ({"_sentry_x": 1}, False, []),
        ({"_sentry_x": 1}, True, [("/_sentry_x", "sentry")]),
        (live(), False, [("/metadata/_sentry_span", "sentry")]),
        ({"a": 1}, True, []),
    ],
    ids=["another door", "no other door", "no bytes", "clean"],
)
def test_what_the_next_door_sees_is_left_to_it(
    value: Any, last: bool, told: list[tuple[str, str]]
) -> None:
    """Findings are told once, and none is lost; the value is the very object."""
    with body_guard.collect() as reports:
        assert prepare_value(Guard(httpx, AUDIT), value, unknown_host, last=last) is value
    assert found(reports) == told


def test_an_sdk_that_leaves_the_encoding_to_httpx(
    audited: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its request would have told is told, since there is none."""
    monkeypatch.setattr("body_guard.integrations.stainless.convert_of", lambda _: None)
    monkeypatch.setattr(
        "body_guard.integrations.stainless.encode_body",
        lambda _, encoder, obj, *__: encoder.dumps(obj),
    )
    with body_guard.collect() as reports, pytest.raises(TypeError, match="Span is not") as caught:
        sdk(live())
    assert found(reports) == [("/metadata/_sentry_span", "sentry")]
    assert notes(caught.value) == [NOTE]


def test_an_error_that_no_body_caused(audited: None, wire: Wire) -> None:
    """An SDK's own errors have no note, and clean bodies no findings."""
    with pytest.raises(TypeError) as caught, body_guard.collect() as reports:
        handler_of_nothing()
    assert getattr(caught.value, "__notes__", []) == []
    assert reports == []


def handler_of_nothing() -> None:
    HTTPHandler().post("http://p.test/", json={"a": 1}, headers=7)  # type: ignore[arg-type]


def test_an_enforced_body_that_fails_has_no_note() -> None:
    """An SDK's error while the policy enforces is the SDK's business."""
    integration.install(Policy((Rule("r", keys=("r",), action="report"),)))
    http_client = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200)))
    with (
        openai.OpenAI(api_key="k", http_client=http_client) as client,
        pytest.raises((TypeError, ValueError)) as caught,
    ):
        client.post("/x", cast_to=object, body={"r": 1}, options={"headers": {"a": object()}})  # type: ignore[dict-item]
    assert getattr(caught.value, "__notes__", []) == []
