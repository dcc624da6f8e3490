"""A path in a log, a metric or a message shows no text of a key that could be data."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from body_guard import Finding
from body_guard.core.pointer import escape_token, join_pointer
from body_guard.core.redaction import format_findings, redact_path

from hostile import MARKER

SHOWN = {
    "whole": ("", ""),
    "names": ("/metadata/0/_sentry_span", "/metadata/0/_sentry_span"),
    "type": ("/<builtins.tuple>", "/<builtins.tuple>"),
    "header-like": ("/x-request-id/a.b", "/x-request-id/a.b"),
    "numbers": ("/0/12/123456789", "/0/12/123456789"),
    "long-number": ("/1234567890", "/<10 characters, c775e7b7>"),
    "empty-key": ("/", "/<0 characters, e3b0c442>"),
    "address": ("/ann@example.com", "/<15 characters, 71d4f55f>"),
    "prose": ("/two words", "/<9 characters, a03f1d61>"),
    "escaped": ("/a~1b", "/<4 characters, dea79720>"),
    "non-ascii": ("/\\u00e9", "/<6 characters, 8229f540>"),
    "64": ("/" + "x" * 64, "/" + "x" * 64),
    "65": ("/" + "x" * 65, "/<65 characters, 9537c5fd>"),
    "newline": ("/a\n", "/<2 characters, 87428fc5>"),
    "inner-only": ("/a/two words/b", "/a/<9 characters, a03f1d61>/b"),
    "32-levels": ("/a" * 32, "/a" * 32),
    "33-levels": ("/a" * 33, "/a" * 32 + "/...33 levels"),
}


@pytest.mark.parametrize(("path", "text"), SHOWN.values(), ids=SHOWN)
def test_a_path_is_shown_shortened(path: str, text: str) -> None:
    """A key can be data: what is long or no identifier is told by its length and a hash."""
    assert redact_path(path) == text


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1))
def test_a_key_that_is_no_name_is_never_shown(key: str) -> None:
    """No text of a key that could be data is in what a log shows."""
    name = string.ascii_letters + string.digits + "_.-<>"
    if len(key) <= 64 and all(character in name for character in key):
        return
    text = redact_path(join_pointer([escape_token(key)]))
    assert len(text) < 40
    assert text.startswith("/<")
    assert text.isascii()
    assert key not in text or len(key) < 3


def test_a_long_key_is_never_shown() -> None:
    """The marker in a long key does not come through, and the same key is shown the same."""
    path = join_pointer([escape_token(MARKER * 10)])
    assert MARKER not in redact_path(path)
    assert redact_path(path) == redact_path(path)
    assert redact_path(path) != redact_path(path + "x")


def finding(path: str = "/a", rule: str = "sentry", kind: str = "builtins.int") -> Finding:
    return Finding(path, rule, "remove", kind)


TOLD = {
    "none": ([], ""),
    "one": ([finding()], "/a (rule sentry, builtins.int)"),
    "whole": ([finding("")], "the whole body (rule sentry, builtins.int)"),
    "no-type": ([finding(kind="")], "/a (rule sentry)"),
    "three": (
        [finding("/a"), finding("/b", "cycle"), finding("/two words")],
        "/a (rule sentry, builtins.int), /b (rule cycle, builtins.int), "
        "/<9 characters, a03f1d61> (rule sentry, builtins.int)",
    ),
    "five": (
        [finding(f"/{at}") for at in range(5)],
        "/0 (rule sentry, builtins.int), /1 (rule sentry, builtins.int), "
        "/2 (rule sentry, builtins.int), 2 more",
    ),
}


@pytest.mark.parametrize(("findings", "text"), TOLD.values(), ids=TOLD)
def test_findings_are_told_in_half_a_sentence(findings: list[Finding], text: str) -> None:
    """The first three by place, rule and type; the others as a number."""
    assert format_findings(findings) == text


def test_how_many_are_told_can_be_said() -> None:
    """A log line may tell more of them than an error does."""
    assert format_findings(iter([finding("/a"), finding("/b")]), most=1) == (
        "/a (rule sentry, builtins.int), 1 more"
    )
