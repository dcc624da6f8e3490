"""Rules with a place and an action: the same on every door, and as a plain reading of them says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from body_guard import (
    BodyLimitError,
    BodyRejectedError,
    Policy,
    Rule,
    Sanitizer,
)
from body_guard.core import walk as walk_module
from body_guard.core.matcher import Matcher
from body_guard.core.walk import walk

from hostile import MARKER, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

Found = list[tuple[str, str, str, str]]


def findings(report: Any) -> Found:
    return [(f.path, f.rule, f.action, f.type) for f in report.findings]


def compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def x(**arguments: Any) -> Rule:
    """Return a rule against members named x."""
    return Rule("x", keys=("x",), **arguments)


class Case(NamedTuple):
    rules: tuple[Rule, ...]
    body: Any
    left: Any
    found: Found
    changed: bool = True


META = {"x": 1, "a": {"x": 2, "b": [{"x": 3}]}}

CASES: dict[str, Case] = {
    "root-only": Case(
        (x(scope=("/",)),),
        {"x": 1, "a": {"x": 2}},
        {"a": {"x": 2}},
        [("/x", "x", "remove", "builtins.int")],
    ),
    "below-metadata": Case(
        (x(scope=("/metadata/**",)),),
        {"x": 0, "metadata": META, "other": META},
        {"x": 0, "metadata": {"a": {"b": [{}]}}, "other": META},
        [
            ("/metadata/x", "x", "remove", "builtins.int"),
            ("/metadata/a/x", "x", "remove", "builtins.int"),
            ("/metadata/a/b/0/x", "x", "remove", "builtins.int"),
        ],
    ),
    "in-metadata": Case(
        (x(scope=("/metadata",)),),
        {"metadata": META},
        {"metadata": {"a": META["a"]}},
        [("/metadata/x", "x", "remove", "builtins.int")],
    ),
    "in-each-message": Case(
        (x(scope=("/messages/*",)),),
        {"messages": [{"x": 1, "content": [{"x": 2}]}, {"x": None}], "x": 4},
        {"messages": [{"content": [{"x": 2}]}, {}], "x": 4},
        [
            ("/messages/0/x", "x", "remove", "builtins.int"),
            ("/messages/1/x", "x", "remove", "builtins.NoneType"),
        ],
    ),
    "array-body": Case(
        (x(scope=("/*",)),),
        [{"x": 1}, {"a": {"x": 2}}],
        [{}, {"a": {"x": 2}}],
        [("/0/x", "x", "remove", "builtins.int")],
    ),
    "exception": Case(
        (Rule("p", prefixes=("_",), exceptions=("**/_meta", "/metadata/_id")),),
        {"_a": 1, "_meta": {"_b": 2, "c": 3}, "metadata": {"_id": 4, "_meta": 5, "_c": 6}},
        {"_meta": {"c": 3}, "metadata": {"_id": 4, "_meta": 5}},
        [
            ("/_a", "p", "remove", "builtins.int"),
            ("/_meta/_b", "p", "remove", "builtins.int"),
            ("/metadata/_c", "p", "remove", "builtins.int"),
        ],
    ),
    "protected": Case(
        (Rule("p", prefixes=("_",), protect=True),),
        {"tools": [{"input_schema": {"properties": {"_a": {"_b": 1}}, "_c": 2}}], "_d": 3},
        {"tools": [{"input_schema": {"properties": {"_a": {}}}}]},
        [
            ("/tools/0/input_schema/properties/_a/_b", "p", "remove", "builtins.int"),
            ("/tools/0/input_schema/_c", "p", "remove", "builtins.int"),
            ("/_d", "p", "remove", "builtins.int"),
        ],
    ),
    "first-in-scope": Case(
        (
            Rule("one", keys=("x",), scope=("/a",)),
            Rule("two", keys=("x",), scope=("/b",), action="report"),
            Rule("three", prefixes=("x",), scope=("/a", "/b", "/c")),
            Rule("four", keys=("x",), scope=("/d",)),
        ),
        {"a": {"x": 1}, "b": {"x": 2}, "c": {"x": 3}, "e": {"x": 4}},
        {"a": {}, "b": {"x": 2}, "c": {}, "e": {"x": 4}},
        [
            ("/a/x", "one", "remove", "builtins.int"),
            ("/b/x", "two", "report", "builtins.int"),
            ("/c/x", "three", "remove", "builtins.int"),
        ],
    ),
    "everywhere-after-bound": Case(
        (
            Rule("one", keys=("x",), scope=("/a",), action="report"),
            Rule("two", keys=("x",)),
        ),
        {"a": {"x": 1}, "b": {"x": 2}},
        {"a": {"x": 1}, "b": {}},
        [("/a/x", "one", "report", "builtins.int"), ("/b/x", "two", "remove", "builtins.int")],
    ),
    "escaped-names": Case(
        (x(scope=("/a~1b/c~0d/ü",)),),
        {"a/b": {"c~d": {"ü": {"x": 1}, "u": {"x": 2}}}},
        {"a/b": {"c~d": {"ü": {}, "u": {"x": 2}}}},
        [("/a~1b/c~0d/\\u00fc/x", "x", "remove", "builtins.int")],
    ),
    "report-goes-on-inside": Case(
        (Rule("p", prefixes=("_",), action="report"), x()),
        {"_a": {"x": 1, "_b": [{"x": 2}]}},
        {"_a": {"_b": [{}]}},
        [
            ("/_a", "p", "report", "builtins.dict"),
            ("/_a/x", "x", "remove", "builtins.int"),
            ("/_a/_b", "p", "report", "builtins.list"),
            ("/_a/_b/0/x", "x", "remove", "builtins.int"),
        ],
    ),
    "report-alone": Case(
        (x(action="report"),),
        {"x": {"x": [1]}},
        {"x": {"x": [1]}},
        [("/x", "x", "report", "builtins.dict"), ("/x/x", "x", "report", "builtins.list")],
        changed=False,
    ),
    "replace-by-constants": Case(
        (
            Rule("s", keys=("s",), action="replace", replacement="ü"),
            Rule("n", keys=("n",), action="replace", replacement=None),
            Rule("t", keys=("t",), action="replace", replacement=True),
            Rule("f", keys=("f",), action="replace", replacement=-1.5e30),
        ),
        {"s": {"s": 1}, "a": 1, "n": [{"n": 1}], "b": [{"t": 1}, {"t": ""}], "f": "1"},
        {"s": "ü", "a": 1, "n": None, "b": [{"t": True}, {"t": True}], "f": -1.5e30},
        [
            ("/s", "s", "replace", "builtins.dict"),
            ("/n", "n", "replace", "builtins.list"),
            ("/b/0/t", "t", "replace", "builtins.int"),
            ("/b/1/t", "t", "replace", "builtins.str"),
            ("/f", "f", "replace", "builtins.str"),
        ],
    ),
    "replaced-already": Case(
        (x(action="replace", replacement="gone"),),
        {"x": "gone", "a": {"x": "gone"}},
        {"x": "gone", "a": {"x": "gone"}},
        [],
        changed=False,
    ),
    "not-the-same-scalar": Case(
        (x(action="replace", replacement=1),),
        {"x": True, "a": {"x": 1.0}, "b": {"x": 1}},
        {"x": 1, "a": {"x": 1}, "b": {"x": 1}},
        [("/x", "x", "replace", "builtins.bool"), ("/a/x", "x", "replace", "builtins.float")],
    ),
    "replace-and-remove": Case(
        (x(action="replace", replacement=0), Rule("y", keys=("y",))),
        {"y": 1, "x": 1, "a": 1, "b": {"x": [], "y": 2}, "c": {"y": 1, "x": ""}},
        {"x": 0, "a": 1, "b": {"x": 0}, "c": {"x": 0}},
        [
            ("/y", "y", "remove", "builtins.int"),
            ("/x", "x", "replace", "builtins.int"),
            ("/b/x", "x", "replace", "builtins.list"),
            ("/b/y", "y", "remove", "builtins.int"),
            ("/c/y", "y", "remove", "builtins.int"),
            ("/c/x", "x", "replace", "builtins.str"),
        ],
    ),
    "reject-elsewhere": Case(
        (x(scope=("/a",), action="reject"),), {"x": 1}, {"x": 1}, [], changed=False
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_door_does_what_the_rules_say(case: Case) -> None:
    """Object, encoder and bytes give the same body and the same findings; the caller keeps his."""
    sanitizer = Sanitizer(Policy(case.rules))
    before = compact(case.body)
    value, report = sanitizer.sanitize(case.body)
    assert value == case.left
    assert compact(value) == compact(case.left)  # 1 == True == 1.0
    assert findings(report) == case.found
    assert report.changed is case.changed
    assert (value is case.body) is not case.changed
    content, report = sanitizer.encode(case.body)
    assert (content, findings(report)) == (compact(case.left), case.found)
    content, report = sanitizer.sanitize_bytes(before, "application/json")
    assert (content, findings(report)) == (compact(case.left), case.found)
    assert report.changed is case.changed
    assert (content is before) is not case.changed
    assert compact(case.body) == before


def test_bytes_keep_their_layout() -> None:
    """Of a replaced member only the value changes, and of what is left out one comma goes too."""
    rules = (x(action="replace", replacement="ü"), Rule("y", keys=("y",), scope=("/a",)))
    text = '{ "x" :\t[1, {"x": 2}] ,\n "a": {"y": 1.10, "z": 1.10 , "\\u0078" : null}, "y": 1e2 }'
    left = '{ "x" :\t"ü" ,\n "a": { "z": 1.10 , "\\u0078" : "ü"}, "y": 1e2 }'
    content, report = Sanitizer(Policy(rules)).sanitize_bytes(text.encode(), "application/json")
    assert content.decode() == left
    assert [found.path for found in report.findings] == ["/x", "/a/y", "/a/x"]


def test_a_line_of_json_lines_is_a_body() -> None:
    """The path begins with its index, the scope does not; nor does one line's place leak on."""
    sanitizer = Sanitizer(Policy((x(scope=("/", "/metadata")),)))
    text = b'{"x":1,"a":{"x":2}}\n{"metadata":{"x":3}}\n{"0":{"x":4}}\n'
    content, report = sanitizer.sanitize_bytes(text, "application/jsonl")
    assert content == b'{"a":{"x":2}}\n{"metadata":{}}\n{"0":{"x":4}}\n'
    assert [found.path for found in report.findings] == ["/0/x", "/1/metadata/x"]


@pytest.mark.parametrize("door", ["sanitize", "encode", "sanitize_bytes"])
def test_a_rejecting_rule_refuses_in_its_scope(door: str) -> None:
    """And nowhere else."""
    sanitizer = Sanitizer(Policy((x(scope=("/a",), action="reject"),)))
    body: Any = {"x": 1, "a": {"x": 2}}
    with pytest.raises(BodyRejectedError, match=r"/a/x \(rule x, builtins\.int\)"):
        getattr(sanitizer, door)(compact(body) if door == "sanitize_bytes" else body)


# One object in several places.


def test_a_shared_object_gets_what_each_place_asks_for() -> None:
    """Copied where a rule holds, left as it is where none does."""
    shared = {"x": 1, "deep": {"x": 2}}
    body = {"a": shared, "metadata": shared, "list": [shared, {"metadata": shared}], "b": shared}
    sanitizer = Sanitizer(Policy((x(scope=("/metadata/**",)),)))
    value, report = sanitizer.sanitize(body)
    assert isinstance(value, dict)
    assert value["metadata"] == {"deep": {}}
    assert value["a"] is value["b"] is shared
    assert value["list"] is body["list"]
    assert [found.path for found in report.findings] == ["/metadata/x", "/metadata/deep/x"]
    assert sanitizer.sanitize_bytes(compact(body))[0] == sanitizer.encode(body)[0]


def test_a_shared_object_is_walked_once_for_each_kind_of_place() -> None:
    """A million places of two kinds are two looks; paths are told apart by what globs see."""
    shared: Any = {"x": 1}
    for _ in range(20):
        shared = [shared, shared]
    body = {"metadata": shared, "other": shared}
    policy = Policy((x(scope=("/metadata/**",)),))
    walked = walk(body, Matcher(policy.rules))
    assert isinstance(walked.value, dict)
    assert walked.value["other"] is shared
    left = walked.value["metadata"]
    for _ in range(20):
        assert left[0] is left[1]
        left = left[0]
    assert left == {}
    assert (len(walked.report.findings), walked.report.omitted) == (1000, 2**20 - 1000)


def test_too_many_kinds_of_places_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Globs can tell exponentially many ways to one object apart, so looks are counted."""
    monkeypatch.setitem(walk_module._MOST, "again", 5000)
    shared: Any = {"x": 1}
    for _ in range(40):
        shared = {"a": shared, "b": shared}
    glob = "**/a" + "/*" * 18
    with pytest.raises(BodyLimitError, match=r"more than 5,000 items to judge again") as raised:
        Sanitizer(Policy((x(scope=(glob,)),))).sanitize(shared)
    assert [found.rule for found in raised.value.report.findings] == ["size"]
    # What no such rule matches is free however often it stands somewhere.
    assert Sanitizer(Policy((Rule("y", keys=("y",), scope=(glob,)),))).sanitize(shared)[0] is shared


def test_a_foreign_container_is_asked_once() -> None:
    """Though it stands in two places of which a rule says different things."""
    asked = []

    class Bag(dict):  # type: ignore[type-arg]
        def items(self) -> Any:
            asked.append("items")
            return iter([("x", 1), ("a", len(asked))])

    class Row(list):  # type: ignore[type-arg]
        def __iter__(self) -> Iterator[Any]:
            asked.append("iter")
            return iter([{"x": 2}, len(asked)])

    bag, row = Bag(z=0), Row([0])
    body = {"a": {"bag": bag, "row": row}, "metadata": {"bag": bag, "row": row}}
    content, _ = Sanitizer(Policy((x(scope=("/metadata/**",)),))).encode(body)
    assert json.loads(content) == {
        "a": {"bag": {"x": 1, "a": 1}, "row": [{"x": 2}, 2]},
        "metadata": {"bag": {"a": 1}, "row": [{}, 2]},
    }
    assert asked == ["items", "iter"]


def test_a_plain_subclass_in_two_places_is_copied_for_the_encoder() -> None:
    """json would ask it by name, in the one place and in the other."""

    class Bag(dict):  # type: ignore[type-arg]
        pass

    bag = Bag(x=1, y=2)
    body = {"metadata": bag, "a": bag}
    ready, _ = Sanitizer(Policy((x(scope=("/metadata",)),))).prepare(body)
    assert ready == {"metadata": {"y": 2}, "a": {"x": 1, "y": 2}}
    assert isinstance(ready, dict)
    assert [type(value) for value in ready.values()] == [dict, dict]


def test_a_cycle_through_a_scoped_hit() -> None:
    """An object that stands in itself is walked again for another place, and ends there too."""
    ring: Any = {"x": 1}
    ring["ring"] = ring
    body = {"metadata": ring, "other": ring}
    value, report = Sanitizer(Policy((x(scope=("/metadata/**",)),))).sanitize(body)
    assert value == {"metadata": {}, "other": {"x": 1}}
    assert findings(report) == [
        ("/metadata/x", "x", "remove", "builtins.int"),
        ("/metadata/ring", "cycle", "remove", "builtins.dict"),
        ("/other/ring", "cycle", "remove", "builtins.dict"),
    ]


def test_what_converts_is_judged_by_its_place_too() -> None:
    """A converted container has a place as any other, however often it is asked for."""

    class Thing:
        pass

    thing = Thing()
    shared = {"thing": thing}
    policy = Policy(
        (x(scope=("/metadata/**",)),), convert=lambda item: {"x": 1, "type": type(item).__name__}
    )
    value, _ = Sanitizer(policy).sanitize({"metadata": shared, "other": shared})
    assert value == {
        "metadata": {"thing": {"type": "Thing"}},
        "other": {"thing": {"x": 1, "type": "Thing"}},
    }


def test_odd_names_are_names_as_json_writes_them() -> None:
    """A glob meets an int key by its digits, half a character by its stand-in."""
    rule = Rule("r", keys=("1", "true", "\ufffd"), scope=("/2/null",), action="report")
    body = {2: {None: {1: "a", "\ud800": "c"}, 1: "d"}, "null": {True: "b"}}
    value, report = Sanitizer(Policy((rule,))).sanitize(body)
    assert value == {2: {None: {1: "a", "\ufffd": "c"}, 1: "d"}, "null": {True: "b"}}
    assert [(found.path, found.rule) for found in report.findings] == [
        ("/2/null/1", "r"),
        ("/2/null/\\ud800", "r"),
        ("/2/null/\\ud800", "surrogate"),
    ]


def test_an_odd_name_can_be_replaced() -> None:
    """The value goes, and half a character in the name as well."""
    rule = Rule("r", keys=("1", "\ufffd"), action="replace", replacement="gone")
    value, report = Sanitizer(Policy((rule,))).sanitize({1: Span(), "\ud800": Span(), "a": 2})
    assert value == {1: "gone", "\ufffd": "gone", "a": 2}
    assert [found.action for found in report.findings] == ["replace", "replace"]
    assert MARKER not in repr(report)


# Types.

SPAN = "sentry_sdk.tracing.Span"


def test_types_have_places_too() -> None:
    """As members and as elements; out of scope the value is what JSON makes of it, nothing."""
    rules = (
        Rule("meta", types=(SPAN,), scope=("/metadata",), action="replace", replacement="span"),
        Rule("list", types=(SPAN,), scope=("/list",), exceptions=("/list/1",)),
        Rule("told", types=(SPAN,), scope=("/told/**",), action="report"),
    )
    span = Span()
    body = {"metadata": {"a": span}, "list": [span, span], "told": {"a": span}, "b": span}
    value, report = Sanitizer(Policy(rules)).sanitize(body)
    assert value == {"metadata": {"a": "span"}, "list": [None, None], "told": {}}
    assert findings(report) == [
        ("/metadata/a", "meta", "replace", SPAN),
        ("/list/0", "list", "replace", SPAN),
        ("/list/1", "unserializable", "replace", SPAN),
        ("/told/a", "told", "report", SPAN),
        ("/told/a", "unserializable", "remove", SPAN),
        ("/b", "unserializable", "remove", SPAN),
    ]


def test_the_body_itself_can_be_replaced() -> None:
    """It stands in nothing, where ** holds and no pointer does."""
    arguments: dict[str, Any] = {"action": "replace", "replacement": 7}
    value, report = Sanitizer(Policy((Rule("r", types=(SPAN,), **arguments),))).sanitize(Span())
    assert value == 7
    assert findings(report) == [("", "r", "replace", SPAN)]
    for scope in ("/", "/*"):
        rule = Rule("r", types=(SPAN,), scope=(scope,), **arguments)
        with pytest.raises(BodyRejectedError, match="rule unserializable"):
            Sanitizer(Policy((rule,))).sanitize(Span())
    rule = Rule("r", types=(SPAN,), exceptions=("/",), **arguments)
    with pytest.raises(BodyRejectedError, match="rule unserializable"):
        Sanitizer(Policy((rule,))).sanitize(Span())


def test_a_size_limit_does_not_count_what_goes() -> None:
    """A long name, or a long value, that is gone does not make a body too large."""
    rules = (
        Rule("type", types=(SPAN,)),
        Rule("name", keys=("x",), action="replace", replacement=""),
    )
    sanitizer = Sanitizer(Policy(rules, max_bytes=20))
    assert sanitizer.encode({"x": "y" * 1000, "z" * 1000: Span()})[0] == b'{"x":""}'


@pytest.mark.parametrize("levels", [10_000, pytest.param(100_000, marks=pytest.mark.exhaustive)])
def test_a_scope_is_followed_to_any_depth(levels: int) -> None:
    """Places of as many levels are found once, in objects and bytes alike."""
    text = b'{"x":1,"a":' * levels + b"{}" + b"}" * levels
    body: Any = {}
    for _ in range(levels):
        body = {"x": 1, "a": body}
    sanitizer = Sanitizer(Policy((x(scope=("**/a",)),)))
    content, report = sanitizer.sanitize_bytes(text)
    assert content == b'{"x":1,"a":' + b'{"a":' * (levels - 1) + b"{}" + b"}" * levels
    assert len(report.findings) + report.omitted == levels - 1
    value, report = sanitizer.sanitize(body)
    assert isinstance(value, dict)
    assert list(value) == ["x", "a"]
    assert list(value["a"]) == ["a"]
    assert len(report.findings) + report.omitted == levels - 1


# The second look, at what was encoded.


def test_what_the_walk_found_is_found_once() -> None:
    """Though what it left is encoded, and the bytes are looked at too."""
    rules = (x(action="replace", replacement="gone"), Rule("y", keys=("y",), action="report"))
    content, report = Sanitizer(Policy(rules)).encode({"x": [1], "y": {"x": 2}})
    assert content == b'{"x":"gone","y":{"x":"gone"}}'
    assert findings(report) == [
        ("/x", "x", "replace", "builtins.list"),
        ("/y", "y", "report", "builtins.dict"),
        ("/y/x", "x", "replace", "builtins.int"),
    ]


def test_what_another_thread_adds_meanwhile_is_still_found() -> None:
    """A member that the walk never saw is replaced by the look at the bytes."""
    inner: dict[str, object] = {"a": 1}

    def late(item: object) -> object:
        inner.update(x=MARKER, y=1)  # as another thread would, once the dict was walked
        return "converted"

    rules = (x(action="replace", replacement="gone"), Rule("y", keys=("y",), action="report"))
    sanitizer = Sanitizer(Policy(rules, convert=late))
    content, report = sanitizer.encode({"inner": inner, "last": Span()})
    assert content == b'{"inner":{"a":1,"x":"gone","y":1},"last":"converted"}'
    assert findings(report) == [("/inner/x", "x", "replace", "builtins.str")]


# Bodies that cannot be cut.


@pytest.mark.parametrize(
    ("action", "refused"), [("report", False), ("remove", True), ("replace", True)]
)
def test_a_policy_that_only_reports_refuses_nothing(action: Any, refused: bool) -> None:
    """What does not parse, or is too large, goes on where nothing would have been taken."""
    sanitizer = Sanitizer(Policy((x(action=action, replacement=None),), max_bytes=20))
    broken, large = b'{"x":1,}', b'{"x":"' + b"a" * 30 + b'"}'
    if refused:
        with pytest.raises(BodyRejectedError, match="stops being JSON"):
            sanitizer.sanitize_bytes(broken, "application/json")
        with pytest.raises(BodyLimitError, match="max_bytes"):
            sanitizer.sanitize_bytes(large, "application/json")
        return
    content, report = sanitizer.sanitize_bytes(broken, "application/json")
    assert content is broken
    assert findings(report) == [("", "malformed", "report", "")]
    content, report = sanitizer.sanitize_bytes(large, "application/json")
    assert content is large
    assert report.why_not_judged == "larger than max_bytes"


# As a plain reading of the rules says, for any body and any rules.

KEYS = ("a", "b", "x", "y")
_segments = st.sampled_from(("*", "**", "a", "b", "x", "0"))
_globs = st.lists(_segments, max_size=3).map(lambda segments: "/" + "/".join(segments))
_exceptions = _globs.filter(lambda glob: set(glob.split("/")) != {"", "**"})


@st.composite
def rule_lists(draw: st.DrawFn) -> tuple[Rule, ...]:
    rules = []
    for index in range(draw(st.integers(1, 3))):
        action = draw(st.sampled_from(("remove", "report", "replace")))
        rules.append(
            Rule(
                f"r{index}",
                keys=(draw(st.sampled_from(KEYS)),),
                prefixes=tuple(draw(st.lists(st.sampled_from(("x", "b")), max_size=1))),
                scope=tuple(draw(st.lists(_globs, min_size=1, max_size=2))),
                exceptions=tuple(draw(st.lists(_exceptions, max_size=1))),
                action=action,
                replacement=draw(st.sampled_from((None, 1, "gone")))
                if action == "replace"
                else None,
            )
        )
    return tuple(rules)


@st.composite
def bodies(draw: st.DrawFn) -> Any:
    """Draw a body in which one object may stand in many places."""
    parts: list[Any] = [1, "gone", None]
    for _ in range(draw(st.integers(1, 8))):
        picked = st.sampled_from(parts)
        fresh = (
            st.lists(picked, min_size=1, max_size=3)
            if draw(st.booleans())
            else st.dictionaries(st.sampled_from(KEYS), picked, min_size=1, max_size=4)
        )
        parts.append(draw(fresh))
    return parts[-1]


def matches(segments: list[str], tokens: tuple[str, ...]) -> bool:
    if not segments:
        return not tokens
    if segments[0] == "**":
        return any(matches(segments[1:], tokens[skip:]) for skip in range(len(tokens) + 1))
    return bool(tokens) and segments[0] in ("*", tokens[0]) and matches(segments[1:], tokens[1:])


def any_of(globs: tuple[str, ...], tokens: tuple[str, ...]) -> bool:
    return any(matches([part for part in glob.split("/") if part], tokens) for glob in globs)


def read(value: Any, rules: tuple[Rule, ...], at: tuple[str, ...] = ()) -> tuple[Any, bool]:
    """Return what should be left of a value, and whether that is anything else."""
    if isinstance(value, list):
        read_items = [read(item, rules, (*at, str(i))) for i, item in enumerate(value)]
        return [item for item, _ in read_items], any(changed for _, changed in read_items)
    if not isinstance(value, dict):
        return value, False
    left, changed = {}, False
    for key, item in value.items():
        here = (*at, key)
        rule = next(
            (
                rule
                for rule in rules
                if (key in rule.keys or key.startswith(rule.prefixes))
                and any_of(rule.scope, at)
                and not any_of(rule.exceptions, here)
            ),
            None,
        )
        if rule is not None and rule.action == "remove":
            changed = True
        elif rule is not None and rule.action == "replace":
            left[key] = rule.replacement
            changed |= compact(item) != compact(rule.replacement)
        else:
            left[key], differs = read(item, rules, here)
            changed |= differs
    return left, changed


def untouched(before: Any, after: Any, rules: tuple[Rule, ...], at: tuple[str, ...] = ()) -> bool:
    """Check whether all that stays as it was is the very object that it was."""
    if not isinstance(before, dict | list) or type(before) is not type(after):
        return True
    if not read(before, rules, at)[1]:
        return before is after
    items = before.items() if isinstance(before, dict) else enumerate(before)
    return all(
        untouched(item, after[key], rules, (*at, str(key)))
        for key, item in items
        if isinstance(after, list) or key in after
    )


@given(bodies(), rule_lists())
def test_as_a_plain_reading_says(body: Any, rules: tuple[Rule, ...]) -> None:
    """In scope nothing survives, out of it every object is the caller's own, on every door."""
    sanitizer = Sanitizer(Policy(rules))
    before = compact(body)
    expected, changed = read(body, rules)
    value, report = sanitizer.sanitize(body)
    assert compact(value) == compact(expected)
    assert report.changed is changed
    assert (value is body) is not changed
    assert untouched(body, value, rules)
    content, told = sanitizer.encode(body)
    assert content == compact(expected)
    assert told.findings == report.findings
    content, told = sanitizer.sanitize_bytes(before, "application/json")
    assert content == compact(expected)
    assert told == report
    assert compact(body) == before
    assert sanitizer.sanitize_bytes(content, "application/json")[0] is content
