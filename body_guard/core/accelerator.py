"""Which passes judge a body: the compiled ones where they were built, else the plain ones.

The choice is made here and nowhere else. Both give the same answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from body_guard.core.encode_notes import CompiledEncoder
    from body_guard.core.rules import Matcher

__all__ = ["encoder", "is_compiled"]

try:
    from body_guard.core import _speedups

    _used = _speedups is not None
except ImportError:
    _used = False


def is_compiled() -> bool:
    """Return whether the compiled implementation is used."""
    return _used


def encoder(matcher: Matcher, *, asks: bool) -> CompiledEncoder:
    """Return the compiled encoder of some rules.

    Args:
        matcher: The rules.
        asks: As of `CompiledEncoder`.
    """
    from body_guard.core.encode_notes import CompiledEncoder  # it stands on the compiled module

    return CompiledEncoder(matcher, asks=asks)
