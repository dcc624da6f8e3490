"""Bodies as they leave, told by the outermost of several doors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from body_guard.http.content import describe_content
from body_guard.http.departures import OBSERVERS, Departure, Journey, leaving


@pytest.fixture
def left() -> Iterator[list[Departure]]:
    departures: list[Departure] = []
    OBSERVERS.append(departures.append)
    yield departures
    OBSERVERS.remove(departures.append)


def describe(body: object) -> Departure:
    content = body if isinstance(body, bytes) else None
    return Departure("a.test", "POST", "/", None, None, content)


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        (b"same", b"same", [b"same"]),
        (b"outer", b"inner", [b"inner", b"outer"]),
        (b"outer", None, [b"outer"]),
        (b"outer", object(), [None, b"outer"]),
    ],
    ids=["the same bytes", "other bytes", "the stream around it", "another request"],
)
def test_one_body_is_told_of_once(
    outer: bytes, inner: object, expected: list[object], left: list[Departure]
) -> None:
    """By the outer door, which sees what the inner one made of it."""
    with leaving(outer, describe), leaving(inner, describe):
        assert left == []
    assert [departure.content for departure in left] == expected
    assert all(departure.time > 1e9 for departure in left)


def test_a_door_below_what_has_not_begun(left: list[Departure]) -> None:
    """An auth flow sends through a transport before the first hop: that is a body of its own."""
    with Journey() as journey, leaving(b"token", describe):
        pass
    assert [departure.content for departure in left] == [b"token"]
    journey.finish_hop()
    assert len(left) == 1


def test_no_content_is_shown(left: list[Departure]) -> None:
    """A departure may be logged, or be among the local variables of a traceback."""
    with leaving(b"secret", describe):
        pass
    assert "secret" not in repr(left)


@pytest.mark.parametrize("body", [None, b"", ""], ids=repr)
def test_a_request_without_a_body_is_no_departure(body: object) -> None:
    """Of a library beside httpx: there is nothing to record."""
    assert describe_content(None, "GET", "http://a.test/", None, body) is None
