"""The compiled encoder says nothing, or exactly what the walk and json say."""

from __future__ import annotations

import collections
import enum
import json
import math
import random
import threading
import tracemalloc
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from body_guard import Policy, Report, Rule, Sanitizer, presets
from body_guard.builtin_rules.preset_tables import PRESETS
from body_guard.core import accelerator
from body_guard.core.encode import DEEPEST, HTTPX, Style
from body_guard.core.json_text import replace_surrogates
from body_guard.core.scopes import ANYWHERE, parse_glob

from hostile import HOSTILE, Span, hostile_class, hostile_key
from strategies import anything, clean, planted

pytest.importorskip("body_guard.core._speedups", reason="the compiled pass was not built")

from agreement import STYLES, agrees, compiled, plain


class Text(str):
    def __str__(self) -> str:
        raise SystemExit("__str__ was run")


class Lying(str):
    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = str.__hash__


class Dict(dict):  # type: ignore[type-arg]
    def __iter__(self) -> Any:
        raise SystemExit("__iter__ was run")


class Items(dict):  # type: ignore[type-arg]
    def items(self) -> Any:
        return [("said", 1)]


class List(list):  # type: ignore[type-arg]
    def __len__(self) -> int:
        raise SystemExit("__len__ was run")


class Iterated(list):  # type: ignore[type-arg]
    def __iter__(self) -> Any:
        return iter(("said",))


class Tuple(tuple):  # type: ignore[type-arg]
    def __iter__(self) -> Any:
        return iter(("said",))


class Colour(enum.Enum):
    RED = 1


class Role(str, enum.Enum):
    USER = "user"


class Level(enum.IntEnum):
    LOW = 1


class Point(NamedTuple):
    x: int
    y: float


class Float(float):
    def __repr__(self) -> str:
        raise SystemExit("__repr__ was run")


def nested(levels: int, leaf: Any = ()) -> Any:
    value = leaf
    for _ in range(levels):
        value = [value]
    return value


# What the pass does itself, by the bytes and by path and rule of what is found.
DONE: dict[str, tuple[Any, str, list[tuple[str, str, str]]]] = {
    "empty-object": ({}, "{}", []),
    "empty-array": ([], "[]", []),
    "empty-tuple": ((), "[]", []),
    "null": (None, "null", []),
    "true": (True, "true", []),
    "text": ("a", '"a"', []),
    "order": ({"b": 1, "a": [True, False, None]}, '{"b":1,"a":[true,false,null]}', []),
    "ints": ([0, -1, 2**63 - 1, -(2**63)], f"[0,-1,{2**63 - 1},{-(2**63)}]", []),
    "large-ints": ([2**63, -(2**64), 10**600], f"[{2**63},{-(2**64)},{10**600}]", []),
    "floats": ([1.0, 1e16, 1e-7, -0.0, 0.1], "[1.0,1e+16,1e-07,-0.0,0.1]", []),
    "escapes": ('"\\/\b\f\n\r\t\0\x1f\x7f', '"\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f"', []),
    "latin": ("é\x7f\x80ÿ" * 5, '"' + "é\x7f\x80ÿ" * 5 + '"', []),
    "two-byte": ("\u2028 a你" * 5, '"' + "\u2028 a你" * 5 + '"', []),
    "four-byte": ("a\U0001f600é" * 5, '"' + "a\U0001f600é" * 5 + '"', []),
    "names": ({"é": 1, "你\n": 2, "": 3}, '{"é":1,"你\\n":2,"":3}', []),
    "named-tuple": ({"p": Point(1, 2.5)}, '{"p":[1,2.5]}', []),
    "subclasses": (
        [Text("a"), Level.LOW, Float(1.5), Role.USER, Dict(a=1), List([1])],
        '["a",1,1.5,"user",{"a":1},[1]]',
        [],
    ),
    "subclass-names": ({Text("a"): 1, Role.USER: 2}, '{"a":1,"user":2}', []),
    "defaultdict": (collections.defaultdict(int, a=1), '{"a":1}', []),
    "empty-foreign": ([Items(), collections.OrderedDict()], "[{},{}]", []),
    "forbidden-first": ({"_sentry_a": 1, "b": 2}, '{"b":2}', [("/_sentry_a", "sentry", "remove")]),
    "forbidden-last": ({"b": 2, "_sentry_a": 1}, '{"b":2}', [("/_sentry_a", "sentry", "remove")]),
    "forbidden-only": ({"_sentry_a": 1}, "{}", [("/_sentry_a", "sentry", "remove")]),
    "forbidden-deep": (
        [{"a": [{"_sentrysdk_": {"_sentry_x": Span()}, "b": 1}]}],
        '[{"a":[{"b":1}]}]',
        [("/0/a/0/_sentrysdk_", "sentry", "remove")],
    ),
    "forbidden-subclass": (
        {Text("_sentry_é"): 1},
        "{}",
        [("/_sentry_\\u00e9", "sentry", "remove")],
    ),
    "object-member": ({"a": 1, "s": Span()}, '{"a":1}', [("/s", "unserializable", "remove")]),
    "object-first": ({"s": Span(), "a": 1}, '{"a":1}', [("/s", "unserializable", "remove")]),
    "object-element": ([Span(), 1], "[null,1]", [("/0", "unserializable", "replace")]),
    "bytes-set-enum": (
        {"a": b"x", "b": {1}, "c": Colour.RED, "d": ...},
        "{}",
        [(f"/{name}", "unserializable", "remove") for name in "abcd"],
    ),
    "non-finite": (
        {"a": math.nan, "b": [math.inf, -math.inf]},
        '{"a":null,"b":[null,null]}',
        [(path, "non-finite", "replace") for path in ("/a", "/b/0", "/b/1")],
    ),
    "non-finite-body": (math.nan, "null", [("", "non-finite", "replace")]),
    "non-finite-subclass": ([Float("inf")], "[null]", [("/0", "non-finite", "replace")]),
    "surrogate": (
        {"a": "x\ud800y", "b": ["\udc00\U0001f600", "\ud83d\ude00", Text("\udfff")]},
        '{"a":"x\ufffdy","b":["\ufffd\U0001f600","\U0001f600","\ufffd"]}',
        [(path, "surrogate", "replace") for path in ("/a", "/b/0", "/b/1", "/b/2")],
    ),
    "surrogate-body": ("\ud800", '"\ufffd"', [("", "surrogate", "replace")]),
    "bad-keys": (
        {(1, 2): 1, b"x": {"_sentry_": 1}, "a": 2, frozenset(): 3},
        '{"a":2}',
        [
            (f"/<builtins.{name}>", "unserializable", "remove")
            for name in ("tuple", "bytes", "frozenset")
        ],
    ),
    "shared": ([[shared := [1], shared], {"a": shared}], '[[[1],[1]],{"a":[1]}]', []),
    "shared-dirt": (
        [dirty := {"s": Span()}, dirty],
        "[{},{}]",
        [("/0/s", "unserializable", "remove"), ("/1/s", "unserializable", "remove")],
    ),
    "deep": (nested(DEEPEST - 1), "[" * DEEPEST + "]" * DEEPEST, []),
}


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@pytest.mark.parametrize(("value", "text", "findings"), DONE.values(), ids=DONE)
def test_what_the_pass_does(
    value: Any, text: str, findings: list[tuple[str, str, str]], style: Style
) -> None:
    """Bytes and findings are those of the walk and json; in httpx's style, those written here."""
    content, report = compiled(value, style=style)
    assert [(found.path, found.rule, found.action) for found in report.findings] == findings
    if style is HTTPX:
        assert content == text.encode()
    if text.count("[") < 900:  # more than the plain path's stack may hold
        assert agrees(value, style=style)


def cycle() -> Any:
    value: dict[str, Any] = {"text": "", "a": [1]}
    value["a"].append(value)
    return value


# What only the walk can tell.
HANDED_BACK: dict[str, Any] = {
    "int-key": {1: 1},
    "float-key": {1.5: 1},
    "bool-key": {True: 1},
    "none-key": {None: 1},
    "int-enum-key": {Level.LOW: 1},
    "nan-key": {math.nan: 1},
    "key-that-is-two": {"a": 1, Lying("a"): 2},
    "surrogate-key": {"\ud800": 1},
    "items": Items(a=1),
    "ordered": collections.OrderedDict(a=1),
    "iterated": Iterated([1]),
    "iterated-empty": [Iterated()],
    "iterated-tuple": [Tuple((1,))],
    "cycle": cycle(),
    "too-deep": nested(DEEPEST),
    "too-deep-empty-object": nested(DEEPEST, {}),
    "digits": [10**5000],
    "digits-body": 10**5000,
    "object-body": Span(),
    "set-body": {1},
}


@pytest.mark.parametrize("value", HANDED_BACK.values(), ids=HANDED_BACK)
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: {"a": 1, "b": value}])
def test_what_is_handed_back(value: Any, wrap: Any, request: pytest.FixtureRequest) -> None:
    """The pass says nothing, wherever the value stands; as the body, or within one."""
    if "body" not in request.node.callspec.id or wrap(0) == 0:
        assert compiled(wrap(value)) is None


def mapped(value: Any) -> Any:
    raise TypeError


@pytest.mark.parametrize(
    "policy",
    [Policy(unserializable="reject"), Policy(convert=mapped)],
    ids=["reject", "convert"],
)
def test_what_is_to_be_asked_for_is_handed_back(policy: Policy) -> None:
    """What json cannot write is not just removed then; all else is as ever."""
    assert compiled({"a": Span()}, policy) is None
    assert compiled([{b"": 1}], policy) is None
    assert compiled({"_sentry_a": Span(), "b": [math.nan, Text("a")]}, policy) == plain(
        {"_sentry_a": 1, "b": [math.nan, Text("a")]} | {"_sentry_a": Span()}, policy
    )


def test_rules_for_types_see_every_foreign_value() -> None:
    """A value of a class that is not json's own is the walk's; what json made is not."""
    policy = Policy((Rule("span", types=("sentry_sdk.tracing.Span",)),))
    for value in (Span(), Text("a"), Level.LOW, Dict(), (Point(1, 2)), Float(1.5), {1}):
        assert compiled([value], policy) is None
    assert agrees([1, 2.5, "a", {}, [], (), math.nan, 2**70, None, True], policy)


@pytest.mark.parametrize("make", [make for make, _ in HOSTILE.values()], ids=HOSTILE)
def test_no_code_of_a_stranger_is_run(make: Any) -> None:
    """A hostile object is removed, a hostile text or number written, a container handed back."""
    value = make()
    agrees([value])
    agrees({"a": {"b": value}, "_sentry_x": value})


@pytest.mark.parametrize("base", [object, str, int, float], ids=lambda base: base.__name__)
def test_no_code_of_a_key_is_run(base: type) -> None:
    """A key that is no plain text is handed back, or its member removed."""
    key, arm = hostile_key(base)
    value = {"a": 1, key: 2}
    arm()
    said = compiled([value])
    assert said is None or said[0] == b'[{"a":1}]'


def test_a_class_whose_namespace_runs_code_crashes_nothing() -> None:
    """Looking for ``items`` may compare hostile names: what that code drops is held on to."""

    class Name(str):
        def __eq__(self, other: object) -> bool:
            body.clear()
            return False

        __hash__ = str.__hash__

    foreign = type("Foreign", (dict,), {Name("items"): 1})
    for _ in range(20):
        body: dict[str, Any] = {"x" * 50: {"y" * 50: [foreign(a=["z" * 50])]}, "w": "v" * 50}
        compiled(body)
        type.mro(foreign)
        foreign.changed = 1  # the next look is not taken from a cache


def test_findings_are_listed_up_to_a_bound() -> None:
    """As the walk's: a thousand of them, the rest is counted."""
    value = [[math.nan] * 10, {"a": [Span()] * 5000, "_sentry_x": 1}]
    assert agrees(value)
    assert compiled(value)[1].omitted == 5011 - 1000


def test_more_faults_than_a_pass_records_are_the_walks() -> None:
    """Each takes memory until the end."""
    assert compiled([math.nan] * 99_999) is not None
    assert compiled([math.nan] * 100_000) is None


def doubled(times: int, leaf: Any) -> Any:
    value = [leaf]
    for _ in range(times):
        value = [value, value]
    return value


def tangled(nodes: int) -> Any:
    pick = random.Random(1)
    made: list[dict[str, Any]] = [{"text": "x" * 10} for _ in range(nodes)]
    for number, node in enumerate(made[:-1]):
        below = made[number + 1 : number + 20]
        node.update({f"key{index}": pick.choice(below) for index in range(5)})
    return made[0]


@pytest.mark.parametrize(
    "value",
    [doubled(60, 1), doubled(60, "x" * 1000), tangled(600), tangled(5000), [["x" * 2**20]] * 70],
    ids=["doubled", "doubled-text", "tangled", "tangled-many", "one-text"],
)
def test_an_unfolding_body_is_handed_back_before_it_costs(value: Any) -> None:
    """Unfolded, it may be terabytes: not much more is written than what is written once."""
    tracemalloc.start()
    try:
        assert compiled(value) is None
        assert tracemalloc.get_traced_memory()[1] < 32 * 2**20
    finally:
        tracemalloc.stop()


def test_containers_that_stand_in_a_few_places_stay_in_the_pass() -> None:
    """A schema that many tools share, texts that stand twice; and what somebody else refers to."""
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert agrees({"tools": [{"function": {"parameters": schema}}] * 1000})
    large = [["x" * 2**20] for _ in range(4)]
    assert agrees([large, large, large])
    held = [["x" * 2**20] for _ in range(10)]
    assert compiled({"messages": held, "again": held[:8]}) is not None


@pytest.mark.parametrize("value", [cycle(), doubled(10, "x" * 1000)], ids=["cycle", "doubled"])
def test_what_was_walked_is_written_by_the_pass(
    value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body whose cycles were cut, or that unfolds, takes json no second look."""
    assert compiled(value) is None
    content, report = plain(value)

    def refuse(value: object) -> bytes:
        raise AssertionError("json was asked")

    monkeypatch.setattr(accelerator, "encode", refuse)
    assert Sanitizer().encode(value) == (content, report)


def test_json_writes_what_the_pass_hands_back_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that are coerced; and what another thread put in since the walk, which json refuses."""
    assert accelerator.encode_walked({1: 2}, 100) == b'{"1":2}'
    assert accelerator.encode_walked(["x" * 200], 100) == b'["%b"]' % (b"x" * 200)
    for late in (Span(), math.nan, "\ud800"):
        with pytest.raises((TypeError, ValueError)):
            accelerator.encode_walked([late], 100)


def test_a_cycle_is_handed_back_at_its_closing_edge() -> None:
    """Not when its levels run out: what stands beside it would be written as often."""
    value = cycle()
    value["text"] = "x" * 100_000
    for wrap in (lambda value: value, lambda value: {"m": [value, {"a": [{"b": value}]}]}):
        tracemalloc.start()
        try:
            assert compiled(wrap(value)) is None
            assert tracemalloc.get_traced_memory()[1] < 500_000
        finally:
            tracemalloc.stop()


def test_the_search_for_cycles_is_bounded() -> None:
    """Many ways to shared containers at the bottom of a deep body are handed back."""
    shared = [1]
    value = nested(1_900, [shared] * 10_000)
    assert compiled(value) is None
    assert agrees([[shared] * 10_000])


@pytest.mark.parametrize(
    "text", ["x" * 100, "\n" * 10, "你" * 30, "x" * 20_000], ids=lambda t: t[:1]
)
def test_no_more_than_max_bytes_is_written(text: str) -> None:
    """To the byte: what is larger is handed back."""
    size = len(json.dumps([text], ensure_ascii=False).encode())
    assert agrees([text], Policy(max_bytes=size))
    assert compiled([text], Policy(max_bytes=size - 1)) is None
    assert compiled([text] * 100, Policy(max_bytes=size)) is None
    assert compiled([text], Policy(max_bytes=1)) is None


# Rules that are judged by their place, or do something else than remove.
NOTES: dict[str, tuple[tuple[Rule, ...], Any, str | None]] = {
    "scope-hit": (
        (Rule("r", keys=("k",), scope=("/m",)),),
        {"m": {"k": 1}, "k": 2},
        '{"m":{},"k":2}',
    ),
    "scope-root": (
        (Rule("r", keys=("k",), scope=("/",)),),
        {"m": {"k": 1}, "k": 2},
        '{"m":{"k":1}}',
    ),
    "scope-array": (
        (Rule("r", keys=("k",), scope=("/m/*",)),),
        {"m": [{"k": 1, "l": 1}, {"l": 1, "k": 1}, {"k": 1}]},
        '{"m":[{"l":1},{"l":1},{}]}',
    ),
    "exceptions": (
        (Rule("r", prefixes=("k",), exceptions=("/a/k1",)),),
        {"a": {"k1": 1, "k2": 1}, "k1": 1},
        '{"a":{"k1":1}}',
    ),
    "neighbours": (
        (Rule("r", prefixes=("k",), scope=("/",)),),
        {"k1": 1, "k2": [1], "a": 1, "k3": {}, "k4": "x", "b": 2, "k5": 1},
        '{"a":1,"b":2}',
    ),
    "all-gone": ((Rule("r", prefixes=("k",), scope=("/",)),), {"k1": 1, "k2": 2}, "{}"),
    "nested-in-gone": (
        (Rule("r", keys=("k",), scope=("**", "/")),),
        {"k": {"k": [Span(), {"k": math.nan}]}, "a": [{"k": 1}]},
        '{"a":[{}]}',
    ),
    "faults-in-kept": (
        (Rule("r", keys=("k",), scope=("/x",)),),
        {"k": {"k": [Span(), {"k": math.nan}], "s": {1}}},
        '{"k":{"k":[null,{"k":null}]}}',
    ),
    "held": (
        (Rule("r", keys=("k", "l"), scope=("/x",)),),
        {"k": Span(), "a": {"l": Span(), "b": 1, "k": {1}}, "x": {"k": Span(), "c": 1}, "l": b""},
        '{"a":{"b":1},"x":{"c":1}}',
    ),
    "report": (
        (Rule("r", keys=("k",), action="report"),),
        {"k": {"k": 1, "s": Span()}, "l": [{"k": Span()}]},
        '{"k":{"k":1},"l":[{}]}',
    ),
    "first-that-holds": (
        (
            Rule("one", keys=("k",), scope=("/x",)),
            Rule("two", prefixes=("k",), action="report", scope=("/y", "/x")),
            Rule("three", keys=("k",)),
        ),
        {"k": 1, "x": {"k": 1, "k2": 1}, "y": {"k": 1}},
        '{"x":{"k2":1},"y":{"k":1}}',
    ),
    "replace": (
        (Rule("r", keys=("k", "é\n"), action="replace", replacement="ö\n"),),
        {"k": [1, Span()], "é\n": None, "a": [{"k": Span(), "b": 1}], "l": {"k": "ö\n"}},
        '{"k":"ö\\n","é\\n":"ö\\n","a":[{"k":"ö\\n","b":1}],"l":{"k":"ö\\n"}}',
    ),
    "replace-null": (
        (Rule("r", keys=("k",), action="replace", replacement=None),),
        [{"k": None}, {"k": math.nan}, {"k": Span()}, {"k": 0}, {"k": {}}],
        '[{"k":null},{"k":null},{"k":null},{"k":null},{"k":null}]',
    ),
    "replace-of-a-kind": (
        (Rule("r", keys=("k",), action="replace", replacement=1),),
        [{"k": 1}, {"k": True}, {"k": 1.0}, {"k": Level.LOW}],
        '[{"k":1},{"k":1},{"k":1},{"k":1}]',
    ),
    "replace-half-a-character": (
        (Rule("r", keys=("k",), action="replace", replacement="\ufffd"),),
        [{"k": "\ufffd"}, {"k": "\ud800"}, {"k": Text("\ufffd")}],
        '[{"k":"\ufffd"},{"k":"\ufffd"},{"k":"\ufffd"}]',
    ),
    "reject-there": (
        (Rule("r", keys=("k",), action="reject", scope=("/x",)),),
        {"x": {"k": 1}},
        None,
    ),
    "reject-elsewhere": (
        (Rule("r", keys=("k",), action="reject", scope=("/x",)),),
        {"k": 1},
        '{"k":1}',
    ),
    "longer-prefix": (
        (Rule("p", prefixes=("a",), action="report"), Rule("q", prefixes=("abc",))),
        {"abcd": 1, "ab": 2},
        '{"abcd":1,"ab":2}',
    ),
    "shared-by-place": (
        (Rule("r", keys=("k",), scope=("/a/**",)),),
        {"a": [both := {"k": 1, "l": 2}, both], "b": both},
        '{"a":[{"l":2},{"l":2}],"b":{"k":1,"l":2}}',
    ),
}


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@pytest.mark.parametrize(("rules", "value", "text"), NOTES.values(), ids=NOTES)
def test_names_that_are_judged_by_their_place(
    rules: tuple[Rule, ...], value: Any, text: str | None, style: Style
) -> None:
    """The member is cut where its rule holds, with a comma, and what was found inside is dropped."""
    policy = Policy(rules)
    assert agrees(value, policy, style) is (text is not None)
    if text is not None:
        content, _ = compiled(value, policy, style)
        assert json.loads(content) == json.loads(text)
        assert style is not HTTPX or content == text.encode()


def test_a_replacement_that_makes_the_body_too_large_is_handed_back() -> None:
    """The limit is of what leaves."""
    policy = Policy((Rule("r", keys=("k",), action="replace", replacement="x" * 50),), max_bytes=40)
    assert compiled({"k": 1}, policy) is None


_names = st.text("_kl", max_size=3) | st.sampled_from(("_sentry_x", "metadata", "é", "k\n"))
_globs = st.lists(st.sampled_from(("*", "**", "k", "l", "metadata", "0", "é")), max_size=3).map(
    lambda segments: "/" + "/".join(segments)
)
_scalars = st.sampled_from(("x", "\ufffd", 1, True, None, 1.5))


@st.composite
def rules(draw: st.DrawFn, number: int) -> Rule:
    action = draw(st.sampled_from(("remove", "remove", "replace", "report", "reject")))
    return Rule(
        f"rule-{number}",
        keys=draw(st.lists(_names, min_size=1, max_size=3).map(tuple)),
        prefixes=draw(st.lists(_names.filter(bool), max_size=2).map(tuple)),
        action=action,
        scope=draw(st.just(("**",)) | st.lists(_globs, min_size=1, max_size=2).map(tuple)),
        exceptions=draw(
            st.lists(_globs.filter(lambda glob: parse_glob(glob) != ANYWHERE), max_size=1).map(
                tuple
            )
        ),
        protect=draw(st.booleans()),
        replacement=draw(_scalars) if action == "replace" else None,
        owner=draw(st.sampled_from(("", "someone"))),
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    made = [draw(rules(number)) for number in range(draw(st.integers(0, 4)))]
    return Policy(
        (*made, *(Policy().rules if draw(st.booleans()) else ())),
        unserializable=draw(st.sampled_from(("remove", "remove", "reject"))),
        max_bytes=draw(st.sampled_from((2**29, 2**29, 100, 20))),
    )


def _subclass(value: Any) -> Any:
    kinds = {str: Text, float: Float, dict: Dict, list: List}
    kind = kinds.get(type(value))
    return value if kind is None else kind(value)


_leaves = (
    st.text(max_size=40)
    | st.text('a"\\\n\x7fé你\ud800\udc00\U0001f600', max_size=40)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.none()
    | st.sampled_from((Span(), b"x", {1}, Level.LOW, Role.USER, Colour.RED, 10**700, -(10**3000)))
)
_member_names = (
    _names
    | st.text(max_size=3)
    | st.sampled_from((1, None, b"x", (1,), Text("k"), Role.USER, "\ud800"))
)
_trees = st.recursive(
    _leaves,
    lambda children: (
        st.lists(children, max_size=4)
        | st.lists(children, max_size=3).map(tuple)
        | st.dictionaries(_names, children, max_size=5)
        | st.dictionaries(_member_names, children, max_size=4)
        | st.dictionaries(_names, children, max_size=3).map(Items)
        | st.lists(children, max_size=2).map(Iterated)
    ).flatmap(lambda value: st.sampled_from((value, value, _subclass(value)))),
    max_leaves=20,
)


@st.composite
def graphs(draw: st.DrawFn) -> Any:
    """Make containers that refer to each other, in circles or not."""
    nodes: list[Any] = [
        draw(st.sampled_from((dict, list)))() for _ in range(draw(st.integers(1, 6)))
    ]
    circles = draw(st.booleans())
    for number, node in enumerate(nodes):
        to = st.sampled_from(nodes if circles else nodes[number + 1 :] or [1])
        for item in draw(st.lists(to | _leaves, max_size=4)):
            if type(node) is dict:
                node[draw(_names)] = item
            else:
                node.append(item)
    return nodes[0]


_styles = st.sampled_from(tuple(STYLES.values()))


@settings(max_examples=300)
@given(_trees | graphs() | anything, policies(), _styles)
def test_it_agrees_with_the_walk(value: Any, policy: Policy, style: Style) -> None:
    """For any value and any rules: nothing, or the same bytes and the same findings."""
    agrees(value, policy, style)


EVERY = Policy(presets(*PRESETS))


@given(_trees | anything | planted().map(lambda both: both[1]))
def test_it_agrees_with_the_walk_by_the_default_and_by_every_preset(value: Any) -> None:
    """The rules that people have."""
    agrees(value)
    agrees(value, EVERY)


_plain_trees = st.recursive(
    _leaves.filter(lambda leaf: type(leaf) is not int or abs(leaf) < 2**1000),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(_names, children, max_size=5),
    max_leaves=25,
)


@given(_plain_trees.filter(lambda value: type(value) in (dict, list)))
def test_bodies_of_json_kinds_are_never_handed_back(value: Any) -> None:
    """Whatever stands in them: dicts with names of text, lists, and leaves of all kinds."""
    assert agrees(value)


@given(clean)
def test_a_clean_body_has_a_clean_report(value: Any) -> None:
    """Where the pass says something, it is httpx's own text, and that nothing was found."""
    said = compiled(value)
    if said is not None:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        assert said == (text.encode(), Report())


@given(st.text(st.characters(exclude_categories=()), max_size=80), _styles)
def test_text_of_any_characters(text: str, style: Style) -> None:
    """Escapes, widths and half characters, in each style."""
    for value in (text, text + "x" * 30, "x" * 15 + text, text + "é", text + "\U0001f600"):
        sound = replace_surrogates(value)
        expected = json.dumps(sound, ensure_ascii=style.ensure_ascii).encode()
        assert compiled(value, style=style)[0] == expected


def test_every_character_is_written_as_json_writes_it() -> None:
    """Alone, at each offset of a vector, and in strings of each width."""
    for style in STYLES.values():
        characters = [*map(chr, range(0x180)), "\u2028", "\uffff", "\U00010000", "\U0010ffff"]
        for pad in ("", "x" * 7, "x" * 15, "x" * 16, "x" * 1023, "é", "你", "\U0001f600"):
            value = [part for c in characters for part in (pad + c, c + pad, pad + c + pad + c)]
            assert agrees(value, style=style)


@given(st.lists(st.integers() | st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_are_spelled_as_json_spells_them(numbers: list[Any]) -> None:
    """Floats by the shortest digits that read back, ints by all theirs."""
    assert compiled(numbers)[0] == json.dumps(numbers, separators=(",", ":")).encode()


def test_a_body_that_another_thread_changes() -> None:
    """Whenever the pass looks, what it writes is sound, and nothing forbidden leaves."""
    inner: dict[str, Any] = {f"k{number}": [number] for number in range(50)}
    body = {"a": [inner] * 3, "b": inner}
    done = threading.Event()

    def change() -> None:
        number = 0
        while not done.is_set():
            number += 1
            inner[f"_sentry_{number % 7}"] = Span()
            inner.pop(f"k{number % 60}", None)
            inner[f"k{number % 50}"] = {"x": [number]}

    threads = [threading.Thread(target=change) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(500):
            content, _ = compiled(body)
            assert b"_sentry_" not in content
            assert json.loads(content).keys() == {"a", "b"}
    finally:
        done.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize(
    "arguments",
    [
        (1,),
        (1, {}, 1, 0, ",", ":"),
        (1, "keys", "1", 0, ",", ":"),
        (1, "keys", 2**70, 0, ",", ":"),
        (1, "keys", 1, "0", ",", ":"),
        (1, "keys", 1, 0, ",", None),
    ],
    ids=["count", "keys", "max-bytes", "large-max-bytes", "flags", "separator"],
)
def test_wrong_arguments_are_refused(arguments: tuple[Any, ...]) -> None:
    """Each with an exception, and nothing is written."""
    from body_guard.core import _speedups

    table = _speedups.key_table({}, {})
    with pytest.raises((TypeError, OverflowError, ValueError)):
        _speedups.encode(*[table if argument == "keys" else argument for argument in arguments])


def test_a_hostile_metaclass_in_a_note() -> None:
    """The type of a noted value is told, not asked."""
    kind = hostile_class(object)
    assert agrees(
        {"m": {"k": object.__new__(kind)}}, Policy((Rule("r", keys=("k",), scope=("/m",)),))
    )
