"""Bodies as a recording shows them: their keys and the kinds of their values, or all of them."""

from __future__ import annotations

import json
from typing import Any, Final

from body_guard.core.pointer import escape_token
from body_guard.core.redaction import redact_token
from body_guard.formats.json_values import Members, parse_json
from body_guard.formats.text_encoding import detect_encoding

__all__ = ["format_body"]

_INT: Final = object()
_FLOAT: Final = object()

#: Kinds of values, by what `parse_json` makes of them.
_KINDS: Final = {_INT: "int", _FLOAT: "float", True: "bool", False: "bool", None: None}

_NEWLINES: Final = bytes.maketrans(b"\r\n", b"  ")


def format_body(content: bytes, *, values: bool) -> str | None:
    """Return a body as JSON text on one line.

    Args:
        content: The body.
        values: Whether to show values, and every key; otherwise a value is replaced by its kind,
            and a key that is data, as `redact_token` has it, by its length and a hash.

    Returns:
        JSON lines, and what is no JSON, as a string. None where it is nested too deeply.
    """
    __tracebackhide__ = True
    encoding = detect_encoding(content)
    text = encoding.to_utf8(content).removeprefix(b"\xef\xbb\xbf")
    try:
        masked = _mask_json(text)
        if masked is None:
            return _format_text(text, values=values)
    except RecursionError:
        return None
    if values:
        return text.translate(_NEWLINES).decode("utf-8", "surrogatepass")  # only white space
    return masked


def _mask_json(text: bytes) -> str | None:
    """Return JSON text with its values masked; None where it is no JSON."""
    __tracebackhide__ = True
    try:
        text.decode("utf-8", "surrogatepass")
        return json.dumps(_mask(parse_json(text, _INT, _FLOAT)))
    except ValueError:
        return None


def _mask(value: Any) -> object:
    __tracebackhide__ = True
    kind = type(value)
    if kind is str:
        return f"str({len(value)})"
    if kind is Members:
        return {_redact_key(key): _mask(item) for key, item in value.pairs}
    if kind is list:
        return [_mask(item) for item in value]
    return _KINDS.get(value, "float")  # NaN and the infinities


def _redact_key(key: str) -> str:
    token = escape_token(key)
    redacted = redact_token(token)
    return key if redacted is token else redacted


def _format_text(text: bytes, *, values: bool) -> str:
    __tracebackhide__ = True
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        return json.dumps(f"bytes({len(text)})")
    if values:
        return json.dumps(decoded)
    lines = [_mask_json(line) for line in text.replace(b"\x1e", b"").split(b"\n") if line.strip()]
    records = [line for line in lines if line is not None]
    whole = len(records) == len(lines)
    return json.dumps("\n".join(records) if whole else f"str({len(decoded)})")
