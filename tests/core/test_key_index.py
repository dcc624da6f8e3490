"""A name's rules are found by exact name and by every prefix, in the order of the rules."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from body_guard import Policy, Rule
from body_guard.core.explain import explain
from body_guard.core.key_index import KeyIndex
from body_guard.core.matcher import CUT, Matcher

NAMED: dict[str, tuple[str, list[int]]] = {
    "exact": ("ab", [0, 1, 3]),
    "exact-only": ("z", [3]),
    "longest-prefix": ("abcd", [0, 1, 2]),
    "prefix-itself": ("abc", [0, 1, 2]),
    "inner-prefix": ("abx", [0, 1]),
    "outer-prefix": ("ax", [1]),
    "one-behind-the-prefixes-in-order": ("b", []),
    "empty": ("", []),
    "listed-twice-by-one-rule": ("zz", [3]),
}


@pytest.mark.parametrize(("name", "rules"), NAMED.values(), ids=NAMED)
def test_a_name_has_the_rules_of_all_its_prefixes(name: str, rules: list[int]) -> None:
    """Of its exact name too, each once, in order."""
    index = KeyIndex(
        [((), ("ab", "ab")), ((), ("a",)), ((), ("abc",)), (("ab", "z", "zz", "zz"), ())]
    )
    entry = index.find(name)
    assert index.rules(entry) == rules
    assert index.first[entry] == (rules[0] if rules else -1)


_texts = st.text(st.sampled_from("ab_"), max_size=5)
_groups = st.lists(
    st.tuples(st.lists(_texts, max_size=3), st.lists(_texts, max_size=3)), max_size=6
)


@given(_groups, _texts)
def test_as_asking_each_rule_says(groups: list[tuple[list[str], list[str]]], name: str) -> None:
    """The index gives what comparing the name with every rule gives."""
    expected = [
        position
        for position, (names, prefixes) in enumerate(groups)
        if name in names or name.startswith(tuple(prefixes))
    ]
    index = KeyIndex(groups)
    entry = index.find(name)
    assert index.rules(entry) == expected
    assert bool(entry) == bool(expected)


ANYWHERE = Rule("anywhere", prefixes=("_",))
BOUND = Rule("bound", keys=("_x", "x"), scope=("/a",))
TOLD = Rule("told", prefixes=("_t",), action="report")


@pytest.mark.parametrize(
    ("rules", "name", "found", "cut"),
    [
        pytest.param((ANYWHERE, BOUND), "_x", ["anywhere", "bound"], True, id="removed-first"),
        pytest.param((BOUND, ANYWHERE), "_x", ["bound", "anywhere"], False, id="bound-first"),
        pytest.param((BOUND, ANYWHERE), "x", ["bound"], False, id="bound-only"),
        pytest.param((TOLD, ANYWHERE), "_tx", ["told", "anywhere"], False, id="reported-first"),
        pytest.param((ANYWHERE, TOLD), "_tx", ["anywhere", "told"], True, id="by-two-prefixes"),
        pytest.param((ANYWHERE, TOLD), "_", ["anywhere"], True, id="the-prefix-itself"),
        pytest.param((ANYWHERE, TOLD), "y", [], False, id="no-rule"),
    ],
)
def test_the_value_of_a_key_says_whether_it_is_removed_anywhere(
    rules: tuple[Rule, ...], name: str, found: list[str], cut: bool
) -> None:
    """A table that looks names up as documented finds the rules that the matcher names."""
    matcher = Matcher(rules)
    names, prefixes = matcher.key_table_arguments()
    longest = max((prefix for prefix in prefixes if name.startswith(prefix)), key=len, default="")
    value = names.get(name, prefixes.get(longest, 0))
    assert bool(value & CUT) is cut
    assert [placed.rule.name for placed in matcher.rules_for_value(value)] == found
    assert matcher.rules_for_value(value) == matcher.rules_for_name(name)


# What building and judging cost.


def lines(act: Callable[[], object]) -> int:
    """Count the lines of Python that an act runs."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
    return count


def counting(name: str) -> Any:
    """Make a method of str that counts its calls."""
    plain = getattr(str, name)

    def method(self: str, *arguments: Any) -> Any:
        Counted.count += 1
        return plain(self, *arguments)

    return method


class Counted(str):
    """A text that counts how often it is compared or looked up."""

    __slots__ = ()
    count = 0
    __eq__ = counting("__eq__")
    __lt__ = counting("__lt__")
    __hash__ = counting("__hash__")
    startswith = counting("startswith")


def apart(count: int) -> tuple[Rule, ...]:
    """Make rules with names, prefixes and places of their own."""
    return tuple(
        Rule(
            f"r{number}",
            keys=(Counted(f"key{number}"),),
            prefixes=(Counted(f"_p{number}_"),),
            scope=(f"/a{number}/**",),
        )
        for number in range(count)
    )


def alike(count: int) -> tuple[Rule, ...]:
    """Make rules that all name one key, or one prefix within the next."""
    return tuple(
        Rule(f"r{number}", keys=(Counted("key"),), prefixes=(Counted("_" * number + "_"),))
        for number in range(count)
    )


@pytest.mark.parametrize("make", [apart, alike])
def test_building_a_matcher_is_linear_in_its_rules(
    make: Callable[[int], tuple[Rule, ...]],
) -> None:
    """Twice the rules are twice the lines run, and no more comparisons than sorting them takes."""
    ran, compared = [], []
    for count in (300, 600):
        rules = make(count)
        Counted.count = 0
        ran.append(lines(lambda rules=rules: Matcher(rules)))  # type: ignore[misc]
        compared.append(Counted.count)
    assert ran[1] < 2.3 * ran[0]
    assert compared[1] < 2.6 * compared[0]


@pytest.mark.parametrize("make", [apart, alike])
@pytest.mark.parametrize("ask", ["named", "explain", "key_table_arguments"])
def test_judging_a_name_is_linear_in_its_rules(
    make: Callable[[int], tuple[Rule, ...]], ask: str
) -> None:
    """The names of all, in a table; one name that many rules share, and what each says of it."""
    ran = []
    for count in (300, 600):
        matcher = Matcher(make(count))
        asked = {
            "named": lambda m=matcher, c=count: (
                m.rules_for_name("key"),
                m.rules_for_name("_" * c),
            ),
            "explain": lambda m=matcher: explain(m, "/a/key"),
            "key_table_arguments": matcher.key_table_arguments,
        }
        ran.append(lines(asked[ask]))
    assert ran[1] < 2.3 * ran[0]


def test_building_a_policy_is_linear_in_its_rules() -> None:
    """Twice the rules run twice the lines; comparing each with each runs four times as many."""
    ran = []
    for count in (300, 600):
        rules = tuple(Rule(f"r{number}", keys=("x",)) for number in range(count))
        ran.append(lines(lambda some=rules: Policy(some)))  # type: ignore[misc]
    assert ran[1] < 2.3 * ran[0]
