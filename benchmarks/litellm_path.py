"""What guarding litellm costs: ``python -m benchmarks.litellm_path``.

Three figures, each guarded against not: ``json.dumps`` of a 120 KB chat body in a module of
litellm's (goal 1.10); ``json.dumps`` of a small value anywhere else in the process, which pays for
the look at its caller; a whole ``acompletion`` against a provider on the loopback interface, by
litellm's own handler and by the OpenAI SDK (goal 1.02; CPU time of the process, the provider is
another).

Not measured: a body that is dirty, and anything that waits.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks import goals
from benchmarks.measure import Side, main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.goals import Goal
    from benchmarks.measure import Bench

__all__ = ["run"]

PROSE = "the body of a request is what an application says to a provider and most of it is prose"
CODE = (
    "def get_user_name(user_id): return _names.get(user_id, default_name) # see also set_user_name"
)

_PROVIDER = """
import time
from body_guard.cli.provider import provider
with provider() as server:
    print(server.url, flush=True)
    while True:
        time.sleep(1)
        server.received.clear()
"""


def body(seed: int, messages: int, text: str = PROSE) -> dict[str, Any]:
    """Give a chat of about 120 KB with eight tools."""
    chance = random.Random(seed)
    words = text.split()
    count = 118_000 // messages * len(words) // len(text)

    def prose() -> str:
        return " ".join(chance.choices(words, k=count)) + '.\n"Quoted", and so on.\n'

    roles = ("user", "assistant")
    tool = {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}
    return {
        "model": "gpt-4o-mini",
        "temperature": 0.7,
        "messages": [{"role": roles[n % 2], "content": prose()} for n in range(messages)],
        "tools": [{"type": "function", "function": {**tool, "name": f"f{n}"}} for n in range(8)],
    }


def bodies(messages: int, text: str, number: int) -> list[Any]:
    """Give five bodies, so that one round is not all cold code."""
    return [body(5 * number + n, messages, text) for n in range(5)]


def caller_in(module: str) -> Callable[..., Any]:
    """Give a function of a module of this name that calls json.dumps, some times over."""
    scope: dict[str, Any] = {"__name__": module, "json": json}
    exec("def call(values):\n for value in values: json.dumps(value)", scope)  # noqa: S102
    call: Callable[..., Any] = scope["call"]
    return call


def dumps(
    bench: Bench, what: str, module: str, make: Callable[[int], list[Any]], goal: Goal | None
) -> None:
    """Compare json.dumps as a module's code calls it."""
    from body_guard.integrations.litellm import install, uninstall

    call, number = caller_in(module), itertools.count()

    def side(prepare: Callable[[], object]) -> Side:
        def fresh() -> list[Any]:
            prepare()
            return [make(next(number))]

        return Side(call, fresh)

    race = bench.race({"unguarded": side(uninstall), "guarded": side(install)})
    uninstall()
    bench.ratios(what, race, "unguarded", {"guarded": goal})


@contextmanager
def event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Give one loop for every call, and end litellm's background tasks before it is closed.

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

    number = itertools.count()

    def side(prepare: Callable[[], object]) -> Side:
        def fresh() -> list[Any]:
            prepare()
            options = {"model": model, "api_key": "k", "api_base": f"{url}/v1"}
            return [{**body(next(number), 40), **options}]

        return Side(lambda call: loop.run_until_complete(litellm.acompletion(**call)), fresh)

    race = bench.race(
        {"unguarded": side(uninstall), "guarded": side(install)}, clock=time.process_time
    )
    uninstall()
    bench.ratios(
        f"acompletion, 120 KB, {model}", race, "unguarded", {"guarded": goals.LITELLM_CALL}
    )


def run(bench: Bench) -> None:
    """Measure json.dumps in litellm, json.dumps elsewhere, and whole calls."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # do not fetch it
    import litellm

    litellm.suppress_debug_info = True
    for messages, text, kind in ((20, PROSE, "prose"), (200, PROSE, "prose"), (20, CODE, "code")):
        make = partial(bodies, messages, text)
        what = f"json.dumps, 5 times 120 KB of {kind}, {messages} messages"
        dumps(bench, what, "litellm.llms.benchmark", make, goals.LITELLM_DUMPS)
    what = "json.dumps elsewhere, 1,000 small values"
    dumps(bench, what, "elsewhere", lambda _: [{"a": 1} for _ in range(1000)], None)
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
