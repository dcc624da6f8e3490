"""What encoding a dirty body costs: ``python -m benchmarks.dirty``.

CPU time of `Sanitizer.encode` of a body with something in it that must not or cannot leave, against
httpx's encoding of what is left of the body: httpx itself would raise, or leak. Not measured: the
log, which a guarded client writes to once for each kind of place.
"""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks import bodies, goals
from benchmarks.bodies import Body, Span
from benchmarks.encode import httpx_encode
from benchmarks.measure import Side, main, repeated
from benchmarks.variants import SETTINGS, passes
from body_guard import Sanitizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.goals import Goal
    from benchmarks.measure import Bench

__all__ = ["run"]


def one_span(body: dict[Any, Any]) -> None:
    """Do what sentry-sdk 2.63 does to a body of litellm's."""
    body.setdefault("metadata", {})["_sentry_span"] = Span()


def one_text(body: dict[Any, Any]) -> None:
    """Put in a forbidden member that JSON can write."""
    body.setdefault("metadata", {})["_sentry_trace"] = "0123456789abcdef"


def one_surrogate(body: dict[Any, Any]) -> None:
    """Put in text that UTF-8 cannot write, as a cut between two UTF-16 units leaves it."""
    body["user"] = "Erika \ud83d"


def one_nan(body: dict[Any, Any]) -> None:
    """Put in a number that JSON cannot write."""
    body["top_p"] = math.nan


def one_tuple_key(body: dict[Any, Any]) -> None:
    """Put in a key that JSON cannot write."""
    body[("a", 1)] = "cache"


def span_at_the_bottom(body: dict[Any, Any]) -> None:
    """Put a live object into the innermost dict."""
    bodies.dicts(body)[-1]["_sentry_span"] = Span()


def thousand_spans(body: dict[Any, Any]) -> None:
    """Put a live object into a dict chosen by chance, a thousand times."""
    pick, found = random.Random(1), bodies.dicts(body)
    for number in range(1000):
        pick.choice(found)[f"_sentry_{number}"] = Span()


def thousand_faults(body: dict[Any, Any]) -> None:
    """Put in a thousand of all sorts, a quarter of them lone surrogates."""
    pick, found = random.Random(1), bodies.dicts(body)
    for number in range(250):
        pick.choice(found)[f"_sentry_{number}"] = Span()
        pick.choice(found)[f"text {number}"] = "half \udc9f of a pair"
        pick.choice(found)[f"number {number}"] = math.inf
        pick.choice(found)[(number, "key")] = {number}


@dataclass(frozen=True, slots=True)
class _Case:
    what: str
    plant: Callable[[dict[Any, Any]], None]
    body: str
    goal: Goal | None = None


_CASES = (
    _Case("one Span", one_span, "chat 200 KB", goals.SPAN["chat 200 KB"]),
    _Case("one Span", one_span, "tools 1 MB", goals.SPAN["tools 1 MB"]),
    _Case("one Span", one_span, "chat 1 KB", goals.SPAN["chat 1 KB"]),
    _Case("one Span", one_span, "chat 20 KB"),
    _Case("one Span", one_span, "vision 5 MB"),
    _Case("one Span", one_span, "embeddings 400 KB"),
    _Case("one Span", one_span, "vectors 2 MB"),
    _Case("one Span", one_span, "code 100 KB"),
    _Case("one Span", span_at_the_bottom, "depth 200"),
    _Case("one forbidden text", one_text, "chat 200 KB"),
    _Case("one forbidden text", one_text, "tools 1 MB"),
    _Case("one surrogate", one_surrogate, "chat 200 KB"),
    _Case("one surrogate", one_surrogate, "tools 1 MB"),
    _Case("one NaN", one_nan, "tools 1 MB"),
    _Case("one tuple key", one_tuple_key, "tools 1 MB"),
    _Case("1,000 Spans", thousand_spans, "chat 200 KB"),
    _Case("1,000 Spans", thousand_spans, "tools 1 MB"),
    _Case("1,000 faults", thousand_faults, "chat 200 KB", goals.FAULTS),
    _Case("1,000 faults", thousand_faults, "tools 1 MB"),
)


def _measured(bench: Bench, case: _Case) -> None:
    body = bodies.clean(case.body, bench.quick)
    times = repeated(body.size, quick=bench.quick)

    def dirty(count: int = times) -> list[Any]:
        values = body.fresh(count)
        for value in values:
            case.plant(value)
        return values

    sides: dict[str, Side] = {}
    left = None
    for name, (policy, pure) in SETTINGS.items():
        encode = Sanitizer(policy).encode
        sides[name] = Side(encode, dirty, pure)
        with passes(pure=pure):
            content = encode(dirty(1)[0])[0]
        if b"_sentry" in content or b"Mustermann" in content:
            raise AssertionError(f"{case.what} in {case.body}: it left")
        if left not in (None, content):
            raise AssertionError(f"{case.what} in {case.body}: what is left differs, {name}")
        left = content
    cleaned = Body(case.body, (bodies.written(json.loads(left or "")),))
    race = bench.race({"httpx": Side(httpx_encode, lambda: cleaned.fresh(times)), **sides})
    bench.ratios(f"{case.what} in {case.body}", race, "httpx", goals=[case.goal])


def run(bench: Bench) -> None:
    """Measure every dirty body."""
    for case in _CASES:
        _measured(bench, case)


if __name__ == "__main__":
    main(__doc__, {"dirty": run})
