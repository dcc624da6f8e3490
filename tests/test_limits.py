"""What is bounded: bytes over max_bytes, and levels."""

from __future__ import annotations

import tracemalloc

import pytest

from body_guard import BodyLimitError, Policy, Sanitizer

CLEAN = b'{"text": "' + b"x" * 100 + b'"}'
DIRTY = b'{"_sentry_x": "' + b"x" * 100 + b'"}'


def test_clean_bytes_over_the_limit_pass() -> None:
    """They were read, and hold nothing forbidden."""
    content, report = Sanitizer(Policy(max_bytes=50)).sanitize_bytes(CLEAN, "application/json")
    assert content is CLEAN
    assert report.judged


def test_dirty_bytes_over_the_limit_are_refused() -> None:
    """What would have to be taken apart to be judged is not sent."""
    with pytest.raises(BodyLimitError, match="larger than max_bytes, 50"):
        Sanitizer(Policy(max_bytes=50)).sanitize_bytes(DIRTY, "application/json")


def test_or_passed_and_reported() -> None:
    """on_limit="send" sends them, and the report says that nobody judged."""
    sanitizer = Sanitizer(Policy(max_bytes=50, on_limit="send"))
    content, report = sanitizer.sanitize_bytes(DIRTY, "application/json")
    assert content is DIRTY
    assert (report.judged, report.why_not_judged) == (False, "larger than max_bytes")


def test_an_object_over_the_limit_is_always_refused() -> None:
    """There are no bytes yet that could be sent as they are."""
    with pytest.raises(BodyLimitError):
        Sanitizer(Policy(max_bytes=50, on_limit="send")).encode({"text": "x" * 100})


def test_the_limit_is_of_bytes_not_characters() -> None:
    """What only its encoding brings over the limit is refused too."""
    with pytest.raises(BodyLimitError):
        Sanitizer(Policy(max_bytes=50)).encode("\u00e9" * 30)


def test_the_limit_holds_for_memory_too() -> None:
    """A list of long integers that stands in many places is 60 MB of text that is never made."""
    numbers = [10**599] * 1000
    sanitizer = Sanitizer(Policy(max_bytes=1_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(BodyLimitError, match="larger than max_bytes"):
            sanitizer.encode([numbers] * 100)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("number", [2**64, -(2**64), 10**599, -(10**599), 10**600])
def test_a_long_integer_is_no_longer_than_it_is(number: int) -> None:
    """One that just fits is written."""
    size = len(str(number)) + 2
    assert Sanitizer(Policy(max_bytes=size)).encode([number])[0] == b"[%d]" % number
    with pytest.raises(BodyLimitError, match="larger than max_bytes"):
        Sanitizer(Policy(max_bytes=size - 1)).encode([number])


def test_a_million_levels_are_refused() -> None:
    """A body of brackets with a hit in it ends in our error, in a bounded number of levels."""
    content = b'[{"_sentry_x":1},' + b"[" * 1_000_001
    with pytest.raises(BodyLimitError, match="over 1,000,000 levels deep"):
        Sanitizer().sanitize_bytes(content, "application/json")
