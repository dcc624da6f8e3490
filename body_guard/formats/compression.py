"""Content codings: bodies decompressed within a bound, and compressed again."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = [
    "FED",
    "BombError",
    "Codec",
    "CorruptError",
    "find_codec",
    "inflate",
    "inflate_zstd",
    "split_codings",
]


#: Bytes that a decoder is given at a time.
FED: Final = 256

#: And zlib, whose output is bounded by an argument.
_FED_TO_ZLIB: Final = 4096

#: Bytes of a zstd window, as large as the library takes by itself.
_MOST_WINDOW: Final = 2**27


class BombError(Exception):
    """The content grows beyond the bound."""


class CorruptError(Exception):
    """The content is not in the encoding that it is declared to be in."""


class Codec(NamedTuple):
    """A content coding.

    Attributes:
        decompress: Takes content and the most bytes it may become.
        compress: The way back.
    """

    decompress: Callable[[bytes, int], bytes]
    compress: Callable[[bytes], bytes]


#: What headers name and is no coding: a character set, a transfer encoding (RFC 2045, section 6),
#: or nothing.
_NO_CODING: Final = re.compile(
    r"|identity|none|[78]bit|binary|utf-?(8|(16|32)([bl]e)?)|(us-)?ascii|iso-?8859-\d+|latin-?1"
)


def split_codings(content_encoding: str) -> tuple[str, ...]:
    """Return the codings that a Content-Encoding value names (RFC 9110, section 8.4).

    Returns:
        In lower case, in the order in which they were applied, less those that change nothing.
    """
    names = (name.strip().lower() for name in content_encoding.split(","))
    return tuple(name for name in names if not _NO_CODING.fullmatch(name))


def find_codec(coding: str) -> Codec | None:
    """Return the codec of a coding (RFC 9110, section 8.4.1).

    Returns:
        None for a coding that is not known, or whose library is not installed.
    """
    return _CODECS.get(coding, lambda: None)()


def inflate(pieces: Iterable[bytes], wbits: int, most: int | None = None) -> Iterator[bytes]:
    """Decompress gzip or zlib data, piece by piece.

    Args:
        pieces: The data. A piece that does not end a member is not copied.
        wbits: As of `zlib.decompressobj`.
        most: Bytes after which no more than one is given; None for no bound.

    Yields:
        What each piece becomes.

    Raises:
        CorruptError: The data are damaged or end too early.
    """
    # Several members in a row are one content (RFC 1952, section 2.2). Each gives back what is
    # behind it, which for all of the content would be a copy of it for each.
    size, member = 0, zlib.decompressobj(wbits)
    for piece in pieces:
        rest = piece
        while rest:
            if member.eof:
                member = zlib.decompressobj(wbits)
            try:
                part = member.decompress(rest, 0 if most is None else most - size + 1)
            except zlib.error:
                raise CorruptError from None
            size += len(part)
            yield part
            rest = member.unused_data
    if not member.eof:
        raise CorruptError


def inflate_zstd(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress zstd data, piece by piece, where the library zstandard is installed.

    Args:
        pieces: The data, in pieces of `FED` bytes, since nothing bounds what a piece gives: a block
            of four bytes can say 128 KiB (RFC 8878, section 3.1.1.2), so that one of these gives 8
            MiB at the most.

    Yields:
        What each piece becomes.

    Raises:
        CorruptError: The data are damaged, end too early, or ask for a window over 128 MiB.
    """
    library = import_module("zstandard")
    frame = library.ZstdDecompressor(max_window_size=_MOST_WINDOW).decompressobj()
    for piece in pieces:
        rest = piece
        while rest:
            if frame.eof:
                frame = library.ZstdDecompressor(max_window_size=_MOST_WINDOW).decompressobj()
            try:
                part = frame.decompress(rest)
            except library.ZstdError:
                raise CorruptError from None
            yield part
            rest = frame.unused_data if frame.eof else b""
    if not frame.eof:
        raise CorruptError


def _split(content: bytes, size: int) -> Iterator[bytes]:
    return (content[start : start + size] for start in range(0, len(content), size))


def _join(parts: Iterable[bytes], most: int) -> bytes:
    text = io.BytesIO()
    for part in parts:
        text.write(part)
        if text.tell() > most:
            raise BombError
    return text.getvalue()


def _inflated(wbits: int) -> Callable[[bytes, int], bytes]:
    def decompress(content: bytes, most: int) -> bytes:
        return _join(inflate(_split(content, _FED_TO_ZLIB), wbits, most), most)

    return decompress


def _gzip() -> Codec:
    return Codec(_inflated(16 + zlib.MAX_WBITS), lambda text: gzip.compress(text, mtime=0))


def _deflate() -> Codec:
    return Codec(_inflated(zlib.MAX_WBITS), zlib.compress)


def _installed(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


def _brotli() -> Codec | None:
    library = _installed("brotli")
    if not hasattr(getattr(library, "Decompressor", None), "can_accept_more_data"):
        return None  # before 1.2 nothing bounds what a step gives

    def decompress(content: bytes, most: int) -> bytes:
        step = library.Decompressor()
        try:
            text: bytes = step.process(content, output_buffer_limit=most + 1)
        except library.error:
            raise CorruptError from None
        if len(text) > most:
            raise BombError
        if not step.is_finished():
            raise CorruptError
        return text

    return Codec(decompress, library.compress)


def _zstandard() -> Codec | None:
    library = _installed("zstandard")
    if library is None:
        return None

    def decompress(content: bytes, most: int) -> bytes:
        return _join(inflate_zstd(_split(content, FED)), most)

    return Codec(decompress, library.ZstdCompressor().compress)


_CODECS: Final[dict[str, Callable[[], Codec | None]]] = {
    "br": _brotli,
    "deflate": _deflate,
    "gzip": _gzip,
    "x-gzip": _gzip,
    "zstd": _zstandard,
}
