"""Values that are about to be encoded: walked, checked as a whole, and written by json."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from body_guard.core import accelerator
from body_guard.core.encode import DEEPEST
from body_guard.core.errors import GuardError
from body_guard.core.matcher import Matcher
from body_guard.core.refusals import check_allowed, make_too_deep, make_too_large
from body_guard.core.walk import walk
from body_guard.formats.json_strings import drop_replacements

if TYPE_CHECKING:
    from body_guard.body_checks import BodyChecks
    from body_guard.core.report import Report
    from body_guard.core.walk import WalkResult
    from body_guard.policy import Policy

__all__ = ["Objects"]

#: How often a value is walked again because another thread made it unencodable meanwhile.
_MOST_TRIES: Final = 3


class Objects:
    """Sanitizes values without the compiled pass.

    Args:
        policy: What must not leave.
        matcher: Its rules.
        checks: What it asks of a body as a whole.
    """

    __slots__ = ("_checks", "_matcher", "_max_bytes", "_walk")

    def __init__(self, policy: Policy, matcher: Matcher, checks: BodyChecks | None) -> None:
        self._matcher = matcher
        self._max_bytes = policy.max_bytes
        self._walk = partial(walk, unserializable=policy.unserializable, convert=policy.convert)
        self._checks = checks

    def walk(self, value: object, *, for_encoder: bool = False) -> WalkResult:
        """Walk a value, and check what is left of it.

        Raises:
            BodyRejectedError: It may not leave.
            BodyLimitError: A container of a foreign class yields items without end.
        """
        __tracebackhide__ = True
        walked = self._walk(value, self._matcher, for_encoder=for_encoder)
        check_allowed(walked.report)
        if self._checks is not None:
            rules, report = self._checks.check_value(walked.value)
            if rules:
                changed = self._walk(walked.value, Matcher(rules))
                changed.report = walked.report + drop_replacements(changed.report)
                walked = changed
            walked.report += report
            check_allowed(walked.report)
        return walked

    def prepare(self, value: object) -> WalkResult:
        """Walk a value that an encoder is about to write.

        Raises:
            BodyRejectedError: It may not leave.
            BodyLimitError: It is too deep for any encoder, or surely larger than ``max_bytes``.
        """
        __tracebackhide__ = True
        walked = self.walk(value, for_encoder=True)
        if walked.depth > DEEPEST:
            raise make_too_deep(walked.deepest(), walked.depth, walked.report)
        if walked.size > self._max_bytes:
            raise make_too_large(self._max_bytes, walked.report)
        return walked

    def encode(self, value: object) -> tuple[bytes, Report]:
        """Walk a value and have json write what is left.

        Raises:
            BodyRejectedError: It may not leave.
            BodyLimitError: It is deeper than the encoder can go, or encoded larger than
                ``max_bytes``.
            GuardError: Other threads keep making it unencodable.
        """
        __tracebackhide__ = True
        for _ in range(_MOST_TRIES):
            walked = self.prepare(value)
            try:
                content = accelerator.encode_walked(walked.value, self._max_bytes)
                break
            except RecursionError:
                pass
            except (TypeError, ValueError):
                continue  # another thread added something since the walk: walk again
            raise make_too_deep(walked.deepest(), walked.depth, walked.report)
        else:
            # Not inside the handler: the errors of json carry the body.
            raise GuardError("the body kept changing while it was encoded")
        if len(content) > self._max_bytes:
            raise make_too_large(self._max_bytes, walked.report)
        return content, walked.report
