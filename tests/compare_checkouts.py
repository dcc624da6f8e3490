"""Compare what two checkouts make of the same bodies: ``tests/compare_checkouts.py BASELINE``.

Recorded bodies, clean and with members planted in them, by every preset; and random values and
texts, by rules of all sorts. Each checkout judges them in a process of its own. Each difference in
bytes, report or error is printed; the exit code is 1 where there was one. ``--pure`` compares this
checkout with itself, without the compiled pass.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).resolve().parents[1]

#: Names that the presets know, each somewhere, and one that none does.
NAMES = (
    *("_sentry_span", "_sentrysdk_x", "litellm_params", "user_api_key", "api_base", "pillar_x"),
    *("acompletion", "max_retries", "allowed_model_region", "provider_specific_fields"),
    *("anthropic_issuer_x", "otel_span", "_datadog", "langfuse_x", "existing_trace_id", "lc_x"),
    *("langsmith_extra", "__pregel_x", "Helicone-Auth", "_mlflow_x", "opik_x", "posthog_x"),
    *("traceloop_x", "sentry-trace", "x-b3-traceid", "chat_id", "_private", "extra"),
)

#: What stands in texts around names, whole and broken.
PIECES = (
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b" ", b"\n", b"\x00", b"\xff", b"NaN"),
    *(
        b'"_sentry_x":',
        b'"_s\\u0065ntry_x" : ',
        b'"_sentry_\xc3\xa9',
        b"/*x*/",
        b"1.50",
        b"-",
        b"e5",
    ),
)


def case_lines(values: int) -> Iterator[str]:
    """Judge all cases with the body_guard that is imported; a line for each, its name first."""
    for name, judge in cases(values):
        yield json.dumps([name, *outcome(judge)], default=repr)


def outcome(judge: Callable[[], tuple[Any, Any]]) -> tuple[Any, ...]:
    """Return what came of a body, as data."""
    from body_guard import BodyGuardError

    try:
        content, report = judge()
    except BodyGuardError as error:
        return type(error).__name__, str(error), told(getattr(error, "report", None))
    digest = hashlib.sha256(content).hexdigest()[:16]
    return digest, content[:300].decode("latin-1"), told(report)


def told(report: Any) -> Any:
    """Return what a report says, as data."""
    if report is None:
        return None
    findings = [
        [getattr(found, field) for field in ("path", "rule", "action", "type", "owner", "hint")]
        for found in report.findings
    ]
    return [findings, report.changed, report.judged, report.why_not_judged, report.omitted]


def cases(values: int) -> Iterator[tuple[str, Callable[[], tuple[Any, Any]]]]:
    """Yield the name of each case, and what judges it."""
    from body_guard import Policy, Sanitizer, presets

    from fuzz.values import PRESETS

    by_preset = {name: Sanitizer(Policy(presets(name))) for name in PRESETS}
    by_preset |= {
        "default": Sanitizer(),
        "every preset": Sanitizer(Policy(presets(*PRESETS))),
        "schema": Sanitizer(Policy(schema="openai")),
        "stringified": Sanitizer(Policy(stringified="report")),
    }
    for body, raw, declared in recorded():
        for preset, sanitizer in by_preset.items():
            yield (
                f"{body}, {preset}",
                lambda s=sanitizer, raw=raw, d=declared: s.sanitize_bytes(raw, d),
            )
            for way, value in planted(raw):
                yield f"{body}, {preset}, {way}", lambda s=sanitizer, v=value: s.encode(v)
                text = json.dumps(value, default=lambda _: "live").encode()
                yield (
                    f"{body}, {preset}, {way} text",
                    lambda s=sanitizer, t=text: s.sanitize_bytes(t),
                )
    yield from random_cases(values)


def recorded() -> Iterator[tuple[str, bytes, str | None]]:
    """Yield the recorded bodies, with the content type that they were sent with."""
    from corpora import recorded

    for number, record in enumerate(recorded()):
        yield f"recorded {number}", record["raw"].encode(), record["content_type"]


def planted(raw: bytes) -> Iterator[tuple[str, Any]]:
    """Yield the value of a text, and the same with members planted in it, seeded by the text."""
    from hostile import Span

    try:
        value = json.loads(raw)
    except ValueError:
        return
    yield "clean", value
    pick = random.Random(hashlib.sha256(raw).digest())
    dirty = json.loads(raw)
    found, pending = [], [dirty]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            found.append(item)
        pending += item.values() if isinstance(item, dict) else item if type(item) is list else ()
    if not found:
        return
    for _ in range(6):
        planted = pick.choice((Span(), "text", {"a": [1]}, b"x", float("nan"), None, "\ud800"))
        pick.choice(found)[pick.choice(NAMES)] = planted
    yield "planted", dirty


def random_cases(values: int) -> Iterator[tuple[str, Callable[[], tuple[Any, Any]]]]:
    """Yield seeded random values and texts."""
    from body_guard import Sanitizer

    from fuzz.values import POLICIES, Reader, value_of

    sanitizers = [Sanitizer(policy) for policy in POLICIES]
    texts = [raw for _, raw, _ in recorded() if len(raw) < 2_000]
    for number in range(values):
        pick = random.Random(number)
        data, sanitizer = pick.randbytes(pick.randrange(80)), pick.choice(sanitizers)
        # Each gets a value of its own, built alike.
        yield f"value {number}, encode", lambda s=sanitizer, d=data: s.encode(value_of(Reader(d)))
        yield (
            f"value {number}, sanitize",
            lambda s=sanitizer, d=data: sanitized(s, value_of(Reader(d))),
        )
        text = pick.choice(texts)
        for _ in range(pick.randrange(4)):
            at = pick.randrange(len(text) + 1)
            text = text[:at] + pick.choice(PIECES) + text[at + pick.randrange(3) :]
        kind = pick.choice(("application/json", None, "application/jsonl"))
        yield f"text {number}", lambda s=sanitizer, t=text, k=kind: s.sanitize_bytes(t, k)


def sanitized(sanitizer: Any, value: Any) -> tuple[bytes, Any]:
    """Sanitize a value; return whether it is the same object, which `encode` shows more of."""
    left, report = sanitizer.sanitize(value)
    return b"the same" if left is value else b"another", report


def kind_of(what: str, text: str, report: Any) -> str:
    """Return what came of a body in a word or two: the error, or what the report says."""
    if what.endswith("Error"):
        return what
    findings, changed, judged, why, _ = report
    rules = ", ".join(sorted({f"{rule} {action}" for _, rule, action, *_ in findings})) or "clean"
    return f"not judged, {why}" if not judged else f"{rules}{', changed' if changed else ''}"


def judged_by(checkout: Path, values: int, *, pure: bool) -> subprocess.Popen[str]:
    """Start a process that judges all cases by a checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONHASHSEED": "0"}
    environment |= {"BODY_GUARD_PURE": "1"} if pure else {}
    command = [sys.executable, __file__, "--worker", "--values", str(values), str(checkout)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def main() -> int:
    """Print the differences; return 1 if there were any."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("baseline", type=Path, help="a checkout of another version")
    parser.add_argument("--values", type=int, default=100_000, help="how many random ones")
    parser.add_argument("--pure", action="store_true", help="this checkout without its C, instead")
    parser.add_argument("--most", type=int, default=200, help="how many differences to print")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        for line in case_lines(options.values):
            print(line)
        return 0
    other = HERE if options.pure else options.baseline.resolve()
    sides = [
        judged_by(other, options.values, pure=options.pure),
        judged_by(HERE, options.values, pure=False),
    ]
    kinds: Counter[str] = Counter()
    total = 0
    for before, after in zip(*(side.stdout for side in sides), strict=True):
        total += 1
        if before != after:
            name, *old = json.loads(before)
            _, *new = json.loads(after)
            kinds[f"{name.split()[0]}: {kind_of(*old)} -> {kind_of(*new)}"] += 1
            if sum(kinds.values()) <= options.most:
                print(f"{name}\n  before {old}\n  after  {new}")
    print(*(f"{count:6} {kind}" for kind, count in kinds.most_common()), sep="\n")
    codes = [side.wait() for side in sides]
    print(f"{total} cases, {sum(kinds.values())} differences, exit codes {codes}")
    return int(bool(kinds) or any(codes))


if __name__ == "__main__":
    sys.exit(main())
