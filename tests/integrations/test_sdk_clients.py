"""guard() on the clients of real SDKs, sync and async, by what a loopback provider receives.

Runs with the SDKs that are installed here, and alone in the cells of the matrix.
"""

from __future__ import annotations

import copy
import datetime
import json
import re
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pydantic
import pytest

import body_guard
from body_guard import BodyRejectedError, Policy, Rule
from body_guard.http.doors import ClientDoor
from body_guard.integrations.sdks import SDKS, http_clients

from llm_provider import LLMProvider, llm_provider
from sdk_rows import CANDIDATES, MESSAGES, ROWS, Row, Steps

PAGE = (Path(__file__).parents[2] / "docs/sdks.md").read_text(encoding="utf-8")
REFUSING = Policy((Rule("no", keys=("no",), action="reject"),))
STRICT = Policy((Rule("strict", keys=("strict",)),))
STAINLESS = [row for row in ROWS if row.sdk.is_stainless]
ENCODED_ALREADY = [row for row in ROWS if not row.sdk.is_stainless]
PLAIN = [row for row in STAINLESS if not row.cloud]
OPENAI = [row for row in PLAIN if row.package == "openai"]
SIGNING = [row for row in STAINLESS if row.kind.endswith(("AnthropicBedrock", "BedrockOpenAI"))]

STREAMING = [row for row in STAINLESS if not row.kind.endswith("AnthropicBedrock")]  # not SSE

#: Headers that differ from call to call.
FLEETING = {"authorization", "x-amz-date", "idempotency-key", "x-stainless-read-timeout"}

each = pytest.mark.parametrize("row", ROWS, ids=str)
each_stainless = pytest.mark.parametrize("row", STAINLESS, ids=str)
each_plain = pytest.mark.parametrize("row", PLAIN, ids=str)


@pytest.fixture(scope="module")
def server() -> Iterator[LLMProvider]:
    with llm_provider() as server:
        yield server


@pytest.fixture
def provider(server: LLMProvider, monkeypatch: pytest.MonkeyPatch) -> LLMProvider:
    """Return a provider that has received nothing yet; an SDK does not wait before it asks again."""
    server.clear()
    for package in {row.package for row in STAINLESS}:
        name = f"{package}._base_client.BaseClient._calculate_retry_timeout"
        monkeypatch.setattr(name, lambda *_, **__: 0)
    return server


def sent(provider: LLMProvider) -> Any:
    """Return the one body that arrived, less what every call of these rows has."""
    (body,) = provider.bodies
    value = json.loads(body)
    for name in ("model", "messages", "max_tokens", "stream", "anthropic_version"):
        value.pop(name, None)
    return value


def test_every_client_of_an_sdk_that_is_here() -> None:
    """Where an SDK is installed, each kind of its clients is tested; a typo hides none."""
    assert ROWS
    here = {row.package for row in ROWS}
    assert [row for row in CANDIDATES if row.package in here and row not in ROWS] == []


@pytest.mark.parametrize("row", [row for row in ROWS if not row.is_async], ids=str)
def test_the_page_says_what_is_tested_here(row: Row) -> None:
    """The table's row of this SDK and release: its client, its library, what is taken out."""
    (line,) = re.findall(rf"^\| {row.package} {row.major}\b(.*) \|$", PAGE, re.MULTILINE)
    clients, stands_on, guarded_by, taken, refusal = line.split(" | ")
    assert f"`{row.kind}`" in clients or clients == ": the same"
    assert re.split("[;, ]", stands_on)[0] == row.library.__name__
    assert ("too" in stands_on) is row.sdk.takes_both
    assert guarded_by == "`guard(client)`"
    assert taken == ("keys" if row.sdk.encoder is None else "objects, keys")
    attempts = AT_TRANSPORT.get(f"{row.package}-{row.major}")
    wrapped = f"`APIConnectionError` after {attempts} attempts"
    assert refusal == (wrapped if attempts else "as itself")


@each_stainless
def test_an_object_and_a_key(row: Row, provider: LLMProvider) -> None:
    """What would crash the SDK and what would leak are out, in one report; the caller's stays."""
    extra = {
        "a": 1,
        "live": object(),
        "lock": threading.Lock(),  # nor can it be copied, as AnthropicBedrock does
        "deep": {"span": SimpleNamespace(), "_sentry_x": "SECRET", "kept": [1.10, None]},
        "_sentry_span": lambda: 0,
    }
    before = copy.copy(extra), copy.copy(extra["deep"])

    def act(client: Any) -> Steps:
        assert body_guard.guard(client) is client
        yield row.call(client, extra)

    with body_guard.collect() as reports:
        row.run(act, provider.url)
    assert sent(provider) == {"a": 1, "deep": {"kept": [1.10, None]}}
    assert (extra, extra["deep"]) == before
    (report,) = reports
    assert sorted(finding.path for finding in report.findings) == [
        "/_sentry_span",
        "/deep/_sentry_x",
        "/deep/span",
        "/live",
        "/lock",
    ]


@each_stainless
def test_unguarded_the_object_crashes_it(row: Row, provider: LLMProvider) -> None:
    """Which is what the test above is about."""

    def act(client: Any) -> Steps:
        with pytest.raises(TypeError, match=r"serializable|pickle"):
            yield row.call(client, {"live": SimpleNamespace(lock=pytest)})

    row.run(act, provider.url)
    assert provider.bodies == []


@pytest.mark.parametrize("row", ENCODED_ALREADY, ids=str)
def test_a_key_where_the_sdk_has_no_hook(row: Row, provider: LLMProvider) -> None:
    """The HTTP client beneath sees what the SDK encoded: keys are cut."""
    extra = {"a": "1", "_sentry_x": "SECRET", "deep": {"_sentry_y": 1, "kept": 2}}

    def act(client: Any) -> Steps:
        body_guard.guard(client)
        yield row.call(client, extra)
        body_guard.unguard(client)
        yield row.call(client, {"_sentry_x": "1"})

    row.run(act, provider.url)
    clean, dirty = provider.bodies
    value = json.loads(clean)
    assert value.get("metadata", value)["deep"] == {"kept": 2}
    assert b"_sentry_" not in clean
    assert b"_sentry_x" in dirty


@pytest.mark.parametrize("row", ENCODED_ALREADY, ids=str)
def test_an_object_where_the_sdk_has_no_hook(row: Row, provider: LLMProvider) -> None:
    """mistralai leaves it out with all that it is in; Fern's would write out its attributes."""

    def act(client: Any) -> Steps:
        body_guard.guard(client)
        yield row.call(client, {"live": SimpleNamespace(name="n", _sentry_x=1), "a": 1})

    row.run(act, provider.url)
    expected = {} if row.package == "mistralai" else {"a": 1}
    assert sent(provider) == expected


@each
def test_a_clean_body_is_what_it_was(row: Row, provider: LLMProvider) -> None:
    """The same bytes, and the same headers in the same order."""
    extra = {"é": [1.10, None, {"b": "_sentry_ in a text"}], "tools": [{"type": "function"}]}
    if row.package == "mistralai":
        extra.pop("tools")

    def act(client: Any) -> Steps:
        yield row.call(client, extra)
        body_guard.guard(client)
        yield row.call(client, extra)

    row.run(act, provider.url)
    plain, guarded = provider.received
    assert guarded.body == plain.body
    assert guarded.headers.keys() == plain.headers.keys()
    assert [item for item in guarded.headers.items() if item[0].lower() not in FLEETING] == [
        item for item in plain.headers.items() if item[0].lower() not in FLEETING
    ]


class Model(pydantic.BaseModel):
    a: int = 1
    unset: str = "not sent"


@each_stainless
def test_what_the_sdk_itself_writes_stays(row: Row, provider: LLMProvider) -> None:
    """Datetimes and pydantic models are the same bytes as unguarded, and nothing is reported."""
    extra = {"at": datetime.datetime(2026, 11, 22, 1, 2), "model_": Model(a=2), "in": [Model(a=3)]}

    def act(client: Any) -> Steps:
        yield row.call(client, extra)
        body_guard.guard(client)
        yield row.call(client, extra)

    with body_guard.collect() as reports:
        row.run(act, provider.url)
    plain, guarded = provider.bodies
    assert guarded == plain
    assert json.loads(plain)["at"] == "2026-11-22T01:02:00"
    assert json.loads(plain)["in"] == [{"a": 3}]
    assert [report.findings for report in reports] == [()]


@each_plain
def test_what_tells_the_sdk_to_leave_a_field_out(row: Row, provider: LLMProvider) -> None:
    """Omit in extra_body takes a field away that would be sent; NotGiven stays unsent."""
    types = import_module(f"{row.package}._types")
    named = "stop_sequences" if row.package == "anthropic" else "stop"
    unsent = "system" if row.package == "anthropic" else "top_p"
    extra = {named: types.Omit(), "a": 1, "_sentry_x": object()}

    def act(client: Any) -> Steps:
        body_guard.guard(client)
        yield row.call(client, extra, **{named: ["x"], unsent: types.NotGiven()})

    with body_guard.collect() as reports:
        row.run(act, provider.url)
    assert sent(provider) == {"a": 1}
    assert [finding.path for finding in reports[0].findings] == ["/_sentry_x"]


@each_stainless
def test_copies_are_guarded(row: Row, provider: LLMProvider) -> None:
    """with_options() and copy() call self.__class__(...); one may be given its own HTTP client."""
    extra = {"live": object(), "strict": 1, "a": 1}

    def act(client: Any) -> Steps:
        body_guard.guard(client, STRICT)
        for again in (
            client.with_options(timeout=5.0),
            client.copy(http_client=row.http(row.library)),
        ):
            assert type(again) is type(client)
            http = row.beneath(again)
            assert isinstance(http, ClientDoor)
            yield row.call(again, extra)
            if http is not row.beneath(client):
                yield http.aclose() if row.is_async else http.close()

    row.run(act, provider.url)
    assert len(provider.bodies) == 2
    for body in provider.bodies:
        assert json.loads(body)["a"] == 1
        assert b"live" not in body
        assert b"strict" not in body


@each_stainless
def test_a_copy_outlives_the_guard_of_its_original(row: Row, provider: LLMProvider) -> None:
    """The HTTP client that both stand on is given back with the last of them."""

    def act(client: Any) -> Steps:
        http = row.beneath(client)
        kind = type(http)
        body_guard.guard(client)
        again = client.with_options(timeout=3)
        beneath = row.beneath(again)  # anthropic 0.115 gives Bedrock's copies one of their own
        body_guard.unguard(client)
        assert isinstance(beneath, ClientDoor)
        assert isinstance(http, ClientDoor) is (http is beneath)
        body_guard.unguard(again)
        assert type(http) is kind
        assert type(beneath) is kind
        if http is not beneath:
            yield beneath.aclose() if row.is_async else beneath.close()
        yield None

    row.run(act, provider.url)


@each
def test_unguard_restores_exactly(row: Row, provider: LLMProvider) -> None:
    """Classes, attributes and HTTP clients are what they were; guarding keeps class and name."""

    def act(client: Any) -> Steps:
        kind, kept = type(client), {**vars(client)}
        beneath = list(http_clients(client, row.sdk))
        kinds = list(map(type, beneath))
        body_guard.guard(client)
        assert isinstance(client, kind)
        assert (type(client).__name__, type(client).__module__) == (kind.__name__, kind.__module__)
        assert type(client) is not kind or not row.sdk.is_stainless
        assert all(isinstance(each, ClientDoor) for each in beneath)
        first = type(client)
        body_guard.guard(client)
        assert type(client) is first
        body_guard.guard(client, STRICT)
        assert body_guard.unguard(client) is client
        assert type(client) is kind
        assert vars(client) == kept
        assert list(http_clients(client, row.sdk)) == beneath
        assert list(map(type, beneath)) == kinds
        body_guard.guard(client, STRICT)
        yield row.call(client, {"strict": "1", "_sentry_x": "1"})
        body_guard.unguard(client)
        body_guard.unguard(client)
        yield row.call(client, {"_sentry_x": "1"})

    row.run(act, provider.url)
    strict, plain = provider.bodies
    assert b"strict" not in strict
    assert b"_sentry_x" in strict
    assert b"_sentry_x" in plain


@each
def test_an_http_client_keeps_the_guard_of_its_owner(row: Row, provider: LLMProvider) -> None:
    """What was guarded before keeps its policy, and stays guarded after unguard()."""

    def make() -> Any:
        return row.with_http(provider.url, body_guard.guard(row.http(row.library), STRICT))

    def act(client: Any) -> Steps:
        http = row.beneath(client)
        kind = type(http)
        body_guard.guard(client)
        assert type(http) is kind
        yield row.call(client, {"strict": "1", "a": "1", "_sentry_x": "1"})
        body_guard.unguard(client)
        assert type(http) is kind

    row.act(make, act)
    (body,) = provider.bodies
    assert b"strict" not in body
    assert (b"_sentry_x" in body) is (row.sdk.encoder is None)


@each_plain
def test_two_clients_over_one_http_client(row: Row, provider: LLMProvider) -> None:
    """It is given back with the last of those that guard() was asked for."""

    def make() -> Any:
        return row.with_http(provider.url, row.http(row.library))

    def act(client: Any) -> Steps:
        http = row.beneath(client)
        kind = type(http)
        other = row.with_http(provider.url, http)
        body_guard.guard(client)
        body_guard.guard(other)
        body_guard.unguard(client)
        assert isinstance(http, ClientDoor)
        body_guard.unguard(other)
        assert type(http) is kind
        body_guard.guard(client)
        body_guard.guard(http, STRICT)  # the caller's own from now on
        body_guard.unguard(client)
        assert isinstance(http, ClientDoor)
        yield None

    row.act(make, act)


@each_plain
def test_a_retry_is_clean_and_keeps_its_key(row: Row, provider: LLMProvider) -> None:
    """Each attempt is built anew from the caller's options; the idempotency key is one."""
    provider.script[:] = [500]

    def act(client: Any) -> Steps:
        body_guard.guard(client)
        options = {"headers": {"Idempotency-Key": "one"}} if row.package != "openai" else {}
        answer = client.with_options(max_retries=1).post(
            "/v1/messages" if row.package == "anthropic" else "/chat/completions",
            cast_to=object,
            body={"model": "m", "a": 1, "live": object()},
            options={"idempotency_key": "one", **options},
        )
        yield answer

    row.run(act, provider.url)
    assert [json.loads(body) for body in provider.bodies] == [{"model": "m", "a": 1}] * 2
    keys = {received.headers.get("Idempotency-Key") for received in provider.received}
    assert len(keys) == 1


@pytest.mark.parametrize("row", STREAMING, ids=str)
def test_streaming(row: Row, provider: LLMProvider) -> None:
    """A streamed answer arrives, of a clean body."""

    def act(client: Any) -> Steps:
        body_guard.guard(client)
        stream = yield row.call(client, {"live": object(), "_sentry_x": 1}, stream=True)
        if row.is_async:

            async def events() -> Any:
                return [event async for event in stream]

            assert (yield events())
        else:
            assert list(stream)

    row.run(act, provider.url)
    assert sent(provider) == {}


@each_stainless
def test_raw_responses(row: Row, provider: LLMProvider) -> None:
    """with_raw_response and with_streaming_response go by the same place."""

    def resource(client: Any) -> tuple[Any, dict[str, Any]]:
        options = {"model": "m", "messages": MESSAGES, "extra_body": {"live": object(), "a": 1}}
        if row.package == "anthropic":
            return client.messages, {**options, "max_tokens": 1}
        return client.chat.completions, options

    def act(client: Any) -> Steps:
        body_guard.guard(client)
        holder, options = resource(client)
        raw = yield holder.with_raw_response.create(**options)
        assert raw.http_request.extensions["body_guard"].findings[0].path == "/live"
        manager = holder.with_streaming_response.create(**options)
        if row.is_async:

            async def read() -> Any:
                async with manager as response:
                    return await response.read()

            yield read()
        else:
            with manager as response:
                response.read()

    row.run(act, provider.url)
    assert len(provider.bodies) == 2
    assert not any(b"live" in body for body in provider.bodies)


@pytest.mark.parametrize("row", OPENAI, ids=str)
def test_files_and_batches(row: Row, provider: LLMProvider) -> None:
    """Multipart stays whole: a file is the user's, whatever is in it; the form's fields are not."""
    file = b'{"custom_id": "1", "body": {"_sentry_x": "in a file"}}\n'
    day = datetime.datetime(2026, 11, 22)
    extra = {"_sentry_span": object(), "_sentry_x": "SECRET", "live": object(), "day": day, "n": 2}

    def act(client: Any) -> Steps:
        body_guard.guard(client)
        yield client.files.create(file=("f.jsonl", file), purpose="batch", extra_body=extra)
        yield client.batches.create(
            input_file_id="f",
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={"a": "b", "_sentry_x": "SECRET"},
        )

    with body_guard.collect() as reports:
        row.run(act, provider.url)
    form, batch = provider.bodies
    assert file in form
    assert b"SECRET" not in form + batch
    assert re.findall(rb'name="(\w+)"', form) == [b"purpose", b"day", b"n", b"file"]
    assert b"2026-11-22 00:00:00" in form  # as the SDK writes it in a form
    assert json.loads(batch)["metadata"] == {"a": "b"}
    assert [report.why_not_judged for report in reports if not report.judged] == ["stream"]
    assert len(reports) == 2


@each_plain
def test_tools_and_metadata(row: Row, provider: LLMProvider) -> None:
    """Named parameters are judged as extra_body is; the caller's lists and dicts stay."""
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"_sentry_x": object()}}}]
    if row.package == "anthropic":
        tools = [{"name": "f", "input_schema": {"type": "object", "_sentry_x": object()}}]

    def act(client: Any) -> Steps:
        body_guard.guard(client)
        yield row.call(client, None, tools=tools)

    row.run(act, provider.url)
    expected: Any = {"type": "function", "function": {"name": "f", "parameters": {}}}
    if row.package == "anthropic":
        expected = {"name": "f", "input_schema": {"type": "object"}}
    assert sent(provider) == {"tools": [expected]}
    assert "_sentry_x" in str(tools)


@each_stainless
def test_nan_and_surrogates(row: Row, provider: LLMProvider) -> None:
    """What the SDK's encoder refuses is what JSON.stringify would make of it."""

    def act(client: Any) -> Steps:
        body_guard.guard(client)
        yield row.call(client, {"n": float("nan"), "s": "\ud800", "b": b"x"})

    row.run(act, provider.url)
    assert sent(provider) == {"n": None, "s": "\ufffd"}


@each_plain
def test_a_cycle(row: Row, provider: LLMProvider) -> None:
    """Its closing edge is removed; anthropic 2 refuses it before any hook is asked."""
    cycle: dict[str, Any] = {"a": 1}
    cycle["self"] = cycle
    refused = row.package == "anthropic" and row.major >= 2

    def act(client: Any) -> Steps:
        body_guard.guard(client)
        try:
            yield row.call(client, {"cycle": cycle})
        except ValueError:
            assert refused

    row.run(act, provider.url)
    assert [json.loads(body)["cycle"] for body in provider.bodies] == [{"a": 1}] * (not refused)


@each
@pytest.mark.parametrize("door", ["guard", "http_client", "GuardedClient"])
def test_a_refusal_is_the_callers_own(row: Row, door: str, provider: LLMProvider) -> None:
    """Raised while the request is built: as itself, once, and nothing is sent."""
    told: list[Any] = []
    policy = Policy(REFUSING.rules, on_report=(told.append,))

    def make() -> Any:
        if door == "GuardedClient":
            http = row.guarded_http(row.library, policy=policy)
        else:
            http = row.http(row.library)
        if door == "http_client":
            body_guard.guard(http, policy)
        client = row.with_http(provider.url, http)
        return body_guard.guard(client, policy) if door == "guard" else client

    def act(client: Any) -> Steps:
        with pytest.raises(BodyRejectedError) as caught:
            yield row.call(client, {"no": "1"})
        assert caught.value.status_code == 400

    row.act(make, act)
    assert provider.bodies == []
    assert len(told) == 1


#: What becomes of an error of ours that is raised at the transport: the attempts that are made with
#: max_retries=2, and whether the SDK wraps it. openai 3, mistralai and cohere hand it on.
AT_TRANSPORT = {"openai-2": 3, "anthropic-0": 3, "anthropic-2": 3, "groq-1": 3, "together-3": 3}


@pytest.mark.parametrize("row", [row for row in ROWS if not row.cloud], ids=str)
def test_a_refusal_at_the_transport(row: Row, provider: LLMProvider) -> None:
    """Too late for most SDKs, which take it for a broken connection; ours is its cause."""
    tried: list[Any] = []
    guarded = import_module(f"body_guard.{row.library.__name__}")
    wrap = guarded.GuardedAsyncTransport if row.is_async else guarded.GuardedTransport

    def make() -> Any:
        inside = (row.library.AsyncHTTPTransport if row.is_async else row.library.HTTPTransport)()
        policy = Policy(REFUSING.rules, on_report=(tried.append,))
        http = row.http(row.library, transport=wrap(inside, policy=policy))
        client = row.with_http(provider.url, http)
        return client.with_options(max_retries=2) if row.sdk.is_stainless else client

    attempts = AT_TRANSPORT.get(f"{row.package}-{row.major}")

    def act(client: Any) -> Steps:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - which, is what is asserted
            yield row.call(client, {"no": "1"})
        error: Any = caught.value
        if attempts:
            assert type(error).__name__ == "APIConnectionError"
            error = error.__cause__
        assert type(error) is BodyRejectedError

    row.act(make, act)
    assert len(tried) == (attempts or 1)
    assert provider.bodies == []


@pytest.mark.parametrize("row", SIGNING, ids=str)
def test_the_signature_is_of_the_clean_body(row: Row, provider: LLMProvider) -> None:
    """Signed between options and send, by botocore; verified by botocore."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    def act(client: Any) -> Steps:
        body_guard.guard(client)
        yield row.call(client, {"live": object(), "_sentry_x": "SECRET", "a": 1})

    row.run(act, provider.url)
    assert sent(provider)["a"] == 1
    (received,) = provider.received
    algorithm, _, rest = received.headers["Authorization"].partition(" ")
    assert algorithm == "AWS4-HMAC-SHA256"
    parts = dict(part.split("=", 1) for part in rest.split(", "))
    service = parts["Credential"].split("/")[3]
    signed = parts["SignedHeaders"].split(";")
    auth = SigV4Auth(Credentials("AKIDEXAMPLE", "SECRETKEY"), service, "us-east-1")
    request = AWSRequest(
        "POST",
        provider.url + received.path,
        headers={name: received.headers[name] for name in signed},
        data=received.body,
    )
    request.context["timestamp"] = received.headers["X-Amz-Date"]
    canonical = auth.canonical_request(request)
    assert auth.signature(auth.string_to_sign(request, canonical), request) == parts["Signature"]


#: Families that an SDK refuses when it is constructed. (mistralai and cohere look at methods only.)
REFUSED = [
    (row, name)
    for row in ROWS
    if row in PLAIN and not row.sdk.takes_both
    for name in ("httpx", "httpx2")
    if name != row.library.__name__
]


@pytest.mark.parametrize(("row", "name"), REFUSED, ids=str)
def test_the_other_family_is_refused(row: Row, name: str, provider: LLMProvider) -> None:
    """A guarded client of the other library is refused as a plain one is."""
    library = pytest.importorskip(name)

    def make() -> Any:
        return row.make(provider.url)

    def act(client: Any) -> Steps:
        http = row.guarded_http(library)
        with pytest.raises(TypeError, match="Invalid `http_client` argument"):
            row.with_http(provider.url, http)
        yield http.aclose() if row.is_async else http.close()

    row.act(make, act)
    assert provider.bodies == []


@pytest.mark.parametrize(
    ("row", "name"),
    [(row, name) for row in OPENAI for name in ("httpx", "httpx2")],
    ids=str,
)
def test_openai_takes_both_families(row: Row, name: str, provider: LLMProvider) -> None:
    """A guarded client of either is accepted, and guard() goes by the family of each request."""
    library = pytest.importorskip(name)

    def make() -> Any:
        return row.with_http(provider.url, row.guarded_http(library))

    def act(client: Any) -> Steps:
        yield row.call(client, {"a": 1, "_sentry_x": 1})
        body_guard.guard(client)
        yield row.call(client, {"a": 1, "live": object()})

    row.act(make, act)
    assert [json.loads(body)["a"] for body in provider.bodies] == [1, 1]
    assert not any(b"_sentry_" in body or b"live" in body for body in provider.bodies)


@each_plain
def test_requests_of_a_users_own_class(row: Row, provider: LLMProvider) -> None:
    """A user's HTTP client may build a subclass of its library's Request."""
    kind = row.library.AsyncClient if row.is_async else row.library.Client

    class Mine(kind):  # type: ignore[misc, valid-type]
        def build_request(self, *args: Any, **options: Any) -> Any:
            request = super().build_request(*args, **options)
            request.__class__ = type("Mine", (type(request),), {"__module__": __name__})
            return request

    def act(client: Any) -> Steps:
        body_guard.guard(client)
        yield row.call(client, {"live": object(), "_sentry_x": 1, "a": 1})

    row.act(lambda: row.with_http(provider.url, Mine()), act)
    assert sent(provider) == {"a": 1}


@each_plain
def test_a_body_that_is_no_dict(row: Row, provider: LLMProvider) -> None:
    """A model and a list are judged; a GET has no body, whatever its options say."""

    def act(client: Any) -> Steps:
        body_guard.guard(client)
        yield client.post("/x", cast_to=object, body=[1, object(), {"_sentry_x": 1}])
        yield client.post("/x", cast_to=object, body=Model(a=2))
        yield client.get("/x", cast_to=object, options={"extra_json": {"live": object()}})

    with body_guard.collect() as reports:
        row.run(act, provider.url)
    assert provider.bodies == [b"[1,null,{}]", b'{"a":2}', b""]
    assert [len(report.findings) for report in reports] == [2, 0, 0]


@each_plain
def test_nothing_found_beside_what_is_left_out(row: Row, provider: LLMProvider) -> None:
    """Omit is of no rule."""
    types = import_module(f"{row.package}._types")

    def act(client: Any) -> Steps:
        body_guard.guard(client)
        yield row.call(client, {"x": types.Omit(), "a": 1})

    with body_guard.collect() as reports:
        row.run(act, provider.url)
    assert sent(provider) == {"a": 1}
    assert [report.findings for report in reports] == [()]


@each_plain
def test_what_an_override_puts_in(row: Row, provider: LLMProvider) -> None:
    """A subclass of the user's may put a body of its own into the options: judged once more."""
    kind = getattr(import_module(row.package), row.kind)

    class Mine(kind):  # type: ignore[misc, valid-type]
        def _prepare_options(self, options: Any) -> Any:
            options.json_data = {**options.json_data, "mine": object(), "b": 2}
            return super()._prepare_options(options)

    def make() -> Any:
        return Mine(base_url=provider.url, **row.options)

    def act(client: Any) -> Steps:
        body_guard.guard(client)
        yield row.call(client, {"live": object(), "a": 1})

    with body_guard.collect() as reports:
        row.act(make, act)
    assert sent(provider) == {"b": 2, "a": 1}
    (report,) = reports
    assert [finding.path for finding in report.findings] == ["/live", "/mine"]


@pytest.mark.parametrize("row", OPENAI, ids=str)
def test_a_stream_is_read_by_the_client_beneath(row: Row, provider: LLMProvider) -> None:
    """content= may be a generator, which Policy(buffer=) has read in send."""

    def chunks() -> Iterator[bytes]:
        yield b'{"_sentry_x": 1, '
        yield b'"a": 1}'

    async def achunks() -> Any:
        for chunk in chunks():
            yield chunk

    def act(client: Any) -> Steps:
        body_guard.guard(client, Policy(buffer=1000))
        content = achunks() if row.is_async else chunks()
        yield client.post("/x", cast_to=object, content=content)

    with body_guard.collect() as reports:
        row.run(act, provider.url)
    assert provider.bodies == [b'{ "a": 1}']
    assert [report.judged for report in reports] == [True]


def test_what_is_no_client_of_an_sdk() -> None:
    """The message names the SDKs; classes of an SDK that are none of its clients are not taken."""
    with pytest.raises(TypeError, match=", ".join(SDKS)):
        body_guard.guard(SimpleNamespace())
