"""``body-guard scan``: what recorded request bodies hold that must not leave."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from body_guard.cli.extras import require
from body_guard.core.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from body_guard.cli.scanning import Scan

__all__ = ["paths_argument", "read_baseline", "scan", "write_baseline", "write_report"]

_FORMATS: Final = ("text", "json", "sarif", "html")

paths_argument = click.argument("paths", nargs=-1, required=True, metavar="PATH...")


@click.command()
@paths_argument
@click.option("--policy", "policy_file", metavar="FILE", help="What must not leave, in TOML.")
@click.option("--preset", "presets", multiple=True, metavar="NAME", help="Add built-in rules.")
@click.option(
    "--format", "form", type=click.Choice(_FORMATS), default="text", help="Of the report."
)
@click.option("--output", metavar="FILE", help="Write the report there.")
@click.option("--baseline", metavar="FILE", help="Tell only what FILE does not know.")
@click.option("--update-baseline", is_flag=True, help="Write what is found to the baseline.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 in spite of findings.")
@click.option("--fix", metavar="DIR", help="Write cleaned copies of the files there.")
def scan(
    paths: tuple[str, ...],
    policy_file: str | None,
    presets: tuple[str, ...],
    form: str,
    output: str | None,
    baseline: str | None,
    update_baseline: bool,
    exit_zero: bool,
    fix: str | None,
) -> None:
    """Look for what must not leave in recorded request bodies.

    PATH is a file, a folder, or - for the standard input. Read are HAR, VCR cassettes (YAML and
    JSON), JSON lines (a body or a request a line) and single bodies, also as gz and zst; of a
    recording its request bodies alone. No value out of a body is shown.

    The exit code is 0 when bodies were read and are clean; 1 when something was found; 2 for a
    mistake in the call, and when something could not be read or no body was found.
    """
    require("ijson", "yaml", "zstandard", extra="scan")
    from body_guard.cli.progress import show_progress
    from body_guard.cli.scanning import Scan, make_policy

    known = read_baseline(baseline, update_baseline, "fingerprint")
    try:
        done = Scan(make_policy(policy_file, presets), known, fix)
    except PolicyError as error:
        raise click.UsageError(str(error)) from None
    with show_progress() as tell:
        done.run(paths, [each for each in (output, baseline) if each], tell)
    if baseline and update_baseline:
        names = ("fingerprint", "file", "host", "path", "rule")
        listed = [{name: getattr(found, name) for name in names} for found in done.findings]
        write_baseline(baseline, "findings", listed)
        click.echo(f"{baseline}: {len(listed)} findings written", err=True)
    write_report(_formats()[form](done), output)
    if done.findings and not (exit_zero or update_baseline):
        raise SystemExit(1)
    if done.unread or not done.bodies:
        raise SystemExit(2)


def _formats() -> dict[str, Callable[[Scan], str]]:
    from body_guard.cli.scan_html import as_html
    from body_guard.cli.scan_reports import as_json, as_sarif, as_text

    return {"text": as_text, "json": as_json, "sarif": as_sarif, "html": as_html}


def read_baseline(file: str | None, update: bool, key: str) -> frozenset[str]:
    """Return what a baseline knows.

    Args:
        file: Its name; None where there is none.
        update: Whether it is about to be written, so that nothing is known.
        key: The member of its entries.

    Raises:
        click.UsageError: It cannot be read, or there is none to update.
    """
    if file is None:
        if update:
            raise click.UsageError("--update-baseline needs --baseline FILE, the file to write.")
        return frozenset()
    if update:
        return frozenset()
    try:
        with open(file, encoding="utf-8") as stream:
            document: Any = json.load(stream)
        entries = next(value for value in document.values() if isinstance(value, list))
        return frozenset(entry[key] for entry in entries)
    except FileNotFoundError:
        problem = f"{file} does not exist; --update-baseline writes it."
    except (OSError, ValueError, AttributeError, KeyError, TypeError, StopIteration):
        problem = f"{file} is no baseline of this command; --update-baseline writes one."
    raise click.UsageError(problem)


def write_baseline(file: str, name: str, entries: list[Any]) -> None:
    """Write a baseline: entries, an object a line, so that a diff shows what was added.

    Raises:
        click.UsageError: It cannot be written.
    """
    lines = ",\n".join(f"    {json.dumps(entry)}" for entry in entries)
    write_report(f'{{\n  "version": 1,\n  "{name}": [\n{lines}\n  ]\n}}\n', file)


def write_report(text: str, file: str | None) -> None:
    """Write a report to a file, or to the standard output where there is none.

    Raises:
        click.UsageError: It cannot be written.
    """
    if file is None:
        sys.stdout.write(text)
        return
    try:
        with open(file, "w", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise click.UsageError(f"{file} cannot be written: {error.strerror}.") from None
