"""The command ``body-guard``; what it needs beyond the library comes with an extra."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

__all__ = ["keep_litellm_offline", "main", "require"]


def main() -> None:
    """Run the command line; with exit code 2 and what to install when click or rich is missing."""
    # The demo needs more, and is not to be told in two steps.
    require("click", "rich", extra="demo" if sys.argv[1:2] == ["demo"] else "cli")
    from body_guard.cli.commands import group

    group(prog_name="body-guard")


def require(*modules: str, extra: str) -> None:
    """Leave the process with exit code 2 when a module is missing, and say what brings it.

    Args:
        modules: Names of top-level modules; none of them is imported.
        extra: Of body-guard, which has them.

    Raises:
        SystemExit: One of them is not installed.
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        print(
            f"body-guard needs {' and '.join(missing)}: pip install 'body-guard[{extra}]'",
            file=sys.stderr,
        )
        raise SystemExit(2)


def keep_litellm_offline() -> None:
    """Have litellm, where it is not imported yet, not fetch its price list from the network."""
    if "litellm" not in sys.modules:
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
