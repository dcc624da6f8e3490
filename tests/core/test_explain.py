"""Of each rule it is said what becomes of it at a place, and why."""

from __future__ import annotations

import pytest

from body_guard import Rule
from body_guard.builtin_rules.zones import ZONES
from body_guard.core.explain import explain
from body_guard.core.matcher import Matcher

EXPLAINED = Matcher(
    (
        Rule("root", keys=("a", "x"), scope=("/", "/b/**")),
        Rule("spans", types=("m.Span", "m.Other"), scope=("/", "/metadata/**")),
        Rule("private", prefixes=("a", "_"), exceptions=("**/_meta",), protect=True),
        Rule("both", keys=("x",), types=("m.Span",)),
    ),
    ZONES,
)


UNNAMED = "none of its keys or prefixes matches the name"


SPANS = "would fire for a value of type m.Span, m.Other"


EXPLANATIONS: dict[str, tuple[str, list[tuple[bool, str]]]] = {
    "first": (
        "/a",
        [
            (True, "the key 'a'"),
            (False, SPANS),
            (False, "rule 'root' comes first"),
            (False, "would fire for a value of type m.Span"),
        ],
    ),
    "out-of-scope": (
        "/metadata/c/ab",
        [
            (False, UNNAMED),
            (False, SPANS),
            (True, "the prefix 'a'"),
            (False, "would fire for a value of type m.Span"),
        ],
    ),
    "below": (
        "/c/a",
        [
            (False, "its scope is /, /b/**"),
            (False, "its scope is /, /metadata/**"),
            (True, "the prefix 'a'"),
            (False, "would fire for a value of type m.Span"),
        ],
    ),
    "excepted": (
        "/b/_meta",
        [
            (False, UNNAMED),
            (False, "its scope is /, /metadata/**"),
            (False, "excepted by **/_meta"),
            (False, "would fire for a value of type m.Span"),
        ],
    ),
    "protected": (
        "/tools/0/input_schema/properties/_x",
        [
            (False, UNNAMED),
            (False, "its scope is /, /metadata/**"),
            (
                False,
                "protected by **/tools/**/properties: JSON Schema properties; tools of OpenAI, "
                "Anthropic, Gemini, Bedrock; hosted MCP tools",
            ),
            (False, "would fire for a value of type m.Span"),
        ],
    ),
    "named-though-of-any-type": (
        "/z/x",
        [
            (False, "its scope is /, /b/**"),
            (False, "its scope is /, /metadata/**"),
            (False, UNNAMED),
            (True, "the key 'x'"),
        ],
    ),
    "the-body": (
        "",
        [
            (False, UNNAMED),
            (False, "its scope is /, /metadata/**"),
            (False, UNNAMED),
            (False, "would fire for a value of type m.Span"),
        ],
    ),
    "escaped": (
        "/b/~01~1/a",
        [
            (True, "the key 'a'"),
            (False, "its scope is /, /metadata/**"),
            (False, "rule 'root' comes first"),
            (False, "would fire for a value of type m.Span"),
        ],
    ),
}


@pytest.mark.parametrize(("pointer", "rows"), EXPLANATIONS.values(), ids=EXPLANATIONS)
def test_what_becomes_of_each_rule_at_a_place(pointer: str, rows: list[tuple[bool, str]]) -> None:
    """In order: one fires at the most, and each other says why it does not."""
    judged = explain(EXPLAINED, pointer)
    assert [row.rule.name for row in judged] == ["root", "spans", "private", "both"]
    assert [(row.fires, row.why) for row in judged] == rows


def test_only_a_pointer_can_be_explained() -> None:
    """What is none is refused with the reason."""
    with pytest.raises(ValueError, match="begins with no slash"):
        explain(EXPLAINED, "metadata/a")
