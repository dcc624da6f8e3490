"""What httpx2 has and httpx has not; and that neither library is imported because of the other."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import body_guard

from doors import CLIENTS, DOORS, Door, Family, Wire, exchange, using

pytest.importorskip("httpx2", reason="httpx2 needs Python 3.11")

URL = "http://provider.test/v1"
DIRTY = b'{"a": 1.10, "_sentry_x": {}}'
CLEAN = b'{"a": 1.10}'
OTHER = {"httpx": Family("httpx2"), "httpx2": Family("httpx")}


def of_httpx2(table: list[Any]) -> list[Any]:
    return [row for row in table if row.values[0].family.name == "httpx2"]


@pytest.fixture(params=of_httpx2(DOORS))
def door(request: pytest.FixtureRequest) -> Door:
    """Give every door of httpx2."""
    return request.param


@pytest.fixture(params=of_httpx2(CLIENTS))
def client_door(request: pytest.FixtureRequest) -> Door:
    """Give every door of httpx2 that sees json=."""
    return request.param


@pytest.mark.parametrize("status", [302, 307])
def test_a_query_has_a_body(door: Door, wire: Wire, status: int) -> None:
    """QUERY is judged as POST is, and keeps its body over a 302 (RFC 10008)."""
    wire.answers = [{"status": status, "headers": {"location": "/2"}}]
    act = lambda c: c.query(URL, content=DIRTY, follow_redirects=True)  # noqa: E731
    exchange(door, wire, act)
    assert wire.bodies == [CLEAN, CLEAN]
    assert [request.method for request in wire.requests] == ["QUERY", "QUERY"]


def test_a_query_with_json(client_door: Door, wire: Wire) -> None:
    """Its json= is an object when it is judged."""
    exchange(client_door, wire, lambda c: c.query(URL, json={"a": 1, "x": object()}))
    assert wire.body == b'{"a":1}'


def test_the_request_of_an_event_stream(door: Door, wire: Wire) -> None:
    """client.sse() sends a request like any other."""
    wire.answers = [{"headers": {"content-type": "text/event-stream"}, "content": b"data: x\n\n"}]
    if door.is_async:

        async def act(client: Any) -> list[str]:
            async with client.sse(URL, method="POST", content=DIRTY) as source:
                return [event.data async for event in source]

    else:

        def act(client: Any) -> list[str]:  # type: ignore[misc]
            with client.sse(URL, method="POST", content=DIRTY) as source:
                return [event.data for event in source]

    assert exchange(door, wire, act) == ["x"]
    assert wire.body == CLEAN


def test_the_upgrade_to_a_websocket(door: Door, wire: Wire) -> None:
    """Its request passes the guard, which says so; the messages after it do not."""
    websockets = pytest.importorskip("httpx2.websockets")
    if door.is_async:

        async def act(client: Any) -> None:
            async with client.websocket("ws://provider.test/"):
                raise AssertionError("no server answers with 101")

    else:

        def act(client: Any) -> None:
            with client.websocket("ws://provider.test/"):
                raise AssertionError("no server answers with 101")

    with body_guard.collect() as reports, pytest.raises(websockets.WebSocketUpgradeError):
        exchange(door, wire, act)
    assert [report.judged for report in reports] == [True]
    assert wire.requests[0].headers["upgrade"] == "websocket"


def test_a_transport_of_the_other_library(transport_door: Door) -> None:
    """An httpx transport in httpx2's GuardedTransport, or the reverse, is named with what is."""
    infix = "Async" if transport_door.is_async else ""
    own, other = transport_door.library, OTHER[transport_door.family.name].library
    if own is other:
        pytest.skip("one library under two names")
    with pytest.raises(
        TypeError,
        match=f"wraps an {own.__name__}.{infix}BaseTransport, "
        f"not a {other.__name__}.{infix}HTTPTransport",
    ):
        transport_door.client(getattr(other, f"{infix}HTTPTransport")())


def test_both_at_once(wire: Wire) -> None:
    """One process, both libraries, each guarded by classes of its own."""
    import httpx
    import httpx2

    for library in (httpx, httpx2):
        client = body_guard.guard(library.Client(transport=library.MockTransport(wire)))
        using(client, lambda c: c.post(URL, content=DIRTY))
    assert wire.bodies == [CLEAN, CLEAN]
    assert [type(request).__module__ for request in wire.requests] == [
        httpx.__name__,
        httpx2.__name__,
    ]


POST = """
import sys, {name} as library, body_guard{more}
answer = library.MockTransport(lambda request: library.Response(200, content=request.content))
client = {make}
print(client.post("http://x.test", content=b'{{"_sentry_x": 1, "a": 2}}').text)
print([name for name in ("httpx", "httpx2") if name in sys.modules])
"""


@pytest.mark.parametrize(
    ("more", "make"),
    [
        ("", "body_guard.guard(library.Client(transport=answer))"),
        (", body_guard.{name}", "body_guard.{name}.GuardedClient(transport=answer)"),
        ("; body_guard.install()", "library.Client(transport=answer)"),
    ],
    ids=["guard", "client", "install"],
)
def test_the_other_library_is_not_imported(family: Family, more: str, make: str) -> None:
    """Whoever uses one library loads that one alone."""
    name = family.name
    code = POST.format(name=name, more=more.format(name=name), make=make.format(name=name))
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == f"{{ \"a\": 2}}\n['{name}']\n"
