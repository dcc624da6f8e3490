"""A lock that a forked process finds free, whatever the threads of its parent were doing."""

from __future__ import annotations

import os
import threading
from typing import Final
from weakref import WeakSet

__all__ = ["Lock"]


class Lock:
    """A reentrant lock, as of `threading.RLock`, to be used with ``with``.

    The child of a fork has no other threads, so a lock that one of them holds would never be
    released there. What it guards may be half done: whoever takes it must cope with that.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        _locks.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def renew(self) -> None:
        """Free it in a forked child, unless the thread that forked holds it."""
        if self._lock.acquire(blocking=False):
            self._lock.release()
        else:
            self._lock = threading.RLock()


_locks: Final[WeakSet[Lock]] = WeakSet()


def _renew() -> None:
    for lock in list(_locks):
        lock.renew()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_renew)
