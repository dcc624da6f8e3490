"""body_guard looks at every outbound HTTP body before it leaves the process.

It takes out what must never leave (live objects, ``_sentry_*`` bookkeeping, other libraries'
internals) and lets a clean body pass byte for byte. Importing this package imports no HTTP
library; the classes that need one import it when they are first asked for.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

from body_guard.builtin_rules.catalog import presets
from body_guard.core import accelerator
from body_guard.core.errors import (
    BodyError,
    BodyGuardError,
    BodyLimitError,
    BodyRejectedError,
    GuardError,
    PolicyError,
    SignedBodyError,
)
from body_guard.core.report import Finding, Report
from body_guard.core.rule import Rule
from body_guard.http.reporting import Counts, collect, counts, report_of
from body_guard.integrations.sdks import guard, unguard
from body_guard.policy import Policy
from body_guard.sanitizer import Sanitizer, sanitize, sanitize_bytes

if os.environ.get("BODY_GUARD_PURE") == "1":
    accelerator.use_plain("BODY_GUARD_PURE=1")

if TYPE_CHECKING:
    from body_guard import convert
    from body_guard.httpx import (
        GuardedAsyncClient,
        GuardedAsyncTransport,
        GuardedClient,
        GuardedTransport,
    )
    from body_guard.integrations.process_wide import coverage, install, uninstall
    from body_guard.recordings.recorder import record

__all__ = [
    "BodyError",
    "BodyGuardError",
    "BodyLimitError",
    "BodyRejectedError",
    "Counts",
    "Finding",
    "GuardError",
    "GuardedAsyncClient",
    "GuardedAsyncTransport",
    "GuardedClient",
    "GuardedTransport",
    "Policy",
    "PolicyError",
    "Report",
    "Rule",
    "Sanitizer",
    "SignedBodyError",
    "collect",
    "convert",
    "counts",
    "coverage",
    "guard",
    "install",
    "presets",
    "record",
    "report_of",
    "sanitize",
    "sanitize_bytes",
    "unguard",
    "uninstall",
]

__version__ = "0.1.0"

_LAZY = {
    "GuardedAsyncClient": "body_guard.httpx",
    "GuardedAsyncTransport": "body_guard.httpx",
    "GuardedClient": "body_guard.httpx",
    "GuardedTransport": "body_guard.httpx",
    "coverage": "body_guard.integrations.process_wide",
    "install": "body_guard.integrations.process_wide",
    "record": "body_guard.recordings.recorder",
    "uninstall": "body_guard.integrations.process_wide",
}


def __getattr__(name: str) -> object:
    if name == "convert":
        return import_module("body_guard.convert")
    if name in _LAZY:
        value: object = getattr(import_module(_LAZY[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
