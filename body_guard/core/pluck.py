"""The dirty body of every day: plain data, but for members that go by their names.

A live span in the metadata of a body is one name to see and one dict to write anew. A walk keeps
books on places, rules and shared containers that such a body has no use for; on a small one they
take longer than all the rest. So this takes out what surely goes and leaves what it does not
understand: where the rest proves to be clean, a walk would have found the same and no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from body_guard.core.report import CLEAN, Listing, Report, segment
from body_guard.core.rules import STARTS
from body_guard.core.spelling import made_sound
from body_guard.core.typenames import package, qualified_name

if TYPE_CHECKING:
    from body_guard.core.rules import Matcher

__all__ = ["plucked"]

#: Members that are looked at, no more than a report lists, and levels. What is beyond stays as it
#: is: shared dicts can stand in more places than there is time for.
_MOST: Final = 1000
_LEVELS: Final = 250


def plucked(value: object, matcher: Matcher) -> tuple[object, Report]:
    """Take members out of a dict, and of dicts in dicts, by their names alone.

    Args:
        value: Anything; none of its code is run.
        matcher: The policy's rules.

    Returns:
        What is left, and the report; the dicts that changed are copies. If what is left is plain
        data without a forbidden name, both are what a walk gives. Where nothing is taken out, the
        value itself, and an empty report.
    """
    __tracebackhide__ = True
    if type(value) is not dict:
        return value, CLEAN
    listing = Listing()
    try:
        left = _Pluck(matcher, listing).left_of(value, [])
    except RuntimeError:  # another thread changed a dict, or the stack of the caller is full
        return value, CLEAN
    return left, CLEAN if left is value else Report(tuple(listing.findings), changed=True)


class _Pluck:
    __slots__ = ("_listing", "_matcher", "_room")

    def __init__(self, matcher: Matcher, listing: Listing) -> None:
        self._matcher = matcher
        self._listing = listing
        self._room = _MOST

    def left_of(self, members: dict[Any, Any], tokens: list[str]) -> dict[Any, Any]:
        """Give a dict less what is not to leave; the same dict where that is nothing."""
        __tracebackhide__ = True
        self._room -= len(members)
        if self._room < 0 or len(tokens) > _LEVELS:
            return members
        matcher = self._matcher
        starts, short, keys = matcher.starts, matcher.short, matcher.keys
        left: dict[Any, Any] = {}
        changed = False
        for name, item in members.items():
            if type(name) is not str:
                return members
            kind = type(item)
            if name[:STARTS] in starts or name in keys or (short and name.startswith(short)):
                found = matcher.named(made_sound(name))
                if found and found[0].everywhere and found[0].rule.action == "remove":
                    rule = found[0].rule
                    owner = rule.owner or package(kind)
                    path = [*tokens, segment(name)]
                    self._listing.add(path, rule.name, rule.action, qualified_name(kind), owner)
                    changed = True
                    continue
            if kind is dict:
                tokens.append(segment(name))
                below = self.left_of(item, tokens)
                tokens.pop()
                changed = changed or below is not item
                item = below
            left[name] = item
        return left if changed else members
