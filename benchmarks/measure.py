"""How the benchmarks measure and report.

Sides take turns: in each round every side has one lap over values of its own, made anew, and each
side begins as many rounds as any other. What is compared is the ratio of two laps of one round, so
that a machine that is busy for a while is busy for both; what is printed is the median of the
rounds' ratios and their quartiles. Values are fresh for every single call, since C code that asks
for the UTF-8 form of a string, as orjson does, leaves that form inside the string, and a second
encoding of the same strings is up to four times faster than any that happens in an application.
Laps are CPU time; the garbage collector runs between them and not in them, unless ``--gc`` lets it.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import body_guard
from benchmarks.variants import passes
from body_guard.core import accelerator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from benchmarks.goals import Goal

__all__ = [
    "Bench",
    "Race",
    "Row",
    "Side",
    "Spread",
    "copies",
    "main",
    "markdown",
    "repeated",
    "time_of",
]

_VERSIONS: Final = (
    *("httpx", "httpcore", "orjson", "litellm", "sentry-sdk", "openai", "fastapi"),
    *("pydantic-core", "h11", "anyio"),
)


class Spread(NamedTuple):
    """The median of some numbers, their quartiles, and the least of them."""

    middle: float
    low: float
    high: float
    least: float

    @classmethod
    def of(cls, numbers: Iterable[float]) -> Spread:
        """Return the spread of numbers; of one number, that number."""
        ordered = sorted(numbers)
        if len(ordered) == 1:
            return cls(*ordered * 4)
        low, middle, high = statistics.quantiles(ordered, n=4, method="inclusive")
        return cls(middle, low, high, ordered[0])


class Side(NamedTuple):
    """What is compared: an act, and where its values come from.

    Attributes:
        act: Called with one value at a time.
        fresh: Returns the values of one lap, none of which was ever used.
        pure: Whether body_guard judges by its plain passes meanwhile.
    """

    act: Callable[[Any], object]
    fresh: Callable[[], list[Any]]
    pure: bool = False


@dataclass(frozen=True, slots=True)
class Race:
    """What rounds took: seconds for one value, by side and round."""

    cpu: Mapping[str, Sequence[float]]
    wall: Mapping[str, Sequence[float]]

    def ratio(self, side: str, *base: str) -> Spread:
        """Return the CPU time of a side to that of others together, round by round."""
        pairs = zip(self.cpu[side], self.together(base), strict=True)
        return Spread.of(one / other for one, other in pairs)

    def together(self, sides: Iterable[str]) -> list[float]:
        """Return the CPU time of sides together, by round."""
        return [sum(laps) for laps in zip(*(self.cpu[side] for side in sides), strict=True)]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        suite: The benchmark that gave it.
        subject: What was worked on, such as a body.
        side: Who worked on it.
        unit: Of the figures; ``x`` is a ratio to `base`.
        middle: The median.
        low: The lower quartile.
        high: The upper quartile.
        least: The least of all rounds.
        base: What the ratio is to, in seconds; None where the figure is no ratio.
        row: The promise that it answers, as `Goal.row`; "" for none.
        goal: What `middle` may come to.
        met: Whether it does.
        at: Where on its axis the figure stands, in a series.
    """

    suite: str
    subject: str
    side: str
    unit: str
    middle: float
    low: float
    high: float
    least: float
    base: float | None
    row: str
    goal: float | None
    met: bool | None
    at: float | None = None

    def cells(self) -> tuple[str, ...]:
        """Return the figures as a table shows them."""
        goal = "" if self.goal is None else f"{self.goal:g}: {'met' if self.met else 'NOT MET'}"
        return (
            f"{self.suite}: {self.subject}",
            self.side,
            f"{_figure(self.middle)} {self.unit}",
            f"{_figure(self.low)} to {_figure(self.high)}",
            "" if self.base is None else time_of(self.base),
            goal,
        )


HEADER: Final = ("subject", "side", "median", "quartiles", "base", "goal")
_WIDTHS: Final = (58, 32, 12, 17, 8, 0)


@dataclass(slots=True)
class Bench:
    """One run: its options and its results."""

    rounds: int = 25
    quick: bool = False
    collector: bool = False
    silent: bool = False
    suite: str = ""
    rows: list[Row] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def race(
        self,
        sides: Mapping[str, Side],
        *,
        rounds: int | None = None,
        clock: Callable[[], float] = time.thread_time,
        per: int = 1,
    ) -> Race:
        """Run sides in turn.

        Args:
            sides: By name.
            rounds: How many; as the command line says when None.
            clock: Of the CPU time: the thread's, or `time.process_time` where others work too.
            per: How many things are done with one value, such as requests of a batch.

        Returns:
            The laps, by side and round.
        """
        cpu: dict[str, list[float]] = {name: [] for name in sides}
        wall: dict[str, list[float]] = {name: [] for name in sides}
        order = list(sides)
        for side in sides.values():
            _lap(side, clock)  # unmeasured: the first calls specialize code and fill caches
        gc.collect()
        if not self.collector:
            gc.freeze()  # so that collecting, before each lap, does not walk all that is loaded
        for _ in range(rounds or self.rounds):
            for name in order:
                gc.collect()
                if not self.collector:
                    gc.disable()
                taken = _lap(sides[name], clock)
                gc.enable()
                cpu[name].append(taken[0] / per)
                wall[name].append(taken[1] / per)
            order.append(order.pop(0))
        return Race(cpu, wall)

    def row(
        self,
        subject: str,
        side: str,
        unit: str,
        spread: Spread,
        *,
        base: float | None = None,
        goal: Goal | None = None,
        at: float | None = None,
    ) -> None:
        """Keep a figure, and print it."""
        row = Row(
            self.suite,
            subject,
            side,
            unit,
            *spread,
            base=base,
            row=goal.row if goal else "",
            goal=goal.limits[side] if goal else None,
            met=goal.met(side, spread.middle) if goal else None,
            at=at,
        )
        self.rows.append(row)
        self._print("  ".join(map(str.ljust, row.cells(), _WIDTHS)).rstrip())

    def ratios(
        self,
        subject: str,
        race: Race,
        *base: str,
        goals: Sequence[Goal | None] = (),
        of: Iterable[str] | None = None,
        at: float | None = None,
    ) -> None:
        """Keep ratios of sides of a race.

        Args:
            subject: What was worked on.
            race: The laps.
            base: The sides that the others are compared to, together.
            goals: What is promised of any of the sides.
            of: The sides to compare; all but the base when None.
            at: Where on its axis the figure stands, in a series.
        """
        seconds = statistics.median(race.together(base))
        for side in race.cpu if of is None else of:
            if side not in base:
                goal = next((one for one in goals if one and side in one.limits), None)
                ratio = race.ratio(side, *base)
                self.row(subject, side, "x", ratio, base=seconds, goal=goal, at=at)

    def table(self, title: str, header: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
        """Keep a table of words, and print it."""
        self.tables.append({"suite": self.suite, "title": title, "header": header, "lines": lines})
        self._print(f"\n{title}\n\n{markdown(header, lines)}\n")

    def note(self, text: str) -> None:
        """Keep a sentence, such as what was left out and why, and print it."""
        self.notes.append(f"{self.suite}: {text}")
        self._print(f"({self.notes[-1]})")

    def _print(self, text: str) -> None:
        if not self.silent:
            print(text, flush=True)


def _lap(side: Side, clock: Callable[[], float]) -> tuple[float, float]:
    values, act = side.fresh(), side.act
    with passes(pure=side.pure):
        started, begun = time.perf_counter(), clock()
        for value in values:
            act(value)
        cpu, wall = clock() - begun, time.perf_counter() - started
    return cpu / len(values), wall / len(values)


def repeated(size: int, *, quick: bool = False) -> int:
    """Return how many bodies of so many bytes make a lap long enough to be timed."""
    return 1 if quick else max(1, min(200, 10**6 // size))


def copies(content: bytes, times: int) -> list[bytes]:
    """Return copies of some bytes, each in memory of its own."""
    return [bytes(bytearray(content)) for _ in range(times)]


def time_of(seconds: float) -> str:
    """Return a duration with its unit."""
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{_figure(seconds * factor)} {unit}"
    return f"{_figure(seconds * 1e6)} us"


def _figure(number: float) -> str:
    """Return a number in three significant digits, without an exponent."""
    return f"{number:.{2 if abs(number) >= 1 else 3}f}" if abs(number) < 100 else f"{number:,.0f}"


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    cells = [[cell.replace("|", "\\|") for cell in line] for line in (header, *lines)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    drawn = [
        "| " + " | ".join(map(str.ljust, line, widths)) + " |"
        for line in (cells[0], ["-" * width for width in widths], *cells[1:])
    ]
    return "\n".join(drawn)


def machine() -> dict[str, Any]:
    """Return where this runs: the interpreter, the machine, the versions."""
    versions = {"body_guard": body_guard.__version__}
    for name in _VERSIONS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "passes": "compiled" if accelerator.is_compiled() else "pure",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": [round(load, 2) for load in os.getloadavg()],
        "commit": _commit(),
        "versions": versions,
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor()


def _commit() -> str:
    """Return what git calls this checkout; "" for one without git."""
    here = pathlib.Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return ""
    return done.stdout.strip()


def main(
    doc: str | None,
    suites: Mapping[str, Callable[[Bench], None]],
    summary: Callable[[Bench], None] = lambda _: None,
) -> None:
    """Run benchmarks as the command line says.

    Args:
        doc: What they are, for ``--help``.
        suites: By name; with more than one, some of them can be named.
        summary: Given the bench at the end.
    """
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, help="how often each side runs (25)")
    parser.add_argument("--quick", action="store_true", help="one round, small bodies: does it run")
    parser.add_argument("--gc", action="store_true", help="let the garbage collector run in laps")
    parser.add_argument("--json", metavar="FILE", help="write every figure there")
    parser.add_argument("--markdown", action="store_true", help="print tables in Markdown")
    if len(suites) > 1:
        parser.add_argument("suites", nargs="*", help=f"of {', '.join(suites)}; all by default")
    options = parser.parse_args()
    chosen = getattr(options, "suites", None) or list(suites)
    if unknown := sorted({*chosen} - {*suites}):
        parser.error(f"no such benchmark: {', '.join(unknown)}")
    rounds = options.rounds or (1 if options.quick else 25)
    bench = Bench(rounds, options.quick, options.gc, options.markdown)
    about = {**machine(), "rounds": rounds, "quick": options.quick, "collector in laps": options.gc}
    print("; ".join(f"{key} {_joined(value)}" for key, value in about.items()) + "\n", flush=True)
    for name in chosen:
        bench.suite = name
        suites[name](bench)
    about["load at the end"] = [round(load, 2) for load in os.getloadavg()]
    tables, bench.silent = [*bench.tables], False
    summary(bench)
    if options.markdown:
        for table in tables:
            print(f"\n{table['title']}\n\n{markdown(table['header'], table['lines'])}")
        print(f"\n{markdown(HEADER, [row.cells() for row in bench.rows])}")
        print("".join(f"\n* {note}" for note in bench.notes))
    print(f"\nload at the end {_joined(about['load at the end'])}")
    if options.json:
        found = {
            "machine": about,
            "rows": [asdict(row) for row in bench.rows],
            "tables": bench.tables,
            "notes": bench.notes,
        }
        text = json.dumps(found, indent=1, ensure_ascii=False)
        pathlib.Path(options.json).write_text(text + "\n", encoding="utf-8")
    sys.stdout.flush()


def _joined(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {version}" for name, version in value.items())
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
