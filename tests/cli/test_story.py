from __future__ import annotations

import io

import pytest
from rich.console import Console

from body_guard import Finding
from body_guard.cli.story import Call, Claim, Telling, show

NOTHING = Call("plain", "", (), ())


def shown(telling: Telling, *logged: str, verbose: bool = False) -> str:
    console = Console(file=io.StringIO(), width=80, markup=False, highlight=False)
    show(console, telling, logged, verbose=verbose)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_shows_the_bodies_side_by_side() -> None:
    """The two bodies stand on the same lines, plain on the left."""
    text = shown(
        Telling(
            Call("plain", "", (b'{"a":1}',), ()),
            Call("guarded", "", (b'{"b":2}',), ()),
            (),
        )
    )
    lines = [line.split() for line in text.splitlines()]
    assert lines[0] == ["plain", "guarded"]
    assert lines[2] == ['{"a":', "1}", '{"b":', "2}"]


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        pytest.param(b'{"_sentry_x":"s3cret"}', '"_sentry_x": "(6 chars)"', id="root"),
        pytest.param(b'{"a":{"_sentry_x":"s3cret"}}', '"_sentry_x": "(6 chars)"', id="member"),
        pytest.param(b'[[{"_sentry_x":"s3cret"}]]', '"_sentry_x": "(6 chars)"', id="element"),
        pytest.param(b'{"\\u005fsentry_x":"s3cret"}', '"_sentry_x": "(6 chars)"', id="escape"),
        pytest.param(b'{"_sentry_x":{"k":"s3cret"}}', '"_sentry_x": "(15 chars)"', id="dict"),
        pytest.param(b'{"_sentry_x":"s3cret"', "(21 bytes that are not JSON)", id="not JSON"),
        pytest.param(b"\xff s3cret", "(8 bytes that are not JSON)", id="not text"),
    ],
)
def test_never_shows_what_leaked(body: bytes, kept: str) -> None:
    """The value of a leaked key, or a body that cannot be read, shows as its length only."""
    text = shown(Telling(Call("plain", "", (body,), ()), NOTHING, ()))
    assert kept in text
    assert "s3cret" not in text


def test_shows_all_else_as_it_arrived() -> None:
    """Members and elements that did not leak are shown; what fits on a line stands on one."""
    body = b'{"model":"m","n":[1,null,{"sentry_x":true}],"text":"%b","e":[],"l":["%b"]}'
    long = b"x" * 30
    text = shown(Telling(Call("plain", "", (body % (long, long),), ()), NOTHING, ()))
    assert [line.partition("Nothing")[0][1:].rstrip() for line in text.splitlines()[2:]] == [
        "{",
        '  "model": "m",',
        '  "n": [1, null, {"sentry_x": true}],',
        f'  "text": "{"x" * 30}",',
        '  "e": [],',
        '  "l": [',
        f'    "{"x" * 30}"',
        "  ]",
        "}",
        "",
    ]


def test_shows_every_body_and_the_error() -> None:
    """A call that sent two bodies and failed shows the error first, then both."""
    text = shown(Telling(Call("plain", "TypeError: no", (b"1", b"2"), ()), NOTHING, ()))
    left = [line.split()[0] for line in text.splitlines()[2:5]]
    assert left == ["TypeError:", "1", "2"]


def test_shows_an_error_that_sent_nothing() -> None:
    """A call that failed and sent nothing says both."""
    text = shown(Telling(Call("plain", "TypeError: no", (), ()), Call("g", "", (b"1",), ()), ()))
    assert "TypeError: no" in text
    assert text.count("Nothing arrived.") == 1


def test_shows_findings_logs_and_claims() -> None:
    """Findings come with place, rule, type and owner; then the log; then each claim's outcome."""
    finding = Finding("/a/b", "sentry", "remove", "t.Span", "sentry-sdk")
    claims = (Claim("It is so.", True), Claim("It is not.", False))
    text = shown(
        Telling(NOTHING, Call("guarded", "", (), (finding,)), claims), "removed [bold]/a/b[/bold]"
    )
    rows = [line.split() for line in text.splitlines()]
    assert ["found", "at", "rule", "type", "owner"] in rows
    assert ["/a/b", "sentry", "t.Span", "sentry-sdk"] in rows
    assert rows[-4:] == [
        ["log", "removed", "[bold]/a/b[/bold]"],
        ["held", "It", "is", "so."],
        ["FAILED", "It", "is", "not."],
        [],
    ]


@pytest.mark.parametrize(
    ("verbose", "lines"), [(False, []), (True, ["held   It is so."])], ids=["quiet", "verbose"]
)
def test_claims_that_held_show_when_asked_for(verbose: bool, lines: list[str]) -> None:
    """Without verbose, claims show only where one failed."""
    text = shown(Telling(NOTHING, NOTHING, (Claim("It is so.", True),)), verbose=verbose)
    _, arrived, rest = text.partition(" Nothing arrived.   Nothing arrived. \n")
    assert arrived
    assert [line.strip() for line in rest.splitlines() if line.strip()] == lines


def test_shows_no_table_of_no_findings() -> None:
    """A report without findings takes no room."""
    assert "found at" not in shown(Telling(NOTHING, NOTHING, ()))


def test_stays_within_the_console() -> None:
    """Long names, keys, places, lines and claims wrap at 80 columns, and all of them shows."""
    finding = Finding("P" * 200, "R" * 90, "remove", "T" * 100, "O" * 90)
    call = Call("N" * 90, "E" * 200, (b'{"' + b"K" * 300 + b'":1}',), (finding,))
    text = shown(Telling(call, call, (Claim("C" * 200, True),)), "L" * 200, verbose=True)
    assert max(map(len, text.splitlines())) == 80
    times = {letter: text.count(letter) for letter in "CEKLNOPRT"}
    assert times == {
        "C": 200,
        "E": 400,
        "K": 600,
        "L": 200,
        "N": 180,
        "O": 90,
        "P": 200,
        "R": 90,
        "T": 100,
    }


def test_parses_each_body() -> None:
    """The values of a call are its bodies, parsed, in order."""
    assert Call("c", "", (b'{"a":1}', b"[]", b"{"), ()).values == [
        {"a": 1},
        [],
        "(1 bytes that are not JSON)",
    ]
