"""The built-in rules: one table, a row per thing to catch, each with owner and evidence."""

from __future__ import annotations

from typing import Final

from body_guard.core.errors import PolicyError
from body_guard.core.rules import Rule

__all__ = ["SENTRY", "preset"]

#: On by default. Both prefixes are Sentry's own and mean nothing to any provider. The second is
#: not covered by the first: sentry_sdk writes it into botocore's and httplib's objects.
SENTRY: Final = (
    Rule(
        name="sentry",
        prefixes=("_sentry_", "_sentrysdk_"),
        owner="sentry-sdk",
        evidence="https://github.com/getsentry/sentry-python/issues/6596",
    ),
)


def preset(name: str) -> tuple[Rule, ...]:
    """Give the rules of a preset.

    Raises:
        PolicyError: There is none of this name.
    """
    if name == "sentry":
        return SENTRY
    raise PolicyError(f"There is no preset {name!r}; there are sentry.")
