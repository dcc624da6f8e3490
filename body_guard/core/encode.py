"""Value to bytes, as httpx writes them."""

from __future__ import annotations

import json
from typing import Final

__all__ = ["DEEPEST", "encode"]

#: Levels beyond which no encoder is tried. json's C encoder takes about 110 bytes of stack a level
#: and, with a raised recursion limit, runs off the end of it: at 100,000 levels the process dies
#: (8 MiB of stack, CPython 3.10 and 3.11; 60,000 still pass), in a thread with 1 MiB at 10,000. The
#: interpreter's own limit, by default, is lower still.
DEEPEST: Final = 4_000

_dumps: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def encode(value: object) -> bytes:
    """Encode a walked value.

    Args:
        value: JSON data no deeper than `DEEPEST`.

    Returns:
        The bytes of ``json.dumps(value, ensure_ascii=False, separators=(",", ":"),
        allow_nan=False).encode()``, which is what httpx 0.28 sends (``httpx/_content.py``,
        ``encode_json``).

    Raises:
        RecursionError: The value is deeper than the stack of the caller has room for.
    """
    kind = type(value)
    if kind is dict or kind is list:  # by identity: a metaclass can define __eq__
        return _dumps(value).encode()
    # The Python half of json asks isinstance of a whole body, which would ask a hostile class.
    return _dumps([value])[1:-1].encode()
