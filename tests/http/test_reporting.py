"""What was found is told: once in the log, always to who collects."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import json
import logging
import subprocess
import sys
import threading
import weakref
from typing import Any

import httpx
import pytest
import requests

import body_guard
from body_guard import Counts, Finding, Policy, Report, Rule, Sanitizer
from body_guard.http import reporting
from body_guard.http.tally import Tally

from doors import Door, Family, Wire, exchange

URL = "http://provider.test/"


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def run(code: str) -> str:
    """Run in a process of its own, which may not hang; its log is not looked at."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


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
        "body_guard: removed /metadata/_sentry_span in a body for provider.test "
        "(rule sentry, type body_guard.policy.Policy, owner sentry-sdk)"
    ]


def test_a_hot_loop_warns_once(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    """Indices are one shape; what is not warned of is counted and logged at DEBUG."""
    caplog.set_level(logging.DEBUG, "body_guard")
    for _ in range(50):
        post(client, {"m": [{"_sentry_x": 1}, {"_sentry_x": 2}]})
    assert len(warnings(caplog)) == 1
    assert body_guard.counts() == Counts(findings={"provider.test": {"sentry": 100}})
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
        "body_guard: removed /a",
        "body_guard: removed /b",
        "body_guard: replaced /a",
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
    assert [line.split(" in ")[0] for line in warnings(caplog)] == ["body_guard: left /1"]


def test_not_judged_is_told_once(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    """A body that cannot be looked at is counted, and said once, at INFO."""
    caplog.set_level(logging.INFO, "body_guard")
    for _ in range(3):
        client.post(URL, content=iter([b"x"]))
    assert [r.getMessage() for r in caplog.records if r.name == "body_guard"] == [
        "body_guard: not judged: a body for provider.test (stream)"
    ]
    assert body_guard.counts() == Counts(not_judged={"provider.test": {"stream": 3}})


def test_what_is_told_apart_is_bounded(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ever new places, then ever new hosts end in one counter each: neither log nor memory grows."""
    monkeypatch.setattr(reporting, "_tally", Tally(most=2))
    for index in range(10):
        report = Report((Finding(f"/k{index}x", "sentry", "remove"),), changed=True)
        reporting.deliver(report, Policy(), "a.test")
    assert [line.split()[2] for line in warnings(caplog)] == ["/k0x", "/k1x", "/k2x"]
    assert body_guard.counts() == Counts(findings={"a.test": {"sentry": 10}})
    caplog.clear()
    for index in range(10):
        reporting.deliver(report, Policy(), f"h{index}.test")
    assert [line.split()[7] for line in warnings(caplog)] == ["h0.test", "h1.test"]
    assert body_guard.counts() == Counts(
        findings={"a.test": {"sentry": 10}, "h0.test": {"sentry": 1}, "(others)": {"(others)": 9}}
    )


def test_an_unknown_host_is_named_so(caplog: pytest.LogCaptureFixture) -> None:
    """What is judged before there is a request says so, and is counted under no name."""
    reporting.deliver(Report((Finding("/a", "r", "remove"),)), Policy(), "")
    assert warnings(caplog) == ["body_guard: removed /a in a body for an unknown host (rule r)"]
    assert body_guard.counts() == Counts(findings={"": {"r": 1}})


def test_a_new_host_or_mode_warns_again(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """A leak to another provider is news, and so is one that is only audited."""
    audit = Policy(mode="audit")
    for policy, host in [(None, "a"), (None, "b"), (audit, "a"), (None, "a"), (audit, "a")]:
        body_guard.guard(client, policy)
        client.post(f"http://{host}.test/", json={"_sentry_x": 1})
    facts = "(rule sentry, type builtins.int, owner sentry-sdk)"
    assert warnings(caplog) == [
        f"body_guard: removed /_sentry_x in a body for a.test {facts}",
        f"body_guard: removed /_sentry_x in a body for b.test {facts}",
        f"body_guard: would have removed /_sentry_x in a body for a.test {facts}",
    ]


class JsonFormatter(logging.Formatter):
    """Writes a record as JSON, as log collectors have it: what the application added, flat."""

    STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message"}

    def format(self, record: logging.LogRecord) -> str:
        added = {name: value for name, value in vars(record).items() if name not in self.STANDARD}
        return json.dumps({"message": record.getMessage(), **added})


def test_a_record_has_its_facts_as_fields(
    client: httpx.Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A JSON formatter finds what the line says, with the path as the log shows it."""
    monkeypatch.setattr(caplog.handler, "formatter", JsonFormatter())
    post(client, {"jane@example.org": {"_sentry_x": 1}})
    (line,) = caplog.text.splitlines()
    told = json.loads(line)
    assert told.pop("message").startswith("body_guard: removed /<16 characters, ")
    assert told.pop("path") == "/<16 characters, 13d855ce>/_sentry_x"
    assert told == {
        "rule": "sentry",
        "host": "provider.test",
        "action": "remove",
        "owner": "sentry-sdk",
        "type": "builtins.int",
        "mode": "enforce",
    }


def test_every_record_has_every_field(
    client: httpx.Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A format string can name them, whatever the line is about."""
    form = "%(levelname)s %(rule)s|%(path)s|%(host)s|%(action)s|%(owner)s|%(type)s|%(mode)s"
    monkeypatch.setattr(caplog.handler, "formatter", logging.Formatter(form))
    caplog.set_level(logging.INFO, "body_guard")
    refusing = Rule("no", keys=("no",), action="reject")
    policy = Policy((refusing,), mode="audit", on_report=lambda report: 1 // 0)
    body_guard.guard(client, policy)
    client.post(URL, content=iter([b"x"]))
    post(client, {"no": 1})
    monkeypatch.setattr("body_guard.formats.json_bytes.splice", lambda *_, **__: 1 // 0)
    client.post(URL, content=b'{"no": 1}')
    assert caplog.text.splitlines() == [
        "INFO ||provider.test||||audit",
        "ERROR ||provider.test||||audit",
        "WARNING no|/no|provider.test|reject||builtins.int|audit",
        "WARNING ||provider.test||||audit",
        "ERROR ||provider.test||||audit",
        "ERROR ||provider.test||||",
    ]


def test_a_record_factory_with_a_field_of_ours_keeps_the_line(
    client: httpx.Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`logging` refuses to overwrite what an application's factory has set: its value stays."""
    make = logging.getLogRecordFactory()

    def factory(*args: Any, **options: Any) -> logging.LogRecord:
        record = make(*args, **options)
        record.host = "machine-7"
        return record

    logging.setLogRecordFactory(factory)
    try:
        post(client, {"_sentry_x": 1})
    finally:
        logging.setLogRecordFactory(make)
    (record,) = caplog.records
    assert record.getMessage().startswith("body_guard: removed /_sentry_x in a body for provider.")
    assert record.host == "machine-7"  # type: ignore[attr-defined]


def test_the_line_speaks_for_itself(family: Family) -> None:
    """Without a logging configuration, the line on stderr says who wrote it."""
    code = f"""
import {family}, body_guard.{family} as guarded
transport = {family}.MockTransport(lambda request: {family}.Response(200))
guarded.GuardedClient(transport=transport).post("{URL}", json={{"_sentry_x": 1}})
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == (
        "body_guard: removed /_sentry_x in a body for provider.test "
        "(rule sentry, type builtins.int, owner sentry-sdk)\n"
    )


def test_a_refused_body_lost_nothing(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """What would have gone from a body that was refused was found, not removed."""
    with pytest.raises(body_guard.SignedBodyError):
        client.post(URL, content=b'{"_sentry_x":1}', headers={"signature": "s"})
    (line,) = warnings(caplog)
    assert line.startswith("body_guard: found /_sentry_x in a body for provider.test (rule sentry")
    assert body_guard.counts() == Counts(
        findings={"provider.test": {"sentry": 1}}, refused={"provider.test": {"SignedBodyError": 1}}
    )


def test_counts_are_by_host_and_rule(client: httpx.Client) -> None:
    """Places and modes are summed up; a refusal counts for its rule, and is no line of the log."""
    refusing = Rule("no", keys=("no",), action="reject")
    body_guard.guard(client, Policy((*Policy().rules, refusing)))
    post(client, {"_sentry_a": 1, "b": {"_sentry_b": 1, "c": {1}}})
    client.post("http://other.test/", json={"_sentry_a": 1})
    with pytest.raises(body_guard.BodyRejectedError):
        client.post(URL, content=b'{"no":1}')
    assert body_guard.counts() == Counts(
        findings={
            "provider.test": {"sentry": 2, "unserializable": 1, "no": 1},
            "other.test": {"sentry": 1},
        },
        refused={"provider.test": {"BodyRejectedError": 1}},
    )


def test_a_reset_makes_news_of_what_was_told(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """It gives and clears, and the next warning is a warning again: a test of one's own can do so."""
    post(client, {"_sentry_x": 1})
    assert body_guard.counts() == Counts(findings={"provider.test": {"sentry": 1}})
    assert body_guard.counts(reset=True) == Counts(findings={"provider.test": {"sentry": 1}})
    assert body_guard.counts() == Counts()
    post(client, {"_sentry_x": 1})
    assert len(warnings(caplog)) == 2


def test_counts_are_the_callers_own(client: httpx.Client) -> None:
    """What the caller does with one result is not in the next."""
    post(client, {"_sentry_x": 1})
    body_guard.counts().findings.clear()
    body_guard.counts().findings["provider.test"]["sentry"] = 7
    assert body_guard.counts() == Counts(findings={"provider.test": {"sentry": 1}})


def test_a_signal_handler_may_send(family: Family) -> None:
    """A handler that sends a guarded request in the middle of another one's report is counted."""
    printed = run(f"""
import logging, signal, time
import body_guard, {family}, body_guard.{family} as guarded

logging.getLogger("body_guard").setLevel(logging.DEBUG)
logging.getLogger("body_guard").addHandler(logging.StreamHandler(open("/dev/null", "w")))
seen = []
transport = {family}.MockTransport(lambda request: {family}.Response(200))
client = guarded.GuardedClient(
    transport=transport, policy=body_guard.Policy(on_report=seen.append)
)
interruptions = sent = busy = 0


def post():
    client.post("{URL}", json={{"a": [{{"_sentry_x": 1}}] * 50}})


def interrupt(*_):
    global interruptions, busy
    if not busy:
        busy = True
        post()
        interruptions += 1
        busy = False


signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
end = time.monotonic() + 2
with body_guard.collect() as reports:
    while time.monotonic() < end:
        post()
        sent += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
total = sent + interruptions
print(interruptions > 20, body_guard.counts().findings["provider.test"]["sentry"] - 50 * total)
print(len(reports) - total, len(seen) - total)
""")
    assert printed == "True 0\n0 0\n"


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
        reporting.deliver(Report(), Policy(on_report=seen.append), "")
    assert [report.host for report in seen] == ["provider.test", "other.test", ""]
    assert [report.mode for report in seen] == ["enforce", "enforce", "enforce"]
    assert [report.seconds > 0 for report in seen] == [True, True, False]
    assert reports == seen  # the same was found


@pytest.mark.parametrize("is_asked", [True, False], ids=["on_report", "nobody asks"])
@pytest.mark.parametrize("body", [{"a": 1}, {"a": {1}}], ids=["clean", "dirty"])
def test_the_time_of_encoding_is_told(
    family: Family, monkeypatch: pytest.MonkeyPatch, body: Any, is_asked: bool
) -> None:
    """The look at the object, which encodes it, is on the clock; what the library does is not."""
    now = 5.0

    def taking(seconds: float, function: Any) -> Any:
        def slow(*args: Any, **options: Any) -> Any:
            nonlocal now
            now += seconds
            return function(*args, **options)

        return slow

    for module in ("http.request_guard", "http.doors"):
        monkeypatch.setattr(f"body_guard.{module}.perf_counter", lambda: now)
    monkeypatch.setattr(Sanitizer, "encode", taking(2.0, Sanitizer.encode))
    transport = family.library.MockTransport(lambda request: family.library.Response(200))
    policy = Policy(on_report=(lambda report: None) if is_asked else ())
    client = family.guarded.GuardedClient(transport=transport, policy=policy)
    request = taking(40.0, family.library.Request)
    monkeypatch.setattr(f"{family}._client.Request", request)
    report = body_guard.report_of(client.post(URL, json=body))
    assert report is not None
    assert (report.seconds, now) == (2.0, 47.0)


def test_a_report_from_before_a_reload_is_no_mistake(family: Family) -> None:
    """Its class is another one of the same name; the body is judged again."""
    printed = run(f"""
import sys
import body_guard, {family} as library

transport = library.MockTransport(lambda request: library.Response(200, content=request.content))
request = body_guard.guard(library.Client()).build_request(
    "POST", "{URL}", content=b'{{"_sentry_x":1}}'
)
for name in [name for name in sys.modules if name.partition(".")[0] == "body_guard"]:
    del sys.modules[name]
import body_guard

assert body_guard.report_of(request) is None
client = body_guard.guard(library.Client(transport=transport))
print(client.send(request).text, body_guard.report_of(request))
""")
    assert printed.startswith("{} Report(")


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


@pytest.mark.parametrize("is_asked", [True, False], ids=["on_report", "nobody asks"])
def test_the_report_that_rides_along_says_where_and_how_long(
    door: Door, wire: Wire, is_asked: bool
) -> None:
    """It is the one that on_report and collect() get, and as complete where nobody asks for it."""
    seen: list[Report] = []
    policy = Policy(on_report=seen.append if is_asked else ())
    for body in (
        {"json": {"a": 1}},
        {"json": {"_sentry_x": 1}},
        {"content": b'{"a":1}'},
        {"content": b'{"_sentry_x":1}'},
        {},
    ):
        seen.clear()
        act = lambda c, body=body: c.post(URL, **body)  # noqa: E731
        with body_guard.collect() as reports:
            response = exchange(door, wire, act, policy)
        report = body_guard.report_of(response)
        assert report is not None, body
        assert (report.host, report.seconds > 0) == ("provider.test", True), body
        assert [each is report for each in reports] == [True], body
        assert [each is report for each in seen] == [True] * is_asked, body


@pytest.mark.parametrize(
    "policy",
    [
        Policy((Rule("no", keys=("no",), action="reject"),)),
        Policy(unserializable="reject"),
        Policy(max_bytes=1),
    ],
    ids=["rule", "unserializable", "limit"],
)
def test_a_refused_object_has_a_host(client_door: Door, wire: Wire, policy: Policy) -> None:
    """The address is known before there is a request of the object."""
    act = lambda c: c.post("/v1", json={"no": {1}})  # noqa: E731
    with body_guard.collect() as reports, pytest.raises(body_guard.BodyError):
        exchange(client_door, wire, act, policy, base_url="http://provider.test/base/")
    (report,) = reports
    assert (report.refused != "", report.host) == (True, "provider.test")
    assert report.seconds > 0
    assert list(body_guard.counts().refused) == ["provider.test"]


def test_an_object_under_a_users_override_has_a_host(family: Family) -> None:
    """So has one that is not encoded by the guard, and one that it failed on."""

    class Ours(family.library.Client):
        def build_request(self, *args: Any, **options: Any) -> Any:
            return super().build_request(*args, **options)

    strict = Policy(unserializable="reject")
    client = body_guard.guard(Ours(), strict)
    with pytest.raises(body_guard.BodyRejectedError):
        client.post(URL, json={"no": {1}})
    assert list(body_guard.counts().refused) == ["provider.test"]


def test_a_failure_on_an_object_has_a_host(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The error that is logged where on_error says send names the host in its field."""
    body_guard.guard(client, Policy(on_error="send"))
    monkeypatch.setattr("body_guard.sanitizer.Sanitizer.encode", lambda *_: 1 // 0)
    post(client, {"a": 1})
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.host == "provider.test"  # type: ignore[attr-defined]
    assert list(body_guard.counts().failed) == ["provider.test"]


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
    assert body_guard.counts() == Counts(failed={"provider.test": {"on_report": 1}})
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


def test_a_copied_context_stops_collecting(client: httpx.Client) -> None:
    """A worker started inside a collect adds while the block lasts, and nothing afterwards."""
    with body_guard.collect() as outer:
        with body_guard.collect() as inner:
            context = contextvars.copy_context()
            context.run(post, client, {"a": 1})
        context.run(post, client, {"a": {1}})
    context.run(post, client, {"a": 1})
    assert [report.changed for report in inner] == [False]
    assert [report.changed for report in outer] == [False, True]


def test_a_worker_that_outlives_a_collect_stops_adding(client: httpx.Client) -> None:
    """A thread with a copy of the context goes on sending: its reports go nowhere."""
    turn, done = threading.Semaphore(0), threading.Semaphore(0)

    def work() -> None:
        for _ in range(2):
            turn.acquire()
            post(client, {"a": {1}})
            done.release()

    with body_guard.collect() as reports:
        worker = threading.Thread(target=contextvars.copy_context().run, args=(work,))
        worker.start()
        turn.release()
        done.acquire()
    assert len(reports) == 1
    turn.release()
    done.acquire()
    worker.join()
    assert len(reports) == 1


def test_a_context_that_lives_on_keeps_no_reports(client: httpx.Client) -> None:
    """What was collected is freed with the caller's list, and ended collectors do not pile up."""

    class Mark:
        """Something that can be referred to weakly."""

    mark = Mark()
    context = contextvars.copy_context()
    gone = weakref.ref(mark)

    def work(mark: Any) -> contextvars.Context:
        with body_guard.collect() as reports:
            reports.append(mark)
            return contextvars.copy_context()

    for _ in range(3):
        context = context.run(work, mark)
    del mark
    gc.collect()
    assert gone() is None

    def around() -> int:
        with body_guard.collect():
            return len(reporting._collecting.get())

    assert context.run(around) == 1


def test_the_report_pickles(client: httpx.Client) -> None:
    """A report can cross a process boundary."""
    import pickle

    with body_guard.collect() as reports:
        post(client, {"a": {1}})
    assert pickle.loads(pickle.dumps(reports)) == reports  # noqa: S301


def test_the_report_of_an_exchange(client: httpx.Client, family: Family) -> None:
    """Of a response and of its request; None where nobody has judged."""
    response = client.post(URL, json={"a": {1}})
    report = body_guard.report_of(response)
    assert report is not None
    assert report.findings[0].path == "/a"
    assert body_guard.report_of(response.request) is report
    plain = family.library.Request("POST", URL, json={})
    assert body_guard.report_of(plain) is None
    assert body_guard.report_of(family.library.Response(200, request=plain)) is None
    assert body_guard.report_of(family.library.Response(200)) is None  # of no request


@pytest.mark.parametrize("other", [Policy(), "a string", None], ids=lambda v: type(v).__name__)
def test_what_else_the_extension_holds_is_no_report(family: Family, other: Any) -> None:
    """A request that is yet to be judged carries its policy there."""
    request = family.library.Request("POST", URL, extensions={"body_guard": other})
    assert body_guard.report_of(request) is None


@pytest.mark.parametrize(
    ("other", "given"),
    [
        (requests.Response(), "requests.models.Response"),
        (requests.PreparedRequest(), "requests.models.PreparedRequest"),
        ({}, "builtins.dict"),
        (None, "builtins.NoneType"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_the_report_of_something_else(other: Any, given: str) -> None:
    """One sentence says what was given, what is wanted, and what to write."""
    with pytest.raises(TypeError) as caught:
        body_guard.report_of(other)
    assert str(caught.value) == (
        "report_of() takes a request or a response of httpx or httpx2, "
        f"not a {given}; write report_of(response)."
    )
