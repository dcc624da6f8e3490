"""Text encodings of JSON bytes, detected in the bytes: a charset parameter may be wrong."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["Encoding", "detect_encoding"]


class Encoding(NamedTuple):
    """A text encoding: the byte order mark that stands before the text, and Python's codec."""

    mark: bytes
    codec: str

    def to_utf8(self, content: bytes) -> bytes:
        """Return the text behind the mark in UTF-8, lone surrogates and all; UTF-8 itself as it is.

        Invalid sequences become control characters, so that the text can be searched but is no
        JSON.
        """
        if self.codec == "utf-8":
            return content
        behind = content[len(self.mark) :]
        try:
            text = behind.decode(self.codec, "surrogatepass")
        except UnicodeDecodeError:
            text = behind.decode(self.codec, "replace").replace("\ufffd", "\x00")
        return text.encode("utf-8", "surrogatepass")

    def from_utf8(self, text: bytes) -> bytes:
        """Return text in UTF-8 in this encoding, behind its mark."""
        return self.mark + text.decode("utf-8", "surrogatepass").encode(self.codec, "surrogatepass")


#: The longer marks first: UTF-16's in little-endian order is the beginning of UTF-32's.
_MARKED: Final = (
    Encoding(b"\xff\xfe\x00\x00", "utf-32-le"),
    Encoding(b"\x00\x00\xfe\xff", "utf-32-be"),
    Encoding(b"\xff\xfe", "utf-16-le"),
    Encoding(b"\xfe\xff", "utf-16-be"),
    Encoding(b"\xef\xbb\xbf", "utf-8"),
)

_UTF8: Final = Encoding(b"", "utf-8")

#: Without a mark: JSON begins with an ASCII character, so NULs show width and order (RFC 4627,
#: section 3). Two bytes are enough for UTF-16, whose second character need not be ASCII.
_BY_NULS: Final = (
    ((True, True, True, False), "utf-32-be"),
    ((False, True, True, True), "utf-32-le"),
    ((True, False), "utf-16-be"),
    ((False, True), "utf-16-le"),
)


def detect_encoding(content: bytes) -> Encoding:
    """Return the encoding of JSON bytes by their first four.

    Args:
        content: A body.

    Returns:
        One of UTF-8, -16 and -32, in either byte order, with or without a mark.
    """
    start = content[:4]
    if start.isascii() and 0 not in start:
        return _UTF8
    for encoding in _MARKED:
        if content.startswith(encoding.mark):
            return encoding
    nuls = tuple(byte == 0 for byte in start)
    for pattern, codec in _BY_NULS:
        if nuls[: len(pattern)] == pattern:
            return Encoding(b"", codec)
    return _UTF8
