"""mode="audit": what would have been done is said, and nothing is done, on every door."""

from __future__ import annotations

import importlib
import logging
import traceback
from typing import Any

import anyio
import httpx
import pytest

import body_guard
from body_guard import Counts, GuardError, Policy, Report, Rule
from body_guard.core import accelerator
from body_guard.formats.serialized import Serialized
from body_guard.http import auditing
from body_guard.http.request_guard import Guard

from doors import Door, Wire, exchange

URL = "http://provider.test/v1/messages"
AUDIT = Policy(mode="audit")
JSON = {"headers": {"content-type": "application/json"}}
SENTRY = [("/_sentry_x", "sentry", "remove")]


class Span:
    """Stands for a live object."""

    def __repr__(self) -> str:
        return "SECRET"


def plain(library: Any, **options: Any) -> Any:
    """Return the request that the unguarded library sends."""
    wire = Wire()
    with library.Client(transport=library.MockTransport(wire)) as client:
        client.request("POST", URL, **options)
    return wire.requests[0]


#: What is sent, by which policy it is judged, what is found, and which error would have refused it.
BODIES: dict[str, tuple[dict[str, Any], Policy, list[tuple[str, str, str]], str]] = {
    "clean": ({"json": {"a": 1}}, AUDIT, [], ""),
    "a key": ({"json": {"a": {"_sentry_x": "SECRET"}}}, AUDIT, [("/a/_sentry_x", *SENTRY[0][1:])], ""),
    "bytes": ({"content": b'{"n": 1.10, "_sentry_x": 1}'}, AUDIT, SENTRY, ""),
    "duplicates": ({"json": {1: "a", "1": "b"}}, AUDIT, [("/1", "duplicate", "report")], ""),
    "a digest": (
        {"content": b'{"_sentry_x": 1}', "headers": {"content-md5": "00"}},
        AUDIT,
        SENTRY,
        "",
    ),
    "signed": (
        {"content": b'{"_sentry_x": 1}', "headers": {"x-signature": "00"}},
        AUDIT,
        SENTRY,
        "SignedBodyError",
    ),
    "a rule that refuses": (
        {"json": {"no": 1}},
        Policy((Rule("no", keys=("no",), action="reject"),), mode="audit"),
        [("/no", "no", "reject")],
        "BodyRejectedError",
    ),
    "a rule that replaces": (
        {"json": {"a": 1}},
        Policy((Rule("r", keys=("a",), action="replace", replacement="x"),), mode="audit"),
        [("/a", "r", "replace")],
        "",
    ),
    "no JSON": (
        {"content": b'{"_sentry_x": 1', **JSON},
        AUDIT,
        [("", "malformed", "reject")],
        "BodyRejectedError",
    ),
    "too large": (
        {"content": b'{"_sentry_x": 1}', **JSON},
        Policy(mode="audit", max_bytes=5),
        [("", "size", "reject")],
        "BodyLimitError",
    ),
    "an object too large": (
        {"json": {"a": "x" * 10}},
        Policy(mode="audit", max_bytes=5),
        [("", "size", "reject")],
        "BodyLimitError",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "policy", "found", "refused"), BODIES.values(), ids=BODIES)
def test_nothing_is_changed_and_all_is_said(
    door: Door,
    wire: Wire,
    caplog: pytest.LogCaptureFixture,
    body: dict[str, Any],
    policy: Policy,
    found: list[tuple[str, str, str]],
    refused: str,
) -> None:
    """The library's own request goes out; one report has the actions that would have been."""
    if door.kind == "transport" and body.get("json") == {1: "a", "1": "b"}:
        pytest.skip("bytes do not show which of two members json wrote from another name")
    if door.kind == "transport" and policy.max_bytes == 5 and "json" in body:
        pytest.skip("clean bytes are no larger than any limit")
    with body_guard.collect() as reports:
        exchange(door, wire, lambda c: c.post(URL, **body), policy)
    expected, sent = plain(door.library, **body), wire.requests[0]
    assert wire.body == expected.content
    assert sent.headers.raw == expected.headers.raw
    (report,) = reports
    assert [(f.path, f.rule, f.action) for f in report.findings] == found
    assert (report.mode, report.changed, report.refused) == ("audit", False, refused)
    assert sent.extensions["body_guard"] == report
    assert "SECRET" not in caplog.text


@pytest.mark.parametrize(
    "policy", [AUDIT, Policy(mode="audit", on_report=(print,))], ids=["", "on-report"]
)
def test_a_clean_object_is_encoded_once(
    client_door: Door, wire: Wire, monkeypatch: pytest.MonkeyPatch, policy: Policy
) -> None:
    """The look at it has written its bytes: the library need not, and they are not scanned."""

    def refuse(*args: Any, **options: Any) -> Any:
        raise AssertionError("encoded or scanned again")

    if accelerator.is_compiled():  # without the compiled pass only the report is the same
        content = importlib.import_module(f"{client_door.library.__name__}._content")
        monkeypatch.setattr(content, "json_dumps", refuse)
        monkeypatch.setattr(Serialized, "sanitize", refuse)
    exchange(client_door, wire, lambda c: c.post(URL, json={"ä": [1, None]}), policy)
    assert wire.body == '{"ä":[1,null]}'.encode()
    report = wire.requests[0].extensions["body_guard"]
    assert (report.findings, report.mode, report.judged) == ((), "audit", True)
    assert report.seconds > 0


def test_the_log_says_what_would_have_been(caplog: pytest.LogCaptureFixture, wire: Wire) -> None:
    """Once for each rule and place; a refusal too, which an exception would have told of."""
    rules = (Rule("no", keys=("no",), action="reject"), Rule("s", keys=("s",), action="report"))
    policy = Policy((*Policy().rules, *rules), mode="audit")
    transport = httpx.MockTransport(wire)
    with body_guard.GuardedClient(transport=transport, policy=policy) as client:
        for _ in range(2):
            client.post(URL, json={"_sentry_x": 1, "no": 1, "s": 1})
            client.post(URL, content=b'{"_sentry_x":1}', headers={"signature": "s"})
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING] == [
        "body_guard: would have removed /_sentry_x in a body for provider.test "
        "(rule sentry, type builtins.int, owner sentry-sdk)",
        "body_guard: would have refused /no in a body for provider.test (rule no, type builtins.int)",
        "body_guard: left /s in a body for provider.test (rule s, type builtins.int)",
        "body_guard: would have refused a body for provider.test (BodyRejectedError)",
        "body_guard: would have refused a body for provider.test (SignedBodyError)",
    ]
    assert body_guard.counts() == Counts(
        findings={"provider.test": {"sentry": 4, "no": 2, "s": 2}},
        refused={"provider.test": {"BodyRejectedError": 2, "SignedBodyError": 2}},
    )


def deep(levels: int) -> Any:
    body: Any = []
    for _ in range(levels):
        body = [body]
    return body


def looped() -> Any:
    body: dict[str, Any] = {"a": {}}
    body["a"]["b"] = body["a"]
    return body


#: What crashes, how, and what the note says of it.
CRASHES: dict[str, tuple[Any, type[Exception], str]] = {
    "an object": (
        {"metadata": {"user_id": "u1", "_sentry_span": Span()}},
        TypeError,
        "/metadata/_sentry_span (test_auditing.Span)",
    ),
    "two": (
        {"_sentry": {"deep": Span()}, "tags": {1}},
        TypeError,
        "/_sentry/deep (test_auditing.Span)",
    ),
    "not finite": (
        {"t": float("nan")},
        ValueError,
        "/t (builtins.float)",
    ),
    "a surrogate": ({"t": "\ud800"}, ValueError, "/t (builtins.str)"),
    "a cycle": (looped(), ValueError, "/a/b (builtins.dict)"),
    "a key": (
        {(1, 2): 1, "d": {1: "a", "1": "b"}},
        TypeError,
        "/<builtins.tuple> (builtins.tuple)",
    ),
    "too deep": (deep(20_000), RecursionError, "/0" * 32 + "/...20000 levels (depth)"),
}


@pytest.mark.parametrize(("body", "error", "where"), CRASHES.values(), ids=CRASHES)
def test_a_body_that_crashes_still_does(
    client_door: Door, wire: Wire, body: Any, error: type[Exception], where: str
) -> None:
    """With the library's own error, which says where and of what type, and one report."""
    with body_guard.collect() as reports, pytest.raises(error) as caught:
        exchange(client_door, wire, lambda c: c.post(URL, json=body), AUDIT)
    assert caught.type is not body_guard.BodyLimitError
    note = f"body_guard: no encoder can write {where}"
    assert _notes(caught.value) == [note]
    assert wire.requests == []
    assert [report.mode for report in reports] == ["audit"]
    assert reports[0].findings


def _notes(error: BaseException) -> list[str]:
    if not hasattr(error, "add_note"):
        pytest.skip("Python 3.10 has no notes")
    return list(getattr(error, "__notes__", ()))


def test_the_note_says_no_value(client_door: Door, wire: Wire) -> None:
    """Nor does anything else of the error."""
    with pytest.raises(TypeError) as caught:
        exchange(client_door, wire, lambda c: c.post(URL, json={"a": Span()}), AUDIT)
    assert "SECRET" not in "".join(traceback.format_exception(caught.value))


def test_without_notes_the_log_says_it(caplog: pytest.LogCaptureFixture) -> None:
    """On Python 3.10."""

    class WithoutNotesError(TypeError):
        @property
        def add_note(self) -> Any:
            raise AttributeError

    auditing.add_note(WithoutNotesError(), {"a": Span()})
    assert [record.getMessage() for record in caplog.records] == [
        "body_guard: no encoder can write /a (test_auditing.Span)"
    ]


def test_an_error_that_the_body_did_not_cause_has_no_note(client_door: Door, wire: Wire) -> None:
    """The library's errors over other arguments stay as they are."""
    with pytest.raises(TypeError) as caught:
        exchange(client_door, wire, lambda c: c.post(URL, json={"a": 1}, headers=7), AUDIT)
    assert getattr(caught.value, "__notes__", []) == []


def test_an_error_is_noted_once() -> None:
    """Doors may stand one behind another."""
    error = TypeError()
    for _ in range(2):
        auditing.add_note(error, {"a": Span()})
    assert len(_notes(error)) == 1


def test_what_an_encoder_writes_is_no_cause() -> None:
    """A member of which there are two is reported before the object, and is not what is noted."""
    error = TypeError("x")
    auditing.add_note(error, {"a": {"1": 1, 1: 2}, "b": Span()})
    assert ["/b" in note for note in _notes(error)] == [True]


def test_what_the_encoder_converts_is_no_cause() -> None:
    """An encoder with a convert= of its own writes what others cannot."""
    error = TypeError()
    auditing.add_note(error, {"a": {1}, "b": Span()}, sorted)
    assert _notes(error) == ["body_guard: no encoder can write /b (test_auditing.Span)"]


def broken(value: object) -> object:
    raise RuntimeError("SECRET in a message")


def test_a_failure_of_ours_is_no_note() -> None:
    """The encoder's error is what counts."""
    error = TypeError()
    auditing.add_note(error, {"a": Span()}, broken)
    assert not hasattr(error, "__notes__")


def test_a_stream_is_not_read(door: Door) -> None:
    """buffer= reads nothing in an audit: the stream that came is the stream that goes."""
    read = []

    def sync_body() -> Any:
        read.append(1)
        yield b'{"_sentry_x": 1}'

    async def async_body() -> Any:
        read.append(1)
        yield b'{"_sentry_x": 1}'

    body = async_body() if door.is_async else sync_body()
    request = door.library.Request("POST", URL, content=body)
    guard, stream = Guard(door.library, Policy(mode="audit", buffer=1000)), request.stream
    if door.is_async:
        anyio.run(guard.abuffer, request)
    else:
        guard.buffer(request)
    guard.judge(request)
    assert request.stream is stream
    assert read == []
    report = request.extensions["body_guard"]
    assert (report.mode, report.judged, report.why_not_judged) == ("audit", False, "stream")


def test_nested_guards_report_once(client_door: Door, wire: Wire) -> None:
    """A client around a transport: what the object showed is not told of its bytes again."""
    infix = "Async" if client_door.is_async else ""
    wrap = getattr(client_door.guarded, f"Guarded{infix}Transport")

    class Nested(Door):
        def client(self, transport: Any, policy: Any = None, **options: Any) -> Any:
            return super().client(wrap(transport, policy=policy), policy, **options)

    door = Nested(client_door.library, client_door.guarded, client_door.kind, client_door.is_async)
    with body_guard.collect() as reports:
        exchange(door, wire, lambda c: c.post(URL, json={"_sentry_x": 1}), AUDIT)
    assert wire.body == b'{"_sentry_x":1}'
    assert [[f.path for f in report.findings] for report in reports] == [["/_sentry_x"]]


def test_what_was_found_before_is_not_told_of_the_bytes_again(door: Door) -> None:
    """Whether the value was judged before its bytes, or after them."""
    request = door.library.Request("POST", URL, content=b'{"_sentry_x": 1}')
    guard = Guard(door.library, AUDIT)
    value = {"_sentry_x": 1, "x": {1}}
    prepared = guard.prepare(value, None)
    assert prepared is not None
    assert prepared[0] is value
    with body_guard.collect() as reports:
        guard.judge(request)
        guard.judge(request, prepared[1])
        guard.judge(request, prepared[1])
        guard.judge(request, Report(mode="audit"))
    assert [[f.path for f in report.findings] for report in reports] == [["/_sentry_x"], ["/x"]]


def test_redirects_carry_the_body_on(door: Door, wire: Wire) -> None:
    """Unchanged, and reported once."""
    wire.answers = [{"status": 307, "headers": {"location": "http://other.test/"}}]
    with body_guard.collect() as reports:
        exchange(
            door, wire, lambda c: c.post(URL, json={"_sentry_x": 1}), AUDIT, follow_redirects=True
        )
    assert wire.bodies == [b'{"_sentry_x":1}'] * 2
    assert len(reports) == 1


def test_an_audit_for_one_host(transport_door: Door, wire: Wire) -> None:
    """The default enforces, one host is watched only, hop by hop."""
    wire.answers = [{"status": 307, "headers": {"location": "http://other.test/"}}]
    exchange(
        transport_door,
        wire,
        lambda c: c.post(URL, content=b'{"_sentry_x":1}'),
        Policy(hosts={"provider.test": AUDIT}),
        follow_redirects=True,
    )
    assert wire.bodies == [b'{"_sentry_x":1}', b"{}"]


def test_a_guard_that_fails_lets_pass(
    client_door: Door, wire: Wire, caplog: pytest.LogCaptureFixture, monkeypatch: Any
) -> None:
    """An audit refuses nothing, for no failure of its own either; that is logged and counted."""
    policy = Policy(mode="audit", convert=broken)
    with pytest.raises(TypeError, match="Span is not JSON serializable") as caught:
        exchange(client_door, wire, lambda c: c.post(URL, json={"x": Span()}), policy)
    assert caught.type is not GuardError
    (error,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert error.getMessage().endswith('the body was sent unguarded, as mode="audit" says')
    assert "SECRET" not in caplog.text
    monkeypatch.setattr("body_guard.formats.json_bytes.splice", lambda *_, **__: 1 / 0)
    exchange(client_door, wire, lambda c: c.post(URL, content=b'{"_sentry_x": 1}'), AUDIT)
    monkeypatch.setattr("body_guard.objects.walk", lambda *_, **__: 1 / 0)
    exchange(client_door, wire, lambda c: c.post(URL, json=[{"_sentry_x": 1}]), AUDIT)
    assert wire.bodies == [b'{"_sentry_x": 1}', b'[{"_sentry_x":1}]']
