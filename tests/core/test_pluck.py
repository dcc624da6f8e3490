"""What is taken out by name alone, and that a walk would have done the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from body_guard import Finding, Policy, Report, Rule, Sanitizer
from body_guard.core import sanitizer as sanitizing
from body_guard.core.encode import encode
from body_guard.core.pluck import plucked
from body_guard.core.proof import proof_of
from body_guard.core.report import CLEAN
from body_guard.core.rules import Matcher
from body_guard.core.walk import walk

from hostile import HOSTILE, Span, hostile_key, snapshot
from strategies import planted

RULES = (
    Rule("sentry", prefixes=("_sentry_",), owner="sentry-sdk"),
    Rule("short", keys=("secret",), prefixes=("__",)),
    Rule("bound", keys=("id",), scope=("/metadata/**",)),
    Rule("told", keys=("told",), action="report"),
    Rule("hidden", keys=("hidden",), action="replace", replacement=None),
    Rule("refused", keys=("refused",), action="reject"),
    Rule("halved", keys=("a\ufffd", "b\ud800")),
)
MATCHER = Matcher(RULES)
SPAN = "sentry_sdk.tracing.Span"


@pytest.mark.parametrize(
    ("value", "left", "findings"),
    [
        pytest.param(
            {"model": "m", "metadata": {"_sentry_span": Span(), "user": "u"}, "n": [1]},
            {"model": "m", "metadata": {"user": "u"}, "n": [1]},
            [Finding("/metadata/_sentry_span", "sentry", "remove", SPAN, "sentry-sdk")],
            id="a live object in the metadata",
        ),
        pytest.param(
            {"secret": Span(), "a": {"b": {"__x": 1}, "c": 2}, "_sentry_": None},
            {"a": {"b": {}, "c": 2}},
            [
                Finding("/secret", "short", "remove", SPAN, "sentry_sdk"),
                Finding("/a/b/__x", "short", "remove", "builtins.int"),
                Finding("/_sentry_", "sentry", "remove", "builtins.NoneType", "sentry-sdk"),
            ],
            id="several, in the order of the body",
        ),
        pytest.param(
            {"a~/\n": {'_sentry_"é': {"_sentry_": 1}}},
            {"a~/\n": {}},
            [
                Finding(
                    '/a~0~1\\u000a/_sentry_\\"\\u00e9',
                    "sentry",
                    "remove",
                    "builtins.dict",
                    "sentry-sdk",
                )
            ],
            id="names that a path escapes",
        ),
    ],
)
def test_what_is_taken_out(value: Any, left: Any, findings: list[Finding]) -> None:
    """Members go by their names; the rest is the same, the caller's object too."""
    before = snapshot(value)
    assert plucked(value, MATCHER) == (left, Report(tuple(findings), changed=True))
    assert snapshot(value) == before


def untouched(value: Any) -> bool:
    """Tell whether nothing is taken out, and nothing told."""
    left, report = plucked(value, MATCHER)
    return left is value and report is CLEAN


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"a": 1, "m": {"b": Span()}, "_sent": 1, "\u00e9": 2}, id="no such name"),
        pytest.param([{"secret": 1}], id="in a list"),
        pytest.param({"a": [{"secret": 1}]}, id="below a list"),
        pytest.param(type("Own", (dict,), {})({"secret": 1}), id="dict of a foreign class"),
        pytest.param({"secret": 1, 1: 2}, id="beside a name that is no string"),
        pytest.param({"metadata": {"id": 1}}, id="rule for certain places"),
        pytest.param({"told": 1}, id="rule that reports"),
        pytest.param({"hidden": 1}, id="rule that replaces"),
        pytest.param({"refused": 1}, id="rule that refuses"),
        pytest.param({"a\ud800": 1, "b\ud800": 1}, id="half a character in the name"),
        pytest.param({"secret": 1, **dict.fromkeys(map(str, range(1000)))}, id="many members"),
    ],
)
def test_what_is_left_to_a_walk(value: Any) -> None:
    """What is not sure to go, or would take long to find, stays."""
    assert untouched(value)


def test_only_what_changes_is_copied() -> None:
    """The dicts on the way to what was taken out are copies, all else is the caller's own."""
    value: dict[str, Any] = {"a": {"secret": 1}, "b": {"c": {}}, "d": [1]}
    left: Any
    left, _ = plucked(value, MATCHER)
    assert left == {"a": {}, "b": {"c": {}}, "d": [1]}
    assert left["b"] is value["b"]
    assert left["d"] is value["d"]


def test_shared_dicts_take_no_time() -> None:
    """A few dicts that stand in 2**40 places, and one in itself, are looked at up to a bound."""
    value: dict[str, Any] = {"secret": 1}
    for _ in range(40):
        value = {"a": value, "b": value}
    assert not untouched(value)
    value = {}
    value["a"] = value
    assert untouched(value)


def test_levels_are_bounded() -> None:
    """What stands 250 levels below the body is found; what stands deeper is left to a walk."""

    def below(levels: int) -> dict[str, Any]:
        value: dict[str, Any] = {"secret": 1}
        for _ in range(levels):
            value = {"a": value}
        return value

    assert not untouched(below(250))
    assert untouched(below(251))


def test_a_full_stack_leaves_all_to_a_walk() -> None:
    """Where the caller has no levels of the interpreter left, nothing is taken out."""
    value: dict[str, Any] = {"secret": 1}
    for _ in range(100):
        value = {"a": value}

    def down() -> Any:
        try:
            return down()
        except RecursionError:
            return untouched(value)

    assert not untouched(value)
    assert down()


@pytest.mark.parametrize("name", HOSTILE)
def test_no_code_of_a_value_is_run(name: str) -> None:
    """A hostile value is carried along or taken out, and never asked for anything."""
    make, _ = HOSTILE[name]
    _, report = plucked({"a": make(), "b": {"secret": make()}}, MATCHER)
    assert [finding.path for finding in report.findings] == ["/b/secret"]
    assert untouched(make())


@pytest.mark.parametrize("base", [object, str, int], ids=lambda base: base.__name__)
def test_no_code_of_a_key_is_run(base: type) -> None:
    """A hostile key is never hashed nor compared."""
    key, arm = hostile_key(base)
    value = {"secret": 1, key: 2, "_sentry_": 3}
    arm()
    assert untouched(value)


@given(planted())
def test_a_walk_does_the_same(bodies: tuple[Any, dict[Any, Any]]) -> None:
    """Where the rest is plain data, value and report are those of a walk."""
    policy = Policy()
    matcher = Matcher(policy.rules)
    left, report = plucked(bodies[1], matcher)
    if not report.changed or not proof_of(left, policy.max_bytes):
        return
    walked = walk(bodies[1], policy, matcher, for_encoder=True)
    if report == walked.report:
        assert left == walked.value
    else:  # something is left to find, which a look at the encoding tells
        assert len(walked.report.findings) > len(report.findings)
        assert b'"_sentry' in encode(left)


@pytest.mark.parametrize("writer", ["orjson", "json"], indirect=True)
@pytest.mark.parametrize(
    ("value", "text", "paths"),
    [
        pytest.param(
            {"m": "é", "metadata": {"_sentry_": Span()}}, '{"m":"é","metadata":{}}',
            ["/metadata/_sentry_"], id="plain",
        ),
        pytest.param(
            {"_sentry_": Span(), "m": [{"secret": 1}]}, '{"m":[{}]}',
            ["/_sentry_", "/m/0/secret"], id="another name further down",
        ),
        pytest.param(
            {"_sentry_": Span(), "m": {"x": Span()}, 'hidden': 5}, '{"m":{},"hidden":null}',
            ["/_sentry_", "/m/x", "/hidden"], id="another live object, and a rule that replaces",
        ),
        pytest.param(
            {"a\ud800": 1, "b\ud800": 2, "_sentry_\udfff": 3}, '{"b\ufffd":2}',
            ["/a\\ud800", "/b\\ud800", "/_sentry_\\udfff"], id="names with half a character",
        ),
    ],
)  # fmt: skip
def test_the_body_that_leaves(value: Any, text: str, paths: list[str]) -> None:
    """Whoever takes members out, body and report are the same."""
    content, report = Sanitizer(Policy(RULES)).encode(value)
    assert content.decode() == text
    assert [finding.path for finding in report.findings] == paths
    assert report == walk(value, Policy(RULES), MATCHER, for_encoder=True).report


def test_the_common_case_is_not_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    """One live object in the metadata of a plain body takes no walk, whoever encodes the rest."""
    monkeypatch.delattr(sanitizing, "walk")
    body = {"m": [1], "metadata": {"_sentry_span": Span()}}
    content, report = Sanitizer().encode(body)
    assert content == b'{"m":[1],"metadata":{}}'
    assert len(report.findings) == 1
    assert Sanitizer().prepare(body) == ({"m": [1], "metadata": {}}, report)
