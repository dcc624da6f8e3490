"""Libraries beside httpx: one table of cases for all, over HTTP to a server on loopback."""

from __future__ import annotations

import hashlib
import io
import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest

import body_guard
from body_guard import Policy, Report, Rule, SignedBodyError
from body_guard.cli.provider import Provider, Received, provider
from body_guard.http import content as content_module

from beside import CLIENTS, Client, heads, installed, only, sent

TYPED = {"Content-Type": "application/json"}
DIRTY = b'{"a": 1.10, "_sentry_x": {}}'
LEFT = b'{"a": 1.10}'


class Span:
    """A live object."""


@pytest.fixture(params=CLIENTS, ids=str)
def client(request: pytest.FixtureRequest) -> Client:
    found: Client = request.param
    return found


@pytest.fixture(params=[each for each in CLIENTS if each.takes_objects], ids=str)
def objects(request: pytest.FixtureRequest) -> Client:
    found: Client = request.param
    return found


@pytest.fixture
def server() -> Iterator[Provider]:
    with provider() as listening:
        yield listening


@pytest.mark.parametrize(
    "body", [DIRTY, DIRTY.decode(), bytearray(DIRTY)], ids=["bytes", "text", "bytearray"]
)
def test_a_text_key_is_cut_out(client: Client, body: Any) -> None:
    """The rest arrives byte for byte, with the length that it has."""
    received = sent(client, True, content=body, headers=TYPED)
    assert received.body == LEFT
    assert received.headers["Content-Length"] == str(len(LEFT))


def test_an_object_is_cleaned(objects: Client) -> None:
    """A text key and a live object are taken out of ``json=``, and the caller's value stays."""
    span = Span()
    value = {"a": [1, span], "b": span, "_sentry_x": "s", "c": "ü"}
    before = {**value, "a": [*value["a"]]}
    received = sent(objects, True, json=value)
    assert json.loads(received.body) == {"a": [1, None], "c": "ü"}
    assert received.headers["Content-Type"] == "application/json"
    assert received.headers["Content-Length"] == str(len(received.body))
    assert value == before


@pytest.mark.parametrize(
    "what",
    [
        {"content": LEFT, "headers": TYPED},
        {"content": LEFT.decode(), "headers": TYPED},
        {"content": LEFT},
        {"content": '{"a": "ü"}', "headers": TYPED},
        {"content": bytearray(LEFT), "headers": TYPED},
        {"content": io.BytesIO, "headers": TYPED},
        {"content": b"\x00\x01_sentry_x", "headers": {"Content-Type": "application/x-protobuf"}},
        {},
    ],
    ids=["bytes", "text", "no type", "not ASCII", "bytearray", "stream", "protobuf", "no body"],
)
def test_what_is_clean_stays(client: Client, what: dict[str, Any]) -> None:
    """Body and headers are those of the unguarded library, in their order."""

    def send(guarded: bool) -> Received:
        stream = {"content": io.BytesIO(DIRTY)} if what.get("content") is io.BytesIO else {}
        return sent(client, guarded, **{**what, **stream})

    plain, guarded = send(False), send(True)
    assert guarded.body == plain.body
    assert heads(guarded) == heads(plain)


@pytest.mark.parametrize("value", [{"a": 1.10, "b": ["ü", None]}, [], 0, "text"])
def test_a_clean_object_stays(objects: Client, value: Any) -> None:
    """The library's own encoder writes it."""
    plain, guarded = (sent(objects, how, json=value) for how in (False, True))
    assert guarded.body == plain.body
    assert heads(guarded) == heads(plain)


def test_a_signed_body_is_refused(client: Client, server: Provider) -> None:
    """Nothing is sent, and the refusal is reported."""
    signed = {**TYPED, "X-Hub-Signature-256": "sha256=00"}
    with installed(client) as reports, pytest.raises(SignedBodyError, match="x-hub-signature-256"):
        client.send(server.url, content=DIRTY, headers=signed)
    assert [report.refused for report in reports] == ["SignedBodyError"]
    assert server.received == []


def test_a_digest_follows(client: Client) -> None:
    """A header that is a mere digest of the body is computed anew, and keeps its spelling."""
    before, after = (b64encode(hashlib.sha256(each).digest()).decode() for each in (DIRTY, LEFT))
    received = sent(client, True, content=DIRTY, headers={**TYPED, "X-amz-Checksum-SHA256": before})
    assert ("X-amz-Checksum-SHA256", after) in received.headers.items()


def test_a_body_is_reported_once(client: Client, server: Provider) -> None:
    """With the host, what was found, and that it was changed; by ``on_report`` and the counts too."""
    told: list[Report] = []
    body_guard.counts(reset=True)
    with installed(client, Policy(on_report=told.append)) as reports:
        client.send(server.url, content=DIRTY, headers=TYPED)
        client.send(server.url, content=LEFT, headers=TYPED)
        client.send(server.url)
    assert [(report.changed, report.host) for report in reports] == [
        (True, "127.0.0.1"),
        (False, "127.0.0.1"),
    ]
    assert [finding.path for finding in reports[0].findings] == ["/_sentry_x"]
    assert told == reports
    assert body_guard.counts().findings == {"127.0.0.1": {"sentry": 1}}


def test_an_object_is_reported_once(objects: Client, server: Provider) -> None:
    """What was found in it and what its bytes hold is one report."""
    policy = Policy(rules=(Rule("seen", keys=("c",), action="report"), *Policy().rules))
    with installed(objects, policy) as reports:
        objects.send(server.url, json={"a": Span(), "_sentry_x": 1, "c": 1})
    (report,) = reports
    assert sorted((each.path, each.rule) for each in report.findings) == [
        ("/_sentry_x", "sentry"),
        ("/a", "unserializable"),
        ("/c", "seen"),
    ]


def test_a_stream_is_passed(client: Client, server: Provider) -> None:
    """It is not read, and reported as that."""
    with installed(client) as reports:
        client.send(server.url, content=io.BytesIO(DIRTY), headers=TYPED)
    assert only(server).body == DIRTY
    assert [(report.judged, report.why_not_judged) for report in reports] == [(False, "stream")]


def test_an_audit_changes_nothing(client: Client, server: Provider) -> None:
    """The body arrives as it is, the report says what would have been done."""
    with installed(client, Policy(mode="audit")) as reports:
        client.send(server.url, content=DIRTY, headers=TYPED)
        client.send(server.url, content=io.BytesIO(DIRTY), headers=TYPED)
    assert [received.body for received in server.received] == [DIRTY, DIRTY]
    assert [(report.mode, report.changed) for report in reports] == [("audit", False)] * 2
    assert [finding.path for finding in reports[0].findings] == ["/_sentry_x"]


def test_an_audit_of_an_object(objects: Client, server: Provider) -> None:
    """A text key is left and reported once; a live object raises the library's error, with a note."""
    with installed(objects, Policy(mode="audit")) as reports:
        objects.send(server.url, json={"_sentry_x": 1})
        with pytest.raises(TypeError, match="not JSON serializable") as raised:
            objects.send(server.url, json={"a": Span()})
        objects.send(server.url, json={"a": 1})
    assert [json.loads(received.body) for received in server.received] == [
        {"_sentry_x": 1},
        {"a": 1},
    ]
    assert [[found.path for found in report.findings] for report in reports] == [
        ["/_sentry_x"],
        ["/a"],
        [],
    ]
    if hasattr(raised.value, "__notes__"):  # from Python 3.11 on
        assert ["/a" in note for note in raised.value.__notes__] == [True]


def test_the_policy_of_a_host(client: Client, server: Provider) -> None:
    """The one that ``hosts=`` has for it judges."""
    policy = Policy(hosts={"127.0.0.1": Policy(rules=(Rule("own", keys=("a",)),))})
    with installed(client, policy):
        client.send(server.url, content=DIRTY, headers=TYPED)
    assert json.loads(only(server).body) == {"_sentry_x": {}}


def test_a_guard_that_fails(
    client: Client, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent; with ``on_error="send"`` the body is, as it was."""

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(content_module, "sanitize_content", broken)
    with installed(client), pytest.raises(body_guard.GuardError, match="ZeroDivisionError"):
        client.send(server.url, content=DIRTY, headers=TYPED)
    assert server.received == []
    with installed(client, Policy(on_error="send")):
        client.send(server.url, content=DIRTY, headers=TYPED)
    assert only(server).body == DIRTY


def test_every_name_is_given_back(client: Client) -> None:
    """The very objects that were there, also by an install() that does not ask for the library."""
    before = client.originals()
    body_guard.install(libraries=(client.library,))
    assert all(new is not old for new, old in zip(client.originals(), before, strict=True))
    body_guard.install()
    assert all(new is old for new, old in zip(client.originals(), before, strict=True))
    body_guard.install(libraries="all")
    body_guard.uninstall()
    assert all(new is old for new, old in zip(client.originals(), before, strict=True))


def test_once_uninstalled_beneath_a_later_patch(
    client: Client, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours passes through."""
    body_guard.install(libraries=(client.library,))
    for owner, name in client.names:
        ours = vars(owner)[name]
        monkeypatch.setattr(owner, name, lambda *args, ours=ours, **options: ours(*args, **options))
    body_guard.uninstall()
    client.send(server.url, content=DIRTY, headers=TYPED)
    assert only(server).body == DIRTY
    monkeypatch.undo()
    body_guard.uninstall()
