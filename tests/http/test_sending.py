"""What a guard sees of a request while it is sent: after auth, hooks and redirects, on each hop."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
import logging
import threading
from typing import Any

import anyio
import openai
import pytest

import body_guard
from body_guard import Policy, Report, Rule, SignedBodyError
from body_guard.http.sending import RequestHooks

from doors import CLIENTS, Door, Family, Wire, exchange, using

URL = "http://provider.test/"
DIRTY = b'{"a": 1.10, "_sentry_x": {}}'
CLEAN = b'{"a": 1.10}'
STRICT = Policy(rules=(Rule("strict", keys=("model",)),))


def poisoned(request: Any, content: bytes = DIRTY) -> None:
    """Return a request another body, as a hook might."""
    made = type(request)("POST", request.url, content=content)
    request.stream, request._content = made.stream, content
    request.headers["Content-Length"] = str(len(content))


def hook(is_async: bool, act: Any = poisoned) -> Any:
    """Return a request hook that does something with a request."""

    def ours(request: Any) -> None:
        act(request)

    async def ours_async(request: Any) -> None:
        act(request)

    return ours_async if is_async else ours


def test_each_request_that_an_auth_flow_yields(door: Door, wire: Wire) -> None:
    """The request for a token, and the caller's own with the token that came."""

    class Token(door.library.Auth):  # type: ignore[name-defined,misc]
        requires_response_body = True

        def auth_flow(self, request: Any) -> Any:
            response = yield door.library.Request("POST", f"{URL}token", content=DIRTY)
            request.headers["Authorization"] = response.text
            poisoned(request)
            yield request

    wire.answers = [{"text": "Bearer t"}]
    with body_guard.collect() as reports:
        exchange(door, wire, lambda c: c.post(URL, content=CLEAN, auth=Token()))
    assert wire.bodies == [CLEAN, CLEAN]
    assert wire.requests[1].headers["authorization"] == "Bearer t"
    changed = [report.changed for report in reports]
    assert changed == [True, True] if door.kind == "transport" else [False, True, True]


SETTING = {
    "constructor": lambda client, hooks: None,
    "anew": lambda client, hooks: setattr(client, "event_hooks", {"request": hooks}),
    "one item": lambda client, hooks: client.event_hooks.update(request=hooks),
    "appended": lambda client, hooks: client.event_hooks["request"].append(hooks[0]),
    "in place": lambda client, hooks: client.event_hooks["request"].__setitem__(slice(None), hooks),
    "a tuple": lambda client, hooks: client.event_hooks.update(request=tuple(hooks)),
    "extended": lambda client, hooks: client.event_hooks["request"].extend(hooks),
}


@pytest.mark.parametrize("first", [False, True], ids=["before sending", "after sending"])
@pytest.mark.parametrize("way", SETTING)
def test_ours_is_the_last_hook(client_door: Door, wire: Wire, way: str, first: bool) -> None:
    """However a hook comes to the client, and whether it has sent before."""
    hooks = [hook(client_door.is_async)]
    given = {"event_hooks": {"request": hooks}} if way == "constructor" else {}

    async def act_async(client: Any) -> None:
        if first:
            await client.post(URL, content=CLEAN)
        SETTING[way](client, hooks)
        await client.post(URL, content=CLEAN)

    def act(client: Any) -> None:
        if first:
            client.post(URL, content=CLEAN)
        SETTING[way](client, hooks)
        client.post(URL, content=CLEAN)

    exchange(client_door, wire, act_async if client_door.is_async else act, **given)
    assert wire.bodies == [CLEAN, CLEAN] if first else [CLEAN]


@pytest.mark.parametrize("client_door", [d for d in CLIENTS if d.kind != "install"], ids=str)
def test_hooks_set_by_a_hook(client_door: Door, wire: Wire) -> None:
    """What a response hook assigns counts on the next hop, and so does ours.

    Under install() it is the transports that stand for that.
    """
    wire.answers = [{"status": 307, "headers": {"location": "/again"}}]

    def act(client: Any) -> Any:
        def assign(_: Any) -> None:
            client.event_hooks = {"request": [hook(client_door.is_async)]}

        client.event_hooks["response"].append(hook(client_door.is_async, assign))
        return client.post(URL, content=CLEAN)

    exchange(client_door, wire, act, follow_redirects=True)
    assert wire.bodies == [CLEAN, CLEAN]


def test_signed_by_then(client_door: Door, wire: Wire) -> None:
    """A hook spoils what auth has signed: nothing is sent."""

    class Signer(client_door.library.Auth):  # type: ignore[name-defined,misc]
        def auth_flow(self, request: Any) -> Any:
            request.headers["Signature"] = "s"
            yield request

    hooks = {"request": [hook(client_door.is_async)]}
    with pytest.raises(SignedBodyError, match="its signature header"):
        exchange(
            client_door,
            wire,
            lambda c: c.post(URL, content=CLEAN, auth=Signer()),
            event_hooks=hooks,
        )
    assert wire.requests == []


def test_a_clean_request_is_told_of_once(door: Door, wire: Wire) -> None:
    """Judged before auth, seen again on two hops: one report, and no header touched."""
    wire.answers = [{"status": 308, "headers": {"location": "/again"}}]
    hooks = {"request": [hook(door.is_async, lambda _: None)]}
    with body_guard.collect() as reports:
        exchange(
            door,
            wire,
            lambda c: c.post(URL, content=CLEAN),
            event_hooks=hooks,
            follow_redirects=True,
        )
    assert reports == [Report()]
    assert wire.bodies == [CLEAN, CLEAN]


def test_each_hop_goes_by_its_own_host(door: Door, wire: Wire) -> None:
    """What one's own gateway may see goes no further by a redirect."""
    policy = Policy(hosts={"own.test": Policy(())})
    wire.answers = [{"status": 307, "headers": {"location": URL}}]
    exchange(
        door,
        wire,
        lambda c: c.post("http://own.test/", content=DIRTY),
        policy,
        follow_redirects=True,
    )
    assert wire.bodies == [DIRTY, CLEAN]


def test_a_user_sees_their_own_hooks(client_door: Door, wire: Wire) -> None:
    """Before, while and after the client sends, and in whatever is made of them."""
    seen: list[Any] = []
    mine = hook(client_door.is_async, lambda _: seen.append(look()))
    client = client_door.client(
        client_door.library.MockTransport(wire), event_hooks={"request": [mine]}
    )

    def look() -> Any:
        hooks = client.event_hooks["request"]
        return len(hooks), hooks == [mine], mine in hooks, hooks[0] is mine, hooks[1:] == []

    expected = (1, True, True, True, True)
    assert look() == expected
    using(client, lambda c: c.post(URL, content=CLEAN))
    assert seen == [expected]
    assert look() == expected
    hooks = client.event_hooks["request"]
    assert list(hooks) == [mine]
    assert hooks + [mine] == [mine, mine]  # noqa: RUF005
    assert repr(hooks) == repr([mine])
    assert client.event_hooks == {"request": [mine], "response": []}


def test_a_client_made_with_anothers_hooks(client_door: Door, wire: Wire) -> None:
    """It gets the user's hooks and not ours: it is not guarded by that."""
    library, transport = client_door.library, client_door.library.MockTransport(wire)
    client = client_door.client(transport)
    made = []
    plain = library.AsyncClient if client_door.is_async else library.Client

    def copy(_: Any) -> None:
        made.append(plain(transport=transport, event_hooks=client.event_hooks))

    client.event_hooks["request"].append(hook(client_door.is_async, copy))
    using(client, lambda c: c.post(URL, content=CLEAN))
    client.event_hooks["request"].clear()
    body_guard.uninstall()
    made[0].event_hooks["request"].pop(0)
    using(made[0], lambda c: c.post(URL, content=DIRTY))
    assert wire.bodies == [CLEAN, DIRTY]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("way", ["unguard", "uninstall"])
def test_the_very_list_is_given_back(family: Family, is_async: bool, way: str, wire: Wire) -> None:
    """With what was appended meanwhile, by whichever reference."""
    mine, other = hook(is_async, lambda _: None), hook(is_async, lambda _: None)
    client = family.client(is_async)(transport=family.library.MockTransport(wire))
    hooks = client.event_hooks["request"]
    before = type(client), vars(client).keys(), client.event_hooks
    if way == "unguard":
        body_guard.guard(client)
    else:
        body_guard.install()

    def act(c: Any) -> Any:
        client.event_hooks["request"].append(mine)
        hooks.append(other)
        return c.post(URL, content=DIRTY)

    using(client, act)
    assert wire.body == CLEAN
    assert client.event_hooks["request"] is not hooks
    if way == "unguard":
        body_guard.unguard(client)
    else:
        body_guard.uninstall()
    assert client.event_hooks["request"] is hooks
    assert hooks == [mine, other]
    assert type(hooks) is list
    assert (type(client), vars(client).keys(), client.event_hooks) == before


def test_uninstall_leaves_a_guarded_client_guarded(family: Family, wire: Wire) -> None:
    """A client that was guarded after it had sent under install() keeps its last hook."""
    client = family.library.Client(transport=family.library.MockTransport(wire))
    body_guard.install()
    client.post(URL, content=CLEAN)
    body_guard.guard(client)
    body_guard.uninstall()
    assert type(client.event_hooks["request"]) is RequestHooks


def test_a_client_that_is_gone_is_forgotten(family: Family, wire: Wire) -> None:
    """What install() remembers of clients keeps none of them, and is not kept itself."""
    from body_guard.integrations.process_wide import _installation

    body_guard.install()
    client = family.library.Client(transport=family.library.MockTransport(wire))
    client.post(URL, content=CLEAN)
    (known,) = [one for one in _installation.libraries if one.module is family.library]
    assert id(client) in known.row.leave.__self__.clients
    gone = id(client)
    gc.disable()
    try:
        del client
        wire.requests.clear()
        assert gone not in known.row.leave.__self__.clients
    finally:
        gc.enable()


def test_a_client_without_a_hash(family: Family, wire: Wire) -> None:
    """A user's class may compare by value: install() has no need to hash a client."""

    class Valued(family.library.Client):  # type: ignore[misc,name-defined]
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            raise AssertionError("asked")

    body_guard.install()
    with Valued(transport=family.library.MockTransport(wire)) as client:
        client.post(URL, content=DIRTY)
    assert wire.body == CLEAN


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_one_client_sends_within_another(family: Family, is_async: bool) -> None:
    """Each judges by its own policy, before the other has sent and after."""
    outside, inside = Wire(), Wire()
    mock = family.library.MockTransport
    body = b'{"model": "m", "_sentry_x": 1}'
    inner = body_guard.guard(family.client(is_async)(transport=mock(inside)), STRICT)

    def act(request: Any) -> Any:
        result = inner.post(URL, content=b"{}")
        poisoned(request, body)
        return result

    async def act_async(request: Any) -> None:
        await act(request)

    inner.event_hooks["request"].append(hook(is_async, lambda r: poisoned(r, body)))
    outer = body_guard.guard(family.client(is_async)(transport=mock(outside)))
    outer.event_hooks["request"].append(act_async if is_async else act)
    using(outer, lambda c: c.post(URL, content=b"{}"))
    assert outside.body == b'{"model": "m"}'
    assert inside.body == b'{ "_sentry_x": 1}'


def test_threads_that_share_a_client(family: Family) -> None:
    """Sends at the same time, while hooks come and go and the guard does: none leaves dirty."""
    wire = Wire()
    client = body_guard.guard(family.library.Client(transport=family.library.MockTransport(wire)))
    client.event_hooks["request"].append(poisoned)
    errors: list[BaseException] = []

    def send() -> None:
        try:
            for _ in range(50):
                client.post(URL, content=CLEAN)
        except BaseException as error:
            errors.append(error)

    def change() -> None:
        for _ in range(50):
            client.event_hooks = {"request": [poisoned]}
            client.event_hooks["request"].append(poisoned)

    threads = [threading.Thread(target=act) for act in (send, send, send, change)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert wire.bodies == [CLEAN] * 150


def test_tasks_that_share_a_client(family: Family, wire: Wire) -> None:
    """The same for tasks of one loop, each of which waits in a hook."""

    async def poison(request: Any) -> None:
        await anyio.sleep(0)
        poisoned(request)

    async def run() -> None:
        client = family.library.AsyncClient(transport=family.library.MockTransport(wire))
        body_guard.guard(client).event_hooks["request"].append(poison)
        async with client, anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(lambda: client.post(URL, content=CLEAN))

    anyio.run(run)
    assert wire.bodies == [CLEAN] * 20


def test_a_send_that_is_closed_in_another_context(family: Family, wire: Wire) -> None:
    """As the collector closes what a loop left behind: without a word."""

    async def wait(_: Any) -> None:
        await asyncio.Future()

    async def run() -> None:
        client = body_guard.guard(family.library.AsyncClient())
        client.event_hooks["request"].append(wait)
        send: Any = client.send(client.build_request("POST", URL, content=CLEAN))
        send.send(None)
        contextvars.Context().run(send.close)

    anyio.run(run)


def test_a_client_beneath_an_sdks(family: Family, wire: Wire) -> None:
    """guard() on an SDK's client gives the HTTP client beneath its last hook too."""
    wire.answers = [{"json": {"id": "x"}}]
    beneath = family.library.Client(
        transport=family.library.MockTransport(wire), event_hooks={"request": [poisoned]}
    )
    client = body_guard.guard(openai.OpenAI(api_key="k", base_url=URL, http_client=beneath))
    client.post("/x", body={"a": 1}, cast_to=object)
    assert wire.body == CLEAN


def test_an_async_client_beneath_an_sdks(family: Family, wire: Wire) -> None:
    """The same, async, and of the SDK's own copy of its client."""
    wire.answers = [{"json": {"id": "x"}}]
    beneath = family.library.AsyncClient(
        transport=family.library.MockTransport(wire), event_hooks={"request": [hook(True)]}
    )
    client = openai.AsyncOpenAI(api_key="k", base_url=URL, http_client=beneath)
    copy = body_guard.guard(client).with_options(timeout=3)
    using(beneath, lambda _: copy.post("/x", body={"a": 1}, cast_to=object))
    assert wire.body == CLEAN


def test_a_failure_that_lets_a_body_go_is_told_once(
    client_door: Door, wire: Wire, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The doors behind do not fail once more, and the report says that nobody looked."""
    monkeypatch.setattr("body_guard.formats.json_bytes.splice", lambda *_, **__: 1 / 0)
    policy = Policy(on_error="send")
    response = exchange(client_door, wire, lambda c: c.post(URL, content=DIRTY), policy)
    assert wire.body == DIRTY
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    report = response.request.extensions["body_guard"]
    assert (report.judged, report.why_not_judged) == (False, "the guard failed")


def test_a_stream_is_read_ahead_once(client_door: Door, wire: Wire) -> None:
    """Longer than buffer=: what was read is not read again by the last hook."""
    pulled = []

    def source() -> Any:
        for number in range(4):
            pulled.append(number)
            yield b"[" + b"1," * 5

    async def source_async() -> Any:
        for chunk in source():
            yield chunk

    at_hook: list[Any] = []
    hooks = {"request": [hook(client_door.is_async, lambda r: at_hook.append(r.stream))]}

    def act(client: Any) -> Any:
        content = source_async() if client_door.is_async else source()
        return client.post(URL, content=content)

    with body_guard.collect() as reports:
        exchange(client_door, wire, act, Policy(buffer=15), event_hooks=hooks)
    assert [report.why_not_judged for report in reports] == ["stream"]
    assert len(wire.body) == 44
    assert inspect.getattr_static(at_hook[0], "_chunks") == []  # by the wire, and by nobody else
    assert pulled == [0, 1, 2, 3]


def test_without_a_list_of_request_hooks(family: Family) -> None:
    """What somebody has made of the hooks is the library's to refuse."""
    client = body_guard.guard(family.library.Client(transport=family.library.MockTransport(Wire())))
    client.event_hooks.clear()
    with pytest.raises(KeyError, match="request"):
        client.post(URL, content=CLEAN)
