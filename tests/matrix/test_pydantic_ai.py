"""The same defect in Sentry's Pydantic AI integration, in the dict of ``run(metadata=)``.

Runs in the cells that ``cells.py`` makes, each with its own releases.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest

if os.environ.get("BODY_GUARD_MATRIX") != "1":
    pytest.skip("runs in the cells of tests/matrix/cells.py", allow_module_level=True)

import sentry_sdk
from pydantic_ai import Agent
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel
from sentry_sdk.integrations.pydantic_ai import PydanticAIIntegration

from body_guard.integrations import sentry as off_band

from envelopes import Envelopes, capturing

UNFIXED = version("sentry-sdk") in ("2.58.0", "2.63.0", "2.68.0")


@pytest.fixture
def envelopes() -> Iterator[Envelopes]:
    with capturing(PydanticAIIntegration()) as kept:
        yield kept


@pytest.fixture(params=["nothing", "off-band"])
def layer(request: pytest.FixtureRequest, envelopes: Envelopes) -> Iterator[str]:
    if request.param == "off-band":
        off_band.install()
    yield request.param
    off_band.uninstall()
    assert off_band.status() == ("unfixed" if UNFIXED else "fixed")


class Asked:
    """An agent whose model keeps what the caller's dict held while it was asked."""

    def __init__(self, **options: Any) -> None:
        self.metadata: dict[str, Any] = {"user_id": "u1"}
        self.seen: list[list[str]] = []
        self.failing = False
        self.agent = Agent(FunctionModel(self._answer, stream_function=self._parts), **options)

    async def _answer(self, messages: Any, info: Any) -> ModelResponse:
        self.seen.append([*self.metadata])
        await asyncio.sleep(0.01)
        if self.failing:
            raise RuntimeError("it is broken")
        return ModelResponse(parts=[TextPart("Hello.")])

    async def _parts(self, messages: Any, info: Any) -> Any:
        self.seen.append([*self.metadata])
        yield "Hel"
        yield "lo."

    async def run(self) -> Any:
        return await self.agent.run("hi", metadata=self.metadata)

    async def stream(self) -> Any:
        async with self.agent.run_stream("hi", metadata=self.metadata) as result:
            return await result.get_output()


def in_transaction(work: Any) -> Any:
    async def run() -> Any:
        with sentry_sdk.start_transaction(name="t"):
            return await work()

    result = asyncio.run(run())
    sentry_sdk.flush()
    return result


def held(layer: str) -> list[str]:
    return ["user_id", "_sentry_span"] if UNFIXED and layer == "nothing" else ["user_id"]


@pytest.mark.parametrize("how", ["run", "stream"])
def test_a_run(envelopes: Envelopes, layer: str, how: str) -> None:
    """During the request the caller's dict holds no span, and the span is finished with its usage."""
    asked = Asked()
    in_transaction(getattr(asked, how))
    assert asked.seen == [held(layer)]
    assert asked.metadata == {"user_id": "u1"}
    (span,) = envelopes.spans()
    assert span["gen_ai.usage.output_tokens"] >= 1


def test_an_agent_made_before_install(envelopes: Envelopes) -> None:
    """The hooks are Sentry's, and are asked at each request."""
    asked = Asked()
    off_band.install()
    try:
        in_transaction(asked.run)
    finally:
        off_band.uninstall()
    assert asked.seen == [["user_id"]]
    assert len(envelopes.spans()) == 1


def test_an_agents_own_metadata(layer: str) -> None:
    """No placeholder stays in the result's metadata."""
    asked = Asked(metadata={"a": 1})
    result = in_transaction(lambda: asked.agent.run("hi"))
    left = {"_sentry_span": None} if UNFIXED and layer == "nothing" else {}
    assert result.metadata == {"a": 1, **left}


def test_a_failure(envelopes: Envelopes, layer: str) -> None:
    """The error is the caller's own, and the span is finished."""
    asked = Asked()
    asked.failing = True
    with pytest.raises(RuntimeError, match="it is broken"):
        in_transaction(asked.run)
    assert asked.metadata == {"user_id": "u1"}
    assert len(envelopes.spans()) == 1


def test_five_at_once_with_one_metadata(envelopes: Envelopes, layer: str) -> None:
    """Each of five concurrent runs that share a dict finishes its own span."""
    asked = Asked()

    async def five() -> None:
        await asyncio.gather(*[asked.run() for _ in range(5)])

    in_transaction(five)
    assert asked.seen == 5 * [held(layer)]
    assert len(envelopes.spans()) == (1 if UNFIXED and layer == "nothing" else 5)


def test_installed_before_init() -> None:
    """Before and after sentry_sdk.init are the same; init runs once per process, so by hand here."""
    from sentry_sdk.integrations import pydantic_ai

    original = pydantic_ai.register_hooks
    init = Agent.__init__
    flag = "using_request_hooks"
    was = getattr(PydanticAIIntegration, flag, None)
    try:
        off_band.install()
        from pydantic_ai.capabilities import Hooks

        hooks: Any = Hooks()
        pydantic_ai.register_hooks(hooks)
        assert list(hooks._registry) == ["wrap_model_request"]
        assert off_band.status() == ("patched" if UNFIXED else "fixed")
        off_band.uninstall()
        if UNFIXED:
            assert list(hooks._registry) == [
                "before_model_request",
                "after_model_request",
                "on_model_request_error",
            ]
        assert pydantic_ai.register_hooks is original
        assert getattr(PydanticAIIntegration, flag, None) is was
    finally:
        off_band.uninstall()
        Agent.__init__ = init  # type: ignore[method-assign]
