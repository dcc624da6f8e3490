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
from itertools import chain
from typing import Any, Final, Literal, NamedTuple

__all__ = ["Proof", "proof_of"]

#: What may write a value: orjson (as json does), json alone, or nothing without a walk.
Proof = Literal["orjson", "json", ""]

#: Members and elements up to which a value is looked at, and levels. A container is counted
#: wherever it stands, so that a small value that unfolds to a huge one is seen before it does.
_MOST: Final = 8_000_000
_LEVELS: Final = 900

#: Levels that orjson goes down; it refuses the 255th.
_LEVELS_OF_ORJSON: Final = 250

#: Members of a level up to which a loop is faster than the calls that look at many at once.
_FEW: Final = 48

#: Where more containers than this stand side by side, one may stand there many times.
_CROWD: Final = 2**16

#: Bytes of names up to which a bound is good enough.
_LARGE: Final = 2**24

#: Floats that are looked at before all others.
_SAMPLE: Final = 2048

#: Python writes a float without an exponent in this window (`float_repr_style` "short"), and all
#: encoders write it alike; of those outside, orjson spells some differently. Zero too is alike.
_LOW: Final = 1e-4
_HIGH: Final = 1e16


def _collector_tells() -> bool:
    """Tell whether the collector tells what containers hold, as CPython's does.

    A dict whose keys are all of the very type str is asked for its values alone, any other for its
    keys too: that is how such a one is found. Without the GIL, asking would stop all threads.
    """
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return False
    return (
        gc.get_referents({"a": "b"}, ["c", None], ("d",)) == ["b", "c", None, "d"]
        and len(gc.get_referents({1: "a", "b": "c"})) == 4
    )


#: Where False, every container is read in a loop.
_COLLECTOR_TELLS: Final = _collector_tells()


def proof_of(value: object, most: int) -> Proof:
    """Say what may write a value.

    Args:
        value: Anything; none of its code is run.
        most: Bytes beyond which nothing is proved.

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
    room, size, by_orjson = _MOST, 0, True
    for depth in range(_LEVELS):
        count = len(level[0]) if len(level) == 1 else sum(map(len, level))
        room -= count
        if room < 0:
            return ""
        below: list[Any] = []
        if count > _FEW and _COLLECTOR_TELLS:
            many = _look_at_many(level, count)
            if many is None:
                return ""
            below = many.below
            size += many.size
            by_orjson = by_orjson and many.by_orjson
            if len(below) > _CROWD and 2 * len({*map(id, below)}) < len(below):
                return ""
        else:
            try:
                for container in level:
                    if type(container) is dict:
                        for name in container:
                            if type(name) is not str:
                                return ""
                            size += len(name)
                        container = container.values()
                    for item in container:
                        kind = type(item)
                        if kind is str:
                            size += len(item)
                        elif kind is dict or kind is list or kind is tuple:
                            below.append(item)
                        elif kind is float:
                            if not _LOW <= abs(item) < _HIGH and item:
                                if not math.isfinite(item):
                                    return ""
                                by_orjson = False
                        elif kind is not int and kind is not bool and item is not None:
                            return ""
            except RuntimeError:  # another thread changed the size of a dict
                return ""
        if size > most:
            return ""
        if not below:
            return "orjson" if by_orjson and depth < _LEVELS_OF_ORJSON else "json"
        level = below
    return ""


class _Many(NamedTuple):
    """What was seen in a level of many members."""

    below: list[Any]
    size: int
    by_orjson: bool = True


def _look_at_many(level: list[Any], count: int) -> _Many | None:
    """Look at the members of containers; give None where one is not plain data."""
    members = gc.get_referents(*level)
    if len(members) != count:  # keys that are no strings; or another thread
        return None
    size = _size_of_names(level)
    kind = type(members[0])
    if [item for item in members if type(item) is not kind]:
        return _look_at_mixed(members, size)
    if kind is str:
        return _Many([], size + sum(map(len, members)))
    if kind is dict or kind is list or kind is tuple:
        return _Many(members, size)
    if kind is float:
        return _Many([], size, _written_alike(members))
    return _Many([], size) if kind is int or kind is bool or members[0] is None else None


def _look_at_mixed(members: list[Any], size: int) -> _Many | None:
    below: list[Any] = []
    floats: list[float] = []
    for item in members:
        kind = type(item)
        if kind is str:
            size += len(item)
        elif kind is dict or kind is list or kind is tuple:
            below.append(item)
        elif kind is float:
            floats.append(item)
        elif kind is not int and kind is not bool and item is not None:
            return None
    return _Many(below, size, _written_alike(floats))


def _size_of_names(level: list[Any]) -> int:
    """Give a bound of what all names of dicts come to; of one that is large, what they do."""
    dicts = [container for container in level if type(container) is dict]
    longest = max(map(len, set().union(*dicts)), default=0)
    size = longest * sum(map(len, dicts))
    return size if size < _LARGE else sum(map(len, chain.from_iterable(dicts)))


def _written_alike(floats: list[float]) -> bool:
    """Tell whether orjson writes floats as json does; mostly, a few of many tell that it does not."""
    return not any(
        [item for item in some if not (_LOW <= item < _HIGH or -_HIGH < item <= -_LOW or not item)]
        for some in (floats[:_SAMPLE], floats[_SAMPLE:])
    )
