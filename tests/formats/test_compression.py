"""Compressed bodies: opaque by default, else undone within a bound."""

from __future__ import annotations

import gzip
import sys
import zlib

import brotli
import pytest
import zstandard

from body_guard import BodyLimitError, Policy, Sanitizer
from body_guard.formats.compression import BombError, find_codec, inflate

DIRTY = b'{"a": 1.10, "_sentry_x": 1, "text": "' + b"x" * 1000 + b'"}'
CLEAN = DIRTY.replace(b' "_sentry_x": 1,', b"")
POLICY = Policy(look_into=("compressed",), max_bytes=100_000)
CODERS = {
    "gzip": (gzip.compress, gzip.decompress),
    "x-gzip": (gzip.compress, gzip.decompress),
    "deflate": (zlib.compress, zlib.decompress),
    "br": (brotli.compress, brotli.decompress),
    "zstd": (zstandard.compress, zstandard.decompress),
}
coders = pytest.mark.parametrize(
    ("name", "compress", "decompress"), [(n, *c) for n, c in CODERS.items()], ids=CODERS
)


def sanitize(content: bytes, encoding: str, policy: Policy = POLICY) -> tuple[bytes, str]:
    clean, report = Sanitizer(policy).sanitize_bytes(content, "application/json", encoding)
    return clean, report.why_not_judged


@coders
def test_opaque_by_default(name: str, compress: object, decompress: object) -> None:
    """A compressed body is passed and counted as not judged, never called clean."""
    content = compress(DIRTY)
    same, why = sanitize(content, name, Policy())
    assert same is content
    assert why == f"content encoding {name}"


@coders
def test_judged_on_request(name: str, compress: object, decompress: object) -> None:
    """Undone, cut, and done again; a clean one is the same object."""
    content, why = sanitize(compress(DIRTY), name.upper())
    assert (decompress(content), why) == (CLEAN, "")
    clean = compress(CLEAN)
    assert sanitize(clean, name)[0] is clean


@coders
def test_a_bomb_is_refused(name: str, compress: object, decompress: object) -> None:
    """What grows over max_bytes is refused, at the bound."""
    with pytest.raises(BodyLimitError, match="larger than max_bytes, 100,000"):
        sanitize(compress(b" " * 100_001), name)
    fits = compress(b" " * 100_000)
    assert sanitize(fits, name)[0] is fits


@coders
def test_or_passed_and_reported(name: str, compress: object, decompress: object) -> None:
    """on_limit="send" sends what grows over max_bytes, and the report says that nobody judged."""
    policy = Policy(look_into=("compressed",), max_bytes=100_000, on_limit="send")
    content = compress(b" " * 100_001)
    same, why = sanitize(content, name, policy)
    assert same is content
    assert why == "larger than max_bytes"
    assert decompress(sanitize(compress(DIRTY), name, policy)[0]) == CLEAN


@coders
@pytest.mark.parametrize("damage", ["cut", "other"])
def test_what_is_corrupt_is_passed(
    name: str, compress: object, decompress: object, damage: str
) -> None:
    """What is not in its encoding was not judged, and the report says so."""
    content = compress(DIRTY)[:-2] if damage == "cut" else b"\x01no such thing"
    same, why = sanitize(content, name)
    assert same is content
    assert why == f"content encoding {name}, corrupt"


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_several_members_are_one_body(name: str) -> None:
    """RFC 1952 and RFC 8878 allow members in a row."""
    compress, decompress = CODERS[name]
    content, _ = sanitize(compress(DIRTY[:20]) + compress(DIRTY[20:]), name)
    assert decompress(content) == CLEAN


@pytest.mark.parametrize(("name", "wbits"), [("gzip", 31), ("deflate", 15)])
def test_many_members_are_read_once(name: str, wbits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte of empty members, and the one that says something, whole whatever the pieces."""
    read: list[int] = []

    class Counting:
        def __init__(self, wbits: int) -> None:
            self.real = real(wbits)

        def decompress(self, content: bytes, most: int) -> bytes:
            read.append(len(content))
            return self.real.decompress(content, most)

        def __getattr__(self, name: str) -> object:
            return getattr(self.real, name)

    real = zlib.decompressobj
    monkeypatch.setattr(zlib, "decompressobj", Counting)
    compress, _ = CODERS[name]
    empty = bytes(compress(b""))
    content = empty * (1_000_000 // len(empty)) + compress(DIRTY) + empty
    codec = find_codec(name)
    assert codec is not None
    assert codec.decompress(content, len(DIRTY)) == DIRTY
    assert sum(read) < 1_000_000_000
    assert max(read) < 10_000


def test_no_room_is_not_no_bound() -> None:
    """Where the parts before have used it all, the next gives no more than the byte too many."""
    parts = inflate([gzip.compress(b" " * 100_000)], 16 + zlib.MAX_WBITS, 0)
    assert next(parts) == b" "
    codec = find_codec("gzip")
    assert codec is not None
    with pytest.raises(BombError):
        codec.decompress(gzip.compress(b" "), 0)


@pytest.mark.parametrize("name", ["gzip, br", "compress", "aes128gcm"])
def test_an_unknown_encoding_stays_opaque(name: str) -> None:
    """Several in a row, or one nobody knows: not judged."""
    assert sanitize(b"x", name) == (b"x", f"content encoding {name}")


@pytest.mark.parametrize(
    "name",
    [
        *("identity", " Identity ", "", None, "identity, identity", " , IDENTITY,", "none"),
        *("utf-8", "UTF8", "utf-8, identity", "us-ascii", "iso-8859-1", "8bit", "binary"),
    ],
)
def test_what_names_no_coding_is_none(name: str | None) -> None:
    """Not even to a body that is no JSON at sight: a character set is not a coding."""
    content, report = Sanitizer().sanitize_bytes(DIRTY, "application/json", name)
    assert content == CLEAN
    assert report.judged
    form = b"a=1&_sentry_x=1", "application/x-www-form-urlencoded"
    assert Sanitizer(Policy(look_into=("form",))).sanitize_bytes(*form, name)[0] == b"a=1"


@pytest.mark.parametrize("name", [*CODERS, "gzip, br", "compress", "aes128gcm", "no-such-coding"])
@pytest.mark.parametrize("policy", [Policy(), POLICY], ids=["opaque", "looked into"])
def test_a_coding_that_json_text_does_not_have(name: str, policy: Policy) -> None:
    """Plain JSON is judged, whatever its header says that was done to it."""
    for content_type in ("application/json", None):
        content, report = Sanitizer(policy).sanitize_bytes(DIRTY, content_type, name)
        assert (content, report.judged) == (CLEAN, True)
        assert [found.path for found in report.findings] == ["/_sentry_x"]
        assert Sanitizer(policy).sanitize_bytes(CLEAN, content_type, name)[0] is CLEAN


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32-be"])
def test_json_text_is_seen_in_every_encoding(codec: str) -> None:
    """As without a coding."""
    dirty, clean = (f" \n{text.decode()}".encode(codec) for text in (DIRTY, CLEAN))
    assert sanitize(dirty, "gzip", Policy()) == (clean, "")


@pytest.mark.parametrize(
    "content", [b"{\x00\xff\x01", b'{"a\x01"}', b"{\xff}", b'{"a', b'"a"', b"eyJh"]
)
def test_what_only_begins_like_json_has_its_coding(content: bytes) -> None:
    """Compressed data may begin with a brace: bytes that no JSON text has show that it is none."""
    same, why = sanitize(content, "no-such-coding", Policy())
    assert same is content
    assert why == "content encoding no-such-coding"


@pytest.mark.parametrize("name", ["gzip, identity", "Identity , GZIP", "utf-8, gzip"])
def test_codings_beside_one_that_counts(name: str) -> None:
    """One coding is undone, whatever stands beside it that names none."""
    content, why = sanitize(gzip.compress(DIRTY), name)
    assert (gzip.decompress(content), why) == (CLEAN, "")
    assert sanitize(gzip.compress(DIRTY), name, Policy())[1] == "content encoding gzip"


@pytest.mark.parametrize(("name", "module"), [("br", "brotli"), ("zstd", "zstandard")])
def test_without_its_library(name: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoding whose library is missing stays opaque."""
    monkeypatch.setitem(sys.modules, module, None)
    assert find_codec(name) is None


def test_an_old_brotli_stays_opaque(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 1.2 brotli cannot be bounded."""
    monkeypatch.setattr(brotli, "Decompressor", object)
    assert find_codec("br") is None


@pytest.mark.parametrize("name", ["br", "zstd", "gzip"])
def test_a_gigabyte_costs_little(name: str) -> None:
    """A bomb of a gigabyte is refused after a few megabytes (in a process of its own)."""
    import subprocess

    code = f"""
import tracemalloc, brotli, gzip, zstandard
from body_guard import *
compress = {{"br": lambda t: brotli.compress(t, quality=1), "gzip": lambda t: gzip.compress(t, 1),
             "zstd": zstandard.compress}}[{name!r}]
bomb = bytes(compress(bytes(2**28)))
tracemalloc.start()
try:
    Sanitizer(Policy(look_into=("compressed",), max_bytes=10**6)).sanitize_bytes(
        bomb, "application/json", {name!r})
except BodyLimitError:
    print(tracemalloc.get_traced_memory()[1] < 2**25)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
