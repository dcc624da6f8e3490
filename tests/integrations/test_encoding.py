"""A library's encoder: in which style it writes, and what is sent when the guard itself fails."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

import body_guard
from body_guard import BodyRejectedError, GuardError, Policy, Sanitizer
from body_guard.core.encode import HTTPX, JSON_DUMPS
from body_guard.http.request_guard import Guard
from body_guard.integrations import values
from body_guard.integrations.encoding import Encoder, encode_body
from body_guard.integrations.stainless import _style_of


def compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def failing(value: Any) -> bytes:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("dumps", "style"),
    [(compact, HTTPX), (lambda value: json.dumps(value).encode(), None), (failing, None)],
    ids=["httpx's", "another", "none"],
)
def test_the_style_of_an_encoder_is_seen_in_what_it_writes(dumps: Any, style: Any) -> None:
    """Only an encoder that writes as httpx does is one that the compiled pass can stand in for."""
    assert _style_of(dumps) == style


@pytest.mark.parametrize("on_error", ["send", "block"])
def test_a_guard_that_fails(on_error: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is encoded, unless the policy says to send the value as it is."""

    def fail(*args: object, **options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Sanitizer, "encode_as", fail)
    guard = Guard(httpx, Policy(on_error=on_error))
    encoder = Encoder(json.dumps, JSON_DUMPS)
    if on_error == "send":
        assert encode_body(guard, encoder, {"_sentry_x": 1}) == '{"_sentry_x": 1}'
        return
    with pytest.raises(GuardError, match="ZeroDivisionError in fail"):
        encode_body(guard, encoder, {"_sentry_x": 1})


def test_a_policy_with_an_encoders_function_is_made_once() -> None:
    """And not for each body; of functions that never come again, a bounded number is kept."""
    policy = Policy()
    made = values._converting(policy, str)
    assert values._converting(policy, str) is made
    assert made.convert is str
    for _ in range(200):
        values._converting(policy, lambda value: value)
    assert len(values._policies) <= 64


def test_an_audit_refuses_nothing() -> None:
    """What a look at the whole body would refuse is written as it is, and reported."""
    guard = Guard(httpx, Policy(stringified="reject", mode="audit"))
    value = {"a": "<object object at 0x7f2d3c>"}
    with body_guard.collect() as reports:
        assert encode_body(guard, Encoder(json.dumps, JSON_DUMPS), value) == json.dumps(value)
    assert {report.mode for report in reports} <= {"audit"}


def test_what_is_refused_is_refused_here() -> None:
    """The look at the whole body comes behind the compiled pass, and its refusal goes through."""
    guard = Guard(httpx, Policy(stringified="reject"))
    with pytest.raises(BodyRejectedError, match="rule stringified"):
        encode_body(guard, Encoder(json.dumps, JSON_DUMPS), {"a": "<object object at 0x7f2d3c>"})


@pytest.mark.parametrize(
    ("mode", "error"),
    [("audit", RecursionError), ("audit", ValueError), ("enforce", ValueError)],
)
def test_an_encoders_error_stays_its_own(mode: Any, error: type[Exception]) -> None:
    """An audit turns none into a refusal, and only a value too deep is refused as that."""

    def fail(value: object) -> str:
        raise error("mine")

    with pytest.raises(error, match="mine"):
        encode_body(Guard(httpx, Policy(mode=mode)), Encoder(fail, None), {"a": 1})
