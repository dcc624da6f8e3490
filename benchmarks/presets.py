"""What presets, schemas and ``stringified`` cost: ``python -m benchmarks.presets``.

Clean bodies, as objects and as bytes, judged by policies that ask for more than the default one,
against the default policy. Not measured: a body with something to take out.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks import bodies
from benchmarks.measure import Side, copies, main, repeated
from benchmarks.variants import EVERY_PRESET
from body_guard import Policy, Sanitizer, presets

if TYPE_CHECKING:
    from benchmarks.measure import Bench

__all__ = ["run"]

_POLICIES = {
    "default": Policy(),
    "sentry, litellm": Policy(presets("sentry", "litellm")),
    "all presets": EVERY_PRESET,
    'schema="openai"': Policy(schema="openai"),
    'stringified="report"': Policy(stringified="report"),
}


def run(bench: Bench) -> None:
    """Measure objects, then bytes."""
    sanitizers = {name: Sanitizer(policy) for name, policy in _POLICIES.items()}
    for name in ("chat 1 KB", "chat 200 KB", "tools 1 MB", "vision 5 MB"):
        body = bodies.clean(name, bench.quick)
        times = repeated(body.size, quick=bench.quick)
        values = partial(body.fresh, times)
        contents = partial(copies, body.texts[0].encode(), times)
        encode = {name: Side(one.encode, values) for name, one in sanitizers.items()}
        judge = {name: Side(one.sanitize_bytes, contents) for name, one in sanitizers.items()}
        bench.ratios(f"{body.name}, encoded", bench.race(encode), "default")
        bench.ratios(f"{body.name}, as bytes", bench.race(judge), "default")


if __name__ == "__main__":
    main(__doc__, {"presets": run})
