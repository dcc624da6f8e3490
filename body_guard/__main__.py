"""``python -m body_guard``: the command ``body-guard``."""

from __future__ import annotations

from body_guard.cli import main

main()
