"""What guarding litellm costs: ``python -m benchmarks.litellm_path``.

A whole ``acompletion`` of a chat of 120 KB against a provider on the loopback interface, by
litellm's own handler and by the OpenAI SDK, guarded against not (goal 1.02; CPU time of the
process, the provider is another). What its ``json.dumps`` costs is in `benchmarks.dumps`.

Not measured: a body that is dirty, and anything that waits.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from benchmarks import bodies, goals
from benchmarks.measure import Side, main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.measure import Bench

__all__ = ["run"]

_PROVIDER = """
import time
from body_guard.cli.provider import provider
with provider() as server:
    print(server.url, flush=True)
    while True:
        time.sleep(1)
        server.received.clear()
"""


@contextmanager
def event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Yield one loop for every call; end litellm's background tasks before it is closed.

    A loop left open to the interpreter's exit crashes CPython 3.11 while it collects them.
    """
    loop = asyncio.new_event_loop()
    try:
        yield loop
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:  # a gather of none would belong to another loop
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def whole(bench: Bench, loop: asyncio.AbstractEventLoop, url: str, model: str) -> None:
    """Compare a whole acompletion."""
    import litellm

    from body_guard.integrations.litellm import install, uninstall

    body = bodies.sized(bodies.chat, 120_000)
    options = {"model": model, "api_key": "k", "api_base": f"{url}/v1"}

    def side(prepare: Callable[[], object]) -> Side:
        def fresh() -> list[Any]:
            prepare()
            return [{**value, **options} for value in body.fresh()]

        return Side(lambda call: loop.run_until_complete(litellm.acompletion(**call)), fresh)

    sides = {"plain": side(uninstall), "guarded": side(install)}
    race = bench.race(sides, clock=time.process_time)
    uninstall()
    bench.ratios(f"acompletion, {body.name}, {model}", race, "plain", goals=[goals.CALL])


def run(bench: Bench) -> None:
    """Measure whole calls."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # do not fetch it
    import litellm

    litellm.suppress_debug_info = True
    with subprocess.Popen(  # noqa: S603 - our own interpreter, a fixed program
        [sys.executable, "-c", _PROVIDER], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        try:
            with event_loop() as loop:
                for model in ("hosted_vllm/m", "openai/m"):
                    whole(bench, loop, url, model)
        finally:
            server.terminate()


if __name__ == "__main__":
    main(__doc__, {"litellm_path": run})
