"""The names that rules forbid, asked of the names of dicts instead of searched for in text."""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from body_guard.core.scopes import Places
from body_guard.core.spelling import encodable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from body_guard.core.rules import Matcher, Rule

__all__ = ["Names"]

#: Characters of names that no rule forbids that are remembered, and of those learned at once: a
#: client sends the same few again and again, and asking for each takes longer than a small body.
_MOST_KNOWN: Final = 65_536
_MOST_LEARNED: Final = 4096

#: Sets of forbidden names for which what the rules say is remembered.
_MOST_ASKED: Final = 64

#: Containers that a look at places goes through.
_MOST_CONTAINERS: Final = 1_000_000


class Names:
    """The names of a matcher, for a look at those of many dicts at once.

    Args:
        matcher: The rules whose names are looked for.

    Attributes:
        bound: Whether some are forbidden at some places only.
    """

    __slots__ = (
        "_allowed",
        "_asked",
        "_initials",
        "_known",
        "_matcher",
        "_places",
        "bound",
    )

    def __init__(self, matcher: Matcher) -> None:
        bound = [rule for rule in matcher.rules if (rule.keys or rule.prefixes) and _is_bound(rule)]
        self._allowed: set[str] = set()
        self._known = 0
        self._matcher = matcher
        self._initials = frozenset(prefix[0] for prefix in matcher.prefixes)
        self._places = Places(glob for rule in bound for glob in rule.scope)
        self._asked = lru_cache(_MOST_ASKED)(self._ask)
        self.bound = bool(bound)

    def among(self, names: set[str]) -> set[str]:
        """Give those of the (decoded) names of members that a rule forbids somewhere.

        So it may be with a name that is no Unicode text: two halves of a character that stand one
        behind the other are one to whoever reads them as JSON.
        """
        __tracebackhide__ = True
        new = names - self._allowed
        if not new:
            return new
        initials, prefixes = self._initials, self._matcher.prefixes
        found = {name for name in new if name[:1] in initials and name.startswith(prefixes)}
        found |= self._matcher.keys & new
        found.update([name for name in new if not (name.isascii() or encodable(name))])
        new -= found
        learned = sum(map(len, new))
        if learned <= _MOST_LEARNED:
            self._known += learned
            if self._known > _MOST_KNOWN:
                self._allowed, self._known = set(), learned
            self._allowed |= new
        return found

    def stand(
        self, names: set[str], value: object, copies: Mapping[int, Any] = MappingProxyType({})
    ) -> bool:
        """Tell whether a rule may hold for one of these names where it stands.

        Most rules are bound to places, and their names are ordinary words elsewhere. So this goes
        to those places alone; what else a rule says of them is for a walk.

        Args:
            names: Some of the names in the value, as `among` gives them.
            value: A body, of plain data.
            copies: What the containers in it held when it was encoded, by their ids; where there
                is none, the container itself is looked at.

        Returns:
            Whether one may; so it is too where there are more containers than are looked at.
        """
        __tracebackhide__ = True
        ask = self._asked if sum(map(len, names)) <= _MOST_LEARNED else self._ask
        asked = ask(frozenset(names))
        if asked is None:
            return True
        stack: list[tuple[Any, int]] = [(value, self._places.start)]
        onward = self._places.onward
        for _ in range(_MOST_CONTAINERS):
            if not stack:
                return False
            container, place = stack.pop()
            container = copies.get(id(container), container)
            is_dict = type(container) is dict
            if is_dict:
                for name, ends in asked:
                    if place & ends and name in container:
                        return True
            if not place & onward:
                continue
            members = container.items() if is_dict else enumerate(container)
            for token, item in members:
                kind = type(item)
                if kind is dict or kind is list or kind is tuple:
                    below = self._places.below(place, str(token))
                    if below:
                        stack.append((item, below))
        return True

    def _ask(self, names: frozenset[str]) -> list[tuple[str, int]] | None:
        """Give where each name is forbidden, as bits of places; None where one is anywhere."""
        asked: list[tuple[str, int]] = []
        for name in names:
            if not encodable(name):
                return None
            for placed in self._matcher.named(name):
                if not _is_bound(placed.rule):
                    return None
                asked.append((name, self._places.ends(placed.rule.scope)))
        return asked


def _is_bound(rule: Rule) -> bool:
    """Tell whether there are places that a look for what a rule forbids need not go to."""
    return not any(glob.startswith(("**", "/**")) for glob in rule.scope)
