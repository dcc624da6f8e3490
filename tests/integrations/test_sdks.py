"""The table of SDKs: whose client a class is, without the SDK; and one that has no hook."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx
import pytest

import body_guard
from body_guard import Finding, Report
from body_guard.http.doors import ClientDoor
from body_guard.http.handover import Handover, hand_over
from body_guard.http.request_guard import Guard
from body_guard.integrations.sdks import SDKS, http_clients, sdk_of


def of(module: str, name: str, base: type = object) -> type:
    return type(name, (base,), {"__module__": module})


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (of("mine", "Mine", of("openai._base_client", "BaseClient")), "openai"),
        (
            of("mistralai.gcp.client.sdk", "X", of("mistralai.gcp.client.basesdk", "BaseSDK")),
            "mistralai",
        ),
        (of("cerebras.cloud.sdk._base_client", "BaseClient"), "cerebras.cloud.sdk"),
        (of("openai._base_client", "DefaultHttpxClient", httpx.Client), None),
        (of("openai_mine", "BaseClient"), None),
        (of("mine", "BaseClient"), None),
        (object, None),
    ],
)
def test_whose_client_a_class_is(kind: type, name: str | None) -> None:
    """By the package and the name of a base; an SDK's HTTP client is none of its clients."""
    assert sdk_of(kind) is (name and SDKS[name])


def test_an_sdk_that_is_not_known_by_name() -> None:
    """Its make is told by its shape."""
    stainless = sdk_of(of("made.here._base_client", "BaseClient"))
    assert stainless is not None
    assert (stainless.name, stainless.is_stainless) == ("made.here", True)
    speakeasy = sdk_of(of("made.client.basesdk", "BaseSDK"))
    assert speakeasy is not None
    assert (speakeasy.name, speakeasy.encoder) == ("made", None)


def test_a_closed_client_has_no_http_clients() -> None:
    """mistralai forgets them."""
    configuration = SimpleNamespace(client=None, async_client=None)
    client = SimpleNamespace(sdk_configuration=configuration)
    assert list(http_clients(client, SDKS["mistralai"])) == []


def test_an_sdk_without_a_hook() -> None:
    """Its HTTP clients are guarded, and its own class stays."""
    kind: Any = of("mistralai.client.basesdk", "BaseSDK")
    http = httpx.Client(), httpx.AsyncClient()
    client = kind()
    client.sdk_configuration = SimpleNamespace(client=http[0], async_client=http[1])
    body_guard.guard(client)
    assert type(client) is kind
    assert all(isinstance(each, ClientDoor) for each in http)
    body_guard.unguard(client)
    assert [type(each) for each in http] == [httpx.Client, httpx.AsyncClient]


class Mine(httpx.Client):
    """A user's own client class."""

    def build_request(self, *args: Any, **options: Any) -> httpx.Request:
        return super().build_request(*args, **options)


@pytest.mark.parametrize("kind", [httpx.Client, Mine])
@pytest.mark.parametrize(
    "options",
    [{"json": {"_sentry_x": 1}}, {"content": b'{"_sentry_x": 1}'}],
    ids=["json", "content"],
)
def test_what_was_found_above_is_told_once(kind: type[httpx.Client], options: Any) -> None:
    """With what the HTTP client finds, whether the SDK leaves the encoding to it or not."""
    above = Finding("/live", "unserializable", "remove", "builtins.object")
    found = [Report((above,), changed=True)]
    with (
        hand_over(Handover(Guard(httpx), str, found)),
        body_guard.guard(kind()) as client,
        body_guard.collect() as reports,
    ):
        request = client.build_request("POST", "http://provider.test/", **options)
        client.build_request("POST", "http://provider.test/", json={})
    assert request.content == b"{}"
    assert [[finding.path for finding in report.findings] for report in reports] == [
        ["/live", "/_sentry_x"],
        [],
    ]
