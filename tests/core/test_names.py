"""Which names are forbidden somewhere, and whether they may be where they stand."""

from __future__ import annotations

from typing import Any

import pytest

from body_guard import Policy, Rule, presets
from body_guard.core import names as module
from body_guard.core.names import Names
from body_guard.core.preset_tables import PRESETS
from body_guard.core.rules import Matcher

RULES = (
    Rule("r1", keys=("a", "b"), prefixes=("_", "lite_")),
    Rule("r2", keys=("t",), scope=("/", "/m/**")),
    Rule("r3", prefixes=("t_",), scope=("/l/*/x", "/l/0")),
    Rule("types", types=("some.Span",), scope=("/m",)),
)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (set(), set()),
        ({"", "c", "lit", "lite", "aa", "l"}, set()),
        ({"a", "b", "c"}, {"a", "b"}),
        ({"_", "__", "x_", "lite_", "lite_x"}, {"_", "__", "lite_", "lite_x"}),
        ({"t", "t_x", "tt"}, {"t", "t_x"}),
        ({"\ud800", "\ud83d\ude00", "é", "\U0001f600"}, {"\ud800", "\ud83d\ude00"}),
    ],
)
def test_what_is_forbidden_somewhere(asked: set[str], found: set[str]) -> None:
    """By key or by prefix, whole and from the beginning; the same when asked again."""
    names = Names(Matcher(RULES))
    assert names.among(asked) == found
    assert names.among(asked) == found
    assert names.among({"c", "lit"}) == set()


def test_every_name_of_every_preset_is_found() -> None:
    """As the matcher finds them."""
    rules = Policy(presets(*PRESETS)).rules
    matcher = Matcher(rules)
    names = Names(matcher)
    every = {*matcher.keys, *matcher.prefixes, *(f"{prefix}x" for prefix in matcher.prefixes)}
    assert names.among(every) == every
    others = {f".{name}" for name in every} | {name[:-1] + "\0" for name in every}
    assert names.among(others) == {name for name in others if matcher.named(name)}


def test_what_is_learned_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither many names nor long ones are held for long; what is asked is not changed."""
    monkeypatch.setattr(module, "_MOST_KNOWN", 10)
    monkeypatch.setattr(module, "_MOST_LEARNED", 20)
    names = Names(Matcher(RULES))
    for number in range(100):
        assert names.among({f"k{number}", "x"}) == set()
        assert len(names._allowed) <= 12
    before = set(names._allowed)
    assert names.among({"k" * 21}) == set()
    assert names._allowed == before
    assert names.among({"y", "a"}) == {"a"}
    assert "y" in names._allowed
    assert "a" not in names._allowed
    for number in range(100):
        assert names.stand({f"_{number}"}, {}) is True
        assert names.stand({"_" * 21}, {}) is True
    assert names._asked.cache_info().currsize <= 64


@pytest.mark.parametrize(
    ("names", "value", "may"),
    [
        ({"a"}, {"x": [{"a": 1}]}, True),
        ({"t"}, {"t": 1}, True),
        ({"t"}, {"x": {"t": 1}, "l": [{"t": 1}]}, False),
        ({"t"}, {"m": {"x": [1, {"t": 1}]}}, True),
        ({"t"}, {"m": ({"x": ({"t": 1},)},)}, True),
        ({"t_x"}, {"t_x": 1, "m": {"t_x": 1}, "l": [{}, {"t_x": 1}]}, False),
        ({"t_x"}, {"l": [{"t_x": 1}]}, True),
        ({"t_x"}, {"l": [1, {"x": {"t_x": 1}}]}, True),
        ({"t_x", "t"}, {"l": [1, {"x": {"t": 1, "y": {"t_x": 1}}}]}, False),
        ({"t"}, [{"t": 1}], False),
        ({"\ud800"}, {"\ud800": 1}, True),
    ],
)
def test_where_names_stand(names: set[str], value: Any, may: bool) -> None:
    """A rule is asked where its globs lead, one that holds anywhere nowhere else."""
    assert Names(Matcher(RULES)).stand(names, value) is may


def test_a_look_at_places_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though another thread builds a cycle of what was proved to be plain."""
    monkeypatch.setattr(module, "_MOST_CONTAINERS", 100)
    cycle: dict[str, Any] = {"a": 1}
    cycle["m"] = cycle
    assert Names(Matcher(RULES)).stand({"t_x"}, {"m": cycle}) is True
    assert Names(Matcher(RULES)).stand({"t_x"}, {"m": [{}] * 90}) is False


def test_whether_places_matter() -> None:
    """Where every rule holds anywhere, there is nothing to look at."""
    assert Names(Matcher(RULES)).bound
    assert not Names(Matcher(RULES[:1])).bound
