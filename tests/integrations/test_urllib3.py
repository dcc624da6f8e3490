"""urllib3: what passes it that others have judged, and where a request goes."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import sentry_sdk
import sentry_sdk.transport
import urllib3

import body_guard
from body_guard import Policy, Rule
from body_guard.cli.provider import Provider

DIRTY = b'{"a": 1.10, "_sentry_x": {}}'
LEFT = b'{"a": 1.10}'
TYPED = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def reports() -> Iterator[list[body_guard.Report]]:
    body_guard.install(libraries=("requests", "urllib3"))
    with body_guard.collect() as collected:
        yield collected
    body_guard.uninstall()


def test_what_requests_has_judged(loopback: Provider, reports: list[body_guard.Report]) -> None:
    """It is not judged or reported again, be it bytes or a stream."""
    requests.post(loopback.url, data=DIRTY, headers=TYPED)
    requests.post(loopback.url, data=iter([DIRTY]), headers=TYPED)
    assert [received.body for received in loopback.received] == [LEFT, DIRTY]
    assert [(report.changed, report.judged) for report in reports] == [(True, True), (False, False)]


def test_what_requests_sends_unguarded(
    loopback: Provider, reports: list[body_guard.Report]
) -> None:
    """Without the door of requests, that of urllib3 sees its bytes."""
    body_guard.install(libraries=("urllib3",))
    requests.post(loopback.url, json={"a": 1, "_sentry_x": 1})
    assert [received.body for received in loopback.received] == [b'{"a": 1}']
    assert [report.changed for report in reports] == [True]


@pytest.mark.parametrize("kind", [dict, urllib3.HTTPHeaderDict], ids=["dict", "HTTPHeaderDict"])
def test_the_callers_headers_stay(loopback: Provider, kind: Any) -> None:
    """A length that the caller gives is changed in a copy."""
    headers = kind({**TYPED, "content-LENGTH": str(len(DIRTY)), "X": "y"})
    before = kind(headers)
    host, _, port = loopback.url.removeprefix("http://").partition(":")
    connection = urllib3.connection.HTTPConnection(host, int(port))
    connection.request("POST", "/v1", DIRTY, headers)
    connection.getresponse()
    connection.close()
    (received,) = loopback.received
    assert received.body == LEFT
    assert ("content-LENGTH", str(len(LEFT))) in received.headers.items()
    assert headers == before


def test_headers_in_bytes(loopback: Provider) -> None:
    """They are read as text."""
    with urllib3.PoolManager() as pool:
        headers: Any = {"Content-Type": b"application/octet-stream"}
        pool.request("POST", loopback.url, body=DIRTY, headers=headers)
        pool.urlopen("POST", loopback.url, body=DIRTY, headers=TYPED, chunked=True)
    assert [received.body for received in loopback.received] == [DIRTY, LEFT]


OWN = Policy(hosts={"api.test": Policy((Rule("own", keys=("a",)),))})


def test_the_host_behind_a_proxy(loopback: Provider) -> None:
    """The destination counts, which a proxy is told as a whole URL, or in a tunnel's request."""
    body_guard.install(OWN, libraries=("urllib3",))
    with urllib3.ProxyManager(loopback.url) as pool:
        pool.request("POST", "http://api.test/v1", body=DIRTY, headers=TYPED)
    assert [received.body for received in loopback.received] == [b'{ "_sentry_x": {}}']
    host = loopback.url.removeprefix("http://").partition(":")
    connection = urllib3.connection.HTTPConnection(host[0], int(host[2]))
    connection._tunnel_host = "api.test"  # type: ignore[attr-defined]
    connection._tunnel = lambda: None  # type: ignore[attr-defined,method-assign]
    connection.request("POST", "/v1", DIRTY, TYPED)
    connection.getresponse()
    connection.close()
    assert loopback.received[1].body == b'{ "_sentry_x": {}}'


def test_an_address_that_is_none(loopback: Provider) -> None:
    """The library's own error comes through."""
    host = loopback.url.removeprefix("http://").partition(":")
    connection = urllib3.connection.HTTPConnection(host[0], int(host[2]))
    with pytest.raises(ValueError, match="Invalid IPv6 URL"):
        connection.request("POST", "http://[::1", DIRTY, TYPED)
    connection.close()


def test_sentrys_own_envelopes(loopback: Provider, reports: list[body_guard.Report]) -> None:
    """They arrive as they are, compressed, and are counted as not judged."""
    secret = {"_sentry_x": "kept"}
    with sentry_sdk.isolation_scope() as scope:
        client = sentry_sdk.Client(
            dsn=loopback.url.replace("http://", "http://k@") + "/1",
            default_integrations=False,
            transport=sentry_sdk.transport.HttpTransport,
            _experiments={"transport_compression_algo": "gzip"},
        )
        scope.set_client(client)
        scope.capture_event({"message": "m", "extra": secret})
        client.close(timeout=5)
    (received,) = loopback.received
    assert received.headers["Content-Type"] == "application/x-sentry-envelope"
    assert b'"_sentry_x":"kept"' in gzip.decompress(received.body)
    assert body_guard.counts().findings == {}
