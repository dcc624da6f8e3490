"""Limits: how large a serialized body may be."""

from __future__ import annotations

from typing import NamedTuple

from body_guard.core.refusals import make_too_large
from body_guard.core.report import CLEAN, Report, not_judged

__all__ = ["Limits"]


class Limits(NamedTuple):
    """How large a body may be, and what becomes of a larger one.

    Attributes:
        max_bytes: Encoded, or decompressed.
        send_larger: Whether serialized bodies over it are sent without being judged.
    """

    max_bytes: int
    send_larger: bool

    def check(self, size: int, *, only_reports: bool = False) -> Report:
        """Return why a serialized body of a size is sent without being judged; else a clean report.

        Args:
            size: In bytes.
            only_reports: Whether judging it could only report.

        Raises:
            BodyLimitError: It is too large, and must not be sent.
        """
        __tracebackhide__ = True
        if size <= self.max_bytes:
            return CLEAN
        if self.send_larger or only_reports:
            return not_judged("larger than max_bytes")
        raise make_too_large(self.max_bytes)
