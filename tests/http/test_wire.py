"""What arrives on a real socket, and beside the libraries that people have in the same process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anyio
import httpx
import openai
import pytest
import respx
import sentry_sdk
import sentry_sdk.transport

import body_guard
from body_guard.cli.provider import Provider

from doors import Family

DIRTY = b'{"model": "m", "_sentry_span": {"op": "x"}, "n": 1.10}'
CLEANED = b'{"model": "m", "n": 1.10}'
MESSAGES: Any = [{"role": "user", "content": "hi"}]


@pytest.fixture
def envelopes() -> Iterator[list[Any]]:
    """Return what a real sentry_sdk would have sent."""
    kept: list[Any] = []

    class Keeping(sentry_sdk.transport.Transport):
        def capture_envelope(self, envelope: Any) -> None:
            kept.append(envelope)

    sentry_sdk.init(dsn="http://k@127.0.0.1:9/1", transport=Keeping, traces_sample_rate=1.0)
    with sentry_sdk.isolation_scope() as scope:
        scope.clear()  # of what other tests left
        yield kept
    sentry_sdk.get_global_scope().set_client(None)  # an init() would go on adding headers


def local(**options: Any) -> dict[str, Any]:
    return {"trust_env": False, **options}


@pytest.mark.parametrize("http_client", ["client", "transport"])
def test_the_bytes_on_the_socket(family: Family, loopback: Provider, http_client: str) -> None:
    """A real HTTP/1.1 connection carries the cleaned body and its right length, sync."""
    if http_client == "client":
        client: Any = family.guarded.GuardedClient(**local())
    else:
        client = family.library.Client(
            transport=family.guarded.GuardedTransport(family.library.HTTPTransport())
        )
    with client:
        assert client.post(loopback.url, content=DIRTY).status_code == 200
        assert client.post(loopback.url, content=CLEANED).status_code == 200
    assert [received.body for received in loopback.received] == [CLEANED, CLEANED]
    assert [r.headers["content-length"] for r in loopback.received] == ["25", "25"]


@pytest.mark.parametrize("http_client", ["client", "transport"])
def test_the_bytes_on_the_socket_async(
    family: Family, loopback: Provider, http_client: str
) -> None:
    """The same, async."""

    async def run() -> None:
        if http_client == "client":
            client: Any = family.guarded.GuardedAsyncClient(**local())
        else:
            inside = family.library.AsyncHTTPTransport()
            client = family.library.AsyncClient(
                transport=family.guarded.GuardedAsyncTransport(inside)
            )
        async with client:
            await client.post(loopback.url, content=DIRTY)

    anyio.run(run)
    assert [received.body for received in loopback.received] == [CLEANED]


def test_the_seeds_crash_and_its_cure(
    family: Family, loopback: Provider, envelopes: list[Any]
) -> None:
    """A live Span kills the plain request and leaves the guarded one; the span ends as it would."""
    with sentry_sdk.start_transaction(name="t"), sentry_sdk.start_span(op="gen_ai.chat") as span:
        body = {"model": "m", "metadata": {"user_id": "u1", "_sentry_span": span}}
        with (
            family.library.Client(**local()) as plain,
            pytest.raises(TypeError, match="Span is not JSON"),
        ):
            plain.post(loopback.url, json=body)
        assert loopback.received == []
        with family.guarded.GuardedClient(**local()) as guarded:
            response = guarded.post(loopback.url, json=body)
    assert json.loads(loopback.received[0].body) == {"model": "m", "metadata": {"user_id": "u1"}}
    (found,) = response.request.extensions["body_guard"].findings
    assert (found.path, found.rule) == ("/metadata/_sentry_span", "sentry")
    assert found.type.startswith("sentry_sdk.")
    assert body["metadata"]["_sentry_span"] is span  # type: ignore[index]
    assert any(item.type == "transaction" for envelope in envelopes for item in envelope.items)


def test_sentrys_own_patch_composes(
    family: Family, loopback: Provider, envelopes: list[Any]
) -> None:
    """sentry-sdk patches Client.send on the class; a guarded client's requests still make spans."""
    with sentry_sdk.start_transaction(name="t"), family.guarded.GuardedClient(**local()) as client:
        client.post(loopback.url, content=DIRTY)
    assert loopback.received[0].body == CLEANED
    assert "sentry-trace" in loopback.received[0].headers
    transactions = [
        item.payload.json
        for envelope in envelopes
        for item in envelope.items
        if item.type == "transaction"
    ]
    spans = [span["op"] for transaction in transactions for span in transaction["spans"]]
    # Where httpx is httpx2, sentry-sdk patches it by either name.
    assert spans == ["http.client"] * (2 if httpx.__name__ == "httpx2" else 1)


def test_the_warning_becomes_one_breadcrumb_without_the_value(
    family: Family, loopback: Provider, envelopes: list[Any]
) -> None:
    """Sentry's logging integration makes a breadcrumb of our warning, by itself."""
    with family.guarded.GuardedClient(**local()) as client:
        client.post(loopback.url, json={"_sentry_x": "SECRET"})
    sentry_sdk.capture_message("now")
    (event,) = [e.get_event() for e in envelopes if e.get_event() is not None]
    ours = [c for c in event["breadcrumbs"]["values"] if c.get("category") == "body_guard"]
    assert len(ours) == 1
    assert "/_sentry_x" in ours[0]["message"]
    assert "SECRET" not in json.dumps(event, default=str)


@pytest.mark.skipif(httpx.__name__ == "httpx2", reason="respx does not see httpx2")
def test_respx_sees_the_cleaned_body() -> None:
    """Respx mocks below the guard, as it does below httpx."""
    with respx.mock:
        route = respx.post("https://api.example.com/v1").respond(200)
        with body_guard.GuardedClient() as client:
            client.post("https://api.example.com/v1", content=DIRTY)
    assert route.calls.last.request.content == CLEANED


def test_the_openai_sdk_over_a_guarded_client(family: Family, loopback: Provider) -> None:
    """The SDK takes a GuardedClient, and the bytes it serialized itself are cut."""
    with openai.OpenAI(
        api_key="k", base_url=loopback.url, http_client=family.guarded.GuardedClient(**local())
    ) as client:
        completion = client.chat.completions.create(
            model="m", messages=MESSAGES, extra_body={"_sentry_trace": "s", "metadata": {"a": "b"}}
        )
    assert completion.choices[0].message.content == "Hello."
    assert json.loads(loopback.received[0].body) == {
        "model": "m",
        "messages": MESSAGES,
        "metadata": {"a": "b"},
    }


def test_a_refusal_reaches_the_sdks_caller_as_itself(family: Family, loopback: Provider) -> None:
    """What build_request raises is not retried and not wrapped."""
    policy = body_guard.Policy(rules=(body_guard.Rule("no", keys=("model",), action="reject"),))
    client = openai.OpenAI(
        api_key="k",
        base_url=loopback.url,
        http_client=family.guarded.GuardedClient(**local(), policy=policy),
    )
    with pytest.raises(body_guard.BodyRejectedError, match=r"/model \(rule no"):
        client.chat.completions.create(model="m", messages=MESSAGES)
    assert loopback.received == []


def test_the_async_openai_sdk(family: Family, loopback: Provider) -> None:
    """The same through the async SDK."""

    async def run() -> None:
        guarded = family.guarded.GuardedAsyncClient(**local())
        client = openai.AsyncOpenAI(api_key="k", base_url=loopback.url, http_client=guarded)
        await client.chat.completions.create(
            model="m", messages=MESSAGES, extra_body={"_sentry_trace": "s"}
        )
        await client.close()

    anyio.run(run)
    assert b"_sentry_" not in loopback.received[0].body
