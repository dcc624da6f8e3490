"""``body-guard policy check`` and ``explain``: what a policy file says, and what it does where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from body_guard.body_checks import find_schema
from body_guard.builtin_rules.sentry import SENTRY
from body_guard.builtin_rules.zones import ZONES
from body_guard.cli.options import format_option, print_json
from body_guard.core.errors import PolicyError
from body_guard.core.explain import explain as explain_rules
from body_guard.core.matcher import Matcher
from body_guard.core.pointer import split_pointer
from body_guard.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from body_guard.core.rule import Rule

__all__ = ["policy"]

_WOULD: Final = {
    "remove": "takes out",
    "replace": "replaces",
    "reject": "refuses the body for",
    "report": "reports, and leaves,",
}


@click.group()
def policy() -> None:
    """Check a policy file, and ask what its rules do at a place."""


@policy.command()
@click.argument("file")
@format_option
def check(file: str, form: str) -> None:
    """Read the policy in FILE and say what it comes to.

    The exit code is 0 when it makes sense, and 1, with file, key and reason, when it does not.
    """
    loaded = _load(file)
    if form == "json":
        hosts = {host: _as_json(own) for host, own in dict(loaded.hosts).items()}
        print_json(file=file, **_as_json(loaded), hosts=hosts)
        return
    click.echo(f"{file}: ok")
    click.echo("\n".join(_summary(loaded)))
    for host, own in dict(loaded.hosts).items():
        click.echo(f"{host}:")
        click.echo("\n".join(_summary(own)))


@policy.command()
@click.argument("file")
@click.argument("pointer")
@click.option("--host", default="", help="Where the body goes: its policy is asked.")
@click.option("--all", "every", is_flag=True, help="Say of the other rules why they do not fire.")
@format_option
def explain(file: str, pointer: str, host: str, every: bool, form: str) -> None:
    """Say which rule of the policy in FILE would fire at POINTER, and why.

    POINTER is an RFC 6901 pointer of a member: /metadata/x. Where a member around it is removed,
    that is shown instead. The exit code is 0 when it is a pointer and the policy makes sense,
    whether a rule fires or not.
    """
    asked = _load(file).for_host(host)
    try:
        judged = explain_rules(Matcher(asked.rules, ZONES), pointer)
    except ValueError as error:
        raise click.UsageError(f"{pointer!r} is no pointer: {error}.") from None
    audit = ", in an audit only in the report" if asked.mode == "audit" else ""
    fires = _fires_first(asked, pointer)
    if form == "json":
        print_json(
            pointer=pointer,
            mode=asked.mode,
            fires=[
                {
                    "rule": rule.name,
                    "action": rule.action,
                    "path": place,
                    "owner": rule.owner,
                    "when": when.removeprefix(", "),
                }
                for place, rule, when in fires
            ],
            rules=[{"rule": row.rule.name, "fires": row.fires, "why": row.why} for row in judged],
        )
        return
    for place, rule, when in fires:
        whose = f", of {rule.owner}" if rule.owner else ""
        inside = "" if place == pointer else f", with {pointer} in it"
        click.echo(f"rule {rule.name} {_WOULD[rule.action]} {place}{inside}{whose}{when}{audit}")
    if not fires:
        click.echo(f"no rule fires at {pointer} by its name")
    for row in (row for row in judged if row.fires or every):
        click.echo(f"  {row.rule.name}: {'fires' if row.fires else 'no'}, {row.why}")


def _fires_first(asked: Policy, pointer: str) -> list[tuple[str, Rule, str]]:
    """Return what fires at a place, or at the outermost that takes it along: where, and when."""
    tokens = pointer.split("/")
    for length in range(2, len(tokens)):
        place = "/".join(tokens[:length])
        taking = [(place, *fired) for fired in _fires(asked, place) if fired[0].action != "report"]
        if taking:
            return taking
    return [(pointer, *fired) for fired in _fires(asked, pointer)]


def _fires(asked: Policy, place: str) -> Iterator[tuple[Rule, str]]:
    """Return the rule that fires at a place, then the schema's; and in which bodies, if not all."""
    for row in explain_rules(Matcher(asked.rules, ZONES), place):
        if row.fires:
            yield row.rule, ""
            if row.rule.action in ("remove", "reject"):
                return
    if asked.schema is None:
        return
    schema = find_schema(asked.schema)
    body: object = None
    for token in reversed(split_pointer(place)):
        body = [body] if token.isdecimal() else {token: body}
    if not isinstance(body, dict):
        return
    found: dict[str, Rule] = {}
    for shape in schema.shapes:
        rules = schema.unknown_members({shape: None, **body}, asked.schema_action)
        found.update(
            (shape, row.rule) for row in explain_rules(Matcher(rules, ZONES), place) if row.fires
        )
    if found:
        some = len(found) < len(schema.shapes)
        yield next(iter(found.values())), f", in a body with {' or '.join(found)}" if some else ""


def _load(file: str) -> Policy:
    try:
        return Policy.load(file)
    except PolicyError as error:
        raise click.ClickException(str(error)) from None


def _as_json(policy: Policy) -> dict[str, Any]:
    return {
        "mode": policy.mode,
        "rules": [{"name": rule.name, "action": rule.action} for rule in policy.rules],
        "schema": policy.schema,
        "schema_action": policy.schema_action,
        "stringified": policy.stringified,
    }


def _summary(policy: Policy) -> Iterator[str]:
    yield f"  mode: {policy.mode}"
    rules = [f"{rule.name} ({rule.action})" for rule in policy.rules]
    yield f"  rules: {', '.join(rules) or 'none'}"
    if policy.schema is not None:
        yield f"  schema: {policy.schema} ({policy.schema_action})"
    if policy.stringified != "off":
        yield f"  stringified: {policy.stringified}"
    if not set(SENTRY) & set(policy.rules):
        yield '  the preset sentry is not among them; presets = ["sentry"] adds it'
