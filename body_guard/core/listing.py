"""The findings of one look at a body, up to a bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from body_guard.core.pointer import join_pointer
from body_guard.core.redaction import MOST_TOKENS, abridge, redact_token
from body_guard.core.report import CLEAN, Finding, Report
from body_guard.core.typenames import is_plain_data, qualified_name

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Listing"]

#: Findings listed in one report, and characters of path they may take; the rest are counted.
_MOST_FINDINGS: Final = 1000
_MOST_PATH: Final = 2**22

_HINT: Final = "convert=body_guard.convert.jsonable would keep it"


class Listing:
    """The findings of one look, up to a bound, so that no body can make a report grow."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []
        self._refuses = False
        self._room = _MOST_PATH
        # The tokens of the last shortened path: the next one begins with most of them, and to
        # hash a long one each time would take as long as the body is, times the findings.
        self._redacted: dict[str, str] = {}
        self._types: dict[tuple[int, str], tuple[str, str]] = {}

    @property
    def full(self) -> bool:
        """Whether further findings are only counted."""
        return len(self._findings) >= _MOST_FINDINGS

    def takes(self, action: str) -> bool:
        """Check whether to `add` one more: if there is room, or if it is the first that refuses.

        Without that one the error of a refused body could not name a reason.
        """
        return not self.full or (action == "reject" and not self._refuses)

    def wants(self, levels: int, length: int = 0) -> int:
        """Return how many tokens of a path of so many levels are of use to `add`.

        Args:
            levels: How many there are.
            length: The characters of the path, where they are known.
        """
        return levels if max(2 * levels, length) <= self._room else MOST_TOKENS

    def add(
        self,
        tokens: Sequence[str],
        rule: str,
        action: str,
        kind: str,
        owner: str = "",
        hint: str = "",
        *,
        levels: int | None = None,
    ) -> None:
        """List a finding, in the place of the last one if full.

        Its path has the tokens given: all, or the first of as many as ``levels`` says. It is
        shortened where there is no room for it.
        """
        if self.full:
            self._findings.pop()
        self._refuses |= action == "reject"
        levels = len(tokens) if levels is None else levels
        whole = len(tokens) == levels and 2 * levels <= self._room
        if whole and levels + sum(map(len, tokens)) <= self._room:
            path = join_pointer(tokens)
        else:
            first, known = tokens[:MOST_TOKENS], self._redacted
            self._redacted = {token: known.get(token) or redact_token(token) for token in first}
            path = abridge([self._redacted[token] for token in first], levels)
        self._room -= len(path)
        self._findings.append(Finding(path, rule, action, kind, owner, hint))

    def add_value(
        self, tokens: Sequence[str], rule: str, action: str, kind: type, owner: str
    ) -> None:
        """List a finding by the type of its value, which the caller keeps alive; see `add`."""
        known = self._types.get((id(kind), rule))
        if known is None:
            hint = _HINT if rule == "unserializable" and is_plain_data(kind) else ""
            known = self._types[id(kind), rule] = qualified_name(kind), hint
        self.add(tokens, rule, action, known[0], owner, known[1])

    def report(self, count: int, changed: bool) -> Report:
        """Return the report of so many findings, those listed and those only counted."""
        if not count and not changed:
            return CLEAN
        return Report(tuple(self._findings), changed, omitted=count - len(self._findings))
