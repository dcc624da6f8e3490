"""The group of commands, one function each; a command imports what it needs when it runs."""

from __future__ import annotations

import warnings

import click

import body_guard
from body_guard.cli.extras import require
from body_guard.cli.fields import fields
from body_guard.cli.options import Commands, format_option
from body_guard.cli.policy import policy
from body_guard.cli.presets import presets
from body_guard.cli.run import run as run_command
from body_guard.cli.scan import scan

__all__ = ["group"]


@click.group(cls=Commands)
@click.version_option(body_guard.__version__, message="%(prog)s %(version)s")
def group() -> None:
    """Look at outbound HTTP bodies before they leave."""


@group.command()
@click.option("--verbose", is_flag=True, help="Print each claim that is checked.")
def demo(verbose: bool) -> None:
    """Send bodies to a server on this machine, guarded and not, and show what arrives.

    Nothing leaves the machine. The exit code is 0 when everything the demo says held.
    """
    require("litellm", "sentry_sdk", extra="demo")
    with warnings.catch_warnings():
        # What a third party warns of while it is imported or used is not about the demo.
        warnings.simplefilter("ignore")
        from body_guard.cli.demo import run

        code = run(verbose=verbose)
    raise SystemExit(code)


@group.command()
@click.option("--verbose", is_flag=True, help="Print each door too, and whether it is hooked.")
@format_option
def doctor(verbose: bool, form: str) -> None:
    """Show what body_guard guards in litellm and sentry-sdk, and what it does not.

    Nothing is sent. The exit code is 0 when every door that exists is hooked.
    """
    from body_guard.cli.doctor import run

    raise SystemExit(run(verbose=verbose, form=form))


for command in (fields, policy, presets, run_command, scan):
    group.add_command(command)
