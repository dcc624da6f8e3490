"""The command ``run``: a Python program that one cannot edit, guarded."""

from __future__ import annotations

import os

import click

from body_guard.cli.guarding import Options, make_environment
from body_guard.core.errors import PolicyError
from body_guard.integrations.process_wide import BESIDE
from body_guard.policy import Policy, default_policy
from body_guard.recordings.recorder import record as make_recorder

__all__ = ["run"]


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--policy", metavar="FILE", default="", help="What must not leave, in TOML.")
@click.option("--record", metavar="FILE", default="", help="Record every body there.")
@click.option(
    "--libraries",
    multiple=True,
    type=click.Choice(["all", *BESIDE]),
    help="Guard these beside httpx and httpx2; repeatable.",
)
@click.option("--audit", is_flag=True, help="Report, and change nothing.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    policy: str, record: str, libraries: tuple[str, ...], audit: bool, command: tuple[str, ...]
) -> None:
    """Run COMMAND, a Python program, with its HTTP bodies guarded.

    Python processes that it starts are guarded too. COMMAND takes the place of this process, so
    its signals and its exit code are its own. The exit code is 2 when an option is wrong, 127 when
    there is no such command, and 126 when it cannot be run.
    """
    _check(policy, record)
    options = Options(audit, ("all",) if "all" in libraries else libraries, record)
    environment = make_environment(os.environ, options, policy)
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606 - the user's own command
    except FileNotFoundError:
        code, why = 127, "there is no such command; give its path, or put -- before it"
    except OSError as error:
        code, why = 126, f"it cannot be run: {error.strerror}"
    click.echo(f"Error: {command[0]}: {why}.", err=True)
    raise SystemExit(code)


def _check(policy: str, record: str) -> None:
    """Refuse here what every process would refuse."""
    try:
        if policy:
            Policy.load(policy)
        else:
            default_policy()
        if record:
            with make_recorder(record):
                pass
    except PolicyError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise click.UsageError(f"--record {record}: {error.strerror}") from None
