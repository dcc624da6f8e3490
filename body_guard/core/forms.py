"""Forms: the forbidden pairs of urlencoded ones, and the JSON parts of multipart ones.

Pieces are cut out of the bytes as they are; nothing is parsed and written again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from body_guard.core.media import media_of, parameter
from body_guard.core.report import CLEAN, Listing, Report, pointer, segment
from body_guard.core.splice import Spliced

if TYPE_CHECKING:
    from collections.abc import Callable

    from body_guard.core.rules import Matcher, Rule

__all__ = ["sanitize_form", "sanitize_multipart"]

_brackets: Final = re.compile(r"[^\[\]]+").findall
_DISPOSITION: Final = re.compile(rb"content-disposition[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_TYPE: Final = re.compile(rb"content-type[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_LENGTH: Final = re.compile(rb"(content-length[ \t]*:[ \t]*)[0-9]+", re.IGNORECASE)


def sanitize_form(content: bytes, matcher: Matcher) -> Spliced:
    """Cut pairs with a forbidden key out of an ``application/x-www-form-urlencoded`` body.

    Args:
        content: The body. In ``a[b]=1``, both ``a`` and ``b`` are keys.
        matcher: The rules.

    Returns:
        What is left of the body, less each such pair and one ``&``.
    """
    from urllib.parse import unquote_plus  # slow to import, and few policies look into forms

    found = _Found()
    kept = []
    for pair in content.split(b"&"):
        key = unquote_plus(pair.partition(b"=")[0].decode("latin-1"), errors="replace")
        rule, tokens = _judged(_brackets(key), matcher)
        if rule is None:
            kept.append(pair)
        else:
            found.add(tokens, rule)
    if not found.places:
        return Spliced(content, CLEAN, False)
    return Spliced(b"&".join(kept), found.report(), found.rejected)


def sanitize_multipart(
    content: bytes,
    content_type: str,
    matcher: Matcher,
    sanitize: Callable[[bytes, str], tuple[bytes, Report]],
) -> Spliced | None:
    """Cut what may not leave out of a multipart body.

    Args:
        content: The body.
        content_type: The value of its Content-Type header.
        matcher: The rules, for the names of parts.
        sanitize: What to do with the body of a part that is JSON, and its Content-Type.

    Returns:
        What is left of the body, less each part with a forbidden name, the JSON parts sanitized.
        None when it has no boundary, or none that occurs.
    """
    boundary = parameter(content_type, "boundary")
    if not boundary:
        return None
    delimiter = b"--" + boundary.encode("latin-1", "replace")
    # RFC 2046, section 5.1.1: a delimiter stands at the beginning of a line.
    pieces = re.split(rb"(?:\A|(?<=\r\n))" + re.escape(delimiter) + rb"(?=[ \t]*\r\n|--)", content)
    if len(pieces) < 2:
        return None
    found = _Found()
    kept = [pieces[0]]
    report = CLEAN
    for index, piece in enumerate(pieces[1:]):
        head, blank, body = piece.partition(b"\r\n\r\n")
        name = _name(head, index)
        rule = matcher.key(name)
        if rule is not None:
            found.add([segment(name)], rule)
            continue
        media_type = _field(_TYPE, head)
        if blank and media_type and media_of(b"", media_type).kind in ("json", "records"):
            inner, ending = body.removesuffix(b"\r\n"), b"\r\n" if body.endswith(b"\r\n") else b""
            clean, told = sanitize(inner, media_type)
            if told.changed:
                head = _LENGTH.sub(rb"\g<1>%d" % len(clean), head)
                piece = head + blank + clean + ending
            report += told.below(pointer([segment(name)]))
        kept.append(piece)
    if found.places:
        report += found.report()
    body = delimiter.join(kept) if report.changed else content
    return Spliced(body, report, found.rejected)


def _judged(keys: list[str], matcher: Matcher) -> tuple[Rule | None, list[str]]:
    for depth, key in enumerate(keys, 1):
        rule = matcher.key(key)
        if rule is not None:
            return rule, [segment(key) for key in keys[:depth]]
    return None, []


def _field(pattern: re.Pattern[bytes], head: bytes) -> str:
    found: Any = pattern.search(head)
    return "" if found is None else found[1].decode("utf-8", "replace")


def _name(head: bytes, index: int) -> str:
    return parameter(_field(_DISPOSITION, head), "name") or str(index)


class _Found:
    """The forbidden pairs or parts of one body."""

    def __init__(self) -> None:
        self.places = 0
        self.rejected = False
        self._listing = Listing()

    def add(self, tokens: list[str], rule: Rule) -> None:
        self.places += 1
        self.rejected |= rule.action == "reject"
        if not self._listing.full:
            self._listing.add(tokens, rule.name, rule.action, "", rule.owner)

    def report(self) -> Report:
        findings = tuple(self._listing.findings)
        return Report(findings, self.places > 0, omitted=self.places - len(findings))
