"""Reports: where something was found in a body, and by which rule; never the value."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Final

__all__ = ["CLEAN", "Finding", "Report", "not_judged", "stamp"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One place in a body where a rule fired.

    Attributes:
        path: The place, an RFC 6901 JSON Pointer in its JSON string representation (section 5
            of the RFC) without the quotes, so always ASCII. ``""`` is the whole body.
        rule: The name of the rule: one of the policy's, or ``unserializable``, ``non-finite``,
            ``cycle``, ``surrogate``, ``digits``, ``bad-key``, ``duplicate``, ``depth``, ``size``,
            ``malformed``, ``stringified``; or ``openai-schema``, ``anthropic-schema``.
        action: ``remove`` (the member is gone), ``replace`` (null or U+FFFD stands there),
            ``reject`` (nothing was sent) or ``report`` (left as it was).
        type: Qualified name of the type of what was found; ``""`` where it was found in bytes.
        owner: Who puts it there: the rule's owner, or the package of the type.
        hint: What would keep such a value, where there is something.
    """

    path: str
    rule: str
    action: str
    type: str = ""
    owner: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What one look at a body found.

    Two reports with the same findings are equal, whatever their ``refused``, ``host`` and
    ``seconds``, which the doors set.

    Attributes:
        findings: In the order of the body.
        changed: Whether what goes out differs from what came in.
        judged: Whether the body was looked at.
        why_not_judged: The reason, when it was not.
        omitted: How many findings there were beyond those listed.
        mode: ``audit`` where nothing was done: the actions of the findings are what would have been
            done, and ``changed`` is false.
        refused: The name of the error that refused the body, or would have in an audit.
        host: Where the body goes; ``""`` where that is not known yet, as for an object before
            there is a request.
        seconds: What looking took, encoding included where the guard encodes.
    """

    findings: tuple[Finding, ...] = ()
    changed: bool = False
    judged: bool = True
    why_not_judged: str = ""
    omitted: int = 0
    mode: str = "enforce"
    refused: str = field(default="", compare=False)
    host: str = field(default="", compare=False)
    seconds: float = field(default=0.0, compare=False)

    def __add__(self, later: Report) -> Report:
        """Join the reports of two looks at one body: the object, then its bytes."""
        if later == CLEAN:
            return self
        return Report(
            self.findings + later.findings,
            self.changed or later.changed,
            self.judged and later.judged,
            self.why_not_judged or later.why_not_judged,
            self.omitted + later.omitted,
            later.mode,
            self.refused or later.refused,
            self.host or later.host,
            self.seconds + later.seconds,
        )

    def without(self, other: Report) -> Report:
        """Return the same report less the findings that another one has too."""
        known = {(finding.path, finding.rule) for finding in other.findings}
        left = [found for found in self.findings if (found.path, found.rule) not in known]
        return dataclasses.replace(self, findings=tuple(left)) if known else self


CLEAN: Final = Report()


def stamp(report: Report, host: str, seconds: float) -> Report:
    """Return the same report with a host and a time."""
    # Every request has a report of its own; this takes half the time of `dataclasses.replace`.
    given = (report.findings, report.changed, report.judged, report.why_not_judged)
    return Report(*given, report.omitted, report.mode, report.refused, host, seconds)


def not_judged(why: str) -> Report:
    """Return the report of a body that was not looked at."""
    return Report(judged=False, why_not_judged=why)
