"""What was found: values that say where and why, and never what."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "CLEAN",
    "MOST_SEGMENTS",
    "Finding",
    "Listing",
    "Report",
    "not_judged",
    "pointer",
    "segment",
    "shown",
    "stamp",
    "told",
]

#: Findings listed in one report, and characters of path they may take; the rest are counted.
_MOST_FINDINGS: Final = 1000
_MOST_PATH: Final = 2**22


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


# The quotes and backslashes of the JSON string form, and RFC 6901's own two, in one pass each.
_NOT_PLAIN: Final = re.compile(r"[^ !#-.0-\[\]-}]")


def segment(key: str) -> str:
    """Return one reference token of a pointer: RFC 6901 sections 3 and 5, ASCII only."""
    return key if key.isidentifier() and key.isascii() else _NOT_PLAIN.sub(_escape, key)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if character in "~/":
        return "~0" if character == "~" else "~1"
    if character in '"\\':
        return "\\" + character
    code = ord(character)
    if code > 0xFFFF:
        code -= 0x10000
        return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
    return f"\\u{code:04x}"


def pointer(segments: Iterable[str]) -> str:
    """Join reference tokens, escaped already, to a pointer."""
    return "/".join(["", *segments])


class Listing:
    """The findings of one look, up to a bound, so that a hostile body cannot make a report grow."""

    __slots__ = ("_refuses", "_room", "_shown", "findings")

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._refuses = False
        self._room = _MOST_PATH
        # The tokens of the last shortened path: the next one begins with most of them, and to
        # hash a long one each time would take as long as the body is, times the findings.
        self._shown: dict[str, str] = {}

    @property
    def full(self) -> bool:
        """Whether further findings are only counted."""
        return len(self.findings) >= _MOST_FINDINGS

    def takes(self, action: str) -> bool:
        """Check whether to `add` one more: while there is room, and the first that refuses always.

        Without that one, the error of a refused body could not say why.
        """
        room = len(self.findings) < _MOST_FINDINGS
        return room or (action == "reject" and not self._refuses)

    def wants(self, levels: int, length: int = 0) -> int:
        """Return how many tokens of a path of so many levels are of use to `add`.

        Args:
            levels: How many there are.
            length: The characters of the path, where they are known.
        """
        return levels if max(2 * levels, length) <= self._room else MOST_SEGMENTS

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
        """List a finding, in the place of the last one if full; shortened if its path is too long.

        Args:
            tokens: Of its path, all or the first.
            rule: As of `Finding`, and so are the next four.
            action: What is done.
            kind: The type.
            owner: Who puts it there.
            hint: What would keep it.
            levels: How many tokens there are, where not all are given.
        """
        if len(self.findings) >= _MOST_FINDINGS:
            self.findings.pop()
        if action == "reject":
            self._refuses = True
        self.findings.append(Finding(self.path(tokens, levels), rule, action, kind, owner, hint))

    def path(self, tokens: Sequence[str], levels: int | None = None) -> str:
        """Return a path, at the cost of the room there is for all; shortened where there is none.

        Args:
            tokens: All, or the first.
            levels: How many there are, where not all are given.
        """
        levels = len(tokens) if levels is None else levels
        whole = len(tokens) == levels and 2 * levels <= self._room
        if whole and levels + sum(map(len, tokens)) <= self._room:
            path = pointer(tokens)
        else:
            known = self._shown
            self._shown = {
                token: known.get(token) or _shown_token(token) for token in tokens[:MOST_SEGMENTS]
            }
            path = _abridged([self._shown[token] for token in tokens[:MOST_SEGMENTS]], levels)
        self._room -= len(path)
        return path


_NAME: Final = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_.-]*|[0-9]{1,9}|<[A-Za-z_][A-Za-z0-9_.]*>)\Z")
_LONGEST_NAME: Final = 64
#: Tokens of a shortened path.
MOST_SEGMENTS: Final = 32


def shown(path: str) -> str:
    """Return a path as logs, metrics and messages may show it.

    A key can be data (an address, a name), so a segment that is long or not identifier-like
    becomes its length and a short hash: the same place is recognised, its text is not told.

    Args:
        path: A `Finding.path`.

    Returns:
        The same path with at most 32 segments, none over 64 characters.
    """
    tokens = path.split("/")[1:]
    return _abridged([_shown_token(token) for token in tokens[:MOST_SEGMENTS]], len(tokens))


def _abridged(tokens: Sequence[str], levels: int) -> str:
    text = pointer(tokens)
    return text if levels <= MOST_SEGMENTS else f"{text}/...{levels} levels"


def _shown_token(token: str) -> str:
    if len(token) <= _LONGEST_NAME and _NAME.match(token):
        return token
    import hashlib  # it loads OpenSSL, which is a third of the time that importing us takes

    digest = hashlib.sha256(token.encode()).hexdigest()[:8]
    return f"<{len(token)} characters, {digest}>"


def told(findings: Iterable[Finding], most: int = 3) -> str:
    """Return findings as half a sentence for an error message: places and rules, no value."""
    listed = list(findings)
    parts = [
        f"{shown(found.path) or 'the whole body'} "
        f"({', '.join(filter(None, (f'rule {found.rule}', found.type)))})"
        for found in listed[:most]
    ]
    if len(listed) > most:
        parts.append(f"{len(listed) - most} more")
    return ", ".join(parts)
