"""What a story of the demo consists of, and how it looks on a console of 80 columns."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich import box
from rich.table import Column, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.console import Console

    from body_guard import Finding

__all__ = ["Call", "Claim", "Story", "Telling", "show", "table"]

#: Characters in a line of a body; two bodies stand side by side in 80 columns.
_WIDTH: Final = 38


@dataclass(frozen=True, slots=True)
class Call:
    """What came of one call: by whom, its error, the bodies that arrived, the findings."""

    name: str
    error: str
    bodies: tuple[bytes, ...]
    findings: tuple[Finding, ...]

    @property
    def values(self) -> list[object]:
        """The bodies, parsed."""
        return [_parse(body) for body in self.bodies]


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of the demo, and whether it held."""

    text: str
    held: bool


@dataclass(frozen=True, slots=True)
class Telling:
    """What a story showed: the same call plain and guarded, and what is claimed of the two."""

    plain: Call
    guarded: Call
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """Something that goes wrong without a guard, and the packages to import before it runs."""

    title: str
    about: str
    run: Callable[[], Telling]
    imports: tuple[str, ...] = ()


def show(
    console: Console, telling: Telling, logged: Iterable[str], *, verbose: bool = False
) -> None:
    """Print what a story showed, less the values that should not leave.

    Claims are printed with ``verbose``, or when one of them failed.
    """
    plain, guarded = telling.plain, telling.guarded
    places = [(found.path, found.rule, found.type, found.owner) for found in guarded.findings]
    remarks = [("log", line) for line in logged]
    if verbose or not all(claim.held for claim in telling.claims):
        remarks += [("held" if claim.held else "FAILED", claim.text) for claim in telling.claims]
    table(console, (plain.name, guarded.name), [(_outcome(plain), _outcome(guarded))])
    if places:
        table(console, ("found at", "rule", "type", "owner"), places)
    if remarks:
        table(console, ("", ""), remarks)


def table(console: Console, names: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print columns in the width of the console, without heads where all are empty."""
    columns = [Column(name, overflow="fold") for name in names]
    grid = Table(*columns, box=box.SIMPLE_HEAD, show_header=any(names), show_edge=False)
    for row in rows:
        grid.add_row(*row)
    console.print(grid)
    console.print()


def _outcome(call: Call) -> str:
    bodies = [_lay_out(_mask(value)) for value in call.values]
    return "\n".join([*filter(None, [call.error]), *(bodies or ["Nothing arrived."])])


def _lay_out(value: object, indent: int = 0, name: str = "") -> str:
    """Return a part of a parsed body as JSON, a container on one line where it fits."""
    margin = " " * indent
    line = f"{margin}{name}{json.dumps(value)}"
    if not isinstance(value, dict | list) or not value or len(line) <= _WIDTH:
        return line
    if isinstance(value, list):
        opening, closing = "[]"
        parts = [_lay_out(item, indent + 2) for item in value]
    else:
        opening, closing = "{}"
        parts = [
            _lay_out(member, indent + 2, f"{json.dumps(key)}: ") for key, member in value.items()
        ]
    return "\n".join([f"{margin}{name}{opening}", ",\n".join(parts), f"{margin}{closing}"])


def _parse(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return f"({len(body)} bytes that are not JSON)"


def _mask(value: object) -> object:
    """Return a parsed body with the length of what leaked in the place of it."""
    if isinstance(value, list):
        return [_mask(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: f"({len(str(member))} chars)" if key.startswith("_sentry_") else _mask(member)
        for key, member in value.items()
    }
