"""Content codings: bodies decompressed within a bound, and compressed again."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BombError", "Codec", "CorruptError", "find_codec", "split_codings"]


#: Bytes of input that the zstd decoder is given at a time.
_PIECE: Final = 256

#: And zlib, whose output is bounded by an argument.
_FED: Final = 4096


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


def _inflated(wbits: int) -> Callable[[bytes, int], bytes]:
    def decompress(content: bytes, most: int) -> bytes:
        # Several members in a row are one content (RFC 1952, section 2.2). Each gives back what is
        # behind it, which for all of the content would be a copy of it for each.
        text, size, member = io.BytesIO(), 0, zlib.decompressobj(wbits)
        for start in range(0, len(content), _FED):
            piece = content[start : start + _FED]
            while piece:
                if member.eof:
                    member = zlib.decompressobj(wbits)
                try:
                    size += text.write(member.decompress(piece, most - size + 1))
                except zlib.error:
                    raise CorruptError from None
                if size > most:
                    raise BombError
                piece = member.unused_data
        if not member.eof:
            raise CorruptError
        return text.getvalue()

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
        # Fed in small pieces, since nothing bounds what a piece gives: a block of four bytes can
        # say 128 KiB (RFC 8878, section 3.1.1.2), so that one piece gives 8 MiB at the most.
        text, size, frame = [], 0, library.ZstdDecompressor().decompressobj()
        for start in range(0, len(content), _PIECE):
            piece = content[start : start + _PIECE]
            while piece:
                if frame.eof:
                    frame = library.ZstdDecompressor().decompressobj()
                try:
                    text.append(frame.decompress(piece))
                except library.ZstdError:
                    raise CorruptError from None
                size += len(text[-1])
                if size > most:
                    raise BombError
                piece = frame.unused_data if frame.eof else b""
        if not frame.eof:
            raise CorruptError
        return b"".join(text)

    return Codec(decompress, library.ZstdCompressor().compress)


_CODECS: Final[dict[str, Callable[[], Codec | None]]] = {
    "br": _brotli,
    "deflate": _deflate,
    "gzip": _gzip,
    "x-gzip": _gzip,
    "zstd": _zstandard,
}
