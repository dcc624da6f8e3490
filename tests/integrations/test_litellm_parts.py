"""What litellm's providers encode that is no whole body: no rule for a place may reach it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import body_guard.integrations.litellm
from body_guard import Policy, presets
from body_guard.builtin_rules.preset_tables import PRESETS
from body_guard.http.request_guard import Guard

pytest.importorskip("litellm", exc_type=ImportError)

from litellm.llms.bedrock.base_aws_llm import BaseAWSLLM

from body_guard.integrations._litellm_bodies import guard_for


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    body_guard.integrations.litellm.install(
        Policy(presets(*PRESETS), schema="openai", schema_action="remove")
    )
    yield
    body_guard.integrations.litellm.uninstall()


def dumped(value: object) -> Any:
    """Encode as a provider's module would."""
    scope: dict[str, Any] = {"__name__": "litellm.llms.bedrock.x", "json": json, "value": value}
    exec("text = json.dumps(value)", scope)
    return json.loads(scope["text"])


def test_credentials_are_told_apart_in_a_cache() -> None:
    """litellm hashes the JSON of its arguments: without their names, all accounts were one."""
    one, other = (
        BaseAWSLLM().get_cache_key({"aws_access_key_id": key, "aws_secret_access_key": key})
        for key in ("a", "b")
    )
    body_guard.integrations.litellm.uninstall()
    assert one != other
    unguarded = BaseAWSLLM().get_cache_key({"aws_access_key_id": "a", "aws_secret_access_key": "a"})
    assert one == unguarded


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"max_budget": 5, "headers": {}, "_private": 1}, id="a tool's arguments"),
        pytest.param({"prompt": "a cat", "max_retries": 3}, id="like a body of a schema"),
        pytest.param([{"max_budget": 5}], id="a list"),
        pytest.param("text", id="text"),
    ],
)
def test_a_part_is_left_alone(value: object) -> None:
    """As it is, place-bound names and names unknown to a schema included."""
    assert dumped(value) == value


def test_what_may_be_nowhere_is_taken_out_of_a_part() -> None:
    """Sentry's bookkeeping is in nobody's arguments."""
    assert dumped({"max_budget": 5, "_sentry_span": "x"}) == {"max_budget": 5}


@pytest.mark.parametrize("told_by", ["messages", "model", "inputs", "contents"])
def test_a_whole_body_is_judged_whole(told_by: str) -> None:
    """Before it is signed: SageMaker's holds the keys it is signed with."""
    body = {told_by: [], "aws_secret_access_key": "s", "max_budget": 5, "_private": 1}
    assert dumped(body) == {told_by: []}


def test_a_whole_body_is_compared_with_the_schema() -> None:
    """Though its text holds no name of a rule."""
    assert dumped({"messages": [], "next_years_leak": 1}) == {"messages": []}


def test_a_policy_without_places_is_the_same_for_parts() -> None:
    """The default: nothing is made anew for a part."""
    guard = Guard(httpx)
    assert guard_for(guard, {}) is guard
    assert guard_for(guard, {"model": "m"}) is guard
    assert guard_for(guard, []) is guard
