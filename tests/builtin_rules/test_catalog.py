"""The built-in rules, row by row."""

from __future__ import annotations

import json
from typing import Any, get_args

import httpx
import pytest

from body_guard import Policy, PolicyError, Rule, Sanitizer, guard, presets
from body_guard.body_checks import find_schema
from body_guard.builtin_rules.catalog import preset
from body_guard.builtin_rules.preset_names import PresetName
from body_guard.builtin_rules.preset_tables import PRESETS
from body_guard.builtin_rules.schema import Provider
from body_guard.builtin_rules.sentry import SENTRY

ROWS = [
    pytest.param(name, rule, id=f"{name} {rule.name}")
    for name, rules in PRESETS.items()
    for rule in rules
]


def test_the_default_policy_is_sentrys_bookkeeping() -> None:
    """On by default: two prefixes that are Sentry's own, with owner and evidence."""
    (rule,) = SENTRY
    assert rule == Rule(
        name="sentry",
        keys=(),
        prefixes=("_sentry_", "_sentrysdk_"),
        types=(),
        action="remove",
        owner="sentry-sdk",
        evidence="https://github.com/getsentry/sentry-python/issues/6596",
    )
    assert Policy().rules == SENTRY
    assert preset("sentry") is SENTRY


def test_the_presets_are_these() -> None:
    """Their names are public: a policy file spells them."""
    assert list(PRESETS) == [
        *("sentry", "litellm", "litellm-replay", "cloud-credentials", "opentelemetry", "datadog"),
        *(
            "langfuse",
            "langfuse-trace",
            "langchain",
            "helicone",
            "mlflow",
            "opik",
            "posthog",
            "traceloop",
        ),
        *("trace-headers", "app-ui", "generic-private"),
    ]


@pytest.mark.parametrize(("name", "rule"), ROWS)
def test_a_row_says_whose_it_is_and_what_shows_it(name: str, rule: Rule) -> None:
    """Owner and evidence in every row; all but Sentry's keep to a place and off the zones."""
    assert rule.owner or name == "generic-private"
    assert rule.evidence
    assert rule.action == "remove"
    if name != "sentry":
        assert rule.protect
        # Names that stand anywhere else than here are found by types, or are unmistakable.
        assert rule.scope != ("**",) or rule.types or rule.name == "opentelemetry-keys"


@pytest.mark.parametrize(("name", "rule"), ROWS)
def test_no_row_takes_what_an_api_knows(name: str, rule: Rule) -> None:
    """No name of OpenAI's or Anthropic's requests is in any preset."""
    known = {
        key
        for provider in get_args(Provider)
        for shape in find_schema(provider).shapes.values()
        for key in shape.root | shape.element
    }
    assert len(known) > 100
    taken = {key for key in known if key in rule.keys or key.startswith(rule.prefixes)}
    assert taken == set(), name


def test_several_by_name() -> None:
    """What a policy is built of; a name given twice counts once."""
    rules = presets("sentry", "litellm", "sentry")
    assert rules == (*SENTRY, *PRESETS["litellm"])
    assert Policy(rules).rules == rules
    assert Policy(presets(*PRESETS))


def test_type_checkers_know_every_name() -> None:
    """The names that presets() takes are those of the table, in its order."""
    assert get_args(PresetName) == tuple(PRESETS)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("litelm", "There is no preset 'litelm'; did you mean 'litellm'?"),
        ("Sentry", "There is no preset 'Sentry'; did you mean 'sentry'?"),
        (
            "xyzzy",
            "There is no preset 'xyzzy'; there are sentry, litellm, litellm-replay, "
            "cloud-credentials, opentelemetry, datadog, langfuse, langfuse-trace, langchain, helicone, mlflow, opik, posthog, "
            "traceloop, trace-headers, app-ui, generic-private.",
        ),
    ],
)
def test_a_name_that_is_none(name: str, message: str) -> None:
    """The nearest right spelling, or all there are."""
    with pytest.raises(PolicyError) as raised:
        presets("sentry", name)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            ["litellm", "datadog"],
            "presets takes names, each a string, not list; write presets('litellm', 'datadog').",
        ),
        (("sentry",), "presets takes names, each a string, not tuple; write presets('sentry')."),
        ([], "presets takes names, each a string, not list; write presets('sentry', 'litellm')."),
        (
            ["litelm", 3],
            "presets takes names, each a string, not list; write presets('sentry', 'litellm').",
        ),
        (
            None,
            "presets takes names, each a string, not NoneType; write presets('sentry', 'litellm').",
        ),
    ],
    ids=["list", "tuple", "empty", "no names", "none"],
)
def test_names_are_given_one_by_one(given: Any, message: str) -> None:
    """A list of them is the mistake that one makes."""
    for call in (presets, preset, lambda given: presets("sentry", given)):
        with pytest.raises(PolicyError) as raised:
            call(given)
        assert str(raised.value) == message


EVERY = Sanitizer(Policy(presets(*PRESETS)))

LEAKS = [
    ("litellm", {"_litellm_rate_limit_descriptors": []}, "/_litellm_rate_limit_descriptors"),
    ("litellm", {"metadata": {"litellm_call_id": "x"}}, "/metadata/litellm_call_id"),
    ("litellm-user-api-key", {"metadata": {"user_api_key": "h"}}, "/metadata/user_api_key"),
    (
        "litellm-user-api-key",
        {"metadata": {"requester": {"user_api_key_hash": "h"}}},
        "/metadata/requester/user_api_key_hash",
    ),
    ("litellm-metadata", {"metadata": {"headers": {}}}, "/metadata/headers"),
    ("litellm-metadata", {"metadata": {"hidden_params": {}}}, "/metadata/hidden_params"),
    ("litellm-guardrails", {"metadata": {"pillar_flagged": 1}}, "/metadata/pillar_flagged"),
    ("litellm-metadata-private", {"metadata": {"_otel_internal": 1}}, "/metadata/_otel_internal"),
    ("litellm-interception", {"_agentic_loop_depth": 1}, "/_agentic_loop_depth"),
    ("litellm-call", {"model_alias_map": {}}, "/model_alias_map"),
    ("litellm-retries", {"generationConfig": {"max_retries": 1}}, "/generationConfig/max_retries"),
    ("litellm-router", {"max_parallel_requests": 1}, "/max_parallel_requests"),
    ("litellm-prices", {"input_cost_per_token": 1}, "/input_cost_per_token"),
    ("litellm-callback-settings", {"dd_api_key": "s"}, "/dd_api_key"),
    ("cloud-credentials", {"aws_secret_access_key": "s"}, "/aws_secret_access_key"),
    (
        "litellm-replay",
        {"messages": [{}, {"provider_specific_fields": {}}]},
        "/messages/1/provider_specific_fields",
    ),
    ("opentelemetry-keys", {"a": [{"parent_otel_span": 1}]}, "/a/0/parent_otel_span"),
    ("datadog", {"metadata": {"_dd_span": 1}}, "/metadata/_dd_span"),
    ("langfuse-trace", {"metadata": {"trace_user_id": "u"}}, "/metadata/trace_user_id"),
    ("langsmith", {"langsmith_extra": {}}, "/langsmith_extra"),
    ("langchain-metadata", {"metadata": {"ls_provider": "o"}}, "/metadata/ls_provider"),
    ("trace-headers", {"traceparent": "00-"}, "/traceparent"),
    ("app-ui", {"messages": [{"_db_id": 1}]}, "/messages/0/_db_id"),
    ("generic-private", {"_effort": "high"}, "/_effort"),
    ("generic-private", {"messages": [{"_id": 1}]}, "/messages/0/_id"),
    ("opik", {"metadata": {"opik_span": 1}}, "/metadata/opik_span"),
]


@pytest.mark.parametrize(("rule", "body", "path"), LEAKS)
def test_what_was_seen_to_leak_is_taken(rule: str, body: dict[str, object], path: str) -> None:
    """With every preset on, as an object and as bytes; the finding says who put it there."""
    content = json.dumps({"model": "m", **body}).encode()
    for report in (EVERY.sanitize(body)[1], EVERY.sanitize_bytes(content)[1]):
        (finding,) = report.findings
        assert (finding.path, finding.rule, finding.action) == (path, rule, "remove")
        (owner,) = {row.owner for rows in PRESETS.values() for row in rows if row.name == rule}
        assert finding.owner == owner


KEPT = [
    ("MCP's trace context", {"params": {"_meta": {"traceparent": "00-", "_dd_trace_context": {}}}}),
    ("MCP's _meta at the root", {"_meta": {"traceparent": "00-"}, "metadata": {"_meta": 1}}),
    (
        "headers for a hosted MCP server",
        {"tools": [{"type": "mcp", "headers": {"sentry-trace": "x", "baggage": "y"}}]},
    ),
    (
        "a tool's property",
        {
            "tools": [
                {"function": {"parameters": {"properties": {"user_api_key": {}, "otel_span": {}}}}}
            ]
        },
    ),
    (
        "a tool call's arguments",
        {"messages": [{"content": [{"type": "tool_use", "input": {"parent_otel_span": "x"}}]}]},
    ),
    ("ordinary words at the root", {"id": "1", "tags": [], "headers": {}, "metadata": {"id": 1}}),
    ("metadata of one's own", {"metadata": {"user_id": "u", "run": "7", "baggage": "2 bags"}}),
    ("what Bedrock asks for", {"anthropic_version": "x", "anthropic_beta": []}),
    ("usage as Anthropic counts it", {"cache_read_input_tokens": 1, "input_tokens": 2}),
    ("deeper than metadata", {"metadata": {"mine": {"headers": 1, "endpoint": 2}}}),
]


@pytest.mark.parametrize(("what", "body"), KEPT)
def test_what_is_somebodys_stays(what: str, body: dict[str, object]) -> None:
    """With every preset on: names that mean something where they stand."""
    assert EVERY.sanitize(body)[0] is body, what
    content = json.dumps(body).encode()
    clean, report = EVERY.sanitize_bytes(content)
    assert clean is content
    assert report.findings == ()


OWNERS = [
    ("the preset's", presets("datadog"), {"_dd_span": Policy()}, "ddtrace"),
    (
        "the type's, where the rule names none",
        presets("generic-private"),
        {"_a": Policy()},
        "body_guard",
    ),
    ("nobody's", presets("generic-private"), {"_a": 1}, ""),
    ("the type's, without a rule", (), {"a": Policy()}, "body_guard"),
]


@pytest.mark.parametrize(
    ("rules", "body", "owner"), [row[1:] for row in OWNERS], ids=[row[0] for row in OWNERS]
)
def test_a_finding_names_its_owner(
    rules: tuple[Rule, ...], body: dict[str, object], owner: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The library to go to: in the finding, and in the line of the log."""
    with httpx.Client() as client:
        request = guard(client, policy=Policy(rules)).build_request("POST", "http://x", json=body)
    (finding,) = request.extensions["body_guard"].findings
    assert finding.owner == owner
    (record,) = caplog.records
    assert (f"owner {owner}" in record.getMessage()) == bool(owner)
