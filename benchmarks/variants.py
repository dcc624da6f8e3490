"""The encoders that are compared: body_guard's in each of its settings, and orjson's own."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from body_guard import Policy, Rule, Sanitizer
from body_guard.core import presets

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["encoders", "every_preset"]


def every_preset() -> Policy | None:
    """Give a policy with the rules of all presets; None while there is but the default."""
    found: dict[str, Rule] = {}
    for name in presets.__all__:
        value = getattr(presets, name)
        for group in value.values() if isinstance(value, dict) else (value,):
            if isinstance(group, tuple):
                found.update({rule.name: rule for rule in group if isinstance(rule, Rule)})
    rules = tuple(found.values())
    return Policy(rules) if len(rules) > len(Policy().rules) else None


def encoders() -> dict[str, Callable[[object], bytes] | str]:
    """Give the encoders by name; where one cannot be had, why."""
    policy, orjson = every_preset(), installed("orjson")
    return {
        "guarded": _encoder(Sanitizer()),
        "guarded, all presets": (
            _encoder(Sanitizer(policy)) if policy else "there is no preset but the default"
        ),
        "guarded, no orjson": "body_guard does not use orjson yet",
        "orjson alone": orjson.dumps if orjson else "orjson is not installed",
    }


def _encoder(sanitizer: Sanitizer) -> Callable[[object], bytes]:
    return lambda value: sanitizer.encode(value)[0]


def installed(name: str) -> Any:
    """Give a module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
