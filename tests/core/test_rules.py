"""A rule is a checked value; a matcher asks the rules in their order."""

from __future__ import annotations

import dataclasses
import math
import pickle
import re
from typing import Any, get_args

import pytest

from body_guard import PolicyError, Rule
from body_guard.core.rules import RESERVED, Action, Matcher, Placed

from hostile import HostileMeta, Span, hostile_class

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no-name": ({"name": "", "keys": ("a",)}, "A rule needs a name, a non-empty string; got ''."),
    "name-none": (
        {"name": None, "keys": ("a",)},
        "A rule needs a name, a non-empty string; got None.",
    ),
    "name-bytes": (
        {"name": b"x", "keys": ("a",)},
        "A rule needs a name, a non-empty string; got b'x'.",
    ),
    "reserved": (
        {"name": "cycle", "keys": ("a",)},
        "'cycle' is the name of a built-in finding; choose another.",
    ),
    "keys-str": (
        {"name": "r", "keys": "abc"},
        "Rule 'r': keys takes several strings; write ('abc',).",
    ),
    "prefixes-str": (
        {"name": "r", "prefixes": "_x"},
        "Rule 'r': prefixes takes several strings; write ('_x',).",
    ),
    "types-str": (
        {"name": "r", "types": "a.B"},
        "Rule 'r': types takes several strings; write ('a.B',).",
    ),
    "keys-int": (
        {"name": "r", "keys": 3},
        "Rule 'r': keys takes strings, for example ('_sentry_span',).",
    ),
    "keys-none": (
        {"name": "r", "keys": None},
        "Rule 'r': keys takes strings, for example ('_sentry_span',).",
    ),
    "keys-bytes": (
        {"name": "r", "keys": b"ab"},
        "Rule 'r': keys takes strings, for example ('_sentry_span',).",
    ),
    "prefixes-mixed": (
        {"name": "r", "prefixes": ("a", 1)},
        "Rule 'r': prefixes takes strings, for example ('_sentry_span',).",
    ),
    "types-class": (
        {"name": "r", "types": (dict,)},
        "Rule 'r': types takes strings, for example ('_sentry_span',).",
    ),
    "nothing": ({"name": "r"}, "Rule 'r' matches nothing: give keys, prefixes or types."),
    "empty-prefix": (
        {"name": "r", "prefixes": ("a", "")},
        "Rule 'r': the prefix '' would match every member.",
    ),
    "action": (
        {"name": "r", "keys": ("a",), "action": "mask"},
        "Rule 'r': action 'mask' is none of ('remove', 'replace', 'reject', 'report').",
    ),
    "action-none": (
        {"name": "r", "keys": ("a",), "action": None},
        "Rule 'r': action None is none of ('remove', 'replace', 'reject', 'report').",
    ),
    "action-unhashable": (
        {"name": "r", "keys": ("a",), "action": []},
        "Rule 'r': action [] is none of ('remove', 'replace', 'reject', 'report').",
    ),
    "scope-str": (
        {"name": "r", "keys": ("a",), "scope": "/metadata"},
        "Rule 'r': scope takes several strings; write ('/metadata',).",
    ),
    "scope-none": (
        {"name": "r", "keys": ("a",), "scope": None},
        "Rule 'r': scope takes strings, for example ('/metadata/**',).",
    ),
    "scope-empty": (
        {"name": "r", "keys": ("a",), "scope": ()},
        "Rule 'r' holds nowhere: scope is empty.",
    ),
    "scope-without-slash": (
        {"name": "r", "keys": ("a",), "scope": ("/", "metadata")},
        "Rule 'r': scope 'metadata' begins with no slash.",
    ),
    "scope-empty-segment": (
        {"name": "r", "keys": ("a",), "scope": ("/a//b",)},
        "Rule 'r': scope '/a//b' has an empty segment.",
    ),
    "scope-asterisk": (
        {"name": "r", "keys": ("a",), "scope": ("/a*",)},
        "Rule 'r': scope '/a*' has the segment 'a*'; * and ** stand for whole segments, not "
        "within one.",
    ),
    "scope-three-asterisks": (
        {"name": "r", "keys": ("a",), "scope": ("***",)},
        "Rule 'r': scope '***' has the segment '***'; * and ** stand for whole segments, not "
        "within one.",
    ),
    "exceptions-str": (
        {"name": "r", "keys": ("a",), "exceptions": "/a"},
        "Rule 'r': exceptions takes several strings; write ('/a',).",
    ),
    "exceptions-tilde": (
        {"name": "r", "keys": ("a",), "exceptions": ("/a~b",)},
        "Rule 'r': exceptions '/a~b' has a ~ that is neither ~0 nor ~1.",
    ),
    "exceptions-everything": (
        {"name": "r", "keys": ("a",), "exceptions": ("/**/**",)},
        "Rule 'r': exceptions '/**/**' excepts all.",
    ),
    "protect": (
        {"name": "r", "keys": ("a",), "protect": "yes"},
        "Rule 'r': protect takes True or False.",
    ),
    "replace-with-what": (
        {"name": "r", "keys": ("a",), "action": "replace"},
        "Rule 'r': action 'replace' needs a replacement; write replacement=\"...\", or "
        "replacement=None for null.",
    ),
    "replacement-to-remove": (
        {"name": "r", "keys": ("a",), "replacement": "b"},
        "Rule 'r': a replacement goes with action 'replace', not 'remove'.",
    ),
    **{
        f"replacement-{kind}": (
            {"name": "r", "keys": ("a",), "action": "replace", "replacement": value},
            "Rule 'r': replacement takes a string, number, boolean or None that JSON can write, "
            f"not {kind}.",
        )
        for kind, value in (
            ("list", []),
            ("dict", {}),
            ("bytes", b""),
            ("float", math.nan),
            ("builtin_function_or_method", len),
        )
    },
    **{
        f"type-{name}": (
            {"name": "r", "types": (name,)},
            f"Rule 'r': {name!r} cannot be a type rule; name a type by module and qualified "
            "name, such as 'opentelemetry.trace.span.Span'.",
        )
        for name in (
            "Span",
            "",
            "builtins.dict",
            "builtins.list",
            "builtins.str",
            "builtins.int",
            "builtins.float",
            "builtins.bool",
            "builtins.object",
            "builtins.tuple",  # JSON's other array: the walk asks no rule about a plain one
            "builtins.NoneType",  # and JSON's null
        )
    },
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_a_rule_that_makes_no_sense_is_refused(arguments: dict[str, Any], message: str) -> None:
    """When it is built, in a full sentence that names the field."""
    with pytest.raises(PolicyError, match=f"^{re.escape(message)}$"):
        Rule(**arguments)


@pytest.mark.parametrize("field", ["owner", "evidence"])
def test_who_and_where_are_strings(field: str) -> None:
    """A rule is hashed, pickled and printed with its owner, so that has to be text too."""
    with pytest.raises(PolicyError, match=f"Rule 'r': {field} "):
        Rule("r", keys=("a",), **{field: ["sentry"]})  # type: ignore[arg-type]


def test_the_names_of_built_in_findings_are_taken() -> None:
    """A finding's rule is either the policy's or the core's, never maybe both."""
    assert sorted(RESERVED) == [
        "bad-key",
        "cycle",
        "depth",
        "digits",
        "duplicate",
        "malformed",
        "non-finite",
        "size",
        "stringified",
        "surrogate",
        "unserializable",
    ]
    for name in RESERVED:
        with pytest.raises(PolicyError, match=name):
            Rule(name, keys=("a",))


def test_a_rule_is_a_value() -> None:
    """Frozen, equal by what it says, hashable, picklable; lists become tuples."""
    rule = Rule("r", keys=["a", "b"], prefixes=iter(["p"]), types={"m.T": 1}, owner="o")  # type: ignore[arg-type]
    other = Rule("r", keys=("a", "b"), prefixes=("p",), types=("m.T",), owner="o")
    assert rule == other
    assert hash(rule) == hash(other)
    assert rule != Rule("r", keys=("a",), prefixes=("p",), types=("m.T",), owner="o")
    assert pickle.loads(pickle.dumps(rule)) == rule  # noqa: S301 - our own pickle
    with pytest.raises(dataclasses.FrozenInstanceError):
        rule.name = "s"  # type: ignore[misc]
    assert (rule.action, rule.evidence) == ("remove", "")


def test_rules_with_a_place_are_values_too() -> None:
    """With lists made tuples."""
    rule = Rule(
        "r",
        keys=("a",),
        action="replace",
        scope=["/", "/a/**"],  # type: ignore[arg-type]
        exceptions=["/a/b"],  # type: ignore[arg-type]
        protect=True,
        replacement="b",
    )
    assert (rule.scope, rule.exceptions) == (("/", "/a/**"), ("/a/b",))
    copy = pickle.loads(pickle.dumps(rule))  # noqa: S301 - our own pickle
    assert copy == rule
    assert hash(copy) == hash(rule)
    assert rule != dataclasses.replace(rule, scope=("/",))
    assert rule != "r"


@pytest.mark.parametrize("action", get_args(Action))
def test_the_replacement_of_a_rule_can_be_read(action: Action) -> None:
    """None is null, said explicitly; of a rule that does not replace, it says nothing."""
    rule = Rule("r", keys=("a",), action=action, replacement=None)
    assert rule.replacement is None
    if action != "replace":
        assert Rule("r", keys=("a",), action=action) == rule
    assert dataclasses.replace(rule, name="s").replacement is None
    assert pickle.loads(pickle.dumps(rule)) == rule  # noqa: S301 - our own pickle


def test_replacements_that_python_calls_equal_are_not() -> None:
    """1, 1.0 and True are three bodies; a cache keyed by the rule must not mix them up."""
    values = (0, 0.0, -0.0, False, "0", None)
    rules = [Rule("r", keys=("a",), action="replace", replacement=value) for value in values]
    assert len(set(rules)) == len(values)
    assert rules[0] == Rule("r", keys=("a",), action="replace", replacement=0)


FIRST = Rule("first", keys=("a", "both"), prefixes=("_x_",))
SECOND = Rule("second", keys=("_x_exact", "both", "ü"), prefixes=("_x_y", "_z"))
MATCHER = Matcher((FIRST, SECOND))

KEYS = {
    "a": FIRST,
    "both": FIRST,
    "_x_": FIRST,
    "_x_y": FIRST,  # a later rule says the same more exactly: the first is reported
    "_x_exact": FIRST,
    "_z": SECOND,
    "_z and more": SECOND,
    "ü": SECOND,
    "": None,
    "A": None,
    "ab": None,
    "_x": None,
    " _x_": None,
    "x_x_": None,
}


def first(found: tuple[Placed, ...]) -> Rule | None:
    """Return the rule that takes precedence."""
    return found[0].rule if found else None


@pytest.mark.parametrize(("name", "rule"), KEYS.items(), ids=map(repr, KEYS))
def test_the_first_rule_that_matches_is_reported(name: str, rule: Rule | None) -> None:
    """By exact name or by beginning, in the order of the policy."""
    assert first(MATCHER.named(name)) is rule


def test_the_order_of_rules_is_their_precedence() -> None:
    """The same rules the other way round give the other answer."""
    turned = Matcher((SECOND, FIRST))
    assert first(turned.named("both")) is SECOND
    assert first(turned.named("_x_exact")) is SECOND
    assert first(turned.named("_x_y")) is SECOND
    assert first(turned.named("_x_z")) is FIRST


def test_all_names_are_collected_once() -> None:
    """For one look at a member's name."""
    assert MATCHER.prefixes == ("_x_", "_x_y", "_z")
    assert MATCHER.keys == {"a", "both", "_x_exact", "ü"}
    assert MATCHER.starts == {"_x_"}
    assert MATCHER.short == ("_z",)
    assert Matcher((FIRST, Rule("again", prefixes=("_x_",)))).prefixes == ("_x_",)
    empty = Matcher(())
    assert (empty.prefixes, empty.keys, empty.named("a"), empty.typed(int)) == ((), set(), (), ())


class Live(Span):
    pass


def test_types_are_matched_by_name_in_the_order_of_the_rules() -> None:
    """By any class of the lineage; the first rule wins, not the nearest class."""
    spans = Rule("spans", types=("sentry_sdk.tracing.Span",))
    lives = Rule("lives", types=(f"{__name__}.Live",))
    assert first(Matcher((spans, lives)).typed(Live)) is spans
    assert first(Matcher((lives, spans)).typed(Live)) is lives
    assert first(Matcher((lives, spans)).typed(Span)) is spans
    assert first(Matcher((lives,)).typed(Span)) is None
    assert first(Matcher((FIRST,)).typed(Live)) is None
    assert first(Matcher((FIRST, lives)).typed(int)) is None


def test_a_hostile_class_is_matched_without_being_asked() -> None:
    """Names are read from type, not from the class."""
    rule = Rule("r", types=("stranger.Hostile",))
    found = Matcher((rule,)).typed(hostile_class(object, HostileMeta))
    assert first(found) is rule


EXPLAINED = Matcher(
    (
        Rule("root", keys=("a", "x"), scope=("/", "/b/**")),
        Rule("spans", types=("m.Span", "m.Other"), scope=("/", "/metadata/**")),
        Rule("private", prefixes=("a", "_"), exceptions=("**/_meta",), protect=True),
        Rule("both", keys=("x",), types=("m.Span",)),
    )
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
    judged = EXPLAINED.explain(pointer)
    assert [row.rule.name for row in judged] == ["root", "spans", "private", "both"]
    assert [(row.fires, row.why) for row in judged] == rows


def test_only_a_pointer_can_be_explained() -> None:
    """What is none is refused with the reason."""
    with pytest.raises(ValueError, match="begins with no slash"):
        EXPLAINED.explain("metadata/a")


def test_all_rules_that_match_are_given_in_order() -> None:
    """Since the first may not hold at a place; nothing is looked up for a name that none has."""
    found = EXPLAINED.named("a")
    assert [placed.rule.name for placed in found] == ["root", "private"]
    assert EXPLAINED.named("b") == ()
    start = EXPLAINED.places.start
    assert EXPLAINED.first("a", start, EXPLAINED.places.below(start, "a")) is found[0].rule
    assert EXPLAINED.first("b", start, EXPLAINED.places.below(start, "b")) is None


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        pytest.param("_abc", ["long", "_", "alike"], id="a long, a short, one that begins alike"),
        pytest.param("_abd", ["_", "alike"], id="all but the long"),
        pytest.param("_ab", ["_", "alike"], id="a name of three characters"),
        pytest.param("_a", ["_"], id="a name of two"),
        pytest.param("_xyz", ["_", "keys"], id="a name that is a key too"),
        pytest.param("other", ["keys", "other"], id="a key that is the beginning of others"),
        pytest.param("others", ["other"], id="one of those"),
        pytest.param("xyz", [], id="a name that no rule names"),
        pytest.param("", [], id="no characters"),
    ],
)
def test_a_name_breaks_each_rule_that_names_it(name: str, rules: list[str]) -> None:
    """By a prefix, however short, or by a key; in the order of the rules."""
    matcher = Matcher(
        (
            Rule("long", prefixes=("_abc", "zzz")),
            Rule("_", prefixes=("_",)),
            Rule("keys", keys=("other", "_xyz")),
            Rule("alike", prefixes=("_ab",)),
            Rule("other", prefixes=("other",), keys=("unused",)),
        )
    )
    assert [placed.rule.name for placed in matcher.named(name)] == rules


def test_a_matcher_knows_whether_it_takes_anything() -> None:
    """One that only reports need not refuse what it cannot read."""
    told = Rule("r", keys=("a",), action="report")
    assert Matcher((told,)).only_reports
    assert Matcher(()).only_reports
    assert not Matcher((told, FIRST)).only_reports
