"""Forms: forbidden pairs are cut out of urlencoded bodies, and parts out of multipart bodies.

The bytes are cut; nothing is parsed and written again. To a rule with a scope the form is an
object whose members are its pairs or parts.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any, Final

from body_guard.core.encode import encode_scalar
from body_guard.core.listing import Listing
from body_guard.core.matcher import first_rule
from body_guard.core.pointer import escape_token
from body_guard.core.report import Report, not_judged
from body_guard.formats.compression import split_codings
from body_guard.formats.content_type import is_text, parameter

if TYPE_CHECKING:
    from collections.abc import Callable

    from body_guard.core.matcher import Matcher
    from body_guard.core.rule import Rule

__all__ = ["sanitize_form", "sanitize_multipart"]

_brackets: Final = re.compile(r"[^\[\]]+").findall
_LINE: Final = re.IGNORECASE | re.MULTILINE
_DISPOSITION: Final = re.compile(rb"^content-disposition[ \t]*:[ \t]*([^\r\n]*)", _LINE)
_TYPE: Final = re.compile(rb"^content-type[ \t]*:[ \t]*([^\r\n]*)", _LINE)
_CODING: Final = re.compile(rb"^content-encoding[ \t]*:[ \t]*([^\r\n]*)", _LINE)
_TRANSFER: Final = re.compile(rb"^content-transfer-encoding[ \t]*:[ \t]*([^\r\n]*)", _LINE)
#: RFC 822, section 3.1.1: a line that begins with a space continues the line before it.
_FOLD: Final = re.compile(rb"\r\n(?=[ \t])")
_LENGTH: Final = re.compile(rb"^(content-length[ \t]*:[ \t]*)[0-9]+", _LINE)


def sanitize_form(content: bytes, matcher: Matcher) -> tuple[bytes, Report]:
    """Cut pairs with a forbidden key out of an ``application/x-www-form-urlencoded`` body.

    Args:
        content: The body. In ``a[b]=1``, both ``a`` and ``b`` are keys.
        matcher: The rules.

    Returns:
        What is left of the body, less each such pair and one ``&``.
    """
    __tracebackhide__ = True
    from urllib.parse import quote_plus, unquote_plus  # slow to import, seldom used

    found = _Found()
    kept = []
    for pair in content.split(b"&"):
        raw, _, value = pair.partition(b"=")
        keys = _brackets(unquote_plus(raw.decode("latin-1"), errors="replace"))
        rule, depth = _find_rule(keys, matcher, found)
        if rule is None:
            kept.append(pair)
        elif rule.action == "replace":
            text = unquote_plus(value.decode("latin-1"), errors="replace")
            put = found.replacement(keys, depth, rule, text)
            if put != text:
                if depth < len(keys):
                    raw = quote_plus(
                        keys[0] + "".join(f"[{key}]" for key in keys[1:depth])
                    ).encode()
                pair = raw + b"=" + quote_plus(put).encode()
            kept.append(pair)
        else:
            found.add(keys, depth, rule)
    report = found.report()
    return b"&".join(kept) if report.changed else content, report


def sanitize_multipart(
    content: bytes,
    content_type: str,
    matcher: Matcher,
    sanitize: Callable[[bytes, str, str], tuple[bytes, Report]],
) -> tuple[bytes, Report] | None:
    """Cut what may not leave out of a multipart body.

    Args:
        content: The body.
        content_type: The value of its Content-Type header.
        matcher: The rules, for the names of parts.
        sanitize: Sanitizes the body of a part, given its Content-Type and its codings. A part of
            plain text is a value, and stays.

    Returns:
        What is left of the body, less each part with a forbidden name, the other parts sanitized.
        None when it has no boundary, or none that occurs.
    """
    __tracebackhide__ = True
    boundary = parameter(content_type, "boundary")
    if not boundary:
        return None
    delimiter = b"--" + boundary.encode("latin-1", "replace")
    # RFC 2046, section 5.1.1: a delimiter begins a line.
    pieces = re.split(rb"(?:\A|(?<=\r\n))" + re.escape(delimiter) + rb"(?=[ \t]*\r\n|--)", content)
    if len(pieces) < 2:
        return None
    found = _Found()
    kept = [pieces[0]]
    for index, piece in enumerate(pieces[1:]):
        head, blank, body = piece.partition(b"\r\n\r\n")
        if piece.startswith(b"--"):  # the last delimiter, and the epilogue
            kept.append(piece)
            continue
        fields = _FOLD.sub(b"", head)
        name = _name(fields, index)
        rule, _ = _find_rule([name], matcher, found)
        if rule is not None:
            if rule.action == "replace":
                ending = b"\r\n" if body.endswith(b"\r\n") else b""
                text = body.removesuffix(b"\r\n").decode("utf-8", "replace")
                put = found.replacement([name], 1, rule, text).encode()
                head = _LENGTH.sub(rb"\g<1>%d" % len(put), head)
                kept.append(head + b"\r\n\r\n" + put + ending)
            else:
                found.add([name], 1, rule)
            continue
        media_type, codings = _field(_TYPE, fields), _codings(fields)
        if blank and (codings or not is_text(media_type)):
            inner, ending = body.removesuffix(b"\r\n"), b"\r\n" if body.endswith(b"\r\n") else b""
            clean, told = sanitize(inner, media_type, codings)
            if told.changed:
                head = _LENGTH.sub(rb"\g<1>%d" % len(clean), head)
                piece = head + blank + clean + ending
            found.adopt(escape_token(name), told)
        kept.append(piece)
    report = found.report()
    return delimiter.join(kept) if report.changed else content, report


def _find_rule(keys: list[str], matcher: Matcher, found: _Found) -> tuple[Rule | None, int]:
    """Return the first rule that changes the member at a path of keys, and at what depth."""
    globs = matcher.globs
    states = globs.around, globs.start

    def locate() -> tuple[int, int]:
        return states

    for depth, key in enumerate(keys, 1):
        states = states[1], globs.step(states[1], key)
        rule = first_rule(matcher.rules_for_name(key), locate)
        if rule is not None:
            if rule.action != "report":
                return rule, depth
            found.add(keys, depth, rule)
    return None, 0


def _field(pattern: re.Pattern[bytes], head: bytes) -> str:
    found: Any = pattern.search(head)
    return "" if found is None else found[1].decode("utf-8", "replace")


def _codings(head: bytes) -> str:
    """Return the codings of the body of a part; a transfer encoding is one of them."""
    both = f"{_field(_CODING, head)},{_field(_TRANSFER, head)}"
    return ",".join(split_codings(both))


def _name(head: bytes, index: int) -> str:
    return parameter(_field(_DISPOSITION, head), "name") or str(index)


class _Found:
    """The forbidden pairs or parts of one body."""

    def __init__(self) -> None:
        self._places = 0
        self._changed = False
        self._why_not_judged = ""
        self._listing = Listing()

    def add(self, keys: list[str], depth: int, rule: Rule) -> None:
        self._places += 1
        self._changed |= rule.action != "report"
        if self._listing.takes(rule.action):
            tokens = [escape_token(key) for key in keys[: self._listing.wants(depth)][:depth]]
            self._listing.add(tokens, rule.name, rule.action, "", rule.owner, levels=depth)

    def adopt(self, token: str, report: Report) -> None:
        """Add what was found in a part, below its name."""
        self._places += len(report.findings) + report.omitted
        self._changed |= report.changed
        self._why_not_judged = self._why_not_judged or report.why_not_judged
        for finding in report.findings:
            if self._listing.full:
                break
            _, rule, action, kind, owner, hint = dataclasses.astuple(finding)
            tokens = [token, *finding.path.split("/")[1:]]
            self._listing.add(tokens, rule, action, kind, owner, hint)

    def replacement(self, keys: list[str], depth: int, rule: Rule, text: str) -> str:
        """Return the text that replaces another one."""
        given = rule.replacement
        put = given if isinstance(given, str) else (encode_scalar(given) or b"").decode()
        if put != text:
            self.add(keys, depth, rule)
        return put

    def report(self) -> Report:
        report = self._listing.report(self._places, self._changed)
        return report + not_judged(self._why_not_judged) if self._why_not_judged else report
