"""Counts by key, exact without a lock.

A signal handler or a finalizer may send a guarded request in the middle of any function here, in
the same thread, and would wait for ever for a lock that the interrupted code holds. So every step
that changes anything is one atomic operation of CPython, free-threaded builds included: `next` of
an `itertools.count`, `dict.setdefault`, `dict.copy`, `list.append`, `list.pop`.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["Tally"]

_Key = TypeVar("_Key", bound="Hashable")


class _Counter:
    """A count of one key, closed by a reset."""

    __slots__ = ("_final", "_numbers")

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._final: dict[str, int] = {}

    def add(self) -> int:
        return next(self._numbers)

    def value(self) -> int:
        # "count(3)" before 3 is given: the one way to read a count without advancing it.
        return int(repr(self._numbers)[len("count(") : -1]) - 1

    def close(self) -> int:
        """Return the last number that counts; every call returns the same."""
        return self._final.setdefault("value", self.value())


class Tally(Generic[_Key]):
    """Counts by key, exact under threads, signal handlers and finalizers, and bounded.

    Args:
        most: How many keys are counted separately, and how many wider ones besides.
    """

    def __init__(self, most: int = 1000) -> None:
        self._most = most
        #: The last one is in use; the one before is being read by the reset that replaced it.
        self._tables: list[dict[_Key, _Counter]] = [{}]

    def add(self, *keys: _Key) -> int:
        """Count one more.

        Args:
            keys: What is counted, from narrow to wide: the first one for which there is room is
                used. There always is for the last, so its values must be few.

        Returns:
            How many there are of that key now.
        """
        while True:
            table = self._tables[-1]
            counter = self._counter(table, keys)
            if self._tables[-1] is not table:
                continue  # a reset may have read the table before the counter was in it
            number = counter.add()
            # A reset came in between: what it did not count is counted in the new table.
            if self._tables[-1] is table or number <= counter.close():
                return number

    def _counter(self, table: dict[_Key, _Counter], keys: tuple[_Key, ...]) -> _Counter:
        for nth, key in enumerate(keys, 1):
            if key in table or len(table) < nth * self._most:
                break
        return table.get(key) or table.setdefault(key, _Counter())

    def counts(self, *, reset: bool = False) -> dict[_Key, int]:
        """Return all counts.

        Args:
            reset: Whether to begin anew. What is counted meanwhile is in this result or in a later
                one, and never in two.
        """
        if not reset:
            return {key: counter.value() for key, counter in self._tables[-1].copy().items()}
        self._tables.append({})
        table = self._tables.pop(0)
        return {key: counter.close() for key, counter in table.copy().items()}
