"""A rule is a checked value; a matcher asks the rules in their order."""

from __future__ import annotations

import dataclasses
import pickle
import re
from typing import Any

import pytest

from body_guard import PolicyError, Rule
from body_guard.core.rules import RESERVED, Matcher

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


@pytest.mark.parametrize(("name", "rule"), KEYS.items(), ids=map(repr, KEYS))
def test_the_first_rule_that_matches_is_reported(name: str, rule: Rule | None) -> None:
    """By exact name or by beginning, in the order of the policy."""
    assert MATCHER.key(name) is rule


def test_the_order_of_rules_is_their_precedence() -> None:
    """The same rules the other way round give the other answer."""
    turned = Matcher((SECOND, FIRST))
    assert turned.key("both") is SECOND
    assert turned.key("_x_exact") is SECOND
    assert turned.key("_x_y") is SECOND
    assert turned.key("_x_z") is FIRST


def test_all_names_are_collected_once() -> None:
    """For one look at a member's name."""
    assert MATCHER.prefixes == ("_x_", "_x_y", "_z")
    assert MATCHER.keys == {"a", "both", "_x_exact", "ü"}
    assert Matcher((FIRST, Rule("again", prefixes=("_x_",)))).prefixes == ("_x_",)
    empty = Matcher(())
    assert (empty.prefixes, empty.keys, empty.key("a"), empty.type(int)) == ((), set(), None, None)


class Live(Span):
    pass


def test_types_are_matched_by_name_in_the_order_of_the_rules() -> None:
    """By any class of the lineage; the first rule wins, not the nearest class."""
    spans = Rule("spans", types=("sentry_sdk.tracing.Span",))
    lives = Rule("lives", types=(f"{__name__}.Live",))
    assert Matcher((spans, lives)).type(Live) is spans
    assert Matcher((lives, spans)).type(Live) is lives
    assert Matcher((lives, spans)).type(Span) is spans
    assert Matcher((lives,)).type(Span) is None
    assert Matcher((FIRST,)).type(Live) is None
    assert Matcher((FIRST, lives)).type(int) is None


def test_a_hostile_class_is_matched_without_being_asked() -> None:
    """Names are read from type, not from the class."""
    rule = Rule("r", types=("stranger.Hostile",))
    found = Matcher((rule,)).type(hostile_class(object, HostileMeta))
    assert found is rule
