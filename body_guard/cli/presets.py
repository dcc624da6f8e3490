"""``body-guard presets``: what the built-in rules match, and where, and what shows the leak."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console
from rich.table import Table

from body_guard.builtin_rules.catalog import preset
from body_guard.builtin_rules.preset_tables import PRESETS
from body_guard.builtin_rules.sentry import SENTRY
from body_guard.cli.options import format_option, print_json
from body_guard.core.errors import PolicyError

if TYPE_CHECKING:
    from body_guard.builtin_rules.preset_names import PresetName
    from body_guard.core.rule import Rule

__all__ = ["presets"]


#: What the names are, in a few words.
DESCRIPTIONS: Final[dict[PresetName, str]] = {
    "sentry": "live spans and data of the Sentry SDK",
    "litellm": "litellm's keys, budgets, teams and call ids",
    "litellm-replay": "litellm's switches of recorded answers",
    "cloud-credentials": "keys of clouds that litellm was given",
    "opentelemetry": "span and context objects, their attributes",
    "datadog": "trace contexts of Datadog's tracer",
    "langfuse": "prompt objects of Langfuse",
    "langfuse-trace": "trace ids, names and tags for Langfuse",
    "langchain": "run ids and tracing of LangChain, LangSmith",
    "helicone": "names that begin as Helicone's",
    "mlflow": "names that begin as MLflow's",
    "opik": "names that begin as Opik's",
    "posthog": "names that begin as PostHog's",
    "traceloop": "names that begin as Traceloop's",
    "trace-headers": "traceparent, baggage and the like, as members",
    "app-ui": "database ids of chat interfaces",
    "generic-private": "any name that begins with an underscore",
}


@click.command()
@click.argument("name", required=False)
@format_option
def presets(name: str | None, form: str) -> None:
    """Print the built-in presets, or the rules of the one NAMEd.

    With each rule: what it matches and where, who puts it there, and the issue or source that
    shows the leak. The exit code is 2 when there is no such preset.
    """
    console = Console(soft_wrap=False)
    if name is None and form == "json":
        print_json(presets=[_as_json(each) for each in PRESETS])
        return
    if name is None:
        console.print(_list_presets())
        return
    try:
        rules = preset(name)
    except PolicyError as error:
        raise click.UsageError(str(error)) from None
    if form == "json":
        print_json(preset=name, rules=[dataclasses.asdict(rule) for rule in rules])
        return
    for rule in rules:
        console.print(_describe(rule))


def _as_json(name: PresetName) -> dict[str, Any]:
    rules = PRESETS[name]
    return {
        "name": name,
        "description": DESCRIPTIONS[name],
        "rules": len(rules),
        "names": sum(len(_patterns(rule)) for rule in rules),
        "owners": list(dict.fromkeys(rule.owner for rule in rules if rule.owner)),
        "default": rules is SENTRY,
    }


def _list_presets() -> Table:
    table = Table("preset", "names", "what they are", box=None)
    for each in map(_as_json, PRESETS):
        default = " (default)" if each["default"] else ""
        table.add_row(each["name"], str(each["names"]), each["description"] + default)
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
