"""Files to read: found in folders, decompressed within bounds, or taken from the standard input."""

from __future__ import annotations

import gzip
import os
import stat
import sys
import tempfile
import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from body_guard.formats.compression import FED, CorruptError, inflate, inflate_zstd
from body_guard.recordings.body import Unread, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

__all__ = ["Opened", "Source", "compress", "find_sources", "open_source", "suffix"]

#: What recordings are called, in a folder; a file that is named is read whatever it is called.
SUFFIXES: Final = frozenset({".har", ".json", ".jsonl", ".ndjson", ".yaml", ".yml"})

_COMPRESSED: Final = frozenset({".gz", ".zst"})

#: A file is taken for a bomb once it is larger than this, in bytes, and than so many times what it
#: was before it was decompressed. Logs of JSON come to 10 or 20 times.
_LEAST_BOMB: Final = 64 * 2**20
_RATIO: Final = 200

#: Bytes kept in memory of what has to be copied in order to be read; more goes to a temporary file.
_IN_MEMORY: Final = 16 * 2**20
_PIECE: Final = 2**16

_MAGIC: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read.

    Attributes:
        path: Where it is; ``-`` is the standard input.
        name: As it is shown: below the working directory relative to it, always with slashes.
        copy: Where a copy goes, relative to the folder of copies.
        named: Whether the user named it, and not the folder that it is in.
    """

    path: str
    name: str
    copy: str
    named: bool = True


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that is open.

    Attributes:
        file: Its content, decompressed; it can be sought in.
        coding: How it was compressed: ``gzip``, ``zstd`` or ``""``.
        trouble: Why there is no more, where it ends too early; ``""`` when it is whole.
    """

    file: IO[bytes]
    coding: str = ""
    trouble: str = ""


def find_sources(paths: Iterable[str], without: Collection[str] = ()) -> Iterator[Source | Unread]:
    """Find the files to read.

    Args:
        paths: Files, folders, or ``-``.
        without: Files and folders that are not read, though they are in such a folder.

    Yields:
        Each file once, in the order of the paths and of the names in a folder; and what cannot be
        read. In a folder only files that are called like recordings are found.
    """
    left_out = {os.path.realpath(each) for each in without}
    seen: set[str] = set()
    for path in paths:
        if path == "-":
            yield Source("-", "-", "stdin")
        elif os.path.isdir(path):
            yield from _walk(path, path, left_out, seen, ())
        elif _is_new(path, seen):
            yield Source(path, _shown(path), os.path.basename(path))


def _walk(
    top: str, folder: str, left_out: set[str], seen: set[str], above: tuple[str, ...]
) -> Iterator[Source | Unread]:
    real = os.path.realpath(folder)
    if real in above:
        yield Unread(_shown(folder), "is a symbolic link to a folder that it is in")
        return
    if real in left_out or not _is_new(folder, seen):
        return
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        yield Unread(_shown(folder), _reason(error))
        return
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            yield from _walk(top, path, left_out, seen, (*above, real))
        elif _is_recording(name) and os.path.realpath(path) not in left_out:
            try:
                regular = stat.S_ISREG(os.stat(path).st_mode)
            except OSError as error:
                yield Unread(_shown(path), _reason(error))
                continue
            if not regular:  # a pipe would be waited for
                yield Unread(_shown(path), "is no file")
            elif _is_new(path, seen):
                yield Source(path, _shown(path), os.path.relpath(path, top), named=False)


def _is_new(path: str, seen: set[str]) -> bool:
    real = os.path.realpath(path)
    known = real in seen
    seen.add(real)
    return not known


def _is_recording(name: str) -> bool:
    return suffix(name) in SUFFIXES


def suffix(name: str) -> str:
    """Return the suffix of a file's name, in lower case, less that of its compression."""
    path = Path(name.lower())
    return Path(path.stem).suffix if path.suffix in _COMPRESSED else path.suffix


def _shown(path: str) -> str:
    whole, here = os.path.abspath(path), os.getcwd()
    inside = os.path.commonpath([whole, here]) == here
    return Path(os.path.relpath(whole) if inside else whole).as_posix()


def _reason(error: OSError) -> str:
    return f"cannot be read: {error.strerror or type(error).__name__}"


@contextmanager
def open_source(source: Source) -> Iterator[Opened]:
    """Open a file, decompressed if its first bytes say that it is compressed.

    Yields:
        It. Of one that is damaged, what comes before the damage.

    Raises:
        UnreadableError: It cannot be read at all, or grows beyond the bounds.
    """
    with ExitStack() as stack:
        try:
            raw: IO[bytes] = sys.stdin.buffer
            if source.path != "-":
                raw = stack.enter_context(open(source.path, "rb"))
            first = raw.read(4)
        except OSError as error:
            raise UnreadableError(_reason(error)) from None
        coding = next((each for magic, each in _MAGIC.items() if first.startswith(magic)), "")
        if not coding and source.path != "-" and raw.seekable():
            raw.seek(0)
            yield Opened(raw)
        else:
            copy: IO[bytes] = stack.enter_context(tempfile.SpooledTemporaryFile(_IN_MEMORY))
            trouble = _copy(_Counted(first, raw), coding, copy)
            copy.seek(0)
            yield Opened(copy, coding, trouble)


def compress(content: bytes, coding: str) -> bytes:
    """Compress a copy as its original was."""
    if coding == "gzip":
        return gzip.compress(content, mtime=0)
    if coding == "zstd":
        return bytes(import_module("zstandard").ZstdCompressor().compress(content))
    return content


class _Counted:
    """A file whose first bytes have been read, and how much of it has."""

    def __init__(self, first: bytes, raw: IO[bytes]) -> None:
        self._first = first
        self._raw = raw
        self.count = 0

    def read(self, size: int) -> bytes:
        piece, self._first = self._first or self._raw.read(size), b""
        self.count += len(piece)
        return piece


def _copy(source: _Counted, coding: str, copy: IO[bytes]) -> str:
    """Decompress a file into another one; return why it ends too early, where it does."""
    pieces = _read(source, FED if coding else _PIECE)
    if coding == "gzip":  # not by GzipFile: of a file that is cut off it keeps what comes before
        pieces = inflate(pieces, 16 + zlib.MAX_WBITS)
    elif coding:
        pieces = inflate_zstd(pieces)
    try:
        for piece in pieces:
            copy.write(piece)
            size = copy.tell()
            if coding and size > _LEAST_BOMB and size > _RATIO * source.count:
                raise UnreadableError(f"grows to over {_RATIO} times its size when decompressed")
    except CorruptError:
        return f"ends too early: its {coding} data are damaged or cut off"
    except OSError as error:
        return _reason(error)
    return ""


def _read(source: _Counted, size: int) -> Iterator[bytes]:
    while piece := source.read(size):
        yield piece
