"""install at the transports: what reaches them without a client's door, or past it."""

from __future__ import annotations

import functools
from typing import Any

import aiohttp
import pytest

import body_guard
from body_guard import Policy, Rule, SignedBodyError
from body_guard.cli.provider import Provider

from doors import Family, using

URL = "http://provider.test/"
DIRTY = b'{"a": 1.10, "_sentry_x": {}}'
CLEAN = b'{"a": 1.10}'
STRICT = Policy(rules=(Rule("strict", keys=("a",)),))


def transport(family: Family, is_async: bool) -> Any:
    """Return the class of a library's own transport."""
    return family.library.AsyncHTTPTransport if is_async else family.library.HTTPTransport


def handle(given: Any, request: Any) -> Any:
    """Hand a request to a transport; return the response, awaited where it is async."""
    name = "handle_async_request" if hasattr(given, "handle_async_request") else "handle_request"
    return using(given, lambda t: getattr(t, name)(request))


def stream_of(content: bytes, is_async: bool) -> Any:
    """Return a stream that nobody can look into."""

    async def asynchronous() -> Any:
        yield content

    return asynchronous() if is_async else iter([content])


def test_a_request_given_to_a_transport(family: Family, is_async: bool, loopback: Provider) -> None:
    """As pinecone does: ``client._transport.handle_request(httpx.Request(...))``."""
    body_guard.install()
    client = family.client(is_async)(trust_env=False)
    request = family.library.Request("POST", loopback.url, content=DIRTY)
    with body_guard.collect() as reports:
        handle(client._transport, request)
    assert loopback.received[0].body == CLEAN
    assert loopback.received[0].headers["Content-Length"] == str(len(CLEAN))
    assert [report.changed for report in reports] == [True]
    body_guard.uninstall()
    handle(
        transport(family, is_async)(),
        family.library.Request("POST", loopback.url, content=DIRTY),
    )
    assert loopback.received[1].body == DIRTY


def test_a_signed_request_given_to_a_transport(
    family: Family, is_async: bool, loopback: Provider
) -> None:
    """It is refused, and nothing leaves."""
    body_guard.install()
    headers = {"Signature": "s"}
    request = family.library.Request("POST", loopback.url, content=DIRTY, headers=headers)
    with pytest.raises(SignedBodyError, match="its signature header"):
        handle(transport(family, is_async)(), request)
    assert loopback.received == []


def test_a_stream_given_to_a_transport(family: Family, is_async: bool, loopback: Provider) -> None:
    """It is read where the policy says so."""
    body_guard.install(Policy(buffer=100))
    content = stream_of(DIRTY, is_async)
    request = family.library.Request("POST", loopback.url, content=content)
    handle(transport(family, is_async)(), request)
    assert loopback.received[0].body == CLEAN


def spoiling(family: Family, is_async: bool) -> Any:
    """Return a user's transport that gives a request another body, and hands it on."""
    base, content = transport(family, is_async), DIRTY
    library: Any = family.library

    def spoil(request: Any) -> Any:
        return library.Request(request.method, request.url, content=content)

    class Sync(base):  # type: ignore[misc,valid-type]
        def handle_request(self, request: Any) -> Any:
            return super().handle_request(spoil(request))

    class Async(base):  # type: ignore[misc,valid-type]
        async def handle_async_request(self, request: Any) -> Any:
            return await super().handle_async_request(spoil(request))

    return Async() if is_async else Sync()


def test_a_users_transport_on_the_librarys(
    family: Family, is_async: bool, loopback: Provider
) -> None:
    """What it makes of a request is judged by the transport that it stands on."""
    body_guard.install()
    client = family.client(is_async)(transport=spoiling(family, is_async))
    using(client, lambda c: c.post(loopback.url, content=b"{}"))
    assert loopback.received[0].body == CLEAN


def test_hooks_that_a_hook_sets(family: Family, is_async: bool, loopback: Provider) -> None:
    """On the next hop the client's last hook is gone, and the transport stands."""
    base, hops = transport(family, is_async), []
    redirect = family.library.Response(307, headers={"location": "/again"})

    class Sync(base):  # type: ignore[misc,valid-type]
        def handle_request(self, request: Any) -> Any:
            hops.append(request)
            return super().handle_request(request) if hops[1:] else redirect

    class Async(base):  # type: ignore[misc,valid-type]
        async def handle_async_request(self, request: Any) -> Any:
            hops.append(request)
            return await super().handle_async_request(request) if hops[1:] else redirect

    def poison(request: Any) -> None:
        request.stream, request._content = family.library.ByteStream(DIRTY), DIRTY
        request.headers["Content-Length"] = str(len(DIRTY))

    async def poison_async(request: Any) -> None:
        poison(request)

    def assign(_: Any) -> None:
        client.event_hooks = {"request": [poison_async if is_async else poison]}

    async def assign_async(_: Any) -> None:
        assign(_)

    body_guard.install()
    client = family.client(is_async)(
        transport=Async() if is_async else Sync(),
        event_hooks={"response": [assign_async if is_async else assign]},
        follow_redirects=True,
    )
    using(client, lambda c: c.post(loopback.url, content=CLEAN))
    assert [received.body for received in loopback.received] == [CLEAN]


def broken(value: object) -> object:
    raise RuntimeError


OWN = {
    "finds it clean": (Policy(()), DIRTY),
    "audits": (Policy(mode="audit"), DIRTY),
    "by its host": (Policy(hosts={"127.0.0.1": Policy(())}), DIRTY),
    "cleans by its own rules": (Policy(), CLEAN),
}


@pytest.mark.parametrize(("own", "sent"), OWN.values(), ids=OWN)
@pytest.mark.parametrize("way", ["guard", "client", "transport"])
def test_what_a_clients_own_guard_has_judged(
    family: Family, is_async: bool, loopback: Provider, own: Policy, sent: bytes, way: str
) -> None:
    """It is left alone at the transport, whatever the policy of install()."""
    infix = "Async" if is_async else ""
    body_guard.install(STRICT if way != "transport" else Policy(()))
    if way == "guard":
        client = body_guard.guard(family.client(is_async)(trust_env=False), own)
    elif way == "client":
        client = getattr(family.guarded, f"Guarded{infix}Client")(policy=own, trust_env=False)
    else:
        wrap = getattr(family.guarded, f"Guarded{infix}Transport")
        inside = transport(family, is_async)()
        client = family.client(is_async)(transport=wrap(inside, policy=own))
        body_guard.install(STRICT)
    with body_guard.collect() as reports:
        if way == "transport":
            handle(client._transport, family.library.Request("POST", loopback.url, content=DIRTY))
        else:
            using(client, lambda c: c.post(loopback.url, content=DIRTY))
    assert loopback.received[0].body == sent
    assert len(reports) == 1


def test_a_stream_that_a_clients_own_guard_let_pass(
    family: Family, is_async: bool, loopback: Provider
) -> None:
    """It said that nobody has looked: install() does not look in its place."""
    body_guard.install(Policy(buffer=1000))
    client = body_guard.guard(family.client(is_async)(trust_env=False))
    using(client, lambda c: c.post(loopback.url, content=stream_of(DIRTY, is_async)))
    assert loopback.received[0].body == DIRTY


def test_what_a_clients_own_guard_failed_at(
    family: Family, is_async: bool, loopback: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its policy lets that go: install() does not refuse it in its place."""
    monkeypatch.setattr("body_guard.formats.json_bytes.splice", lambda *_, **__: 1 / 0)
    body_guard.install()
    own = Policy(on_error="send")
    client = body_guard.guard(family.client(is_async)(trust_env=False), own)
    using(client, lambda c: c.post(loopback.url, content=DIRTY))
    assert loopback.received[0].body == DIRTY


def own_transport(family: Family, is_async: bool, seen: list[bytes]) -> Any:
    """Return a user's transport that stands on none of the library's."""
    library: Any = family.library

    class Sync(library.BaseTransport):  # type: ignore[misc]
        def handle_request(self, request: Any) -> Any:
            seen.append(b"".join(request.stream))
            return library.Response(200)

    class Async(library.AsyncBaseTransport):  # type: ignore[misc]
        async def handle_async_request(self, request: Any) -> Any:
            seen.append(b"".join([chunk async for chunk in request.stream]))
            return library.Response(200)

    return Async() if is_async else Sync()


class AiohttpTransport:
    """What httpx-aiohttp does, in short: the content, or else the stream, over aiohttp."""

    def __init__(self, library: Any) -> None:
        self.library = library

    async def __aenter__(self) -> Any:
        self.session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    async def handle_async_request(self, request: Any) -> Any:
        try:
            data: Any = request.content
        except self.library.RequestNotRead:
            data = request.stream
        headers = dict(request.headers)
        sent = self.session.request(request.method, str(request.url), data=data, headers=headers)
        async with sent as response:
            return self.library.Response(response.status, content=await response.read())


def spoil_by(family: Family, is_async: bool, way: str) -> dict[str, Any]:
    """Return the options of a client whose hook, or whose auth flow, makes a body dirty."""
    library: Any = family.library

    def poison(request: Any) -> None:
        request.stream, request._content = library.ByteStream(DIRTY), DIRTY
        request.headers["Content-Length"] = str(len(DIRTY))

    async def poison_async(request: Any) -> None:
        poison(request)

    class Auth(library.Auth):  # type: ignore[misc]
        def auth_flow(self, request: Any) -> Any:
            poison(request)
            yield request

    if way == "auth":
        return {"auth": Auth()}
    return {"event_hooks": {"request": [poison_async if is_async else poison]}}


@pytest.mark.parametrize("way", ["hook", "auth"])
def test_a_users_own_transport(family: Family, is_async: bool, way: str) -> None:
    """No patch reaches it: the client's last hook stands for the time of send."""
    seen: list[bytes] = []
    client = family.client(is_async)(
        transport=own_transport(family, is_async, seen), **spoil_by(family, is_async, way)
    )
    body_guard.install()
    using(client, lambda c: c.post(URL, content=b"{}"))
    assert seen == [CLEAN]


@pytest.mark.parametrize("way", ["hook", "auth"])
def test_a_transport_over_aiohttp(family: Family, way: str, loopback: Provider) -> None:
    """Nor does one reach that of httpx-aiohttp or litellm."""
    base = (AiohttpTransport, family.library.AsyncBaseTransport)
    transport = type("Transport", base, {})(family.library)
    client = family.library.AsyncClient(transport=transport, **spoil_by(family, True, way))
    body_guard.install()
    using(client, lambda c: c.post(loopback.url, content=b"{}"))
    assert [received.body for received in loopback.received] == [CLEAN]


class Wrapper:
    """What wrapt puts in a class: no function, and wrong when it is called as one."""

    def __init__(self, wrapped: Any) -> None:
        functools.update_wrapper(self, wrapped)
        self.calls = 0

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        bound = self.__wrapped__.__get__(instance, owner)  # type: ignore[attr-defined]

        def call(*args: Any, **options: Any) -> Any:
            self.calls += 1
            return bound(*args, **options)

        return call

    def __call__(self, *args: Any, **options: Any) -> Any:
        raise AssertionError("not asked for its method")


def test_beside_wrapts_patches(
    family: Family, is_async: bool, loopback: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ddtrace and OpenTelemetry put on: ours on top asks theirs as a class does."""
    library: Any = family.library
    kinds = {
        library.Client.__mro__[1]: "build_request",
        family.client(is_async): "send",
        transport(family, is_async): "handle_async_request" if is_async else "handle_request",
    }
    wrappers = []
    for kind, name in kinds.items():
        wrappers.append(Wrapper(vars(kind)[name]))
        monkeypatch.setattr(kind, name, wrappers[-1])
    try:
        body_guard.install()
        client = family.client(is_async)(trust_env=False)
        using(client, lambda c: c.post(loopback.url, json={"a": 1, "_sentry_x": 1}))
        body_guard.guard(again := family.client(is_async)(trust_env=False))
        using(again, lambda c: c.post(loopback.url, content=DIRTY))
    finally:
        body_guard.uninstall()
    assert [received.body for received in loopback.received] == [b'{"a":1}', CLEAN]
    assert [wrapper.calls for wrapper in wrappers] == [2, 2, 2]
