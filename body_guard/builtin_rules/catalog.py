"""The built-in rules, by the name of their preset."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from body_guard.core.errors import PolicyError

if TYPE_CHECKING:
    from body_guard.builtin_rules.preset_names import PresetName
    from body_guard.core.rule import Rule

__all__ = ["preset", "presets"]


def preset(name: str) -> tuple[Rule, ...]:
    """Return the rules of a preset.

    Args:
        name: Such as ``"litellm"``; ``body-guard presets`` prints them all.

    Returns:
        Its rules, in order of precedence.

    Raises:
        PolicyError: There is none of this name; says which is spelled most like it.
    """
    # Not at the top: the default policy has no use for the tables.
    from body_guard.builtin_rules.preset_tables import PRESETS

    if not isinstance(name, str):
        raise _no_name(name)
    if name in PRESETS:
        return PRESETS[name]
    near = get_close_matches(name, PRESETS, n=1)
    guess = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(PRESETS)}."
    raise PolicyError(f"There is no preset {name!r}; {guess}")


def presets(*names: PresetName) -> tuple[Rule, ...]:
    """Return the rules of several presets, for ``Policy(presets("sentry", "litellm"))``.

    Args:
        names: As of `preset`, each once.

    Returns:
        Their rules, in the order of the names.

    Raises:
        PolicyError: There is no preset of such a name.
    """
    for name in names:
        if not isinstance(name, str):
            raise _no_name(name)
    return tuple(rule for name in dict.fromkeys(names) for rule in preset(name))


def _no_name(given: object) -> PolicyError:
    from body_guard.builtin_rules.preset_tables import PRESETS

    names = list(given) if isinstance(given, list | tuple) else []
    if not names or not all(isinstance(name, str) and name in PRESETS for name in names):
        names = ["sentry", "litellm"]
    return PolicyError(
        f"presets takes names, each a string, not {type(given).__name__}; "
        f"write presets({', '.join(repr(name) for name in names)})."
    )
