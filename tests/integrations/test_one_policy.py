"""One policy serves every door: the library's, the SDKs', litellm's and the proxy's."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler, HTTPHandler

import body_guard
from body_guard import Policy
from body_guard.integrations import litellm as integration

from llm_calls import MESSAGES, call_named
from llm_fixtures import *  # noqa: F403 - pytest finds fixtures by name in the module
from llm_provider import LLMProvider

pytestmark = LITELLM_WARNINGS  # noqa: F405

FILE = """
presets = ["sentry"]

[[rules]]
name = "ours"
keys = ["_trace"]
scope = ["**/metadata/**"]

[[rules]]
name = "masked"
keys = ["secret_id"]
action = "replace"
replacement = "x"

[[rules]]
name = "watched"
prefixes = ["_note"]
action = "report"
"""
EXTRA: dict[str, Any] = {
    "_sentry_x": "s",
    "metadata": {"user_id": "u1", "_trace": "t"},
    "_trace": "stays",
    "secret_id": "s",
    "_note": "n",
}
LEFT = {
    "metadata": {"user_id": "u1"},
    "_trace": "stays",
    "secret_id": "x",
    "_note": "n",
}
FOUND = {
    ("/_sentry_x", "sentry", "remove"),
    ("/metadata/_trace", "ours", "remove"),
    ("/secret_id", "masked", "replace"),
    ("/_note", "watched", "report"),
}

Door = Callable[[str, Path, Any], None]


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    return tmp_path / "policy.toml"


def _client(url: str, file: Path, loop: Any) -> None:
    with body_guard.GuardedClient(policy=Policy.load(file)) as client:
        client.post(f"{url}/v1/chat/completions", json=EXTRA)


def _bytes(url: str, file: Path, loop: Any) -> None:
    with body_guard.GuardedClient(policy=Policy.load(file)) as client:
        client.post(f"{url}/v1/chat/completions", content=json.dumps(EXTRA))


def _transport(url: str, file: Path, loop: Any) -> None:
    inside = body_guard.GuardedTransport(httpx.HTTPTransport(), policy=Policy.load(file))
    with httpx.Client(transport=inside) as client:
        client.post(f"{url}/v1/chat/completions", json=EXTRA)


def _guard(url: str, file: Path, loop: Any) -> None:
    with body_guard.guard(httpx.Client(), Policy.load(file)) as client:
        client.post(f"{url}/v1/chat/completions", json=EXTRA)


def _async_client(url: str, file: Path, loop: Any) -> None:
    async def run() -> None:
        async with body_guard.GuardedAsyncClient(policy=Policy.load(file)) as client:
            await client.post(f"{url}/v1/chat/completions", json=EXTRA)

    loop.run_until_complete(run())


def _installed(url: str, file: Path, loop: Any) -> None:
    body_guard.install(Policy.load(file))
    try:
        httpx.post(f"{url}/v1/chat/completions", json=EXTRA)
    finally:
        body_guard.uninstall()


def _sdk(url: str, file: Path, loop: Any) -> None:
    with body_guard.guard(openai.OpenAI(api_key="k", base_url=f"{url}/v1"), Policy.load(file)) as c:
        c.chat.completions.create(model="m", messages=MESSAGES, extra_body=EXTRA)  # type: ignore[arg-type]


def _sdk_installed(url: str, file: Path, loop: Any) -> None:
    integration.install(Policy.load(file))
    with openai.OpenAI(api_key="k", base_url=f"{url}/v1") as client:
        client.chat.completions.create(model="m", messages=MESSAGES, extra_body=EXTRA)  # type: ignore[arg-type]


def _both(url: str, file: Path, loop: Any) -> None:
    integration.install(Policy.load(file))
    _sdk(url, file, loop)


def _beneath(url: str, file: Path, loop: Any) -> None:
    """As what litellm's users set as its ``client_session``."""
    integration.install(Policy.load(file))
    http = body_guard.GuardedClient(policy=Policy.load(file))
    with openai.OpenAI(api_key="k", base_url=f"{url}/v1", http_client=http) as client:
        client.chat.completions.create(model="m", messages=MESSAGES, extra_body=EXTRA)  # type: ignore[arg-type]


def _litellm(name: str, form: str) -> Door:
    def call(url: str, file: Path, loop: Any) -> None:
        integration.install(Policy.load(file))
        row = call_named(name)
        row.run(form, loop, {**row.arguments(url), "extra_body": EXTRA})

    return call


def _handler(url: str, file: Path, loop: Any) -> None:
    integration.install(Policy.load(file))
    HTTPHandler().post(f"{url}/v1/chat/completions", json=EXTRA)


def _async_handler(url: str, file: Path, loop: Any) -> None:
    integration.install(Policy.load(file))

    async def run() -> None:
        handler = AsyncHTTPHandler()
        await handler.post(url=f"{url}/v1/chat/completions", json=EXTRA)
        await handler.close()

    loop.run_until_complete(run())


def _proxy(url: str, file: Path, loop: Any) -> None:
    """Do as a worker of the proxy does: import what ``callbacks`` names, then send."""
    sys.modules.pop("body_guard.gateway.litellm_proxy", None)
    importlib.import_module("body_guard.gateway.litellm_proxy")
    row = call_named("vllm")
    row.run("sync", loop, {**row.arguments(url), "extra_body": EXTRA})


#: Every door.
DOORS: dict[str, Door] = {
    "GuardedClient": _client,
    "GuardedClient, bytes": _bytes,
    "GuardedAsyncClient": _async_client,
    "GuardedTransport": _transport,
    "guard(httpx.Client())": _guard,
    "body_guard.install()": _installed,
    "guard(openai.OpenAI())": _sdk,
    "litellm.install(), openai": _sdk_installed,
    "litellm.install(), guard(openai.OpenAI())": _both,
    "litellm.install(), openai over a GuardedClient": _beneath,
    "litellm, openai": _litellm("openai", "sync"),
    "litellm, openai, async": _litellm("openai", "async"),
    "litellm, vllm": _litellm("vllm", "sync"),
    "litellm, vllm, async": _litellm("vllm", "async"),
    "litellm, anthropic": _litellm("anthropic", "sync"),
    "litellm, gemini": _litellm("gemini", "sync"),
    "litellm, HTTPHandler": _handler,
    "litellm, AsyncHTTPHandler": _async_handler,
    "litellm, aiohttp": _litellm("aiohttp", "async"),
    "litellm proxy": _proxy,
}
doors = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)


@pytest.fixture
def send(
    provider: LLMProvider,
    loop: asyncio.AbstractEventLoop,
    policy_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[Door, str], tuple[dict[str, Any], Counter[Any], list[Any]]]]:
    """Send `EXTRA` through a door; give what arrived of it, what was found, and the reports."""
    monkeypatch.setenv("BODY_GUARD_POLICY", str(policy_file))

    def through(door: Door, text: str) -> tuple[dict[str, Any], Counter[Any], list[Any]]:
        policy_file.write_text(text, encoding="utf-8")
        with body_guard.collect() as reports:
            door(provider.url, policy_file, loop)
        body = json.loads(provider.bodies[-1])
        body = body.get("extra_body", body)  # not every path of litellm merges it into the body
        arrived = {name: body[name] for name in EXTRA if name in body}
        findings = [finding for report in reports for finding in report.findings]
        found = Counter((f.path.removeprefix("/extra_body"), f.rule, f.action) for f in findings)
        return arrived, found, reports

    yield through
    sys.modules.pop("body_guard.gateway.litellm_proxy", None)


@doors
def test_what_one_policy_does_at_every_door(send: Any, door: Door) -> None:
    """The same members stay, the same findings are told, each once."""
    arrived, found, _ = send(door, FILE)
    assert arrived == LEFT
    assert found == Counter(FOUND)


@doors
def test_an_audit_changes_nothing_at_any_door(send: Any, door: Door) -> None:
    """All arrives, and the same is told, each once, of what would have been done."""
    arrived, found, reports = send(door, f'mode = "audit"\n{FILE}')
    assert arrived == EXTRA
    assert found == Counter(FOUND)
    assert {report.mode for report in reports} == {"audit"}
    assert not any(report.changed for report in reports)


@doors
def test_a_destination_has_its_own_policy(send: Any, door: Door) -> None:
    """And it alone: the default judges nothing that goes there."""
    arrived, found, _ = send(door, f'{FILE}\n[hosts."127.0.0.1"]\nrules = []')
    assert arrived == EXTRA
    assert found == Counter()


@doors
def test_the_default_is_for_the_others(send: Any, door: Door) -> None:
    """A policy for another host is not asked."""
    arrived, found, _ = send(door, f"{FILE}\n[hosts.'*.127.test']\nrules = []")
    assert arrived == LEFT
    assert found == Counter(FOUND)


@doors
def test_a_policy_for_the_destination_alone(send: Any, door: Door) -> None:
    """The default takes nothing, and what must not reach this host does not."""
    host = FILE.replace("[[rules]]", '[[hosts."127.0.0.1".rules]]').replace(
        'presets = ["sentry"]', 'rules = []\n[hosts."127.0.0.1"]\npresets = ["sentry"]'
    )
    arrived, found, _ = send(door, host)
    assert arrived == LEFT
    assert found == Counter(FOUND)
