"""What a provider's API knows: the members of a body that it does not."""

from __future__ import annotations

import dataclasses
import enum
import json
from typing import Any

import pytest

from body_guard import BodyLimitError, BodyRejectedError, Finding, Policy, Report, Sanitizer

from hostile import hostile_class

CHAT = {
    "model": "m",
    "temperature": 0.5,
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"anything": 1}}}],
    "metadata": {"any": "string"},
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "hi", "deeper": 1}]},
        {"role": "assistant", "tool_calls": [{"id": "1", "anything": 2}]},
        {"role": "tool", "tool_call_id": "1", "content": "x"},
    ],
}
CLAUDE = {
    "model": "m",
    "max_tokens": 1,
    "system": [{"type": "text", "text": "s"}],
    "metadata": {"user_id": "u"},
    "messages": [{"role": "user", "content": [{"type": "image", "anything": 1}]}],
}

CLEAN = [
    pytest.param("openai", CHAT, id="chat"),
    pytest.param("openai", {"input": "text", "model": "m", "voice": "v"}, id="speech"),
    pytest.param("openai", {"input": ["a", [1]], "dimensions": 3}, id="embeddings"),
    pytest.param(
        "openai", {"input": [{"role": "user", "content": "x"}], "text": {}}, id="responses"
    ),
    pytest.param("openai", {"prompt": {"id": "p", "variables": {"x": 1}}}, id="prompt object"),
    pytest.param("openai", {**CHAT, "data_sources": []}, id="Azure"),
    pytest.param("anthropic", CLAUDE, id="messages"),
    pytest.param("anthropic", {**CLAUDE, "anthropic_version": "bedrock"}, id="Bedrock"),
    pytest.param("openai", {"anything": 1}, id="no call of a model"),
    pytest.param("openai", [1], id="no object"),
    pytest.param("openai", {"messages": "text", "metadata": None}, id="of other types"),
    pytest.param(
        "anthropic", {"messages": [1, None, "x"], "metadata": 1}, id="of other types still"
    ),
]


@pytest.mark.parametrize(("schema", "body"), CLEAN)
def test_what_the_api_knows_passes(schema: Any, body: object) -> None:
    """The same object, the same bytes, and nothing found, deeper members left alone."""
    sanitizer = Sanitizer(Policy(schema=schema, schema_action="remove"))
    clean, report = sanitizer.sanitize(body)
    assert clean is body
    assert report == Report()
    content = json.dumps(body).encode()
    clean, report = sanitizer.sanitize_bytes(content, "application/json")
    assert clean is content
    assert report == Report()
    content, report = sanitizer.encode(body)
    assert json.loads(content) == body
    assert report == Report()


STRAYS = [
    pytest.param("openai", {**CHAT, "_custom_leak": 1}, ["/_custom_leak"], id="root"),
    pytest.param("openai", {**CHAT, "traceparent": "00"}, ["/traceparent"], id="trace header"),
    pytest.param(
        "openai",
        {
            "messages": [
                {"role": "user", "content": "x", "_private": 1, "provider_specific_fields": {}}
            ]
        },
        ["/messages/0/_private", "/messages/0/provider_specific_fields"],
        id="message",
    ),
    pytest.param(
        "openai",
        {"input": [{"type": "message", "valid": True}]},
        ["/input/0/valid"],
        id="input item",
    ),
    pytest.param(
        "openai", {"prompt": "x", "litellm_call_id": 1}, ["/litellm_call_id"], id="completion"
    ),
    pytest.param(
        "anthropic",
        {**CLAUDE, "metadata": {"user_id": "u", "_latency_per_deployment": {}}},
        ["/metadata/_latency_per_deployment"],
        id="metadata",
    ),
    pytest.param("anthropic", {**CLAUDE, "input": 1}, ["/input"], id="another API's member"),
]


@pytest.mark.parametrize(("schema", "body", "paths"), STRAYS)
@pytest.mark.parametrize("action", ["report", "remove", "reject"])
def test_what_it_does_not_know_is_found(
    schema: Any, body: dict[str, Any], paths: list[str], action: Any
) -> None:
    """By the object, by its encoding and by bytes alike, and dealt with as the policy says."""
    before = json.dumps(body)
    sanitizer = Sanitizer(Policy(schema=schema, schema_action=action))
    for judge, given in (
        (sanitizer.sanitize, body),
        (sanitizer.encode, body),
        (sanitizer.sanitize_bytes, before.encode()),
    ):
        if action == "reject":
            with pytest.raises(BodyRejectedError, match=rf"rule {schema}-schema") as raised:
                judge(given)  # type: ignore[arg-type]
            report = raised.value.report
        else:
            left, report = judge(given)  # type: ignore[arg-type]
            value = json.loads(left) if isinstance(left, bytes) else left
            assert (json.dumps(value) == before) == (action == "report")
            assert report.changed == (action == "remove")
            if action == "remove":
                assert sanitizer.sanitize(value) == (value, Report())
        assert [finding.path for finding in report.findings] == paths
        assert {(found.rule, found.action) for found in report.findings} == {
            (f"{schema}-schema", action)
        }
    assert json.dumps(body) == before


def test_rules_come_first() -> None:
    """What a rule takes out is its finding; what it left is compared with the schema."""
    sanitizer = Sanitizer(Policy(schema="openai", schema_action="remove"))
    body = {"prompt": "x", "_sentry_span": {1}, "leak": float("nan")}
    assert sanitizer.sanitize(body) == (
        {"prompt": "x"},
        Report(
            (
                Finding("/_sentry_span", "sentry", "remove", "builtins.set", "sentry-sdk"),
                Finding("/leak", "non-finite", "replace", "builtins.float"),
                Finding("/leak", "openai-schema", "remove", "builtins.NoneType"),
            ),
            changed=True,
        ),
    )


def test_bytes_keep_all_their_members() -> None:
    """Of two members of one name both are compared; numbers may have any number of digits."""
    sanitizer = Sanitizer(Policy(schema="anthropic", schema_action="remove"))
    digits = b"1" * 5000
    content = b'{"messages":[], "metadata":{"bad":1e400}, "metadata":{"user_id":%b}}' % digits
    clean, report = sanitizer.sanitize_bytes(content, "application/json")
    assert clean == b'{"messages":[], "metadata":{}, "metadata":{"user_id":%b}}' % digits
    assert [finding.path for finding in report.findings] == ["/metadata/bad"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32-le"])
def test_bytes_go_out_in_their_encoding(encoding: str) -> None:
    """As with every rule; a byte order mark stays."""
    sanitizer = Sanitizer(Policy(schema="openai", schema_action="remove"))
    clean, report = sanitizer.sanitize_bytes(
        '{"prompt":"\u4f60", "le\u00e4k":1}'.encode(encoding), "application/json"
    )
    assert clean == '{"prompt":"\u4f60"}'.encode(encoding)
    assert [finding.path for finding in report.findings] == ["/le\\u00e4k"]


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        pytest.param(
            b'{"prompt":1,"x":2}\n{"prompt":1,"x":2}\n', "application/x-ndjson", id="lines"
        ),
        pytest.param(b'{"prompt":1,"x":2}\n{"prompt":1}', None, id="lines that nobody declared"),
        pytest.param(b'{"prompt":1,"x":2', "application/json", id="no JSON"),
        pytest.param(b"\xff\xd8\xff", "image/jpeg", id="an image"),
    ],
)
def test_what_is_not_looked_at(content: bytes, content_type: str | None) -> None:
    """Only one JSON text has a root to compare."""
    sanitizer = Sanitizer(Policy(schema="openai", schema_action="reject"))
    assert sanitizer.sanitize_bytes(content, content_type)[0] is content


DEEP = b'{"prompt":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
LARGE = b'{"prompt":"%b"}' % (b"x" * 1_000_000)


def test_bytes_that_cannot_be_looked_at() -> None:
    """Too deep is refused; too large is as the policy says."""
    policy = Policy(schema="openai", schema_action="remove", max_bytes=1_000_000)
    with pytest.raises(BodyLimitError, match="too deeply") as raised:
        Sanitizer(policy).sanitize_bytes(DEEP)
    assert raised.value.__cause__ is raised.value.__context__ is None
    with pytest.raises(BodyLimitError, match="larger than max_bytes"):
        Sanitizer(policy).sanitize_bytes(LARGE)
    sending = dataclasses.replace(policy, on_limit="send")
    clean, report = Sanitizer(sending).sanitize_bytes(LARGE)
    assert clean is LARGE
    assert report == Report(judged=False, why_not_judged="larger than max_bytes")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(DEEP, "nested too deeply", id="deep"),
        pytest.param(LARGE, "larger than max_bytes", id="large"),
    ],
)
def test_a_look_that_only_reports_refuses_nothing(content: bytes, why: str) -> None:
    """What it cannot judge goes out, and the report says so."""
    sanitizer = Sanitizer(Policy(schema="openai", stringified="report", max_bytes=1_000_000))
    clean, report = sanitizer.sanitize_bytes(content, "application/json")
    assert clean is content
    assert report == Report(judged=False, why_not_judged=why)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('[["["],["]]]]"],[{"[{": "\\\\\\"[[[" }], "\\\\"]', id="brackets in strings"),
        pytest.param("[" + "[]," * 3000 + "1]", id="many, not deep"),
    ],
)
def test_levels_are_those_of_containers(text: str) -> None:
    """A bracket inside a string is none."""
    content = '{"prompt":"' + "[" * 3000 + '","y":' + text + "}"
    sanitizer = Sanitizer(Policy(schema="openai", schema_action="remove"))
    clean, report = sanitizer.sanitize_bytes(content.encode(), "application/json")
    assert json.loads(clean) == {"prompt": "[" * 3000}
    assert [finding.path for finding in report.findings] == ["/y"]


@pytest.mark.parametrize("judge", ["sanitize", "encode"])
def test_what_is_refused_beyond_the_listed_findings_is_refused(judge: str) -> None:
    """Duplicates fill the list; what may not leave stands behind them."""
    numbers = {key: 1 for number in range(1001) for key in (number, str(number))}
    body = {"metadata": numbers, "messages": [], "model": "m", "_spy": 1}
    sanitizer = Sanitizer(Policy(schema="openai", schema_action="reject"))
    with pytest.raises(BodyRejectedError, match=r": /_spy \(rule openai-schema"):
        getattr(sanitizer, judge)(body)


class Kind(str, enum.Enum):
    MODEL = "model"
    SPY = "_spy"


def test_names_are_those_that_json_writes() -> None:
    """Object and bytes lose the same: numbers, null, an Enum's value."""
    sanitizer = Sanitizer(Policy(schema="openai", schema_action="remove"))
    body = {"messages": [], Kind.MODEL: "m", Kind.SPY: 1, 7: 1, None: 2, 1.5: 3, float("nan"): 4}
    clean, report = sanitizer.sanitize(body)
    assert json.dumps(clean) == '{"messages": [], "model": "m"}'
    assert [finding.path for finding in report.findings] == [
        "/<builtins.float>",
        "/_spy",
        "/7",
        "/null",
        "/1.5",
    ]
    content = b'{"messages":[],"model":"m","_spy":1,"7":1,"null":2,"1.5":3}'
    assert sanitizer.encode(body)[0] == b'{"messages":[],"model":"m"}'
    clean, report = sanitizer.sanitize_bytes(content, "application/json")
    assert clean == b'{"messages":[],"model":"m"}'
    assert [finding.path for finding in report.findings] == ["/_spy", "/7", "/null", "/1.5"]


#: A dict cannot do without these two.
Name = hostile_class(str, spared=("__hash__", "__eq__"))


def test_no_code_of_a_stranger_is_run() -> None:
    """Neither of a list that is a string, nor of a name."""
    sanitizer = Sanitizer(Policy(schema="openai", schema_action="remove", stringified="report"))
    body = {"messages": hostile_class(str)("hi"), Name("spy"): 1, "metadata": {}}
    _, report = sanitizer.sanitize(body)
    assert [finding.path for finding in report.findings] == ["/spy"]


def test_a_name_that_is_no_utf8_is_no_name() -> None:
    """Bytes that no API reads as JSON stay: there is no name that the schema could know."""
    content = b'{"messages":[],"\xff":1}'
    clean, report = Sanitizer(Policy(schema="openai", schema_action="remove")).sanitize_bytes(
        content
    )
    assert clean is content
    assert not report.changed
