"""Walked values to bytes, as httpx writes them."""

from __future__ import annotations

import json
from typing import Final, NamedTuple

__all__ = ["DEEPEST", "HTTPX", "JSON_DUMPS", "Style", "encode", "encode_scalar"]


class Style(NamedTuple):
    """How JSON is written, as by the arguments of `json.dumps`.

    Attributes:
        ensure_ascii: Whether characters beyond ASCII are escaped.
        item_separator: A comma, with spaces around it.
        key_separator: A colon, with spaces around it.
    """

    ensure_ascii: bool = False
    item_separator: str = ","
    key_separator: str = ":"

    def scalar(self, value: object) -> bytes:
        """Return the text of a string, number, boolean or None."""
        return json.dumps(value, ensure_ascii=self.ensure_ascii).encode()


#: As httpx 0.28 writes it, and as `json.dumps` does by default.
HTTPX: Final = Style()
JSON_DUMPS: Final = Style(True, ", ", ": ")

#: Levels beyond which no encoder is tried. json's C encoder takes about 110 bytes of stack a level
#: and, with a raised recursion limit, overflows it: the process dies at 100,000 levels (8 MiB of
#: stack, CPython 3.10 and 3.11; 60,000 still pass), in a thread with 1 MiB at 10,000, in one with
#: 512 KiB between 2,155 and 4,000 (CPython 3.13). The interpreter's default limit is lower still.
DEEPEST: Final = 2_000

_dumps: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def encode(value: object) -> bytes:
    """Encode a value that was walked.

    Args:
        value: JSON data no deeper than `DEEPEST`.

    Returns:
        The bytes of ``json.dumps(value, ensure_ascii=False, separators=(",", ":"),
        allow_nan=False).encode()``, which is what httpx 0.28 sends (``httpx/_content.py``,
        ``encode_json``).

    Raises:
        RecursionError: The value is deeper than the caller's stack has room for.
        TypeError: Another thread added something that json cannot write.
        ValueError: The same; or it holds an integer over the interpreter's digit limit.
    """
    # In a list: the Python half of json asks isinstance of a whole body, and so a hostile class.
    return _dumps([value])[1:-1].encode()


def encode_scalar(value: object) -> bytes | None:
    """Return the JSON text of a string, number, boolean or None; None where there is none."""
    kind = type(value)  # by identity: a metaclass can define __eq__
    if value is None or kind is str or kind is bool or kind is int or kind is float:
        try:
            return encode(value)
        except ValueError:  # a lone surrogate, NaN, an int over the digit limit
            return None
    return None
