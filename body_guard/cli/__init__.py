"""The command ``body-guard``; what it needs beyond the library comes with an extra."""

from __future__ import annotations

import sys

from body_guard.cli.extras import require

__all__ = ["main"]


def main() -> None:
    """Run the command line; exit with code 2 and what to install when click or rich is missing."""
    # The demo needs more: require all of it at once.
    require("click", "rich", extra="demo" if sys.argv[1:2] == ["demo"] else "cli")
    from body_guard.cli.commands import group

    group(prog_name="body-guard")
