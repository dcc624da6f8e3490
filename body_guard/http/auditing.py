"""mode="audit": looks without consequences, and notes on the errors that bodies cause."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from body_guard.core.errors import BodyError
from body_guard.core.redaction import format_findings
from body_guard.http.reporting import log
from body_guard.policy import Policy
from body_guard.sanitizer import Sanitizer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from body_guard.core.report import Report

__all__ = ["ENCODING_ERRORS", "audited", "note", "noted"]

#: What an encoder raises over a value that it cannot write.
ENCODING_ERRORS: Final[tuple[type[Exception], ...]] = (TypeError, ValueError, RecursionError)

_BEGINNING: Final = "body_guard: in an audit,"


def audited(look: Callable[[], tuple[object, Report]]) -> Report:
    """Return the report of a look at a body, with none of the look's consequences.

    Args:
        look: As `Sanitizer.prepare` or `Sanitizer.sanitize_bytes`; may raise a `BodyError`.
    """
    __tracebackhide__ = True
    try:
        report = look()[1]
    except BodyError as error:
        report = replace(error.report, refused=type(error).__name__)
    return replace(report, changed=False, mode="audit")


def note(
    error: BaseException, value: object, convert: Callable[[Any], object] | None = None
) -> None:
    """Add to an encoder's error where in a body it met what it cannot write, and of what type.

    Python 3.10 has no notes: there, the log says it.

    Args:
        error: As the encoder raised it.
        value: The body.
        convert: What the encoder makes of values that JSON does not know.
    """
    __tracebackhide__ = True
    if any(_BEGINNING in text for text in getattr(error, "__notes__", ())):
        return  # a door above or below this one has said it
    # No rules: they would stop at a member that they take out, and not say what is inside.
    look = Sanitizer(Policy((), convert=convert)).prepare
    try:
        report = audited(lambda: look(value))
    except Exception:  # a failure of ours is no reason to lose the encoder's error
        return
    found = [finding for finding in report.findings if finding.action != "report"]
    if found:
        text = f"no encoder can write {format_findings(found, most=10)} of this body."
        if hasattr(error, "add_note"):
            error.add_note(f"{_BEGINNING} {text}")
        else:
            log(logging.WARNING, "in an audit, %s", text, mode="audit")


@contextmanager
def noted(
    bodies: Sequence[object], convert: Callable[[Any], object] | None = None
) -> Iterator[None]:
    """Do as `note` for an error of what is done inside.

    Args:
        bodies: What is about to be encoded by somebody else; none where the policy enforces.
        convert: As of `note`.
    """
    __tracebackhide__ = True
    try:
        yield
    except ENCODING_ERRORS as error:
        for body in bodies:
            note(error, body, convert)
        raise
