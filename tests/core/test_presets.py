"""The built-in rules, row by row."""

from __future__ import annotations

from body_guard import Policy, Rule
from body_guard.core import presets


def test_the_default_policy_is_sentrys_bookkeeping() -> None:
    """On by default: two prefixes that are Sentry's own, with owner and evidence."""
    (rule,) = presets.SENTRY
    assert rule == Rule(
        name="sentry",
        keys=(),
        prefixes=("_sentry_", "_sentrysdk_"),
        types=(),
        action="remove",
        owner="sentry-sdk",
        evidence="https://github.com/getsentry/sentry-python/issues/6596",
    )
    assert Policy().rules == presets.SENTRY
