"""Writing a recording anew: its bytes, with other bodies in the places of some."""

from __future__ import annotations

import base64
import json
import re
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from body_guard.recordings.body import Place

__all__ = ["rewrite"]

_PIECE: Final = 2**20

#: What YAML does not print: JSON may hold it unescaped, YAML may not (YAML 1.2, section 5.1).
_NOT_PRINTED: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")

#: A tag, an anchor, or both (YAML 1.2, section 6.9).
_PROPERTIES: Final = re.compile(rb"(?:[!&]\S*\s+)*")


def rewrite(file: IO[bytes], copy: IO[bytes], bodies: Mapping[Place, bytes]) -> None:
    """Copy a file, with some of its bodies replaced.

    Args:
        file: The file, decompressed.
        copy: Where to write it.
        bodies: What to write, by the place of what it replaces.
    """
    file.seek(0)
    at = 0
    for place in sorted(bodies, key=lambda each: each.start):
        _copy(file, copy, place.start - at)
        old = file.read(place.end - place.start)
        copy.write(_write(place.form, old, bodies[place]))
        at = place.end
    _copy(file, copy, None)


def _copy(file: IO[bytes], copy: IO[bytes], size: int | None) -> None:
    while piece := file.read(_PIECE if size is None else min(size, _PIECE)):
        copy.write(piece)
        size = None if size is None else size - len(piece)


def _write(form: str, old: bytes, body: bytes) -> bytes:
    """Return a body as it is written in a form, in the style of the one that it replaces."""
    if form == "raw":
        return body
    if form == "base64":
        return json.dumps(base64.b64encode(body).decode()).encode()
    text = body.decode("utf-8", "surrogatepass") if form != "yaml-binary" else ""
    if form == "string":
        # A file in ASCII stays one.
        return json.dumps(text, ensure_ascii=old.isascii()).encode("utf-8", "surrogatepass")
    properties = next(_PROPERTIES.finditer(old))[0]
    old = old[len(properties) :]
    if form == "yaml-binary":
        return properties + json.dumps(base64.b64encode(body).decode()).encode()
    if form == "yaml-value":
        # JSON is YAML. A space more, since a block may stand where its key does.
        return properties + b" " + _printed(text).encode()
    if old.startswith(b"'") and "\n" not in text and not _NOT_PRINTED.search(text):
        return properties + b"'" + text.replace("'", "''").encode() + b"'"
    return properties + _printed(json.dumps(text, ensure_ascii=False)).encode()


def _printed(text: str) -> str:
    return _NOT_PRINTED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
