"""Seeded request bodies, of the shapes that LLM users send."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random

__all__ = ["chat", "dirtied", "tools", "vision"]

_WORDS = (
    *("the", "model", "answers", "what", "a", "user", "asked", "about", "their", "invoice,"),
    *("caf\u00e9", "\u2014", "\u201cplease\u201d", "check", '"total"', "and", "tell\nwhy"),
    *("it", "differs;", "na\u00efve", "r\u00e9sum\u00e9", "\u4f60\u597d"),
)


def _text(length: int, pick: random.Random) -> str:
    words: list[str] = []
    while length > 0:
        words.append(pick.choice(_WORDS))
        length -= len(words[-1]) + 1
    return " ".join(words)


def chat(size: int, pick: random.Random) -> dict[str, Any]:
    """Give a chat completion request: about one message a kilobyte, not all ASCII."""
    count = max(2, size // 1000)
    messages = [
        {"role": pick.choice(("user", "assistant")), "content": _text(size // count - 40, pick)}
        for _ in range(count)
    ]
    return {"model": "m-1", "messages": messages, "temperature": 0.7, "metadata": {"user_id": "u1"}}


def tools(size: int, pick: random.Random) -> dict[str, Any]:
    """Give a request of many small dicts: tools with their JSON Schemas, ASCII."""
    found: list[dict[str, Any]] = []
    for number in range(max(1, size // 1040)):
        properties = {
            f"field_{index}": {"type": pick.choice(("string", "integer")), "description": "x" * 20}
            for index in range(14)
        }
        schema = {"type": "object", "properties": properties, "required": list(properties)[:2]}
        found.append({"type": "function", "function": {"name": f"f{number}", "parameters": schema}})
    return {"model": "m-1", "messages": [{"role": "user", "content": "hi"}], "tools": found}


def vision(size: int, pick: random.Random) -> dict[str, Any]:
    """Give a request with one image in base64, ASCII."""
    image = base64.b64encode(pick.randbytes(size * 3 // 4)).decode()
    content = [
        {"type": "text", "text": "what is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}},
    ]
    return {"model": "m-1", "messages": [{"role": "user", "content": content}]}


def dirtied(body: dict[str, Any], hits: int, pick: random.Random) -> dict[str, Any]:
    """Put forbidden members into dicts of a body, chosen by chance; the body itself is changed."""
    found: list[dict[str, Any]] = []
    pending: list[Any] = [body]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            found.append(value)
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
    for number in range(hits):
        pick.choice(found)[f"_sentry_{number}"] = {"op": "gen_ai.chat", "trace_id": "0" * 32}
    return body
