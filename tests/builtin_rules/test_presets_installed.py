"""The presets against the libraries themselves: what they declare internal, or put into others."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from body_guard.builtin_rules.catalog import presets
from body_guard.builtin_rules.sentry import SENTRY
from body_guard.core.rule import Rule

#: The releases of litellm whose declarations the rows are complete for.
READ = ("1.106.2", "1.109.1", "1.110.2")

#: Names that litellm owns and the preset leaves alone, with the reason.
LEFT_OUT = {
    **dict.fromkeys(
        ("cache", "client", "headers", "id", "order", "roles", "self", "tags", "verbose", "weight"),
        "a word: members of other APIs are called so",
    ),
    **dict.fromkeys(
        ("azure", "base_model", "cache_key", "data_residency", "model_config", "rust", "ttl"),
        "a word: members of other APIs are called so",
    ),
    **dict.fromkeys(
        ("retry_policy", "retry_strategy", "rpd", "rpm", "tpd", "tpm", "itpm", "otpm"),
        "a word: APIs that run jobs take it, and litellm's own admin API",
    ),
    **dict.fromkeys(
        ("client_id", "client_secret", "tenant_id", "region_name"),
        "an OAuth token request in JSON, and most clouds' APIs, are made of these",
    ),
    **dict.fromkeys(
        ("prompt_environment", "prompt_id", "prompt_label", "prompt_variables", "prompt_version"),
        "registries of prompts take these",
    ),
    **dict.fromkeys(("bos_token", "eos_token"), "inference servers take them with a template"),
    **dict.fromkeys(("fallbacks", "guardrails"), "gateways take them; Anthropic takes fallbacks"),
    "api_key": "Tavily takes its key in the body",
    "api_version": "a word: members of other APIs are called so",
    "caching": "Volcengine's Responses API takes it",
    "metadata": "OpenAI and Anthropic take it; what stands in it is judged",
}

#: Where litellm declares names internal, and the place of a body that each list is about.
DECLARED = [
    ("litellm.types.utils", "all_litellm_params", "/"),
    ("litellm.types.integrations.custom_logger", "INTERCEPTION_INTERNAL_PREFIXES", "/"),
    (
        "litellm.proxy.common_utils.callback_utils",
        "LITELLM_PROXY_INTERNAL_METADATA_KEYS",
        "/metadata",
    ),
    (
        "litellm.integrations.clickhouse.clickhouse_spend_logger",
        "_INTERNAL_METADATA_KEYS",
        "/metadata",
    ),
    ("litellm.types.utils", "StandardLoggingUserAPIKeyMetadata", "/metadata"),
]


def lacking(declared: list[str], place: str) -> list[str]:
    """Return the names that no row of the presets takes at a place, nor is left out."""
    rules = presets("litellm", "cloud-credentials")
    rows = [rule for rule in rules if {place, f"{place}/**"} & {*rule.scope}]
    return [name for name in declared if name not in LEFT_OUT and not taken(name, rows)]


def taken(name: str, rules: tuple[Rule, ...] | list[Rule]) -> bool:
    return any(name in rule.keys or name.startswith(rule.prefixes) for rule in rules)


@pytest.mark.parametrize(("module", "name", "place"), DECLARED, ids=[row[1] for row in DECLARED])
def test_litellm_declares_nothing_that_we_lack(module: str, name: str, place: str) -> None:
    """Each name is in a row or left out for a reason; a list that is gone or empty is a failure.

    Three minor releases have brought forty names, so one that was not read is told of and not
    failed for.
    """
    pytest.importorskip("litellm", exc_type=ImportError)
    found = getattr(importlib.import_module(module), name)
    declared = sorted(getattr(found, "__annotations__", found))
    assert len(declared) >= 4
    missing = lacking(declared, place)
    release = importlib.metadata.version("litellm")
    if missing and release not in READ:
        pytest.skip(f"litellm {release} declares names that the preset lacks: {missing}")
    assert missing == []


def test_litellms_own_prefix_is_ours() -> None:
    """What litellm's own predicate says of names made up here."""
    utils = pytest.importorskip("litellm.types.utils", exc_type=ImportError)
    owned = ["_litellm_x", "litellm_call_id", "_router_weights", "input_cost_per_token"]
    assert [utils.is_litellm_owned_kwarg(name) for name in owned] == [True] * 4
    assert lacking(owned, "/") == []
    assert lacking(["temperature", "_unheard_of"], "/") == ["temperature", "_unheard_of"]


def test_what_is_left_out_is_still_declared() -> None:
    """A reason for a name that litellm has given up would be in nobody's way but the reader's."""
    utils = pytest.importorskip("litellm.types.utils", exc_type=ImportError)
    if importlib.metadata.version("litellm") in READ:
        newer = {"rpd", "tpd"}  # 1.109.1
        assert set(LEFT_OUT) - newer <= set(utils.all_litellm_params)


#: Names that sentry-sdk puts into objects and dicts, which the prefixes do not cover.
SENTRYS_OTHER = {
    "sentry-trace": "a header; in tools[].headers it is meant for the MCP server",
    "baggage": "the same",
    "sentry_headers": "Huey's job payload, which its worker reads",
    "sentry_trace": "a variable of Flask's templates",
    "sentry_trace_meta": "a variable of templates",
    "sentry_items": "Sentry's own Baggage object",
    "sentry_logs_level": "Sentry's own integration object",
    "sentry_sdk": "Sentry's own Spotlight sidecar",
    "__sentry_repr__": "a method of Bottle's Route",
}
SENTRYS_OTHER_PREFIXES = {
    "sentry.": "attributes of Sentry's own spans and logs",
    "sentry_sdk.": "the ASGI scope of an MCP server",
    "sentry-monitor-": "headers of Celery's tasks",
    "sentry-task-": "headers of Celery's tasks",
}


def put_by(source: str) -> Iterator[str]:
    """Return the names that a module stores under: items, attributes, keys of dicts it writes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            yield from constants(node.slice)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.Dict):
            yield from constants(*node.keys)
        elif isinstance(node, ast.Call) and len(node.args) > 1:
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if called in ("setattr", "setdefault"):
                yield from constants(*node.args[:2])


def constants(*nodes: ast.expr | None) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_sentry_puts_nothing_into_others_that_we_lack() -> None:
    """Every name of Sentry's that its source stores is covered by the prefixes, or is explained."""
    spec = importlib.util.find_spec("sentry_sdk")
    if spec is None or spec.origin is None:
        pytest.skip("sentry_sdk is not installed")
    stored = {
        name
        for path in Path(spec.origin).parent.rglob("*.py")
        for name in put_by(path.read_text(encoding="utf-8"))
        if name.lstrip("_").startswith("sentry") or name == "baggage"
    }
    ours = {name for name in stored if taken(name, SENTRY)}
    assert {"_sentry_span", "_sentrysdk_span"} <= ours
    assert len(ours) >= 15
    rest = stored - ours - set(SENTRYS_OTHER)
    assert {name for name in rest if not name.startswith(tuple(SENTRYS_OTHER_PREFIXES))} == set()


def test_the_reader_of_sources_reads() -> None:
    """All the ways to store a name that it knows of."""
    source = """
a["_x_item"] = 1
a._x_attribute = 1
{"_x_key": 1}
setattr(a, "_x_setattr", 1)
a.setdefault("_x_default", 1)
a["_x_read"]; a._x_read; f("_x_read")
"""
    assert sorted(put_by(source)) == [
        "_x_attribute",
        "_x_default",
        "_x_item",
        "_x_key",
        "_x_setattr",
    ]
