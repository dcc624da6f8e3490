"""A file that lines are appended to, by several threads and processes, up to a size."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import TYPE_CHECKING

from body_guard.patches.locks import Lock

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no such locks
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LineFile"]


class LineFile:
    """Appends lines to a file; a full one is renamed, as `logging`'s RotatingFileHandler does.

    A line is written by one call, to a file that is opened for appending, so that lines of several
    processes do not mix. A forked process opens the file again.

    Args:
        path: Created if it is not there, readable by its owner alone.
        max_bytes: What the file may come to before it is renamed to ``path.1``.
        backups: How many renamed files are kept.

    Raises:
        OSError: The file cannot be opened.
    """

    def __init__(self, path: str, max_bytes: int, backups: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._backups = backups
        self._lock = Lock()
        self._torn = False
        self._file = -1
        self._open()

    def write(self, line: bytes) -> None:
        """Append a line.

        Raises:
            OSError: It could not be written.
        """
        __tracebackhide__ = True
        with self._lock:
            if self._process != os.getpid():
                self._open()  # a lock of the file is shared with the parent, like the file itself
            while not self._append(line):
                self._rotate()

    def close(self) -> None:
        """Close the file."""
        with self._lock, suppress(OSError):
            os.close(self._file)
            self._file = -1

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        before, self._file = self._file, os.open(self._path, flags, 0o600)
        self._process = os.getpid()
        if before >= 0:
            os.close(before)

    def _is_full(self, more: int) -> bool:
        size = os.fstat(self._file).st_size
        return size > 0 and size + more > self._max_bytes

    def _append(self, line: bytes) -> bool:
        """Write a line if there is room for it; return whether there was."""
        __tracebackhide__ = True
        with self._locked():  # or another process would fill what this one has found free
            if self._is_full(len(line)):
                return False
            if self._torn:  # by a disk that was full: lose no more than that line
                line = b"\n" + line
            self._torn = os.write(self._file, line) != len(line)
        if self._torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return True

    def _rotate(self) -> None:
        """Rename the file and open another, unless another process has done so."""
        with self._locked():
            if self._is_current():
                names = [self._path, *(f"{self._path}.{n}" for n in range(1, self._backups + 1))]
                for newer, older in reversed([*pairwise(names)]):
                    with suppress(FileNotFoundError):
                        os.replace(newer, older)
                if not self._backups:
                    os.truncate(self._path, 0)
        self._open()

    def _is_current(self) -> bool:
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._file))
        except FileNotFoundError:
            return False

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes from writing and renaming this file, where its system has locks."""
        file, locks = self._file, fcntl is not None
        if locks:
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError:  # then a file may come to some lines more
                locks = False
        try:
            yield
        finally:
            if locks:
                fcntl.flock(file, fcntl.LOCK_UN)
