"""Zones: a protecting rule takes no name that may be an application's own."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest

from body_guard import Policy, Rule, Sanitizer
from body_guard.builtin_rules.zones import ZONES
from body_guard.core.explain import explain
from body_guard.core.matcher import Matcher
from body_guard.core.scopes import parse_glob

from corpora import recorded

PROTECTING = Matcher((Rule("r", prefixes=("_", "content", "text", "input"), protect=True),), ZONES)

PLACES: dict[str, tuple[str, bool]] = {
    # pointer of a member, whether it stays
    "root": ("/_x", False),
    "metadata": ("/metadata/_x", False),
    "message": ("/messages/0/_x", False),
    "message-block": ("/messages/0/content/0/_x", False),
    "tool": ("/tools/0/_x", False),
    "tool-function": ("/tools/0/function/_x", False),
    "schema-itself": ("/tools/0/function/parameters/_x", False),
    "property": ("/tools/0/function/parameters/properties/_x", True),
    "within-a-property": ("/tools/0/function/parameters/properties/a/_x", False),
    "property-of-a-property": (
        "/tools/0/function/parameters/properties/a/properties/_x",
        True,
    ),
    "property-of-items": ("/tools/0/parameters/properties/a/items/properties/_x", True),
    "property-of-anyOf": ("/tools/0/parameters/anyOf/1/properties/_x", True),
    "pattern-property": ("/tools/0/parameters/patternProperties/_x", True),
    "defs": ("/tools/0/parameters/$defs/_x", True),
    "definitions": ("/tools/0/parameters/definitions/_x", True),
    "default": ("/tools/0/parameters/properties/a/default/_x", True),
    "default-deep": ("/tools/0/parameters/properties/a/default/b/0/_x", True),
    "enum": ("/tools/0/parameters/properties/a/enum/0/_x", True),
    "const": ("/tools/0/parameters/properties/a/const/_x", True),
    "examples": ("/tools/0/input_schema/examples/0/_x", True),
    "anthropic-schema": ("/tools/0/input_schema/properties/_x", True),
    "anthropic-examples": ("/tools/0/input_examples/0/_x", True),
    "anthropic-output": ("/output_format/schema/properties/_x", True),
    "anthropic-output-config": ("/output_config/format/schema/properties/_x", True),
    "mcp-schema": ("/result/tools/0/inputSchema/properties/_x", True),
    "gemini-schema": ("/tools/0/functionDeclarations/0/parameters/properties/_x", True),
    "gemini-response": ("/generationConfig/responseSchema/properties/_x", True),
    "bedrock-schema": ("/toolConfig/tools/0/toolSpec/inputSchema/json/properties/_x", True),
    "openai-functions": ("/functions/0/parameters/properties/_x", True),
    "openai-response-format": ("/response_format/json_schema/schema/properties/_x", True),
    "openai-responses-format": ("/text/format/schema/properties/_x", True),
    "response-format-itself": ("/response_format/_x", False),
    "openai-arguments": ("/messages/0/tool_calls/0/function/arguments/_x", True),
    "openai-arguments-deep": ("/messages/0/tool_calls/0/function/arguments/a/0/_x", True),
    "openai-call-itself": ("/messages/0/tool_calls/0/_x", False),
    "openai-old-arguments": ("/messages/0/function_call/arguments/_x", True),
    "openai-responses-arguments": ("/input/0/arguments/_x", True),
    "openai-responses-output": ("/input/0/output/0/_x", True),
    "openai-responses-item": ("/input/0/_x", False),
    "openai-variables": ("/prompt/variables/_x", True),
    "anthropic-input": ("/messages/0/content/1/input/_x", True),
    "anthropic-input-deep": ("/messages/0/content/1/input/a/_x", True),
    "bedrock-input": ("/messages/0/content/0/toolUse/input/_x", True),
    "bedrock-use-itself": ("/messages/0/content/0/toolUse/_x", False),
    "bedrock-result": ("/messages/0/content/0/toolResult/content/0/json/_x", True),
    "gemini-args": ("/contents/0/parts/0/functionCall/args/_x", True),
    "gemini-result": ("/contents/0/parts/0/functionResponse/response/a/_x", True),
    "cohere-parameters": ("/chat_history/1/tool_calls/0/parameters/_x", True),
    "cohere-outputs": ("/tool_results/0/outputs/0/_x", True),
    "mcp-arguments": ("/params/arguments/_x", True),
    "mcp-meta": ("/params/_meta", False),
    "batch-property": ("/body/tools/0/function/parameters/properties/_x", True),
    "message-text": ("/messages/0/content", True),
    "block-text": ("/messages/0/content/0/text", True),
    "tool-result-text": ("/messages/0/content/0/content", True),
    "responses-text": ("/input/0/content", True),
    "the-input": ("/input", True),
    "content-elsewhere": ("/metadata/content", False),
    "text-elsewhere": ("/metadata/text", False),
}


@pytest.mark.parametrize(("pointer", "stays"), PLACES.values(), ids=PLACES)
def test_what_a_protecting_rule_leaves_alone(pointer: str, stays: bool) -> None:
    """The names of schemas, arguments and results, and the members that hold text."""
    (judged,) = explain(PROTECTING, pointer)
    assert judged.fires is not stays
    assert judged.why.startswith("protected by " if stays else "the prefix ")


def test_the_table_is_in_order() -> None:
    """Each row is a glob, stands once, and says why."""
    globs = [zone.glob for zone in ZONES]
    assert len(globs) == len(set(globs))
    assert all(parse_glob(zone.glob) and zone.why for zone in ZONES)


def names(value: Any, path: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key)
            yield from names(item, (*path, key))
    elif isinstance(value, list):
        for item in value:
            yield from names(item, (*path, "*"))


def test_tools_of_recorded_bodies_keep_their_properties() -> None:
    """A rule against every property name there is takes none out of a recorded body's schemas."""
    bodies = []
    for record in recorded():
        with contextlib.suppress(ValueError):  # four are no JSON
            bodies.append(json.loads(record["raw"]))
    tools = [body["tools"] for body in bodies if isinstance(body, dict) and "tools" in body]
    properties = {
        path[-1] for found in tools for path in names(found, ()) if path[-2:-1] == ("properties",)
    }
    schema_words = {"type", "name", "description", "title", "items", "format", "function"}
    keys = tuple(sorted(properties - schema_words))
    assert len(tools) > 50
    assert len(keys) > 10
    bare = Sanitizer(Policy((Rule("r", keys=keys, scope=("/tools/**",)),)))
    protecting = Sanitizer(Policy((Rule("r", keys=keys, scope=("/tools/**",), protect=True),)))
    broken = 0
    for found in tools:
        body = {"tools": found}
        assert protecting.sanitize(body)[0] is body
        broken += bare.sanitize(body)[0] is not body
    assert broken > 50
