"""Paths and findings as logs, metrics and messages may show them.

A key can be data (an address, a name). A token of a path that is long, or no identifier, becomes
its length and a short hash: the same place is recognised, its text is not shown.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from body_guard.core.pointer import join_pointer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from body_guard.core.report import Finding

__all__ = ["MOST_TOKENS", "abridge", "format_findings", "redact_path", "redact_token"]

_NAME: Final = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_.-]*|[0-9]{1,9}|<[A-Za-z_][A-Za-z0-9_.]*>)\Z")
_LONGEST_NAME: Final = 64
#: Tokens of a shortened path.
MOST_TOKENS: Final = 32


def redact_path(path: str) -> str:
    """Return a path as logs, metrics and messages may show it.

    Args:
        path: A `Finding.path`.

    Returns:
        The same path with at most 32 tokens, none over 64 characters.
    """
    tokens = path.split("/")[1:]
    return abridge([redact_token(token) for token in tokens[:MOST_TOKENS]], len(tokens))


def abridge(tokens: Sequence[str], levels: int) -> str:
    """Join redacted tokens, the first of as many as there are levels, to a path."""
    text = join_pointer(tokens)
    return text if levels <= MOST_TOKENS else f"{text}/...{levels} levels"


def redact_token(token: str) -> str:
    """Return a token of a path as logs may show it."""
    if len(token) <= _LONGEST_NAME and _NAME.match(token):
        return token
    import hashlib  # it loads OpenSSL, which is a third of the time that importing us takes

    digest = hashlib.sha256(token.encode()).hexdigest()[:8]
    return f"<{len(token)} characters, {digest}>"


def format_findings(findings: Iterable[Finding], most: int = 3) -> str:
    """Return findings as half a sentence for an error message: places and rules, no value."""
    listed = list(findings)
    texts = []
    for found in listed[:most]:
        kind = f", {found.type}" if found.type else ""
        texts.append(f"{redact_path(found.path) or 'the whole body'} (rule {found.rule}{kind})")
    if len(listed) > most:
        texts.append(f"{len(listed) - most} more")
    return ", ".join(texts)
