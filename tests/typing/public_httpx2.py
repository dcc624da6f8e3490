"""The classes for httpx2 as a user writes them; checked by mypy and pyright, never run."""

from __future__ import annotations

import httpx
import httpx2
from typing_extensions import assert_type

from body_guard import Policy, guard
from body_guard.httpx2 import (
    GuardedAsyncClient,
    GuardedAsyncTransport,
    GuardedClient,
    GuardedTransport,
)

client: httpx2.Client = GuardedClient(policy=Policy(), base_url="https://x.test", timeout=10)
response = GuardedClient().query("https://x.test", json={"a": 1}, headers={"b": "c"})
assert_type(response, httpx2.Response)
assert_type(GuardedClient().build_request("POST", "https://x.test"), httpx2.Request)
assert_type(guard(httpx2.Client(), Policy()), httpx2.Client)

with GuardedClient(transport=GuardedTransport(httpx2.HTTPTransport(), policy=Policy())) as inside:
    assert_type(inside, GuardedClient)


async def asynchronous() -> None:
    """Use the async twins."""
    transport = GuardedAsyncTransport(httpx2.AsyncHTTPTransport())
    assert_type(transport.transport, httpx2.AsyncBaseTransport)
    async with GuardedAsyncClient(transport=transport, policy=Policy(), http2=True) as client:
        assert_type(await client.post("https://x.test", json=[1]), httpx2.Response)


GuardedClient(verfy=False)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
GuardedTransport(httpx.HTTPTransport())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
