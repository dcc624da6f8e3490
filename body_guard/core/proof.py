"""The fast answer "plain JSON data, no more of it than an encoder may be given"; or no answer.

A proof is a look at every type in a value, level by level, that runs no code of anybody's: types
are compared by identity. Where it holds, orjson writes what json writes, or raises (its own limits:
64-bit integers, no lone surrogates). Without it, orjson would write an Enum's value, a UUID's text,
a fragment's raw bytes, ``null`` for NaN, and ``0.00001`` where json writes ``1e-05``; and either
encoder would unfold a few shared containers to terabytes.
"""

from __future__ import annotations

import gc
import math
import sys
from typing import Any, Final, Literal

__all__ = ["Proof", "Seen", "proof_of"]

#: What may write a value: orjson (as json does), json alone, or nothing without a walk.
Proof = Literal["orjson", "json", ""]

#: Members and elements up to which a value is looked at, and levels. A container is counted
#: wherever it stands, so that a small value that unfolds to a huge one is seen before it does.
_MOST: Final = 8_000_000
_LEVELS: Final = 900

#: Members up to which what was looked at is kept, 8 MB of pointers; and names of the members of one
#: dict, or of those that are looked at together, up to which they are likely to be the same ones.
_MOST_KEPT: Final = 1_000_000
_MOST_NAMES: Final = 2000

#: Levels that orjson goes down; it refuses the 255th.
_LEVELS_OF_ORJSON: Final = 250

#: Members up to which a loop is faster than calls that look at many at once, and containers.
_FEW_MEMBERS: Final = 64
_FEW_CONTAINERS: Final = 12

#: Containers, and members of one, that are looked at together. What was just read is in the
#: processor's cache for the second look; the members of a whole level would not be.
_TOGETHER: Final = 256

#: Every so many turns, whether containers stand in many places: that is for a walk, which goes
#: into each once.
_TURNS: Final = 64

#: The same, for a level that is not looked at in turns.
_CROWD: Final = 4096

#: Python writes a float without an exponent in this window (`float_repr_style` "short"), and all
#: encoders write it alike; of those outside, orjson spells some differently. Zero too is alike.
_LOW: Final = 1e-4
_HIGH: Final = 1e16

#: Other ints are for a walk, which counts their digits: a thousand of six hundred, in one list
#: that stands two thousand times, are a gigabyte.
_LEAST: Final = -(2**64) + 1
_GREATEST: Final = 2**64 - 1


def _collector_tells() -> bool:
    """Tell whether the collector tells what containers hold, as CPython's does.

    A dict whose keys are all of the very type str is asked for its values alone, any other for its
    keys too: that is how such a one is found. Without the GIL, asking would stop all threads.
    """
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return False
    told = gc.get_referents({"a": "b"}, ["c"], ("d",))
    return told == ["b", "c", "d"] and len(gc.get_referents({1: "a", "b": "c"})) == 4


#: Where False, every container is read in a loop.
_COLLECTOR_TELLS: Final = _collector_tells()


class Seen:
    """What a proof for orjson has looked at; nothing where that is too much, or not to be had.

    Attributes:
        containers: All of them, each wherever it stands.
        members: What they held, as ``gc.get_referents`` gives it.
        full: Whether it was too much.
    """

    __slots__ = ("containers", "full", "members")

    def __init__(self) -> None:
        self.containers: list[Any] = []
        self.members: list[Any] = []
        self.full = False


def proof_of(value: object, most: int, seen: Seen | None = None) -> Proof:
    """Say what may write a value.

    Args:
        value: Anything; none of its code is run.
        most: Bytes beyond which nothing is proved.
        seen: Gets what is looked at.

    Returns:
        ``orjson`` or ``json`` where the value holds but exact dicts (with str keys), lists, tuples,
        strings, ints, floats, booleans and None, is no deeper than 900 levels and would not unfold
        to much more than `most` bytes; ``json`` where orjson would write it otherwise. Empty
        where only a walk can tell.
    """
    kind = type(value)
    if kind is not dict and kind is not list and kind is not tuple:
        return ""
    level: list[Any] = [value]
    odd: list[float] = []  # floats that orjson writes otherwise, some of them
    later: list[tuple[int, list[Any]]] = []
    room, depth, deepest, turn = _MOST, 1, 1, 0
    size: float = 0
    while True:
        if seen is not None and (odd or seen.full or not _COLLECTOR_TELLS):
            seen.containers, seen.members = [], []
            seen = None
        below: list[Any] = []
        if len(level) > _FEW_CONTAINERS and _COLLECTOR_TELLS:
            if len(level) > _TOGETHER:
                later.append((depth, level))
                rest, level = level, level[-_TOGETHER:]
                del rest[-_TOGETHER:]
            turn += 1
            if not turn % _TURNS and 2 * len({*map(id, level)}) < len(level):
                return ""
            count = sum(map(len, level))
            room -= count
            if room < 0:
                return ""
            if seen is not None:
                seen.containers += level
            size += _look_at_all(level, count, below, odd, seen)
        else:
            room -= len(level)
            if len(level) > _CROWD and 2 * len({*map(id, level)}) < len(level):
                return ""
            try:
                while len(level) == 1 and depth < _LEVELS:  # one in one in one: down at once
                    [container] = level
                    if type(container) is not dict or len(container) != 1:
                        break
                    [(name, item)] = container.items()
                    if type(name) is not str:
                        return ""
                    size += len(name)
                    if type(item) is not dict:
                        break
                    if seen is not None:
                        seen.containers.append(container)
                        seen.members.append(item)
                    level = [item]
                    depth += 1
                if seen is not None:
                    seen.containers += level
                for container in level:
                    if len(container) > _FEW_MEMBERS:
                        room -= len(container)
                        if room < 0:
                            return ""
                        if _COLLECTOR_TELLS:
                            size += _look_at_all([container], len(container), below, odd, seen)
                            continue
                    items: Any = container
                    is_dict = type(container) is dict
                    if is_dict:
                        for name in container:
                            if type(name) is not str:
                                return ""
                            size += len(name)
                        items = container.values()
                    if seen is not None:
                        # In the order of the collector, which goes through lists from the end.
                        items = [*items] if is_dict else items[::-1]
                        seen.members += items
                    for item in items:
                        kind = type(item)
                        if kind is str:
                            size += len(item)
                        elif kind is dict or kind is list or kind is tuple:
                            below.append(item)
                        elif kind is float:
                            if not _LOW <= abs(item) < _HIGH and item:
                                odd.append(item)
                        elif kind is int:
                            if not _LEAST <= item <= _GREATEST:
                                return ""
                        elif kind is not bool and item is not None:
                            return ""
            except (RuntimeError, ValueError):  # another thread changed the size of a dict
                return ""
        if size > most or room < 0:
            return ""
        if below:
            level = below
            depth += 1
            if depth > _LEVELS:
                return ""
        else:
            deepest = max(deepest, depth)
            if not later:
                break
            depth, level = later.pop()
    if seen is not None and seen.full:
        seen.containers, seen.members = [], []
    if odd and not all(map(math.isfinite, odd)):
        return ""
    return "json" if odd or deepest > _LEVELS_OF_ORJSON else "orjson"


def _look_at_all(
    level: list[Any], count: int, below: list[Any], odd: list[float], seen: Seen | None
) -> float:
    """Look at all members of containers.

    Args:
        level: The containers.
        count: How many members they have.
        below: Gets the containers among these.
        odd: Gets floats that orjson writes otherwise, as long as it is empty.
        seen: Gets all members.

    Returns:
        At least the characters of names and strings; infinity where one is not plain data.
    """
    if count > len(level) * _TOGETHER and len(level) > 1:
        # One list of a million, many times, is a little memory that turns into much.
        return sum([_look_at_all([one], len(one), below, odd, seen) for one in level])
    members = gc.get_referents(*level)
    if len(members) != count:  # keys that are no strings; or another thread
        return math.inf
    size: float = 0
    names: Any = ()
    if len(level) == 1:
        if type(level[0]) is dict:
            names = level[0]
            size = sum(map(len, names))
    else:
        dicts = [container for container in level if type(container) is dict]
        names = set().union(*dicts)
        if names:
            size = max(map(len, names)) * count
    if seen is not None and not seen.full:
        seen.full = len(names) > _MOST_NAMES or len(seen.members) + count > _MOST_KEPT
        if not seen.full:
            seen.members += members
    if count <= _TOGETHER * 4:
        return size + _look_at(members, below, odd)
    for start in range(0, count, _TOGETHER * 4):
        size += _look_at(members[start : start + _TOGETHER * 4], below, odd)
    return size


def _look_at(members: list[Any] | tuple[Any, ...], below: list[Any], odd: list[float]) -> float:
    """Look at members; as `_look_at_all`."""
    size = 0
    rest: Any = members
    # Kind by kind, the likely ones first; a pass over all is cheap, a step of a loop is not.
    if members and type(members[0]) is float:
        floats = rest
        rest = [item for item in rest if type(item) is not float]
        if not odd:
            if rest:
                floats = [item for item in floats if type(item) is float]
            odd += [item for item in floats if not _LOW <= abs(item) < _HIGH and item]
        if not rest:
            return 0
    elif members and type(members[0]) is int:
        ints = [item for item in rest if type(item) is int]
        if min(ints) < _LEAST or max(ints) > _GREATEST:
            return math.inf
        if len(ints) == len(rest):
            return 0
    others = [item for item in rest if type(item) is not str]
    if len(others) < len(rest):
        size = sum(map(len, [item for item in rest if type(item) is str] if others else rest))
    if not others:
        return size
    dicts = [item for item in others if type(item) is dict]
    below += dicts
    if len(dicts) == len(others):
        return size
    for item in others:
        kind = type(item)
        if kind is list or kind is tuple:
            below.append(item)
        elif kind is float:
            if not _LOW <= abs(item) < _HIGH and item:
                odd.append(item)
        elif kind is int:
            if not _LEAST <= item <= _GREATEST:
                return math.inf
        elif kind is not bool and kind is not dict and item is not None:
            return math.inf
    return size
