"""What encoding a clean body costs: ``python -m benchmarks.encode``.

CPU time of `Sanitizer.encode` against the encoder that httpx 0.28 uses, of equal bodies: with the
default policy and with every preset on, by the compiled passes and by the plain ones. Beside them
orjson alone, which judges nothing and writes some values otherwise, as the floor. ``httpx again``
is httpx against itself: how far that is from 1 is how far to trust the rest. Every body is encoded
once before, and what is compared must give the same bytes.

Not measured: wall-clock time, threads, memory.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks import bodies, goals
from benchmarks.measure import Side, main, repeated
from benchmarks.variants import EVERY_PRESET, SETTINGS, Setting, installed, passes
from body_guard import Sanitizer

if TYPE_CHECKING:
    from benchmarks.bodies import Body
    from benchmarks.measure import Bench

__all__ = ["httpx_encode", "run"]

_SETTINGS = {**SETTINGS, "guarded, pure, all presets": Setting(EVERY_PRESET, pure=True)}


def httpx_encode(value: object) -> bytes:
    """Encode as httpx 0.28 does (``httpx/_content.py``, ``encode_json``)."""
    return bodies.written(value).encode("utf-8")


def _measured(bench: Bench, body: Body, orjson: Any) -> None:
    fresh = partial(body.fresh, repeated(body.size, quick=bench.quick))
    sides = {"httpx": Side(httpx_encode, fresh)}
    for name, (policy, pure) in _SETTINGS.items():
        encode = Sanitizer(policy).encode
        with passes(pure=pure):
            if [encode(value)[0] for value in body.fresh()] != [*map(str.encode, body.texts)]:
                raise AssertionError(f"{name} does not write {body.name} as httpx does")
        sides[name] = Side(encode, fresh, pure)
    if orjson:
        try:
            [*map(orjson.dumps, body.fresh())]
            sides["orjson alone"] = Side(orjson.dumps, fresh)
        except TypeError as error:
            bench.note(f"orjson alone cannot write {body.name}: {error}")
    if body.name == "chat 200 KB":
        sides["httpx again"] = Side(httpx_encode, fresh)
    pure_goal = goals.PURE_DEPTH if body.name == "depth 200" else goals.PURE
    of_body = (goals.ENCODE.get(body.name), pure_goal)
    bench.ratios(body.name, bench.race(sides), "httpx", goals=of_body)


def run(bench: Bench) -> None:
    """Measure every clean body."""
    orjson, recorded = installed("orjson"), bodies.recorded()
    if orjson is None:
        bench.note("orjson alone: left out, orjson is not installed")
    if recorded is None:
        bench.note(f"recorded bodies: left out, {bodies.RECORDED} is not there")
    clean = [bodies.clean(name, bench.quick) for name in bodies.CLEAN]
    for body in (*clean, *([recorded] if recorded else [])):
        _measured(bench, body, orjson)


if __name__ == "__main__":
    main(__doc__, {"encode": run})
