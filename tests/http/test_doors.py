"""What every door does with a request, on every library, sync and async."""

from __future__ import annotations

import json
from typing import Any

import pytest

import body_guard
from body_guard import (
    BodyLimitError,
    BodyRejectedError,
    GuardError,
    Policy,
    Report,
    Rule,
    SignedBodyError,
)

from doors import FAMILIES, Door, Family, Wire, exchange

URL = "http://provider.test/v1/messages"
DIRTY = b'{"model": "m", "_sentry_span": {"op": "x"}, "n": 1.10}'
CLEANED = b'{"model": "m", "n": 1.10}'


class Span:
    """Stands for a live object."""


def plain(library: Any, **options: Any) -> Any:
    """Return the request that the unguarded library sends."""
    body_guard.uninstall()
    wire = Wire()
    with library.Client(transport=library.MockTransport(wire)) as client:
        client.request(**options)
    return wire.requests[0]


def test_dirty_json_goes_out_clean(client_door: Door, wire: Wire) -> None:
    """A live object and a forbidden key leave the json= body, the rest goes out."""
    body = {"model": "m", "metadata": {"_sentry_span": Span(), "user_id": "u1"}, "x": Span()}
    response = exchange(client_door, wire, lambda c: c.post(URL, json=body))
    assert wire.body == b'{"model":"m","metadata":{"user_id":"u1"}}'
    assert wire.requests[0].headers["content-length"] == str(len(wire.body))
    found = response.request.extensions["body_guard"]
    assert [(f.path, f.rule) for f in found.findings] == [
        ("/metadata/_sentry_span", "sentry"),
        ("/x", "unserializable"),
    ]
    assert isinstance(body["metadata"]["_sentry_span"], Span)


@pytest.mark.parametrize(
    "headers", [{"content-type": "application/json"}, {}], ids=["typed", "no type"]
)
def test_dirty_bytes_lose_the_member_and_nothing_else(
    door: Door, wire: Wire, headers: dict[str, str]
) -> None:
    """Bytes that somebody serialized keep every byte but the forbidden member's."""
    exchange(door, wire, lambda c: c.post(URL, content=DIRTY, headers=headers))
    assert wire.body == CLEANED
    assert wire.requests[0].headers["content-length"] == str(len(CLEANED))


def test_a_prebuilt_request_is_repaired_in_place(door: Door, wire: Wire) -> None:
    """A request built by hand is judged in send; the transport sees that very object."""
    request = door.library.Request("POST", URL, content=DIRTY)
    response = exchange(door, wire, lambda c: c.send(request))
    assert wire.requests[0] is request
    assert response.request is request
    assert request.content == CLEANED
    assert b"".join(request.stream) == CLEANED


CLEAN_REQUESTS: dict[str, dict[str, Any]] = {
    "json": {"json": {"a": [1, 2.5, None, True, "é"], "n": {}}},
    "json with headers": {
        "json": {"a": 1},
        "headers": [("X-A", "1"), ("content-TYPE", "application/vnd.api+json"), ("x-a", "2")],
    },
    "json with a wrong length": {"json": {"a": 1}, "headers": {"Content-Length": "3"}},
    "json null": {"json": None},
    "json false": {"json": False},
    "json zero": {"json": 0},
    "json empty": {"json": {}},
    "json beside content": {"json": {"_sentry_x": 1}, "content": b"abc"},
    "json beside empty content": {"json": {"_sentry_x": 1}, "content": b""},
    "json beside data": {"json": {"_sentry_x": 1}, "data": {"a": "1"}},
    "json beside empty data": {"json": {"a": 1}, "data": {}, "files": {}},
    "json beside files": {"json": {"_sentry_x": 1}, "files": {"f": b"x"}, "headers": {
        "content-type": "multipart/form-data; boundary=b"
    }},
    "content": {"content": b'{"a": 1.10, "a": 1e999}'},
    "prose": {"content": b'{"text": "what is \\"_sentry_span\\": 1 ?", "k": ["_sentry_x"]}'},
    "text": {"content": "h\u00e9llo"},
    "form": {"data": {"_sentry_x": "1"}},
    "chunked": {"content": b'{"a":1}', "headers": {"Transfer-Encoding": "chunked"}},
    "get": {"method": "GET"},
    "delete": {"method": "DELETE", "json": {"a": 1}},
    "params": {"json": {"a": 1}, "params": {"_sentry_x": "1"}},
}  # fmt: skip


@pytest.mark.parametrize("options", CLEAN_REQUESTS.values(), ids=CLEAN_REQUESTS)
def test_a_clean_request_is_the_librarys_own(
    door: Door, wire: Wire, options: dict[str, Any]
) -> None:
    """Promise 1: bytes, header names, values and order are what the unguarded library sends."""
    options = {"method": "POST", "url": URL, **options}
    exchange(door, wire, lambda c: c.request(**options))
    expected, sent = plain(door.library, **options), wire.requests[0]
    assert sent.headers.raw == expected.headers.raw
    assert type(sent) is type(expected)
    assert type(sent.stream) is type(expected.stream)
    if "files" not in options:
        assert sent.content == expected.content
    assert sent.extensions["timeout"] == expected.extensions["timeout"]


def test_a_clean_prebuilt_request_is_not_touched(door: Door, wire: Wire) -> None:
    """A clean request keeps its stream, its content and its headers object."""
    request = door.library.Request("POST", URL, json={"a": 1})
    before = (request.stream, request.content, request.headers)
    exchange(door, wire, lambda c: c.send(request))
    after = (request.stream, request.content, request.headers)
    assert all(old is new for old, new in zip(before, after, strict=True))
    assert request.extensions["body_guard"] == Report()


def test_the_header_name_and_its_place_are_kept(door: Door, wire: Wire) -> None:
    """Only the value of Content-Length changes, and a second one goes."""
    headers = [("A", "1"), ("content-LENGTH", "54"), ("B", "2"), ("Content-Length", "54")]
    request = door.library.Request("POST", URL, content=DIRTY, headers=headers)
    exchange(door, wire, lambda c: c.send(request))
    assert request.headers.raw == [
        (b"Host", b"provider.test"),
        (b"A", b"1"),
        (b"content-LENGTH", b"25"),
        (b"B", b"2"),
    ]


def test_a_bare_stream_gets_a_length(door: Door, wire: Wire) -> None:
    """A ByteStream without any length header gets one once it is changed."""
    stream = door.library.ByteStream(DIRTY)
    request = door.library.Request("POST", URL, stream=stream)
    exchange(door, wire, lambda c: c.send(request))
    assert request.headers["content-length"] == "25"


def test_a_content_that_is_not_the_streams_is_judged_too(door: Door, wire: Wire) -> None:
    """Transports differ in what they send, so a dirty content behind a clean stream goes."""
    request = door.library.Request("POST", URL, content=CLEANED)
    request._content = DIRTY
    exchange(door, wire, lambda c: c.send(request))
    assert request.content == CLEANED


def test_streams_pass_unconsumed_and_counted(door: Door, wire: Wire) -> None:
    """A generator is not looked at, and the report says so."""

    def sync_body() -> Any:
        yield DIRTY

    async def async_body() -> Any:
        yield DIRTY

    content = async_body() if door.is_async else sync_body()
    response = exchange(door, wire, lambda c: c.post(URL, content=content))
    report = response.request.extensions["body_guard"]
    assert (report.judged, report.why_not_judged) == (False, "stream")
    assert (report.host, report.seconds > 0) == ("provider.test", True)
    assert body_guard.counts().not_judged == {"provider.test": {"stream": 1}}
    assert wire.bodies == [DIRTY]  # consumed by the mock transport, and by nobody before


def test_a_read_stream_is_judged(door: Door, wire: Wire) -> None:
    """A stream that was read before is bytes in memory, and is judged as such."""
    request = door.library.Request("POST", URL, content=iter([DIRTY[:20], DIRTY[20:]]))
    request.read()
    exchange(door, wire, lambda c: c.send(request))
    assert wire.body == CLEANED
    assert "content-length" not in request.headers  # it is still chunked


def test_a_subclass_of_bytestream_is_not_iterated(door: Door, wire: Wire) -> None:
    """Only the very class is known to do no I/O."""

    class Lazy(door.library.ByteStream):
        def __iter__(self) -> Any:
            raise AssertionError("looked into")

    request = door.library.Request("POST", URL, stream=Lazy(DIRTY))
    guard = body_guard.http.request_guard.Guard(door.library)
    guard.judge(request)
    assert request.extensions["body_guard"].judged is False


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_carries_the_cleaned_body(door: Door, wire: Wire, status: int) -> None:
    """Both hops carry the cleaned bytes, and one report tells of one body."""
    wire.answers = [{"status": status, "headers": {"location": "http://other.test/"}}]
    with body_guard.collect() as reports:
        exchange(door, wire, lambda c: c.post(URL, content=DIRTY), follow_redirects=True)
    assert wire.bodies == [CLEANED, CLEANED]
    assert [report.changed for report in reports] == [True]


def test_a_redirect_to_get_drops_the_body(door: Door, wire: Wire) -> None:
    """After a 303 nothing is left to judge: the one report is of the body that was sent."""
    wire.answers = [{"status": 303, "headers": {"location": "http://other.test/"}}]
    act = lambda c: c.post(URL, content=DIRTY)  # noqa: E731
    with body_guard.collect() as reports:
        response = exchange(door, wire, act, follow_redirects=True)
    assert wire.bodies == [CLEANED, b""]
    assert [report.changed for report in reports] == [True]
    assert body_guard.report_of(response) == reports[0]


def test_a_client_cleans_before_auth_signs(client_door: Door, wire: Wire) -> None:
    """An auth class that reads the body reads the clean one, on each attempt."""
    signed = []

    class Signer(client_door.library.Auth):
        requires_request_body = True

        def auth_flow(self, request: Any) -> Any:
            signed.append(request.content)
            response = yield request
            if response.status_code == 401:
                signed.append(request.content)
                yield request

    wire.answers = [{"status": 401}]
    exchange(client_door, wire, lambda c: c.post(URL, content=DIRTY, auth=Signer()))
    assert signed == [CLEANED, CLEANED]
    assert wire.bodies == [CLEANED, CLEANED]


def test_what_auth_made_of_a_body_is_judged(wire: Wire, door: Door) -> None:
    """A body that an auth flow put in is no more than another body."""
    library = door.library

    class Rewriter(library.Auth):
        def auth_flow(self, request: Any) -> Any:
            yield library.Request("POST", request.url, content=DIRTY)

    exchange(door, wire, lambda c: c.post(URL, content=b"{}", auth=Rewriter()))
    assert wire.body == CLEANED


SIGNATURES = {
    "sigv4": {"Authorization": "AWS4-HMAC-SHA256 Credential=x"},
    "signature": {"Signature": "sig1=:abc:"},
    "hub": {"X-Hub-Signature": "sha1=00"},
    "hub 256": {"X-Hub-Signature-256": "sha256=00"},
}


@pytest.mark.parametrize("headers", SIGNATURES.values(), ids=SIGNATURES)
def test_signed_bytes_are_refused_and_not_sent(
    door: Door, wire: Wire, headers: dict[str, str]
) -> None:
    """Promise 6: dirty and signed is an error that names rule, place and header."""
    with pytest.raises(SignedBodyError) as caught:
        exchange(door, wire, lambda c: c.post(URL, content=DIRTY, headers=headers))
    assert wire.requests == []
    (header,) = headers
    assert header.lower() in str(caught.value)
    assert "/_sentry_span" in str(caught.value)
    assert "rule sentry" in str(caught.value)
    assert caught.value.report.findings[0].path == "/_sentry_span"


def test_a_signed_json_object_is_refused(client_door: Door, wire: Wire) -> None:
    """A signature over what httpx would have made of a dirty object is a signature all the same."""
    with pytest.raises(SignedBodyError):
        exchange(
            client_door,
            wire,
            lambda c: c.post(URL, json={"_sentry_x": 1}, headers={"Signature": "s"}),
        )
    assert wire.requests == []


@pytest.mark.parametrize("headers", SIGNATURES.values(), ids=SIGNATURES)
def test_clean_signed_bytes_pass(door: Door, wire: Wire, headers: dict[str, str]) -> None:
    """A signature alone refuses nothing."""
    exchange(door, wire, lambda c: c.post(URL, content=CLEANED, headers=headers))
    assert wire.body == CLEANED


def test_bearer_and_basic_are_no_signatures(door: Door, wire: Wire) -> None:
    """An ordinary Authorization header does not stop the cut."""
    exchange(
        door, wire, lambda c: c.post(URL, content=DIRTY, headers={"Authorization": "Bearer t"})
    )
    assert wire.body == CLEANED


def test_a_policy_for_one_request(door: Door, wire: Wire) -> None:
    """extensions= overrides the door's policy, for this request and its redirects."""
    lenient = Policy(rules=(Rule("mine", keys=("model",)),))
    wire.answers = [{"status": 308, "headers": {"location": "http://other.test/"}}]

    def act(client: Any) -> Any:
        return client.post(
            URL, content=DIRTY, extensions={"body_guard": lenient}, follow_redirects=True
        )

    exchange(door, wire, act)
    assert wire.bodies == [b'{ "_sentry_span": {"op": "x"}, "n": 1.10}'] * 2


def test_a_policy_for_one_json_request(client_door: Door, wire: Wire) -> None:
    """extensions= overrides for json= as well, and the caller's mapping stays as it was."""
    extensions = {"body_guard": Policy(unserializable="reject"), "timeout": {"read": 1.0}}
    given = dict(extensions)
    with pytest.raises(BodyRejectedError, match=r"/x \(rule unserializable"):
        exchange(client_door, wire, lambda c: c.post(URL, json={"x": {1}}, extensions=extensions))
    exchange(client_door, wire, lambda c: c.post(URL, json={"x": 1}, extensions=extensions))
    assert extensions == given


def test_a_report_given_as_extension_exempts_nothing(door: Door, wire: Wire) -> None:
    """What was judged is known by the stream: nobody can carry a verdict in."""
    act = lambda c: c.post(URL, content=DIRTY, extensions={"body_guard": Report()})  # noqa: E731
    exchange(door, wire, act)
    assert wire.body == CLEANED


@pytest.mark.parametrize(
    "body", [{"json": {"a": 1}}, {"content": DIRTY}, {}], ids=["json", "content", "none"]
)
def test_what_is_no_policy_for_one_request(door: Door, wire: Wire, body: Any) -> None:
    """A wrong thing there is a mistake, as it is as policy=; nothing is sent."""
    act = lambda c: c.post(URL, **body, extensions={"body_guard": "sentry"})  # noqa: E731
    with pytest.raises(TypeError) as caught:
        exchange(door, wire, act)
    assert str(caught.value) == (
        'extensions["body_guard"] takes a body_guard.Policy, not str; '
        "write Policy(presets('sentry')) or Policy.load('policy.toml')."
    )
    assert wire.requests == []


@pytest.mark.parametrize("given", [None, False, Policy, {}], ids=["None", "False", "class", "dict"])
def test_nothing_but_a_policy_is_one(given: Any) -> None:
    """None is no way to say that the default shall judge, or nobody."""
    client = body_guard.GuardedClient()
    with pytest.raises(TypeError, match=rf"Policy, not {type(given).__name__}; write Policy\("):
        client.build_request("POST", URL, json={}, extensions={"body_guard": given})


def test_a_prebuilt_request_with_what_is_no_policy(door: Door, wire: Wire) -> None:
    """A request that no guarded client has built is looked at when it is sent."""
    request = door.library.Request("POST", URL, json={"a": 1}, extensions={"body_guard": "sentry"})
    with pytest.raises(TypeError, match=r'^extensions\["body_guard"\] takes a body_guard.Policy'):
        exchange(door, wire, lambda c: c.send(request))
    assert wire.requests == []


def test_a_body_changed_by_a_hook_is_judged_again(wire: Wire, door: Door) -> None:
    """A stream that is another object is another body."""

    def poison(request: Any) -> None:
        request.stream = door.library.ByteStream(DIRTY)
        request._content = DIRTY
        request.headers["Content-Length"] = str(len(DIRTY))

    async def poison_async(request: Any) -> None:
        poison(request)

    hooks = {"request": [poison_async if door.is_async else poison]}
    exchange(door, wire, lambda c: c.post(URL, content=b"{}"), event_hooks=hooks)
    assert wire.body == CLEANED


def test_nested_guards_report_once(wire: Wire, client_door: Door) -> None:
    """A client around a transport with the same policy: one look, one report, one warning."""
    transport_door = Door(
        client_door.library, client_door.guarded, "transport", client_door.is_async
    )
    wrap = getattr(
        transport_door.guarded,
        f"Guarded{'Async' if client_door.is_async else ''}Transport",
    )
    seen: list[Report] = []
    policy = Policy(on_report=seen.append)

    class Nested(Door):
        def client(self, transport: Any, policy: Any = None, **options: Any) -> Any:
            return super().client(wrap(wrap(transport, policy=policy), policy=policy), policy)

    nested = Nested(
        client_door.library, client_door.guarded, client_door.kind, client_door.is_async
    )
    exchange(nested, wire, lambda c: c.post(URL, content=DIRTY), policy)
    assert wire.body == CLEANED
    assert len(seen) == 1


def test_another_policy_judges_again(family: Family, wire: Wire) -> None:
    """A transport with a policy of its own is not bound by the client's verdict."""
    strict = Policy(rules=(Rule("strict", keys=("n",)),))
    transport = family.guarded.GuardedTransport(family.library.MockTransport(wire), policy=strict)
    with family.guarded.GuardedClient(transport=transport) as client:
        client.post(URL, content=DIRTY)
    assert wire.body == b'{"model": "m"}'


def broken_convert(value: object) -> object:
    """Fail as a user's convert= might."""
    raise RuntimeError("SECRET in a message")


def test_a_guard_that_fails_sends_nothing(client_door: Door, wire: Wire) -> None:
    """Promise 5: GuardError, nothing sent, and no word of the inner error's message."""
    with pytest.raises(GuardError) as caught:
        exchange(
            client_door,
            wire,
            lambda c: c.post(URL, json={"x": Span()}),
            Policy(convert=broken_convert),
        )
    assert wire.requests == []
    assert "RuntimeError in broken_convert" in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_on_error_send_is_the_named_exception(
    client_door: Door, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    """The body goes out untouched, an error is logged, and it is counted."""
    policy = Policy(convert=broken_convert, on_error="send")
    exchange(client_door, wire, lambda c: c.post(URL, json={"_sentry_x": 1, "y": 1}), policy)
    assert wire.bodies.pop() == b'{"y":1}'  # nothing failed
    with pytest.raises(TypeError, match="Span is not JSON serializable"):  # httpx's own
        exchange(client_door, wire, lambda c: c.post(URL, json={"x": Span()}), policy)
    (error,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "the body was sent unguarded" in error.getMessage()
    assert "SECRET" not in caplog.text
    (failed,) = body_guard.counts().failed.values()
    ((failure, times),) = failed.items()
    assert (failure.partition(" in ")[0], times) == ("RuntimeError", 1)


def test_on_error_send_for_bytes(door: Door, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that fails on bytes sends them as they were, where the policy says so."""
    monkeypatch.setattr("body_guard.formats.json_bytes.splice", lambda *_, **__: 1 / 0)
    with pytest.raises(GuardError, match="ZeroDivisionError in "):
        exchange(door, wire, lambda c: c.post(URL, content=DIRTY))
    assert wire.requests == []
    exchange(door, wire, lambda c: c.post(URL, content=DIRTY), Policy(on_error="send"))
    assert wire.body == DIRTY


def test_a_real_interrupt_passes(door: Door, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C inside the guard is Ctrl-C, whatever on_error says."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("body_guard.formats.json_bytes.splice", interrupted)
    with pytest.raises(KeyboardInterrupt):
        exchange(door, wire, lambda c: c.post(URL, content=DIRTY), Policy(on_error="send"))


def test_refusals_reach_the_caller_as_themselves(door: Door, wire: Wire) -> None:
    """A rejected body raises before any I/O, and is reported."""
    policy = Policy(rules=(Rule("no", keys=("model",), action="reject"),))
    with body_guard.collect() as reports, pytest.raises(BodyRejectedError) as caught:
        exchange(door, wire, lambda c: c.post(URL, content=DIRTY), policy)
    assert wire.requests == []
    assert reports == [caught.value.report]


def test_a_bottomless_body_is_refused(client_door: Door, wire: Wire) -> None:
    """Depth beyond the encoder is our error, not a RecursionError."""
    body: list[Any] = []
    for _ in range(20_000):
        body = [body]
    with pytest.raises(BodyLimitError, match="20,001 levels"):
        exchange(client_door, wire, lambda c: c.post(URL, json=body))
    assert wire.requests == []


def test_a_stream_context_is_guarded(door: Door, wire: Wire) -> None:
    """client.stream goes through build_request and send too."""
    if door.is_async:

        async def act(client: Any) -> None:
            async with client.stream("POST", URL, content=DIRTY) as response:
                await response.aread()

    else:

        def act(client: Any) -> None:
            with client.stream("POST", URL, content=DIRTY) as response:
                response.read()

    exchange(door, wire, act)
    assert wire.body == CLEANED


def test_mounts_and_environment_proxies_stay(
    client_door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guarded client forces no transport, which would switch proxies and mounts off."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    mount = client_door.library.MockTransport(Wire())
    client = client_door.client(None, mounts={"all://mounted.test": mount})
    patterns = [pattern.pattern for pattern in client._mounts]
    assert "all://mounted.test" in patterns
    assert "https://" in patterns


def test_policy_must_be_a_policy(family: Family) -> None:
    """A mistake is named where it is made."""
    with pytest.raises(TypeError, match=r"policy takes a body_guard\.Policy, not str"):
        family.guarded.GuardedClient(policy="strict")  # type: ignore[arg-type]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_transport_of_the_wrong_kind(family: Family, is_async: bool) -> None:
    """Sync around async, or one library around the other: a TypeError that names both classes."""
    wanted, other = ("Async", "") if is_async else ("", "Async")
    wrap = getattr(family.guarded, f"Guarded{wanted}Transport")
    insides = [getattr(family.library, f"{other}HTTPTransport")()]
    insides += [
        getattr(stranger.library, f"{wanted}HTTPTransport")()
        for stranger in FAMILIES
        if stranger is not family
    ]
    for inside in insides:
        there = f"{type(inside).__module__}.{type(inside).__name__}"
        expected = (
            f"Guarded{wanted}Transport wraps an {family}.{wanted}BaseTransport, not a {there}"
        )
        with pytest.raises(TypeError, match=expected):
            wrap(inside)


def test_a_transport_delegates_its_lifecycle(door: Door) -> None:
    """Entering and closing reach the transport inside, once each."""
    calls = []
    infix, prefix = ("Async", "a") if door.is_async else ("", "")

    def note(name: str, result: Any = None) -> Any:
        def sync(self: Any, *_: Any) -> Any:
            calls.append(name)
            return result

        async def asynchronous(self: Any, *_: Any) -> Any:
            calls.append(name)
            return result

        return asynchronous if door.is_async else sync

    base = getattr(door.library, f"{infix}BaseTransport")
    names = [f"__{prefix}enter__", f"__{prefix}exit__", f"{prefix}close"]
    inside = type("Inside", (base,), {name: note(name) for name in names})()
    outside = getattr(door.guarded, f"Guarded{infix}Transport")(inside)
    assert outside.transport is inside

    if door.is_async:

        async def run() -> None:
            async with outside as entered:
                assert entered is outside
            await outside.aclose()

        import anyio

        anyio.run(run)
    else:
        with outside as entered:
            assert entered is outside
        outside.close()
    assert calls == names


def test_a_users_own_build_request_still_gets_json(client_door: Door, wire: Wire) -> None:
    """An override below the guard sees a clean json=, and its request is judged."""
    infix = "Async" if client_door.is_async else ""
    base = getattr(client_door.library, f"{infix}Client")
    seen = []

    class Mine(base):  # type: ignore[misc,valid-type]
        def build_request(self, *args: Any, **options: Any) -> Any:
            seen.append(options["json"])
            return super().build_request(*args, **{**options, "json": {**options["json"], "v": 1}})

    client = body_guard.guard(Mine(transport=client_door.library.MockTransport(wire)))
    request = client.build_request("POST", URL, json={"a": 1, "_sentry_x": Span()})
    assert seen == [{"a": 1}]
    assert json.loads(request.content) == {"a": 1, "v": 1}
    assert request.extensions["body_guard"].findings[0].path == "/_sentry_x"


def test_an_override_that_fails(family: Family) -> None:
    """Its error is its own, with nothing added."""

    class Own(family.library.Client):  # type: ignore[name-defined]
        def build_request(self, *_: Any, **__: Any) -> Any:
            raise TypeError("the user's")

    with body_guard.guard(Own()) as client, pytest.raises(TypeError) as caught:
        client.post(URL, json={"a": 1})
    assert str(caught.value) == "the user's"
    assert getattr(caught.value, "__notes__", []) == []


def test_an_override_and_a_guard_that_fails(family: Family, wire: Wire) -> None:
    """on_error="send" hands the untouched object on to an override too."""

    class Mine(family.library.Client):
        def build_request(self, *args: Any, **options: Any) -> Any:
            return super().build_request(*args, **{**options, "json": str(type(options["json"]))})

    policy = Policy(convert=broken_convert, on_error="send")
    client = body_guard.guard(Mine(transport=family.library.MockTransport(wire)), policy)
    request = client.build_request("POST", URL, json=[Span()])
    assert request.content == b"\"<class 'list'>\""


def test_a_read_request_over_a_stream_of_another_kind(door: Door, wire: Wire) -> None:
    """Bytes that were read are judged even where the stream is not the library's own kind."""

    class Lazy(door.library.ByteStream):
        pass

    request = door.library.Request("POST", URL, stream=Lazy(DIRTY))
    request.read()
    with body_guard.collect() as reports:
        exchange(door, wire, lambda c: c.send(request))
    assert wire.body == CLEANED
    assert b"".join(request.stream) == CLEANED
    assert [report.changed for report in reports] == [True]


def test_a_clean_one_over_a_stream_of_another_kind(door: Door, wire: Wire) -> None:
    """What was judged is remembered by any stream, and reported once."""

    class Lazy(door.library.ByteStream):
        pass

    request = door.library.Request("POST", URL, stream=Lazy(CLEANED))
    request.read()
    with body_guard.collect() as reports:
        exchange(door, wire, lambda c: c.send(request))
    assert reports == [Report()]
    assert wire.body == CLEANED
    assert type(request.stream) is Lazy


def test_a_value_that_keeps_changing(
    client_door: Door, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other threads that make a value unencodable each time end in GuardError, without a cause."""

    def unlucky(*_: object) -> bytes:
        raise ValueError("SECRET")

    monkeypatch.setattr("body_guard.core.accelerator.is_compiled", lambda: False)
    monkeypatch.setattr("body_guard.core.accelerator.encode_walked", unlucky)
    with pytest.raises(GuardError, match=r"\(the body kept changing while it was e") as caught:
        exchange(client_door, wire, lambda c: c.post(URL, json={"a": 1}))
    assert caught.value.__context__ is None
    assert wire.requests == []
    policy = Policy(on_error="send")
    exchange(client_door, wire, lambda c: c.post(URL, json={"a": 1}), policy)
    assert wire.body == b'{"a":1}'


def test_a_content_changed_behind_a_judged_stream(family: Family, wire: Wire) -> None:
    """What is remembered of a stream is remembered of its bytes: a hook's new content is judged."""

    def poison(request: Any) -> None:
        request._content = DIRTY

    transport = family.guarded.GuardedTransport(family.library.MockTransport(wire))
    with family.guarded.GuardedClient(
        transport=transport, event_hooks={"request": [poison]}
    ) as client:
        client.post(URL, content=CLEANED)
    assert wire.body == CLEANED


def test_what_was_found_before_is_told_after_the_bytes(door: Door) -> None:
    """An SDK's body is cleaned as an object, judged as bytes in its client, and then both told."""
    guard = body_guard.http.request_guard.Guard(door.library)
    request = door.library.Request("POST", URL, content=CLEANED)
    found = Report((body_guard.Finding("/x", "sentry", "remove"),), changed=True)
    with body_guard.collect() as reports:
        guard.judge(request)
        guard.judge(request, found)
        guard.judge(request)
    assert reports == [Report(), found]
    assert request.extensions["body_guard"] == found


def test_what_was_found_in_the_fields_of_a_form_stays_in_its_report(door: Door) -> None:
    """A form with files is a stream: its report keeps what an SDK's door took out of the fields."""
    guard = body_guard.http.request_guard.Guard(door.library)
    request = door.library.Request("POST", URL, data={"a": "1"}, files={"f": b"x"})
    found = Report((body_guard.Finding("/x", "sentry", "remove"),), changed=True)
    with body_guard.collect() as reports:
        guard.judge(request, found)
        guard.judge(request)
    report = request.extensions["body_guard"]
    assert report.findings == found.findings
    assert (report.judged, report.why_not_judged) == (False, "stream")
    assert reports == [report]


@pytest.mark.parametrize(
    ("name", "before", "after", "end"),
    [
        ("Content-Type", "application/octet-stream", "application/json", b""),
        ("Content-Encoding", "x-unknown", "identity", b"\n1"),
    ],
    ids=["type", "encoding"],
)
def test_what_a_body_is_said_to_be_may_change(
    client_door: Door, wire: Wire, name: str, before: str, after: str, end: bytes
) -> None:
    """What was judged as one kind of body is judged again when it is called another."""
    content = DIRTY + end

    def act(client: Any) -> Any:
        request = client.build_request("POST", URL, content=content, headers={name: before})
        assert request.content == content
        request.headers[name] = after
        return client.send(request)

    exchange(client_door, wire, act)
    assert wire.body == CLEANED + end


@pytest.mark.parametrize("coding", ["utf-8", "Identity,identity", "gzip"])
def test_a_header_does_not_make_plain_json_opaque(door: Door, wire: Wire, coding: str) -> None:
    """A Content-Encoding that the body plainly does not have is no reason not to judge it."""
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    exchange(door, wire, lambda c: c.post(URL, content=DIRTY, headers=headers))
    assert wire.body == CLEANED


@pytest.mark.parametrize(
    ("look_into", "left"),
    [((), b'{"x":"&_sentry_a=1&"}'), (("form",), b'{"x":"&"}')],
    ids=["not looked into", "looked into"],
)
def test_json_may_come_to_be_called_a_form(
    client_door: Door, wire: Wire, look_into: Any, left: bytes
) -> None:
    """What the guard encoded is clean as JSON; as a form it is judged where forms are."""

    def act(client: Any) -> Any:
        request = client.build_request("POST", URL, json={"x": "&_sentry_a=1&"})
        request.headers["Content-Type"] = "application/x-www-form-urlencoded"
        return client.send(request)

    response = exchange(client_door, wire, act, Policy(look_into=look_into))
    assert wire.body == left
    assert response.request.extensions["body_guard"].judged


def test_a_patch_of_the_library_may_make_another_body(
    family: Family, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes that the guard encoded are taken for judged only where they are what was built."""
    original = family.library.Client.build_request

    def build_request(self: Any, *args: Any, **options: Any) -> Any:
        content = b'{"_sentry_trace":1,' + options["content"][1:]
        return original(self, *args, **{**options, "content": content})

    monkeypatch.setattr(family.library.Client, "build_request", build_request)
    with family.guarded.GuardedClient(transport=family.library.MockTransport(wire)) as client:
        client.post(URL, json={"a": 1})
    assert wire.body == b'{"a":1}'


def test_extensions_used_again_tell_of_another_stream(door: Door, wire: Wire) -> None:
    """That a stream was told of is remembered by the stream: another one is told of too."""

    def source() -> Any:
        async def asynchronous() -> Any:
            yield b"x"

        return asynchronous() if door.is_async else iter([b"x"])

    with body_guard.collect() as reports:
        response = exchange(door, wire, lambda c: c.post(URL, content=source()))
        extensions = response.request.extensions
        exchange(door, wire, lambda c: c.post(URL, content=source(), extensions=extensions))
    assert [report.why_not_judged for report in reports] == ["stream", "stream"]


def test_a_stream_that_takes_no_mark(family: Family) -> None:
    """A stream with slots is told of each time; it is sent all the same."""

    class Slotted(family.library.SyncByteStream):  # type: ignore[name-defined,misc]
        __slots__ = ()

        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(name)

    guard = body_guard.http.request_guard.Guard(family.library)
    request = family.library.Request("POST", URL, stream=Slotted())
    with body_guard.collect() as reports:
        guard.judge(request)
        guard.judge(request)
    assert [report.why_not_judged for report in reports] == ["stream", "stream"]


def test_found_after_a_stream_was_told_of(family: Family) -> None:
    """What an SDK's door found in a form that is a stream already told of is told by itself."""
    guard = body_guard.http.request_guard.Guard(family.library)
    request = family.library.Request("POST", URL, data={"a": "1"}, files={"f": b"x"})
    found = Report((body_guard.Finding("/x", "sentry", "remove"),), changed=True)
    with body_guard.collect() as reports:
        guard.judge(request)
        guard.judge(request, found)
    assert reports == [Report(judged=False, why_not_judged="stream"), found]
    assert request.extensions["body_guard"].findings == found.findings
