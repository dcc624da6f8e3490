"""Refusals: the errors of bodies that may not leave, each with its report."""

from __future__ import annotations

from body_guard.core.errors import BodyLimitError, BodyRejectedError
from body_guard.core.redaction import format_findings, redact_path
from body_guard.core.report import CLEAN, Finding, Report

__all__ = ["check_allowed", "make_too_deep", "make_too_large"]


def check_allowed(report: Report) -> Report:
    """Return a report, unless one of its findings refuses the body.

    Raises:
        BodyRejectedError: One does.
    """
    __tracebackhide__ = True
    refusing = [finding for finding in report.findings if finding.action == "reject"]
    if refusing:
        raise BodyRejectedError(
            f"The body was not sent: {format_findings(refusing)} may not leave.", report
        )
    return report


def make_too_deep(path: str, levels: int, report: Report) -> BodyLimitError:
    """Return the error of a value that no encoder can write.

    Args:
        path: Of its deepest container.
        levels: How deep that is.
        report: What was found in the value.
    """
    return BodyLimitError(
        f"The body was not sent: it is {levels:,} levels deep, more than can be encoded here; the "
        f"deepest is {redact_path(path)}.",
        report + Report((Finding(path, "depth", "reject"),)),
    )


def make_too_large(max_bytes: int, report: Report = CLEAN) -> BodyLimitError:
    """Return the error of a body that is larger than ``max_bytes``."""
    return BodyLimitError(
        f"The body was not sent: encoded, it is larger than max_bytes, {max_bytes:,}.",
        report + Report((Finding("", "size", "reject"),)),
    )
