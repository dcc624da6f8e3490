"""Real clients that do not use httpx, or go around its clients, by what a loopback server receives.

Runs in the cells that ``cells.py`` makes, each with its own releases.
"""

from __future__ import annotations

import asyncio
import datetime
import gzip
import json
import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

if os.environ.get("BODY_GUARD_MATRIX") != "1":
    pytest.skip("runs in the cells of tests/matrix/cells.py", allow_module_level=True)

import aiohttp
import azure.ai.inference
import azure.ai.inference.aio
import boto3
import botocore.exceptions
import google.genai
import langsmith
import pinecone
import requests
import sentry_sdk
import sentry_sdk.transport
import stripe
import urllib3
import voyageai
from azure.core.credentials import AzureKeyCredential
from botocore.config import Config
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import body_guard
from body_guard.cli.provider import Provider, Received, provider

WHEN = datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)
ID = uuid.UUID(int=1)


class Span:
    """A live object."""


@pytest.fixture
def server() -> Iterator[Provider]:
    with provider() as listening:
        yield listening


@pytest.fixture(autouse=True)
def uninstalled() -> Iterator[None]:
    yield
    body_guard.uninstall()


# A row for each way to send: given the server's URL and members of a dict, it sends that dict.


def langsmith_run(url: str, extra: dict[str, Any]) -> None:
    client = langsmith.Client(api_url=url, api_key="k", auto_batch_tracing=False)
    client.create_run("n", {"a": 1, **extra}, "llm", id=ID, start_time=WHEN, project_name="p")


def langsmith_batch(url: str, extra: dict[str, Any]) -> None:
    client = langsmith.Client(api_url=url, api_key="k", auto_batch_tracing=False, info={})
    run = {"id": ID, "trace_id": ID, "dotted_order": "x", "name": "n", "run_type": "llm"}
    client.batch_ingest_runs(create=[{**run, "inputs": {"a": 1, **extra}, "start_time": WHEN}])


def bedrock(place: str) -> Callable[[str, dict[str, Any]], None]:
    def send(url: str, extra: dict[str, Any]) -> None:
        client = boto3.client(
            "bedrock-runtime",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="k",
            aws_secret_access_key="s",  # noqa: S106
            config=Config(retries={"max_attempts": 1}),
        )
        params: dict[str, Any] = {
            "messages": {"messages": [{"role": "user", "content": [{"text": "hi"}], **extra}]},
            "toolConfig": {
                "toolConfig": {
                    "tools": [
                        {"toolSpec": {"name": "t", "inputSchema": {"json": {"a": 1, **extra}}}}
                    ]
                }
            },
            "additionalModelRequestFields": {"additionalModelRequestFields": {"a": 1, **extra}},
        }[place]
        hi = [{"role": "user", "content": [{"text": "hi"}]}]
        client.converse(**{"modelId": "m", "messages": hi, **params})

    return send


def azure_sync(url: str, extra: dict[str, Any]) -> None:
    key = AzureKeyCredential("k")
    with azure.ai.inference.ChatCompletionsClient(url, key) as client:
        client.complete(
            messages=[{"role": "user", "content": "hi"}], model_extras={"a": 1, **extra}
        )


def azure_async(url: str, extra: dict[str, Any]) -> None:
    async def send() -> None:
        key = AzureKeyCredential("k")
        async with azure.ai.inference.aio.ChatCompletionsClient(url, key) as client:
            await client.complete(
                messages=[{"role": "user", "content": "hi"}], model_extras={"a": 1, **extra}
            )

    asyncio.run(send())


def voyage_sync(url: str, extra: dict[str, Any]) -> None:
    voyageai.Embedding.create(input=["x"], model="m", api_key="k", base_url=url, **extra)


def voyage_async(url: str, extra: dict[str, Any]) -> None:
    asyncio.run(
        voyageai.Embedding.acreate(input=["x"], model="m", api_key="k", base_url=url, **extra)
    )


def stripe_v2(url: str, extra: dict[str, Any]) -> None:
    client = stripe.StripeClient("sk_test_x", base_addresses={"api": url}, max_network_retries=0)
    client.raw_request("post", "/v2/core/x", metadata={"a": "1", **extra})


def genai_async(url: str, extra: dict[str, Any]) -> None:
    async def send() -> None:
        client = google.genai.Client(api_key="k", http_options={"base_url": url})
        options: Any = {"http_options": {"extra_body": {"labels": {"a": "1", **extra}}}}
        await client.aio.models.generate_content(model="m", contents="hi", config=options)
        await client.aio.aclose()

    asyncio.run(send())


def pinecone_sync(url: str, extra: dict[str, Any]) -> None:
    index = pinecone.Pinecone(api_key="k").Index(host=url)
    index.upsert(vectors=[{"id": "1", "values": [0.1], "metadata": {"a": "1", **extra}}])


CLIENTS: dict[str, Callable[[str, dict[str, Any]], None]] = {
    "langsmith, a run": langsmith_run,
    "langsmith, a batch": langsmith_batch,
    "boto3, messages": bedrock("messages"),
    "boto3, toolConfig": bedrock("toolConfig"),
    "boto3, additionalModelRequestFields": bedrock("additionalModelRequestFields"),
    "azure-ai-inference": azure_sync,
    "azure-ai-inference, async": azure_async,
    "voyageai": voyage_sync,
    "voyageai, async": voyage_async,
    "stripe": stripe_v2,
    "google-genai, async": genai_async,
    "pinecone": pinecone_sync,
}
REFUSES = ["boto3, messages"]  # a structure takes no member that its shape does not know
OBJECTS = [name for name in CLIENTS if name.startswith("boto3")]


def send(server: Provider, name: str, extra: dict[str, Any]) -> Received:
    """Send by a client; return what arrived, whatever it makes of the answer."""
    server.received.clear()
    error: Exception | None = None
    try:
        CLIENTS[name](server.url, extra)
    except Exception as raised:  # the answer is none of its service's
        error = raised
    posted = [received for received in server.received if received.body]
    if len(posted) != 1:
        raise AssertionError(f"{len(posted)} bodies arrived") from error
    return posted[0]


def heads(received: Received) -> list[tuple[str, str]]:
    fleeting = {"authorization", "x-amz-date", "amz-sdk-invocation-id", "idempotency-key"}
    fleeting |= {"x-ms-client-request-id", "x-request-id", "x-stripe-client-telemetry"}
    return [(n, v) for n, v in received.headers.items() if n.lower() not in fleeting]


@pytest.mark.parametrize("name", CLIENTS)
def test_a_text_key(server: Provider, name: str) -> None:
    """It is on the wire without the guard, and not with it; what is left arrives as clean."""
    key = {"_sentry_x": "secret"}
    if name in REFUSES:
        with pytest.raises(AssertionError, match="0 bodies") as raised:
            send(server, name, key)
        assert type(raised.value.__cause__) is botocore.exceptions.ParamValidationError
    else:
        assert b"_sentry_x" in send(server, name, key).body
    clean = send(server, name, {})
    body_guard.install(libraries="all")
    with body_guard.collect() as reports:
        guarded = send(server, name, key)
    assert json.loads(guarded.body) == json.loads(clean.body)
    assert [report.changed for report in reports].count(True) == 1
    assert len([report for report in reports if report.findings]) == 1


@pytest.mark.parametrize("name", CLIENTS)
def test_a_clean_body(server: Provider, name: str) -> None:
    """Body and headers are those of the unguarded client."""
    plain = send(server, name, {})
    body_guard.install(libraries="all")
    guarded = send(server, name, {})
    assert guarded.body == plain.body
    assert heads(guarded) == heads(plain)


@pytest.mark.parametrize("name", OBJECTS)
def test_a_live_object(server: Provider, name: str) -> None:
    """Unguarded it crashes the call; guarded it is taken out."""
    live = {"live": Span()}
    with pytest.raises(AssertionError, match="0 bodies"):
        send(server, name, live)
    clean = send(server, name, {})
    body_guard.install(libraries="all")
    assert json.loads(send(server, name, live).body) == json.loads(clean.body)


def test_sentrys_and_opentelemetrys_own(server: Provider) -> None:
    """An envelope and an export of spans arrive byte for byte."""
    body_guard.install(libraries="all")
    client = sentry_sdk.Client(
        dsn=server.url.replace("http://", "http://k@") + "/1",
        default_integrations=False,
        transport=sentry_sdk.transport.HttpTransport,
        _experiments={"transport_compression_algo": "gzip"},
    )
    with sentry_sdk.isolation_scope() as scope:
        scope.set_client(client)
        scope.capture_event({"message": "m", "extra": {"_sentry_x": "kept"}})
        client.close(timeout=5)
    assert b'"_sentry_x":"kept"' in gzip.decompress(server.received[0].body)
    exporter = OTLPSpanExporter(endpoint=f"{server.url}/v1/traces")
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    with tracing.get_tracer("t").start_as_current_span("_sentry_x") as span:
        span.set_attribute("_sentry_y", "kept")
    tracing.shutdown()
    (export,) = [r for r in server.received if r.path == "/v1/traces"]
    assert export.headers["Content-Type"] == "application/x-protobuf"
    assert b"_sentry_y" in export.body
    assert int(export.headers["Content-Length"]) == len(export.body)


# Beside the patches of others.


def requests_post(url: str) -> None:
    requests.post(url, json={"a": 1, "_sentry_x": 1}, timeout=5)


def urllib3_post(url: str) -> None:
    body = b'{"a": 1, "_sentry_x": 1}'
    with urllib3.PoolManager() as pool:
        pool.request("POST", url, body=body, headers={"Content-Type": "application/json"})


def aiohttp_post(url: str) -> None:
    async def post() -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, json={"a": 1, "_sentry_x": 1}) as response,
        ):
            await response.read()

    asyncio.run(post())


def botocore_post(url: str) -> None:
    bedrock("additionalModelRequestFields")(url, {"_sentry_x": 1})


BESIDE = {
    "requests": (requests_post, RequestsInstrumentor),
    "urllib3": (urllib3_post, URLLib3Instrumentor),
    "aiohttp": (aiohttp_post, AioHttpClientInstrumentor),
    "botocore": (botocore_post, BotocoreInstrumentor),
}


@pytest.mark.parametrize("first", ["ours", "theirs"])
@pytest.mark.parametrize("last", ["ours", "theirs"])
@pytest.mark.parametrize("library", BESIDE)
def test_beside_opentelemetry(server: Provider, library: str, first: str, last: str) -> None:
    """Put on and taken off in any order: clean bodies, spans, and every name given back."""
    post, instrument = BESIDE[library]
    kept, tracing = InMemorySpanExporter(), TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(kept))
    theirs: Any = instrument()
    before = names()

    def dirty() -> bool:
        server.received.clear()
        post(server.url)
        (received,) = server.received
        return b"_sentry_x" in received.body

    if first == "ours":
        body_guard.install(libraries="all")
    theirs.instrument(tracer_provider=tracing)
    body_guard.install(libraries="all")
    assert not dirty()
    assert len(kept.get_finished_spans()) == 1
    if last == "theirs":
        body_guard.uninstall()
        assert dirty()
        theirs.uninstrument()
    else:
        theirs.uninstrument()
        assert not dirty()
        body_guard.uninstall()
    assert dirty()
    assert names() == before


def names() -> list[Any]:
    """Return what stands at the names that are replaced."""
    aws = botocore.client.BaseClient, botocore.httpsession.URLLib3Session
    return [
        vars(requests.models.PreparedRequest)["prepare_body"],
        vars(requests.adapters.HTTPAdapter)["send"],
        vars(urllib3.connection.HTTPConnection)["request"],
        vars(aiohttp.ClientSession)["_request"],
        vars(aws[0])["_convert_to_request_dict"],
        vars(aws[1])["send"],
    ]


@pytest.mark.parametrize("first", ["ours", "theirs"])
@pytest.mark.parametrize("library", BESIDE)
def test_beside_vcrpy(server: Provider, library: str, first: str, tmp_path: Any) -> None:
    """What it lets through is clean, and every name is given back once both are gone."""
    vcr = pytest.importorskip("vcr")
    post, _ = BESIDE[library]
    before = names()
    if first == "ours":
        body_guard.install(libraries="all")
    with vcr.use_cassette(str(tmp_path / "cassette.yaml")):
        body_guard.install(libraries="all")
        post(server.url)
    body_guard.install(libraries="all")
    (received,) = server.received
    assert b"_sentry_x" not in received.body
    post(server.url)
    assert b"_sentry_x" not in server.received[1].body
    body_guard.uninstall()
    assert names() == before
