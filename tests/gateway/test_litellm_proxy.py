"""A real ``litellm --config`` between a client and a provider, both on the loopback interface."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from body_guard.integrations import litellm as integration

sys.path.append(str(Path(__file__).parents[1] / "integrations"))

from llm_provider import LLMProvider, llm_provider

MODULE = "body_guard.gateway.litellm_proxy"
GUARD, HOOK = f"{MODULE}.handler", "hook.hook"
COMMAND = Path(sys.executable).with_name("litellm")
IMPORTED = (
    "apscheduler",
    "backoff",
    "fastapi",
    "fastapi_sso",
    "mcp",
    "orjson",
    "soundfile",
    "uvicorn",
    "websockets",
)
LACKS = [name for name in IMPORTED if not importlib.util.find_spec(name)]
KEY = "sk-4f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c"
STARTS_WITHIN = 600  # seconds; some 13 where nothing else runs

#: What is not passed on: settings of litellm, of other providers, and of proxies on the way.
FOREIGN = re.compile(r"(LITELLM|OPENAI|ANTHROPIC|DATABASE|HTTPS?_PROXY|ALL_PROXY)", re.IGNORECASE)

#: In the matrix it has to be there.
needs_proxy = pytest.mark.skipif(
    os.environ.get("BODY_GUARD_MATRIX") != "1" and (bool(LACKS) or not COMMAND.exists()),
    reason=f"litellm[proxy] is not installed: there is no {', '.join(LACKS) or COMMAND}",
)

#: `_sentry_config` is what the proxy itself adds to a request.
CONFIG = """
model_list:
  - model_name: openai
    litellm_params: {{model: openai/gpt-4o, api_base: "{url}/v1", api_key: k, _sentry_config: LEAK}}
  - model_name: vllm
    litellm_params: {{model: hosted_vllm/m, api_base: "{url}/v1", api_key: k}}
  - model_name: anthropic
    litellm_params: {{model: anthropic/m, api_base: "{url}", api_key: k}}
litellm_settings:
  telemetry: false
  num_retries: 0
  callbacks: [{callbacks}]
general_settings:
  master_key: os.environ/LITELLM_MASTER_KEY
"""

#: What a team has beside its config.yaml: a hook before the call, and one when its body is made.
#: The user is no secret; it shows on the wire that the hook ran, and in which worker.
HOOK_SOURCE = """
import os

from litellm.integrations.custom_logger import CustomLogger


class Hook(CustomLogger):
    async def async_pre_call_hook(self, user_api_key_dict, cache, data, call_type):
        data["_sentry_hook"] = "LEAK"
        for message in data.get("messages", ()):
            message["_sentry_hook"] = "LEAK"
        if call_type != "anthropic_messages":
            data["user"] = f"worker-{os.getpid()}"
        return data

    def log_pre_api_call(self, model, messages, kwargs):
        body = kwargs["additional_args"].get("complete_input_dict")
        if isinstance(body, dict):
            body.get("extra_body", body)["_sentry_late"] = "LEAK"


hook = Hook()
"""

HELLO = {"role": "user", "content": "hi"}
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
RESPONSES, EMBEDDINGS = "/v1/responses", "/v1/embeddings"
ROOT = {"_sentry_key": "LEAK"}
MESSAGE = {"messages": [{**HELLO, "_sentry_key": "LEAK"}]}
INPUT = {"input": [{**HELLO, "_sentry_key": "LEAK"}]}
METADATA = {"metadata": {"_sentry_key": "LEAK"}}
STORED = {**METADATA, "store": True}
STREAM = {"stream": True}


@dataclass(frozen=True, slots=True)
class Call:
    """One request, and whether its own key is on the wire when nothing guards the proxy."""

    path: str
    model: str
    place: str
    extra: dict[str, Any]
    leaks: bool = True

    @property
    def body(self) -> dict[str, Any]:
        said = {"input": "hi"} if self.path in (RESPONSES, EMBEDDINGS) else {"messages": [HELLO]}
        limit = {"max_tokens": 9} if self.path.endswith(MESSAGES) else {}
        return {"model": self.model, **said, **limit, **self.extra}

    def __str__(self) -> str:
        return f"{self.path[1:]}-{self.model}-{self.place}"


CALLS = (
    Call(CHAT, "openai", "root", ROOT),
    Call(CHAT, "openai", "message", MESSAGE),
    Call(CHAT, "openai", "metadata", STORED, leaks=False),
    Call(CHAT, "openai", "root-stream", {**ROOT, **STREAM}),
    Call(CHAT, "openai", "message-stream", {**MESSAGE, **STREAM}),
    Call(CHAT, "vllm", "root", ROOT),
    Call(CHAT, "vllm", "message", MESSAGE),
    Call(CHAT, "anthropic", "root", ROOT),
    Call(CHAT, "anthropic", "message", MESSAGE, leaks=False),
    Call(CHAT, "anthropic", "metadata", METADATA, leaks=False),
    Call(CHAT, "anthropic", "root-stream", {**ROOT, **STREAM}),
    Call(MESSAGES, "anthropic", "root", ROOT, leaks=False),
    Call(MESSAGES, "anthropic", "message", MESSAGE),
    Call(MESSAGES, "anthropic", "metadata", METADATA, leaks=False),
    Call(MESSAGES, "anthropic", "message-stream", {**MESSAGE, **STREAM}),
    Call(MESSAGES, "openai", "root", ROOT, leaks=False),
    Call(MESSAGES, "openai", "message", MESSAGE, leaks=False),
    Call(MESSAGES, "openai", "metadata", METADATA, leaks=False),
    Call(RESPONSES, "openai", "root", ROOT, leaks=False),
    Call(RESPONSES, "openai", "message", INPUT),
    Call(RESPONSES, "openai", "metadata", METADATA),
    Call(RESPONSES, "openai", "metadata-stream", {**METADATA, **STREAM}),
    Call(RESPONSES, "anthropic", "root", ROOT),
    Call(RESPONSES, "anthropic", "metadata", METADATA, leaks=False),
    Call(EMBEDDINGS, "openai", "root", ROOT),
    Call(EMBEDDINGS, "openai", "metadata", METADATA, leaks=False),
    Call("/anthropic/v1/messages", "m", "message", MESSAGE),  # a route that is passed through
    Call("/openai/v1/chat/completions", "m", "root", ROOT),
)
LEAKING = [call for call in CALLS if call.leaks]


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that answers, and the provider behind it."""

    client: httpx.Client
    provider: LLMProvider

    def ask(self, call: Call) -> httpx.Response:
        return self.client.post(call.path, json=call.body)

    @property
    def bodies(self) -> list[str]:
        """What arrived, but for the proxy's own GET /v1/models at its start."""
        return [body.decode() for body in self.provider.bodies if body]

    def arrives(self, call: Call) -> str:
        """Return what one call made arrive at the provider."""
        self.provider.clear()
        answer = self.ask(call)
        assert answer.status_code == 200, answer.text
        (body,) = self.bodies
        assert '"hi"' in body
        return body


#: Waits until a proxy answers.
Start = Callable[[], Proxy]


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, no two the same."""
    with ExitStack() as held:
        listeners = [held.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [int(listener.getsockname()[1]) for listener in listeners]


def environment(url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not FOREIGN.match(name)}
    ours = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": KEY}
    # uvicorn gives a worker 5 seconds, and for ever ends those that take longer to import litellm.
    ours["TIMEOUT_WORKER_HEALTHCHECK"] = str(STARTS_WITHIN)
    routes = {"ANTHROPIC_API_BASE": url, "OPENAI_API_BASE": url}
    return {**kept, **ours, **routes, "ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k"}


@contextmanager
def process(
    command: list[str], home: Path, env: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command that leads a process group, and end the group."""
    with (home / "log").open("wb") as log:
        running = subprocess.Popen(
            command, cwd=home, env=env, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield running
    finally:
        for how in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(running.pid, how)
            with suppress(subprocess.TimeoutExpired):
                running.wait(timeout=15)


def await_readiness(running: subprocess.Popen[bytes], client: httpx.Client, log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and running.poll() is None:
        with suppress(httpx.TransportError):
            if client.get("/health/liveliness").status_code == 200:
                return
        time.sleep(0.2)
    pytest.fail(f"the proxy did not start:\n{log.read_text()[-4000:]}")


@contextmanager
def proxy(home: Path, port: int, callbacks: str, workers: int = 1) -> Iterator[Start]:
    """Start a proxy in a directory of its own, as a gateway team would; give what awaits it."""
    with llm_provider() as provider:
        (home / "config.yaml").write_text(CONFIG.format(url=provider.url, callbacks=callbacks))
        (home / "hook.py").write_text(HOOK_SOURCE)
        command = [str(COMMAND), "--config", "config.yaml", "--host", "127.0.0.1"]
        command += ["--port", str(port), "--num_workers", str(workers)]
        with (
            process(command, home, environment(provider.url)) as running,
            httpx.Client(
                base_url=f"http://127.0.0.1:{port}",
                headers={"Authorization": f"Bearer {KEY}", "Connection": "close"},
                timeout=180,
                trust_env=False,
            ) as client,
        ):

            def started() -> Proxy:
                await_readiness(running, client, home / "log")
                return Proxy(client, provider)

            yield started


@pytest.fixture(scope="session")
def proxies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, Proxy]]:
    """Start both at once, since a proxy takes its time: one unguarded, one guarded in two workers."""
    ports = free_ports(2)
    homes = [tmp_path_factory.mktemp(name) for name in ("unguarded", "guarded")]
    with (
        proxy(homes[0], ports[0], HOOK) as unguarded,
        proxy(homes[1], ports[1], f"{GUARD}, {HOOK}", workers=2) as guarded,
    ):
        yield unguarded(), guarded()


@pytest.fixture
def unguarded(proxies: tuple[Proxy, Proxy]) -> Proxy:
    return proxies[0]


@pytest.fixture
def guarded(proxies: tuple[Proxy, Proxy]) -> Proxy:
    return proxies[1]


@needs_proxy
@pytest.mark.parametrize("call", LEAKING, ids=str)
def test_a_key_leaves_an_unguarded_proxy(call: Call, unguarded: Proxy) -> None:
    """What a client of the proxy sends as a private key reaches the provider."""
    assert '"_sentry_key"' in unguarded.arrives(call)


@needs_proxy
@pytest.mark.parametrize(
    ("call", "added"),
    [
        (Call(CHAT, "openai", "clean", {}), "config hook late"),
        (Call(EMBEDDINGS, "openai", "clean", {}), "config hook late"),
        (Call(CHAT, "anthropic", "clean", {}), "hook late"),
        (Call(MESSAGES, "anthropic", "clean", {}), "hook"),
        (Call(RESPONSES, "openai", "clean", {}), "late"),
    ],
    ids=str,
)
def test_what_is_added_in_the_proxy_is_judged_last(
    call: Call, added: str, unguarded: Proxy, guarded: Proxy
) -> None:
    """A key from the configuration or a hook leaves the unguarded proxy, and not the guarded."""
    assert set(re.findall(r"_sentry_(\w+)", unguarded.arrives(call))) == set(added.split())
    assert "_sentry" not in guarded.arrives(call)


@needs_proxy
@pytest.mark.parametrize("call", CALLS, ids=str)
def test_nothing_leaves_a_guarded_proxy(call: Call, guarded: Proxy) -> None:
    """The call arrives, with what the hook added that is no secret, and without any other key."""
    body = guarded.arrives(call)
    assert "_sentry" not in body
    assert "LEAK" not in body
    assert json.loads(body)
    assert "worker-" in body or call.path == MESSAGES or call.model == "vllm"


@needs_proxy
def test_every_worker_is_guarded(guarded: Proxy) -> None:
    """Both of two workers send something, and neither sends a key."""
    guarded.provider.clear()
    deadline = time.monotonic() + STARTS_WITHIN  # the second may still be on its way
    seen: set[str] = set()
    while len(seen) < 2 and time.monotonic() < deadline:
        with ThreadPoolExecutor(8) as pool:
            assert {answer.status_code for answer in pool.map(guarded.ask, CALLS)} == {200}
        seen = set(re.findall(r"worker-\d+", "".join(guarded.bodies)))
    assert len(seen) == 2
    assert len(guarded.bodies) % len(CALLS) == 0
    assert not [body for body in guarded.bodies if "_sentry" in body]


@pytest.mark.filterwarnings("ignore")  # litellm's own
def test_the_import_installs_the_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the proxy does with the name, done here: the guard stands, and the handler is its kind."""
    from litellm.integrations.custom_logger import CustomLogger
    from litellm.proxy.types_utils.utils import get_instance_fn

    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    try:
        assert isinstance(get_instance_fn(GUARD, config_file_path="config.yaml"), CustomLogger)
        assert any(door.hooked for door in integration.coverage().doors)
    finally:
        integration.uninstall()
