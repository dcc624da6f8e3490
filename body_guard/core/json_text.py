"""How json writes keys, numbers and text, and which it cannot write. No code of a class is run."""

from __future__ import annotations

import math
from itertools import accumulate
from json.decoder import scanstring  # type: ignore[attr-defined]  # not in typeshed
from typing import Any, Final

__all__ = [
    *("digits_of", "is_deeper", "member_name", "plain_key", "replace_surrogates"),
    *("to_utf8", "unescape"),
]


def member_name(key: Any) -> str | None:
    """Return the text that json writes for a key; None where it can write none.

    The types are tried in the order of json's C encoder.
    """
    kind = type(key)
    if issubclass(kind, str):
        return str.__str__(key)
    if issubclass(kind, float):
        return float.__repr__(key) if math.isfinite(key) else None
    if key is None or kind is bool:
        return {None: "null", True: "true", False: "false"}[key]
    return digits_of(key) if issubclass(kind, int) else None


def plain_key(key: Any) -> Any:
    """Return a key for a copy: of json's own types, so that hashing it runs no foreign code."""
    kind = type(key)
    if issubclass(kind, str):
        return replace_surrogates(str.__str__(key))
    if issubclass(kind, float):
        return float.__float__(key)
    return key if key is None or kind is bool else int.__int__(key)


def digits_of(number: int) -> str | None:
    """Return the text that json writes for an int; None where it has too many digits."""
    try:
        return int.__repr__(number)
    except ValueError:  # over sys.get_int_max_str_digits()
        return None


def replace_surrogates(text: str) -> str:
    """Return text with U+FFFD for each lone surrogate; the same object where it has none.

    Two that form a pair become the character that they encode, as in ``JSON.stringify``.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def to_utf8(text: str) -> bytes:
    """Return text in UTF-8; a lone surrogate in its 3-byte form."""
    return text.encode("utf-8", "surrogatepass")


def unescape(escapes: bytes) -> bytes:
    """Return the text of JSON escapes, as `to_utf8`."""
    return to_utf8(scanstring(escapes.decode() + '"', 0)[0])


#: Brackets as steps down and up, in signed bytes; and what is none.
_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_STEPS: Final = bytes({*range(256)} - {*b"[{]}"})


def is_deeper(text: bytes, levels: int) -> bool:
    """Check whether JSON text has more than so many levels; of other text, as far as it is JSON."""
    if text.count(b"[") + text.count(b"{") <= levels:
        return False
    outside = text.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2]
    steps = b"".join(outside).translate(_STEPS, _NO_STEPS)
    return max(accumulate(memoryview(steps).cast("b")), default=0) > levels
