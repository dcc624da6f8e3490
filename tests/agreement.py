"""The compiled encoder beside the walk and json: what each says of a value."""

from __future__ import annotations

import json
from typing import Any

from body_guard import BodyLimitError, Policy
from body_guard.core.encode import DEEPEST, HTTPX, Style
from body_guard.core.walk import walk
from body_guard.policy import DEFAULT
from body_guard.sanitizer import sanitizer_for

__all__ = ["STYLES", "agrees", "compiled", "plain"]

STYLES = {
    "httpx": HTTPX,
    "json": Style(True, ", ", ": "),
    "compact-ascii": Style(True, ",", ":"),
    "wide": Style(False, " ,\n", "\t:  "),
}


def compiled(value: Any, policy: Policy | None = None, style: Style = HTTPX) -> Any:
    """Encode in the compiled pass: the text and the report, or None."""
    return sanitizer_for(policy or DEFAULT).encode_as(value, style)


def plain(value: Any, policy: Policy | None = None, style: Style = HTTPX) -> Any:
    """Encode what the walk leaves with json: the text and the report, or None where it refuses."""
    policy = policy or DEFAULT
    try:
        walked = walk(
            value,
            sanitizer_for(policy)._matcher,
            unserializable=policy.unserializable,
            convert=policy.convert,
            for_encoder=True,
        )
    except BodyLimitError:
        return None
    rejected = any(finding.action == "reject" for finding in walked.report.findings)
    if rejected or walked.depth > DEEPEST or walked.size > policy.max_bytes:
        return None
    dumps = json.JSONEncoder(
        ensure_ascii=style.ensure_ascii, separators=style[1:], allow_nan=False
    ).encode
    # In a list: the Python half of json asks isinstance of a whole body.
    content = dumps([walked.value])[1:-1].encode()
    return (content, walked.report) if len(content) <= policy.max_bytes else None


def held(value: Any) -> dict[int, list[int]]:
    """Map each container to what it holds, by identity."""
    found: dict[int, list[int]] = {}
    pending = [value]
    while pending:
        item = pending.pop()
        kind = type(item)
        if id(item) in found or not issubclass(kind, (dict, list, tuple)):
            continue
        base = next(base for base in (dict, list, tuple) if issubclass(kind, base))
        values = [*base.__iter__(item), *(dict.values(item) if base is dict else ())]
        found[id(item)] = [id(value) for value in values]
        pending += values
    return found


def agrees(value: Any, policy: Policy | None = None, style: Style = HTTPX) -> bool:
    """Check that both say the same, or the compiled pass nothing; return whether it said something."""
    before = held(value)
    said = compiled(value, policy, style)
    assert held(value) == before
    assert said is None or said == plain(value, policy, style)
    return said is not None
