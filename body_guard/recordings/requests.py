"""Requests as a recording describes them: a URL, headers, a body."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

__all__ = ["header", "host_of"]


def host_of(url: object) -> str:
    """Return the host of a URL, without its port; ``""`` where there is none."""
    try:
        return urlsplit(url).hostname or "" if isinstance(url, str) else ""
    except ValueError:  # a bracket that is not closed
        return ""


def header(headers: Any, name: str) -> str | None:
    """Return the value of a header.

    Args:
        headers: As HAR has them, ``[{"name": ..., "value": ...}]``, or as VCR does,
            ``{name: value}`` or ``{name: [value]}``.
        name: In lower case.

    Returns:
        The first of several; None where there is none.
    """
    if isinstance(headers, list):
        pairs = [
            (item.get("name"), item.get("value")) for item in headers if isinstance(item, dict)
        ]
    else:
        pairs = list(headers.items()) if isinstance(headers, dict) else []
    for key, value in pairs:
        if isinstance(key, str) and key.lower() == name:
            first = value[:1] if isinstance(value, list) else [value]
            return next((each for each in first if isinstance(each, str)), None)
    return None
