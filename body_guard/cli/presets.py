"""``body-guard presets``: what the built-in rules match, and where, and what shows the leak."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from body_guard.builtin_rules.catalog import preset
from body_guard.builtin_rules.preset_tables import PRESETS
from body_guard.builtin_rules.sentry import SENTRY
from body_guard.core.errors import PolicyError

if TYPE_CHECKING:
    from body_guard.core.rule import Rule

__all__ = ["presets"]


@click.command()
@click.argument("name", required=False)
def presets(name: str | None) -> None:
    """Print the built-in presets, or the rules of the one NAMEd.

    With each rule: what it matches and where, who puts it there, and the issue or source that
    shows the leak. The exit code is 2 when there is no such preset.
    """
    console = Console(soft_wrap=False)
    if name is None:
        console.print(_list_presets())
        return
    try:
        rules = preset(name)
    except PolicyError as error:
        raise click.UsageError(str(error)) from None
    for rule in rules:
        console.print(_describe(rule))


def _list_presets() -> Table:
    table = Table("preset", "rules", "names", "owner", "", box=None)
    for name, rules in PRESETS.items():
        names = sum(len(_patterns(rule)) for rule in rules)
        owners = ", ".join(dict.fromkeys(rule.owner for rule in rules))
        default = "on by default" if rules is SENTRY else ""
        table.add_row(name, str(len(rules)), str(names), owners, default)
    return table


def _describe(rule: Rule) -> Table:
    table = Table(box=None, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    zones = "; not in JSON Schema properties, tool arguments, text" if rule.protect else ""
    rows = {
        "rule": rule.name,
        "matches": " ".join(_patterns(rule)),
        "where": " ".join(rule.scope) + zones,
        "except": " ".join(rule.exceptions),
        "action": rule.action,
        "owner": rule.owner,
        "evidence": rule.evidence,
    }
    for label, text in rows.items():
        if text:
            table.add_row(label, text)
    return table


def _patterns(rule: Rule) -> tuple[str, ...]:
    return (*rule.keys, *(f"{prefix}*" for prefix in rule.prefixes), *rule.types)
