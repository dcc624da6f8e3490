"""A hostile body cannot make a report grow, nor cost more than it is long."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import body_guard.core.splice
import body_guard.core.walk
from body_guard import BodyRejectedError, Finding, Policy, Rule, Sanitizer
from body_guard.core import listing as module
from body_guard.core import redaction
from body_guard.core.listing import Listing
from body_guard.core.pointer import escape_token, join_pointer
from body_guard.core.redaction import redact_path

if TYPE_CHECKING:
    from collections.abc import Iterable


def findings(listing: Listing) -> tuple[Finding, ...]:
    """List what is in a listing."""
    return listing.report(1, changed=True).findings


def test_a_listing_is_full_at_a_thousand() -> None:
    """A hostile body cannot make a report grow."""
    listing = Listing()
    for _ in range(999):
        listing.add(["a"], "rule", "remove", "kind", "owner", "hint")
    assert not listing.full
    listing.add(["b", "c"], "rule", "remove", "kind")
    assert listing.full
    assert findings(listing)[0] == Finding("/a", "rule", "remove", "kind", "owner", "hint")
    assert findings(listing)[-1] == Finding("/b/c", "rule", "remove", "kind", "", "")


def test_a_listing_has_room_for_so_much_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths beyond the bound are listed shortened, so that deep bodies cannot make it grow."""
    monkeypatch.setattr(module, "_MOST_PATH", 210)
    listing = Listing()
    listing.add(["x" * 300], "rule", "remove", "kind")
    for _ in range(3):
        listing.add(["a"] * 50, "rule", "remove", "kind")
    assert [found.path for found in findings(listing)] == [
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
        return join_pointer(tokens)

    monkeypatch.setattr(module, "_MOST_PATH", 12_000)
    for joins in (module, redaction):
        monkeypatch.setattr(joins, "join_pointer", joining)
    monkeypatch.setattr(body_guard.core.splice, "escape_token", counting)
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
    short = redact_path(join_pointer([escape_token(key)]))

    def escaping(key: str | int) -> str:
        work.append(len(str(key)))
        return escape_token(key)

    def hashing(token: str) -> str:
        work.append(len(token))
        return shown_token(token)

    shown_token = module.redact_token
    monkeypatch.setattr(module, "redact_token", hashing)
    monkeypatch.setattr(body_guard.core.splice, "escape_token", escaping)
    monkeypatch.setattr(body_guard.core.walk, "escape_token", escaping)
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
        return join_pointer(tokens)

    for joins in (module, redaction):
        monkeypatch.setattr(joins, "join_pointer", joining)
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
