"""Reports say where and why: exactly to whoever asked, shortened to everybody else."""

from __future__ import annotations

import dataclasses
import json
import pickle
import string
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import body_guard.core.splice
import body_guard.core.walk
from body_guard import BodyRejectedError, Finding, Policy, Report, Rule, Sanitizer
from body_guard.core import report as module
from body_guard.core.report import CLEAN, Listing, not_judged, pointer, segment, shown, stamp, told

from hostile import MARKER

if TYPE_CHECKING:
    from collections.abc import Iterable

SEGMENTS = {
    # RFC 6901 sections 5 and 3
    "foo": "foo",
    "": "",
    "a/b": "a~1b",
    "c%d": "c%d",
    "e^f": "e^f",
    "g|h": "g|h",
    "i\\j": "i\\\\j",
    'k"l': 'k\\"l',
    " ": " ",
    "m~n": "m~0n",
    "~1": "~01",
    "/~": "~1~0",
    # and what JSON text must escape, or a log could not show
    "\n\r\t": "\\u000a\\u000d\\u0009",
    "\x00\x1f": "\\u0000\\u001f",
    "\x7f\x80": "\\u007f\\u0080",
    "é": "\\u00e9",
    "\u2028": "\\u2028",
    "\uffff": "\\uffff",
    "\U0001f600": "\\ud83d\\ude00",
    "\U0010ffff": "\\udbff\\udfff",
    "\ud800": "\\ud800",
    "a\udfffb": "a\\udfffb",
    "<b>'&": "<b>'&",
    "[0]{}": "[0]{}",
    "a.b-c_d": "a.b-c_d",
}


@pytest.mark.parametrize(("key", "token"), SEGMENTS.items(), ids=map(ascii, SEGMENTS))
def test_a_segment_is_a_pointer_in_json_string_form(key: str, token: str) -> None:
    """RFC 6901 section 3 for the slash and the tilde, section 5 for the rest, ASCII only."""
    assert segment(key) == token


def unescaped(pointer: str) -> list[str]:
    """Read a JSON Pointer as RFC 6901 section 4 does."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


@given(st.lists(st.text(), max_size=5))
def test_a_path_leads_back_to_the_keys(keys: list[str]) -> None:
    """Read as the JSON string it is, a path is the RFC 6901 pointer of the very keys."""
    path = pointer(segment(key) for key in keys)
    assert path.isascii()
    assert path.isprintable()
    assert unescaped(json.loads(f'"{path}"')) == keys


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_a_findings_path_leads_to_its_place(keys: list[str]) -> None:
    """The path of a finding, read that way, is the way to what was found."""
    body: object = object()
    for key in reversed(keys):
        body = {key: body}
    if any(key.startswith(("_sentry_", "_sentrysdk_")) for key in keys):
        return
    _, report = Sanitizer().sanitize([body])
    (found,) = report.findings
    assert unescaped(json.loads(f'"{found.path}"')) == ["0", *keys]


def test_a_pointer_joins_segments() -> None:
    """The whole body is the empty pointer, an empty key a slash."""
    assert pointer([]) == ""
    assert pointer([""]) == "/"
    assert pointer(["a", "0", "b~1c"]) == "/a/0/b~1c"


SHOWN = {
    "whole": ("", ""),
    "names": ("/metadata/0/_sentry_span", "/metadata/0/_sentry_span"),
    "type": ("/<builtins.tuple>", "/<builtins.tuple>"),
    "header-like": ("/x-request-id/a.b", "/x-request-id/a.b"),
    "numbers": ("/0/12/123456789", "/0/12/123456789"),
    "long-number": ("/1234567890", "/<10 characters, c775e7b7>"),
    "empty-key": ("/", "/<0 characters, e3b0c442>"),
    "address": ("/ann@example.com", "/<15 characters, 71d4f55f>"),
    "prose": ("/two words", "/<9 characters, a03f1d61>"),
    "escaped": ("/a~1b", "/<4 characters, dea79720>"),
    "non-ascii": ("/\\u00e9", "/<6 characters, 8229f540>"),
    "64": ("/" + "x" * 64, "/" + "x" * 64),
    "65": ("/" + "x" * 65, "/<65 characters, 9537c5fd>"),
    "newline": ("/a\n", "/<2 characters, 87428fc5>"),
    "inner-only": ("/a/two words/b", "/a/<9 characters, a03f1d61>/b"),
    "32-levels": ("/a" * 32, "/a" * 32),
    "33-levels": ("/a" * 33, "/a" * 32 + "/...33 levels"),
}


@pytest.mark.parametrize(("path", "text"), SHOWN.values(), ids=SHOWN)
def test_a_path_is_shown_shortened(path: str, text: str) -> None:
    """A key can be data: what is long or no identifier is told by its length and a hash."""
    assert shown(path) == text


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1))
def test_a_key_that_is_no_name_is_never_shown(key: str) -> None:
    """No text of a key that could be data is in what a log shows."""
    name = string.ascii_letters + string.digits + "_.-<>"
    if len(key) <= 64 and all(character in name for character in key):
        return
    text = shown(pointer([segment(key)]))
    assert len(text) < 40
    assert text.startswith("/<")
    assert text.isascii()
    assert key not in text or len(key) < 3


def test_a_long_key_is_never_shown() -> None:
    """The marker in a long key does not come through, and the same key is shown the same."""
    path = pointer([segment(MARKER * 10)])
    assert MARKER not in shown(path)
    assert shown(path) == shown(path)
    assert shown(path) != shown(path + "x")


def finding(path: str = "/a", rule: str = "sentry", kind: str = "builtins.int") -> Finding:
    return Finding(path, rule, "remove", kind)


TOLD = {
    "none": ([], ""),
    "one": ([finding()], "/a (rule sentry, builtins.int)"),
    "whole": ([finding("")], "the whole body (rule sentry, builtins.int)"),
    "no-type": ([finding(kind="")], "/a (rule sentry)"),
    "three": (
        [finding("/a"), finding("/b", "cycle"), finding("/two words")],
        "/a (rule sentry, builtins.int), /b (rule cycle, builtins.int), "
        "/<9 characters, a03f1d61> (rule sentry, builtins.int)",
    ),
    "five": (
        [finding(f"/{at}") for at in range(5)],
        "/0 (rule sentry, builtins.int), /1 (rule sentry, builtins.int), "
        "/2 (rule sentry, builtins.int), 2 more",
    ),
}


@pytest.mark.parametrize(("findings", "text"), TOLD.values(), ids=TOLD)
def test_findings_are_told_in_half_a_sentence(findings: list[Finding], text: str) -> None:
    """The first three by place, rule and type; the others as a number."""
    assert told(findings) == text


def test_how_many_are_told_can_be_said() -> None:
    """A log line may tell more of them than an error does."""
    assert told(iter([finding("/a"), finding("/b")]), most=1) == (
        "/a (rule sentry, builtins.int), 1 more"
    )


FIRST = Report((finding("/a"),), changed=True, omitted=2)
SECOND = Report((finding("/b"),), omitted=3)

SUMS = {
    "clean": (CLEAN, CLEAN, CLEAN),
    "then-clean": (FIRST, CLEAN, FIRST),
    "clean-then": (CLEAN, FIRST, FIRST),
    "both": (FIRST, SECOND, Report((finding("/a"), finding("/b")), True, omitted=5)),
    "changed-later": (SECOND, FIRST, Report((finding("/b"), finding("/a")), True, omitted=5)),
    "not-judged-first": (
        not_judged("stream"),
        SECOND,
        Report((finding("/b"),), False, False, "stream", 3),
    ),
    "not-judged-later": (
        SECOND,
        Report((finding("/a"),), judged=False, why_not_judged="not JSON"),
        Report((finding("/b"), finding("/a")), False, False, "not JSON", 3),
    ),
}


@pytest.mark.parametrize(("first", "second", "joined"), SUMS.values(), ids=SUMS)
def test_two_looks_make_one_report(first: Report, second: Report, joined: Report) -> None:
    """The findings of the object and of its bytes, in that order."""
    assert first + second == joined


def test_reports_are_values() -> None:
    """Frozen, equal by what they say, hashable, picklable."""
    with pytest.raises(AttributeError):
        FIRST.changed = False  # type: ignore[misc]
    with pytest.raises(AttributeError):
        FIRST.findings[0].path = "/b"  # type: ignore[misc]
    assert Report((finding("/a"),), changed=True, omitted=2) == FIRST
    assert hash(FIRST) == hash(Report((finding("/a"),), changed=True, omitted=2))
    assert pickle.loads(pickle.dumps(FIRST)) == FIRST  # noqa: S301 - our own pickle


def test_the_defaults_are_a_clean_look() -> None:
    """A report says nothing unless something was found."""
    assert Report((), False, True, "", 0) == CLEAN
    assert not_judged("why") == Report((), False, False, "why", 0)
    assert Finding("/a", "r", "remove") == Finding("/a", "r", "remove", "", "", "")


def test_a_listing_is_full_at_a_thousand() -> None:
    """A hostile body cannot make a report grow."""
    listing = Listing()
    for _ in range(999):
        listing.add(["a"], "rule", "remove", "kind", "owner", "hint")
    assert not listing.full
    listing.add(["b", "c"], "rule", "remove", "kind")
    assert listing.full
    assert listing.findings[0] == Finding("/a", "rule", "remove", "kind", "owner", "hint")
    assert listing.findings[-1] == Finding("/b/c", "rule", "remove", "kind", "", "")


def test_a_listing_has_room_for_so_much_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths beyond the bound are listed shortened, so that deep bodies cannot make it grow."""
    monkeypatch.setattr(module, "_MOST_PATH", 210)
    listing = Listing()
    listing.add(["x" * 300], "rule", "remove", "kind")
    for _ in range(3):
        listing.add(["a"] * 50, "rule", "remove", "kind")
    assert [found.path for found in listing.findings] == [
        "/<300 characters, 0d4e2ca9>",
        "/a" * 50,
        "/a" * 32 + "/...50 levels",
        "/a" * 32 + "/...50 levels",
    ]


@pytest.mark.parametrize("how", ["walk", "splice"])
def test_paths_nobody_will_read_are_not_made(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand findings five thousand levels down cost what their paths may take, not more."""
    made: list[str] = []

    def counting(key: str) -> str:
        made.append(key)
        return key

    def joining(segments: Iterable[str]) -> str:
        tokens = list(segments)
        made.extend(tokens)
        return pointer(tokens)

    monkeypatch.setattr(module, "_MOST_PATH", 12_000)
    monkeypatch.setattr(module, "pointer", joining)
    monkeypatch.setattr(body_guard.core.splice, "segment", counting)
    members = ",".join(f'"_sentry_{number}":1' for number in range(1000))
    text = '{"a":' * 5_000 + "{" + members + "}" + "}" * 5_000
    if how == "splice":
        _, report = Sanitizer().sanitize_bytes(text.encode())
    else:
        body: object = {f"_sentry_{number}": 1 for number in range(1000)}
        for _ in range(5_000):
            body = {"a": body}
        _, report = Sanitizer().sanitize(body)
    assert len(report.findings) == 1000
    assert report.findings[0].path == "/a" * 5_000 + "/_sentry_0"
    assert report.findings[1].path == "/a" * 32 + "/...5001 levels"
    assert report.findings[999].path == "/a" * 32 + "/...5001 levels"
    assert len(made) < 200_000


def test_sums_keep_mode_refusal_host_and_time() -> None:
    """Of the later look, of whichever said so, and of both."""
    first = Report((Finding("/a", "r", "remove"),), mode="enforce", host="h", seconds=1.0)
    later = Report((), mode="audit", refused="BodyRejectedError", seconds=2.0)
    joined = first + later
    assert (joined.mode, joined.refused, joined.host, joined.seconds) == (
        "audit",
        "BodyRejectedError",
        "h",
        3.0,
    )


def test_a_stamp_changes_host_and_time_alone() -> None:
    """The report given stays as it is, and every other field is taken over."""
    finding = Finding("/a", "r", "remove")
    given = Report((finding,), True, False, "why", 3, "audit", "BodyRejectedError", "before", 1.0)
    stamped = stamp(given, "host", 2.0)
    assert dataclasses.astuple(stamped) == (*dataclasses.astuple(given)[:-2], "host", 2.0)
    assert (given.host, given.seconds, type(stamped)) == ("before", 1.0, Report)
    assert pickle.loads(pickle.dumps(stamped)) == stamped  # noqa: S301


def test_what_is_compared_is_what_was_found() -> None:
    """Where and how long are no part of it; the mode is."""
    assert Report(host="a", seconds=1.0, refused="x") == Report()
    assert Report(mode="audit") != Report()


def test_without_leaves_what_another_does_not_tell() -> None:
    """By place and rule, whatever the type: bytes have none."""
    one, two = Finding("/a", "r", "remove", "builtins.int"), Finding("/b", "r", "remove")
    report = Report((one, two), omitted=3)
    assert report.without(Report((Finding("/a", "r", "remove"),))) == Report((two,), omitted=3)
    assert report.without(Report()) is report


LONG = "\u00e9" * 700_000  # 4.2 million characters of path: more than all paths may take


@pytest.mark.parametrize("how", ["walk", "splice"])
@pytest.mark.parametrize(
    ("key", "whole"), [(LONG[:20_000], 34), (LONG, 0)], ids=["in-part-whole", "never-whole"]
)
def test_a_long_name_is_escaped_and_hashed_once(
    how: str, key: str, whole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand findings below it cost what it is long, not a thousand times that."""
    work: list[int] = []
    short = shown(pointer([segment(key)]))

    def escaping(key: str) -> str:
        work.append(len(key))
        return segment(key)

    def hashing(token: str) -> str:
        work.append(len(token))
        return shown_token(token)

    shown_token = module._shown_token
    monkeypatch.setattr(module, "_shown_token", hashing)
    monkeypatch.setattr(body_guard.core.splice, "segment", escaping)
    monkeypatch.setattr(body_guard.core.walk, "segment", escaping)
    body = {key: {f"_sentry_{number}": 1 for number in range(1000)}, "a": {"_sentry_x": 1}}
    if how == "splice":
        _, report = Sanitizer().sanitize_bytes(json.dumps(body).encode())
    else:
        _, report = Sanitizer().sanitize(body)
    paths = [found.path for found in report.findings]
    assert (len(paths), report.omitted) == (1000, 1)
    assert [len(path) > 100_000 for path in paths] == [True] * whole + [False] * (1000 - whole)
    assert paths[-1] == f"{short}/_sentry_999"
    # Once as it is or twice, and once escaped, which is six times as long.
    assert sum(work) < 9 * len(key) + 50_000


def test_levels_are_not_gone_through_for_each_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths with no room for their characters are as cheap as those with none for their levels."""
    made: list[str] = []

    def joining(segments: Iterable[str]) -> str:
        made.extend(tokens := list(segments))
        return pointer(tokens)

    monkeypatch.setattr(module, "pointer", joining)
    members = ",".join(f'"_sentry_{number}":1' for number in range(1000))
    text = '{"%s":' % ("x" * 2**22) + '{"a":' * 5_000 + "{" + members + "}" + "}" * 5_001
    _, report = Sanitizer().sanitize_bytes(text.encode())
    short = "/<4194304 characters, baa7a6d3>" + "/a" * 31 + "/...5002 levels"
    assert {found.path for found in report.findings} == {short}
    assert len(made) == 32_000


def test_names_of_closed_containers_are_forgotten() -> None:
    """Each path is that of its own place, in texts of several records too."""
    text = '{"a":{"b":{"_sentry_1":1},"c":[0,{"_sentry_2":1}]},"_sentry_3":1}\n[[{"_sentry_4":1}]]'
    _, report = Sanitizer().sanitize_bytes(text.encode(), "application/jsonl")
    assert [found.path for found in report.findings] == [
        "/0/a/b/_sentry_1",
        "/0/a/c/1/_sentry_2",
        "/0/_sentry_3",
        "/1/0/0/_sentry_4",
    ]


@pytest.mark.parametrize("door", ["sanitize", "encode", "json", "form"])
def test_the_first_finding_that_refuses_is_always_listed(door: str) -> None:
    """It takes the place of the thousandth: a refusal that does not say why is of no use."""
    policy = Policy(
        (*Policy().rules, Rule("no", keys=("no",), action="reject")), look_into=("form",)
    )
    sanitizer = Sanitizer(policy)
    body: Any = {f"_sentry_{number}": 1 for number in range(1001)}
    body |= {"no": 1, "_sentry_x": 2, "a": {"no": 3}}
    form = "&".join([*(key for key in body if key != "a"), "a[no]"]).encode()
    arguments: Any = {
        "json": (json.dumps(body).encode(),),
        "form": (form, "application/x-www-form-urlencoded"),
    }.get(door, (body,))
    with pytest.raises(BodyRejectedError) as raised:
        getattr(sanitizer, "sanitize_bytes" if door in ("json", "form") else door)(*arguments)
    kind = "" if door == "form" else ", builtins.int"
    assert str(raised.value) == f"The body was not sent: /no (rule no{kind}) may not leave."
    report = raised.value.report
    assert (len(report.findings), report.omitted) == (1000, 4)
    assert [found.path for found in report.findings[-2:]] == ["/_sentry_998", "/no"]


def test_what_refuses_is_found_behind_places_without_number() -> None:
    """Sixty-four levels of a shared container have 2**64 findings, and are gone through once."""
    shared: Any = {"_sentry_x": 1}
    for _ in range(64):
        shared = [shared, shared]
    policy = Policy((*Policy().rules, Rule("no", keys=("no",), action="reject")))
    with pytest.raises(BodyRejectedError, match="/b/no") as raised:
        Sanitizer(policy).sanitize({"a": shared, "b": {"no": 1}, "c": {"no": 1}})
    assert len(raised.value.report.findings) == 1000
    assert raised.value.report.findings[-1].path == "/b/no"
