"""Value to bytes, as httpx writes them."""

from __future__ import annotations

import json
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from body_guard.core.proof import Proof

__all__ = ["DEEPEST", "encode", "orjson_dumps", "use_orjson"]

#: False does without orjson, as where it is not installed; for tests and benchmarks.
use_orjson = True

#: Levels beyond which no encoder is tried. json's C encoder takes about 110 bytes of stack a level
#: and, with a raised recursion limit, runs off the end of it: at 100,000 levels the process dies
#: (8 MiB of stack, CPython 3.10 and 3.11; 60,000 still pass), in a thread with 1 MiB at 10,000, in
#: one with 512 KiB between 2,155 and 4,000 (CPython 3.13). The interpreter's own limit, by default,
#: is lower still.
DEEPEST: Final = 2_000

_dumps: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def encode(value: object, proof: Proof = "") -> bytes:
    """Encode a value that was walked, or proved to be plain.

    Args:
        value: JSON data no deeper than `DEEPEST`.
        proof: What `proof_of` gave for it, if it was asked.

    Returns:
        The bytes of ``json.dumps(value, ensure_ascii=False, separators=(",", ":"),
        allow_nan=False).encode()``, which is what httpx 0.28 sends (``httpx/_content.py``,
        ``encode_json``).

    Raises:
        RecursionError: The value is deeper than the stack of the caller has room for.
        TypeError: Another thread put in something that is no JSON; or a proved value holds a lone
            surrogate.
        ValueError: The same; or it holds an integer over the interpreter's digit limit.
    """
    dumps = orjson_dumps() if proof == "orjson" else None
    if dumps is not None:
        try:
            return dumps(value)
        except TypeError as error:
            if "nteger" not in str(error):  # json writes those over 64 bits too
                raise
    kind = type(value)
    if kind is dict or kind is list:  # by identity: a metaclass can define __eq__
        return _dumps(value).encode()
    # The Python half of json asks isinstance of a whole body, which would ask a hostile class.
    return _dumps([value])[1:-1].encode()


def orjson_dumps() -> Callable[[object], bytes] | None:
    """Give orjson's encoder, loaded when it is first needed; None where there is none to use."""
    return _orjson() if use_orjson else None


@lru_cache(maxsize=1)
def _orjson() -> Callable[[object], bytes] | None:
    try:
        import orjson
    except ImportError:
        return None
    # What another thread puts in after the proof is refused, as far as orjson can refuse it.
    option = (
        orjson.OPT_PASSTHROUGH_DATACLASS
        | orjson.OPT_PASSTHROUGH_DATETIME
        | orjson.OPT_PASSTHROUGH_SUBCLASS
    )
    return partial(orjson.dumps, option=option)
