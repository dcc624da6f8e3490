"""Where the members of JSON text stand, found by the scan that judges bodies, without parsing."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from body_guard.core import accelerator
from body_guard.core.matcher import Matcher
from body_guard.core.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

__all__ = ["Span", "find_in_lines", "find_members", "find_places", "matcher_of", "walk_members"]

#: Offsets of a value: its first byte, and the byte behind its last.
Span = tuple[int, int]


def matcher_of(*names: str, beside: tuple[Rule, ...] = ()) -> Matcher:
    """Return a matcher that makes the scan note members of these names.

    Args:
        names: The names.
        beside: Rules whose members it is to note too.
    """
    # With a scope, so that what is inside of such a member is noted too.
    return Matcher((Rule("of a recording", keys=names, scope=("/",)), *beside))


def find_members(text: bytes, matcher: Matcher, start: int = 0) -> Mapping[str, Span] | int:
    """Find the members of an outermost object.

    Args:
        text: JSON in UTF-8.
        matcher: Of `matcher_of`.
        start: Where the text begins.

    Returns:
        Its members' values by name, of duplicates the last. A number where the text is no JSON, as
        `accelerator.scan`.
    """
    found = accelerator.scan(text, matcher, start)
    if isinstance(found, int):
        return found
    if found is None:
        return {}
    containers = memoryview(found[0]).cast("q")
    rows = _rows(text, found[1])
    return {name: span for row, name, span in rows if containers[2 * row] == -1}


def find_in_lines(
    text: bytes, matcher: Matcher, names: Collection[str]
) -> Mapping[int, Mapping[str, Span]] | None:
    """Find the members of many outermost objects at once, if nothing else is to be found.

    Args:
        text: JSON texts in UTF-8.
        matcher: Of `matcher_of`, with other rules beside.
        names: Those that `matcher_of` was given.

    Returns:
        By the index of a text, as `find_members`. None where that is no JSON, or has a member, at
        any depth, of a name that the other rules ask for.
    """
    found = accelerator.scan(text, matcher, 0, True)
    if isinstance(found, int):
        return None
    members: dict[int, dict[str, Span]] = {}
    if found is not None:
        containers = memoryview(found[0]).cast("q").tolist()
        for row, name, span in _rows(text, found[1]):
            if name not in names:
                return None
            if containers[2 * row] == -1:
                members.setdefault(containers[2 * row + 1], {})[name] = span
    return members


def walk_members(text: bytes, matcher: Matcher) -> Iterator[tuple[tuple[str | int, ...], Span]]:
    """Yield path and value of all members with such names, at any depth; none of what is no JSON.

    A path that is longer than a recording's own is shortened in the middle.
    """
    found = accelerator.scan(text, matcher)
    if not isinstance(found, tuple):
        return
    containers = memoryview(found[0]).cast("q").tolist()
    # What is around a container has an earlier row.
    paths: list[tuple[str | int, ...]] = []
    for row in range(0, len(containers), 2):
        around, token = containers[row : row + 2]
        if around == -1:
            paths.append(())
        else:
            paths.append((*paths[around][:_DEEPEST], token if token >= 0 else _name(text, ~token)))
    for row, name, span in _rows(text, found[1]):
        yield (*paths[row], name), span


def find_places(
    content: bytes,
    matcher: Matcher,
    is_body: Callable[[tuple[str | int, ...]], bool],
    index: int,
) -> dict[int, tuple[int, int, int]]:
    """Return where the bodies of a document stand.

    Args:
        content: JSON in UTF-8.
        matcher: Of `matcher_of`.
        is_body: Checks whether a path leads to a body.
        index: Where in such a path the index of the interaction is.

    Returns:
        Start, end and line of each body, by the index of its interaction.
    """
    places, line, counted = {}, 1, 0
    for path, (start, end) in walk_members(content, matcher):
        if is_body(path):
            line += content.count(b"\n", counted, start)
            counted = start
            places[int(path[index])] = (start, end, line)
    return places


#: Longer paths are none of a recording's own.
_DEEPEST: Final = 6


def _rows(text: bytes, rows: bytes) -> Iterator[tuple[int, str, Span]]:
    members = memoryview(rows).cast("q").tolist()
    spelled: dict[bytes, str] = {}  # most names come again and again
    columns = [members[column::6] for column in (0, 3, 4, 5)]
    for row, at, start, end in zip(*columns, strict=True):
        spelling = text[at:start]
        name = spelled.get(spelling)
        if name is None:
            name = spelled[spelling] = _name(text, at)
        yield row, name, (start, end)


#: A string, without regard to what JSON allows in one: the scan has read it.
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def _name(text: bytes, at: int) -> str:
    """Return the name that begins at a quote."""
    string = text[slice(*next(_STRING.finditer(text, at)).span())]
    return str(json.loads(string.decode("utf-8", "replace")))
