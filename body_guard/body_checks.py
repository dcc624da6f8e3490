"""Body checks: what a policy asks of a body as a whole: schema, stringified objects, JSON strings.

They run after the rules, on what is left, and return rules for what is amiss, so that removing is
left to the walk and the splice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from body_guard.builtin_rules.schema import merge_releases
from body_guard.builtin_rules.stringified import find_reprs, may_contain_repr
from body_guard.core import accelerator
from body_guard.core.errors import BodyLimitError
from body_guard.core.matcher import Matcher
from body_guard.core.refusals import check_allowed
from body_guard.core.report import CLEAN, Finding, Report, not_judged
from body_guard.core.splice import splice
from body_guard.formats.json_strings import JSONStrings, drop_replacements
from body_guard.formats.json_values import parse_json
from body_guard.formats.text_encoding import detect_encoding

if TYPE_CHECKING:
    from body_guard.builtin_rules.schema import Provider, Schema
    from body_guard.core.rule import Rule
    from body_guard.formats.limits import Limits
    from body_guard.policy import Policy

__all__ = ["BodyChecks", "find_schema", "make_checks"]


def find_schema(provider: Provider) -> Schema:
    """Return what a provider knows: all that any release of its SDK in the snapshot does."""
    from body_guard.builtin_rules.schema_tables import SCHEMAS  # thousands of names, seldom asked

    return merge_releases(SCHEMAS[provider])


def make_checks(policy: Policy, limits: Limits) -> BodyChecks | None:
    """Return the checks that a policy asks for; None where it asks for none."""
    asks = policy.schema is not None or policy.stringified != "off"
    return BodyChecks(policy, limits) if asks or "json-strings" in policy.look_into else None


class BodyChecks:
    """The checks of a policy with ``schema``, ``stringified`` or ``json-strings``.

    Args:
        policy: Says which.
        limits: How large a body may be that has to be parsed.
    """

    __slots__ = ("_limits", "_only_reports", "_policy", "_schema", "_strings")

    def __init__(self, policy: Policy, limits: Limits) -> None:
        self._policy = policy
        self._limits = limits
        self._schema = None if policy.schema is None else find_schema(policy.schema)
        looks = "json-strings" in policy.look_into
        self._strings = JSONStrings(policy.rules, limits) if looks else None
        takes = looks or (policy.schema is not None and policy.schema_action != "report")
        self._only_reports = not takes and policy.stringified != "reject"

    def check_value(self, value: object) -> tuple[tuple[Rule, ...], Report]:
        """Check a value that json can write.

        Args:
            value: Such a value, or one of `body_guard.formats.json_values`.

        Returns:
            Rules for what must change (members that the schema does not know, strings that hold
            JSON text), and a report of what was found in strings; of action ``reject`` where the
            body may not leave for them.
        """
        __tracebackhide__ = True
        rules: tuple[Rule, ...] = ()
        report = CLEAN
        if self._schema is not None:
            rules = self._schema.unknown_members(value, self._policy.schema_action)
        if self._strings is not None:
            inner, report = self._strings.check(value)
            rules += inner
        if self._policy.stringified != "off":
            report += find_reprs(value, self._policy.stringified)
        return rules, report

    def is_clean(self, value: object, content: bytes) -> bool:
        """Check at once whether there is nothing to find; in doubt, there may be.

        Args:
            value: Of json's own types.
            content: Its encoding.
        """
        if self._policy.stringified != "off" and may_contain_repr(content):
            return False
        if self._strings is not None and self._strings.check(value) != ((), CLEAN):
            return False
        return self._schema is None or not self._schema.unknown_members(value, "report")

    def check_bytes(self, content: bytes, report: Report) -> tuple[bytes, Report]:
        """Check JSON bytes, and cut out of them what may not leave.

        Args:
            content: JSON in UTF-8, UTF-16 or UTF-32; of other bytes nothing is said.
            report: What the rules found in them.

        Returns:
            The bytes, in the same encoding, and both reports joined.

        Raises:
            BodyRejectedError: The body may not leave.
            BodyLimitError: It is too large, or too deep to be parsed.
        """
        __tracebackhide__ = True
        encoding = detect_encoding(content)
        text = encoding.to_utf8(content)
        parses = self._schema is not None or self._strings is not None
        if not parses and not may_contain_repr(text):
            return content, report
        oversize = self._limits.check(len(content), only_reports=self._only_reports)
        if not oversize.judged:
            return content, report + oversize
        in_utf8 = text is content
        start = len(encoding.mark) if in_utf8 else 0
        rules, found = self._check_text(text[start:], report)
        if rules:
            matcher = Matcher(rules)
            hits = accelerator.scan(text, matcher, start)
            if isinstance(hits, tuple):
                clean, cut = splice(text, hits, matcher)
                report += drop_replacements(cut)
                if cut.changed:
                    content = clean if in_utf8 else encoding.from_utf8(clean)
        return content, check_allowed(report + found)

    def _check_text(self, text: bytes, report: Report) -> tuple[tuple[Rule, ...], Report]:
        """Check JSON text in UTF-8; in JSON Lines, and in what is no JSON, find nothing."""
        __tracebackhide__ = True
        try:
            return self.check_value(parse_json(text))
        except ValueError:
            return (), CLEAN
        except RecursionError:
            pass
        if self._only_reports:
            return (), not_judged("nested too deeply")
        # Not inside the handler: the error's frames hold the body.
        raise BodyLimitError(
            "The body was not sent: it is nested too deeply to be judged as a whole.",
            report + Report((Finding("", "depth", "reject"),)),
        )
