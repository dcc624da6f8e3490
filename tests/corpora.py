"""The texts that tests read: JSONTestSuite, recorded bodies; and a tokenizer plain to see."""

from __future__ import annotations

import gzip
import json
import pathlib
from typing import Any

DATA = pathlib.Path(__file__).parent / "data"


def suite(*kinds: str) -> dict[str, bytes]:
    """Return the texts of JSONTestSuite whose names begin so."""
    paths = sorted((DATA / "jsontestsuite" / "test_parsing").iterdir())
    return {path.name: path.read_bytes() for path in paths if path.name.startswith(kinds)}


def recorded() -> list[dict[str, Any]]:
    """Return the records of the recorded bodies."""
    with gzip.open(DATA / "bodies.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def tokens(text: str) -> list[str]:
    """Split JSON text: strings, runs of space, punctuation, and what is left. Slow and plain."""
    found: list[str] = []
    at = 0
    while at < len(text):
        end = at + 1
        if text[at] == '"':
            while text[end] != '"':
                end += 2 if text[end] == "\\" else 1
            end += 1
        elif text[at] in " \t\r\n":
            while end < len(text) and text[end] in " \t\r\n":
                end += 1
        elif text[at] not in "{}[],:":
            while end < len(text) and text[end] not in '{}[],: \t\r\n"':
                end += 1
        found.append(text[at:end])
        at = end
    return found
