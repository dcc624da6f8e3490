"""What is taken as a leaf of a dirty body, and that nothing can be told from the result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from body_guard import BodyLimitError, Policy, Rule, Sanitizer
from body_guard.core import sanitizer as sanitizing
from body_guard.core.fastpath import FastPath
from body_guard.core.leaves import LEVELS, Leaves, is_stub
from body_guard.core.prefilter import Prefilter
from body_guard.core.proof import proof_of
from body_guard.core.rules import Matcher
from body_guard.core.walk import walk

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 10**6
RULES = (Rule("secret", prefixes=("_secret_",)),)
FAST = FastPath(Matcher(RULES), Prefilter(Matcher(RULES)))
SANITIZER = Sanitizer(Policy(RULES))
PLAIN = {"a": [1, "é", None, {"b": 2.5}]}


class Live:
    """What JSON cannot write."""


def leaves(most: int = MOST, *, stand_in: bool = True) -> Leaves:
    return Leaves(FAST, most, stand_in=stand_in)


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("container", "size"),
    [
        pytest.param(PLAIN, len('{"a":[1,"é",null,{"b":2.5}]}'.encode()), id="plain"),
        pytest.param([], 2, id="empty"),
        pytest.param((1, 2), 5, id="tuple"),
        pytest.param([2**64 - 1], 22, id="int of 64 bits"),
        pytest.param([2**70], 0, id="int over 64 bits"),
        pytest.param([1e-7], 7, id="float that orjson spells otherwise"),
        pytest.param(["_secret_"], 12, id="text"),
        pytest.param({"a": {"_secret_x": 1}}, 0, id="forbidden name"),
        pytest.param([Live()], 0, id="live object"),
        pytest.param([float("nan")], 0, id="NaN"),
        pytest.param(["\ud800"], 0, id="lone surrogate"),
        pytest.param([10**5000], 0, id="int over the digit limit"),
        pytest.param({1: 2}, 0, id="key that is no string"),
    ],
)
def test_what_is_a_leaf(container: Any, size: int) -> None:
    """A container is one where its encoding is proved and nothing is found in it."""
    assert leaves(stand_in=False).take(container) == (size, container)


def test_too_large_is_no_leaf() -> None:
    """All leaves together fit into the bytes a body may have."""
    some = leaves(10)
    assert some.take([1, 2, 3]) == (7, "\ue000leaf 0\ue000")
    assert some.take([1, 2, 3])[0] == 0
    assert some.take([1])[0] == 3


def test_looks_in_vain_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a body is made of, few containers are looked at without success."""
    looked: list[object] = []

    def counted(value: object, *asked: Any) -> Any:
        looked.append(value)
        return proof_of(value, *asked)

    monkeypatch.setattr("body_guard.core.fastpath.proof_of", counted)
    content, report = SANITIZER.encode([[1, Live()] for _ in range(50)])
    assert content == b"[" + b",".join([b"[1,null]"] * 50) + b"]"
    assert len(report.findings) == 50
    assert len(looked) == 1 + 4  # the body, and four of what it holds


def test_what_stands_deep_is_walked() -> None:
    """Down to some level only, so that what is proved makes no body too deep."""
    body: Any = [Live(), PLAIN]
    for _ in range(LEVELS - 2):
        body = [body]
    assert walk(body, Policy(RULES), Matcher(RULES), leaves=leaves()).stubs == 1
    assert walk([body], Policy(RULES), Matcher(RULES), leaves=leaves()).stubs == 0


def test_what_a_leaf_takes_is_known_before_it_is_written() -> None:
    """A walk counts the bytes of a leaf wherever it stands."""
    shared = ["x" * 1000]
    walked = walk([Live(), shared, shared], Policy(RULES), Matcher(RULES), leaves=leaves())
    assert walked.size == len("[,,]") + 2 * 1004


def test_the_one_thing_in_a_container_is_not_looked_at_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What holds one thing was looked at, so that thing was."""
    looked: list[object] = []
    monkeypatch.setattr("body_guard.core.fastpath.proof_of", lambda *asked: looked.append(asked))
    assert SANITIZER.encode([[[Live()]]])[0] == b"[[[null]]]"
    assert len(looked) == 1


@pytest.mark.parametrize(
    ("make", "text", "paths"),
    [
        pytest.param(
            lambda: {"m": PLAIN, "x": Live(), "n": PLAIN},
            '{"m":{"a":[1,"é",null,{"b":2.5}]},"n":{"a":[1,"é",null,{"b":2.5}]}}',
            ["/x"],
            id="a leaf in two places",
        ),
        pytest.param(
            lambda: (lambda both: [both, both, 1])({"l": [1], "x": Live()}),
            '[{"l":[1]},{"l":[1]},1]',
            ["/0/x", "/1/x"],
            id="what holds a leaf in two places",
        ),
        pytest.param(
            lambda: {1: [1], "1": [2], "x": Live()},
            '{"1":[1],"1":[2]}',
            ["/1", "/x"],
            id="duplicate names",
        ),
        pytest.param(
            lambda: [[1], "\ue000leaf 0\ue000", Live()],
            '[[1],"\ue000leaf 0\ue000",null]',
            ["/2"],
            id="text that looks like a stub",
        ),
        pytest.param(
            lambda: {"\ue000leaf 7\ue000": [1], "x": Live()},
            '{"\ue000leaf 7\ue000":[1]}',
            ["/x"],
            id="name that looks like a stub",
        ),
        pytest.param(
            lambda: [['\ue000leaf 0\ue000"'], '"\ue000leaf 0\ue000"', Live()],
            '[["\ue000leaf 0\ue000\\""],"\\"\ue000leaf 0\ue000\\"",null]',
            ["/2"],
            id="text that holds one in quotes",
        ),
    ],
)
@pytest.mark.parametrize("writer", ["orjson", "json"], indirect=True)
def test_nothing_can_be_told_from_the_result(
    make: Callable[[], Any], text: str, paths: list[str]
) -> None:
    """Bytes and findings are those of a walk that goes everywhere."""
    content, report = SANITIZER.encode(make())
    assert content.decode() == text
    assert sorted(finding.path for finding in report.findings) == paths
    whole = walk(make(), Policy(RULES), Matcher(RULES), for_encoder=True)
    assert report == whole.report


def test_another_encoder_gets_the_callers_own() -> None:
    """What is prepared for another encoder holds no stubs; a leaf is the caller's object."""
    value: Any
    value, report = SANITIZER.prepare({"m": PLAIN, "x": Live()})
    assert value == {"m": PLAIN}
    assert value["m"] is PLAIN
    assert len(report.findings) == 1


def test_a_look_at_the_whole_sees_no_stub() -> None:
    """What a policy asks of the body as a whole is asked of the body."""
    policy = Policy(RULES, stringified="report")
    content, report = Sanitizer(policy).encode(
        {"m": ["<__main__.Live object at 0x7f0000000000>"], "x": Live()}
    )
    assert json.loads(content) == {"m": ["<__main__.Live object at 0x7f0000000000>"]}
    assert [finding.path for finding in report.findings] == ["/x", "/m/0"]


@pytest.mark.parametrize("stand_in", [True, False])
def test_leaves_count_towards_the_size(stand_in: bool) -> None:
    """A shared leaf is counted at each place, so what unfolds to too much is refused."""
    policy = Policy(RULES, max_bytes=5000, convert=None if stand_in else repr_of_nothing)
    shared = ["x" * 1000]
    body = [Live(), *[[shared, 1, Live()] for _ in range(6)]]
    with pytest.raises(BodyLimitError):
        Sanitizer(policy).encode(body)


def repr_of_nothing(value: object) -> object:
    raise TypeError


def test_a_stub_is_known() -> None:
    """A text that begins otherwise, or is no text, is none."""
    assert is_stub(leaves().take([1])[1])
    assert not is_stub("leaf")
    assert not is_stub([1])


def test_a_leaf_may_be_as_deep_as_what_is_proved() -> None:
    """A deep leaf leaves the body within what the encoders can take."""
    content, _ = SANITIZER.encode([nested(400), Live()])
    assert content == b"[" + b"[" * 400 + b"]" * 400 + b",null]"
    assert sanitizing.DEEPEST > LEVELS + 900
