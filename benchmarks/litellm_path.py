"""What guarding litellm costs: ``python -m benchmarks.litellm_path``.

Three figures, each guarded against not, in interleaved rounds: ``json.dumps`` of a 120 KB chat body
in a module of litellm's (goal 1.10); ``json.dumps`` of a small value anywhere else in the process,
which pays for the look at its caller; a whole ``acompletion`` against a provider on the loopback
interface, by litellm's own handler and by the OpenAI SDK (goal 1.02). CPU time of the process (the
provider is another); medians, with the quartiles of the rounds' ratios; fresh objects each round.

Not measured: a body that is dirty, and anything that waits.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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


def compared(rounds: int, sides: Sequence[Callable[[int], float]]) -> tuple[float, str]:
    """Give the median of the first side in seconds, and the ratio of the second to it, told."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        order = (0, 1) if number % 2 else (1, 0)
        for side in order:
            times[side].append(sides[side](number))
    ratios = [guarded / plain for plain, guarded in zip(*times, strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4)
    plain, guarded = map(statistics.median, times)
    return plain, f"{guarded / plain:.3f} (quartiles of {rounds} rounds {low:.3f} to {high:.3f})"


def cpu(act: Callable[[], object]) -> float:
    """Give the CPU time of one act, without the garbage collector's."""
    gc.collect()
    gc.disable()
    start = time.process_time()
    act()
    taken = time.process_time() - start
    gc.enable()
    return taken


def caller_in(module: str) -> Callable[..., Any]:
    """Give a function of a module of this name that calls json.dumps, some times over."""
    scope: dict[str, Any] = {"__name__": module, "json": json}
    exec("def call(values):\n for value in values: json.dumps(value)", scope)  # noqa: S102
    call: Callable[..., Any] = scope["call"]
    return call


def dumps(rounds: int, module: str, make: Callable[[int], list[Any]]) -> tuple[float, str]:
    """Compare json.dumps as a module's code calls it."""
    from body_guard.integrations.litellm import install, uninstall

    call = caller_in(module)

    def side(guarded: bool) -> Callable[[int], float]:
        def once(number: int) -> float:
            values = make(number)
            (install if guarded else uninstall)()
            return cpu(lambda: call(values))

        return once

    taken = compared(rounds, (side(False), side(True)))
    uninstall()
    return taken


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
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def whole(rounds: int, loop: asyncio.AbstractEventLoop, url: str, model: str) -> tuple[float, str]:
    """Compare a whole acompletion."""
    import litellm

    from body_guard.integrations.litellm import install, uninstall

    def side(guarded: bool) -> Callable[[int], float]:
        def once(number: int) -> float:
            options = {**body(number, 40), "model": model, "api_key": "k", "api_base": f"{url}/v1"}
            (install if guarded else uninstall)()
            return cpu(lambda: loop.run_until_complete(litellm.acompletion(**options)))

        return once

    for warm in (False, True, False, True):
        side(warm)(0)
    taken = compared(rounds, (side(False), side(True)))
    uninstall()
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    rounds = parser.parse_args().rounds
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # do not fetch it
    import litellm

    litellm.suppress_debug_info = True
    for messages, text, kind in ((20, PROSE, "prose"), (200, PROSE, "prose"), (20, CODE, "code")):
        make = partial(bodies, messages, text)
        plain, told = dumps(rounds, "litellm.llms.benchmark", make)
        what = f"json.dumps, 120 KB of {kind}, {messages} messages"
        print(f"{what:<44} {1e6 * plain / 5:7.0f} us, guarded {told}")
    plain, told = dumps(rounds, "elsewhere", lambda _: [{"a": 1} for _ in range(1000)])
    print(f"{'json.dumps elsewhere, a small value':<44} {1e3 * plain:7.2f} us, guarded {told}")
    with subprocess.Popen(  # noqa: S603 - our own interpreter, a fixed program
        [sys.executable, "-c", _PROVIDER], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        try:
            with event_loop() as loop:
                for model in ("hosted_vllm/m", "openai/m"):
                    plain, told = whole(rounds, loop, url, model)
                    what = f"acompletion, 120 KB, {model}"
                    print(f"{what:<42} {1e3 * plain:6.2f} ms, guarded {told}")
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
