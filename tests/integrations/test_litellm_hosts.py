"""What is found in a body of litellm's is told with the host that it goes to."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import nullcontext
from functools import partial
from typing import Any

import httpx
import pytest
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler, HTTPHandler

import body_guard
from body_guard import Policy, Rule
from body_guard.integrations import litellm as integration
from body_guard.integrations._litellm_bodies import host_of_frame, host_of_url

from llm_calls import FORMS, PLACES, Call, Live, call_named
from llm_fixtures import *  # noqa: F403 - pytest finds fixtures by name in the module
from llm_provider import LLMProvider

pytestmark = LITELLM_WARNINGS  # noqa: F405

BY_FORM = pytest.mark.parametrize(
    ("call", "form"), FORMS, ids=[f"{call.name}-{form}" for call, form in FORMS]
)


def sending(name: str, form: str, provider: LLMProvider, loop: Any) -> Call:
    """Return a call that this release sends extra_body of."""
    call = call_named(name)
    if call.lately and not call.sends_extra_body(form, loop, provider):
        pytest.skip(f"this release sends no extra_body of {call.name}")
    return call


@BY_FORM
def test_every_report_has_its_host(
    call: Call,
    form: str,
    provider: LLMProvider,
    loop: Any,
    installed: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever way litellm serializes, and wherever the thing stands."""
    if call.lacks:
        pytest.skip(f"litellm's {call.function} needs {call.lacks}, of its proxy extra")
    options = call.arguments(provider.url)
    for place in ("extra_body", "message", "keyword"):
        PLACES[place](options, Live())
    with body_guard.collect() as reports, caplog.at_level(logging.DEBUG, "body_guard"):
        call.run(form, loop, options)
    found = [report for report in reports if report.findings]  # others fetch a tokenizer, say
    assert {report.host for report in found} <= {"127.0.0.1"}
    assert "127.0.0.1" in {report.host for report in reports}
    assert "unknown host" not in caplog.text


@pytest.mark.parametrize("form", ["sync", "async"])
@pytest.mark.parametrize("name", ["openai", "vllm", "anthropic", "gemini", "converse", "aiohttp"])
def test_a_refused_body_is_told_with_its_host(
    name: str, form: str, provider: LLMProvider, loop: Any
) -> None:
    """Before there is a request."""
    call = sending(name, form, provider, loop)
    integration.install(Policy((Rule("no", keys=("no",), action="reject"),)))
    with body_guard.collect() as reports, pytest.raises(Exception, match="The body was not sent"):
        call.run(form, loop, {**call.arguments(provider.url), "extra_body": {"no": 1}})
    assert [report.host for report in reports if report.refused] == ["127.0.0.1"]


@pytest.mark.parametrize("form", ["sync", "async"])
@pytest.mark.parametrize("name", ["openai", "vllm", "anthropic", "gemini", "converse"])
def test_an_audits_reports_have_their_host(
    name: str, form: str, provider: LLMProvider, loop: Any
) -> None:
    """Where the object would crash and no request follows, too."""
    call = sending(name, form, provider, loop)
    integration.install(Policy(mode="audit"))
    for thing in ("text", Live()):
        with body_guard.collect() as reports:
            crash = (
                pytest.raises(Exception, match="Live is not JSON")
                if thing != "text"
                else nullcontext()
            )
            with crash:
                call.run(
                    form, loop, {**call.arguments(provider.url), "extra_body": {"_sentry_x": thing}}
                )
        assert {report.host for report in reports if report.findings} == {"127.0.0.1"}


@pytest.mark.parametrize("form", ["sync", "async"])
@pytest.mark.parametrize(
    "name", ["openai", "vllm", "anthropic", "gemini", "gemini-stream", "converse"]
)
def test_a_policy_for_a_host_holds_before_there_is_a_request(
    name: str, form: str, provider: LLMProvider, loop: Any
) -> None:
    """One's own gateway gets what others must not; a signed body is right for it too."""
    call = sending(name, form, provider, loop)
    mine = Policy((Rule("mine", keys=("mine",)),))
    integration.install(Policy(hosts={"127.0.0.1": mine}))
    options = {**call.arguments(provider.url), "extra_body": {"_sentry_x": "kept", "mine": 1}}
    call.run(form, loop, options)
    (body,) = provider.bodies
    assert b'"_sentry_x"' in body
    assert b'"mine"' not in body


@pytest.mark.parametrize("kind", [HTTPHandler, AsyncHTTPHandler])
def test_the_handlers_arguments_are_told_with_the_url(
    kind: Any, provider: LLMProvider, loop: Any, installed: Any
) -> None:
    """json= and data=, by position or by keyword, and an address of httpx's own type."""
    handler = kind()
    with body_guard.collect() as reports:
        for args, options in (
            ((provider.url,), {"json": {"_sentry_x": 1}}),
            ((), {"url": httpx.URL(provider.url), "data": {"_sentry_x": 1}}),
            ((provider.url, None, {"_sentry_x": 1}), {}),
        ):
            call = handler.post(*args, **options)
            loop.run_until_complete(call) if kind is AsyncHTTPHandler else call
    found = [report for report in reports if report.findings]
    assert [report.host for report in found] == ["127.0.0.1"] * 3


# --- host_of_frame, host_of_url -------------------------------------------------------------------


def asked(source: str, module: str = "litellm.llms.x") -> str:
    """Return the host that is read off a function of litellm's with this body."""
    lines = "".join(f"    {line}\n" for line in source.splitlines())
    scope: dict[str, Any] = {
        "__name__": module,
        "host": lambda: host_of_frame(sys._getframe(1)),
        "httpx": httpx,
        "partial": partial,
    }
    exec(f"def function():\n{lines}", scope)
    return str(scope["function"]())


@pytest.mark.parametrize(
    ("source", "host"),
    [
        ("api_base = 'https://a.test/v1'\nreturn host()", "a.test"),
        ("url = httpx.URL('https://münchen.test:99')\nreturn host()", "xn--mnchen-3ya.test"),
        ("api_base = 'https://a.test'\nrequest_url = 'https://b.test'\nreturn host()", "b.test"),
        (
            "endpoint_url = 'https://a.test'\nproxy_endpoint_url = 'https://b.test'\nreturn host()",
            "b.test",
        ),
        ("api_base = 'https://a.test'\ndef inner(): return host()\nreturn inner()", "a.test"),
        ("api_base = None\nurl = 7\nreturn host()", ""),
        ("api_base = 'a.test/v1'\nreturn host()", ""),
        ("api_base = 'https://a.test:port'\nreturn host()", ""),
        ("other = 'https://a.test'\nreturn host()", ""),
        ("post = partial(print, api_base='https://a.test')\nreturn host()", "a.test"),
        ("post = partial(print, 'https://a.test')\nreturn host()", ""),
    ],
)
def test_the_host_of_a_function(source: str, host: str) -> None:
    """By the names that litellm has for addresses, innermost first."""
    assert asked(source) == host


def test_only_litellms_functions_are_asked() -> None:
    """What an application calls api_base is its own."""
    source = "api_base = 'https://a.test'\nreturn host()"
    assert asked(source, "app.litellm.llms") == asked(source, "litellmx") == ""


def test_functions_far_above_are_not_asked() -> None:
    """Those are of another request."""
    source = (
        "api_base = 'https://a.test'\n"
        "def down(n): return down(n - 1) if n else host()\n"
        "return down({})"
    )
    assert (asked(source.format(5)), asked(source.format(20))) == ("a.test", "")


def test_the_host_of_an_address() -> None:
    """Without its path, its query, and whatever else stands there."""
    assert host_of_url("https://A.test:1/b?key=https://c.test/") == "a.test"
    assert host_of_url("https://user:secret@a.test/b") == "a.test"
    assert host_of_url("/relative") == host_of_url(None) == ""


def test_json_of_a_part_is_told_without_a_host(installed: Any) -> None:
    """Where no function knows one, no door behind may follow."""
    scope: dict[str, Any] = {"__name__": "litellm.llms.x.y", "json": json}
    with body_guard.collect() as reports:
        exec("text = json.dumps({'_sentry_x': 1})", scope)
    assert [(report.host, len(report.findings)) for report in reports] == [("", 1)]
