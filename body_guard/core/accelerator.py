"""Which passes judge a body: the compiled ones where they were built, else the plain ones.

The choice is made here and nowhere else. Both give the same answers.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from body_guard.core import plain_scan
from body_guard.core.encode import encode

if TYPE_CHECKING:
    from body_guard.core.matcher import Matcher

__all__ = ["CompiledEncoder", "describe", "encode_walked", "is_compiled", "scan", "use_plain"]

_speedups: Any = None
_why_plain = "built without a C compiler"
if getattr(sys, "_is_gil_enabled", lambda: True)():
    try:
        # Both now: a signal handler that sends would find a module half imported later.
        from body_guard.core import _speedups
        from body_guard.core.encode_notes import CompiledEncoder
    except ImportError:
        pass
else:
    # To import it would switch the GIL on for the whole process.
    _why_plain = "Python runs without the GIL"

#: One that was built from older sources is not used.
_used = hasattr(_speedups, "UNFOLD")


def is_compiled() -> bool:
    """Return whether the compiled implementation is used."""
    return _used


def use_plain(why: str) -> None:
    """Use the plain implementation from now on.

    Args:
        why: What `describe` says of it.
    """
    global _used, _why_plain
    _used, _why_plain = False, why


def describe() -> str:
    """Return which implementation is used; of the plain one, why."""
    return "compiled" if _used else f"pure ({_why_plain})"


def encode_walked(value: object, max_bytes: int) -> bytes:
    """Encode a value that was walked, with the errors of `body_guard.core.encode.encode`.

    The compiled pass writes what it handed back before: a body with cycles, which were cut, or one
    that unfolds to many times its size. What comes to more than ``max_bytes`` is left to json.
    """
    if _used:
        flags = _speedups.UNFOLD | _speedups.HAND_BACK_UNSERIALIZABLE
        made = _speedups.encode(value, _speedups.key_table({}, {}), max_bytes, flags, ",", ":")
        if made is not None and made[1] is None:
            content: bytes = made[0]
            return content
    return encode(value)


def scan(
    text: bytes, matcher: Matcher, start: int = 0, records: bool = False
) -> tuple[bytes, bytes] | int | None:
    """Find the members of JSON text that a rule may forbid.

    The text is JSON as Python's json reads it: RFC 8259, and NaN, Infinity and -Infinity. Whether
    its strings are valid UTF-8 is not asked.

    Args:
        text: JSON in UTF-8.
        matcher: The rules.
        start: Where the text begins, behind a byte order mark.
        records: Whether there are several texts: one a line, or each behind a record separator
            (RFC 7464).

    Returns:
        None when no member has a name that a rule mentions. Rows of the containers around the
        members that do, and of these members, as `_speedups.pyi` describes them. A number when the
        text cannot be read: the byte where it is no JSON; negative, the byte at which it goes
        deeper than a million levels.
    """
    passes = _speedups if _used else plain_scan
    found: tuple[bytes, bytes] | int | None = passes.scan(
        text, matcher.key_table(passes.key_table), start, records
    )
    return found
