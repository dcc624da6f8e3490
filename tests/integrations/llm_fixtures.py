"""Fixtures of the litellm tests: a provider, an event loop, and the guard, put in and taken out."""

from __future__ import annotations

import asyncio
import gc
import importlib
from collections.abc import Iterator
from typing import Any

import litellm
import pytest

from body_guard.integrations import litellm as integration

from llm_provider import LLMProvider, llm_provider

__all__ = ["LITELLM_WARNINGS", "installed", "loop", "provider", "provider_server", "quiet"]

#: litellm's own, and its dependencies': what they deprecate, clients left to the garbage collector,
#: log records never awaited, answers shorter than their pydantic models. An error in a warning's
#: place would change what litellm does.
LITELLM_WARNINGS = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def provider_server() -> Iterator[LLMProvider]:
    with llm_provider() as server:
        yield server


@pytest.fixture
def provider(provider_server: LLMProvider) -> Iterator[LLMProvider]:
    """Return a provider that has received nothing yet."""
    provider_server.clear()
    yield provider_server
    provider_server.clear()


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Return one event loop, since litellm keeps async clients from call to call."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.run_until_complete(litellm.close_litellm_async_clients())
    # It is left out of that, or goes on with the session that was closed.
    handler = getattr(importlib.import_module("litellm.main"), "base_llm_aiohttp_handler", None)
    session = getattr(handler, "client_session", None)
    if handler is not None and session is not None:
        loop.run_until_complete(session.close())
        handler.client_session = None
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    litellm.in_memory_llm_clients_cache.flush_cache()
    gc.collect()


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ask no one for a token, send nobody's environment, and leave litellm as it was found."""
    from litellm.llms.vertex_ai.vertex_llm_base import VertexBase

    async def token(*_: Any, **__: Any) -> tuple[str, str]:
        return "token", "p"

    monkeypatch.setattr(VertexBase, "_ensure_access_token", lambda *_, **__: ("token", "p"))
    monkeypatch.setattr(VertexBase, "_ensure_access_token_async", token)
    monkeypatch.setattr(litellm, "suppress_debug_info", True)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    yield
    integration.uninstall()


@pytest.fixture
def installed() -> Any:
    """Install the guard; `quiet` takes it out."""
    integration.install()
    return integration
