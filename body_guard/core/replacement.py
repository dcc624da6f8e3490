"""What a rule may put in the place of what it found."""

from __future__ import annotations

from body_guard.core.encode import encode

__all__ = ["spelled"]


def spelled(value: object) -> bytes | None:
    """Return the JSON text of a string, number, boolean or None; None for all else."""
    kind = type(value)  # by identity: a metaclass can define __eq__
    if value is None or kind is str or kind is bool or kind is int or kind is float:
        try:
            return encode(value)
        except ValueError:  # half a character, NaN, an int over the digit limit
            return None
    return None
