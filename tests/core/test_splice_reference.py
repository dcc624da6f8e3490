"""The splice against a second implementation: slow, recursive, and plain to see."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from body_guard import BodyRejectedError, Sanitizer
from body_guard.core.pointer import escape_token, join_pointer

from corpora import tokens

SPACE = ["", "", "", " ", "\n", "\t ", "\r\n  "]
LEAVES = [
    "1", "-0", "1.10", "1e5", "0.0e-0", "123456789012345678901234567890", "true", "false", "null",
    "NaN", "-Infinity", '""', '"a"', '"_sentry_x"', '"\\"_sentry_x\\":"', '"\\\\"', '"\\ud800"',
    '"\\u005fsentry_x"', '"\u00e9\u4e16\U0001f600"', "[]", "{}", "{ }", "[\n]", '"a\\/b"',
]  # fmt: skip
KEYS = [
    '"a"', '"b c"', '""', '"a/~"', '"\u00e9"', '"\\"_sentry_"', '"_sentr"', '"_SENTRY_x"', '"x_sentry_"',
    '"\\u0061"', '"_sentry_x"', '"_sentry_"', '"\\u005fsentry_y"', '"_sentrysdk_span"', '"_\\u0073entry_"',
    '"_sentry_\\ud83d\\ude00"', '"_sentry_\\n"',
]  # fmt: skip


def document(pick: random.Random, depth: int = 0) -> str:
    """Make a JSON text with odd spaces, duplicates, escapes and number spellings."""

    def space() -> str:
        return pick.choice(SPACE)

    roll = pick.random()
    if depth > 4 or roll < 0.35 + depth * 0.05:
        return pick.choice(LEAVES)
    if roll < 0.6:
        items = [space() + document(pick, depth + 1) + space() for _ in range(pick.randint(0, 4))]
        return "[" + ",".join(items) + "]"
    members = [
        space() + pick.choice(KEYS) + space() + ":" + space() + document(pick, depth + 1) + space()
        for _ in range(pick.randint(0, 5))
    ]
    return "{" + ",".join(members) + "}"


class Reference:
    """Reads tokens one by one, recursively, and writes what is left as it goes."""

    def __init__(self, text: str) -> None:
        self.tokens = tokens(text)
        self.at = 0
        self.found: list[str] = []

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def space(self) -> str:
        return self.take() if self.peek()[:1] in (" ", "\t", "\r", "\n") and self.peek() else ""

    def value(self, path: list[str], judged: bool = True) -> str:
        first = self.take()
        if first == "[":
            return self.array(path, judged)
        if first == "{":
            return self.object(path, judged)
        return first

    def array(self, path: list[str], judged: bool) -> str:
        out = "[" + self.space()
        index = 0
        while self.peek() != "]":
            out += self.space() + self.value([*path, str(index)], judged) + self.space()
            index += 1
            if self.peek() == ",":
                out += self.take()
        return out + self.take()

    def object(self, path: list[str], judged: bool) -> str:
        members: list[tuple[str, str, str, bool]] = []  # space, member, space, forbidden
        first_space = self.space()
        while self.peek() != "}":
            before = first_space + self.space()
            first_space = ""
            key = self.take()
            name = json.loads(key)
            forbidden = judged and name.startswith(("_sentry_", "_sentrysdk_"))
            below = [*path, escape_token(name)]
            if forbidden:
                self.found.append(join_pointer(below))
            text = key + self.space() + self.take() + self.space()
            text += self.value(below, judged and not forbidden)
            members.append((before, text, self.space(), forbidden))
            if self.peek() == ",":
                self.take()
        self.take()
        out = "{" + first_space
        kept = False
        for number, (before, text, after, forbidden) in enumerate(members):
            last = number == len(members) - 1
            if not forbidden:
                out += ("," if kept else "") + before + text + after
                kept = True
            elif kept:
                out += after  # the comma before it goes with it, and what lies between
            else:
                out += before + (after if last else "")  # the comma behind it goes with it
        return out + "}"


@pytest.mark.parametrize("seed", range(20))
def test_five_hundred_documents(seed: int) -> None:
    """Same bytes, same paths in the same order."""
    pick = random.Random(seed)
    cuts = 0
    for _ in range(500):
        text = pick.choice(SPACE) + document(pick) + pick.choice(SPACE)
        reference = Reference(text)
        expected = reference.space() + reference.value([]) + reference.space()
        content, report = Sanitizer().sanitize_bytes(text.encode(), "application/json")
        assert content == expected.encode(), text
        assert [found.path for found in report.findings] == reference.found, text
        cuts += len(reference.found)
    assert cuts > 100


def plain(value: Any) -> bool:
    """Check whether the walk has nothing to say of a parsed text but by its key rules."""
    if isinstance(value, dict):
        return all(plain(key) and plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(plain(item) for item in value)
    if isinstance(value, float):
        return value - value == 0
    return not isinstance(value, str) or "\ud800" not in value


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise KeyError
    return dict(pairs)


@pytest.mark.parametrize("seed", range(5))
def test_findings_are_the_walks(seed: int) -> None:
    """On key rules, a text and the value it parses to have equal findings."""
    pick = random.Random(1000 + seed)
    compared = 0
    for _ in range(1000):
        text = document(pick)
        try:
            value = json.loads(text, object_pairs_hook=unique)
        except KeyError:
            continue
        if plain(value):
            walked = Sanitizer().sanitize([value])[1]
            spliced = Sanitizer().sanitize_bytes(b"[%b]" % text.encode(), "application/json")[1]
            assert spliced == walked, text
            compared += bool(walked.findings)
    assert compared > 30


@pytest.mark.parametrize("length", [1, 300, 200_000])
@pytest.mark.parametrize("fault", [b"\x00", b"\n", b"\\x", b"\\u12g4", b"\\"])
def test_a_fault_anywhere_in_a_string(length: int, fault: bytes) -> None:
    """Short or long, with escapes or without, a string is read to its end before anything is cut."""
    for start, end in ((length, length), (0, length), (length, 0)):
        text = b'{"_sentry_x":1,"t":"%b%b%b"}' % (b"x" * start, fault, b"x" * end)
        with pytest.raises(BodyRejectedError):
            Sanitizer().sanitize_bytes(text, "application/json")
        sound = text.replace(fault, b"\\n")
        content, _ = Sanitizer().sanitize_bytes(sound, "application/json")
        assert content == sound.replace(b'"_sentry_x":1,', b"")
