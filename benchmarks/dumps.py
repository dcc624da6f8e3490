"""What guarding ``json.dumps`` costs: ``python -m benchmarks.dumps``.

CPU time of the calls with which litellm's modules and the OpenAI SDK encode bodies, guarded by
``body_guard.integrations.litellm.install()``, against the plain calls. And of ``json.dumps`` of a
small value anywhere else in the process, which pays for the look at its caller.

Not measured: a body with something to take out; ``guard(client)``, which judges before the SDK
encodes.
"""

from __future__ import annotations

import json
import os
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks import bodies, goals
from benchmarks.measure import Side, main, repeated
from benchmarks.variants import SETTINGS, installed

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.goals import Goal
    from benchmarks.measure import Bench

__all__ = ["run"]


def _caller_in(module: str) -> Callable[[Any], str]:
    """Return a function of a module of this name that calls json.dumps."""
    scope: dict[str, Any] = {"__name__": module, "json": json}
    exec("def call(value): return json.dumps(value)", scope)  # noqa: S102
    call: Callable[[Any], str] = scope["call"]
    return call


def _compared(
    bench: Bench,
    subject: str,
    call: Callable[[Any], object],
    fresh: Callable[[], list[Any]],
    goal: Goal | None = None,
) -> None:
    from body_guard.integrations.litellm import install, uninstall

    def after(prepare: Callable[[], object]) -> list[Any]:
        prepare()
        return fresh()

    sides = {"plain": Side(call, partial(after, uninstall))}
    for name, (policy, pure) in SETTINGS.items():
        sides[name] = Side(call, partial(after, partial(install, policy)), pure)
    race = bench.race(sides)
    uninstall()
    bench.ratios(subject, race, "plain", goals=[goal])


def run(bench: Bench) -> None:
    """Measure the calls of litellm, of the SDK and of others."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # do not fetch it
    if installed("litellm") is None:
        bench.note("left out, litellm is not installed")
        return
    sdk: Any = installed("openai._base_client")
    calls: dict[str, Callable[[Any], object]] = {"litellm": _caller_in("litellm.llms.benchmark")}
    if hasattr(sdk, "openapi_dumps"):
        calls["openai"] = lambda value: sdk.openapi_dumps(value)  # install() replaces it
    for name in ("chat 1 KB", "chat 20 KB", "chat 200 KB", "tools 1 MB", "code 100 KB"):
        body = bodies.clean(name, bench.quick)
        fresh = partial(body.fresh, repeated(body.size, quick=bench.quick))
        for library, call in calls.items():
            _compared(bench, f"{library}, {name}", call, fresh, goals.DUMPS)
    small = [{"a": 1}] * (1 if bench.quick else 5000)
    _compared(bench, "elsewhere, a small value", _caller_in("elsewhere"), lambda: small)


if __name__ == "__main__":
    main(__doc__, {"dumps": run})
