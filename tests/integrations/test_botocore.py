"""botocore: real clients on loopback, whose server computes the signature over what arrived."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.client import BaseClient
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, ParamValidationError
from botocore.httpsession import URLLib3Session
from botocore.parsers import ResponseParserError

import body_guard
from body_guard import Policy, Rule
from body_guard.cli.provider import Provider, Received

KEYS = ("AKIDEXAMPLE", "secret")
REGION = "us-east-1"
DIRTY = b'{"a": 1.10, "_sentry_x": {}}'
LEFT = b'{"a": 1.10}'


class Span:
    """A live object."""


@pytest.fixture(autouse=True)
def reports() -> Iterator[list[body_guard.Report]]:
    body_guard.install(libraries="all")
    with body_guard.collect() as collected:
        yield collected
    body_guard.uninstall()


def make(loopback: Provider, service: str, **options: Any) -> Any:
    """Make a client of a service that is at the server."""
    session = botocore.session.get_session()
    config = Config(retries={"max_attempts": 1}, **options)
    session.set_credentials(*KEYS)
    return session.create_client(
        service, region_name=REGION, endpoint_url=loopback.url, config=config
    )


def last(loopback: Provider) -> Received:
    """Return what arrived last, once its signature is seen to be valid over it."""
    received = loopback.received[-1]
    head = received.headers["Authorization"]
    scope, signed, signature = (part.split("=")[1] for part in head.split(", "))
    _, _, region, service, _ = scope.split("/")
    request = AWSRequest("POST", loopback.url + received.path, data=received.body)
    for name in signed.split(";"):
        request.headers[name] = received.headers[name]
    request.method = METHODS.get(received.path, "POST")
    request.context["timestamp"] = received.headers["X-Amz-Date"]
    auth = SigV4Auth(Credentials(*KEYS), service, region)
    auth._region_name = region
    canonical = auth.canonical_request(request)
    text = auth.string_to_sign(request, canonical)
    assert auth.signature(text, request) == signature
    return received


METHODS = {"/bucket/key": "PUT"}


def converse(**more: Any) -> dict[str, Any]:
    return {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "hi"}]}], **more}


def tools(**schema: Any) -> dict[str, Any]:
    return {"tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": schema}}}]}


PLACES = {
    "messages": (
        converse(
            messages=[{"role": "user", "content": [{"text": "hi"}], "_sentry_x": 1, "span": Span()}]
        ),
        {"messages": [{"role": "user", "content": [{"text": "hi"}]}]},
    ),
    "toolConfig": (
        converse(toolConfig=tools(type="object", _sentry_x=1, live=Span())),
        {
            **{key: converse()[key] for key in ("messages",)},
            "toolConfig": tools(type="object"),
        },
    ),
    "additionalModelRequestFields": (
        converse(additionalModelRequestFields={"k": [1, Span()], "_sentry_x": "s", "live": Span()}),
        {
            **{key: converse()[key] for key in ("messages",)},
            "additionalModelRequestFields": {"k": [1, None]},
        },
    ),
}


@pytest.mark.parametrize("place", ["toolConfig", "additionalModelRequestFields"])
def test_bedrock_converse(place: str, loopback: Provider, reports: list[body_guard.Report]) -> None:
    """Keys and live objects are taken out in each place, and the signature is valid over the rest."""
    params, left = PLACES[place]
    make(loopback, "bedrock-runtime").converse(**params)
    assert json.loads(last(loopback).body) == left
    (report,) = reports
    assert {finding.rule for finding in report.findings} == {"sentry", "unserializable"}
    assert report.host == "127.0.0.1"


def test_bedrock_converse_in_messages(loopback: Provider) -> None:
    """A structure takes no member that its shape does not know, but these are gone by then."""
    params = converse()
    params["messages"][0].update({"_sentry_x": 1})
    params["messages"][0]["content"][0]["_sentry_span"] = Span()
    make(loopback, "bedrock-runtime").converse(**params)
    assert json.loads(last(loopback).body) == {"messages": converse()["messages"]}
    assert "_sentry_x" in params["messages"][0]


CLEAN: dict[str, tuple[str, str, dict[str, Any]]] = {
    "converse": ("bedrock-runtime", "converse", converse(toolConfig=tools(type="object"))),
    "image": (
        "bedrock-runtime",
        "converse",
        converse(
            messages=[
                {
                    "role": "user",
                    "content": [{"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}}],
                }
            ]
        ),
    ),
    "invoke_model": ("bedrock-runtime", "invoke_model", {"modelId": "m", "body": LEFT}),
    "dynamodb": (
        "dynamodb",
        "put_item",
        {"TableName": "t", "Item": {"a": {"B": b"\x00"}, "n": {"N": "1.10"}, "s": {"SS": ["x"]}}},
    ),
    "logs": (
        "logs",
        "put_log_events",
        {
            "logGroupName": "g",
            "logStreamName": "s",
            "logEvents": [{"timestamp": 1, "message": "_sentry_x"}],
        },
    ),
    "sts": ("sts", "get_session_token", {"DurationSeconds": 900}),
    "events": (
        "events",
        "put_events",
        {
            "Entries": [
                {"Time": datetime(2026, 1, 2, tzinfo=timezone.utc), "Source": "s", "Detail": "{}"}
            ]
        },
    ),
}


@pytest.mark.parametrize("name", CLEAN)
def test_what_is_clean_stays(name: str, loopback: Provider) -> None:
    """Every byte and header but for those of time, chance and signature."""
    service, operation, params = CLEAN[name]

    def send() -> Received:
        with suppress(ResponseParserError):  # the answer is none of this service's
            getattr(make(loopback, service), operation)(**params)
        return last(loopback)

    guarded = send()
    body_guard.uninstall()
    plain = send()
    assert guarded.body == plain.body

    def heads(received: Received) -> list[tuple[str, str]]:
        changing = ("authorization", "x-amz-date", "amz-sdk-invocation-id")
        return [(n, v) for n, v in received.headers.items() if n.lower() not in changing]

    assert heads(guarded) == heads(plain)


def test_what_botocore_knows_stays_beside_what_goes(loopback: Provider) -> None:
    """Blobs, times, numbers and files are the caller's own while a key is taken out."""
    when = datetime(2026, 1, 2, tzinfo=timezone.utc)
    client = make(loopback, "dynamodb")
    client.put_item(TableName="t", Item={"a": {"B": bytearray(b"\x01")}, "_sentry_x": {"S": "x"}})
    assert json.loads(last(loopback).body)["Item"] == {"a": {"B": "AQ=="}}
    client = make(loopback, "bedrock-runtime")
    client.invoke_model(modelId="m", body=io.BytesIO(DIRTY), _sentry_x=1)
    assert last(loopback).body == DIRTY
    client = make(loopback, "events")
    client.put_events(Entries=[{"Time": when, "Source": "s", "_sentry_x": 1}])
    assert json.loads(last(loopback).body) == {"Entries": [{"Time": 1767312000, "Source": "s"}]}
    client = make(loopback, "dynamodb", parameter_validation=False)
    with pytest.raises(TypeError, match="Decimal"):  # botocore's own business
        client.put_item(TableName="t", Item={"a": {"N": Decimal(1)}, "_sentry_x": {"S": "x"}})


def test_a_models_body(loopback: Provider, reports: list[body_guard.Report]) -> None:
    """It is the caller's own JSON: judged as bytes, before it is signed, whether it says so or not."""
    client = make(loopback, "bedrock-runtime")
    client.invoke_model(modelId="m", body=DIRTY)
    assert last(loopback).body == LEFT
    client.invoke_model(modelId="m", body=DIRTY.decode(), contentType="application/json")
    assert last(loopback).body == LEFT
    client.invoke_model(modelId="m", body=DIRTY, contentType="image/png")
    assert last(loopback).body == DIRTY
    client.invoke_model(modelId="m", body=io.BytesIO(DIRTY))
    assert last(loopback).body == DIRTY
    assert [(report.judged, report.changed) for report in reports] == [
        (True, True),
        (True, True),
        (False, False),
        (False, False),
    ]


def test_what_is_not_judged(loopback: Provider, reports: list[body_guard.Report]) -> None:
    """Objects of S3 whatever they say they are, other payloads unless they say JSON, other protocols."""
    s3 = make(loopback, "s3", s3={"addressing_style": "path", "payload_signing_enabled": True})
    with pytest.raises((ClientError, ResponseParserError)):  # the answer is none of S3's
        s3.put_object(Bucket="bucket", Key="key", Body=DIRTY, ContentType="application/json")
    assert DIRTY in loopback.received[-1].body
    make(loopback, "lambda").invoke(FunctionName="f", Payload=DIRTY)
    assert last(loopback).body == DIRTY
    sns = make(loopback, "sns")
    with pytest.raises(ResponseParserError):
        sns.publish(TopicArn="t", Message=DIRTY.decode())
    assert b"_sentry_x" in last(loopback).body
    assert [report.why_not_judged for report in reports] == [
        "rest-xml protocol",
        "undeclared payload",
        "query protocol",
    ]


def test_parameters_that_are_no_body(loopback: Provider, reports: list[body_guard.Report]) -> None:
    """What is found in them is reported where there is no body to report."""
    client = make(loopback, "lambda")
    client.list_functions(FunctionVersion="ALL")
    assert reports == []
    client.list_functions(FunctionVersion="ALL", _sentry_x=Span())
    assert loopback.received[-1].body == b""
    assert [[found.path for found in report.findings] for report in reports] == [["/_sentry_x"]]


def test_an_audit(loopback: Provider) -> None:
    """botocore's own error for a live object, with a note; a key in a document arrives."""
    body_guard.install(Policy(mode="audit"), libraries=("botocore",))
    client = make(loopback, "bedrock-runtime")
    with body_guard.collect() as reports:
        client.converse(**converse(additionalModelRequestFields={"_sentry_x": 1}))
        with pytest.raises(ParamValidationError) as raised:
            client.converse(**converse(additionalModelRequestFields={"k": Span()}))
        with pytest.raises(ParamValidationError):
            client.converse(modelId="m", messages="no list")
    assert json.loads(last(loopback).body)["additionalModelRequestFields"] == {"_sentry_x": 1}
    assert [[found.path for found in report.findings] for report in reports] == [
        ["/additionalModelRequestFields/_sentry_x"],
        ["/additionalModelRequestFields/k"],
    ]
    if hasattr(raised.value, "__notes__"):
        assert "/additionalModelRequestFields/k" in raised.value.__notes__[0]


def test_a_digest_is_of_what_is_sent(loopback: Provider) -> None:
    """A header of the caller's own that is a digest follows, and the checksums come after."""
    client = make(loopback, "bedrock-runtime")
    body_guard.install(libraries=("botocore", "urllib3"))
    convert = BaseClient._convert_to_request_dict

    def with_digest(self: Any, **options: Any) -> Any:
        options["headers"] = {"x-amz-Checksum-SHA256": "x"}
        return convert(self, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_convert_to_request_dict", with_digest)
        client.invoke_model(modelId="m", body=DIRTY)
    assert last(loopback).headers["x-amz-Checksum-SHA256"] == (
        "Srol3rqKasW9GCmsAyo01D7XblqKEpnenEVv+iRl8hc="
    )


def test_the_policy_of_a_host(loopback: Provider) -> None:
    """That of the endpoint, for objects and for bytes."""
    own = Policy((Rule("own", keys=("k",)),))
    body_guard.install(Policy(hosts={"127.0.0.1": own}), libraries="all")
    client = make(loopback, "bedrock-runtime")
    client.converse(**converse(additionalModelRequestFields={"k": 1, "_sentry_x": 1}))
    assert json.loads(last(loopback).body)["additionalModelRequestFields"] == {"_sentry_x": 1}


def test_every_name_is_given_back(loopback: Provider) -> None:
    """The very objects that were there; beneath a later patch, ours passes through."""
    body_guard.uninstall()
    names = [(BaseClient, "_convert_to_request_dict"), (URLLib3Session, "send")]
    before = [vars(owner)[name] for owner, name in names]
    body_guard.install(libraries=("botocore",))
    ours = [vars(owner)[name] for owner, name in names]
    assert all(new is not old for new, old in zip(ours, before, strict=True))
    body_guard.uninstall()
    assert all(vars(o)[n] is old for (o, n), old in zip(names, before, strict=True))
    with pytest.MonkeyPatch.context() as patch:
        for (owner, name), each in zip(names, ours, strict=True):
            patch.setattr(owner, name, each)
        make(loopback, "bedrock-runtime").invoke_model(modelId="m", body=DIRTY)
    assert last(loopback).body == DIRTY
