"""Explain which rule applies at a path, and why the others do not, to whoever writes a policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from body_guard.core.pointer import split_pointer

if TYPE_CHECKING:
    from body_guard.core.matcher import CompiledRule, Matcher
    from body_guard.core.rule import Rule

__all__ = ["Verdict", "explain"]


class Verdict(NamedTuple):
    """Whether a rule applies at a path.

    Attributes:
        rule: The rule.
        fires: Whether it is the one that would fire there.
        why: Why, or why not.
    """

    rule: Rule
    fires: bool
    why: str


def explain(matcher: Matcher, pointer: str) -> list[Verdict]:
    """Return for every rule, in order, whether it applies at a path.

    Args:
        matcher: The rules.
        pointer: An RFC 6901 pointer of a member or element.

    Returns:
        A verdict for each rule. Of a rule by types it says for which types the rule would fire;
        whether that comes before a rule by name depends on the value.

    Raises:
        ValueError: It is no pointer.
    """
    tokens = split_pointer(pointer)
    globs = matcher.globs
    container, member = globs.around, globs.start
    for token in tokens:
        container, member = member, globs.step(member, token)
    # An element's index looks like a member's name, and is judged as one.
    matching = {id(found) for token in tokens[-1:] for found in matcher.rules_for_name(token)}
    verdicts: list[Verdict] = []
    first: Rule | None = None
    for compiled in matcher.compiled:
        rule = compiled.rule
        matches = id(compiled) in matching
        limit = "" if compiled.everywhere else _find_limit(matcher, compiled, container, member)
        if not matches and not rule.types:
            why = "none of its keys or prefixes matches the name"
        elif limit:
            why = limit
        elif not matches:
            why = f"would fire for a value of type {', '.join(rule.types)}"
        elif first is not None:
            why = f"rule {first.name!r} comes first"
        else:
            first = rule
            verdicts.append(Verdict(rule, True, _find_match(rule, tokens[-1])))
            continue
        verdicts.append(Verdict(rule, False, why))
    return verdicts


def _find_limit(matcher: Matcher, compiled: CompiledRule, container: int, member: int) -> str:
    """Return why a rule does not hold at a path; "" if it does."""
    ends, rule = matcher.globs.ends, compiled.rule
    if not container & compiled.scope:
        return f"its scope is {', '.join(rule.scope)}"
    for glob in rule.exceptions:
        if member & ends((glob,)):
            return f"excepted by {glob}"
    for zone in matcher.zones if rule.protect else ():
        if (member if zone.itself else container) & ends((zone.glob,)):
            return f"protected by {zone.glob}: {zone.why}"
    return ""


def _find_match(rule: Rule, name: str) -> str:
    if name in rule.keys:
        return f"the key {name!r}"
    prefix = next(prefix for prefix in rule.prefixes if name.startswith(prefix))
    return f"the prefix {prefix!r}"
