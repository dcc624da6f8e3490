"""Reports are values that say where and why."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

from body_guard import Finding, Report
from body_guard.core.report import CLEAN, not_judged, stamp


def finding(path: str = "/a", rule: str = "sentry", kind: str = "builtins.int") -> Finding:
    return Finding(path, rule, "remove", kind)


FIRST = Report((finding("/a"),), changed=True, omitted=2)


SECOND = Report((finding("/b"),), omitted=3)


SUMS = {
    "clean": (CLEAN, CLEAN, CLEAN),
    "then-clean": (FIRST, CLEAN, FIRST),
    "clean-then": (CLEAN, FIRST, FIRST),
    "both": (FIRST, SECOND, Report((finding("/a"), finding("/b")), True, omitted=5)),
    "changed-later": (SECOND, FIRST, Report((finding("/b"), finding("/a")), True, omitted=5)),
    "not-judged-first": (
        not_judged("stream"),
        SECOND,
        Report((finding("/b"),), False, False, "stream", 3),
    ),
    "not-judged-later": (
        SECOND,
        Report((finding("/a"),), judged=False, why_not_judged="not JSON"),
        Report((finding("/b"), finding("/a")), False, False, "not JSON", 3),
    ),
}


@pytest.mark.parametrize(("first", "second", "joined"), SUMS.values(), ids=SUMS)
def test_two_looks_make_one_report(first: Report, second: Report, joined: Report) -> None:
    """The findings of the object and of its bytes, in that order."""
    assert first + second == joined


def test_reports_are_values() -> None:
    """Frozen, equal by what they say, hashable, picklable."""
    with pytest.raises(AttributeError):
        FIRST.changed = False  # type: ignore[misc]
    with pytest.raises(AttributeError):
        FIRST.findings[0].path = "/b"  # type: ignore[misc]
    assert Report((finding("/a"),), changed=True, omitted=2) == FIRST
    assert hash(FIRST) == hash(Report((finding("/a"),), changed=True, omitted=2))
    assert pickle.loads(pickle.dumps(FIRST)) == FIRST  # noqa: S301 - our own pickle


def test_the_defaults_are_a_clean_look() -> None:
    """A report says nothing unless something was found."""
    assert Report((), False, True, "", 0) == CLEAN
    assert not_judged("why") == Report((), False, False, "why", 0)
    assert Finding("/a", "r", "remove") == Finding("/a", "r", "remove", "", "", "")


def test_sums_keep_mode_refusal_host_and_time() -> None:
    """Of the later look, of whichever said so, and of both."""
    first = Report((Finding("/a", "r", "remove"),), mode="enforce", host="h", seconds=1.0)
    later = Report((), mode="audit", refused="BodyRejectedError", seconds=2.0)
    joined = first + later
    assert (joined.mode, joined.refused, joined.host, joined.seconds) == (
        "audit",
        "BodyRejectedError",
        "h",
        3.0,
    )


def test_a_stamp_changes_host_and_time_alone() -> None:
    """The report given stays as it is, and every other field is taken over."""
    finding = Finding("/a", "r", "remove")
    given = Report((finding,), True, False, "why", 3, "audit", "BodyRejectedError", "before", 1.0)
    stamped = stamp(given, "host", 2.0)
    assert dataclasses.astuple(stamped) == (*dataclasses.astuple(given)[:-2], "host", 2.0)
    assert (given.host, given.seconds, type(stamped)) == ("before", 1.0, Report)
    assert pickle.loads(pickle.dumps(stamped)) == stamped  # noqa: S301


def test_what_is_compared_is_what_was_found() -> None:
    """Where and how long are no part of it; the mode is."""
    assert Report(host="a", seconds=1.0, refused="x") == Report()
    assert Report(mode="audit") != Report()


def test_without_leaves_what_another_does_not_tell() -> None:
    """By place and rule, whatever the type: bytes have none."""
    one, two = Finding("/a", "r", "remove", "builtins.int"), Finding("/b", "r", "remove")
    report = Report((one, two), omitted=3)
    assert report.without(Report((Finding("/a", "r", "remove"),))) == Report((two,), omitted=3)
    assert report.without(Report()) is report
