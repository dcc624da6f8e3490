"""JSON text as values, for a look that has to see all of it; nothing is written from these."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Members", "members", "parsed"]


class Members:
    """A JSON object with all its members: of two of one name, a dict keeps only the last."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


def members(value: object) -> Iterable[tuple[Any, Any]]:
    """Give the members of an object, as it was parsed or as a value has it; of others, none."""
    if type(value) is Members:
        return value.pairs
    if issubclass(type(value), dict):
        return dict.copy(value).items()  # type: ignore[arg-type]  # another thread may be adding
    return ()


def parsed(text: bytes) -> object:
    """Parse JSON text, its numbers left out.

    Args:
        text: JSON in UTF-8, without a byte order mark.

    Returns:
        Lists, strings, None and `Members`.

    Raises:
        ValueError: It is no JSON. The error holds the text: let it go no further.
        RecursionError: It is nested too deeply.
    """
    # A number may have more digits than int() takes; what it is does not matter here.
    return json.loads(
        text.decode("utf-8", "replace"),
        object_pairs_hook=Members,
        parse_int=_nothing,
        parse_float=_nothing,
    )


def _nothing(_: str) -> None:
    return None
