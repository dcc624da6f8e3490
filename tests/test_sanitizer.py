"""The parts together: nothing forbidden leaves, nothing taken out is told, by value or by bytes."""

from __future__ import annotations

import decimal
import enum
import json
import logging
import math
import pathlib
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

import body_guard
from body_guard import (
    BodyError,
    BodyLimitError,
    BodyRejectedError,
    Finding,
    GuardError,
    Policy,
    Report,
    Rule,
    Sanitizer,
    sanitize,
    sanitize_bytes,
)
from body_guard import sanitizer as module
from body_guard.core import accelerator
from body_guard.core.redaction import format_findings, redact_path
from body_guard.core.report import not_judged
from body_guard.sanitizer import sanitizer_for

from hostile import MARKER, Hidden, Span, snapshot, told_by
from strategies import planted

if TYPE_CHECKING:
    from collections.abc import Callable

SANITIZER = Sanitizer()
SENTRY = Finding("/_sentry_x", "sentry", "remove", "builtins.int", "sentry-sdk")

# Bytes.


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "application/vnd.api+json",
        "text/plain",
        "",
        None,
    ],
)
def test_json_bytes_are_cut(content_type: str | None) -> None:
    """Declared or sniffed, JSON loses its forbidden members and nothing else."""
    content, report = SANITIZER.sanitize_bytes(b'{"a": 1, "_sentry_x": 2}', content_type)
    assert content == b'{"a": 1}'
    assert report == Report((SENTRY,), changed=True)


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", None])
@pytest.mark.parametrize(
    "content",
    [b'{"a":1}', b'["_sentry_x"]', b' {"a":"\\u005f"} ', b"[1,", b'{"a":"\xff"}', b"[nonsense]"],
    ids=["object", "text", "escape", "not-json", "not-utf-8", "nonsense"],
)
def test_clean_bytes_are_the_same_object(content: bytes, content_type: str | None) -> None:
    """What cannot hold a forbidden name is not parsed, and passes as the object it is."""
    passed, report = SANITIZER.sanitize_bytes(content, content_type)
    assert passed is content
    assert report == Report()


@pytest.mark.parametrize(
    ("content", "content_type", "why_not"),
    [
        (b"a=1&_sentry_x=2", None, "not JSON"),
        (b'"_sentry_x"', None, "not JSON"),
        (b'{"_sentry_x":1}', "text/html; a=b", "content type text/html"),
        (b'{"_sentry_x":1}', "application/octet-stream", "content type application/octet-stream"),
    ],
    ids=["form", "string", "html", "binary"],
)
def test_other_bytes_are_passed_and_said_to_be_so(
    content: bytes, content_type: str | None, why_not: str
) -> None:
    """What is no JSON is the same object; the report says that nobody looked, and why."""
    passed, report = SANITIZER.sanitize_bytes(content, content_type)
    assert passed is content
    assert report == Report(judged=False, why_not_judged=why_not)


@pytest.mark.parametrize("content_type", ["application/json", "text/html", None])
def test_nothing_is_clean(content_type: str | None) -> None:
    """A request without a body holds nothing forbidden."""
    assert SANITIZER.sanitize_bytes(b"", content_type) == (b"", Report())


BROKEN = b'{"a":"' + MARKER.encode() + b'","_sentry_x":1'


def test_broken_bytes_declared_as_json_are_refused() -> None:
    """A forbidden key that cannot be cut out safely does not leave; no text of the body is told."""
    with pytest.raises(BodyRejectedError) as caught:
        SANITIZER.sanitize_bytes(BROKEN, "application/json")
    assert str(caught.value) == (
        "The body was not sent: it is declared to be JSON and seems to hold a forbidden key, but "
        "stops being JSON at byte 36, so nothing can be cut out safely."
    )
    assert caught.value.report == Report((Finding("", "malformed", "reject"),))
    assert MARKER not in told_by(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("content_type", ["text/plain", None])
def test_broken_bytes_that_only_look_like_json_are_passed(content_type: str | None) -> None:
    """What nobody called JSON may be anything; it passes, and the report says so."""
    content, report = SANITIZER.sanitize_bytes(BROKEN, content_type)
    assert content is BROKEN
    assert report == Report((Finding("", "malformed", "report"),))


@pytest.mark.parametrize(
    "call", [SANITIZER.sanitize_bytes, sanitize_bytes], ids=["method", "function"]
)
def test_bytes_are_json_unless_somebody_says_otherwise(call: Callable[..., Any]) -> None:
    """Broken ones are refused, not given back with the key in them; None says that none declared."""
    for content in (BROKEN, b'// c\n{"_sentry_x":1}', b'{"a":1}\n{"_sentry_x":1}'):
        with pytest.raises(BodyRejectedError, match="it is declared to be JSON"):
            call(content)
    assert call(BROKEN, None)[0] is BROKEN
    assert call(b'{"a":1}\n{"_sentry_x":1}', None)[0] == b'{"a":1}\n{}'


NO_BYTES: dict[str, tuple[Any, str]] = {
    "str": ('{"a":"' + MARKER, "str; write text.encode()."),
    "dict": ({"a": MARKER}, "dict; for a value, write sanitize(value)."),
    "none": (None, "NoneType; for a value, write sanitize(value)."),
    "int": (3, "int; for a value, write sanitize(value)."),
    "bytearray": (bytearray(b"{}"), "bytearray; write bytes(content)."),
    "memoryview": (memoryview(b"{}"), "memoryview; write bytes(content)."),
}


@pytest.mark.parametrize(("content", "message"), NO_BYTES.values(), ids=NO_BYTES)
def test_what_is_no_bytes_is_a_type_error(content: Any, message: str) -> None:
    """One sentence: what was given, what is wanted, what to write."""
    for call in (SANITIZER.sanitize_bytes, sanitize_bytes):
        with pytest.raises(TypeError) as caught:
            call(content)
        assert str(caught.value) == f"sanitize_bytes takes bytes, not {message}"


def test_a_subclass_of_bytes_is_bytes() -> None:
    """As httpx takes it."""

    class Content(bytes):
        pass

    content = Content(b'{"a": 1}')
    assert sanitize_bytes(content)[0] is content
    assert sanitize_bytes(Content(b'{"_sentry_x": 1}'))[0] == b"{}"


WRONG_POLICIES: dict[str, tuple[Any, str]] = {
    "str": ("sentry", "not str; write Policy(presets('sentry')) or Policy.load('policy.toml')."),
    "rules": (Policy().rules, "not tuple; write Policy(rules)."),
    "rule": (Policy().rules[0], "not Rule; write Policy((rule,))."),
    "dict": ({}, "not dict; write Policy(...)."),
    "class": (Policy, "not type; write Policy(...)."),
    "empty": ("", "not str; write Policy(presets('sentry')) or Policy.load('policy.toml')."),
}


@pytest.mark.parametrize(("policy", "message"), WRONG_POLICIES.values(), ids=WRONG_POLICIES)
@pytest.mark.parametrize(
    "call",
    [
        Sanitizer,
        lambda policy: sanitize({}, policy),
        lambda policy: sanitize_bytes(b"{}", policy=policy),
        lambda policy: body_guard.GuardedClient(policy=policy),
    ],
    ids=["Sanitizer", "sanitize", "sanitize_bytes", "GuardedClient"],
)
def test_what_is_no_policy_is_a_type_error(
    call: Callable[[Any], object], policy: Any, message: str
) -> None:
    """The same sentence wherever a policy is taken."""
    with pytest.raises(TypeError) as caught:
        call(policy)
    assert str(caught.value) == f"policy takes a body_guard.Policy, {message}"


#: Text that some reader may take for JSON with a forbidden key, and Python's json does not.
ALMOST: dict[str, bytes] = {
    "comment": b'{"_sentry_x"/**/:1}',
    "line-comment": b'{"a":1 // one\n,"_sentry_x":2}',
    "form-feed": b'{"_sentry_x"\x0c:1}',
    "no-break-space": b'{"_sentry_x"\xc2\xa0:1}',
    "single-quotes": b"{'_sentry_x':1}",
    "single-quotes-escaped": b"{'\\u005f\\u0073entry_x':1}",
    "no-quotes": b"{_sentry_x:1}",
    "trailing-comma": b'{"_sentry_x":1,}',
    "cut-off": b'{"a":{"_sentry_x":',
    "two-texts": b'{"a":1}{"_sentry_x":1}',
    "hexadecimal": b'{"_sentry_x":0x1}',
    "in-a-text": b'{"a":"no _sentry_x here",}',
    "utf-16": "{'_sentry_x':1}".encode("utf-16"),
    "utf-16-cut-off": '{"_sentry_x":1}'.encode("utf-16-le")[:-1],
}


@pytest.mark.parametrize("content", ALMOST.values(), ids=ALMOST)
def test_declared_json_that_only_others_may_read_is_refused(content: bytes) -> None:
    """If the text of a forbidden key is in it; nobody knows what a reader makes of it."""
    with pytest.raises(BodyRejectedError, match="stops being JSON at byte") as caught:
        Sanitizer().sanitize_bytes(content, "application/json")
    assert caught.value.report.findings == (Finding("", "malformed", "reject"),)
    clean = content.replace(b"_sentry_", b"_entry_s").replace(b"\\u0073", b"\\u0075")
    if clean != content:
        assert Sanitizer().sanitize_bytes(clean, "application/json") == (clean, Report())


@pytest.mark.parametrize("content", ALMOST.values(), ids=ALMOST)
def test_what_nobody_declared_is_passed_and_reported(content: bytes) -> None:
    """It may be no JSON at all; two texts are several records."""
    same, report = Sanitizer().sanitize_bytes(content, "text/plain")
    if b"}{" in content:
        assert same == b'{"a":1}{}'
        return
    assert same is content
    assert report.findings == (Finding("", "malformed", "report"),)


def test_levels_without_number_are_refused_where_a_key_may_be() -> None:
    """Or reported as not judged, by a policy that would take nothing; without a key they pass."""
    deep = b"[" * 1_000_001
    assert Sanitizer().sanitize_bytes(deep, "application/json") == (deep, Report())
    content = b'[{"_sentry_x":1},' + deep
    with pytest.raises(BodyLimitError, match="at byte 1000017 it is over 1,000,000 levels deep"):
        Sanitizer().sanitize_bytes(content, "text/plain")
    rule = Rule("r", prefixes=("_sentry_",), action="report")
    same, report = Sanitizer(Policy((rule,))).sanitize_bytes(content, "application/json")
    assert same is content
    assert report == not_judged("nested too deeply")


def test_a_byte_order_mark_hides_nothing() -> None:
    """Text that is taken for JSON behind its byte order mark is cut as JSON too."""
    content, report = SANITIZER.sanitize_bytes(b'\xef\xbb\xbf{"_sentry_x":1,"a":2}')
    assert b"_sentry_x" not in content
    assert report.changed


def test_a_rejecting_rule_refuses_bytes() -> None:
    """The same rules, the same answer, for bytes."""
    policy = Policy((Rule("no", prefixes=("_x",), action="reject", owner="me"),))
    with pytest.raises(BodyRejectedError) as caught:
        Sanitizer(policy).sanitize_bytes(b'{"a":{"_x1":"' + MARKER.encode() + b'"},"_x2":1}')
    assert caught.value.report == Report(
        (
            Finding("/a/_x1", "no", "reject", "builtins.str", "me"),
            Finding("/_x2", "no", "reject", "builtins.int", "me"),
        ),
        changed=True,
    )
    assert MARKER not in told_by(caught.value)


# Module-level functions.


def test_single_calls_do_what_a_sanitizer_does() -> None:
    """With the default policy or another."""
    strict = Policy((Rule("mine", keys=("k",)),))
    body = {"_sentry_x": 1, "k": 2, "a": 3}
    assert sanitize(body) == ({"k": 2, "a": 3}, Report((SENTRY,), changed=True))
    assert sanitize(body, strict)[0] == {"_sentry_x": 1, "a": 3}
    text = b'{"_sentry_x":1,"k":2,"a":3}'
    assert sanitize_bytes(text) == (b'{"k":2,"a":3}', Report((SENTRY,), changed=True))
    assert sanitize_bytes(text, "application/json", strict)[0] == b'{"_sentry_x":1,"a":3}'
    assert sanitize_bytes(text, "text/html")[1].why_not_judged == "content type text/html"
    assert sanitize(text_body := {"a": 1})[0] is text_body


def test_a_sanitizer_is_built_once_for_a_policy() -> None:
    """Equal policies share one; another policy has another."""
    assert sanitizer_for(Policy()) is sanitizer_for(Policy())
    assert sanitizer_for(Policy(max_bytes=77)) is not sanitizer_for(Policy())
    assert sanitizer_for(Policy(max_bytes=77)).policy == Policy(max_bytes=77)
    assert Sanitizer().policy == Policy()
    assert Sanitizer(policy := Policy(max_bytes=5)).policy is policy


def test_sanitizers_are_found_by_identity_within_a_bound() -> None:
    """Hashing many rules costs more than a small body; a policy per request must not pile up."""
    policy = Policy(max_bytes=78)
    first = sanitizer_for(policy)
    assert sanitizer_for(policy) is first
    for number in range(module._MOST_KNOWN):
        assert sanitizer_for(Policy(max_bytes=1000 + number)).policy.max_bytes == 1000 + number
        assert len(module._known) <= module._MOST_KNOWN
    assert sanitizer_for(policy).policy == policy


def test_prepare_gives_what_another_encoder_may_write() -> None:
    """As sanitize; but what a container says of itself has taken its place."""

    class Asked(dict):  # type: ignore[type-arg]
        def items(self) -> Any:
            return [("a", 1)]

    body = {"x": Asked(b=2), "y": [3]}
    value, report = SANITIZER.prepare(body)
    assert value == {"x": {"a": 1}, "y": [3]}
    assert type(value["x"]) is dict  # type: ignore[index]
    assert value["y"] is body["y"]  # type: ignore[index]
    assert report == Report()
    plain = {"a": [1]}
    assert SANITIZER.prepare(plain)[0] is plain
    with pytest.raises(BodyLimitError):
        Sanitizer(Policy(max_bytes=3)).prepare(plain)
    with pytest.raises(BodyRejectedError):
        SANITIZER.prepare(object())


def raised(call: Callable[[], Any]) -> tuple[str, Any]:
    """Return all that the error of a call tells, "" if there is none, and what the call gives."""
    try:
        return "", call()
    except Exception as error:
        return told_by(error), None


# What another thread does between the walk and the encoding.


def use(encode: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all that encodes a value do so with this."""
    monkeypatch.setattr(accelerator, "encode", encode)


def adding(body: dict[str, Any], late: dict[str, Any]) -> Any:
    """Return an encoder before which another thread adds members to the body."""
    encode = accelerator.encode

    def encode_later(value: object) -> bytes:
        body.update(late)
        late.clear()
        return encode(value)

    return encode_later


@pytest.mark.only_plain
@pytest.mark.parametrize(
    "key", ["_sentry_x", "_sentrysdk_\U0001f600", '_sentry_"\\'], ids=["plain", "astral", "escaped"]
)
def test_a_key_that_another_thread_adds_does_not_leave(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is encoded is what counts: the bytes are searched too."""
    inner: dict[str, Any] = {"a": 1}
    use(adding(inner, {key: 1, "b": "_sentry_x"}), monkeypatch)
    content, report = SANITIZER.encode({"x": [inner]})
    assert content == b'{"x":[{"a":1,"b":"_sentry_x"}]}'
    (found,) = report.findings
    assert found.path.startswith("/x/0/_sentry")
    assert report.changed


@pytest.mark.only_plain
def test_what_was_found_before_and_after_is_one_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """The findings of the walk first, then those of the bytes."""
    inner: dict[str, Any] = {"a": 1}
    use(adding(inner, {"_sentry_x": 1}), monkeypatch)
    content, report = SANITIZER.encode({"_sentry_x": 1, "b": inner})
    assert content == b'{"b":{"a":1}}'
    assert [f.path for f in report.findings] == ["/_sentry_x", "/b/_sentry_x"]


@pytest.mark.only_plain
def test_a_late_key_can_refuse_a_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that rejects does so whenever the key came in."""
    inner: dict[str, Any] = {"a": 1}
    use(adding(inner, {"_x": MARKER}), monkeypatch)
    with pytest.raises(BodyRejectedError) as caught:
        Sanitizer(Policy((Rule("no", keys=("_x",), action="reject"),))).encode([inner])
    assert [f.path for f in caught.value.report.findings] == ["/0/_x"]
    assert MARKER not in told_by(caught.value)


@pytest.mark.only_plain
@pytest.mark.parametrize(
    "make",
    [lambda: MARKER + "\ud800", Span, lambda: math.nan, lambda: {MARKER: b""}],
    ids=["surrogate", "Span", "nan", "bytes"],
)
def test_a_late_value_is_told_to_nobody(
    make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of json carries the body (UnicodeEncodeError.object); ours does not."""
    inner: dict[str, Any] = {"a": MARKER}
    use(adding(inner, {"late": make()}), monkeypatch)
    error, content = raised(lambda: SANITIZER.encode([inner]))
    assert MARKER not in error
    assert error or json.loads(content[0])[0]["a"] == MARKER


@pytest.mark.only_plain
def test_a_value_that_keeps_changing_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """When no look at it holds until it is encoded, the guard gives up, and tells no value."""
    tried = []

    def encode(value: object) -> bytes:
        tried.append(value)
        return f"{MARKER}\ud800".encode()

    use(encode, monkeypatch)
    with pytest.raises(GuardError) as caught:
        SANITIZER.encode({"a": MARKER})
    assert str(caught.value).endswith("kept changing while it was encoded")
    assert MARKER not in told_by(caught.value)
    assert len(tried) == 3


# Nothing planted survives.


@given(planted())
def test_nothing_planted_survives(bodies: tuple[dict[Any, Any], dict[Any, Any]]) -> None:
    """What is encoded is the clean body, and the marker is nowhere, in whatever it was hidden."""
    original, dirty = bodies
    expected = json.dumps(original, ensure_ascii=False, separators=(",", ":")).encode()
    before = snapshot(dirty)
    content, report = SANITIZER.encode(dirty)
    assert content == expected
    assert snapshot(dirty) == before
    assert MARKER not in _public(report)
    for call in (STRICT.encode, STRICT.sanitize, REJECTING.encode, SMALL.encode):
        error, _ = raised(lambda call=call: call(dirty))  # type: ignore[misc]
        assert MARKER not in error


@given(planted())
def test_nothing_planted_survives_in_bytes(bodies: tuple[dict[Any, Any], dict[Any, Any]]) -> None:
    """The same for a body that somebody else has encoded: forbidden members are gone."""
    _, dirty = bodies
    told_as = json.dumps(dirty, skipkeys=True, default=lambda value: "live")
    content, report = SANITIZER.sanitize_bytes(told_as.encode(), "application/json")
    assert MARKER not in content.decode()
    assert MARKER not in _public(report)
    value, _ = SANITIZER.sanitize(json.loads(told_as))
    assert json.loads(content) == value


STRICT = Sanitizer(Policy(unserializable="reject"))
REJECTING = Sanitizer(
    Policy((Rule("no", prefixes=("_sentry_", "_sentrysdk_"), action="reject", owner="x"),))
)
SMALL = Sanitizer(Policy(max_bytes=1))


def _public(report: Report) -> str:
    """Return all that a report says, and all that may be said of it."""
    return f"{report!r} {report} {format_findings(report.findings, most=99)} " + " ".join(
        redact_path(found.path) for found in report.findings
    )


class Holder(enum.Enum):
    MEMBER = MARKER


def _over_the_limit() -> int:
    """Return an int that cannot be written, but would begin with 7351735173517351."""
    number = 0
    for _ in range(1200):
        number = number * 10_000 + 7351
    return number


#: Values that hold the marker, each in its own way, and what of it could be told.
HIDING: dict[str, Callable[[], Any]] = {
    "Span": Span,
    "object": Hidden,
    "bytes": lambda: MARKER.encode(),
    "bytearray": lambda: bytearray(MARKER.encode()),
    "memoryview": lambda: memoryview(MARKER.encode()),
    "set": lambda: {MARKER},
    "frozenset": lambda: frozenset({MARKER}),
    "enum": lambda: Holder.MEMBER,
    "path": lambda: pathlib.PurePosixPath(MARKER),
    "exception": lambda: ValueError(MARKER),
    "generator": lambda: (character for character in MARKER),
    "pattern": lambda: re.compile(MARKER),
    "decimal-in-a-set": lambda: {decimal.Decimal(1), MARKER},
    "thread": lambda: threading.Thread(name=MARKER),
    "lambda": lambda: lambda held=MARKER: held,
    "digits": _over_the_limit,
    "surrogate": lambda: MARKER + "\ud800",
}


@pytest.mark.parametrize("make", HIDING.values(), ids=HIDING)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda value: {"a": value},
        lambda value: [value],
        lambda value: {"_sentry_x": value},
        lambda value: {"_sentry_x": {"deep": [value, MARKER]}},
        lambda value: {"a": (value, {"_sentrysdk_x": MARKER})},
        lambda value: value,
    ],
    ids=["member", "element", "forbidden", "in-forbidden", "both", "whole"],
)
def test_no_value_is_told(
    make: Callable[[], Any], wrap: Callable[[Any], Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Not in a report, its repr, an error and what is behind it, or a log record."""
    caplog.set_level(logging.DEBUG)
    texts = []
    for sanitizer in (SANITIZER, STRICT, REJECTING, SMALL):
        for call in (sanitizer.sanitize, sanitizer.encode, sanitizer.prepare):
            try:
                _, report = call(wrap(make()))
            except BodyError as error:
                texts.append(told_by(error))
                report = error.report
            texts.append(_public(report))
    texts.append(caplog.text)
    assert not [text for text in texts if MARKER in text or "7351735173517351" in text]


HIDING_KEYS: dict[str, Callable[[], Any]] = {
    "Span": Span,
    "object": Hidden,
    "bytes": lambda: MARKER.encode(),
    "tuple": lambda: (MARKER,),
    "frozenset": lambda: frozenset({MARKER}),
    "enum": lambda: Holder.MEMBER,
    "path": lambda: pathlib.PurePosixPath(MARKER),
    "digits": _over_the_limit,
}


@pytest.mark.parametrize("make", HIDING_KEYS.values(), ids=HIDING_KEYS)
@pytest.mark.parametrize("held", [MARKER, {"deep": MARKER}, Hidden()], ids=["str", "dict", "live"])
def test_no_key_is_told(
    make: Callable[[], Any], held: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A key that json cannot write is told by its type, in the path as well."""
    caplog.set_level(logging.DEBUG)
    texts = []
    for sanitizer in (SANITIZER, STRICT, REJECTING):
        for call in (sanitizer.sanitize, sanitizer.encode):
            try:
                value, report = call({"a": 1, make(): held})
            except BodyError as error:
                texts.append(told_by(error))
                report = error.report
            else:
                assert value in ({"a": 1}, b'{"a":1}')
            texts.append(_public(report))
    texts.append(caplog.text)
    assert not [text for text in texts if MARKER in text or "7351735173517351" in text]


def test_an_error_message_shortens_keys_that_are_data() -> None:
    """A str key may be data: only the report has it, a message has its length and a hash."""
    key = f"{MARKER} and more"
    for body in ({key: object()}, {key: {"x" * 65: object()}}):
        with pytest.raises(BodyRejectedError) as caught:
            STRICT.encode(body)
        assert MARKER not in str(caught.value)
        assert "characters, " in str(caught.value)
        assert caught.value.report.findings[0].path.startswith(f"/{key}")
    deep: Any = 1
    for _ in range(20_000):
        deep = [deep]
    with pytest.raises(BodyLimitError) as limit:
        SANITIZER.encode({key: deep})
    assert MARKER not in str(limit.value)
