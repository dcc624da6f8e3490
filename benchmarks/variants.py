"""The settings of body_guard that are compared, and the switch between its passes."""

from __future__ import annotations

import importlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args

from body_guard import Policy, presets
from body_guard.builtin_rules.preset_names import PresetName
from body_guard.core import accelerator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["EVERY_PRESET", "SETTINGS", "Setting", "installed", "passes"]


class Setting(NamedTuple):
    """A policy, and which passes judge by it.

    Attributes:
        policy: What must not leave.
        pure: Whether the plain passes judge; else the compiled ones, where they were built.
    """

    policy: Policy
    pure: bool = False


EVERY_PRESET: Final = Policy(presets(*get_args(PresetName)))

SETTINGS: Final[Mapping[str, Setting]] = {
    "guarded": Setting(Policy()),
    "guarded, all presets": Setting(EVERY_PRESET),
    "guarded, pure": Setting(Policy(), pure=True),
}

_BUILT: Final = accelerator._used


@contextmanager
def passes(*, pure: bool) -> Iterator[None]:
    """Judge by the plain passes, or by the compiled ones where they were built."""
    accelerator._used = False if pure else _BUILT
    try:
        if pure and accelerator.is_compiled():
            raise RuntimeError("the plain passes were not chosen: their rows would be wrong")
        yield
    finally:
        accelerator._used = _BUILT


def installed(name: str) -> Any:
    """Return a module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
