"""A LiteLLM Proxy with body_guard as a callback, between a client and a provider.

``python examples/litellm_proxy/run.py`` starts ``litellm --config config.yaml`` with the provider
of body_guard's demo behind it, sends one request through it, and prints what arrived. Starting a
proxy takes some ten seconds. Needs ``pip install 'body-guard[cli]' 'litellm[proxy]'``.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import httpx

from body_guard.cli.provider import provider

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
KEY = f"sk-{secrets.token_hex(16)}"
STARTS_WITHIN = 600  # seconds, on a machine that has much else to do


@contextmanager
def proxy(upstream: str) -> Iterator[str]:
    """Start the proxy, and end it; give its address once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "BODY_GUARD_POLICY": str(HERE / "policy.toml"),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MASTER_KEY": KEY,
        "NO_PROXY": "127.0.0.1",
        "UPSTREAM": f"{upstream}/v1",
        "UPSTREAM_KEY": "sk-example",
    }
    litellm = Path(sys.executable).with_name("litellm")
    command = [litellm, "--config", HERE / "config.yaml", "--host", "127.0.0.1", "--port", port]
    with (
        TemporaryFile() as log,
        subprocess.Popen(
            list(map(str, command)), env=environment, stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        try:
            url = f"http://127.0.0.1:{port}"
            if not answers(url, process):
                log.seek(0)
                raise SystemExit(f"The proxy did not start:\n{log.read().decode()}")
            yield url
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    """Wait until the proxy answers; return whether it does."""
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/health/liveliness", trust_env=False).status_code == 200:
                return True
        except httpx.TransportError:
            time.sleep(0.2)
    return False


def main() -> None:
    """Send one request, with bookkeeping in it, through the proxy."""
    body = {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "Hi", "_db_id": 7}],
        "_sentry_trace": "4bf92f3577b34da6a3ce929d0e0e4736",
    }
    with provider() as upstream, proxy(upstream.url) as url:
        response = httpx.post(
            f"{url}/v1/chat/completions",
            json=body,
            headers={"Authorization": f"Bearer {KEY}"},
            timeout=180,
            trust_env=False,
        )
        print("answered:", response.json()["choices"][0]["message"]["content"])
        for received in upstream.received:
            if received.body:
                print("arrived: ", received.body.decode())


if __name__ == "__main__":
    main()
