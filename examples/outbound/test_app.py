"""Tests of an application; none of them may send what must not leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from app import ask

from body_guard import GuardedClient

if TYPE_CHECKING:
    from body_guard.pytest_plugin import Outbound

ECHO = httpx.MockTransport(lambda request: httpx.Response(200, content=request.content))
LEFT_BEHIND = {"user_id": "u-17", "_sentry_trace": "3f2a"}


def test_answer() -> None:
    """Judged too, since the whole suite is strict."""
    with GuardedClient(transport=ECHO) as client:
        assert ask(client, "Hi", LEFT_BEHIND).status_code == 200


@pytest.mark.outbound(min_bodies=2)
def test_two_questions() -> None:
    """The marker says how many bodies have to be seen."""
    with GuardedClient(transport=ECHO) as client:
        ask(client, "Hi", LEFT_BEHIND)
        ask(client, "And now?", {})


def test_what_leaves(outbound: Outbound) -> None:
    """The fixture has what left."""
    with GuardedClient(transport=ECHO) as client:
        ask(client, "Hi", LEFT_BEHIND)
    outbound.assert_clean()
    content = outbound.bodies[0].content
    assert content is not None
    assert b"u-17" in content


def test_an_unguarded_client(outbound: Outbound) -> None:
    """Such a test fails; this one expects it."""
    with httpx.Client(transport=ECHO) as client:
        ask(client, "Hi", LEFT_BEHIND)
    with pytest.raises(AssertionError, match="/metadata/_sentry_trace"):
        outbound.assert_clean()
