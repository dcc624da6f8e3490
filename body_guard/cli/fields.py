"""``body-guard fields``: the inventory of what recorded request bodies hold."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import click

from body_guard.cli.extras import require
from body_guard.cli.scan import paths_argument, read_baseline, write_baseline, write_report
from body_guard.core.encode import DEEPEST
from body_guard.core.json_text import is_deeper
from body_guard.core.pointer import escape_token, join_pointer
from body_guard.core.redaction import redact_token
from body_guard.formats.content_type import detect_media

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from body_guard.recordings.body import Body
    from body_guard.recordings.sources import Source

__all__ = ["fields"]

#: What `record` writes for a value that it does not show.
_MASKED: Final = re.compile(r"(str)\(\d+\)|(int|float|bool)")

#: Keys that are an id, and so data, though they look like names: numbers, and names with five
#: digits in a row, a UUID, or 16 hexadecimal digits in them.
_ID: Final = re.compile(r"\d+\Z|.*(?:\d{5}|[0-9a-f]{8}-[0-9a-f]{4}-|[0-9a-f]{16})", re.IGNORECASE)


@click.command()
@paths_argument
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text")
@click.option("--output", metavar="FILE", help="Write the list there.")
@click.option("--baseline", metavar="FILE", help="Exit with 1 for a field that FILE lacks.")
@click.option("--update-baseline", is_flag=True, help="Write the fields to the baseline.")
def fields(
    paths: tuple[str, ...],
    form: str,
    output: str | None,
    baseline: str | None,
    update_baseline: bool,
) -> None:
    """List the fields of recorded request bodies: by host, with types, and how often.

    PATH is what scan reads, and what record wrote. Indices of arrays are shown as *, keys that are
    data (ids, addresses) as {key}. No value is shown.

    The exit code is 0 when bodies were read; 1 when a field is not in the baseline; 2 for a mistake
    in the call, and when something could not be read or no body was found.
    """
    require("ijson", "yaml", "zstandard", extra="scan")
    from body_guard.cli.progress import show_progress

    known = read_baseline(baseline, update_baseline, "field")
    inventory = Inventory()
    with show_progress() as tell:
        inventory.read(paths, [each for each in (output, baseline) if each], tell)
    new = [each for each in inventory.rows() if baseline and _name(each) not in known]
    if baseline and update_baseline:
        write_baseline(baseline, "fields", [{"field": _name(each)} for each in inventory.rows()])
        new = []
    if form == "json":
        listed = [dict(zip(_MEMBERS, row, strict=True)) for row in inventory.rows()]
        document = {"version": 1, "fields": listed}
        write_report(json.dumps(document, indent=2) + "\n", output)
    else:
        write_report(_as_text(inventory), output)
    for row in new:
        click.echo(f"not in {baseline}: {_name(row)}", err=True)
    for why in inventory.unread:
        click.echo(f"not read: {why}", err=True)
    if inventory.others:
        click.echo(f"bodies that are no JSON, and not listed: {inventory.others:,}", err=True)
    if new:
        raise SystemExit(1)
    if inventory.unread or not inventory.bodies:
        raise SystemExit(2)


_MEMBERS: Final = ("host", "path", "types", "count", "bodies")

#: Host, path, types, how often, and in how many bodies.
Row = tuple[str, str, list[str], int, int]


def _name(row: Row) -> str:
    """Return what a field is known by in a baseline."""
    return f"{row[0]} {row[1]}"


@dataclass(slots=True)
class Inventory:
    """The fields of the bodies read so far."""

    bodies: int = 0
    others: int = 0
    unread: list[str] = field(default_factory=list)
    _types: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    _count: Counter[tuple[str, str]] = field(default_factory=Counter)
    _bodies: Counter[tuple[str, str]] = field(default_factory=Counter)

    def read(
        self, paths: Iterable[str], without: Iterable[str], tell: Callable[[Source], object]
    ) -> None:
        """Read files, as `Scan.run`."""
        from body_guard.recordings.body import Body, Unread, UnreadableError
        from body_guard.recordings.reader import read_source
        from body_guard.recordings.sources import find_sources, open_source

        for source in find_sources(paths, tuple(without)):
            if isinstance(source, Unread):
                self.unread.append(f"{source.file}: {source.why}")
                continue
            tell(source)
            try:
                with open_source(source) as opened:
                    for item in read_source(source, opened):
                        if isinstance(item, Unread):
                            self.unread.append(f"{item.file}: {item.why}")
                        elif isinstance(item, Body):
                            self._add(item)
            except UnreadableError as error:
                self.unread.append(f"{source.name}: {error}")

    def _add(self, body: Body) -> None:
        where = f"{body.file}: entry {body.entry}"
        try:
            if is_deeper(body.content, DEEPEST):  # some Pythons can parse it, some cannot
                raise RecursionError
            value = json.loads(body.content)
        except RecursionError:
            self.unread.append(f"{where}: its body is nested too deeply")
            return
        except ValueError:
            if detect_media(body.content, body.content_type).kind in ("json", "sniffed"):
                self.unread.append(f"{where}: its body is no JSON")
            else:
                self.others += 1
            return
        self.bodies += 1
        seen = set()
        for tokens, kind in _walk(value):
            key = body.host, join_pointer(tokens)
            self._types.setdefault(key, set()).add(kind)
            self._count[key] += 1
            seen.add(key)
        self._bodies.update(seen)

    def rows(self) -> list[Row]:
        """Return the fields, by host and path."""
        return [
            (*key, sorted(types), self._count[key], self._bodies[key])
            for key, types in sorted(self._types.items())
        ]


def _walk(value: object) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the path and the type of every scalar, and of containers with nothing in them."""
    todo: list[tuple[tuple[str, ...], object]] = [((), value)]
    while todo:
        tokens, value = todo.pop()
        if isinstance(value, dict) and value:
            todo += [((*tokens, _token(key)), member) for key, member in value.items()]
        elif isinstance(value, list) and value:
            todo += [((*tokens, "*"), item) for item in value]
        else:
            yield tokens, _kind(value)


def _token(key: str) -> str:
    """Return a key as it is shown: one that is data as ``{key}``."""
    return "{key}" if redact_token(key) != key or _ID.match(key) else escape_token(key)


def _kind(value: object) -> str:
    if isinstance(value, str):
        masked = _MASKED.fullmatch(value)
        return next(filter(None, masked.groups())) if masked else "str"
    names = {dict: "object", list: "array", type(None): "null"}
    return names.get(type(value), type(value).__name__)


def _as_text(inventory: Inventory) -> str:
    rows = [
        (host or "-", path or "the whole body", " ".join(types), f"{count:,}", f"{bodies:,}")
        for host, path, types, count, bodies in inventory.rows()
    ]
    rows.insert(0, ("host", "path", "types", "count", "bodies"))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = []
    for row in rows:
        texts = [text.ljust(width) for text, width in zip(row[:3], widths[:3], strict=True)]
        texts += [text.rjust(width) for text, width in zip(row[3:], widths[3:], strict=True)]
        lines.append("  ".join(texts) + "\n")
    return "".join(lines)
