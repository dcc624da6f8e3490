"""The report of a scan: as text, JSON and SARIF."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import body_guard

if TYPE_CHECKING:
    from body_guard.cli.scanning import Found, Scan

__all__ = ["as_json", "as_sarif", "as_text", "summary"]

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"

#: The members of a finding in JSON, in order.
_MEMBERS: Final = (
    "file",
    "entry",
    "host",
    "path",
    "rule",
    "action",
    "type",
    "owner",
    "fingerprint",
)


def as_text(scan: Scan) -> str:
    """Return a line for each finding and for what was not read, and a summary."""
    lines = [_line(found) for found in scan.findings]
    lines += [f"{each.file}: not read: {each.why}" for each in scan.unread]
    return "\n".join([*lines, summary(scan), ""])


def _line(found: Found) -> str:
    where = f"{found.file}:{found.line}" if found.line else f"{found.file}[{found.entry}]"
    request = " ".join(filter(None, (found.method, found.host)))
    what = ", ".join(filter(None, (f"rule {found.rule}", found.action, found.type, found.owner)))
    return f"{where}: {request + ' ' if request else ''}{found.path or 'the whole body'} ({what})"


def summary(scan: Scan) -> str:
    """Return in one line, or a few, what a scan came to."""
    read = f"{_count(scan.bodies, 'body', 'bodies')} in {_count(scan.files, 'file')}"
    lines = [f"{_count(len(scan.findings), 'finding')} in {read}, {scan.size:,} bytes"]
    if scan.omitted:
        lines.append(f"{scan.omitted:,} more findings in bodies that have over 1,000")
    if scan.already_known:
        lines.append(f"{_count(scan.already_known, 'finding')} that the baseline knows")
    for why, count in scan.not_judged.most_common():
        lines.append(f"{_count(count, 'body', 'bodies')} not judged: {why}")
    if not scan.bodies:
        lines.append("nothing was read: no request body was found")
    return "\n".join(lines)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def as_json(scan: Scan) -> str:
    """Return the report as JSON, version 1."""
    findings = [{name: getattr(found, name) for name in _MEMBERS} for found in scan.findings]
    return _dumps(
        {
            "version": 1,
            "files": scan.files,
            "bodies": scan.bodies,
            "bytes": scan.size,
            "not_judged": scan.not_judged.total(),
            "unread": [asdict(each) for each in scan.unread],
            "findings": findings,
        }
    )


def as_sarif(scan: Scan) -> str:
    """Return the report as SARIF 2.1.0 (OASIS), with each rule once."""
    rules: dict[str, Found] = {}
    for found in scan.findings:
        rules.setdefault(found.rule, found)
    order = list(rules)
    driver = {
        "name": "body-guard",
        "version": body_guard.__version__,
        "rules": [
            {
                "id": rule,
                "shortDescription": {"text": f"Rule {rule} of the policy matches in a body."},
                "properties": {"owner": found.owner},
            }
            for rule, found in rules.items()
        ],
    }
    problems = [
        {
            "level": "error",
            "message": {"text": f"Not read: {each.why}"},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(each.file)}}}],
        }
        for each in scan.unread
    ]
    invocation = {
        "executionSuccessful": bool(scan.bodies) and not problems,
        "toolExecutionNotifications": problems,
    }
    results = [_result(found, order.index(found.rule)) for found in scan.findings]
    run = {"tool": {"driver": driver}, "invocations": [invocation], "results": results}
    return _dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})


def _result(found: Found, rule: int) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(found.file)}}
    if found.line:
        place["region"] = {"startLine": found.line}
    path = found.path or "the whole body"
    to = f" for {found.host}" if found.host else ""
    return {
        "ruleId": found.rule,
        "ruleIndex": rule,
        "level": "note" if found.action == "report" else "error",
        "message": {"text": f"{path} in a body{to} (rule {found.rule}, {found.action})"},
        "locations": [
            {
                "physicalLocation": place,
                "logicalLocations": [{"fullyQualifiedName": found.path, "kind": "member"}],
            }
        ],
        "partialFingerprints": {"bodyGuard/v1": found.fingerprint},
    }


def _uri(file: str) -> str:
    """Return the URI of a file: relative to the working directory, where it is below that."""
    if file == "-":
        return "stdin"
    return ("file://" if file.startswith("/") else "") + quote(file)


def _dumps(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"
