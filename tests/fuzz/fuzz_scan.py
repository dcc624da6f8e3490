"""Fuzz target: the compiled scan gives the answer of the plain one, rows or refusal.

``.ci/fuzz scan`` runs it.
"""

from __future__ import annotations

import sys
from typing import Any

from body_guard import Policy
from body_guard.core import _speedups, plain_scan
from body_guard.core.matcher import Matcher

from fuzz.values import EVERY_PRESET, Reader

NAMES = {"a": 16, "_sentry_x": 33, "é": 64, "\U0001f600": 81, "\ud800": 96, "": 112, "b\n": 128}
PREFIXES = {"_sentry_": 145, "_s": 160, "é_": 176, "_sentry_long_": 192}


def _both(names: dict[str, int], prefixes: dict[str, int]) -> tuple[Any, Any]:
    return _speedups.key_table(names, prefixes), plain_scan.key_table(names, prefixes)


TABLES = (
    _both(NAMES, PREFIXES),
    _both(*Matcher(Policy().rules).key_table_arguments()),
    _both(*Matcher(EVERY_PRESET).key_table_arguments()),
    _both({}, {}),
)


def check(data: bytes) -> None:
    """Scan the bytes behind the first, which chooses the names and the kind of text."""
    choice = Reader(data).byte()
    compiled, plain = TABLES[choice % 4]
    text, records, start = data[1:], choice & 4 != 0, choice >> 4
    start = min(start if choice & 8 else 0, len(text))
    found = _speedups.scan(text, compiled, start, records)
    assert found == plain_scan.scan(text, plain, start, records)


if __name__ == "__main__":
    import atheris

    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
