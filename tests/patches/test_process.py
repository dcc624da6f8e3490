"""install: every client of the process, whoever made it, and all names given back."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

import openai
import pytest
import sentry_sdk
import sentry_sdk.transport

import body_guard
from body_guard import Policy, Report, Rule, SignedBodyError
from body_guard.cli.provider import Provider
from body_guard.integrations.process_wide import ALWAYS, _installation

from doors import Family, Wire, using

URL = "http://provider.test/"
DIRTY = b'{"a": 1.10, "_sentry_x": {}}'
CLEAN = b'{"a": 1.10}'
STRICT = Policy(rules=(Rule("strict", keys=("model",)),))
ABOVE = "; a later patch sits on top"


def names(family: Family) -> list[Any]:
    """Return what install() replaces."""
    library = family.library
    kinds = {
        library.Client.__mro__[1]: "build_request",
        library.Client: "send",
        library.AsyncClient: "send",
        library.HTTPTransport: "handle_request",
        library.AsyncHTTPTransport: "handle_async_request",
    }
    return [vars(kind)[name] for kind, name in kinds.items()]


def doors(family: Family) -> dict[str, tuple[bool, str]]:
    """Return what coverage() says of a library's doors."""
    library = family.library.__name__
    return {
        door.name.removeprefix(f"{library}."): (door.hooked, door.why)
        for door in body_guard.coverage().doors
        if door.name.startswith(f"{library}.")
    }


def post(family: Family, is_async: bool, content: bytes = DIRTY) -> bytes:
    """Post with a plain client; give what arrived."""
    wire = Wire()
    client = family.client(is_async)(transport=family.library.MockTransport(wire))
    using(client, lambda c: c.post(URL, content=content))
    return wire.body


def test_every_name_is_given_back(family: Family) -> None:
    """The very objects that were there, however often it was installed."""
    before = names(family)
    body_guard.install()
    installed = names(family)
    assert all(new is not old for new, old in zip(installed, before, strict=True))
    body_guard.install()
    body_guard.install(STRICT)
    assert all(new is old for new, old in zip(names(family), installed, strict=True))
    body_guard.uninstall()
    body_guard.uninstall()
    assert all(new is old for new, old in zip(names(family), before, strict=True))
    assert _installation not in sys.meta_path


def test_a_client_that_exists(family: Family, is_async: bool, wire: Wire) -> None:
    """It is guarded while installed, and as it was before and after."""
    make = family.client(is_async)
    client = make(transport=family.library.MockTransport(wire))

    def act(c: Any) -> Any:
        if not is_async:
            send(c)
            return None
        return send_async(c)

    def send(c: Any) -> None:
        c.post(URL, content=DIRTY)
        body_guard.install()
        c.post(URL, content=DIRTY)
        body_guard.uninstall()
        c.post(URL, content=DIRTY)

    async def send_async(c: Any) -> None:
        await c.post(URL, content=DIRTY)
        body_guard.install()
        await c.post(URL, content=DIRTY)
        body_guard.uninstall()
        await c.post(URL, content=DIRTY)

    using(client, act)
    assert wire.bodies == [DIRTY, CLEAN, DIRTY]
    assert type(client) is make


def test_a_function_of_the_module(family: Family, loopback: Provider) -> None:
    """httpx.post makes a client that nobody else can reach."""
    body_guard.install()
    family.library.post(loopback.url, content=DIRTY, trust_env=False)
    family.library.post(loopback.url, json={"a": 1, "x": object()}, trust_env=False)
    assert [received.body for received in loopback.received] == [CLEAN, b'{"a":1}']


def test_a_client_with_a_guard_of_its_own(family: Family, is_async: bool, wire: Wire) -> None:
    """Its own policy counts, and one report tells of one body."""
    body_guard.install(STRICT)
    transport = family.library.MockTransport(wire)
    infix = "Async" if is_async else ""
    built = getattr(family.guarded, f"Guarded{infix}Client")(transport=transport)
    swapped = body_guard.guard(family.client(is_async)(transport=transport))
    for client in (built, swapped):
        with body_guard.collect() as reports:
            using(client, lambda c: c.post(URL, json={"model": "m", "_sentry_x": 1}))
        assert [report.changed for report in reports] == [True]
    assert wire.bodies == [b'{"model":"m"}'] * 2


def test_a_users_own_overrides(family: Family, wire: Wire) -> None:
    """They get what they expect, and what they make of it is judged."""
    seen = []

    class Mine(family.library.Client):  # type: ignore[misc,name-defined]
        def build_request(self, *args: Any, **options: Any) -> Any:
            seen.append(options["json"])
            return super().build_request(*args, **{**options, "json": {**options["json"], "b": 2}})

        def send(self, request: Any, **options: Any) -> Any:
            seen.append(request.content)
            return super().send(request, **options)

    body_guard.install()
    body = {"a": 1, "_sentry_x": 1}
    with body_guard.collect() as reports, Mine(transport=family.library.MockTransport(wire)) as c:
        c.post(URL, json=body)
    assert seen == [body, b'{"a":1,"b":2}']
    assert wire.body == b'{"a":1,"b":2}'
    assert len(reports) == 1


def test_an_sdks_copies(family: Family, wire: Wire) -> None:
    """The policy is on the class, so what an SDK makes of its clients is guarded too."""
    wire.answers = [{"json": {"id": "x"}}]
    http_client = family.library.Client(transport=family.library.MockTransport(wire))
    client = openai.OpenAI(api_key="k", base_url=URL, http_client=http_client)
    body_guard.install()
    client.with_options(timeout=3).post("/x", body={"_sentry_t": "s", "a": 1}, cast_to=object)
    assert wire.body == b'{"a":1}'


def test_a_signed_body_is_refused(family: Family) -> None:
    """As at a client's own door."""
    body_guard.install()
    with pytest.raises(SignedBodyError, match="its signature header"):
        family.library.post(URL, content=DIRTY, headers={"Signature": "s"})


def test_what_is_no_policy() -> None:
    """The mistake is named where it is made, and nothing is installed."""
    with pytest.raises(TypeError, match=r"policy takes a body_guard\.Policy, not str"):
        body_guard.install("strict")  # type: ignore[arg-type]
    assert _installation not in sys.meta_path


def test_coverage_says_where_it_stands(family: Family) -> None:
    """While it is installed, and after."""
    library = family.library.__name__
    body_guard.install()
    assert doors(family) == {
        "BaseClient.build_request": (True, f"what clients of {library} build, as objects"),
        "Client.send": (True, f"what clients of {library} send, as bytes, before and after auth"),
        "AsyncClient.send": (
            True,
            f"what async clients of {library} send, as bytes, before and after auth",
        ),
        "HTTPTransport.handle_request": (
            True,
            f"what else is given to transports of {library}, as bytes",
        ),
        "AsyncHTTPTransport.handle_async_request": (
            True,
            f"what else is given to async transports of {library}, as bytes",
        ),
    }
    body_guard.uninstall()
    assert set(doors(family).values()) == {(False, "not installed")}


def test_coverage_of_a_process_that_installed_nothing() -> None:
    """It says so, and how to."""
    code = "import body_guard; c = body_guard.coverage(); print(c.doors, c.warnings)"
    assert run(code) == (
        "(Door(name='httpx', hooked=False, "
        "why='not installed: call install()', absent=False),) ()\n"
    )


# Somebody else's patch of the same name, and how it is taken back.


class Foreign:
    """Another library's patch of ``send``: counts, and hands on."""

    def __init__(self, kind: Any, is_async: bool) -> None:
        self.kind, self.calls = kind, 0
        self.original = original = kind.send

        def send(client: Any, request: Any, **options: Any) -> Any:
            self.calls += 1
            return original(client, request, **options)

        async def send_async(client: Any, request: Any, **options: Any) -> Any:
            self.calls += 1
            return await original(client, request, **options)

        self.patched = kind.send = send_async if is_async else send

    def remove(self) -> None:
        self.kind.send = self.original


@pytest.fixture
def foreign(family: Family, is_async: bool) -> Iterator[Any]:
    """Return a function that puts somebody's patch on, and give the name back in the end."""
    kind = family.client(is_async)
    original = kind.send
    yield lambda: Foreign(kind, is_async)
    body_guard.uninstall()
    kind.send = original


def name_of(family: Family, is_async: bool) -> str:
    return "AsyncClient.send" if is_async else "Client.send"


def test_a_later_patch_removed_first(family: Family, is_async: bool, foreign: Any) -> None:
    """Theirs on ours: both work; theirs off, ours off: what was there is there."""
    kind = family.client(is_async)
    original = kind.send
    body_guard.install()
    theirs = foreign()
    assert post(family, is_async) == CLEAN
    hooked, why = doors(family)[name_of(family, is_async)]
    assert hooked
    assert why.endswith(ABOVE)
    theirs.remove()
    assert post(family, is_async) == CLEAN
    body_guard.uninstall()
    assert kind.send is original
    assert theirs.calls == 1


def test_ours_removed_beneath_a_later_patch(family: Family, is_async: bool, foreign: Any) -> None:
    """Theirs stays; ours passes through, says so, comes back once, and goes when it can."""
    kind = family.client(is_async)
    original = kind.send
    body_guard.install()
    theirs = foreign()
    body_guard.uninstall()
    assert kind.send is theirs.patched
    assert post(family, is_async) == DIRTY
    state = doors(family)[name_of(family, is_async)]
    assert state == (False, f"passes through, since uninstalled{ABOVE}")
    body_guard.install()
    assert kind.send is theirs.patched
    with body_guard.collect() as reports:
        assert post(family, is_async) == CLEAN
    assert len(reports) == 1
    body_guard.uninstall()
    theirs.remove()
    body_guard.uninstall()
    assert kind.send is original


def test_an_earlier_patch(family: Family, is_async: bool, foreign: Any) -> None:
    """Ours on theirs: both work, and ours off leaves theirs."""
    kind = family.client(is_async)
    theirs = foreign()
    body_guard.install()
    assert post(family, is_async) == CLEAN
    body_guard.uninstall()
    assert kind.send is theirs.patched
    assert theirs.calls == 1


def test_an_earlier_patch_that_takes_ours_away(
    family: Family, is_async: bool, foreign: Any
) -> None:
    """Who restores what was there before ours loses ours: that is said, and mended by install()."""
    kind = family.client(is_async)
    original = kind.send
    theirs = foreign()
    body_guard.install()
    theirs.remove()
    assert doors(family)[name_of(family, is_async)] == (
        False,
        "replaced since, by somebody else: install again",
    )
    body_guard.install()
    assert post(family, is_async) == CLEAN
    body_guard.uninstall()
    assert kind.send is original


def test_taken_away_and_uninstalled(family: Family, is_async: bool, foreign: Any) -> None:
    """What is not there any more is not put back."""
    kind = family.client(is_async)
    original = kind.send
    theirs = foreign()
    body_guard.install()
    theirs.remove()
    body_guard.uninstall()
    assert kind.send is original
    body_guard.install()
    assert post(family, is_async) == CLEAN


@pytest.fixture
def kept(family: Family) -> Iterator[list[Any]]:
    """Return what a real sentry_sdk would have sent, and in the end the names that it patched."""
    envelopes: list[Any] = []

    class Keeping(sentry_sdk.transport.Transport):
        def capture_envelope(self, envelope: Any) -> None:
            envelopes.append(envelope)

    # It patches once in a process, which stays: what a test puts on top goes.
    sentry_sdk.init(dsn="http://k@127.0.0.1:9/1", transport=Keeping, traces_sample_rate=1.0)
    kinds = [family.client(is_async) for is_async in (False, True)]
    originals = [kind.send for kind in kinds]
    with sentry_sdk.isolation_scope() as scope:
        scope.clear()
        yield envelopes
    sentry_sdk.get_global_scope().set_client(None)
    body_guard.uninstall()
    for kind, original in zip(kinds, originals, strict=True):
        kind.send = original


def install_httpx(name: str) -> None:
    if name == "httpx":
        from sentry_sdk.integrations.httpx import HttpxIntegration as Integration
    else:
        from sentry_sdk.integrations.httpx2 import Httpx2Integration as Integration
    Integration.setup_once()


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_beside_sentrys_patch(
    family: Family, is_async: bool, kept: list[Any], first: str, loopback: Provider
) -> None:
    """Whichever was first: the body is clean, theirs makes its span and header, ours goes."""

    def spans() -> int:
        """Send, and count the spans that it makes."""
        kept.clear()
        loopback.received.clear()
        client = family.client(is_async)(trust_env=False)
        with sentry_sdk.start_transaction(name="t"):
            using(client, lambda c: c.post(loopback.url, content=DIRTY))
        assert "sentry-trace" in loopback.received[0].headers
        (transaction,) = [
            item.payload.json for e in kept for item in e.items if item.type == "transaction"
        ]
        return [span["op"] for span in transaction["spans"]].count("http.client")

    before = spans()
    if first == "ours":
        body_guard.install()
    install_httpx(str(family))
    sentrys = family.client(is_async).send
    body_guard.install()
    assert spans() == before + 1
    assert loopback.received[0].body == CLEAN
    body_guard.uninstall()
    assert family.client(is_async).send is sentrys
    assert spans() == before + 1
    assert loopback.received[0].body == DIRTY


@pytest.mark.parametrize("first", ["ours", "theirs"])
@pytest.mark.parametrize("last", ["ours", "theirs"])
def test_beside_opentelemetrys_patch(
    family: Family, is_async: bool, loopback: Provider, first: str, last: str
) -> None:
    """Put on and taken off in any order: clean bodies, spans, and every name given back.

    But for one: it cannot take its patch of a transport off while ours is on top, and has forgotten
    it when ours goes.
    """
    utils = pytest.importorskip("opentelemetry.instrumentation.utils")
    instrumentation = pytest.importorskip("opentelemetry.instrumentation.httpx")
    trace = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    kept = memory.InMemorySpanExporter()
    tracing = trace.TracerProvider()
    tracing.add_span_processor(export.SimpleSpanProcessor(kept))
    name = f"{family}".upper()  # the name of the library, whatever it is imported as
    theirs = getattr(instrumentation, f"{name}ClientInstrumentor")()
    before = names(family)

    def send() -> bytes:
        loopback.received.clear()
        client = family.client(is_async)(trust_env=False)
        using(client, lambda c: c.post(loopback.url, content=DIRTY))
        return loopback.received[0].body

    try:
        if first == "ours":
            body_guard.install()
        theirs.instrument(tracer_provider=tracing)
        body_guard.install()
        assert send() == CLEAN
        assert len(kept.get_finished_spans()) == 1
        assert "traceparent" in loopback.received[0].headers
        if last == "theirs":
            body_guard.uninstall()
            assert send() == DIRTY
            assert len(kept.get_finished_spans()) == 2
        else:
            theirs.uninstrument()
            assert send() == CLEAN
            assert len(kept.get_finished_spans()) == (2 if first == "theirs" else 1)
            body_guard.uninstall()
            assert send() == DIRTY
    finally:
        if theirs.is_instrumented_by_opentelemetry:
            theirs.uninstrument()
        if (first, last) == ("theirs", "ours"):
            utils.unwrap(family.library.HTTPTransport, "handle_request")
            utils.unwrap(family.library.AsyncHTTPTransport, "handle_async_request")
        body_guard.uninstall()  # what was beneath theirs can go once that is gone
    assert all(new is old for new, old in zip(names(family), before, strict=True))
    assert send() == DIRTY


# A library that is imported later, in processes of their own.

LATER = """
import sys, body_guard
body_guard.install()
assert not [name for name in ("httpx", "httpx2", "httpcore", "httpcore2") if name in sys.modules]
print([(d.name, d.hooked, d.why) for d in body_guard.coverage().doors if d.name == "{name}"])
import importlib.util
spec = importlib.util.find_spec("{name}")
print(spec.loader.get_filename("{name}") == spec.origin)
import {name} as library
print(type(library.__loader__).__name__, library.__spec__.loader is library.__loader__)
answer = library.MockTransport(lambda request: library.Response(200, content=request.content))
def post():
    with library.Client(transport=answer) as client:
        print(client.post("http://x.test", content=b'{{"_sentry_x": 1, "a": 2}}').text)
post()
body_guard.uninstall()
post()
print(library.Client.send.__code__.co_filename.endswith("_client.py"))
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_library_imported_after_install(family: Family) -> None:
    """It is guarded as soon as it is imported, not imported for it, and no trace stays."""
    name = str(family)
    assert run(LATER.format(name=name)) == (
        f"[('{name}', True, 'not imported yet; guarded as soon as it is')]\n"
        "True\n"
        "SourceFileLoader True\n"
        '{ "a": 2}\n'
        '{"_sentry_x": 1, "a": 2}\n'
        "True\n"
    )


def test_it_is_imported_in_this_process(
    family: Family, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same by the import system here: forgotten, and imported again after install()."""
    for name in list(sys.modules):
        if name.partition(".")[0] == str(family):
            monkeypatch.delitem(sys.modules, name)
    body_guard.install()
    again: Any = import_module(str(family))
    assert again is not family.library
    client = again.Client(transport=again.MockTransport(wire))
    client.post(URL, content=DIRTY)
    assert wire.body == CLEAN
    original = again.Client.send.__wrapped__
    body_guard.uninstall()
    assert again.Client.send is original
    _installation.libraries[:] = [o for o in _installation.libraries if o.module is not again]


def test_who_only_looks_for_a_library(family: Family) -> None:
    """Its loader answers what it is asked, and nothing is imported or guarded by that."""
    found: Any = _installation.find_spec(str(family), None)
    assert found.loader.get_filename(str(family)) == family.library.__file__


def test_two_copies_do_not_ask_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should both wait for a library, each asks the finders that are not ours."""
    another = type(_installation)(ALWAYS)
    monkeypatch.setattr(sys, "meta_path", [another, _installation, *sys.meta_path])
    for each in (another, _installation):
        found = each.find_spec("httpx", None)
        assert found is not None
        assert found.loader is not None


class Finder:
    """A finder of the old kind, which importlib passes over too."""


def test_a_library_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our finder finds what the others find, and nothing where they find nothing."""
    monkeypatch.setattr(sys, "meta_path", [Finder(), _installation])
    assert _installation.find_spec("httpx2", None) is None
    assert _installation.find_spec("json", None) is None


def test_a_folder_of_that_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """A namespace has no loader that could tell when it is complete."""
    (tmp_path / "httpx2").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    found = _installation.find_spec("httpx2", None)
    assert found is not None
    assert found.loader is None


def test_uninstalled_while_a_library_is_imported() -> None:
    """Who comes in after the end is not guarded."""
    library = ModuleType("httpx")
    _installation.guard_library(ALWAYS[0], library)
    assert library not in [one.module for one in _installation.libraries]


def test_threads(family: Family) -> None:
    """Installed and uninstalled while others send: no error, each body whole, all names back."""
    before = names(family)
    bodies: list[bytes] = []
    errors: list[BaseException] = []

    def work(act: Any) -> None:
        try:
            for _ in range(40):
                act()
        except BaseException as error:
            errors.append(error)

    def turn() -> None:
        body_guard.install()
        body_guard.coverage()
        body_guard.uninstall()

    acts = [turn, turn, *[lambda: bodies.append(post(family, is_async=False))] * 4]
    threads = [threading.Thread(target=work, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(bodies) == 160
    assert set(bodies) <= {DIRTY, CLEAN}
    assert all(new is old for new, old in zip(names(family), before, strict=True))


def test_one_report_beside_a_transport(family: Family, wire: Wire) -> None:
    """A guarded transport with the same policy inside an ordinary client looks once more, silently."""
    seen: list[Report] = []
    policy = Policy(on_report=seen.append)
    body_guard.install(policy)
    transport = family.guarded.GuardedTransport(family.library.MockTransport(wire), policy=policy)
    with family.library.Client(transport=transport) as client:
        client.post(URL, content=DIRTY)
    assert wire.body == CLEAN
    assert len(seen) == 1


# A copy of this package that was at work before a reload, in processes of their own.

RELOADED = """
import importlib, sys
import body_guard
def post():
    answer = library.MockTransport(lambda request: library.Response(200, content=request.content))
    with body_guard.collect() as reports, library.Client(transport=answer) as client:
        text = client.post("http://x.test", content=b'{{"_sentry_x": 1, "a": 2}}').text
    print(text, len(reports))
def finders():
    print([type(f).__module__ for f in sys.meta_path if "body_guard" in type(f).__module__])
{before}
body_guard.install()
{again}
import body_guard
print(body_guard.coverage().doors[0].why)
body_guard.install()
finders()
import {name} as library
post()
print(len([door for door in body_guard.coverage().doors if door.name.startswith("{name}.")]))
body_guard.uninstall()
finders()
post()
print(library.Client.send.__code__.co_filename.endswith("_client.py"))
"""
AGAIN = {
    "reloaded": (
        "for each in ('patches.process', 'integrations.process_wide'):\n"
        "    importlib.reload(sys.modules[f'body_guard.{each}'])"
    ),
    "imported again": (
        "for each in [each for each in sys.modules if each.split('.')[0] == 'body_guard']:\n"
        "    del sys.modules[each]"
    ),
}


@pytest.mark.parametrize("again", AGAIN)
@pytest.mark.parametrize("first", [False, True], ids=["library later", "library first"])
def test_a_reload_after_install(family: Family, again: str, first: bool) -> None:
    """The new copy takes over from the old one, and its uninstall() undoes all."""
    before = f"import {family}" if first else ""
    code = RELOADED.format(name=family, before=before, again=AGAIN[again])
    assert run(code) == (
        "installed by a copy of body_guard from before a reload: install() replaces it\n"
        "['body_guard.patches.process']\n"
        '{ "a": 2} 1\n'
        "5\n"
        "[]\n"
        '{"_sentry_x": 1, "a": 2} 0\n'
        "True\n"
    )


@pytest.mark.parametrize("again", AGAIN)
def test_a_reload_and_no_install(family: Family, again: str) -> None:
    """The old copy is at work until the new one is told to end it."""
    code = f"""
import importlib, sys
import body_guard
body_guard.install()
{AGAIN[again]}
import {family} as library
answer = library.MockTransport(lambda request: library.Response(200, content=request.content))
def post():
    print(library.Client(transport=answer).post("http://x.test", content=b'{{"_sentry_x": 1}}').text)
post()
import body_guard
body_guard.uninstall()
post()
"""
    assert run(code) == '{}\n{"_sentry_x": 1}\n'
