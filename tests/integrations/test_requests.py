"""requests: what its own two steps are, auth between them included."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
import requests

import body_guard
from body_guard import Policy, Rule, SignedBodyError
from body_guard.cli.provider import Provider

DIRTY = b'{"a": 1.10, "_sentry_x": {}}'
TYPED = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def installed() -> Iterator[list[body_guard.Report]]:
    body_guard.install(libraries=("requests",))
    with body_guard.collect() as reports:
        yield reports
    body_guard.uninstall()


def test_auth_signs_what_is_clean(loopback: Provider) -> None:
    """The body is judged before auth sees it."""
    seen: list[Any] = []

    def sign(request: Any) -> Any:
        seen.append(request.body)
        request.headers["X-Hub-Signature-256"] = f"of {len(request.body)} bytes"
        return request

    requests.post(loopback.url, json={"a": 1, "_sentry_x": 1}, auth=sign)
    assert seen == [b'{"a": 1}'] == [received.body for received in loopback.received]


def poison(request: Any) -> Any:
    request.body = DIRTY
    request.prepare_content_length(DIRTY)
    return request


def poison_and_sign(request: Any) -> Any:
    request.headers["Stripe-Signature"] = "v1=0"
    return poison(request)


def test_what_auth_makes_of_a_body(loopback: Provider, installed: Any) -> None:
    """It is judged again where it is sent; refused where it is signed."""
    response = requests.post(loopback.url, json={}, auth=poison)
    assert [received.body for received in loopback.received] == [b'{"a": 1.10}']
    assert response.request.body == b'{"a": 1.10}'
    with pytest.raises(SignedBodyError, match="stripe-signature"):
        requests.post(loopback.url, json={}, auth=poison_and_sign)
    assert len(loopback.received) == 1
    assert [report.changed for report in installed] == [False, True, False, True]


def test_a_request_that_was_prepared_before(loopback: Provider, installed: Any) -> None:
    """It is judged when it is sent; sent again as it is, it is not reported again."""
    body_guard.uninstall()
    request = requests.Request("POST", loopback.url, data=DIRTY, headers=TYPED).prepare()
    body_guard.install(libraries=("requests",))
    with requests.Session() as session:
        session.send(request)
        session.send(request)
        assert len(installed) == 1
        body_guard.install(Policy((Rule("own", keys=("a",)),)), libraries=("requests",))
        session.send(request)
    assert [r.body for r in loopback.received] == [b'{"a": 1.10}', b'{"a": 1.10}', b"{}"]


def test_forms_and_uploads_pass(loopback: Provider, installed: Any) -> None:
    """Byte for byte, and reported as not judged."""
    requests.post(loopback.url, data={"_sentry_x": "1"})
    requests.post(
        loopback.url, files={"_sentry_x": ("f", b'{"_sentry_x": 1}')}, json={"_sentry_x": 1}
    )
    form, upload = loopback.received
    assert form.body == b"_sentry_x=1"
    assert upload.body.count(b"_sentry_x") == 2
    assert [(each.judged, each.findings) for each in installed] == [(False, ())] * 2


def test_a_value_that_is_nothing(loopback: Provider, installed: Any) -> None:
    """NaN alone is null, which requests takes for no body: it is reported."""
    requests.post(loopback.url, json=float("nan"))
    assert loopback.received[0].body == b""
    assert [each.rule for report in installed for each in report.findings] == ["non-finite"]


def test_an_audit_of_not_a_number(loopback: Provider) -> None:
    """The library's own error, which is none of json's."""
    body_guard.install(Policy(mode="audit"), libraries=("requests",))
    with body_guard.collect() as reports, pytest.raises(requests.exceptions.InvalidJSONError):
        requests.post(loopback.url, json=[float("nan")])
    assert [each.path for report in reports for each in report.findings] == ["/0"]


def test_another_json_module(loopback: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it can write is legal, as simplejson's Decimal is, and what it cannot is taken out."""

    def dumps(value: Any, **options: Any) -> str:
        return json.dumps(
            value, default=lambda v: float(v) if type(v) is Decimal else v.no, **options
        )

    monkeypatch.setattr(sys.modules["requests.models"], "complexjson", SimpleNamespace(dumps=dumps))
    signed = {"X-Signature": "s"}
    requests.post(loopback.url, json={"a": Decimal("1.5")}, headers=signed)  # nothing was changed
    for value in ({"a": Decimal("1.5")}, {"a": Decimal("1.5"), "_sentry_x": 1}):
        requests.post(loopback.url, json=value)
    assert [r.body for r in loopback.received] == [b'{"a": 1.5}'] * 3

    def cyclic(value: Any, **options: Any) -> str:
        return json.dumps(value, default=lambda v: v, **options)  # a ValueError

    monkeypatch.setattr(
        sys.modules["requests.models"], "complexjson", SimpleNamespace(dumps=cyclic)
    )
    requests.post(loopback.url, json={"a": object(), "b": 1})
    assert loopback.received[-1].body == b'{"b": 1}'


def failing(value: Any, **_: Any) -> str:
    raise TypeError("mine")


def test_an_encoder_that_fails(monkeypatch: pytest.MonkeyPatch, installed: Any) -> None:
    """Its error comes through, and there is nothing to report."""
    monkeypatch.setattr(
        sys.modules["requests.models"], "complexjson", SimpleNamespace(dumps=failing)
    )
    with pytest.raises(TypeError, match="mine"):
        requests.post("http://x.test", json={"a": 1})
    assert installed == []


def test_an_address_that_is_none() -> None:
    """The library's own error comes through."""
    with pytest.raises(requests.exceptions.RequestException):
        requests.post("http://[::1", data=DIRTY)
    request = requests.Request("POST", "http://x.test", data=DIRTY).prepare()
    request.body = DIRTY
    request.url = "http://[::1"
    adapter = requests.adapters.HTTPAdapter()
    with pytest.raises((ValueError, requests.exceptions.InvalidURL)):
        adapter.send(request)
    assert request.body == b'{"a": 1.10}'
