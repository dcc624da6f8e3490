"""JSON text as values, for checks that need all of it; nothing is encoded from these."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from body_guard.core.encode import DEEPEST
from body_guard.core.json_text import is_deeper, member_name

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Members", "members", "parse_json"]


class Members:
    """A JSON object with all its members: of two of one name, a dict keeps only the last."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


def members(value: object) -> Iterable[tuple[str, Any]]:
    """Return the members of an object, by the names that json writes; of other values, none."""
    if type(value) is Members:
        return value.pairs
    if issubclass(type(value), dict):
        # A copy: another thread may be adding.
        pairs: Iterable[tuple[Any, Any]] = dict.copy(value).items()  # type: ignore[arg-type]
        named = ((key if type(key) is str else member_name(key), item) for key, item in pairs)
        return [(name, item) for name, item in named if name is not None]
    return ()


def parse_json(text: bytes, integer: object = None, real: object = None) -> object:
    """Parse JSON text, its numbers left out.

    Args:
        text: JSON in UTF-8, without a byte order mark.
        integer: What stands for each integer.
        real: What stands for each number with a point or an exponent.

    Returns:
        Lists, strings, booleans, None and `Members`.

    Raises:
        ValueError: It is no JSON. The error holds the text: let it go no further.
        RecursionError: It is nested too deeply.
    """
    __tracebackhide__ = True
    decoded = text.decode("utf-8", "replace")
    # With a raised recursion limit json runs off the end of the stack, and the process dies.
    if is_deeper(text, DEEPEST):
        raise RecursionError
    # A number may have more digits than int() takes; what it is does not matter here.
    return json.loads(
        decoded,
        object_pairs_hook=Members,
        parse_int=lambda _: integer,
        parse_float=lambda _: real,
    )
