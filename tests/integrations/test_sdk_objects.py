"""install() on the clients of SDKs: live objects, in SDKs that are here and in made-up packages."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pydantic
import pytest

import body_guard
from body_guard import BodyRejectedError, Policy, Rule
from body_guard.integrations import litellm as litellm_install

from llm_provider import LLMProvider, llm_provider
from sdk_rows import ROWS, Row, Steps

STAINLESS = [row for row in ROWS if row.sdk.is_stainless]
PLAIN = [row for row in STAINLESS if not row.cloud]
OPENAI = [row for row in PLAIN if row.package == "openai"]

STRICT = Policy((Rule("strict", keys=("strict",)),))
REFUSING = Policy((Rule("no", keys=("no",), action="reject"),))

each_stainless = pytest.mark.parametrize("row", STAINLESS, ids=str)
each_plain = pytest.mark.parametrize("row", PLAIN, ids=str)
each_openai = pytest.mark.parametrize("row", OPENAI, ids=str)


@pytest.fixture(scope="module")
def server() -> Iterator[LLMProvider]:
    with llm_provider() as server:
        yield server


@pytest.fixture
def provider(server: LLMProvider) -> Iterator[LLMProvider]:
    """Return a provider that has received nothing yet; nothing stays installed."""
    server.clear()
    yield server
    body_guard.uninstall()


def sent(provider: LLMProvider) -> Any:
    """Return the one body that arrived, less what every call of these rows has."""
    (body,) = provider.bodies
    value = json.loads(body)
    for name in ("model", "messages", "max_tokens", "stream", "anthropic_version"):
        value.pop(name, None)
    return value


def paths(reports: list[body_guard.Report]) -> list[list[str]]:
    return [sorted(finding.path for finding in report.findings) for report in reports]


def names_of(package: str) -> list[Any]:
    module = import_module(f"{package}._base_client")
    return [module.openapi_dumps, vars(module.BaseClient)["_build_request"]]


@each_stainless
def test_an_object_and_a_key(row: Row, provider: LLMProvider) -> None:
    """Both are out, in one report, and the caller's values stay."""
    deep = {"span": SimpleNamespace(), "_sentry_x": "SECRET", "kept": [1.10, None]}
    extra = {"a": 1, "live": object(), "deep": deep}
    before = dict(extra), dict(deep)

    def act(client: Any) -> Steps:
        body_guard.install()
        yield row.call(client, extra)

    with body_guard.collect() as reports:
        row.run(act, provider.url)
    assert sent(provider) == {"a": 1, "deep": {"kept": [1.10, None]}}
    assert (extra, deep) == before
    assert paths(reports) == [["/deep/_sentry_x", "/deep/span", "/live"]]
    assert reports[0].host == "127.0.0.1"


class Model(pydantic.BaseModel):
    a: int = 1
    unset: str = "not sent"


@each_stainless
def test_a_clean_body_is_what_it_was(row: Row, provider: LLMProvider) -> None:
    """The same bytes, what the SDK itself can write included, and nothing is reported."""
    extra = {"é": [1.10, None], "at": datetime.datetime(2026, 11, 22, 1, 2), "in": [Model(a=3)]}

    def act(client: Any) -> Steps:
        yield row.call(client, extra)
        body_guard.install()
        yield row.call(client, extra)

    with body_guard.collect() as reports:
        row.run(act, provider.url)
    plain, guarded = provider.bodies
    assert guarded == plain
    assert json.loads(plain)["in"] == [{"a": 3}]
    assert paths(reports) == [[]]


@each_plain
def test_every_name_is_given_back(row: Row) -> None:
    """The very objects that were there; another policy counts, and replaces no name again."""
    before = names_of(row.package)
    body_guard.install()
    installed = names_of(row.package)
    assert all(new is not old for new, old in zip(installed, before, strict=True))
    body_guard.install(STRICT)
    assert all(new is old for new, old in zip(names_of(row.package), installed, strict=True))
    doors = [d for d in body_guard.coverage().doors if d.name.startswith(f"{row.package}.")]
    assert [(door.name.rpartition(".")[2], door.hooked) for door in doors] == [
        ("openapi_dumps", True),
        ("_build_request", True),
    ]
    body_guard.uninstall()
    body_guard.uninstall()
    assert all(new is old for new, old in zip(names_of(row.package), before, strict=True))


@each_plain
def test_beneath_somebodys_patch(
    row: Row, provider: LLMProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Theirs stays when ours goes, and ours passes through."""
    module = import_module(f"{row.package}._base_client")
    (_, original) = names_of(row.package)
    calls = []
    body_guard.install()
    ours = module.BaseClient._build_request

    def theirs(self: Any, *args: Any, **options: Any) -> Any:
        calls.append(self)
        return ours(self, *args, **options)

    monkeypatch.setattr(module.BaseClient, "_build_request", theirs)

    def act(client: Any) -> Steps:
        yield row.call(client, {"live": object(), "a": 1})
        body_guard.uninstall()
        yield row.call(client, {"_sentry_x": 1, "a": 1})

    row.run(act, provider.url)
    clean, passed = (json.loads(body) for body in provider.bodies)
    assert ("live" in clean, "_sentry_x" in passed) == (False, True)
    assert len(calls) == 2
    monkeypatch.undo()
    body_guard.uninstall()
    assert names_of(row.package)[1] is original


@each_plain
def test_a_client_with_a_guard_of_its_own(row: Row, provider: LLMProvider) -> None:
    """Its policy counts alone, whether the SDK's client is guarded or the one beneath."""
    extra = {"live": object(), "strict": 1, "_sentry_x": 1}
    http = row.guarded_http(row.library, policy=STRICT)

    def guarded(client: Any) -> Steps:
        body_guard.install()
        body_guard.guard(client, STRICT)
        yield row.call(client, extra)

    def beneath(client: Any) -> Steps:
        yield row.call(client, extra)

    with body_guard.collect() as reports:
        row.run(guarded, provider.url)
        row.act(lambda: row.with_http(provider.url, http), beneath)
    for body in provider.bodies:
        value = json.loads(body)
        assert {name for name in extra if name in value} == {"_sentry_x"}
    assert paths(reports) == [["/live", "/strict"]] * 2


@each_plain
def test_a_refusal_is_raised_as_itself(row: Row, provider: LLMProvider) -> None:
    """Once, before anything is sent."""

    def act(client: Any) -> Steps:
        body_guard.install(REFUSING)
        with pytest.raises(BodyRejectedError):
            yield row.call(client, {"no": object()})

    with body_guard.collect() as reports:
        row.run(act, provider.url)
    assert provider.bodies == []
    assert paths(reports) == [["/no"]]


@each_plain
def test_an_audit(row: Row, provider: LLMProvider) -> None:
    """The SDK's own error, and a report; what it can write is sent as it is, and reported."""

    def act(client: Any) -> Steps:
        body_guard.install(Policy(mode="audit"))
        with pytest.raises(TypeError, match="serializable"):
            yield row.call(client, {"live": object()})
        yield row.call(client, {"_sentry_x": 1})

    with body_guard.collect() as reports:
        row.run(act, provider.url)
    assert sent(provider) == {"_sentry_x": 1}
    assert paths(reports) == [["/live"], ["/_sentry_x"]]


@each_plain
@pytest.mark.parametrize("host", ["127.0.0.1", "elsewhere.test"])
def test_a_policy_for_a_host(row: Row, provider: LLMProvider, host: str) -> None:
    """It is known while the body is an object."""
    policy = Policy(hosts={host: STRICT})

    def act(client: Any) -> Steps:
        body_guard.install(policy)
        yield row.call(client, {"live": object(), "_sentry_x": 1, "strict": 2})

    row.run(act, provider.url)
    left = {"_sentry_x": 1} if host == "127.0.0.1" else {"strict": 2}
    assert sent(provider) == left


@each_openai
@pytest.mark.parametrize("first", ["litellm", "process"])
def test_beside_litellms_install(row: Row, provider: LLMProvider, first: str) -> None:
    """One report, whichever came first, and every name is given back by the last to go."""
    before = names_of(row.package)
    policy = Policy()
    installs = [litellm_install.install, body_guard.install]
    removals = [body_guard.uninstall, litellm_install.uninstall]
    if first == "process":
        installs.reverse()
        removals.reverse()

    def act(client: Any) -> Steps:
        for install in installs:
            install(policy)
        yield row.call(client, {"live": object(), "_sentry_x": 1, "a": 1})

    try:
        with body_guard.collect() as reports:
            row.run(act, provider.url)
    finally:
        for remove in removals:
            remove()
    assert sent(provider) == {"a": 1}
    assert paths(reports) == [["/_sentry_x", "/live"]]
    assert all(new is old for new, old in zip(names_of(row.package), before, strict=True))


@each_openai
@pytest.mark.parametrize("with_files", [True, False])
def test_a_form(row: Row, provider: LLMProvider, with_files: bool) -> None:
    """An object is out before it becomes text; dates and numbers stay text."""
    extra = {
        "live": SimpleNamespace(),
        "n": 1,
        "at": datetime.date(2026, 11, 22),
        "deep": {"live": object(), "a": 1},
    }

    def act(client: Any) -> Steps:
        body_guard.install()
        yield client.post(
            "/files",
            cast_to=object,
            body=extra,
            files={"file": ("a.txt", b"text")} if with_files else None,
            options={"headers": {"Content-Type": "multipart/form-data"}},
        )

    with body_guard.collect() as reports:
        row.run(act, provider.url)
    (body,) = provider.bodies
    assert b"namespace" not in body
    assert b"object at" not in body
    for name, text in (("n", "1"), ("at", "2026-11-22"), ("deep[a]", "1")):
        assert f'name="{name}"\r\n\r\n{text}\r\n'.encode() in body
    assert paths(reports) == [["/deep/live", "/live"]]


@each_openai
def test_text_in_a_form(row: Row, provider: LLMProvider) -> None:
    """A JSON part is looked into where the policy says so."""

    def act(client: Any) -> Steps:
        body_guard.install(Policy(look_into=("multipart",)))
        yield client.files.create(
            file=("a.txt", b"text"), purpose="batch", extra_body={"_sentry_x": "SECRET", "a": 1}
        )

    row.run(act, provider.url)
    (body,) = provider.bodies
    assert b"SECRET" not in body


@each_openai
def test_a_stream_is_left_to_the_http_client(row: Row, provider: LLMProvider) -> None:
    """content= may be a generator, which Policy(buffer=) has read in send."""

    def chunks() -> Iterator[bytes]:
        yield b'{"_sentry_x": 1, '
        yield b'"a": 1}'

    async def achunks() -> Any:
        for chunk in chunks():
            yield chunk

    def act(client: Any) -> Steps:
        body_guard.install(Policy(buffer=1000))
        content = achunks() if row.is_async else chunks()
        yield client.post("/x", cast_to=object, content=content)

    with body_guard.collect() as reports:
        row.run(act, provider.url)
    assert provider.bodies == [b'{ "a": 1}']
    assert [report.judged for report in reports] == [True]


# Packages of a shape, made up.

TYPES = """
class NotGiven: pass
class Omit: pass
"""
CLIENT = """
import httpx

class BaseClient:
    def __init__(self, client):
        self._client = client
        self.base_url = httpx.URL("https://provider.test/v1/")

    def _prepare_options(self, options):
        return options

    def _build_request(self, options, *, retries_taken=0):
        return self._client.build_request(options.method, "https://provider.test/", {body})

    def post(self, options):
        return self._client.send(self._build_request(self._prepare_options(options)))
"""
DUMPS = """
import json

def openapi_dumps(obj):
    return json.dumps(obj, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
"""
ENCODER = "import json\nclass _CustomEncoder(json.JSONEncoder): pass\n"

#: By shape: the files of the package, and the names that are hooked.
SHAPES: dict[str, tuple[dict[str, str], list[str]]] = {
    "new": (
        {
            "_base_client.py": DUMPS
            + CLIENT.format(body="content=openapi_dumps(options.json_data)"),
            "_utils/__init__.py": "",
            "_utils/_json.py": ENCODER,
            "_types.py": TYPES,
        },
        ["openapi_dumps", "_build_request"],
    ),
    "old": (
        {
            "_base_client.py": CLIENT.format(body="json=options.json_data"),
            "_types.py": TYPES,
        },
        ["_build_request"],
    ),
    "wrong": ({"_base_client.py": "class BaseClient: pass\n"}, []),
    "empty": ({"_base_client.py": ""}, []),
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a function that makes a package of a shape; it is forgotten after the test."""
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)

    def make(shape: str, below: str = "") -> str:
        name = f"{below or 'made'}_{shape}"
        folder = tmp_path / name
        for path, text in SHAPES[shape][0].items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(textwrap.dedent(text), encoding="utf-8")
        (folder / "__init__.py").touch()
        return name

    yield make
    body_guard.uninstall()
    for name in set(sys.modules) - known:
        if name.startswith("made_"):
            del sys.modules[name]


def options_of(value: object) -> Any:
    return SimpleNamespace(
        method="post", url="/x", json_data=value, extra_json=None, files=None, headers=None
    )


def echo(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=request.content)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_package_of_that_shape(package: Any, shape: str, when: str) -> None:
    """Whatever its name is, and whether it was imported before install() or after."""
    name = package(shape)
    if when == "after":
        body_guard.install()
    module = import_module(f"{name}._base_client")
    body_guard.install()
    doors = {
        door.name.rpartition(".")[2]: (door.hooked, door.why)
        for door in body_guard.coverage().doors
        if door.name.startswith(f"{name}.")
    }
    hooked = SHAPES[shape][1]
    assert [each for each in doors if doors[each][0]] == hooked
    if not hooked:
        assert doors == {"_build_request": (False, "this release has no such name")}
        return
    client = module.BaseClient(httpx.Client(transport=httpx.MockTransport(echo)))
    with body_guard.collect() as reports:
        answer = client.post(options_of({"live": object(), "_sentry_x": 1, "a": 1}))
    assert answer.content == b'{"a":1}'
    assert paths(reports) == [["/_sentry_x", "/live"]]
    body_guard.uninstall()
    assert not hasattr(module.BaseClient._build_request, "__wrapped__")


def test_one_that_is_imported_in_a_fresh_process() -> None:
    """Nothing is imported for it, and it is hooked by the time it can be used."""
    code = """import sys, body_guard
body_guard.install()
print([d.why for d in body_guard.coverage().doors if d.name == "SDKs made by Stainless"])
print("openai" in sys.modules)
import openai
print([d.name for d in body_guard.coverage().doors if d.hooked and d.name.startswith("openai")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "['not imported yet; guarded as soon as it is']",
        "False",
        "['openai._base_client.openapi_dumps', 'openai.BaseClient._build_request']",
    ]
