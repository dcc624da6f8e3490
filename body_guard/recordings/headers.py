"""Headers as recordings write them."""

from __future__ import annotations

from typing import Any

__all__ = ["header"]


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
