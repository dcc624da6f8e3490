"""JSON Pointers (RFC 6901): the path to a place in a body."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["escape_token", "join_pointer", "split_pointer"]

#: All but printable ASCII, and the characters below.
_SPECIAL: Final = re.compile(r"[^ !#-.0-\[\]-}]")
_ESCAPES: Final = {"~": "~0", "/": "~1", '"': '\\"', "\\": "\\\\"}


def escape_token(key: str | int) -> str:
    """Return the reference token of a key or index: RFC 6901 sections 3 and 5, ASCII only."""
    if isinstance(key, int):
        return str(key)
    return key if key.isidentifier() and key.isascii() else _SPECIAL.sub(_escape, key)


def _escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass").hex(",", 2)
    return _ESCAPES.get(found[0]) or "\\u" + units.replace(",", "\\u")


def join_pointer(tokens: Iterable[str]) -> str:
    """Join reference tokens, escaped already, to a pointer."""
    return "/".join(["", *tokens])


def split_pointer(pointer: str) -> list[str]:
    """Return the reference tokens of a pointer, decoded.

    Raises:
        ValueError: It is none; the message ends a sentence that names it.
    """
    if pointer and not pointer.startswith("/"):
        raise ValueError("begins with no slash")
    if re.search("~(?![01])", pointer):
        raise ValueError("has a ~ that is neither ~0 nor ~1")
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
