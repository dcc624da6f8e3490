"""What an encoder that leaves names out may be given without a walk."""

from __future__ import annotations

from typing import Any

import pytest

from body_guard.integrations._encoding import _is_bounded


class Live:
    """Stands for a live object."""


def doubled(times: int) -> Any:
    value: Any = [1]
    for _ in range(times):
        value = [value, value]
    return value


def nested(levels: int) -> Any:
    value: Any = [1]
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "bounded"),
    [
        ({("a",): [1, {"b": (2, ())}]}, True),
        ({"a": [Live()]}, False),
        (Live(), False),
        (doubled(60), False),
        (nested(300), False),
    ],
    ids=["plain", "live object", "an object itself", "sixty doublings", "deep"],
)
def test_what_is_bounded(value: Any, bounded: bool) -> None:
    """Containers of JSON's kinds, counted wherever they stand, and not too deep."""
    assert _is_bounded(value) is bounded
