"""The look at a body as a whole that a policy may ask for: its schema, its stringified objects.

It comes after the rules have been applied, on what is left, and gives rules of its own where
something is amiss; so taking out is left to the walk and the splice, and a body in order costs a
look and no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from body_guard.builtin_rules.schema import schema_of
from body_guard.builtin_rules.stringified import find, may_hold
from body_guard.core.report import CLEAN
from body_guard.formats.parse import parsed

if TYPE_CHECKING:
    from body_guard.core.report import Report
    from body_guard.core.rule import Rule
    from body_guard.policy import Policy

__all__ = ["Overview"]


class Overview:
    """What a policy asks of a body as a whole.

    Args:
        policy: With ``schema`` or ``stringified``.

    Attributes:
        only_reports: Whether it takes and refuses nothing.
    """

    __slots__ = ("_policy", "_schema", "only_reports")

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._schema = None if policy.schema is None else schema_of(policy.schema)
        takes = policy.schema is not None and policy.schema_action != "report"
        self.only_reports = not takes and policy.stringified != "reject"

    def of_value(self, value: object) -> tuple[tuple[Rule, ...], Report]:
        """Look at a value that json can write.

        Returns:
            Rules for the members that the schema does not know, and a report of the stringified
            objects; of action ``reject`` where the body may not leave for them.
        """
        rules: tuple[Rule, ...] = ()
        if self._schema is not None:
            rules = self._schema.strangers(value, self._policy.schema_action)
        if self._policy.stringified == "off":
            return rules, CLEAN
        return rules, find(value, self._policy.stringified)

    def passes(self, value: object, content: bytes) -> bool:
        """Check at once whether there is nothing to find; in doubt, there may be.

        Args:
            value: Of json's own types.
            content: Its encoding.
        """
        if self._policy.stringified != "off" and may_hold(content):
            return False
        return self._schema is None or not self._schema.strangers(value, "report")

    def concerns(self, text: bytes) -> bool:
        """Check whether JSON text has to be parsed: at the speed of a search."""
        return self._schema is not None or may_hold(text)

    def of_text(self, text: bytes) -> tuple[tuple[Rule, ...], Report]:
        """Look at JSON text in UTF-8, without a byte order mark; in what is no JSON, find none.

        Raises:
            RecursionError: It is nested too deeply.
        """
        try:
            value = parsed(text)
        except ValueError:  # also lines of JSON, and what only looked like it
            return (), CLEAN
        return self.of_value(value)
