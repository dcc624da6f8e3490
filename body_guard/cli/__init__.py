"""The command ``body-guard``; what it needs beyond the library comes with an extra."""

from __future__ import annotations

import sys
from importlib.util import find_spec

__all__ = ["main", "require"]


def main() -> None:
    """Run the command line; with exit code 2 and what to install when click or rich is missing."""
    require("click", "rich")
    from body_guard.cli.commands import group

    group(prog_name="body-guard")


def require(*modules: str) -> None:
    """Leave the process with exit code 2 when a module is missing, and say what brings it.

    Args:
        modules: Names of top-level modules; none of them is imported.

    Raises:
        SystemExit: One of them is not installed.
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        print(
            f"body-guard needs {' and '.join(missing)}: pip install 'body-guard[demo]'",
            file=sys.stderr,
        )
        raise SystemExit(2)
