"""What ``body-guard scan`` does: read, judge, compare with a baseline, write cleaned copies."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from body_guard.builtin_rules.catalog import preset
from body_guard.core import accelerator
from body_guard.core.errors import BodyLimitError, BodyRejectedError
from body_guard.core.json_text import is_deeper
from body_guard.core.matcher import Matcher
from body_guard.core.redaction import redact_path
from body_guard.core.report import CLEAN
from body_guard.formats.content_type import detect_media
from body_guard.formats.text_encoding import detect_encoding
from body_guard.policy import Policy, default_policy
from body_guard.recordings.body import DEEPEST, TOO_DEEP, Body, Counted, Unread, UnreadableError
from body_guard.recordings.jsonl import Quick
from body_guard.recordings.reader import read_source
from body_guard.recordings.rewrite import rewrite
from body_guard.recordings.sources import Source, compress, find_sources, open_source
from body_guard.sanitizer import sanitizer_for

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from body_guard.core.report import Report
    from body_guard.core.rule import Rule
    from body_guard.recordings.body import Place
    from body_guard.recordings.sources import Opened

__all__ = ["Found", "Scan", "make_policy"]

#: Opaque by default on the wire, where looking costs time; here there is time.
_LOOK_INTO: Final = ("compressed", "form", "multipart")


@dataclass(frozen=True, slots=True)
class Found:
    """A finding in a file.

    Attributes:
        file: Its name.
        entry: The line, from 1; or the index of the interaction, from 0.
        line: Of the file, from 1; 0 where that is not known.
        method: Of the request.
        host: Where the body went.
        path: As of `Finding`, with names that may be data shortened.
        rule: As of `Finding`, and so are the next three.
        action: What the policy would do.
        type: Of the value.
        owner: Who puts it there.
        fingerprint: The same in every run, and of no other finding of these files.
    """

    file: str
    entry: int
    line: int
    method: str
    host: str
    path: str
    rule: str
    action: str
    type: str
    owner: str
    fingerprint: str


@dataclass(slots=True)
class Scan:
    """A scan, and what it has found so far.

    Args:
        policy: What must not leave.
        known: Fingerprints of findings that are not to be told again.
        fix: The folder of cleaned copies, if they are to be written.
    """

    policy: Policy
    known: Collection[str] = ()
    fix: str | None = None
    files: int = 0
    bodies: int = 0
    size: int = 0
    already_known: int = 0
    omitted: int = 0
    unread: list[Unread] = field(default_factory=list)
    findings: list[Found] = field(default_factory=list)
    not_judged: Counter[str] = field(default_factory=Counter)
    _times: Counter[tuple[str, ...]] = field(default_factory=Counter)
    _copies: set[str] = field(default_factory=set)

    def run(
        self,
        paths: Iterable[str],
        without: Iterable[str],
        tell: Callable[[Source], object],
    ) -> None:
        """Scan files, folders, and ``-``, the standard input.

        Args:
            paths: What to scan.
            without: Files and folders to leave out, where such a folder has them.
            tell: Called with each file before it is read.
        """
        quick = _make_quick(self.policy)
        for source in find_sources(paths, (*without, *([self.fix] if self.fix else []))):
            if isinstance(source, Unread):
                self.unread.append(source)
                continue
            tell(source)
            try:
                with open_source(source) as opened:
                    self._scan(source, opened, quick)
            except UnreadableError as error:
                self.unread.append(Unread(source.name, str(error)))

    def _scan(self, source: Source, opened: Opened, quick: Quick | None) -> None:
        changes: dict[Place, bytes] = {}
        stays: str = ""
        self.files += 1
        for item in read_source(source, opened, quick):
            if isinstance(item, Unread):
                self.unread.append(item)
            elif isinstance(item, Counted):
                self.bodies += item.bodies
                if item.why_not_judged:
                    self.not_judged[item.why_not_judged] += item.bodies
            else:
                clean, report = self._judge(item)
                if clean is None:
                    stays = stays or f"the body of entry {item.entry} may not leave at all"
                elif report.changed and item.place is None:
                    stays = stays or f"the place of entry {item.entry} in it is not known"
                elif report.changed and item.place is not None:
                    changes[item.place] = clean
        self.size += opened.file.seek(0, os.SEEK_END)
        if self.fix is not None:
            stays = stays or self._write_copy(self.fix, source, opened, changes)
            if stays:
                self.unread.append(Unread(source.name, f"has no cleaned copy: {stays}"))

    def _judge(self, body: Body) -> tuple[bytes | None, Report]:
        """Judge a body; return what is left of it, None where that is nothing."""
        self.bodies += 1
        if is_deeper(body.content, DEEPEST):
            self.unread.append(Unread(body.file, f"entry {body.entry}: its body {TOO_DEEP}"))
            return None, CLEAN
        sanitizer = sanitizer_for(self.policy.for_host(body.host))
        clean: bytes | None = None
        try:
            clean, report = sanitizer.sanitize_bytes(
                body.content, body.content_type, body.content_encoding
            )
        except BodyRejectedError as error:
            report = error.report
        except BodyLimitError as error:
            self.unread.append(Unread(body.file, f"entry {body.entry}: {_reason(error.report)}"))
            return None, error.report
        if not report.judged:
            self.not_judged[report.why_not_judged] += 1
        elif not report.findings and _is_broken(body):
            self.unread.append(Unread(body.file, f"entry {body.entry}: its body is no JSON"))
        self.omitted += report.omitted
        for finding in report.findings:
            path = redact_path(finding.path)
            same = (body.file, body.host, path, finding.rule)
            self._times[same] += 1
            # By how many of its kind come before it, not by its entry: an interaction that is
            # recorded before it later makes no new finding of it.
            told = "\0".join((*same, str(self._times[same])))
            fingerprint = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32]
            if fingerprint in self.known:
                self.already_known += 1
                continue
            self.findings.append(
                Found(
                    body.file,
                    body.entry,
                    body.line,
                    body.method,
                    body.host,
                    path,
                    finding.rule,
                    finding.action,
                    finding.type,
                    finding.owner,
                    fingerprint,
                )
            )
        return clean, report

    def _write_copy(
        self, folder: str, source: Source, opened: Opened, changes: dict[Place, bytes]
    ) -> str:
        """Write a cleaned copy of a file, if it is clean; return why not, where it is not."""
        target = Path(folder, source.copy)
        if source.copy in self._copies:
            return "another file has its name"
        self._copies.add(source.copy)
        if target.exists() and source.path != "-" and os.path.samefile(target, source.path):
            return "it would be written over the file itself"
        with ExitStack() as stack:
            copy: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())
            rewrite(opened.file, copy, changes)
            if changes and not _is_cleaned(self.policy, source, replace(opened, file=copy)):
                return "what is left of a body cannot be written in its place"
            copy.seek(0)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                file.write(compress(copy.read(), opened.coding))
        return ""


def _is_cleaned(policy: Policy, source: Source, opened: Opened) -> bool:
    """Scan a copy, and check that nothing is left to take out of it, and that it can be read."""
    again = Scan(policy)
    opened.file.seek(0)
    again._scan(source, replace(opened, trouble=""), None)
    return not any(found.action in ("remove", "replace") for found in again.findings)


def _reason(report: Report) -> str:
    deep = any(finding.rule == "depth" for finding in report.findings)
    return "its body is nested too deeply" if deep else "its body is too large to be judged"


def _is_broken(body: Body) -> bool:
    """Check whether a body is to be JSON and is not, in which a rule finds nothing."""
    if body.content_encoding or (body.place and body.place.form == "raw"):
        return False
    kind = detect_media(body.content, body.content_type).kind
    if kind not in ("json", "sniffed"):
        return False
    encoding = detect_encoding(body.content)
    text = encoding.to_utf8(body.content)
    start = len(encoding.mark) if text is body.content else 0
    return isinstance(accelerator.scan(text, _NO_RULES, start, kind == "sniffed"), int)


_NO_RULES: Final = Matcher(())


def _make_quick(policy: Policy) -> Quick | None:
    """Return a look at many bodies at once; None where a policy asks for more than its rules."""
    asks = policy.hosts or policy.schema is not None or policy.stringified != "off"
    return None if asks or "json-strings" in policy.look_into else Quick(policy.rules)


def make_policy(file: str | None, presets: Iterable[str]) -> Policy:
    """Return the policy of a scan.

    Args:
        file: A policy file; None for the policy of a guard that is given none.
        presets: The names of presets whose rules to add.

    Raises:
        PolicyError: The file is wrong, or there is no such preset.
    """
    policy = default_policy() if file is None else Policy.load(file)
    rules = [rule for name in presets for rule in preset(name)]
    hosts = {host: _widen(own, rules) for host, own in dict(policy.hosts).items()}
    return replace(_widen(policy, rules), hosts=hosts)


def _widen(policy: Policy, rules: Iterable[Rule]) -> Policy:
    known = {rule.name for rule in policy.rules}
    more = tuple({rule.name: rule for rule in rules if rule.name not in known}.values())
    look_into = tuple(dict.fromkeys((*policy.look_into, *_LOOK_INTO)))
    return replace(policy, rules=(*policy.rules, *more), look_into=look_into)
