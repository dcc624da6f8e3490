"""The public names as a user writes them; checked by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import httpx2
from typing_extensions import assert_type

import body_guard
import body_guard.httpx2
from body_guard import (
    BodyError,
    BodyGuardError,
    BodyLimitError,
    BodyRejectedError,
    Finding,
    GuardedAsyncClient,
    GuardedAsyncTransport,
    GuardedClient,
    GuardedTransport,
    GuardError,
    Policy,
    PolicyError,
    Report,
    Rule,
    Sanitizer,
    SignedBodyError,
    collect,
    guard,
    presets,
    sanitize,
    sanitize_bytes,
    unguard,
)

errors: list[type[BodyGuardError]] = [
    BodyError,
    BodyLimitError,
    BodyRejectedError,
    GuardError,
    PolicyError,
    SignedBodyError,
]


def told(report: Report) -> None:
    """Be told of a report."""
    for finding in report.findings:
        assert_type(finding, Finding)
        assert_type(finding.path, str)


policy = Policy(
    rules=(Rule("mine", keys=("secret",), action="reject"), *presets("sentry", "litellm")),
    unserializable="reject",
    convert=body_guard.convert.jsonable,
    on_error="block",
    on_report=(told,),
    max_bytes=1_000_000,
    on_limit="send",
    buffer=65_536,
    look_into=("form", "multipart", "compressed"),
    schema="anthropic",
    schema_action="remove",
    stringified="report",
    mode="audit",
    hosts={"*.x.test": Policy(on_report=told)},
)
assert_type(policy.for_host("a.x.test"), Policy)
assert_type(Policy.load("policy.toml"), Policy)

client: httpx.Client = GuardedClient(
    policy=policy, base_url="https://x.test", timeout=10, follow_redirects=True
)
response = GuardedClient().post("https://x.test", json={"a": 1}, headers={"b": "c"})
assert_type(response, httpx.Response)
assert_type(GuardedClient().build_request("POST", "https://x.test"), httpx.Request)
assert_type(GuardedClient().send(response.request, stream=True), httpx.Response)

with GuardedClient(transport=GuardedTransport(httpx.HTTPTransport(), policy=policy)) as inside:
    assert_type(inside, GuardedClient)


async def asynchronous() -> None:
    """Use the async twins."""
    transport = GuardedAsyncTransport(httpx.AsyncHTTPTransport())
    assert_type(transport.transport, httpx.AsyncBaseTransport)
    async with GuardedAsyncClient(transport=transport, policy=policy, http2=True) as client:
        assert_type(await client.post("https://x.test", json=[1]), httpx.Response)
        assert_type(await client.send(client.build_request("GET", "/")), httpx.Response)


client2: httpx2.Client = body_guard.httpx2.GuardedClient(policy=policy, timeout=10)
response2 = body_guard.httpx2.GuardedClient().query("https://x.test", json={"a": 1})
assert_type(response2, httpx2.Response)
assert_type(client2.build_request("QUERY", "https://x.test"), httpx2.Request)

with body_guard.httpx2.GuardedClient(
    transport=body_guard.httpx2.GuardedTransport(httpx2.HTTPTransport(), policy=policy)
) as inside2:
    assert_type(inside2, body_guard.httpx2.GuardedClient)


async def asynchronous2() -> None:
    """Use httpx2's async twins."""
    transport = body_guard.httpx2.GuardedAsyncTransport(httpx2.AsyncHTTPTransport())
    assert_type(transport.transport, httpx2.AsyncBaseTransport)
    async with body_guard.httpx2.GuardedAsyncClient(transport=transport, http2=True) as client:
        assert_type(await client.post("https://x.test", json=[1]), httpx2.Response)
        assert_type(await client.send(client.build_request("GET", "/")), httpx2.Response)


body_guard.install(policy)
body_guard.uninstall()
for door in body_guard.coverage().doors:
    assert_type((door.name, door.hooked, door.why), "tuple[str, bool, str]")

assert_type(guard(httpx2.Client(), policy), httpx2.Client)
assert_type(guard(httpx.Client(), policy), httpx.Client)
assert_type(unguard(guard(httpx.AsyncClient())), httpx.AsyncClient)
assert_type(presets("sentry"), "tuple[Rule, ...]")
assert_type(sanitize({"a": 1}), "tuple[object, Report]")
assert_type(sanitize_bytes(b"{}", "application/json", policy), "tuple[bytes, Report]")
assert_type(Sanitizer(policy).encode({}), "tuple[bytes, Report]")

with collect() as reports:
    assert_type(reports, "list[Report]")

with body_guard.record("outbound.jsonl", values=True, max_bytes=10**6, backups=2) as recorder:
    assert_type(recorder.path, str)
body_guard.record(Path("outbound.jsonl")).start()

convert: Callable[[Any], object] = body_guard.convert.jsonable

GuardedClient(verfy=False)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
GuardedClient(timeout="soon")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Policy(schema="gemini")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Policy(unserializable="keep")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
GuardedTransport(httpx.AsyncHTTPTransport())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
body_guard.httpx2.GuardedClient(verfy=False)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
body_guard.httpx2.GuardedTransport(httpx.HTTPTransport())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
