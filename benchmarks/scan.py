"""What scanning JSON lines costs: ``python -m benchmarks.scan``.

The CPU time of ``body-guard scan`` over a file of JSON lines, reading included, to that of
``json.loads`` of each of its lines. The lines are bodies, or requests with the body as an object or
as text; text is JSON inside of JSON, of which ``json.loads`` of the line parses the outer one
alone, so ``json.loads`` of both stands beside it. Every line is clean. Not measured: other formats;
a file with findings, whose blocks of 256 KiB are read line by line.
"""

from __future__ import annotations

import json
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import bodies
from benchmarks.measure import Side, main
from body_guard.cli.scanning import Scan, make_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.measure import Bench

__all__ = ["run"]

_SIZE = 8_000_000
_QUICK = 100_000

_REQUEST = '{"method": "POST", "url": "https://api.openai.com/v1/chat/completions", "body": %s}'


def _loads(path: Path) -> None:
    with path.open("rb") as lines:
        for line in lines:
            json.loads(line)


def _loads_both(path: Path) -> None:
    with path.open("rb") as lines:
        for line in lines:
            json.loads(json.loads(line)["body"])


def _scan(presets: Iterable[str], path: Path) -> None:
    scan = Scan(make_policy(None, presets))
    scan.run([str(path)], [], lambda _: None)
    assert scan.bodies
    assert not scan.findings
    assert not scan.unread


def _write(folder: str, name: str, lines: list[str], size: int) -> Path:
    path = Path(folder, f"{name}.jsonl")
    times = size // sum(map(len, lines)) + 1
    path.write_text("".join(f"{line}\n" for line in lines) * times, encoding="utf-8")
    return path


def run(bench: Bench) -> None:
    """Measure bodies of several kinds, each as three kinds of lines."""
    kinds = [bodies.sized(bodies.chat, size) for size in (10**3, 10**4, 10**5)]
    kinds.append(bodies.sized(bodies.tools, 10**4))
    recorded = bodies.recorded()
    if recorded is not None:
        kinds.append(recorded)
    size = _QUICK if bench.quick else _SIZE
    with tempfile.TemporaryDirectory() as folder:
        for body in kinds:
            texts = list(body.texts)
            lines = {
                "bodies": texts,
                "requests": [_REQUEST % text for text in texts],
                "requests, body as text": [_REQUEST % json.dumps(text) for text in texts],
            }
            for kind, written in lines.items():
                path = _write(folder, body.name.replace(" ", "-"), written, size)
                fresh: Callable[[], list[Path]] = partial(list, [path])
                sides = {"json.loads": Side(_loads, fresh), "scan": Side(partial(_scan, ()), fresh)}
                every = partial(_scan, ("litellm", "opentelemetry", "langfuse"))
                sides["scan, more presets"] = Side(every, fresh)
                if "text" in kind:
                    sides["json.loads of both"] = Side(_loads_both, fresh)
                bench.ratios(f"{body.name}, {kind}", bench.race(sides), "json.loads")


if __name__ == "__main__":
    main(__doc__, {"scan": run})
