"""sentry-python#6596 on the releases that have it: real litellm, real sentry_sdk, a real socket.

Runs in the cells that ``cells.py`` makes, each with its own releases.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

if os.environ.get("BODY_GUARD_MATRIX") != "1":
    pytest.skip("runs in the cells of tests/matrix/cells.py", allow_module_level=True)

import litellm
import sentry_sdk
from provider import Provider, provider
from sentry_sdk.integrations.litellm import LiteLLMIntegration

from body_guard.integrations import sentry as off_band

from envelopes import Envelopes, capturing, finished, run

UNFIXED = version("sentry-sdk") == "2.63.0"
#: Up to litellm 1.83.0 the body is dumped once more after Sentry wrote its span into it.
CRASHES = UNFIXED and version("litellm") in ("1.77.7", "1.81.16")

MODEL = "anthropic/claude-3-5-sonnet-20241022"
MESSAGES: Any = [{"role": "user", "content": "hi"}]
LAYERS = ("nothing", "off-band", "guard", "both")


@pytest.fixture
def loopback() -> Iterator[Provider]:
    with provider() as server:
        yield server


@pytest.fixture
def envelopes() -> Iterator[Envelopes]:
    with capturing(LiteLLMIntegration()) as kept:
        yield kept


@pytest.fixture(autouse=True)
def layer(request: pytest.FixtureRequest) -> Iterator[str]:
    """Put the layers of a test in place, after sentry_sdk.init where the test has one."""
    name: str = getattr(request, "param", "nothing")
    with ExitStack() as undo:
        if name in ("off-band", "both"):
            undo.callback(off_band.uninstall)
            off_band.install()
        if name in ("guard", "both"):
            import body_guard.integrations.litellm

            undo.callback(body_guard.integrations.litellm.uninstall)
            body_guard.integrations.litellm.install()
        yield name


def layers(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("layer", names, indirect=True)


async def message(loopback: Provider, metadata: Any, stream: bool, router: bool) -> None:
    """Make one Anthropic Messages call, and read its answer to the end."""
    body: Any = {"messages": MESSAGES, "max_tokens": 9, "metadata": metadata, "stream": stream}
    where = {"model": MODEL, "api_key": "k", "api_base": loopback.url}
    if router:
        deployment = {"model_name": "m", "litellm_params": where}
        routed = litellm.Router(model_list=[deployment], num_retries=0)
        answer = await routed.aanthropic_messages(model="m", **body)
    else:
        answer = await litellm.anthropic.messages.acreate(**where, **body)
    if stream:
        received = b"".join([part async for part in answer])
        assert b'"text": "Hello."' in received
    else:
        assert answer["content"] == [{"type": "text", "text": "Hello."}]


async def completion(loopback: Provider, metadata: Any) -> None:
    await litellm.acompletion(
        model=MODEL, api_key="k", api_base=loopback.url, messages=MESSAGES, metadata=metadata
    )


def of_sentry(metadata: dict[str, Any]) -> list[str]:
    return [key for key in metadata if "sentry" in key]


def test_status(layer: str) -> None:
    """What status() says of this release, before and after."""
    assert off_band.status() == ("unfixed" if UNFIXED else "fixed")
    off_band.install()
    try:
        assert off_band.status() == ("patched" if UNFIXED else "fixed")
    finally:
        off_band.uninstall()
    assert off_band.status() == ("unfixed" if UNFIXED else "fixed")


@pytest.mark.parametrize("router", [False, True], ids=["direct", "router"])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@layers(*LAYERS)
def test_two_messages_with_one_metadata(
    loopback: Provider, envelopes: Envelopes, layer: str, stream: bool, router: bool
) -> None:
    """Without a layer the old releases crash; with any layer all is as it should be."""
    metadata = {"user_id": "u1"}

    async def call() -> None:
        with sentry_sdk.start_transaction(name="t") as transaction:
            await message(loopback, metadata, stream, router)
            await finished(transaction, 1)

    if CRASHES and layer == "nothing":
        for _ in range(2):
            with pytest.raises(Exception, match="Object of type Span is not JSON serializable"):
                run(call())
        assert loopback.bodies == []
        return
    for _ in range(2):
        run(call())
        (span,) = envelopes.spans()
        assert span["gen_ai.request.model"] == "claude-3-5-sonnet-20241022"
        assert span["gen_ai.response.model"] == "claude-3-5-sonnet-20241022"
        assert "Hello." in span["gen_ai.response.text"]
        assert span["gen_ai.usage.input_tokens"] == 3
        assert span["gen_ai.usage.output_tokens"] == 2
        assert span["gen_ai.usage.total_tokens"] == 5
    assert [json.loads(body) for body in loopback.bodies] == 2 * [
        {
            "model": "claude-3-5-sonnet-20241022",
            "messages": [{"role": "user", "content": "hi"}],
            "max_tokens": 9,
            "metadata": {"user_id": "u1"},
            "stream": stream,
        }
    ]
    assert b"_sentry_" not in b"".join(loopback.bodies)
    assert metadata == {"user_id": "u1"}


@pytest.mark.parametrize("call", ["completion", "messages"])
@layers(*LAYERS)
def test_a_failure_leaves_no_span_with_the_caller(
    loopback: Provider, envelopes: Envelopes, layer: str, call: str
) -> None:
    """Unfixed releases leave a live span in the caller's dict when the provider answers 500."""
    loopback.failing = True
    metadata = {"user_id": "u1"}

    async def fail() -> None:
        with sentry_sdk.start_transaction(name="t") as transaction:
            if call == "messages":
                attempt = message(loopback, metadata, stream=False, router=False)
            else:
                attempt = completion(loopback, metadata)
            with pytest.raises(Exception, match=r"Span is not JSON|it is broken"):
                await attempt
            await finished(transaction, 1)

    run(fail())
    left = UNFIXED and layer in ("nothing", "guard") and call == "completion"
    assert of_sentry(metadata) == (["_sentry_span"] if left else [])
    assert metadata["user_id"] == "u1"
    (span,) = envelopes.spans()
    assert span["gen_ai.request.model"] == "claude-3-5-sonnet-20241022"
    assert "gen_ai.usage.total_tokens" not in span
    crashed = CRASHES and (layer, call) == ("nothing", "messages")
    assert len(loopback.bodies) == (0 if crashed else 1)


@pytest.mark.parametrize("call", ["completion", "messages"])
@layers("nothing", "off-band", "both")
def test_five_at_once_with_one_metadata(
    loopback: Provider, envelopes: Envelopes, layer: str, call: str
) -> None:
    """Each of five concurrent calls that share a dict has its own span, and finishes it."""
    if CRASHES and (layer, call) == ("nothing", "messages"):
        pytest.skip("these crash, as shown above")
    fewer = UNFIXED and (layer, call) == ("nothing", "completion")
    metadata = {"user_id": "u1"}

    async def five() -> None:
        with sentry_sdk.start_transaction(name="t") as transaction:
            if call == "messages":
                calls = [message(loopback, metadata, False, False) for _ in range(5)]
            else:
                calls = [completion(loopback, metadata) for _ in range(5)]
            await asyncio.gather(*calls)
            await finished(transaction, 5, patience=3 if fewer else 30)

    run(five())
    spans = envelopes.spans()
    if fewer:
        assert len(spans) < 5  # the one dict has room for one span
    else:
        assert [span["gen_ai.usage.total_tokens"] for span in spans] == [5, 5, 5, 5, 5]
    if layer != "nothing":
        assert of_sentry(metadata) == []
    assert len(loopback.bodies) == 5
    assert b"_sentry_" not in b"".join(loopback.bodies)


FIRST_OF_ALL = """
import sys
from body_guard.integrations import litellm as guard, sentry as off_band
assert "litellm" not in sys.modules
assert "sentry_sdk" not in sys.modules
{install}.install()
import test_seed_case as t
with t.provider() as loopback, t.capturing(t.LiteLLMIntegration()) as envelopes:
    async def call():
        with t.sentry_sdk.start_transaction(name="t") as transaction:
            await t.message(loopback, {{"user_id": "u1"}}, False, False)
            await t.finished(transaction, 1)
    t.run(call())
    print(len(loopback.bodies), [span["gen_ai.usage.total_tokens"] for span in envelopes.spans()])
"""


@pytest.mark.parametrize("install", ["off_band", "guard"])
def test_installed_before_everything_else(install: str) -> None:
    """The order does not matter: before litellm, before sentry_sdk.init, before the first call."""
    done = subprocess.run(
        [sys.executable, "-c", FIRST_OF_ALL.format(install=install)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        check=False,
    )
    assert (done.stdout.splitlines()[-1:], done.returncode) == (["1 [5]"], 0), done.stderr
