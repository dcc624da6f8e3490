"""JSON Pointers (RFC 6901): the path to a place in a body."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["escape_token", "join_pointer", "split_pointer"]

# The quotes and backslashes of the JSON string form, and RFC 6901's own two, in one pass each.
_NOT_PLAIN: Final = re.compile(r"[^ !#-.0-\[\]-}]")


def escape_token(key: str) -> str:
    """Return one reference token of a pointer: RFC 6901 sections 3 and 5, ASCII only."""
    return key if key.isidentifier() and key.isascii() else _NOT_PLAIN.sub(_escape, key)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if character in "~/":
        return "~0" if character == "~" else "~1"
    if character in '"\\':
        return "\\" + character
    code = ord(character)
    if code > 0xFFFF:
        code -= 0x10000
        return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
    return f"\\u{code:04x}"


def join_pointer(tokens: Iterable[str]) -> str:
    """Join reference tokens, escaped already, to a pointer."""
    return "/".join(["", *tokens])


def split_pointer(pointer: str) -> list[str]:
    """Return the tokens of an RFC 6901 pointer, decoded.

    Raises:
        ValueError: It is none; the message ends a sentence that names it.
    """
    if pointer and not pointer.startswith("/"):
        raise ValueError("begins with no slash")
    return [_decode(token) for token in pointer.split("/")[1:]]


def _decode(token: str) -> str:
    bare = token.replace("~0", "").replace("~1", "")
    if "~" in bare:
        raise ValueError("has a ~ that is neither ~0 nor ~1")
    return token.replace("~1", "/").replace("~0", "~")
