"""The default preset: the bookkeeping of sentry-sdk."""

from __future__ import annotations

from typing import Final

from body_guard.core.rule import Rule

__all__ = ["SENTRY"]

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
