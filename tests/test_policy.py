"""A policy is a checked value."""

from __future__ import annotations

import dataclasses
import pickle
import re
from typing import Any

import pytest

import body_guard.convert
from body_guard import Policy, PolicyError, Rule
from body_guard.policy import DEFAULT


class Unhashable:
    __hash__ = None  # type: ignore[assignment]

    def __call__(self, value: object) -> object:
        return None


RULES = "rules takes Rule objects, for example (Rule('mine', keys=('x',)),)."
CALLABLES = "on_report takes a callable or a tuple of callables."
HASHABLE = "convert and on_report take hashable callables: a policy is compared and cached."

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "one-rule": (
        {"rules": Rule("mine", keys=("x",))},
        "rules takes several rules; write (Rule('mine', ...),).",
    ),
    "rules-none": ({"rules": None}, RULES),
    "rules-str": ({"rules": "sentry"}, RULES),
    "rules-strs": ({"rules": ("sentry",)}, RULES),
    "rules-dict": ({"rules": ({"name": "x"},)}, RULES),
    "same-name": (
        {"rules": (Rule("r", keys=("a",)), Rule("s", keys=("b",)), Rule("r", keys=("c",)))},
        "Two rules are named 'r'; a finding could mean either.",
    ),
    "unserializable": (
        {"unserializable": "keep"},
        "unserializable is one of remove, reject; got 'keep'.",
    ),
    "unserializable-none": (
        {"unserializable": None},
        "unserializable is one of remove, reject; got None.",
    ),
    "on_error": ({"on_error": "raise"}, "on_error is one of block, send; got 'raise'."),
    "convert": (
        {"convert": "jsonable"},
        "convert takes a function such as body_guard.convert.jsonable, not str.",
    ),
    "convert-unhashable": ({"convert": Unhashable()}, HASHABLE),
    "on_report-none": ({"on_report": None}, CALLABLES),
    "on_report-str": ({"on_report": "print"}, CALLABLES),
    "on_report-mixed": ({"on_report": (print, 1)}, CALLABLES),
    "on_report-unhashable": ({"on_report": Unhashable()}, HASHABLE),
    "max_bytes-0": ({"max_bytes": 0}, "max_bytes takes a number of bytes from 1, not 0."),
    "max_bytes-negative": (
        {"max_bytes": -1},
        "max_bytes takes a number of bytes from 1, not -1.",
    ),
    "max_bytes-float": (
        {"max_bytes": 1e6},
        "max_bytes takes a number of bytes from 1, not 1000000.0.",
    ),
    "max_bytes-bool": (
        {"max_bytes": True},
        "max_bytes takes a number of bytes from 1, not True.",
    ),
    "max_bytes-none": (
        {"max_bytes": None},
        "max_bytes takes a number of bytes from 1, not None.",
    ),
    "buffer-negative": (
        {"buffer": -1},
        "buffer takes a number of bytes from 0, not -1.",
    ),
    "on_limit": (
        {"on_limit": "drop"},
        "on_limit is one of refuse, send; got 'drop'.",
    ),
    "look_into-string": (
        {"look_into": "form"},
        "look_into takes several strings; write ('form',).",
    ),
    "mode": ({"mode": "watch"}, "mode is one of enforce, audit; got 'watch'."),
    "hosts-one": (
        {"hosts": Policy()},
        "hosts takes a mapping, for example {'*.x.com': Policy(...)}.",
    ),
    "hosts-names": (
        {"hosts": ("x.com",)},
        "hosts takes a mapping, for example {'*.x.com': Policy(...)}.",
    ),
    "hosts-value": ({"hosts": {"x.com": "strict"}}, "hosts: 'x.com' needs a Policy, not str."),
    "hosts-nested": (
        {"hosts": {"x.com": Policy(hosts={"y.com": Policy()})}},
        "hosts: the policy of 'x.com' has hosts of its own.",
    ),
    "hosts-twice": (
        {"hosts": {"x.com": Policy(), "X.COM.": Policy()}},
        "hosts: 'X.COM.' stands there twice.",
    ),
    "look_into-unknown": (
        {"look_into": ("form", "forms")},
        "look_into is one of compressed, form, json-strings, multipart; got 'forms'.",
    ),
    "schema": ({"schema": "opanai"}, "schema is one of openai, anthropic; got 'opanai'."),
    "schema-rule": (
        {"schema": "openai", "rules": (Rule("openai-schema", keys=("x",)),)},
        "A rule is named 'openai-schema', as the findings of schema='openai' are.",
    ),
    "schema_action": (
        {"schema_action": "replace"},
        "schema_action is one of report, remove, reject; got 'replace'.",
    ),
    "stringified": (
        {"stringified": "remove"},
        "stringified is one of off, report, reject; got 'remove'.",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_a_policy_that_makes_no_sense_is_refused(arguments: dict[str, Any], message: str) -> None:
    """When it is built, in a full sentence that names the field, and without a cause behind it."""
    with pytest.raises(PolicyError, match=f"^{re.escape(message)}$") as caught:
        Policy(**arguments)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_options_are_named() -> None:
    """Only the rules may stand without their name."""
    with pytest.raises(TypeError):
        Policy((), "reject")  # type: ignore[misc]


def test_the_defaults() -> None:
    """What Policy() says."""
    policy = Policy()
    assert [rule.name for rule in policy.rules] == ["sentry"]
    assert policy.unserializable == "remove"
    assert policy.convert is None
    assert policy.on_error == "block"
    assert policy.on_report == ()
    assert policy.max_bytes == 536_870_912
    assert policy.schema is None
    assert policy.schema_action == "report"
    assert policy.stringified == "off"
    assert policy.mode == "enforce"
    assert policy.hosts == ()
    assert policy == DEFAULT


def test_a_policy_may_have_no_rules() -> None:
    """Then the table of section 2 is all there is."""
    assert Policy(()).rules == ()


def collected(report: object) -> None:
    """Take a report."""


def also(report: object) -> None:
    """Take it too."""


EVERYTHING: dict[str, Any] = {
    "rules": (Rule("r", keys=("a",)), Rule("s", types=("m.T",), action="reject")),
    "unserializable": "reject",
    "convert": body_guard.convert.jsonable,
    "on_error": "send",
    "on_report": (collected, also),
    "max_bytes": 1,
    "mode": "audit",
    "hosts": {"*.x.com": Policy(mode="audit"), "y.com": Policy((), on_report=(also,))},
}


@pytest.mark.parametrize(
    "arguments",
    [{}, {"convert": body_guard.convert.jsonable}, EVERYTHING],
    ids=["default", "convert", "everything"],
)
def test_a_policy_is_a_value(arguments: dict[str, Any]) -> None:
    """Equal by what it says, hashable, picklable, frozen."""
    policy = Policy(**arguments)
    assert policy == Policy(**arguments)
    assert hash(policy) == hash(Policy(**arguments))
    assert policy != Policy(**{**arguments, "max_bytes": 7})
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(policy, protocol))  # noqa: S301 - our own pickle
        assert again == policy
        assert hash(again) == hash(policy)
    with pytest.raises(dataclasses.FrozenInstanceError):
        policy.max_bytes = 2  # type: ignore[misc]


def test_what_is_given_as_a_list_is_kept_as_a_tuple() -> None:
    """So that a policy cannot change after it was checked."""
    rules = [Rule("r", keys=("a",))]
    policy = Policy(rules, on_report=[collected])  # type: ignore[arg-type]
    rules.clear()
    assert policy.rules == (Rule("r", keys=("a",)),)
    assert policy.on_report == (collected,)
    assert Policy(on_report=collected).on_report == (collected,)  # type: ignore[arg-type]


def test_a_policy_error_is_a_value_error() -> None:
    """So that what catches wrong arguments catches it."""
    with pytest.raises(ValueError, match="max_bytes"):
        Policy(max_bytes=0)
