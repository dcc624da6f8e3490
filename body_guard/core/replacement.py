"""What a rule puts in the place of what it found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from body_guard.core.encode import encode
from body_guard.core.errors import GuardError
from body_guard.core.typenames import qualified_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from body_guard.core.rules import Rule

__all__ = ["spelled", "stands", "substitute"]


def spelled(value: object) -> bytes | None:
    """Give the JSON text of a string, number, boolean or None; None for all else."""
    kind = type(value)  # by identity: a metaclass can define __eq__
    if value is None or kind is str or kind is bool or kind is int or kind is float:
        try:
            return encode(value)
        except ValueError:  # half a character, NaN, an int over the digit limit
            return None
    return None


def stands(rule: Rule, text: bytes | None) -> bool:
    """Tell whether JSON text is a rule's constant replacement, so that nothing is to be done."""
    return text is not None and not callable(rule.replacement) and spelled(rule.replacement) == text


def substitute(
    rule: Rule, path: str, kind: str, value: Callable[[], object]
) -> tuple[object, bytes]:
    """Give what a rule puts in the place of a value, and its JSON text.

    Args:
        rule: Of action ``replace``.
        path: The place, as in `Finding`.
        kind: The type of the value, as in `Finding`.
        value: Gives the value, for a function that wants it.

    Raises:
        GuardError: The rule's function failed. What it raised is not kept: it may hold the value.
    """
    __tracebackhide__ = True
    given, failure = rule.replacement, ""
    if callable(given):
        try:
            given = given(path, kind, value()) if rule.sees_value else given(path, kind)
        except Exception as error:
            failure = f"raised {qualified_name(type(error))}"
    text = None if failure else spelled(given)
    if text is None:
        failure = failure or f"gave {qualified_name(type(given))}, no scalar that JSON can write"
        raise GuardError(f"the replacement function of rule {rule.name!r} {failure}")
    return given, text
