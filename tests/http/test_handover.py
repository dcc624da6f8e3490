"""The hand-over: what guards leave to each other about one body, and that nothing goes astray."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import Any

import httpx

import body_guard
from body_guard import Finding, Report
from body_guard.core.report import CLEAN
from body_guard.http.handover import (
    Handover,
    hand_over,
    put_down,
    receive,
    take_findings,
    take_up,
)
from body_guard.http.request_guard import Guard

LIVE = Report((Finding("/live", "unserializable", "remove", "builtins.object"),), changed=True)
KEY = Report((Finding("/_sentry_x", "sentry", "remove", "builtins.int"),), changed=True)


def handover(*found: Report, values: tuple[Any, ...] = ()) -> Handover:
    return Handover(Guard(httpx), str, list(found), values)


def test_what_is_put_down_is_taken_up_once() -> None:
    """By the guard that builds the request; the values say whose body it is."""
    body = {"a": 1}
    mine = handover(LIVE, values=(body, None))
    copy_context().run(put_down, mine)
    assert take_up() is None

    def attempt() -> tuple[Handover | None, Handover | None]:
        put_down(mine)
        return take_up(), take_up()

    assert copy_context().run(attempt) == (mine, None)


def test_what_waits_for_its_request_is_nobody_elses() -> None:
    """A request of the same context that is built in between has no findings of another body."""

    def attempt() -> list[list[str]]:
        put_down(handover(LIVE))
        assert receive() is None
        with body_guard.GuardedClient() as client, body_guard.collect() as reports:
            client.build_request("POST", "http://provider.test/", json={})
        assert take_up() is not None
        return [[finding.path for finding in report.findings] for report in reports]

    assert copy_context().run(attempt) == [[]]


def test_a_body_is_received_while_its_request_is_built() -> None:
    """And not taken up, since that is for whoever begins to build it."""
    mine = handover()
    assert receive() is None
    with hand_over(mine):
        assert receive() is mine
        assert take_up() is None
    assert receive() is None


def test_findings_are_taken_once_and_told_once() -> None:
    """Two guards may have found the same in one body."""
    assert take_findings() is CLEAN
    assert take_findings(KEY) is KEY
    with hand_over(handover(LIVE, LIVE)):
        assert take_findings(KEY).findings == LIVE.findings + KEY.findings
        assert take_findings() is CLEAN


def test_a_guard_inside_another_adds_to_its_findings() -> None:
    """The innermost guard is the one whose policy is asked, and all findings are in one list."""
    outer, inner = handover(LIVE), handover(KEY)
    with hand_over(outer):
        with hand_over(inner):
            assert receive() is inner
            assert take_findings().findings == LIVE.findings + KEY.findings
        assert receive() is outer
        assert outer.found == []


def test_tasks_have_bodies_of_their_own() -> None:
    """What one coroutine puts down while it waits is not taken up by another."""

    async def attempt(mine: Handover) -> Handover | None:
        put_down(mine)
        await asyncio.sleep(0)
        return take_up()

    async def both() -> None:
        one, other = handover(LIVE), handover(KEY)
        taken = await asyncio.gather(attempt(one), attempt(other))
        assert [each.found for each in taken if each] == [[LIVE], [KEY]]

    asyncio.run(both())
