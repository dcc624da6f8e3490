"""JSON bytes: scanned for the members that a rule mentions, and cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from body_guard.core import accelerator
from body_guard.core.errors import BodyLimitError, BodyRejectedError
from body_guard.core.key_search import KeySearch
from body_guard.core.refusals import check_allowed
from body_guard.core.report import CLEAN, Finding, Report, not_judged
from body_guard.core.splice import splice
from body_guard.formats.text_encoding import detect_encoding

if TYPE_CHECKING:
    from body_guard.core.matcher import Matcher
    from body_guard.formats.content_type import Kind
    from body_guard.formats.limits import Limits

__all__ = ["JSONBytes"]

#: By kind, whether to read several JSON texts. An undeclared body may be JSON or JSON Lines.
_RECORDS: Final = {"json": (False,), "records": (True,), "sniffed": (False, True)}


#: So many keys that looking for them takes as long as to parse: with every preset on, four times.
_FEW_KEYS: Final = 8


class JSONBytes:
    """Sanitizes JSON bytes by the rules of one policy.

    Args:
        matcher: The rules.
        limits: How large a body with a finding may be.
    """

    __slots__ = ("_key_search", "_limits", "_matcher")

    def __init__(self, matcher: Matcher, limits: Limits) -> None:
        self._matcher = matcher
        self._limits = limits
        self._key_search: KeySearch | None = None  # seldom needed, and slow to compile

    def sanitize(self, content: bytes, kind: Kind, *, walked: bool = False) -> tuple[bytes, Report]:
        """Cut out of JSON bytes what may not leave.

        Args:
            content: In UTF-8, UTF-16 or UTF-32.
            kind: ``json``, ``records`` or ``sniffed``.
            walked: Whether they encode a walked value, whose findings are reported already.

        Returns:
            The bytes, in the same encoding, and the report.

        Raises:
            BodyRejectedError: A rule refuses the body, or it is declared to be JSON, seems to hold
                a forbidden key, and does not parse.
            BodyLimitError: It has a finding and is too large or too deep.
        """
        __tracebackhide__ = True
        encoding = detect_encoding(content)
        text = encoding.to_utf8(content)
        in_utf8 = text is content
        start = len(encoding.mark) if in_utf8 else 0
        matcher = self._matcher
        # The plain scan parses; a search for a few keys takes less time.
        few = len(matcher.keys) + len(matcher.prefixes) <= _FEW_KEYS
        if few and not accelerator.is_compiled() and not self._may_contain_key(text):
            return content, CLEAN
        for records in _RECORDS[kind]:
            found = accelerator.scan(text, matcher, start, records)
            if not isinstance(found, int):
                break
        if found is None or (isinstance(found, int) and not self._may_contain_key(text)):
            return content, CLEAN
        oversize = self._limits.check(len(content), only_reports=matcher.only_reports)
        if not oversize.judged:
            return content, oversize
        if isinstance(found, int):
            return content, self._judge_unreadable(kind, found)
        clean, report = splice(text, found, matcher, records=records, walked=walked)
        if not check_allowed(report).changed:
            return content, report
        return (clean if in_utf8 else encoding.from_utf8(clean)), report

    def _may_contain_key(self, text: bytes) -> bool:
        if self._key_search is None:
            self._key_search = KeySearch((*self._matcher.keys, *self._matcher.prefixes))
        return self._key_search.may_contain(text)

    def _judge_unreadable(self, kind: Kind, stopped: int) -> Report:
        """Judge bytes that seem to hold a forbidden key, by where the scan stopped."""
        __tracebackhide__ = True
        only_reports = self._matcher.only_reports
        if stopped < 0:
            if only_reports:
                return not_judged("nested too deeply")
            raise BodyLimitError(
                f"The body was not sent: at byte {-stopped} it is over 1,000,000 levels deep.",
                Report((Finding("", "depth", "reject"),)),
            )
        if kind == "sniffed" or only_reports:
            return Report((Finding("", "malformed", "report"),))
        raise BodyRejectedError(
            "The body was not sent: it is declared to be JSON and seems to hold a forbidden key, "
            f"but stops being JSON at byte {stopped}, so nothing can be cut out safely.",
            Report((Finding("", "malformed", "reject"),)),
        )
