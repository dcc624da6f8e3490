"""What is tested: a function that sends what its caller gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx


def ask(client: httpx.Client, question: str, metadata: dict[str, Any]) -> httpx.Response:
    """Send a question to a model."""
    messages = [{"role": "user", "content": question}]
    body = {"model": "m", "messages": messages, "metadata": metadata}
    return client.post("https://api.example.com/v1/chat", json=body)
