"""Pointer globs: what they match, and the mistakes they are refused for."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from body_guard.core.pointer import split_pointer
from body_guard.core.scopes import Globs, parse_glob

MATCHES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    # glob, pointers it matches, pointers it does not
    "root": ("/", ("",), ("/a", "/a/b")),
    "root-empty": ("", ("",), ("/a",)),
    "everywhere": ("**", ("", "/a", "/a/b/c", "/0"), ()),
    "everywhere-slash": ("/**", ("", "/a/b"), ()),
    "member": ("/metadata", ("/metadata",), ("", "/metadata/a", "/a/metadata", "/metadat")),
    "one": ("/messages/*", ("/messages/0", "/messages/a"), ("/messages", "/messages/0/a")),
    "below": ("/metadata/**", ("/metadata", "/metadata/a", "/metadata/a/b"), ("", "/metadatas")),
    "anywhere": ("**/_meta", ("/_meta", "/a/b/_meta", "/_meta/_meta"), ("", "/_meta/a", "/a")),
    "within": ("/a/**/z", ("/a/z", "/a/b/z", "/a/z/z"), ("/z", "/a", "/a/z/b")),
    "twice": ("/a/**/**/z", ("/a/z", "/a/b/z"), ("/a", "/a/z/b")),
    "around": ("**/a/**", ("/a", "/b/a/c", "/a/a"), ("", "/b")),
    "one-then-many": ("/*/**", ("/a", "/a/b"), ("",)),
    "many-then-one": ("**/*", ("/a", "/a/b"), ("",)),
    "all-of-it": ("/a/*/**/b/**/*", ("/a/x/b/y", "/a/b/b/b/b"), ("/a/b/y", "/a/x/b")),
    "escaped": ("/a~1b/m~0n", ("/a~1b/m~0n",), ("/a/b/m~0n",)),
    "tilde-then-one": ("/~01", ("/~01",), ("/~1",)),
    "index": ("/messages/0", ("/messages/0",), ("/messages/00", "/messages/1")),
    "not-ascii": ("/größe", ("/größe",), ("/grosse",)),
    "space": ("/ a", ("/ a",), ("/a",)),
}


def matched(globs: tuple[str, ...], pointer: str) -> set[str]:
    automaton = Globs(globs)
    state = automaton.start
    for token in split_pointer(pointer):
        state = automaton.step(state, token)
    return {glob for glob in globs if state & automaton.ends((glob,))}


@pytest.mark.parametrize(("glob", "yes", "no"), MATCHES.values(), ids=MATCHES)
def test_a_glob_matches_pointers(glob: str, yes: tuple[str, ...], no: tuple[str, ...]) -> None:
    """Segment by segment, decoded: * any one, ** any number, none too."""
    assert [pointer for pointer in (*yes, *no) if matched((glob,), pointer)] == list(yes)


def test_globs_do_not_get_in_each_others_way() -> None:
    """All of them stepped along at once say what each says alone."""
    globs = tuple(glob for glob, _, _ in MATCHES.values())
    for _, yes, no in MATCHES.values():
        for pointer in (*yes, *no):
            assert matched(globs, pointer) == {glob for glob in globs if matched((glob,), pointer)}


def test_around_the_body_only_everywhere_matches() -> None:
    """The body itself stands in nothing that a pointer names."""
    globs = Globs(("/", "**", "/**", "**/a", "/*"))
    assert globs.around == globs.ends(("**", "/**"))
    assert Globs(()).around == 0


MISTAKES = {
    "no-slash": ("metadata", "begins with no slash"),
    "no-slash-below": ("metadata/**", "begins with no slash"),
    "one-without-slash": ("*", "begins with no slash"),
    "empty-segment": ("/a//b", "has an empty segment"),
    "slash-at-the-end": ("/metadata/", "has an empty segment"),
    "two-slashes": ("//", "has an empty segment"),
    "three-asterisks": (
        "/***",
        "has the segment '***'; * and ** stand for whole segments, not within one",
    ),
    "asterisk-within": (
        "/metadata/user_*",
        "has the segment 'user_*'; * and ** stand for whole segments, not within one",
    ),
    "asterisks-and-name": (
        "**a/b",
        "has the segment '**a'; * and ** stand for whole segments, not within one",
    ),
    "tilde": ("/a~b", "has a ~ that is neither ~0 nor ~1"),
    "tilde-two": ("/a~2", "has a ~ that is neither ~0 nor ~1"),
    "tilde-last": ("/a~", "has a ~ that is neither ~0 nor ~1"),
    "tilde-before-an-escape": ("/a~~01", "has a ~ that is neither ~0 nor ~1"),
}


@pytest.mark.parametrize(("glob", "why"), MISTAKES.values(), ids=MISTAKES)
def test_what_is_no_glob(glob: str, why: str) -> None:
    """Each mistake has a sentence of its own."""
    with pytest.raises(ValueError, match=f"^{re.escape(why)}$"):
        parse_glob(glob)


def reference(segments: tuple[str, ...], tokens: list[str]) -> bool:
    if not segments:
        return not tokens
    first, rest = segments[0], segments[1:]
    if first == "**":
        return any(reference(rest, tokens[skip:]) for skip in range(len(tokens) + 1))
    return bool(tokens) and first in ("*", tokens[0]) and reference(rest, tokens[1:])


@given(
    st.lists(st.lists(st.sampled_from(("**", "*", "a", "b")), min_size=1, max_size=6), min_size=1),
    st.lists(st.sampled_from(("a", "b", "c")), max_size=7),
)
def test_as_a_matcher_that_tries_everything(globs: list[list[str]], tokens: list[str]) -> None:
    """The automaton says what trying every way says."""
    texts = tuple(dict.fromkeys("/" + "/".join(segments) for segments in globs))
    expected = {text for text in texts if reference(tuple(text.split("/")[1:]), tokens)}
    assert matched(texts, "".join(f"/{token}" for token in tokens)) == expected
