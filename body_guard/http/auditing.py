"""mode="audit": looks without consequences, and notes on the errors that bodies cause."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from body_guard.core.errors import BodyError
from body_guard.core.redaction import redact_path
from body_guard.http.reporting import log
from body_guard.policy import Policy
from body_guard.sanitizer import Sanitizer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from body_guard.core.report import Report

__all__ = ["ENCODING_ERRORS", "add_note", "audit", "note_errors"]

#: What an encoder raises over a value that it cannot write.
ENCODING_ERRORS: Final[tuple[type[Exception], ...]] = (TypeError, ValueError, RecursionError)

_BEGINNING: Final = "body_guard: no encoder can write "


def audit(look: Callable[[], tuple[object, Report]]) -> Report:
    """Return the report of a look at a body; a `BodyError` becomes a report that says so."""
    __tracebackhide__ = True
    try:
        report = look()[1]
    except BodyError as error:
        report = replace(error.report, refused=type(error).__name__)
    return replace(report, changed=False, mode="audit")


def add_note(
    error: BaseException, value: object, convert: Callable[[Any], object] | None = None
) -> None:
    """Add to an encoder's error the path and type of what it cannot write of a body.

    ``convert`` is what the encoder makes of values that JSON does not know. Python 3.10 has no
    notes; there, the log says it.
    """
    __tracebackhide__ = True
    if any(_BEGINNING in text for text in getattr(error, "__notes__", ())):
        return  # another guard has said it
    # No rules: they would stop at a member that they take out, and not say what is inside.
    look = Sanitizer(Policy((), convert=convert)).prepare
    try:
        report = audit(lambda: look(value))
    except Exception:  # a failure of ours is no reason to lose the encoder's error
        return
    for finding in report.findings:
        if finding.action != "report":
            text = f"{_BEGINNING}{redact_path(finding.path)} ({finding.type or finding.rule})"
            if hasattr(error, "add_note"):
                error.add_note(text)
            else:
                log(logging.WARNING, "%s", text.removeprefix("body_guard: "), mode="audit")
            return


@contextmanager
def note_errors(bodies: Sequence[object]) -> Iterator[None]:
    """Add notes to the errors of the block, which encodes these bodies."""
    __tracebackhide__ = True
    try:
        yield
    except ENCODING_ERRORS as error:
        for body in bodies:
            add_note(error, body)
        raise
