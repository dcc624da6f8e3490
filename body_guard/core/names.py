"""The names that rules forbid, asked of the names of dicts instead of searched for in text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from body_guard.core.scopes import Places

if TYPE_CHECKING:
    from collections.abc import Iterable

    from body_guard.core.rules import Rule

__all__ = ["Names"]

#: How many names that no rule forbids are remembered, and how many characters of them at once: a
#: client sends the same few again and again, and asking for each takes longer than a small body.
_MOST_KNOWN: Final = 4096
_MOST_LEARNED: Final = 4096


class Names:
    """The names that rules forbid.

    Args:
        rules: Whose names are looked for.
    """

    __slots__ = ("_allowed", "_initials", "_keys", "_places", "_prefixes", "_rules")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rule for rule in rules if rule.keys or rule.prefixes)
        self._allowed: set[str] = set()
        self._keys = frozenset(key for rule in self._rules for key in rule.keys)
        self._prefixes = tuple(prefix for rule in self._rules for prefix in rule.prefixes)
        self._initials = frozenset(prefix[0] for prefix in self._prefixes)
        self._places = Places(
            glob for rule in self._rules if _is_bound(rule) for glob in rule.scope
        )

    def among(self, names: set[str]) -> set[str]:
        """Give those of the (decoded) names of members that a rule forbids somewhere."""
        if names <= self._allowed:
            return set()
        initials, prefixes = self._initials, self._prefixes
        found = {name for name in names if name[:1] in initials and name.startswith(prefixes)}
        found |= self._keys & names
        if not found and sum(map(len, names)) <= _MOST_LEARNED:
            if len(self._allowed) > _MOST_KNOWN:
                self._allowed.clear()
            self._allowed |= names
        return found

    def stand(self, names: set[str], value: object) -> bool:
        """Tell whether a rule may hold for one of these names where it stands.

        Most rules are bound to places, and their names are ordinary words elsewhere. So this goes
        to those places alone; what else a rule says of them is for a walk.

        Args:
            names: Some of the names in the value, as `among` gives them.
            value: A body that is proved to be plain data.
        """
        asked: list[tuple[set[str], int]] = []
        for rule in self._rules:
            found = {name for name in names if name in rule.keys or name.startswith(rule.prefixes)}
            if found and not _is_bound(rule):
                return True
            if found:
                asked.append((found, self._places.ends(rule.scope)))
        stack: list[tuple[Any, int]] = [(value, self._places.start)]
        while stack:
            container, place = stack.pop()
            members: Iterable[tuple[object, object]] = enumerate(container)
            if type(container) is dict:
                if any(place & ends and not found.isdisjoint(container) for found, ends in asked):
                    return True
                members = [*container.items()]
            for token, item in members:
                kind = type(item)
                if kind is dict or kind is list or kind is tuple:
                    below = self._places.below(place, str(token))
                    if below:
                        stack.append((item, below))
        return False


def _is_bound(rule: Rule) -> bool:
    """Tell whether there are places that a look for what a rule forbids need not go to."""
    return not any(glob.startswith(("**", "/**")) for glob in rule.scope)
