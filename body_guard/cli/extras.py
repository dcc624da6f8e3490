"""What a command needs beyond the library: modules that an extra brings, and no network."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

__all__ = ["keep_litellm_offline", "require"]


def require(*modules: str, extra: str) -> None:
    """Exit with code 2, and name the extra to install, where a top-level module is missing."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        print(
            f"body-guard needs {' and '.join(missing)}: pip install 'body-guard[{extra}]'",
            file=sys.stderr,
        )
        raise SystemExit(2)


def keep_litellm_offline() -> None:
    """Keep litellm, where it is not imported yet, from fetching its price list."""
    if "litellm" not in sys.modules:
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
