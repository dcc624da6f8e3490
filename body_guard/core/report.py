"""What was found: values that say where and why, and never what."""

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

    Attributes:
        findings: In the order of the body.
        changed: Whether what goes out differs from what came in.
        judged: Whether the body was looked at.
        why_not_judged: The reason, when it was not.
        omitted: How many findings there were beyond those listed.
        mode: ``audit`` where nothing was done: the actions of the findings are what would have been
            done, and ``changed`` is false.
        refused: As a door tells it: the name of the error that refused the body, or would have in
            an audit.
        host: As a door reports it: where the body goes; ``""`` where that is not known yet, as of
            what is found in an object before there is a request of it.
        seconds: As a door reports it: what looking took, encoding included where the guard encodes.

    What is compared is what was found: two reports of the same are equal, whatever the last three.
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


_new: Final = object.__new__
_place: Final = [vars(Report)[each.name].__set__ for each in dataclasses.fields(Report)]


def stamp(report: Report, host: str, seconds: float) -> Report:
    """Return the same report with a host and a time.

    Every request has a report of its own, so it is made by the slots: 0.8 us where the initializer
    of a frozen dataclass takes 1.7 and `dataclasses.replace` 3.
    """
    stamped = _new(Report)
    findings, changed, judged, why_not_judged, omitted, mode, refused, of_host, of_seconds = _place
    findings(stamped, report.findings)
    changed(stamped, report.changed)
    judged(stamped, report.judged)
    why_not_judged(stamped, report.why_not_judged)
    omitted(stamped, report.omitted)
    mode(stamped, report.mode)
    refused(stamped, report.refused)
    of_host(stamped, host)
    of_seconds(stamped, seconds)
    return stamped


def not_judged(why: str) -> Report:
    """Return the report of a body that was not looked at."""
    return Report(judged=False, why_not_judged=why)
