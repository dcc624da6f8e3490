"""install() on the clients of SDKs: live objects, in SDKs that are here and in made-up packages."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import importlib.util
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
from body_guard.patches.patch import Door

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

FinalRequestOptions = object

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

FERN = """
import enum
from contextlib import asynccontextmanager, contextmanager
import datetime

def jsonable_encoder(value, custom_encoder=None):
    if value is ...:
        return None
    if hasattr(value, "model_dump"):
        dump = value.dict if value.dict.__module__ != "pydantic.main" else value.model_dump
        return jsonable_encoder(dump(by_alias=True))
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {k: jsonable_encoder(v) for k, v in value.items() if v is not ...}
    if isinstance(value, (list, tuple, set)):
        return [jsonable_encoder(each) for each in value if each is not ...]
    if isinstance(value, (str, int, float, type(None))):
        return value
    try:
        return jsonable_encoder(vars(value))
    except TypeError:
        raise ValueError(value)

def get_request_body(json, request_options, omit):
    if json is omit:
        return None
    body = {k: v for k, v in json.items() if v is not omit} if isinstance(json, dict) else json
    more = (request_options or {}).get("additional_body_parameters", {})
    body = jsonable_encoder(body)
    return {**body, **jsonable_encoder(more)} if more else body

class Base:
    def __init__(self, httpx_client, base_url="https://provider.test/v1"):
        self.httpx_client, self.base_url = httpx_client, base_url

    def get_base_url(self, given):
        return given or self.base_url

    def _made_of(self, json, data, request_options, omit):
        if data is not None:
            return {"data": jsonable_encoder(data)}
        return {"json": get_request_body(json, request_options, omit)}

class HttpClient(Base):
    def request(self, path=None, *, method, base_url=None, json=None, data=None,
                request_options=None, retries=0, omit=None):
        body = self._made_of(json, data, request_options, omit)
        answer = self.httpx_client.request(method, self.get_base_url(base_url) + path, **body)
        if answer.status_code == 500 and retries < 1:
            return self.request(path, method=method, base_url=base_url, json=json, data=data,
                                request_options=request_options, retries=1, omit=omit)
        return answer

    @contextmanager
    def stream(self, path=None, *, method, base_url=None, json=None, data=None,
               request_options=None, retries=0, omit=None):
        body = self._made_of(json, data, request_options, omit)
        with self.httpx_client.stream(method, self.get_base_url(base_url) + path, **body) as answer:
            yield answer

class AsyncHttpClient(Base):
    async def request(self, path=None, *, method, base_url=None, json=None, data=None,
                      request_options=None, retries=0, omit=None):
        body = self._made_of(json, data, request_options, omit)
        return await self.httpx_client.request(
            method, self.get_base_url(base_url) + path, **body)

    @asynccontextmanager
    async def stream(self, path=None, *, method, base_url=None, json=None, data=None,
                     request_options=None, retries=0, omit=None):
        body = self._made_of(json, data, request_options, omit)
        url = self.get_base_url(base_url) + path
        async with self.httpx_client.stream(method, url, **body) as answer:
            yield answer
"""


SPEAKEASY = """
import json
from made_speakeasy.utils import requestbodies

class BaseSDK:
    def __init__(self, url):
        self.url = url

    def _get_url(self, base_url, url_variables):
        return base_url or self.url

    def _build_request_with_client(self, client, method, path, base_url, url_variables, request):
        body = requestbodies.marshal_json(request, type(request))
        return client.build_request(method, self._get_url(base_url, None) + path, content=body)
"""
MARSHAL = """
def marshal_json(val, typ):
    return val.model_dump_json(by_alias=True, exclude_unset=True)
"""

FERN_CLIENT = """
from made_fern.core.http_client import HttpClient

class Wrapper:
    def __init__(self, httpx_client):
        self.httpx_client = HttpClient(httpx_client)

class Client:
    def __init__(self, *, httpx_client: object):
        self._client_wrapper = Wrapper(httpx_client)

    def chat(self, body):
        return self._client_wrapper.httpx_client.request("/x", method="POST", json=body)
"""

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
    "empty": ({"_base_client.py": "FinalRequestOptions = object"}, []),
    "fern": (
        {"core/__init__.py": "", "core/http_client.py": FERN, "client.py": FERN_CLIENT},
        [],
    ),
    "speakeasy": (
        {"basesdk.py": SPEAKEASY, "utils/__init__.py": "", "utils/requestbodies.py": MARSHAL},
        [],
    ),
    "wrong_speakeasy": ({"basesdk.py": "class BaseSDK: pass"}, []),
    "wrong_fern": (
        {
            "core/__init__.py": "",
            "core/http_client.py": "class HttpClient: pass\ndef jsonable_encoder(x): pass\n",
        },
        [],
    ),
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
@pytest.mark.parametrize("shape", ["new", "old", "wrong", "empty"])
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
        assert doors == {"_base_client": (False, "of another shape than SDKs made by Stainless")}
        return
    client = module.BaseClient(httpx.Client(transport=httpx.MockTransport(echo)))
    with body_guard.collect() as reports:
        answer = client.post(options_of({"live": object(), "_sentry_x": 1, "a": 1}))
    assert answer.content == b'{"a":1}'
    assert paths(reports) == [["/_sentry_x", "/live"]]
    body_guard.uninstall()
    assert not hasattr(module.BaseClient._build_request, "__wrapped__")


def test_guard_on_a_client_whose_first_base_is_another(package: Any) -> None:
    """perplexity's clients begin with a class of their resources."""
    module = import_module(f"{package('new')}._base_client")
    kind: Any = type("Client", (type("Resources", (), {}), module.BaseClient), {})
    client = kind(httpx.Client(transport=httpx.MockTransport(echo)))
    body_guard.guard(client)
    assert client.post(options_of({"live": object(), "a": 1})).content == b'{"a":1}'
    assert type(body_guard.unguard(client)) is kind


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


FERN_METHODS = [
    f"{kind}.{name}" for kind in ("HttpClient", "AsyncHttpClient") for name in ("request", "stream")
]


class Form(pydantic.BaseModel):
    """A model as Fern makes them: its ``dict`` leaves out what was not set."""

    at: datetime.datetime | None = None
    live: Any = None

    def dict(self, **options: Any) -> dict[str, Any]:
        return self.model_dump(**options, exclude_unset=True)


@dataclasses.dataclass
class Point:
    x: int = 1
    live: Any = None


def fern_call(
    module: Any, kind: str, handler: Any = echo, client: Any = None, **options: Any
) -> Any:
    """Let a client of a made-up SDK send; give what it got."""

    async def main() -> Any:
        method = getattr(client or fern_client(module, kind, handler), kind.rpartition(".")[2])
        sent = method("/x", method="POST", **options)
        if kind == "HttpClient.request":
            return sent
        if kind == "AsyncHttpClient.request":
            return await sent
        if kind == "HttpClient.stream":
            with sent as answer:
                answer.read()
                return answer
        async with sent as answer:
            await answer.aread()
            return answer

    return asyncio.run(main())


def fern_client(module: Any, kind: str, handler: Any = echo) -> Any:
    name = kind.partition(".")[0]
    http = httpx.AsyncClient if name.startswith("Async") else httpx.Client
    return getattr(module, name)(http(transport=httpx.MockTransport(handler)))


@pytest.fixture
def fern(package: Any) -> Any:
    return import_module(f"{package('fern')}.core.http_client")


@pytest.mark.parametrize("kind", FERN_METHODS)
def test_a_fern_made_sdk(fern: Any, kind: str) -> None:
    """Live objects are out and not written out by their attributes; what else it writes stays."""
    at = datetime.datetime(2026, 11, 22)
    body = {
        "live": SimpleNamespace(name="n"),
        "crash": object(),
        "_sentry_x": 1,
        "at": at,
        "raw": b"\x01",
        "form": Form(live=SimpleNamespace()),
        "model": Model(a=2),
        "point": Point(live=object()),
        "set": {1},
        "nested": {"omit": ...},
        "omit": ...,
        "whole": 1.10,
    }
    more = {"too": object(), "b": 2}
    body_guard.install()
    with body_guard.collect() as reports:
        answer = fern_call(
            fern, kind, json=body, request_options={"additional_body_parameters": more}, omit=...
        )
    assert answer.json() == {
        "at": "2026-11-22T00:00:00",
        "raw": "01",
        "form": {},
        "model": {"a": 2, "unset": "not sent"},
        "point": {"x": 1},
        "set": [1],
        "nested": {"omit": None},
        "whole": 1.10,
        "b": 2,
    }
    (report,) = reports
    assert sorted(finding.path for finding in report.findings) == [
        "/_sentry_x",
        "/crash",
        "/form/live",
        "/live",
        "/point/live",
        "/too",
    ]
    assert report.host == "provider.test"
    assert "too" in more


@pytest.mark.parametrize("kind", FERN_METHODS)
def test_a_clean_body_of_a_fern_made_sdk(fern: Any, kind: str) -> None:
    """It is what it was, also what is left out, and no body at all."""
    clean = {"json": {"a": Form(), "omit": ..., "in": {"omit": ...}}, "omit": ...}
    calls: list[dict[str, Any]] = [clean, {"json": ..., "omit": ...}, {"json": [1]}, {"json": None}]
    before = [fern_call(fern, kind, **call).content for call in calls[:3]]
    body_guard.install()
    with body_guard.collect() as reports:
        assert [fern_call(fern, kind, **call).content for call in calls[:3]] == before
    assert [report.findings for report in reports if report.findings] == []


@pytest.mark.parametrize("kind", FERN_METHODS)
def test_a_form_of_a_fern_made_sdk(fern: Any, kind: str) -> None:
    """The object of data= too."""
    body_guard.install()
    answer = fern_call(fern, kind, data={"a": "1", "live": SimpleNamespace(x=1)})
    assert answer.content == b"a=1"


def test_a_second_attempt(fern: Any) -> None:
    """It calls itself: what was judged is not judged again, and each request has its report."""
    bodies = []

    def fail(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        return httpx.Response(500)

    body_guard.install()
    with body_guard.collect() as reports:
        fern_call(fern, "HttpClient.request", fail, json={"live": object(), "a": 1})
    assert bodies == [b'{"a":1}'] * 2
    assert paths(reports) == [["/live"], []]


@pytest.mark.parametrize("kind", FERN_METHODS)
def test_an_audit_of_a_fern_made_sdk(fern: Any, kind: str) -> None:
    """Where it fails to encode the body there is no request, and yet a report."""
    body_guard.install(Policy(mode="audit"))
    with body_guard.collect() as reports, pytest.raises(ValueError, match="object object"):
        fern_call(fern, kind, json={"live": object()}, base_url="https://other.test")
    assert paths(reports) == [["/live"]]
    assert reports[0].host == "other.test"


@pytest.mark.parametrize("kind", FERN_METHODS)
def test_the_names_of_a_fern_made_sdk(fern: Any, kind: str) -> None:
    """They are listed, and given back."""
    name, _, method = kind.partition(".")
    before = vars(getattr(fern, name))[method]
    body_guard.install()
    assert vars(getattr(fern, name))[method] is not before
    assert {d.name for d in body_guard.coverage().doors if d.name.startswith("made_fern.")} == {
        f"made_fern.{each}" for each in FERN_METHODS
    }
    body_guard.uninstall()
    assert vars(getattr(fern, name))[method] is before


@pytest.mark.parametrize("kind", FERN_METHODS)
def test_a_client_of_a_fern_made_sdk_with_its_own_guard(fern: Any, kind: str) -> None:
    """That of the HTTP client beneath counts alone."""
    client = fern_client(fern, kind)
    body_guard.install(STRICT)
    body_guard.guard(client.httpx_client)
    answer = fern_call(fern, kind, client=client, json={"live": object(), "strict": 1})
    assert answer.content == b'{"strict":1}'


def test_guard_on_a_client_of_a_fern_made_sdk(fern: Any) -> None:
    """It is judged by its own policy alone, while it is guarded."""
    kind = import_module("made_fern.client").Client
    client = kind(httpx_client=httpx.Client(transport=httpx.MockTransport(echo)))
    body = {"live": SimpleNamespace(x=1), "strict": 1, "_sentry_x": 1}
    body_guard.install()
    with body_guard.collect() as reports:
        assert body_guard.guard(client, Policy()) is client
        body_guard.guard(client, STRICT)
        assert client.chat(body).json() == {"_sentry_x": 1}
    assert paths(reports) == [["/live", "/strict"]]
    body_guard.uninstall()
    assert client.chat(body).json() == {"_sentry_x": 1}
    assert type(client) is kind
    body_guard.unguard(client)
    body_guard.unguard(client)
    assert type(client._client_wrapper.httpx_client) is fern.HttpClient
    assert client.chat(body).json() == {**body, "live": {"x": 1}}
    with pytest.raises(TypeError, match=r"not the class made_fern\.client\.Client"):
        body_guard.guard(kind)
    with pytest.raises(TypeError, match="or another SDK of that make"):
        body_guard.guard(fern.HttpClient(None))


def test_what_somebody_kept_passes_through(
    fern: Any, speakeasy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that was taken while installed does nothing after."""
    google = made_up(monkeypatch, "google.genai._api_client", GOOGLE)
    qdrant = made_up(monkeypatch, "qdrant_client.http.api.points_api", TO_JSON)
    session = made_up(monkeypatch, "mcp.client.session", SESSION).ClientSession
    body_guard.install()
    kept: list[Any] = [
        vars(getattr(fern, k.partition(".")[0]))[k.partition(".")[2]] for k in FERN_METHODS
    ]
    once, async_once = google.BaseApiClient._request_once, google.BaseApiClient._async_request_once
    build, to_json = speakeasy.BaseSDK._build_request_with_client, qdrant.to_json
    send_request = session.send_request
    body_guard.uninstall()
    for kind, method in zip(FERN_METHODS, kept, strict=True):
        http = fern_client(fern, kind)
        bound = SimpleNamespace(**{kind.partition(".")[2]: method.__get__(http)})
        answer = fern_call(fern, kind, client=bound, json={"live": SimpleNamespace(x=1)})
        assert answer.json() == {"live": {"x": 1}}
    for is_async, method in ((False, once), (True, async_once)):
        http = (httpx.AsyncClient if is_async else httpx.Client)(
            transport=httpx.MockTransport(echo)
        )
        request = SimpleNamespace(url="https://provider.test/", data={"_sentry_x": 1})
        sent = method(google.BaseApiClient(http), request)
        answer = asyncio.run(sent) if is_async else sent
        assert answer.content == b'{"_sentry_x": 1}'
    model = Inner(meta={"live": object()})
    for call in (
        lambda: build(speakeasy.BaseSDK("https://x.test"), None, "POST", "/", None, None, model),
        lambda: to_json(model),
        lambda: asyncio.run(send_request(session(), model)),
    ):
        with pytest.raises(ValueError, match="serialize"):
            call()


@pytest.mark.parametrize(
    ("shape", "module", "maker"),
    [("wrong_fern", "core.http_client", "Fern"), ("wrong_speakeasy", "basesdk", "Speakeasy")],
)
def test_what_only_has_the_names(package: Any, shape: str, module: str, maker: str) -> None:
    """An application's own ``core.http_client`` is left alone, and listed."""
    body_guard.install()
    name = import_module(f"{package(shape)}.{module}").__name__
    assert [d for d in body_guard.coverage().doors if d.name.startswith(f"made_{shape}")] == [
        Door(name, False, f"of another shape than SDKs made by {maker}", absent=True)
    ]


def made_up(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> Any:
    """Return a module of a name; a real one, if there is one, stays as it is."""
    spec = importlib.util.spec_from_loader(name, None)
    assert spec
    module: Any = importlib.util.module_from_spec(spec)
    exec(text, vars(module))
    monkeypatch.setitem(sys.modules, name, module)
    return module


# google-genai's client, made up.

GOOGLE = """
import json

class BaseApiClient:
    def __init__(self, client):
        self._httpx_client = self._async_httpx_client = client

    def _built(self, http_request):
        data = http_request.data
        if data and not isinstance(data, bytes):
            data = json.dumps(data)
        return self._httpx_client.build_request("POST", http_request.url, content=data)

    def _request_once(self, http_request, stream=False):
        return self._httpx_client.send(self._built(http_request))

    async def _async_request_once(self, http_request, stream=False, *, implicit_retry=True):
        return await self._httpx_client.send(self._built(http_request))
"""


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a made-up module of google-genai's."""
    return made_up(monkeypatch, "google.genai._api_client", GOOGLE)


def google_call(module: Any, is_async: bool, data: Any, client: Any = None) -> bytes:
    async def main() -> Any:
        transport = httpx.MockTransport(echo)
        http = (httpx.AsyncClient if is_async else httpx.Client)(transport=transport)
        api = module.BaseApiClient(client or http)
        request = SimpleNamespace(url="https://provider.test/", data=data)
        if is_async:
            return await api._async_request_once(request, stream=False)
        return api._request_once(request)

    return asyncio.run(main()).content  # type: ignore[no-any-return]


@pytest.mark.parametrize("is_async", [False, True])
def test_google_genai(google: Any, is_async: bool) -> None:
    """The object of a request is judged before ``json.dumps``, in one report; bytes are bytes."""
    data = {"live": object(), "_sentry_x": 1, "a": 1.10}
    body_guard.install(Policy(hosts={"provider.test": Policy()}))
    with body_guard.collect() as reports:
        assert google_call(google, is_async, data) == b'{"a": 1.1}'
        assert google_call(google, is_async, {"a": 1.10}) == b'{"a": 1.1}'
        assert google_call(google, is_async, b"raw") == b"raw"
    assert paths(reports) == [["/_sentry_x", "/live"], [], []]
    body_guard.uninstall()
    with pytest.raises(TypeError, match="serializable"):
        google_call(google, is_async, data)


@pytest.mark.parametrize("is_async", [False, True])
def test_an_audit_of_google_genai(google: Any, is_async: bool) -> None:
    """Its own error, and a report with the host."""
    body_guard.install(Policy(mode="audit"))
    with body_guard.collect() as reports, pytest.raises(TypeError, match="serializable"):
        google_call(google, is_async, {"live": object()})
    assert paths(reports) == [["/live"]]
    assert reports[0].host == "provider.test"


# SDKs whose bodies are pydantic models, made up.

TO_JSON = """
def to_json(model, *args, **options):
    return model.model_dump_json(*args, **options)
"""
SESSION = """
class ClientSession:
    async def send_request(self, request, result_type=None):
        return request.model_dump_json(by_alias=True, exclude_unset=True)
"""


class Inner(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")

    name: str = "n"
    meta: dict[Any, Any] | None = None


class Body(pydantic.BaseModel):
    inner: Inner | None = pydantic.Field(default=None, serialization_alias="in")
    many: list[Inner] = []
    at: datetime.datetime | None = None
    free: Any = None
    pair: tuple[Any, ...] = ()


def body_of(live: object) -> Body:
    return Body(
        inner=Inner(meta={"a": 1, "live": live, 2: [live, {1.5}]}, more={"live": live}),
        many=[Inner(name="x"), Inner(meta={"live": live})],
        at=datetime.datetime(2026, 11, 22),
        free=live,
    )


LEFT = {
    "in": {"meta": {"a": 1, "2": [None, [1.5]]}, "more": {}},
    "many": [{"name": "x"}, {"meta": {}}],
    "at": "2026-11-22T00:00:00",
    "free": None,
}
FOUND = ["/free", "/in/meta/2/0", "/in/meta/live", "/in/more/live", "/many/1/meta/live"]


@pytest.fixture
def speakeasy(package: Any) -> Any:
    return import_module(f"{package('speakeasy')}.basesdk")


def test_a_speakeasy_made_sdk(speakeasy: Any) -> None:
    """A model loses what is live in it, in the report of its request, and is not changed itself."""
    sdk = speakeasy.BaseSDK("https://provider.test")
    policy = Policy(hosts={"provider.test": STRICT})

    def build(body: Body, http: httpx.Client | None = None) -> bytes:
        request = sdk._build_request_with_client(
            http or httpx.Client(), "POST", "/x", None, None, body
        )
        content: bytes = request.content
        return content

    clean = Body(inner=Inner(meta={"a": 1.10}), pair=(1, Inner()))
    before = build(clean)
    body_guard.install(policy)
    with body_guard.collect() as reports:
        assert build(clean) == before
        body = body_of(object())
        body.many[0].meta = {"strict": 1, "_sentry_x": 1}
        assert json.loads(build(body)) == {
            **LEFT,
            "many": [{"name": "x", "meta": {"_sentry_x": 1}}, {"meta": {}}],
        }
        assert "live" in (body.many[1].meta or {})
    assert paths(reports) == [[], sorted([*FOUND, "/many/0/meta/strict"])]
    with body_guard.collect() as reports, body_guard.GuardedClient(policy=STRICT) as http:
        assert build(Body(free={"_sentry_x": 1, "strict": 1}), http) == b'{"free":{"_sentry_x":1}}'
    assert paths(reports) == [["/free/strict"]]
    body_guard.install(Policy(mode="audit"))
    with body_guard.collect() as reports, pytest.raises(ValueError, match="serialize"):
        build(body_of(object()))
    assert paths(reports) == [FOUND]
    body_guard.uninstall()
    with pytest.raises(ValueError, match="serialize"):
        build(body_of(object()))


def test_an_encoder_of_a_speakeasy_made_sdk_alone(speakeasy: Any) -> None:
    """Where no request is being built it encodes as ever."""
    module = import_module("made_speakeasy.utils.requestbodies")
    body_guard.install()
    assert module.marshal_json(Inner(name="a"), Inner) == '{"name":"a"}'


def test_qdrant(monkeypatch: pytest.MonkeyPatch) -> None:
    """What pydantic cannot encode is judged, and nothing else; keys are left to httpx."""
    module = made_up(monkeypatch, "qdrant_client.http.api.points_api", TO_JSON)
    options = {"by_alias": True, "exclude_unset": True}
    body_guard.install()
    with body_guard.collect() as reports:
        assert module.to_json(Inner(meta={"_sentry_x": 1}), **options) == '{"meta":{"_sentry_x":1}}'
        assert json.loads(module.to_json(body_of(object()), **options)) == LEFT
    assert paths(reports) == [FOUND]
    assert module.to_json(Inner(meta={"k\ud800": 1}), **options) == '{"meta":{"k\ufffd":1}}'

    class Failing(Inner):
        def model_dump_json(self, **_: Any) -> str:
            raise ValueError("not a matter of what it holds")

    with pytest.raises(ValueError, match="matter"):
        module.to_json(Failing())
    body_guard.install(Policy(mode="audit"))
    with body_guard.collect() as reports, pytest.raises(ValueError, match="serialize"):
        module.to_json(body_of(object()), **options)
    assert paths(reports) == [FOUND]
    body_guard.uninstall()
    with pytest.raises(ValueError, match="serialize"):
        module.to_json(body_of(object()))


def test_mcp(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request of a session is judged before it is dumped; keys are left to httpx."""
    session = made_up(monkeypatch, "mcp.client.session", SESSION).ClientSession()
    body_guard.install()
    with body_guard.collect() as reports:
        sent = asyncio.run(session.send_request(body_of(object())))
        assert json.loads(sent) == LEFT
        clean = asyncio.run(session.send_request(Inner(meta={"_sentry_x": 1})))
        assert clean == '{"meta":{"_sentry_x":1}}'
    assert paths(reports) == [FOUND]
    body_guard.uninstall()
    with pytest.raises(ValueError, match="serialize"):
        asyncio.run(session.send_request(body_of(object())))
