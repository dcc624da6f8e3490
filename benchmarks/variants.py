"""The encoders that are compared: body_guard's in each of its settings, and orjson's own."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Side
from body_guard import Policy, Rule, Sanitizer

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Variant", "encoders", "every_preset", "installed", "restore"]


@dataclass(frozen=True, slots=True)
class Variant:
    """An encoder, and the setting of body_guard that it is called in.

    Attributes:
        encode: Gives the bytes of a value.
        orjson: Whether body_guard may use orjson meanwhile.
    """

    encode: Callable[[Any], bytes]
    orjson: bool = True

    def __call__(self, value: object) -> bytes:
        """Encode one value in this setting."""
        _switch(self.orjson)
        return self.encode(value)

    def side(self, fresh: Callable[[], list[Any]]) -> Side:
        """Give this as a side of a race; the setting is made before each lap, not in it."""

        def set_and_fresh() -> list[Any]:
            _switch(self.orjson)
            return fresh()

        return Side(self.encode, set_and_fresh)


def every_preset() -> Policy | None:
    """Give a policy with the rules of all presets; None while there is but the default."""
    tables = installed("body_guard.core.preset_tables")
    if tables is None:
        return None
    found: dict[str, tuple[Rule, ...]] = dict(tables.PRESETS)
    return Policy(tuple(rule for rules in found.values() for rule in rules))


def encoders() -> dict[str, Variant | str]:
    """Give the encoders by name; where one cannot be had, why."""
    policy, orjson = every_preset(), installed("orjson")
    return {
        "guarded": _guarded(Sanitizer()),
        "guarded, all presets": (
            _guarded(Sanitizer(policy)) if policy else "there is no preset but the default"
        ),
        "guarded, no orjson": _guarded(Sanitizer(), orjson=False),
        "orjson alone": Variant(orjson.dumps) if orjson else "orjson is not installed",
    }


def restore() -> None:
    """Let body_guard use orjson again."""
    _switch(True)


def installed(name: str) -> Any:
    """Give a module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _guarded(sanitizer: Sanitizer, *, orjson: bool = True) -> Variant:
    return Variant(lambda value: sanitizer.encode(value)[0], orjson)


_encode: Any = importlib.import_module("body_guard.core.encode")


def _switch(orjson: bool) -> None:
    """Set whether body_guard uses orjson; loud when the setting has moved, or rows would lie."""
    if hasattr(_encode, "use_orjson"):
        _encode.use_orjson = orjson
    elif installed("body_guard.core.proof"):
        raise RuntimeError("body_guard.core.encode has no use_orjson: nothing to switch off")
