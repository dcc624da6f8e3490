"""Recorded LLM traffic: clean, so not one byte of it may change; dirtied, only the dirt goes."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest

from body_guard import Policy, Sanitizer, presets
from body_guard.builtin_rules.preset_tables import PRESETS
from body_guard.core import accelerator
from body_guard.core.matcher import Matcher
from body_guard.core.report import CLEAN
from body_guard.policy import DEFAULT

from corpora import recorded, tokens

RECORDS = recorded()
MATCHER = Matcher(DEFAULT.rules)
SANITIZER = Sanitizer()


def parsed(raw: str) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None


BODIES = [
    (record["raw"], record["content_type"] or "application/json", parsed(record["raw"]))
    for record in RECORDS
]
JSON_BODIES = [(raw, kind, value) for raw, kind, value in BODIES if value is not None]


def test_the_corpus_is_there() -> None:
    """A guard's test that saw no body proves nothing."""
    assert len(BODIES) == 550
    assert len(JSON_BODIES) == 546


def test_no_recorded_body_is_changed() -> None:
    """Each comes back as the same object."""
    for raw, content_type, _ in BODIES:
        content = raw.encode()
        assert SANITIZER.sanitize_bytes(content, content_type)[0] is content
        assert SANITIZER.sanitize_bytes(content)[0] is content


def test_each_is_read_to_its_end() -> None:
    """The scan accepts every one of them, and finds nothing."""
    for raw, _, _ in JSON_BODIES:
        assert accelerator.scan(raw.encode(), MATCHER) is None


def test_nor_as_an_object() -> None:
    """The walk gives the same object back, and its encoding is json's."""
    for _, _, value in JSON_BODIES:
        clean, report = SANITIZER.sanitize(value)
        assert clean is value
        assert not report.findings
        expected = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        assert SANITIZER.encode(value)[0] == expected.encode()


#: Recorded bodies that a preset changes, with the reason: none.
CHANGED_BY_PRESETS: dict[str, str] = {}


def test_nor_with_every_preset_on() -> None:
    """As bytes and as objects: what a preset takes out is nothing that providers are sent."""
    sanitizer = Sanitizer(Policy(presets(*PRESETS)))
    for record, (raw, content_type, value) in zip(RECORDS, BODIES, strict=True):
        if record["cassette"] in CHANGED_BY_PRESETS:
            continue
        content = raw.encode()
        clean, report = sanitizer.sanitize_bytes(content, content_type)
        assert clean is content
        assert not report.findings
        assert sanitizer.sanitize(value) == (value, CLEAN)


@pytest.mark.parametrize(
    ("schema", "host", "bodies", "found"),
    [
        # A reply's member, sent back in the history: what a schema is there to report.
        ("openai", "api.openai.com", 290, {"/messages/1/annotations": 3}),
        ("anthropic", "api.anthropic.com", 27, {}),
    ],
)
def test_what_providers_are_sent_they_know(
    schema: Any, host: str, bodies: int, found: dict[str, int]
) -> None:
    """The snapshot of a provider's API against what its users sent it; no object was stringified."""
    sanitizer = Sanitizer(Policy(schema=schema, stringified="report"))
    reports = [
        sanitizer.sanitize_bytes(record["raw"].encode(), record["content_type"])[1]
        for record in RECORDS
        if record["host"] == host
    ]
    assert len(reports) == bodies
    assert Counter(finding.path for report in reports for finding in report.findings) == found


PROSE = [
    " _sentry_span ",
    ' "_sentry_span": 1, ',
    '{"_sentry_x":"y"}',
    '\\"_sentry_\\\\": ',
    "_sentry_",
]


@pytest.mark.parametrize("prose", PROSE)
def test_nor_with_the_prefix_in_its_prose(prose: str) -> None:
    """A prompt that talks about a forbidden key is the user's, in every string value."""

    def talk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: talk(item) for key, item in value.items()}
        if isinstance(value, list):
            return [talk(item) for item in value]
        return prose + value + prose if isinstance(value, str) else value

    for _, _, value in JSON_BODIES[::5]:
        for ascii_only in (True, False):
            content = json.dumps(talk(value), ensure_ascii=ascii_only).encode()
            clean, report = SANITIZER.sanitize_bytes(content, "application/json")
            assert clean is content
            assert not report.findings


MEMBERS = [
    '"_sentry_span":{"op":"x","list":["}",{"_sentry_y":1}]}',
    '"\\u005fs\\u0065ntry_x" : "\\"_sentry_\\""',
    '"_sentrysdk_" : -1.5e-7',
    '"_sentry_\u00e9":null',
]


def plant(raw: str, pick: random.Random) -> tuple[str, str, int]:
    """Plant members behind opening braces and before closing ones; give how many as well."""
    pieces = tokens(raw)
    planted: list[str] = []
    left: list[str] = []
    count = 0
    opened: list[bool] = []  # for each open object: whether it has a member yet
    for at, piece in enumerate(pieces):
        if piece == "}" and opened[-1] and pick.random() < 0.3:
            planted.append("," + pick.choice(MEMBERS))
            count += 1
        if piece == "}":
            opened.pop()
        planted.append(piece)
        left.append(piece)
        if piece == "{":
            following = next(token for token in pieces[at + 1 :] if token.strip())
            opened.append(following != "}")
            if following != "}" and pick.random() < 0.3:
                planted.append(pick.choice(MEMBERS) + ",")
                count += 1
    return "".join(planted), "".join(left), count


@pytest.mark.parametrize("seed", range(3))
def test_what_is_planted_is_exactly_what_goes(seed: int) -> None:
    """In any place, escaped or not: the rest stays byte for byte."""
    pick = random.Random(seed)
    total = 0
    for raw, _, _ in JSON_BODIES:
        dirty, clean, count = plant(raw, pick)
        assert clean == raw
        content, report = SANITIZER.sanitize_bytes(dirty.encode(), "application/json")
        assert content == raw.encode()
        assert len(report.findings) + report.omitted == count
        total += count
    assert total > 1000
