"""Text that is the repr of a live object, from end to end."""

from __future__ import annotations

import asyncio
import contextvars
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import httpx
import pytest

from body_guard import BodyRejectedError, Finding, Policy, Report, Sanitizer
from body_guard.builtin_rules.stringified import find_reprs, match_repr, may_contain_repr
from body_guard.formats.json_values import parse_json

from hostile import hostile_class


class Thing:
    def method(self) -> None: ...


def numbers() -> Iterator[int]:
    yield 1


async def afunction() -> None: ...


def coroutine() -> str:
    made = afunction()
    made.close()
    return str(made)


async def _task() -> str:
    task = asyncio.ensure_future(asyncio.sleep(0))
    await task
    return str(task)


def span() -> object:
    tracing = pytest.importorskip("sentry_sdk.tracing")
    return tracing.Span(op="gen_ai.chat", name="the 'prompt',\n secret")


def otel(name: str) -> object:
    return getattr(pytest.importorskip("opentelemetry.trace"), name)


LIVE: list[tuple[str, Callable[[], object], str, str]] = [
    ("object", object, "object", ""),
    ("instance", Thing, f"{__name__}.Thing", __name__),
    ("client", httpx.Client, "httpx.Client", "httpx"),
    ("coroutine", coroutine, "coroutine", ""),
    ("generator", numbers, "generator", ""),
    ("generator expression", lambda: (n for n in ()), "generator", ""),
    ("function", lambda: numbers, "function", ""),
    ("lambda", lambda: lambda: 1, "function", ""),
    ("bound method", lambda: Thing().method, "bound method", ""),
    ("builtin", lambda: print, "built-in function", ""),
    ("method of a builtin", lambda: [].append, "built-in method", ""),
    ("class", lambda: Thing, f"{__name__}.Thing", __name__),
    ("module", lambda: re, "re", ""),
    ("context variable", lambda: contextvars.ContextVar("x"), "ContextVar", ""),
    ("task", lambda: asyncio.run(_task()), "Task", "asyncio"),
    ("Sentry's span", span, "Span", "sentry-sdk"),
    (
        "a span that records nothing",
        lambda: otel("INVALID_SPAN"),
        "NonRecordingSpan",
        "opentelemetry-api",
    ),
    ("a span's context", lambda: otel("INVALID_SPAN_CONTEXT"), "SpanContext", "opentelemetry-api"),
]


@pytest.mark.parametrize(
    ("make", "kind", "owner"), [row[1:] for row in LIVE], ids=[row[0] for row in LIVE]
)
def test_what_str_makes_of_an_object(make: Callable[[], object], kind: str, owner: str) -> None:
    """The reprs of this very interpreter and of the libraries that are installed."""
    text = str(make())
    assert match_repr(text) == (kind, owner), text


WRITTEN = [
    ("<MagicMock name='mock.a' id='139940595702608'>", "MagicMock", "unittest"),
    ("<AsyncMock spec='C' id='139940600569488'>", "AsyncMock", "unittest"),
    ("Span(op='gen_ai.chat', description='hi')", "Span", "sentry-sdk"),
    ("<Transaction(name='hi', op=None, trace_id='6a')>", "Transaction", "sentry-sdk"),
    (
        '_Span(name="chat", context=SpanContext(trace_id=0x1, span_id=0x2))',
        "_Span",
        "opentelemetry-api",
    ),
    ("<__main__.Tool object at 0x7f2d3c>", "__main__.Tool", ""),
    ("<app.f.<locals>.C object at 0x7f2d3c>", "app.f.<locals>.C", "app"),
    ("<async_generator object f at 0x7f2d3c>", "async_generator", ""),
]


@pytest.mark.parametrize(("text", "kind", "owner"), WRITTEN)
def test_what_others_make_of_theirs(text: str, kind: str, owner: str) -> None:
    """Written out: of libraries that may not be installed, or of names made up."""
    assert match_repr(text) == (kind, owner)


PROSE = [
    "",
    "what is <object object at 0x7f2d3c>?",
    "<object object at 0x7f2d3c> is what I got",
    " <object object at 0x7f2d3c>",
    "<p>it crashed at 0x7f2d3c</p>",
    "<div class='x'>a function at 0x1</div>",
    "<think>plan</think>",
    "<system-reminder>an object at 0x7f2d3c</system-reminder>",
    "<Response [200 OK]>",
    "Span(width) is a word, Span too",
    "Spanish (op=...)",
    "<" + "a" * 30_000 + " object at 0x1>",
]


@pytest.mark.parametrize("text", PROSE, ids=range(len(PROSE)))
def test_what_only_talks_of_one(text: str) -> None:
    """A prompt that quotes a repr, and text that looks like one at first, are the user's."""
    assert match_repr(text) is None


SLOW = {
    "commas": "Span(op='" + ", " * 9_900 + "x",
    "commas, another end": "<Span(op='" + ", " * 9_900 + ">",
    "digits": "<a object at 0x" + "a" * 19_900 + "<>",
    "addresses": "<function " + " at 0x" * 3_200 + "\n>",
    "a name": "<bound method " + "a" * 19_900 + "\n>",
    "Spans": "Span" * 4_900 + "(",
}


def test_what_almost_is_one_is_told_from_one_in_linear_time() -> None:
    """Thousands of looks come to an end; a search that goes back and forth would take minutes."""
    code = f"""from body_guard.builtin_rules.stringified import match_repr
print({{match_repr(text) for text in {list(SLOW.values())!r} for _ in range(200)}})"""
    told = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=100
    )
    assert told.stdout == "{None}\n"


def test_nothing_of_the_text_is_told() -> None:
    """A Span's repr holds the prompt; a finding has the class's name."""
    text = "<Span(op='gen_ai.chat', description:'my secret', trace_id='1')>"
    report = find_reprs({"metadata": {"span": text}}, "report")
    assert report == Report(
        (Finding("/metadata/span", "stringified", "report", "Span", "sentry-sdk"),)
    )
    assert "secret" not in repr(report)


SHARED = ["<object object at 0x7f2d3c>"]


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        pytest.param("<object object at 0x7f2d3c>", [""], id="the whole body"),
        pytest.param({"a/b": ["x", *SHARED]}, ["/a~1b/1"], id="in an array"),
        pytest.param({"a": SHARED, "b": SHARED}, ["/a/0"], id="shared: its first place"),
        pytest.param({"a": [{}, []], "b": (1, None, *SHARED)}, ["/b/2"], id="in a tuple"),
        pytest.param({"<object object at 0x7f2d3c>": 1}, [], id="a name"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_where(body: object, paths: list[str]) -> None:
    """Every string value is looked at, however deep, each container once."""
    report = find_reprs(body, "report")
    assert [finding.path for finding in report.findings] == paths
    text = json.dumps(body).encode()
    assert may_contain_repr(text) or not paths
    again = find_reprs(parse_json(text), "report")
    assert {finding.path for finding in again.findings} >= set(paths)


def test_more_than_are_listed_are_counted() -> None:
    """As everywhere: a thousand findings, and a number."""
    report = find_reprs(["<object object at 0x7f2d3c>"] * 1200, "report")
    assert (len(report.findings), report.omitted) == (1000, 200)


BODY = {"messages": [{"role": "user", "content": "<coroutine object f at 0x7f2d3c>"}]}


@pytest.mark.parametrize("escaped", [False, True], ids=["plain", "escaped"])
def test_a_policy_reports_it(escaped: bool) -> None:
    """As an object and as bytes, which stay what they are."""
    sanitizer = Sanitizer(Policy(stringified="report"))
    finding = Finding("/messages/0/content", "stringified", "report", "coroutine")
    assert sanitizer.sanitize(BODY) == (BODY, Report((finding,)))
    content, report = sanitizer.encode(BODY)
    assert (json.loads(content), report.findings) == (BODY, (finding,))
    if escaped:
        content = content.replace(b"<", b"\\u003c")
    for text, encoding in ((content, "utf-8"), (content.decode().encode("utf-16"), "utf-16")):
        clean, found = sanitizer.sanitize_bytes(text, "application/json")
        assert clean is text, encoding
        assert found == Report((finding,))


def test_a_policy_refuses_it() -> None:
    """With the place and the kind in the message."""
    sanitizer = Sanitizer(Policy(stringified="reject"))
    for refuse in (
        lambda: sanitizer.sanitize(BODY),
        lambda: sanitizer.encode(BODY),
        lambda: sanitizer.sanitize_bytes(json.dumps(BODY).encode()),
    ):
        with pytest.raises(BodyRejectedError) as raised:
            refuse()
        assert str(raised.value) == (
            "The body was not sent: /messages/0/content (rule stringified, coroutine) "
            "may not leave."
        )


def test_it_is_off_by_default() -> None:
    """It is a search of every body, clean or not: `python -m benchmarks.presets` says for how much."""
    assert Policy().stringified == "off"
    assert Sanitizer().sanitize(BODY) == (BODY, Report())


@pytest.mark.parametrize(
    "content",
    [b'{"a":"text","b":[1]}', b'{"a":"<b>bold</b>"}', b'{"a":"<object object at 0x7f2d3c>"'],
    ids=["without a beginning", "with one", "no JSON"],
)
def test_clean_bytes_are_what_they_were(content: bytes) -> None:
    """Nothing is found, and the very object goes out."""
    clean, report = Sanitizer(Policy(stringified="reject")).sanitize_bytes(content)
    assert clean is content
    assert report == Report()


def test_a_clean_body_of_any_size_passes() -> None:
    """Where no such text begins, max_bytes is not asked, as without the look."""
    for action in ("report", "reject"):
        sanitizer = Sanitizer(Policy(stringified=action, max_bytes=50))  # type: ignore[arg-type]
        content = b'{"messages":[{"content":"%b"}]}' % (b"x" * 80)
        clean, report = sanitizer.sanitize_bytes(content, "application/json")
        assert clean is content
        assert report == Report()


#: A dict cannot do without these two.
Name = hostile_class(str, spared=("__hash__", "__eq__"))


def test_no_code_of_a_stranger_is_run() -> None:
    """Neither of a string's class nor of a name's."""
    body = {Name("a"): [hostile_class(str)("<object object at 0x7f2d3c>")]}
    _, report = Sanitizer(Policy(stringified="report")).sanitize(body)
    assert [(finding.path, finding.type) for finding in report.findings] == [("/a/0", "object")]


def test_a_value_for_another_encoder_is_looked_at_too() -> None:
    """`prepare` finds what `sanitize` finds, and gives the same object."""
    body = {"a": "<object object at 0x7f2d3c>"}
    value, report = Sanitizer(Policy(stringified="report")).prepare(body)
    assert value is body
    assert [(finding.path, finding.type) for finding in report.findings] == [("/a", "object")]
