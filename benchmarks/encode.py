"""What encoding a clean body costs: ``python -m benchmarks.encode``.

CPU time of `Sanitizer.encode` against the encoder that httpx 0.28 uses, of equal bodies: with the
default policy, with every preset switched on, and without orjson; beside them orjson alone, which
guards nothing and writes some values otherwise, as the floor. ``httpx again`` is httpx against
itself: how far that is from 1 is how far to trust the rest. Every body is encoded once before, and
what is compared must give the same bytes.

Not measured: wall-clock time, threads, memory.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks import bodies, goals, variants
from benchmarks.measure import main, repeated
from benchmarks.variants import Variant

if TYPE_CHECKING:
    from benchmarks.bodies import Body
    from benchmarks.goals import Goal
    from benchmarks.measure import Bench

__all__ = ["httpx_encode", "run"]

_GOALS = {
    "chat 200 KB": goals.BULK,
    "vision 5 MB": goals.BULK,
    "embeddings 400 KB": goals.BULK,
    "tools 1 MB": goals.TOOLS,
    "chat 1 KB": goals.SMALL,
}


def httpx_encode(value: object) -> bytes:
    """Encode as httpx 0.28 does (``httpx/_content.py``, ``encode_json``)."""
    return bodies.written(value).encode("utf-8")


def _measured(bench: Bench, body: Body, encoders: dict[str, Variant]) -> None:
    goal = _GOALS.get(body.name, goals.ANY)
    goal_of: dict[str, Goal | None] = {
        "guarded": goal,
        "guarded, all presets": goal,
        "guarded, no orjson": goals.PLAIN,
    }
    able = {
        name: encode for name, encode in encoders.items() if _checked(bench, name, encode, body)
    }
    fresh = partial(body.fresh, repeated(body.size, quick=bench.quick))
    race = bench.race({name: encode.side(fresh) for name, encode in able.items()})
    sides = [name for name in able if name != "httpx"]
    bench.ratios(body.name, race, "httpx", {name: goal_of.get(name) for name in sides})


def _checked(bench: Bench, name: str, encode: Variant, body: Body) -> bool:
    """Tell whether an encoder can write a body; one of ours must do it as httpx does."""
    for value, text in zip(body.fresh(), body.texts, strict=True):
        try:
            content = encode(value)
        except (TypeError, ValueError) as error:
            bench.note(f"{name} cannot write {body.name}: {type(error).__name__}")
            return False
        if name.startswith("guarded") and content != text.encode():
            raise AssertionError(f"{name} does not write {body.name} as httpx does")
    return True


def run(bench: Bench) -> None:
    """Measure every clean body."""
    encoders = {"httpx": Variant(httpx_encode)}
    for name, variant in variants.encoders().items():
        if isinstance(variant, str):
            bench.note(f"{name}: left out, {variant}")
        else:
            encoders[name] = variant
    recorded = bodies.recorded()
    if recorded is None:
        bench.note(f"recorded bodies: left out, {bodies.RECORDED} is not there")
    clean = [bodies.clean(name, bench.quick) for name in bodies.CLEAN]
    for body in (*clean, *([recorded] if recorded else [])):
        control = {"httpx again": encoders["httpx"]} if body.name == "chat 200 KB" else {}
        _measured(bench, body, {**encoders, **control})
    variants.restore()


if __name__ == "__main__":
    main(__doc__, {"encode": run})
