"""JSONTestSuite: what parses is cut exactly, what does not is refused, with our own error."""

from __future__ import annotations

import json

import pytest

from body_guard import BodyRejectedError, Sanitizer
from body_guard.formats.text_encoding import detect_encoding

from corpora import suite

CLEAN = suite("y_", "i_", "n_")
PARSING = suite("y_", "i_")
BROKEN = suite("n_")


def planted(text: bytes, before: str, after: str) -> tuple[bytes, bytes]:
    """Return a text as a member beside a forbidden one, in its own encoding; and without that one."""
    encoding = detect_encoding(text)
    inside = text[len(encoding.mark) :]

    def write(start: str, end: str) -> bytes:
        codec = encoding.codec
        return encoding.mark + start.encode(codec) + inside + end.encode(codec)

    return write("{" + before + '"t":', after + "}"), write('{"t":', "}")


PLANTED = {
    "first": ('"_sentry_x":{"a":["]"]},', ""),
    "last": ("", ',"\\u005fsentry_\\u0078":[1.10,"_sentry_"]'),
}


@pytest.mark.parametrize("content_type", ["application/json", None], ids=["declared", "sniffed"])
def test_a_clean_text_is_the_same_object(content_type: str | None) -> None:
    """Valid or not, a text without the prefix is never parsed and comes back itself."""
    sanitizer = Sanitizer()
    passed = {name: sanitizer.sanitize_bytes(CLEAN[name], content_type)[0] for name in CLEAN}
    assert [name for name in CLEAN if passed[name] is not CLEAN[name]] == []


@pytest.mark.parametrize("place", PLANTED)
def test_exactly_the_planted_member_goes(place: str) -> None:
    """Beside it, every y_ and i_ text stays byte for byte."""
    sanitizer = Sanitizer()
    wrong = []
    for name, text in PARSING.items():
        dirty, clean = planted(text, *PLANTED[place])
        content, report = sanitizer.sanitize_bytes(dirty, "application/json")
        if content != clean or [found.path for found in report.findings] != ["/_sentry_x"]:
            wrong.append(name)
    assert wrong == []


def reads(text: bytes) -> bool:
    """Check whether Python's json reads a text, leaving aside whether its strings are UTF-8."""
    try:
        json.loads(text.decode("latin-1"))
    except (ValueError, RecursionError):
        return False
    return True


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("place", PLANTED)
def test_what_does_not_parse_is_refused(text: bytes, place: str) -> None:
    """An n_ text with a forbidden sibling is our error; NaN and its like are cut, as json reads."""
    before, after = PLANTED[place]
    dirty = b'{%b"t":%b%b}' % (before.encode(), text, after.encode())
    if reads(dirty):
        content, _ = Sanitizer().sanitize_bytes(dirty, "application/json")
        assert content == b'{"t":%b}' % text
    else:
        with pytest.raises(BodyRejectedError, match="stops being JSON at byte") as caught:
            Sanitizer().sanitize_bytes(dirty, "application/json")
        assert caught.value.__context__ is None
        content, report = Sanitizer().sanitize_bytes(dirty, "text/plain")
        assert content is dirty
        assert [(f.rule, f.action) for f in report.findings] == [("malformed", "report")]


def test_the_suite_is_there() -> None:
    """A missing folder must not look like a pass."""
    assert (len(PARSING), len(BROKEN)) == (130, 188)
    assert sum(reads(b'{"t":%b}' % text) for text in BROKEN.values()) > 0
