"""The OpenAI SDK's encoding step, alone: what is legal there stays, what is not goes."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import openai._base_client
import pydantic
import pytest

import body_guard
from body_guard import BodyRejectedError, Policy, Rule
from body_guard.http.request_guard import Guard
from body_guard.integrations.openai import HOOKS
from body_guard.integrations.stainless import convert_of, guard_of
from body_guard.patches.patch import Patch

from doors import Wire

MESSAGES: Any = [{"role": "user", "content": "hi"}]
ANSWER = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [],
}


class Model(pydantic.BaseModel):
    a: int = 1
    day: datetime.date = datetime.date(2026, 11, 22)
    unset: str = "not sent"


class Guarded:
    """The hooks at work, by the guard of now."""

    def __init__(self) -> None:
        self.guard: Guard | None = Guard(httpx)
        self.patches = [Patch(hook, lambda: self.guard) for hook in HOOKS]


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    """Put the hooks in, and take them out."""
    state = Guarded()
    for patch in state.patches:
        patch.apply()
    yield state
    for patch in reversed(state.patches):
        patch.restore()


def client(wire: Wire, **options: Any) -> openai.OpenAI:
    transport = httpx.MockTransport(wire)
    return openai.OpenAI(
        api_key="k", http_client=httpx.Client(transport=transport), max_retries=0, **options
    )


def create(wire: Wire, extra_body: Any = None, **options: Any) -> bytes:
    wire.answers.append({"json": ANSWER})
    client(wire).chat.completions.create(
        model="m", messages=MESSAGES, extra_body=extra_body, **options
    )
    return wire.bodies[-1]


def test_what_the_sdk_can_write_stays(guarded: Guarded, wire: Wire) -> None:
    """Datetimes and pydantic models come out as the SDK writes them, and nothing is reported."""
    if convert_of("openai") is None:
        pytest.skip("this release of the SDK leaves the encoding to httpx")
    extra = {
        "at": datetime.datetime(2026, 11, 22, tzinfo=datetime.timezone.utc),
        "model": Model(a=2),
        "é": [1.10, None],
    }
    with body_guard.collect() as reports:
        ours = create(wire, extra)
    guarded.guard = None
    assert create(wire, extra) == ours
    assert json.loads(ours)["at"] == "2026-11-22T00:00:00+00:00"
    assert [report.findings for report in reports] == [()]


def test_a_model_inside_is_judged_too(guarded: Guarded, wire: Wire) -> None:
    """What the SDK makes of a model may hold a forbidden name."""
    if convert_of("openai") is None:
        pytest.skip("this release of the SDK leaves the encoding to httpx")

    class Extra(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(extra="allow")

    body = json.loads(create(wire, {"m": Extra(_sentry_x=1, a=2), "f": lambda: 0}))  # type: ignore[call-arg]
    assert body["m"] == {"a": 2}
    assert "f" not in body


def test_one_report_with_everything_and_it_rides_in_the_request(
    guarded: Guarded, wire: Wire
) -> None:
    """The caller's object stays; the report is of the object and of the bytes."""
    extra = {"_sentry_span": object(), "metadata": {"a": "b", "_sentry_x": "s"}}
    with body_guard.collect() as reports:
        body = json.loads(create(wire, extra))
    assert body == {"model": "m", "messages": MESSAGES, "metadata": {"a": "b"}}
    (report,) = reports
    assert {finding.path for finding in report.findings} == {
        "/_sentry_span",
        "/metadata/_sentry_x",
    }
    assert wire.requests[0].extensions["body_guard"] == report
    assert extra.keys() == {"_sentry_span", "metadata"}


def test_azure_goes_by_the_same_place(guarded: Guarded, wire: Wire) -> None:
    """AzureOpenAI overrides _prepare_options and _build_request."""
    wire.answers.append({"json": ANSWER})
    azure = openai.AzureOpenAI(
        api_key="k",
        api_version="2024-06-01",
        azure_endpoint="https://a.example",
        http_client=httpx.Client(transport=httpx.MockTransport(wire)),
    )
    azure.chat.completions.create(
        model="m", messages=MESSAGES, extra_body={"_sentry_x": object(), "kept": 1}
    )
    assert json.loads(wire.body)["kept"] == 1
    assert b"_sentry_" not in wire.body
    assert "/deployments/m/" in str(wire.requests[0].url)


def test_a_retry_is_clean_too(guarded: Guarded, wire: Wire) -> None:
    """Each attempt is built anew from the caller's options."""
    wire.answers[:] = [{"status": 500, "headers": {"retry-after-ms": "1"}}, {"json": ANSWER}]
    client(wire).with_options(max_retries=1).chat.completions.create(
        model="m", messages=MESSAGES, extra_body={"_sentry_x": object()}
    )
    assert len(wire.bodies) == 2
    assert not any(b"_sentry_" in body for body in wire.bodies)


def test_the_fields_of_a_form_are_cleaned(guarded: Guarded, wire: Wire) -> None:
    """A form writes out as text whatever it is given."""
    wire.answers.append({"json": {"id": "f"}})
    client(wire).files.create(
        file=("f.txt", b"text"),
        purpose="batch",
        extra_body={"_sentry_span": object(), "_sentry_x": "SECRET", "kept": "1"},
    )
    assert b"_sentry_" not in wire.body
    assert b"SECRET" not in wire.body
    assert b'name="kept"' in wire.body
    assert b'name="purpose"' in wire.body


@pytest.mark.filterwarnings("ignore:Passing raw bytes:DeprecationWarning")  # it still works
def test_bytes_given_as_a_body_are_netted(guarded: Guarded, wire: Wire) -> None:
    """client.post(body=bytes) is not encoded by anybody."""
    wire.answers.append({"json": {}})
    client(wire).post("/x", cast_to=object, body=b'{"_sentry_x": 1, "a": 1}')  # type: ignore[type-var]
    assert json.loads(wire.body) == {"a": 1}


def test_a_refusal_is_raised_as_itself_and_not_retried(guarded: Guarded, wire: Wire) -> None:
    """With status_code 400."""
    guarded.guard = Guard(httpx, Policy((Rule("no", keys=("no",), action="reject"),)))
    with pytest.raises(BodyRejectedError) as caught:
        client(wire).with_options(max_retries=3).chat.completions.create(
            model="m", messages=MESSAGES, extra_body={"no": 1}
        )
    assert caught.value.status_code == 400
    assert wire.requests == []


def test_an_sdk_that_leaves_the_encoding_to_httpx(
    guarded: Guarded, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As openai 1 does: json_data is cleaned before httpx gets it; here by the options' copy."""
    monkeypatch.setattr("body_guard.integrations.stainless.convert_of", lambda _: None)
    for patch in guarded.patches[:1]:
        patch.restore()
    extra = {"_sentry_span": object(), "metadata": {"_sentry_x": 1}}
    assert json.loads(create(wire, extra)) == {"model": "m", "messages": MESSAGES, "metadata": {}}
    assert extra["metadata"] == {"_sentry_x": 1}


def test_hooks_and_a_guarded_client_tell_once(guarded: Guarded, wire: Wire) -> None:
    """With litellm's install() and guard(client) in one process, a request has one report."""
    wire.answers.append({"json": ANSWER})
    sdk_client = body_guard.guard(client(wire))
    with body_guard.collect() as reports:
        sdk_client.chat.completions.create(
            model="m", messages=MESSAGES, extra_body={"live": object(), "_sentry_x": 1, "a": 1}
        )
    assert json.loads(wire.body) == {"model": "m", "messages": MESSAGES, "a": 1}
    (report,) = reports
    assert [finding.path for finding in report.findings] == ["/live", "/_sentry_x"]


def test_an_error_in_an_audit_that_the_body_did_not_cause(guarded: Guarded, wire: Wire) -> None:
    """A clean body has no report of its own where no request is built of it."""
    guarded.guard = Guard(httpx, Policy(mode="audit"))
    headers: Any = {"x": object()}
    with body_guard.collect() as reports, pytest.raises(TypeError, match=r"[Hh]eader"):
        create(wire, {"a": 1}, extra_headers=headers)
    assert reports == []


def test_without_a_guard_the_hooks_pass_through(guarded: Guarded, wire: Wire) -> None:
    """As after uninstall, beneath somebody's later patch."""
    guarded.guard = None
    assert b"_sentry_x" in create(wire, {"_sentry_x": 1})
    with pytest.raises(TypeError, match="not JSON serializable"):
        create(wire, {"x": object()})


def test_the_names_are_given_back() -> None:
    """The very objects."""
    before = openai._base_client.BaseClient._build_request
    state = Guarded()
    for patch in state.patches:
        patch.apply()
        patch.apply()
    assert openai._base_client.BaseClient._build_request is not before
    for patch in state.patches:
        patch.restore()
        patch.restore()
    assert openai._base_client.BaseClient._build_request is before


def test_a_request_of_httpx2_gets_a_guard_of_httpx2(guarded: Guarded) -> None:
    """Clients of either library are what openai 3 takes."""
    httpx2 = pytest.importorskip("httpx2")
    assert guarded.guard is not None
    request = httpx2.Request("POST", "https://a.example", content=b'{"_sentry_x": 1}')
    guard_of(request, guarded.guard).judge(request)
    assert request.content == b"{}"
