"""What a body is taken for, and in which encoding it is."""

from __future__ import annotations

import codecs

import pytest

from body_guard import BodyRejectedError, Sanitizer
from body_guard.formats.content_type import Media, detect_media, parameter

DIRTY = '{"a": "é", "_sentry_x": {"b": 1}, "s": "\\ud800", "n": 1.10}'
CLEAN = '{"a": "é", "s": "\\ud800", "n": 1.10}'


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("application/json", "json"),
        ("APPLICATION/JSON ; Charset=UTF-8", "json"),
        ('application/json;profile="a;b"', "json"),
        ("application/vnd.api+json", "json"),
        ("application/json-patch+json", "json"),
        ("image/svg+json", "json"),
        ("text/json", "json"),
        ("application/x-json", "json"),
        ("application/x-ndjson", "records"),
        ("application/ndjson; charset=utf-8", "records"),
        ("application/jsonl", "records"),
        ("application/x-jsonlines", "records"),
        ("application/json-seq", "records"),
        ("application/geo+json-seq", "records"),
        (None, "sniffed"),
        ("", "sniffed"),
        ("text/plain; charset=utf-8", "sniffed"),
        ("application/x-www-form-urlencoded", "form"),
        ("multipart/form-data; boundary=x", "multipart"),
        ("application/json, application/json", "json"),
        ("application/json , text/html; charset=utf-8", "json"),
        ("image/png, application/json", "opaque"),
        ("application/octet-stream", "opaque"),
        ("image/png", "opaque"),
        ("application/x-protobuf", "opaque"),
        ("application/jsonp", "opaque"),
        ("application/json+xml", "opaque"),
        ("text/html", "opaque"),
    ],
)
def test_media_types(content_type: str | None, kind: str) -> None:
    """One row a type."""
    assert detect_media(b"{}", content_type).kind == kind


@pytest.mark.parametrize(
    "content", [b"{", b"[", b" \t\r\n{", b"\xef\xbb\xbf[", b"\xff\xfe{\x00", b"\x00{"], ids=repr
)
def test_what_begins_like_json(content: bytes) -> None:
    """Without a declaration, the first character decides, in any encoding."""
    assert detect_media(content, None).kind == "sniffed"


@pytest.mark.parametrize(
    "content", [b"a", b'"_sentry_x"', b"<{", b"\x89PNG{", b" " * 400 + b"{", b"\xff\xfe"], ids=repr
)
def test_what_does_not(content: bytes) -> None:
    """What begins otherwise is opaque, and the reason says so."""
    assert detect_media(content, None) == Media("opaque", "not JSON")


@pytest.mark.parametrize(
    ("content_type", "found"),
    [
        ("multipart/form-data; boundary=abc", "abc"),
        ('multipart/form-data; charset=x; BOUNDARY = "a b\\"c"', 'a b"c'),
        ("multipart/form-data;boundary=abc;x=y", "abc"),
        ("multipart/form-data", None),
        ("multipart/form-data; boundary=", None),
        ("multipart/form-data; xboundary=x; boundary", None),
        ("multipart/form-data; boundary=; boundary=abc", "abc"),
        ("multipart/form-data; boundary=abc, multipart/form-data; boundary=x", "abc"),
        ('multipart/form-data; x="; boundary=a"; boundary="abc"', "abc"),
        ('multipart/form-data; x="\\"; boundary=a" ; boundary=abc', "abc"),
        ('multipart/form-data; x=1"; boundary="; boundary=abc', "abc"),
        ('multipart/form-data; x="1; boundary=abc', "abc"),
        ('multipart/form-data; y="a;b"; x="1; boundary=abc; z', "abc"),
        ("boundary=abc", None),
    ],
)
def test_parameters(content_type: str, found: str | None) -> None:
    """Tokens and quoted strings, in any case."""
    assert parameter(content_type, "boundary") == found


@pytest.mark.parametrize("text", ['\\"', '"', ';"', '"\\', '"x";'], ids=ascii)
def test_a_long_header_is_read_once(text: str) -> None:
    """A head of megabytes, as a part of a body can have, is no more than read."""
    assert parameter("x;y=" + text * 300_000, "boundary") is None


@pytest.mark.parametrize(
    "type_", ["image/png", "application/octet-stream", "application/x-protobuf"]
)
def test_foreign_types_are_never_touched(type_: str) -> None:
    """A chance match in an image stays; the report says that nobody looked."""
    content = DIRTY.encode()
    same, report = Sanitizer().sanitize_bytes(content, type_)
    assert same is content
    assert (report.judged, report.why_not_judged) == (False, f"content type {type_}")


def test_a_header_given_twice_is_judged_by_the_first() -> None:
    """As httpx joins it."""
    content, _ = Sanitizer().sanitize_bytes(DIRTY.encode(), "application/json, application/json")
    assert content == CLEAN.encode()


MARKS = {
    "utf-8": (b"", codecs.BOM_UTF8),
    "utf-16-le": (b"", codecs.BOM_UTF16_LE),
    "utf-16-be": (b"", codecs.BOM_UTF16_BE),
    "utf-32-le": (b"", codecs.BOM_UTF32_LE),
    "utf-32-be": (b"", codecs.BOM_UTF32_BE),
}


@pytest.mark.parametrize(
    ("codec", "mark"),
    [(codec, mark) for codec, marks in MARKS.items() for mark in marks],
    ids=[f"{codec}{'-mark' if mark else ''}" for codec, marks in MARKS.items() for mark in marks],
)
@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=latin-1", None]
)
def test_every_encoding_keeps_codec_and_mark(
    codec: str, mark: bytes, content_type: str | None
) -> None:
    """The bytes say what they are, whatever the charset says; they go out the same way."""
    content, report = Sanitizer().sanitize_bytes(mark + DIRTY.encode(codec), content_type)
    assert content == mark + CLEAN.encode(codec)
    assert [found.path for found in report.findings] == ["/_sentry_x"]
    clean = mark + CLEAN.encode(codec)
    assert Sanitizer().sanitize_bytes(clean, content_type)[0] is clean


def test_a_short_utf16_text() -> None:
    """Two bytes are enough to tell."""
    assert Sanitizer().sanitize_bytes("{}".encode("utf-16-le"), "application/json")[1].judged


@pytest.mark.parametrize(
    "ending", [b"\x00", b"\xd8\x00\x00"], ids=["half a character", "half a pair"]
)
def test_a_broken_encoding(ending: bytes) -> None:
    """Declared, dirty and not in its encoding: refused. Clean: passed."""
    dirty, clean = (text.encode("utf-16-be") + ending for text in (DIRTY, CLEAN))
    with pytest.raises(BodyRejectedError) as caught:
        Sanitizer().sanitize_bytes(dirty, "application/json")
    assert caught.value.__context__ is None
    assert Sanitizer().sanitize_bytes(clean, "application/json")[0] is clean


LINES = {
    "lines": (b'{"a":1}\n{"_sentry_x":1,"b":2}\n\n[{"_sentry_y":1}]\n', b'{"a":1}\n{"b":2}\n\n[{}]\n'),
    "crlf": (b'{"a":1}\r\n{"_sentry_x":1,"b":2}\r\n1\r\n[{"_sentry_y":1}]', b'{"a":1}\r\n{"b":2}\r\n1\r\n[{}]'),
    "seq": (b'\x1e{"a":1}\n\x1e{"_sentry_x":1,"b":2}\n\x1e[{"_sentry_y":1}]\n', b'\x1e{"a":1}\n\x1e{"b":2}\n\x1e[{}]\n'),
}  # fmt: skip


@pytest.mark.parametrize(("dirty", "clean"), LINES.values(), ids=LINES)
def test_each_record_is_judged(dirty: bytes, clean: bytes) -> None:
    """Separators stay, and a path begins with the index of its record."""
    content, report = Sanitizer().sanitize_bytes(dirty, "application/x-ndjson")
    assert content == clean
    last = "/3/0/_sentry_y" if b"\n1\r" in dirty else "/2/0/_sentry_y"
    assert [found.path for found in report.findings] == ["/1/_sentry_x", last]


def test_lines_that_nobody_declared() -> None:
    """text/plain may be one text or a line for each of several; declared JSON is one."""
    dirty, clean = LINES["lines"]
    assert Sanitizer().sanitize_bytes(dirty, "text/plain")[0] == clean
    with pytest.raises(BodyRejectedError):
        Sanitizer().sanitize_bytes(dirty, "application/json")


def test_a_broken_record() -> None:
    """A line that is no JSON, in a body that has to be cut, refuses it."""
    with pytest.raises(BodyRejectedError):
        Sanitizer().sanitize_bytes(b'{"_sentry_x":1}\n{"a":\n', "application/x-ndjson")
