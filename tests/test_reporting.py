"""What was found is told: once in the log, always to who collects."""

from __future__ import annotations

import asyncio
import itertools
import logging
import multiprocessing
import threading
from typing import Any

import httpx
import pytest

import body_guard
from body_guard import Finding, Policy, Report, Rule, _reporting

from doors import Family

URL = "http://provider.test/"


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def post(client: httpx.Client, body: Any) -> None:
    client.post(URL, json=body)


@pytest.fixture
def client(family: Family) -> body_guard.GuardedClient:
    return family.guarded.GuardedClient(
        transport=family.library.MockTransport(lambda request: family.library.Response(200))
    )


def test_the_warning_says_what_where_and_whose(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """One line answers what was taken, from where, by which rule, and whose it is."""
    post(client, {"metadata": {"_sentry_span": Policy()}})
    assert warnings(caplog) == [
        "removed /metadata/_sentry_span in a body for provider.test "
        "(rule sentry, type body_guard.core.policy.Policy, owner sentry-sdk)"
    ]


def test_a_hot_loop_warns_once(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    """Indices are one shape; what is not warned of is counted and logged at DEBUG."""
    caplog.set_level(logging.DEBUG, "body_guard")
    for _ in range(50):
        post(client, {"m": [{"_sentry_x": 1}, {"_sentry_x": 2}]})
    assert len(warnings(caplog)) == 1
    assert _reporting.counts() == {("sentry", "/m/*/_sentry_x"): 100}
    assert caplog.records[-1].levelno == logging.DEBUG
    assert caplog.records[-1].getMessage().endswith("; 100 times so far")


def test_another_rule_or_place_warns_again(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """What has not been said is said."""
    post(client, {"a": {1}})
    post(client, {"b": {1}})
    post(client, {"a": float("nan")})
    assert [line.split(" in ")[0] for line in warnings(caplog)] == [
        "removed /a",
        "removed /b",
        "replaced /a",
    ]


def test_plain_data_names_the_remedy(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """A lost set could have been kept, and the warning says how."""
    post(client, {"a": {1}})
    (line,) = warnings(caplog)
    assert line.endswith("; convert=body_guard.convert.jsonable would keep it")


def test_keys_that_look_like_data_are_shortened(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """A key that is an address is not told to the log; the report has it."""
    with body_guard.collect() as reports:
        post(client, {"jane@example.org": {"_sentry_x": 1}, "k" * 65: {"_sentry_x": 1}})
    assert "jane" not in caplog.text
    assert "kkk" not in caplog.text
    assert "/<16 characters, " in caplog.text
    assert reports[0].findings[0].path == "/jane@example.org/_sentry_x"


def test_a_duplicate_is_reported_and_left(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Members that json writes under one name are said, not touched."""
    post(client, {1: "a", "1": "b"})
    assert [line.split(" in ")[0] for line in warnings(caplog)] == ["left /1"]


def test_not_judged_is_told_once(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    """A body that cannot be looked at is counted, and said once, at INFO."""
    caplog.set_level(logging.INFO, "body_guard")
    for _ in range(3):
        client.post(URL, content=iter([b"x"]))
    assert [r.getMessage() for r in caplog.records if r.name == "body_guard"] == [
        "not judged: a body for provider.test (stream)"
    ]
    assert _reporting.counts() == {("not judged", "stream"): 3}


def test_the_table_of_shapes_is_capped(caplog: pytest.LogCaptureFixture) -> None:
    """Ever new places end in one counter, so neither log nor memory grows without end."""
    _reporting._tally = _reporting.Tally(most=2)
    for index in range(10):
        report = Report((Finding(f"/k{index}x", "sentry", "remove"),), changed=True)
        _reporting.deliver(report, Policy(), "")
    assert len(warnings(caplog)) == 3
    assert _reporting.counts() == {
        ("sentry", "/k0x"): 1,
        ("sentry", "/k1x"): 1,
        _reporting.Tally.REST: 8,
    }
    assert "in a body for an unknown host" in caplog.text


def test_counters_survive_threads() -> None:
    """No count is lost between threads."""
    tally = _reporting.Tally()

    def work() -> None:
        for _ in range(5000):
            tally.add("x")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tally.counts() == {"x": 40_000}


def _count_in_child(tally: _reporting.Tally, queue: Any) -> None:
    queue.put(tally.add("x"))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_counters_survive_a_fork() -> None:
    """A lock held by another thread at the fork does not hang the child."""
    tally = _reporting.Tally()
    tally.add("x")
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with tally._lock:
            held.set()
            release.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=_count_in_child, args=(tally, queue))
    child.start()
    child.join(20)
    release.set()
    holder.join()
    hung = child.is_alive()
    child.kill()
    assert not hung
    assert queue.get() == 2


def test_on_report_gets_every_report(client: httpx.Client) -> None:
    """Each reporter is called with each report, clean ones too."""
    first: list[Report] = []
    second: list[Report] = []
    body_guard.guard(client, Policy(on_report=(first.append, second.append)))
    post(client, {"a": 1})
    post(client, {"a": {1}})
    assert [report.changed for report in first] == [False, True]
    assert first == second


def test_on_report_is_told_where_and_how_long(client: httpx.Client) -> None:
    """Of what an SDK or litellm finds before there is a request, the host is not known."""
    seen: list[Report] = []
    body_guard.guard(client, Policy(on_report=seen.append))
    with body_guard.collect() as reports:
        post(client, {"a": 1})
        client.post("http://other.test:8080/", content=b'{"_sentry_x":1}')
        _reporting.deliver(Report(), Policy(on_report=seen.append), "")
    assert [report.host for report in seen] == ["provider.test", "other.test", ""]
    assert [report.mode for report in seen] == ["enforce", "enforce", "enforce"]
    assert [report.seconds > 0 for report in seen] == [True, True, False]
    assert reports == seen  # the same was found


@pytest.mark.parametrize("body", [{"a": 1}, {"a": {1}}], ids=["clean", "dirty"])
def test_the_time_of_encoding_is_told(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, body: Any
) -> None:
    """One look at the object, which encodes it, and one at the request, both on the clock."""
    seen: list[Report] = []
    body_guard.guard(client, Policy(on_report=seen.append))
    monkeypatch.setattr("body_guard._guard.perf_counter", itertools.count(1.0).__next__)
    post(client, body)
    assert [report.seconds for report in seen] == [2.0]


def test_a_refusal_is_told_with_its_name(client: httpx.Client) -> None:
    """By whichever error, before its own caller hears of it; with the host that was meant."""
    seen: list[Report] = []
    refusing = Rule("no", keys=("no",), action="reject")
    body_guard.guard(client, Policy((*Policy().rules, refusing), on_report=seen.append))
    with pytest.raises(body_guard.BodyRejectedError):
        post(client, {"no": 1})
    with pytest.raises(body_guard.SignedBodyError):
        client.post(URL, content=b'{"_sentry_x":1}', headers={"signature": "s"})
    assert [(report.refused, report.host) for report in seen] == [
        ("BodyRejectedError", "provider.test"),
        ("SignedBodyError", "provider.test"),
    ]
    assert all(report.seconds > 0 for report in seen)


def test_nothing_is_timed_for_nobody(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a reporter no clock is asked."""
    monkeypatch.setattr("body_guard._guard.perf_counter", lambda: 1 / 0)
    post(client, {"a": 1, "_sentry_x": 1})


def test_a_reporter_that_raises_loses_its_report_only(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """The request goes out, the next reporter is told, the failure is counted without its text."""

    def broken(report: Report) -> None:
        raise ValueError("SECRET")

    seen: list[Report] = []
    body_guard.guard(client, Policy(on_report=(broken, seen.append)))
    post(client, {"a": 1})
    assert len(seen) == 1
    assert _reporting.counts() == {("failed", "on_report"): 1}
    assert "on_report raised ValueError" in caplog.text
    assert "SECRET" not in caplog.text


def test_collect_nests_and_ends(client: httpx.Client) -> None:
    """Every collector around a call gets its report, and none after its end."""
    with body_guard.collect() as outer:
        post(client, {"a": 1})
        with body_guard.collect() as inner:
            post(client, {"a": {1}})
    post(client, {"a": 1})
    assert [report.changed for report in outer] == [False, True]
    assert [report.changed for report in inner] == [True]


def test_collect_does_not_mix_tasks(family: Family) -> None:
    """Tasks at once each see their own reports, and the task around them sees all."""

    async def run() -> None:
        transport = family.library.MockTransport(lambda request: family.library.Response(200))
        async with family.guarded.GuardedAsyncClient(transport=transport) as client:

            async def one(body: Any) -> bool:
                with body_guard.collect() as reports:
                    await client.post(URL, json=body)
                    await asyncio.sleep(0)
                (report,) = reports
                return report.changed

            with body_guard.collect() as everything:
                changed = await asyncio.gather(
                    *[one({"a": {1} if i % 2 else 1}) for i in range(20)]
                )
        assert changed == [bool(i % 2) for i in range(20)]
        assert len(everything) == 20

    asyncio.run(run())


def test_the_report_pickles(client: httpx.Client) -> None:
    """A report can cross a process boundary."""
    import pickle

    with body_guard.collect() as reports:
        post(client, {"a": {1}})
    assert pickle.loads(pickle.dumps(reports)) == reports  # noqa: S301
