"""A matcher asks the rules in their order."""

from __future__ import annotations

import pytest

from body_guard import Rule
from body_guard.core.matcher import CompiledRule, Matcher, first_rule

from hostile import HostileMeta, Span, hostile_class

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


def first(found: tuple[CompiledRule, ...]) -> Rule | None:
    """Return the rule that takes precedence."""
    return found[0].rule if found else None


@pytest.mark.parametrize(("name", "rule"), KEYS.items(), ids=map(repr, KEYS))
def test_the_first_rule_that_matches_is_reported(name: str, rule: Rule | None) -> None:
    """By exact name or by beginning, in the order of the policy."""
    assert first(MATCHER.rules_for_name(name)) is rule


def test_the_order_of_rules_is_their_precedence() -> None:
    """The same rules the other way round give the other answer."""
    turned = Matcher((SECOND, FIRST))
    assert first(turned.rules_for_name("both")) is SECOND
    assert first(turned.rules_for_name("_x_exact")) is SECOND
    assert first(turned.rules_for_name("_x_y")) is SECOND
    assert first(turned.rules_for_name("_x_z")) is FIRST


def test_all_names_are_collected_once() -> None:
    """For one look at a member's name."""
    assert MATCHER.prefixes == ("_x_", "_x_y", "_z")
    assert MATCHER.keys == {"a", "both", "_x_exact", "ü"}
    assert Matcher((FIRST, Rule("again", prefixes=("_x_",)))).prefixes == ("_x_",)
    empty = Matcher(())
    assert (empty.prefixes, empty.keys, empty.rules_for_name("a"), empty.rules_for_type(int)) == (
        (),
        set(),
        (),
        (),
    )


class Live(Span):
    pass


def test_types_are_matched_by_name_in_the_order_of_the_rules() -> None:
    """By any class of the lineage; the first rule wins, not the nearest class."""
    spans = Rule("spans", types=("sentry_sdk.tracing.Span",))
    lives = Rule("lives", types=(f"{__name__}.Live",))
    assert first(Matcher((spans, lives)).rules_for_type(Live)) is spans
    assert first(Matcher((lives, spans)).rules_for_type(Live)) is lives
    assert first(Matcher((lives, spans)).rules_for_type(Span)) is spans
    assert first(Matcher((lives,)).rules_for_type(Span)) is None
    assert first(Matcher((FIRST,)).rules_for_type(Live)) is None
    assert first(Matcher((FIRST, lives)).rules_for_type(int)) is None


def test_a_hostile_class_is_matched_without_being_asked() -> None:
    """Names are read from type, not from the class."""
    rule = Rule("r", types=("stranger.Hostile",))
    found = Matcher((rule,)).rules_for_type(hostile_class(object, HostileMeta))
    assert first(found) is rule


def test_all_rules_that_match_are_given_in_order() -> None:
    """Since the first may not hold at a place; nothing is looked up for a name that none has."""
    private = Rule("private", prefixes=("a", "_"), protect=True)
    matcher = Matcher((Rule("root", keys=("a", "x"), scope=("/",)), private))
    found = matcher.rules_for_name("a")
    assert [compiled.rule.name for compiled in found] == ["root", "private"]
    assert matcher.rules_for_name("b") == ()
    start, below = matcher.globs.start, matcher.globs.step(matcher.globs.start, "a")
    assert first_rule(found, lambda: (start, below)) is found[0].rule
    assert first_rule(found, lambda: (below, below)) is found[1].rule
    assert first_rule(found[:1], lambda: (below, below)) is None


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
    assert [compiled.rule.name for compiled in matcher.rules_for_name(name)] == rules


def test_a_matcher_knows_whether_it_takes_anything() -> None:
    """One that only reports need not refuse what it cannot read."""
    told = Rule("r", keys=("a",), action="report")
    assert Matcher((told,)).only_reports
    assert Matcher(()).only_reports
    assert not Matcher((told, FIRST)).only_reports
