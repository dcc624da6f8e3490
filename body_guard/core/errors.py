"""The error tree.

None of these subclasses an HTTP library's error, because retry layers retry those. No message holds
a value of a body: it names paths, redacted as for a log, and rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from body_guard.core.report import Report

__all__ = [
    "BodyError",
    "BodyGuardError",
    "BodyLimitError",
    "BodyRejectedError",
    "GuardError",
    "PolicyError",
    "SignedBodyError",
]


class BodyGuardError(Exception):
    """Base of every error that body_guard raises."""


class PolicyError(BodyGuardError, ValueError):
    """The policy is wrong. Raised when it is built, never while a request is on its way."""


class GuardError(BodyGuardError):
    """The guard itself failed. The request was not sent."""


class BodyError(BodyGuardError):
    """This body may not leave. The request was not sent.

    Args:
        message: What was found, where, and what to do; never a value.
        report: Every finding, with full paths. It travels with the error through pickle and copy,
            and is in no ``args``, ``repr`` or traceback.

    Attributes:
        message: As given. litellm's mapping of AWS errors to status codes reads it by this name,
            and its Router adds hints to it.
        report: As given.
        status_code: 400, so that litellm answers with a BadRequestError, once. On an error without
            a status it would retry, and cool a deployment down.
    """

    status_code: ClassVar[int] = 400

    def __init__(self, message: str, report: Report) -> None:
        # Not the report: ``args`` end up in every repr, and so in logs.
        super().__init__(message)
        self.message = message
        self.report = report

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message, self.report), self.__dict__

    def __str__(self) -> str:
        return self.message


class BodyRejectedError(BodyError):
    """A rule said ``reject``, or nothing that can be sent is left."""


class SignedBodyError(BodyError):
    """The body holds what must not leave, and removing it would break a signature over it."""


class BodyLimitError(BodyError):
    """The body is too deep or too large to be judged within the limits set."""
