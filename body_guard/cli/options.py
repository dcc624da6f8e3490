"""What the commands share: one-line errors, the choice of a format, JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

__all__ = ["Commands", "format_option", "print_json"]

#: For commands that print text or JSON.
format_option = click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", help="Of the output."
)


def print_json(**members: object) -> None:
    """Print an object of version 1."""
    click.echo(json.dumps({"version": 1, **members}, indent=2))


class Commands(click.Group):
    """A group whose errors take one line, which says what is wrong and where help is."""

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run a command line, as click does; exit with its code where it stands alone."""
        run: Any = super().main
        if not standalone_mode:
            return run(*args, standalone_mode=False, **extra)
        try:
            code = run(*args, standalone_mode=False, **extra)
        except click.ClickException as error:
            text = error.format_message()
            if "\n" in text:  # the help of a group that was given no command
                error.show()
            elif isinstance(error, click.UsageError) and error.ctx is not None:
                dot = "" if text.endswith((".", "?")) else "."
                click.echo(f"Error: {text}{dot} See {error.ctx.command_path} --help.", err=True)
            else:
                click.echo(f"Error: {text}", err=True)
            sys.exit(error.exit_code)
        except click.Abort:  # Ctrl-C
            click.echo("Aborted.", err=True)
            sys.exit(1)
        sys.exit(code if isinstance(code, int) else 0)
