"""The compiled scan gives the answers of its plain twin, whatever it is given."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from body_guard import BodyGuardError, Policy, Rule, Sanitizer
from body_guard.core import accelerator, plain_scan

from corpora import recorded, suite
from strategies import json_texts

_speedups: Any = pytest.importorskip(
    "body_guard.core._speedups", reason="the compiled pass was not built"
)

NAMES = {
    "a": 16,
    "_sentry_x": 33,
    "x": 48,
    "é": 64,
    "\U0001f600": 81,
    "\ud800": 96,
    "": 112,
    "b\n": 128,
    "role": 208,
}
PREFIXES = {"_sentry_": 145, "_s": 160, "é_": 176, "_sentry_long_": 192}
COMPILED = _speedups.key_table(NAMES, PREFIXES)
PLAIN = plain_scan.key_table(NAMES, PREFIXES)


def both(text: bytes, start: int = 0, records: bool = False) -> Any:
    """Return the answer of both scans, which must be one."""
    found = _speedups.scan(text, COMPILED, start, records)
    assert plain_scan.scan(text, PLAIN, start, records) == found
    return found


#: What stands in texts around names, whole and broken.
PIECES = (
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b" ", b"\n", b"\x1e", b"\x00", b"\xff",
    b'"a":', b'"x" :', b'"_sentry_x":', b'"_s\\u0065ntry_x":', b'"\\ud83d\\ude00":', b'"\\ud800":',
    b'"\xed\xa0\x80":', b'"b\\n":', b'"b\\u000a" : ', b'"\\u00e9":', b'"\xc3\xa9_q":', b'"":',
    b'"_sentry_long_name_of_many_bytes":', b"1", b"-", b"0", b".5", b"e5", b"E+", b"true", b"nul",
    b"NaN", b"-Infinity", b"\\u12", b'"' + b"q" * 40 + b'"', b'"e\\"' + b"z" * 20 + b'"',
    b'{"x":{"x":[1]}}', b"[1,2]",
)  # fmt: skip


@given(
    st.lists(
        st.sampled_from(PIECES) | json_texts().map(lambda t: t.encode("utf-8", "surrogatepass"))
    ),
    st.booleans(),
    st.integers(0, 3),
)
def test_any_text_has_one_answer(pieces: list[bytes], records: bool, start: int) -> None:
    """What is JSON, what is not and where that shows, and every row of what was found."""
    text = b"".join(pieces)
    both(text, min(start, len(text)), records)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_texts_have_one_answer(seed: int) -> None:
    """Of JSONTestSuite and of recorded bodies: cut off, with bytes taken out, put in or doubled."""
    pick = random.Random(seed)
    texts = [*suite("y_", "i_", "n_").values()]
    texts += [record["raw"].encode() for record in pick.sample(recorded(), 100)]
    found = 0
    for text in texts:
        if len(text) > 20_000:
            continue
        found += isinstance(both(text), tuple)
        for _ in range(4):
            at = pick.randrange(len(text) + 1)
            damaged = text[:at] + pick.choice(PIECES) + text[at + pick.randrange(3) :]
            found += isinstance(
                both(damaged[: pick.randrange(len(damaged) + 1) if at % 3 else None]), tuple
            )
    assert found > 10


ACTIONS = ("remove", "replace", "reject", "report")
GLOBS = ("**", "/", "/a", "/*", "/a/**", "**/x")
CODECS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be")


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Draw rules that share names, with places and actions."""
    rules = []
    for number in range(draw(st.integers(1, 4))):
        action = draw(st.sampled_from(ACTIONS))
        rules.append(
            Rule(
                f"r{number}",
                keys=tuple(
                    draw(st.lists(st.sampled_from(("a", "x", "_sentry_x", "é")), max_size=2))
                ),
                prefixes=draw(st.sampled_from((("_sentry",), ("x", "é"), ("_",)))),
                scope=tuple(draw(st.lists(st.sampled_from(GLOBS), min_size=1, max_size=2))),
                exceptions=tuple(draw(st.lists(st.sampled_from(GLOBS[1:]), max_size=1))),
                protect=draw(st.booleans()),
                action=action,
                replacement=draw(st.sampled_from((None, 1, "é"))) if action == "replace" else None,
            )
        )
    return Policy(tuple(rules))


def judged(sanitizer: Sanitizer, content: bytes, content_type: str | None) -> Any:
    """Return what comes of bytes, or the error with all that it says."""
    try:
        return sanitizer.sanitize_bytes(content, content_type)
    except BodyGuardError as error:
        return type(error), str(error), getattr(error, "report", None)


_names = st.sampled_from(("a", "x", "_sentry_x", "é", "_", "b", "properties", "tools"))
_values = st.recursive(
    st.sampled_from((None, 1, -1.5, "é", "_sentry_x", True)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=4),
    max_leaves=12,
)


@given(
    policies(),
    st.lists(_values, min_size=1, max_size=2),
    st.sampled_from(CODECS),
    st.booleans(),
    st.tuples(st.integers(0, 200), st.sampled_from(("", "", "", "{", '"', "'", "/*x*/", "\x0c"))),
    st.sampled_from(("application/json", "application/jsonl", "text/plain", None)),
)
def test_any_policy_has_one_judgement(
    policy: Policy,
    values: list[Any],
    codec: str,
    ensure_ascii: bool,
    damage: tuple[int, str],
    content_type: str | None,
) -> None:
    """The same bytes and report, or the same refusal, in every text encoding."""
    text = "\n".join(json.dumps(value, ensure_ascii=ensure_ascii) for value in values)
    at, piece = damage
    content = (text[:at] + piece + text[at:]).encode(codec)
    outcomes = []
    for compiled in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(accelerator, "_used", compiled)
            outcomes.append(judged(Sanitizer(policy), content, content_type))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (b"{}", COMPILED, 0),
        ("{}", COMPILED, 0, False),
        (bytearray(b"{}"), COMPILED, 0, False),
        (b"{}", PLAIN, 0, False),
        (b"{}", COMPILED, "0", False),
    ],
    ids=["none", "three", "str", "bytearray", "plain-table", "str-offset"],
)
def test_arguments_are_checked(arguments: Any) -> None:
    """What is no text, table or offset is an error."""
    with pytest.raises((TypeError, ValueError)):
        _speedups.scan(*arguments)


@pytest.mark.parametrize("start", [-1, 3, 2**70])
def test_an_offset_is_in_the_text(start: int) -> None:
    """So no byte outside of it is read."""
    with pytest.raises((ValueError, OverflowError)):
        _speedups.scan(b"{}", COMPILED, start, False)
