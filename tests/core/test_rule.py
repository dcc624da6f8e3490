"""A rule is a value, checked when it is built."""

from __future__ import annotations

import dataclasses
import math
import pickle
import re
from typing import Any, get_args

import pytest

from body_guard import PolicyError, Rule
from body_guard.core.rule import RESERVED, Action

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
