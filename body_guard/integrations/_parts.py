"""A policy for what may be a part of a body, or no body at all.

``json.dumps`` is given whole bodies and much else by the same modules: the arguments of a tool call
(of an answer, too), the key of a cache of AWS credentials. No place is known in those: a rule for
the outermost object would take ``max_budget`` out of a tool's arguments, and out of the cache's key
the very names that tell one account from another.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from body_guard.policy import Policy

__all__ = ["policy_for"]

#: Members that a whole request to a model has, and the arguments of a tool hardly ever.
_TOLD_BY: Final = frozenset({"contents", "inputText", "inputs", "instances", "messages", "model"})

_last: tuple[Policy, Policy] | None = None


def policy_for(policy: Policy, value: object) -> Policy:
    """Return what of a policy holds for a value.

    Args:
        policy: For bodies.
        value: What is about to be encoded.

    Returns:
        The policy for a whole body; else the same with its rules that hold everywhere, and no look
        at the whole. What it then leaves, the door of the bytes will see in its place.
    """
    if issubclass(type(value), dict):
        names: list[object] = list(dict.keys(value))  # type: ignore[arg-type]  # it is one
        if any(type(name) is str and name in _TOLD_BY for name in names):
            return policy
    return _anywhere(policy)


def _anywhere(policy: Policy) -> Policy:
    # Kept for one policy, which is as many as are installed: to hash one takes longer than to look.
    global _last
    last = _last
    if last is None or last[0] is not policy:
        rules = tuple(rule for rule in policy.rules if rule.everywhere)
        parts = replace(policy, rules=rules, schema=None, stringified="off")
        last = _last = policy, policy if parts == policy else parts
    return last[1]
