"""aiohttp: its sessions' own encoders, and what stands on it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any

import aiohttp
import httpx
import pytest
from litellm.llms.custom_httpx.aiohttp_transport import LiteLLMAiohttpTransport

import body_guard
from body_guard import Policy, Rule
from body_guard.cli.provider import Provider

DIRTY = b'{"a": 1.10, "_sentry_x": {}}'
LEFT = b'{"a": 1.10}'
TYPED = {"Content-Type": "application/json"}
POLICY = Policy((Rule("model", keys=("model",)), *Policy().rules))


@pytest.fixture(autouse=True)
def reports() -> Iterator[list[body_guard.Report]]:
    body_guard.install(libraries=("aiohttp",))
    with body_guard.collect() as collected:
        yield collected
    body_guard.uninstall()


def use(act: Callable[[aiohttp.ClientSession], Awaitable[Any]], **options: Any) -> None:
    """Let a session act."""

    async def run() -> None:
        async with aiohttp.ClientSession(**options) as session:
            await act(session)

    asyncio.run(run())


def in_bytes(value: Any) -> bytes:
    return json.dumps(value, default=str).encode()


async def post(session: aiohttp.ClientSession, url: str, **what: Any) -> None:
    """Post, and wait for the end of the answer."""
    async with session.post(url, **what) as response:
        await response.read()


ENCODERS = {
    "text": {"json_serialize": partial(json.dumps, default=str)},
    "bytes": {"json_serialize_bytes": in_bytes},
}


@pytest.mark.parametrize("options", ENCODERS.values(), ids=ENCODERS)
def test_an_encoder_of_ones_own(loopback: Provider, options: dict[str, Any]) -> None:
    """What it can write stays as it writes it; a forbidden key goes."""
    when = datetime(2026, 1, 2)

    async def act(session: aiohttp.ClientSession) -> None:
        await post(session, loopback.url, json={"at": when})
        await post(session, loopback.url, json={"at": when, "_sentry_x": 1})

    use(act, **options)
    assert [received.body for received in loopback.received] == [
        b'{"at": "2026-01-02 00:00:00"}'
    ] * 2
    assert {received.headers["Content-Type"] for received in loopback.received} == {
        "application/json"
    }


def failing(value: Any, **_: Any) -> str:
    raise TypeError("mine")


def test_an_encoder_that_fails(reports: list[body_guard.Report]) -> None:
    """Its error comes through, and there is nothing to report."""
    with pytest.raises(TypeError, match="mine"):
        use(lambda session: post(session, "http://x.test", json={}), json_serialize=failing)
    assert reports == []


def test_an_encoder_that_writes_nothing(loopback: Provider) -> None:
    """There is nothing to judge."""
    use(lambda session: post(session, loopback.url, json={}), json_serialize=lambda _: "")
    assert loopback.received[0].body == b""


def test_the_headers_of_a_session(loopback: Provider) -> None:
    """They tell what a body is, as a request's own do, and a digest among those follows."""

    async def act(session: aiohttp.ClientSession) -> None:
        await post(session, "/v1", data=DIRTY)
        await post(session, "/v1", data=DIRTY, headers={"Content-Digest": "sha-256=:x:"})

    use(act, base_url=loopback.url, headers=TYPED)
    assert [received.body for received in loopback.received] == [LEFT, LEFT]
    assert loopback.received[1].headers["Content-Digest"] == (
        "sha-256=:Srol3rqKasW9GCmsAyo01D7XblqKEpnenEVv+iRl8hc=:"
    )


def test_forms_pass(loopback: Provider, reports: list[body_guard.Report]) -> None:
    """They are not read, and reported as that."""
    form = aiohttp.FormData()
    form.add_field("_sentry_x", "1")

    async def act(session: aiohttp.ClientSession) -> None:
        await post(session, loopback.url, data=form)
        await post(session, loopback.url, data={"_sentry_x": "1"})
        await post(session, loopback.url, data=[])

    use(act)
    assert [received.body for received in loopback.received] == [
        b"_sentry_x=1",
        b"_sentry_x=1",
        b"",
    ]
    assert [report.why_not_judged for report in reports] == ["form", "form"]


def test_the_librarys_own_errors(loopback: Provider) -> None:
    """An address that is none, and both ways to give a body."""

    async def act(session: aiohttp.ClientSession) -> None:
        with pytest.raises(aiohttp.InvalidURL):
            await post(session, "http://[::1", data=DIRTY)
        with pytest.raises(ValueError, match="at the same time"):
            await post(session, loopback.url, data=DIRTY, json={})

    use(act)
    assert loopback.received == []


def test_a_guarded_httpx_client_above(loopback: Provider, reports: list[body_guard.Report]) -> None:
    """What it has judged is not judged again, by another policy either, nor reported."""
    body_guard.install(POLICY, libraries=("aiohttp",))

    async def act(session: aiohttp.ClientSession) -> None:
        transport = LiteLLMAiohttpTransport(client=lambda: session)
        async with body_guard.GuardedAsyncClient(transport=transport) as client:
            await client.post(loopback.url, json={"model": "m", "_sentry_x": 1})

            async def stream() -> Any:
                yield DIRTY

            await client.post(loopback.url, content=stream())
            # An SDK's hook that asks aiohttp for something else is judged.
            client.event_hooks["request"].append(ask)
            await client.post(loopback.url, json={"model": "m"})

    async def ask(request: httpx.Request) -> None:
        async with aiohttp.ClientSession() as own:
            await post(own, loopback.url, json={"model": "x", "b": 1})
            await post(own, loopback.url, data=b'{"model": "x"}', headers=TYPED)

    use(act)
    assert [received.body for received in loopback.received] == [
        b'{"model":"m"}',
        DIRTY,
        b'{"b": 1}',
        b"{}",
        b'{"model":"m"}',
    ]
    assert [(report.judged, report.changed) for report in reports] == [
        (True, True),
        (False, False),
        (True, False),
        (True, True),
        (True, True),
    ]


def test_a_request_that_auth_makes(loopback: Provider, reports: list[body_guard.Report]) -> None:
    """The body of each request that a guarded client sends is known to be judged."""

    class Auth(httpx.Auth):
        def auth_flow(self, request: httpx.Request) -> Any:
            yield httpx.Request("POST", f"{loopback.url}/token", content=b'{"grant": 1}')
            yield request

    async def act(session: aiohttp.ClientSession) -> None:
        transport = LiteLLMAiohttpTransport(client=lambda: session)
        async with body_guard.GuardedAsyncClient(transport=transport, auth=Auth()) as client:
            await client.post(loopback.url, content=DIRTY)

    use(act)
    assert [received.body for received in loopback.received] == [b'{"grant": 1}', LEFT]
    assert [report.changed for report in reports] == [True, False]
