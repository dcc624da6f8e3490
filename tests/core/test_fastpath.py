"""Names looked at in the moment of encoding: as good as a search of the text, whoever interferes."""

from __future__ import annotations

import functools
import json
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from body_guard import Policy, Rule, Sanitizer, presets
from body_guard.core import fastpath as module
from body_guard.core import proof as proving
from body_guard.core.fastpath import FastPath
from body_guard.core.names import Names
from body_guard.core.prefilter import Prefilter
from body_guard.core.preset_tables import PRESETS
from body_guard.core.proof import Seen, proof_of
from body_guard.core.rules import Matcher

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 2**20
RULES = (
    Rule("private", prefixes=("_",)),
    Rule("key", keys=("secret", "é", "\U0001f600")),
    Rule("meta", keys=("tags",), scope=("/metadata", "/m/*", "/\U0001f601")),
)


def fast_path(rules: tuple[Rule, ...]) -> FastPath:
    """Give the fast path of some rules."""
    matcher = Matcher(rules)
    return FastPath(matcher, Prefilter(matcher))


FAST = fast_path(RULES)
SANITIZER = Sanitizer(Policy(RULES))


def compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def walked(*_: object, **__: object) -> Any:
    raise AssertionError("walked")


@pytest.mark.parametrize(
    ("body", "clean"),
    [
        pytest.param({"a": [1, {"b": "_x", "c": '"_x":'}], "d": (None, 2.5)}, True, id="clean"),
        pytest.param([], True, id="no dict"),
        pytest.param({"a": [[{"_x": 1}]]}, False, id="prefix"),
        pytest.param([({"é": 1},)], False, id="key"),
        pytest.param({"tags": [], "a": {"metadata": {"tags": 1}}}, True, id="bound, elsewhere"),
        pytest.param({"metadata": {"a": {"tags": 1}}}, True, id="bound, below"),
        pytest.param({"metadata": {"tags": 1}}, False, id="bound, there"),
        pytest.param({"m": [{}, {"tags": 1}]}, False, id="bound, in an array"),
        pytest.param({"tags": 1, "_x": 2}, False, id="bound, and another"),
        pytest.param({"a": 2**64 - 1, "b": -(2**64) + 1}, True, id="ints that json writes"),
        pytest.param({"tags": 2**64 - 1}, True, id="bound, elsewhere, and an int"),
        pytest.param({"a": 1e-7}, True, id="a float that json writes"),
        pytest.param({"a": "\ud800"}, False, id="a surrogate"),
        pytest.param({"\ud800": 1}, False, id="a surrogate in a name"),
        pytest.param({f"k{n}": n for n in range(3000)}, True, id="many names"),
        pytest.param({f"_{n}": n for n in range(3000)}, False, id="many names, forbidden"),
        pytest.param([{"a": [n] * 70} for n in range(40)], True, id="many members"),
        pytest.param({"a": "x" * MOST}, False, id="too large"),
        pytest.param({"a": "é" * (MOST * 2 // 3)}, False, id="too large in bytes"),
    ],
)
def test_what_is_encoded_without_a_walk(
    body: Any, clean: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain data in which no rule may hold; with the collector's help and without it."""
    expected = compact(body) if clean else None
    assert FAST.encoded(body, MOST, whole=True) == expected
    assert FAST.encoded(body, MOST, whole=True) == expected  # with what was learned
    monkeypatch.setattr(proving, "_COLLECTOR_TELLS", False)
    if "tags" not in str(body):  # in text, a name has no place
        assert FAST.encoded(body, MOST, whole=True) == expected


def test_a_name_bound_to_places_has_none_in_a_part() -> None:
    """What is within a body stands who knows where, so that only a walk can tell."""
    part = {"tags": []}
    assert FAST.encoded(part, MOST, whole=True) == b'{"tags":[]}'
    assert FAST.encoded(part, MOST) is None


def spaced(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


@pytest.mark.parametrize(
    ("write", "body", "clean"),
    [
        pytest.param(json.dumps, {"a": ["é", 1.5]}, True, id="clean"),
        pytest.param(compact, {"a": ["é", 1.5]}, True, id="clean, in bytes"),
        pytest.param(json.dumps, {"a": [{"_x": 1}]}, False, id="a forbidden name"),
        pytest.param(json.dumps, {"tags": 1}, True, id="bound, elsewhere"),
        pytest.param(json.dumps, {"m": [{"tags": 1}]}, False, id="bound, there"),
        pytest.param(spaced, ["\ud800"], False, id="a surrogate as it is"),
        pytest.param(json.dumps, ["\ud800"], True, id="a surrogate as an escape"),
        pytest.param(json.dumps, ["x" * MOST], False, id="too large"),
        pytest.param(json.dumps, [object()], False, id="not plain"),
        pytest.param(json.dumps, {f"é{n}": n for n in range(3000)}, True, id="many names"),
        pytest.param(
            json.dumps, {"é": 1, **{f"a{n}": n for n in range(3000)}}, False, id="an escaped one"
        ),
        pytest.param(json.dumps, [1e-9, {"secret": 1}], False, id="a name and an odd float"),
        pytest.param(json.dumps, {"\ud800": 1}, False, id="half a character in a name"),
        pytest.param(json.dumps, {"\ud83d\ude00": 1}, False, id="two halves in a name"),
        pytest.param(json.dumps, {"\ud83d\ude01": {"tags": 1}}, False, id="in a place too"),
        pytest.param(json.dumps, {"\ud83d\ude02": {"tags": 1}}, True, id="in another place"),
    ],
)
def test_what_somebody_elses_encoder_may_write(write: Any, body: Any, clean: bool) -> None:
    """As it writes it, where it is plain data in which no rule may hold."""
    assert FAST.written(body, MOST, write) == (write(body) if clean else None)


def test_what_an_encoder_leaves_out_is_its_callers_to_judge() -> None:
    """What is no plain data is given to it where the caller says so, and the text is searched."""
    write = functools.partial(json.dumps, skipkeys=True)
    assert FAST.written({(): 1, "a": 2}, MOST, write) is None
    assert FAST.written({(): 1, "a": 2}, MOST, write, lambda _: False) is None
    assert FAST.written({(): 1, "a": 2}, MOST, write, lambda _: True) == '{"a": 2}'
    assert FAST.written({(): 1, "_a": 2}, MOST, write, lambda _: True) is None


def test_an_encoder_that_fails_is_not_the_last_word() -> None:
    """A walk says what is wrong, and where."""

    def fails(value: object) -> str:
        raise ValueError("Circular reference detected")

    assert FAST.written([1], MOST, fails) is None


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        pytest.param(b'{"tags": {"m": [1]}, "a": 1e999}', True, id="elsewhere"),
        pytest.param(b'{"m": [{"tags": 1}]}', False, id="there"),
        pytest.param(b'{"m": [{"t\\u0061gs": 1}]}', False, id="there, with an escape"),
        pytest.param(b'{"m": [{"tags": 1}], "m": []}', False, id="there, behind its double"),
        pytest.param(b'{"tags": 1, "_x": 2}', False, id="another anywhere"),
        pytest.param(b'{"tags": 1,}', False, id="no JSON"),
        pytest.param(b'{"tags": 1}\n{"tags": 2}', False, id="lines"),
        pytest.param(b"[" * 3000 + b'{"tags": 1}' + b"]" * 3000, False, id="deep"),
        pytest.param(b'{"tags": %s}' % (b"9" * 5000), True, id="digits"),
        pytest.param(b'{"tags": "%s"}' % (b"a" * 2**19), True, id="long"),
        pytest.param(b'{"tags": "%s"}' % (b"a" * 2**20), False, id="too long"),
        pytest.param(b'{"tags": {"\xed\xa0\x80": 1}}', False, id="not in UTF-8"),
        pytest.param(b'{"tags": {"\\ud83d": 1}}', False, id="half a character in a name"),
        pytest.param(b'{"tags": {"\\ud83d\\ude02": 1}}', True, id="a whole one in a name"),
    ],
)
def test_bytes_whose_names_stand_elsewhere_are_not_cut(text: bytes, passes: bool) -> None:
    """What is parsed whole is judged by place; in doubt, a scan of the text does it."""
    assert FAST.passes(text) is passes
    assert not fast_path(RULES[:1]).passes(text)


@pytest.mark.parametrize("asked", [{"schema": "openai"}, {"stringified": "report"}])
def test_a_look_at_the_whole_is_not_for_an_encoder(asked: dict[str, Any]) -> None:
    """What a policy asks of the body as a whole, the encoder's text does not tell."""
    assert Sanitizer(Policy(RULES)).written({"a": 1}, json.dumps) == '{"a": 1}'
    assert Sanitizer(Policy(RULES, **asked)).written({"a": 1}, json.dumps) is None


def test_a_text_that_passes_is_not_scanned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scan takes several times what parsing does."""
    monkeypatch.setattr("body_guard.core.sanitizer.splice", walked)
    for text in (b'{"tags": 1}', b'\xef\xbb\xbf{"tags": 1}', '{"tags": 1}'.encode("utf-16")):
        content, report = SANITIZER.sanitize_bytes(text, "application/json")
        assert content is text
        assert not report.findings


def test_no_more_is_kept_than_has_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body with ever so many members is searched."""
    monkeypatch.setattr(proving, "_MOST_KEPT", 50)
    monkeypatch.setattr(FastPath, "_by_names", walked)
    for more in ([], [[{"a": 1}]]):
        body = [[1] * 70, *more]
        assert FAST.encoded(body, MOST) == compact(body)
        assert FAST.encoded([*body, {"_x": 4}], MOST, whole=True) is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({f"k{n}": n for n in range(3000)}, id="in one dict"),
        pytest.param([{f"k{n}-{m}": m for m in range(50)} for n in range(50)], id="in many"),
    ],
)
def test_names_that_are_ever_new_are_searched_for(
    body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To look at each would take longer than to search."""
    monkeypatch.setattr(FastPath, "_by_names", walked)
    assert FAST.encoded(body, MOST) == compact(body)


def test_a_name_that_an_encoder_escapes_is_found() -> None:
    """Where there is but one to search for, too."""
    rules = (Rule("r", keys=("\xe9lan",)),)
    assert fast_path(rules).written({"\xe9lan": 1}, MOST, json.dumps) is None


def test_a_moment_after_a_change_is_none() -> None:
    """Copies and names say nothing of a container that is not among them."""
    body: dict[str, Any] = {"a": {"b": 1}, "l": [{}]}
    seen = Seen()
    proof_of(body, MOST, seen)
    write = functools.partial(compact, body)
    assert module._with_names(write, seen) == (compact(body), {"a", "b", "l"})
    content, copies = module._with_copies(write, seen)
    assert (content, copies) == (
        compact(body),
        {id(held): held for held in (body, body["a"], body["l"], body["l"][0])},
    )
    assert copies is not None
    assert not [copy for key, copy in copies.items() if key == id(copy)]
    body["a"] = {"b": 1}
    assert module._with_names(write, seen)[1] is None
    assert module._with_copies(write, seen)[1] is None


Change = dict[str, Any]

CHANGES: dict[str, Callable[[Change], object]] = {
    "a member more": lambda body: body["a"].update(_x=1),
    "a member for another": lambda body: (body["a"].pop("b"), body["a"].update(_x=1)),
    "a container for another": lambda body: body.update(a={"_x": 1}),
    "a container for a string": lambda body: body["a"].update(b={"_x": 1}),
    "a container for an element": lambda body: body["l"].__setitem__(0, {"_x": 1}),
    "a container for one alike": lambda body: body["l"].__setitem__(1, {"c": {"_x": 1}}),
    "an element more": lambda body: body["l"].append([{"_x": 1}]),
    "a member less, and one more": lambda body: (body.pop("n"), body["a"].update(_x=1)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_another_thread_changes_after_the_proof_does_not_leave(
    change: Callable[[Change], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names are those of the encoding, wherever they came from."""
    body: Any = {"a": {"b": "s"}, "l": ["s", {"c": {"d": 1}}], "n": None}
    proved: list[str] = []

    def late(value: object, *asked: Any) -> str:
        proved.append(proof_of(value, *asked))
        if len(proved) == 1:
            change(body)
        return proved[-1]

    monkeypatch.setattr(module, "proof_of", late)
    content, report = SANITIZER.encode(body)
    assert proved[0] == "orjson"
    assert b"_x" not in content
    assert [finding.path.rpartition("/")[2] for finding in report.findings] == ["_x"]


def test_nothing_leaves_while_another_thread_is_at_work() -> None:
    """A thread that puts forbidden names in and takes them out again gets none of them out."""
    body: Any = {"a": {"b": 1}, "l": [{"c": {"d": 1}}]}
    sanitizer = Sanitizer(Policy((Rule("r", keys=("late", "never"), prefixes=("_",)),)))
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            body["a"]["late"] = 1
            body["l"][0] = {"c": {"late": 1}}
            body["a"].pop("late")
            body["l"][0] = {"c": {"d": 1}}

    interval = sys.getswitchinterval()
    thread = threading.Thread(target=change)
    thread.start()
    sys.setswitchinterval(1e-6)
    try:
        contents = {sanitizer.encode(body)[0] for _ in range(3000)}
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        thread.join()
    assert not [content for content in contents if b"late" in content]


def test_a_place_that_another_thread_changes_meanwhile_is_the_encoded_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where a name stands is seen in what was encoded, not in what the body has become."""
    body: Any = {"tags": 1, "metadata": {"a": 1, "tags": 2}, "m": [{}]}
    stand = Names.stand

    def elsewhere(self: Names, names: set[str], value: Any, *copies: Any) -> bool:
        held = body["metadata"].pop("tags")
        body["m"].append(1)
        told = stand(self, names, value, *copies)
        body["metadata"]["tags"] = held
        body["m"].pop()
        return told

    monkeypatch.setattr(Names, "stand", elsewhere)
    assert FAST.encoded(body, MOST, whole=True) is None
    assert FAST.written(body, MOST, json.dumps) is None


@pytest.mark.parametrize("more", [{}, {"metadata": {"tags": 2}}], ids=["clean", "dirty"])
def test_a_change_before_places_are_looked_at_is_seen(
    more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What then stands in the body is judged by its text."""
    body: dict[str, Any] = {"tags": 1, "l": []}
    with_copies = module._with_copies

    def late(*asked: Any) -> Any:
        body["l"].append([])
        body.update(more)
        return with_copies(*asked)

    monkeypatch.setattr(module, "_with_copies", late)
    content = FAST.encoded(body, MOST, whole=True)
    assert content == (None if "metadata" in body else compact(body))


@pytest.mark.parametrize("change", ["member", "container"])
def test_a_name_that_comes_and_goes_does_not_leave(change: str) -> None:
    """At whatever instruction of ours another thread puts it in, and takes it out at the next."""
    body: Any = {"a": {"b": 1}, "l": [{"c": 1}]}
    fast = fast_path(RULES)
    plain = compact(body)
    at, step = 0, -1

    def tracer(frame: Any, event: str, _: Any) -> Any:
        nonlocal step
        frame.f_trace_opcodes = True
        if event == "opcode":
            step += 1
            if step == at and change == "member":
                body["a"]["_x"] = 1
            elif step == at:
                body["l"][0] = {"_x": 1}
            elif step == at + 1:
                body["a"].pop("_x", None)
                body["l"][0] = held
        return tracer if frame.f_globals["__name__"] == module.__name__ else None

    held, before = body["l"][0], sys.gettrace()
    contents = set()
    while at == 0 or at <= step:
        at, step = at + 1, -1
        sys.settrace(tracer)
        try:
            contents.add(fast.encoded(body, MOST, whole=True))
        finally:
            sys.settrace(before)
        body["a"].pop("_x", None)
        body["l"][0] = held
    assert contents <= {plain, None}
    assert plain in contents


_KEYS = st.sampled_from(("a", "_", "_x", "secret", "secrets", "é", "e", "", "s", "tags", '"_'))
_bodies = st.recursive(
    st.sampled_from(("_x", '"secret":', "é", 1, True, None, 0.5, "\\")),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(_KEYS, below, max_size=4),
    max_leaves=20,
)


@given(_bodies)
def test_names_tell_what_the_text_tells(body: Any) -> None:
    """A walk is asked for where the search of the text would ask for it."""
    plain = isinstance(body, (list, dict))
    hit = Prefilter(Matcher(RULES)).finds(compact(body))
    assert (FAST.encoded(body, MOST) is None) == (hit or not plain)


def test_ordinary_words_cost_no_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of presets that are ordinary words pass where they are nobody's bookkeeping."""
    names = ("headers", "tags", "user", "trace_id", "endpoint", "metadata", "deployment", "id")
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": [{name: {"a": 1} for name in names}]}],
        "tools": [{"function": {"parameters": {"properties": {name: {} for name in names}}}}],
    }
    monkeypatch.setattr("body_guard.core.sanitizer.walk", walked)
    content, report = Sanitizer(Policy(presets(*PRESETS))).encode(body)
    assert content == compact(body)
    assert not report.findings
