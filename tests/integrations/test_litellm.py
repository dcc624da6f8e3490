"""install, uninstall, coverage; and json.dumps in litellm's modules and out of them."""

from __future__ import annotations

import datetime
import decimal
import json
import math
import re
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import litellm
import openai
import pytest
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler, HTTPHandler

import body_guard
import body_guard.httpx
from body_guard import BodyLimitError, BodyRejectedError, Policy, Rule, SignedBodyError
from body_guard.integrations import _litellm_hooks
from body_guard.integrations import litellm as integration
from body_guard.integrations._litellm_clients import ClientNet

from llm_calls import call_named
from llm_fixtures import *  # noqa: F403 - pytest finds fixtures by name in the module
from llm_provider import LLMProvider

pytestmark = LITELLM_WARNINGS  # noqa: F405

DIRTY = '{"a": 1, "_sentry_span": "SECRET"}'
CLEANED = b'{"a": 1}'


def named(module: str) -> Any:
    """Return a function of a module of this name, that calls json.dumps as modules do."""
    scope: dict[str, Any] = {"__name__": module}
    exec("import json\ndef dumps(value, **options): return json.dumps(value, **options)", scope)
    return scope["dumps"]


body = named("litellm.llms.future.transformation")


# --- names ----------------------------------------------------------------------------------------


#: What one supported release or another of litellm and of the SDK does not have.
MAY_BE_ABSENT = {
    "HTTPHandler.create_client",  # litellm 1.77, 1.81
    "AsyncHTTPHandler.single_connection_post_request",  # litellm 1.109
    "Router.should_retry_this_error",  # litellm 1.109, which tries no 400 again
    "openai._base_client.openapi_dumps",  # openai 1
    # litellm 1.77, 1.81, which have no Rust engine; the last two went from 1.106 to where they are
    "BedrockAudioTranscriptionRustDispatch.audio_transcriptions",
    "BedrockAudioTranscriptionRustDispatch.async_audio_transcriptions",
    "litellm.rust_bridge.host.callbacks_legacy_python.setup",
    "litellm.rust_bridge.host.callbacks_legacy_python.pre_call",
}


def hooked() -> dict[str, Any]:
    """Return every name in the table that the release has, and what stands there."""
    found = {}
    for hook in _litellm_hooks.hooks(ClientNet(lambda: None)):
        module, _, inside = hook.owner.partition(":")
        owner = sys.modules.get(module)
        names = vars(getattr(owner, inside) if inside else owner) if owner else {}
        if str(hook) not in MAY_BE_ABSENT or hook.name in names:
            found[str(hook)] = names[hook.name]
    return found


def test_uninstall_gives_every_name_back() -> None:
    """The very objects, twice in a row."""
    before = hooked()
    for _ in range(2):
        integration.install()
        assert all(hooked()[name] is not before[name] for name in before)
        integration.uninstall()
        assert all(hooked()[name] is before[name] for name in before)


def test_install_again_changes_nothing_but_the_policy() -> None:
    """The same policy is a no-op; another one counts from then on; one uninstall undoes all."""
    integration.install()
    once = hooked()
    integration.install()
    assert hooked() == once
    assert body({"_sentry_x": 1, "mine": 1}) == '{"mine": 1}'
    integration.install(Policy((Rule("mine", keys=("mine",)),)))
    assert hooked() == once
    assert body({"_sentry_x": 1, "mine": 1}) == '{"_sentry_x": 1}'
    integration.uninstall()
    assert body({"_sentry_x": 1, "mine": 1}) == '{"_sentry_x": 1, "mine": 1}'


def test_install_from_many_threads_is_one_install() -> None:
    """Nothing is patched twice."""
    before = hooked()
    threads = [threading.Thread(target=integration.install) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    integration.uninstall()
    assert hooked() == before


def test_a_later_patch_stays_and_ours_passes_through(
    monkeypatch: pytest.MonkeyPatch, provider: LLMProvider
) -> None:
    """What somebody put on top is not thrown away; coverage says so; undone, all is as before."""
    before = hooked()
    integration.install()
    ours = HTTPHandler.post
    monkeypatch.setattr(HTTPHandler, "post", lambda *args, **more: ours(*args, **more))
    (door,) = [d for d in integration.coverage().doors if d.name == "HTTPHandler.post"]
    assert door.hooked
    assert "a later patch sits on top" in door.why
    integration.uninstall()
    (door,) = [d for d in integration.coverage().doors if d.name == "HTTPHandler.post"]
    assert not door.hooked
    assert "passes through" in door.why
    handler = HTTPHandler()
    handler.post(provider.url, json={"_sentry_x": 1})
    assert provider.bodies == [b'{"_sentry_x":1}']
    monkeypatch.undo()
    integration.install()
    handler.post(provider.url, json={"_sentry_x": 1})
    assert provider.bodies[1] == b"{}"
    integration.uninstall()
    assert hooked() == before


def test_a_name_that_a_release_lacks_is_said_and_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each hook stands alone."""
    monkeypatch.setattr(integration, "_installation", integration._Installation())
    monkeypatch.delattr(HTTPHandler, "put")
    monkeypatch.setattr(_litellm_hooks, "_AIOHTTP", "litellm.no_such_module:Handler")
    integration.install()
    doors = {door.name: door for door in integration.coverage().doors}
    assert doors["HTTPHandler.put"].why == "this release has no such name"
    assert doors["Handler._make_common_async_call"].why == (
        "cannot be imported: ModuleNotFoundError"
    )
    absent = {"HTTPHandler.put", "Handler._make_common_async_call"}
    assert absent <= {name for name, door in doors.items() if door.absent} <= absent | MAY_BE_ABSENT
    assert all(door.hooked is not door.absent for door in doors.values())
    integration.uninstall()


# --- coverage -------------------------------------------------------------------------------------


def test_coverage_before_and_after(installed: Any) -> None:
    """Every door is hooked on the release under test, and says what it sees."""
    doors = integration.coverage().doors
    assert all(door.hooked is not door.absent and door.why for door in doors)
    assert {door.name for door in doors if door.absent} <= MAY_BE_ABSENT
    assert {"json.dumps", "AsyncHTTPHandler.post", "BaseClient._build_request"} <= {
        door.name for door in doors
    }
    integration.uninstall()
    assert not any(door.hooked for door in integration.coverage().doors)


def test_coverage_of_a_process_that_never_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One door, with what to do."""
    monkeypatch.setattr(integration, "_installation", integration._Installation())
    assert integration.coverage().doors == (
        integration.Door("litellm", False, "not installed: call install()"),
    )
    integration.uninstall()


def test_coverage_warns_of_what_bypasses_httpx(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 and websockets when they are there."""
    monkeypatch.setattr(integration, "_is_installed", lambda name: name == "boto3")
    assert any("boto3" in warning for warning in integration.coverage().warnings)
    assert not any("websockets" in warning for warning in integration.coverage().warnings)


def test_importing_the_integration_imports_no_litellm() -> None:
    """Nor httpx; and asking for coverage does not either."""
    program = (
        "import sys, body_guard.integrations.litellm as i; i.coverage(); i.uninstall()\n"
        "assert not {'litellm', 'httpx', 'openai'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_without_litellm_install_says_what_to_install() -> None:
    """An ImportError that names the extra; one inside litellm is not taken for its absence."""
    program = (
        "import sys, body_guard.integrations.litellm as i\n"
        "sys.modules['litellm'] = None\n"
        "try: i.install()\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout == "litellm is not installed: pip install 'body-guard[litellm]'\n"


# --- json.dumps -----------------------------------------------------------------------------------


class Custom(json.JSONEncoder):
    def default(self, o: Any) -> Any:
        return ["custom", str(o)] if isinstance(o, datetime.date) else super().default(o)


DAY = datetime.date(2026, 11, 22)


@pytest.mark.parametrize(
    ("value", "options"),
    [
        ({"é": "☃😀", "n": 1.10, "t": (1, 2), 3: None, "e": {}}, {}),
        ({"é": "☃😀"}, {"ensure_ascii": False}),
        ({"b": 1, "a": [1, {}]}, {"indent": 2, "sort_keys": True}),
        ({"b": [1, 2]}, {"separators": (",", ":")}),
        ({"d": DAY, "l": [DAY]}, {"default": str}),
        ({"d": DAY}, {"cls": Custom}),
        ({"d": DAY, "n": 1}, {"cls": Custom, "indent": 1}),
        ("text with _sentry_ in it", {}),
        ({"content": 'about "_sentry_span": it'}, {}),
        ([[1.5, -0.0, 10**20, True]], {"check_circular": False}),
        (None, {}),
    ],
    ids=str,
)
def test_clean_values_are_written_as_the_call_would(
    value: Any, options: dict[str, Any], installed: Any
) -> None:
    """Every option of the call is respected, and what its own encoder can write stays."""
    with body_guard.collect() as reports:
        written = body(value, **options)
    assert written == named("elsewhere")(value, **options)
    assert reports == []  # the report of a clean body is that of its request


def cyclic() -> Any:
    value: dict[str, Any] = {"a": 1}
    value["self"] = value
    return value


@pytest.mark.parametrize(
    ("value", "options", "text"),
    [
        (
            {"_sentry_x": 1, "a": {"_sentry_y": 2, "b": [{"_sentry_z": 3}]}},
            {},
            '{"a": {"b": [{}]}}',
        ),
        ({"a": object(), "l": [object()]}, {}, '{"l": [null]}'),
        ({"a": math.nan, "l": [math.inf]}, {}, '{"a": null, "l": [null]}'),
        ({"a": math.nan}, {"default": str}, '{"a": null}'),
        ({"a": math.nan}, {"allow_nan": False}, '{"a": null}'),
        (cyclic(), {}, '{"a": 1}'),
        ({(1, 2): 1, "a": 1}, {}, '{"a": 1}'),
        ({(1, 2): 1, "a": 1}, {"skipkeys": True}, '{"a": 1}'),
        ({"_sentry_span": object(), "d": DAY}, {"default": str}, '{"d": "2026-11-22"}'),
        (
            {"_sentry_span": 1, "d": DAY, "x": 1j},
            {"cls": Custom},
            '{"d": ["custom", "2026-11-22"]}',
        ),
        ({"a": "\ud800"}, {"ensure_ascii": False}, '{"a": "\ufffd"}'),
    ],
    ids=lambda value: re.sub(r" at 0x\w+", "", str(value)),  # the same in each worker
)
def test_dirty_values_are_written_without_what_may_not_leave(
    value: Any, options: dict[str, Any], text: str, installed: Any
) -> None:
    """One report with the findings; the caller's value is as it was."""
    before = repr(value)
    with body_guard.collect() as reports:
        assert body(value, **options) == text
    assert len(reports) == 1
    assert reports[0].changed
    assert repr(value) == before


def test_the_policys_convert_is_asked_after_the_calls_own() -> None:
    """What neither can write goes."""

    def convert(value: Any) -> Any:
        if isinstance(value, complex):
            return "complex"
        raise TypeError

    integration.install(Policy(convert=convert))
    assert body({"d": DAY, "c": 1j, "o": object()}, cls=Custom) == (
        '{"d": ["custom", "2026-11-22"], "c": "complex"}'
    )


def doubled(times: int) -> Any:
    value: Any = [{"a": [1]}]
    for _ in range(times):
        value = [value, value]
    return value


def nested(times: int) -> Any:
    value: Any = []
    for _ in range(times):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "options"), [(doubled(60), {}), (nested(100_000), {}), (nested(9_000), {"indent": 1})]
)
def test_what_no_encoder_should_be_given_is_refused(
    value: Any, options: Any, installed: Any
) -> None:
    """A value that unfolds to terabytes, and ones deeper than the stack; in bounded time."""
    with pytest.raises(BodyLimitError):
        body(value, **options)


def test_a_body_over_max_bytes_is_refused() -> None:
    """Also when its containers are few."""
    integration.install(Policy(max_bytes=1000))
    with pytest.raises(BodyLimitError, match="max_bytes"):
        body({"a": "x" * 1001})


def test_names_that_json_escapes_are_found() -> None:
    """A rule's name that an encoder writes with escapes is not searched for in its text."""
    integration.install(Policy((Rule("é", keys=("é",)), Rule("q", prefixes=('"',)))))
    assert body({"é": 1, '"x': 2, "a": 3}) == '{"a": 3}'


@pytest.mark.parametrize(
    "module", ["app", "litellm", "litellm.main", "litellm.integrations.langfuse", "litellmx.llms.a"]
)
def test_others_keep_their_json(module: str, installed: Any) -> None:
    """The application's json.dumps, and litellm's own for logs, mean what they meant."""
    dumps = named(module)
    assert dumps({"_sentry_x": math.nan}) == '{"_sentry_x": NaN}'
    with pytest.raises(TypeError, match="object is not JSON serializable"):
        dumps({"a": object()})


@pytest.mark.parametrize("scope", [{}, {"__name__": None}])
def test_code_without_a_module_keeps_its_json(scope: dict[str, Any], installed: Any) -> None:
    """Run by exec with globals of its own."""
    exec("import json\ntext = json.dumps({'_sentry_x': 1})", scope)
    assert scope["text"] == '{"_sentry_x": 1}'


def test_a_functions_own_import_is_guarded(installed: Any) -> None:
    """As in litellm.llms.bedrock.common_utils, beside a body that is signed."""
    scope: dict[str, Any] = {"__name__": "litellm.llms.bedrock.common_utils"}
    exec("def dumps(value):\n import json as _json\n return _json.dumps(value)", scope)
    assert scope["dumps"]({"_sentry_x": 1}) == "{}"


def test_keyword_and_signature(installed: Any) -> None:
    """obj= works, and tools that look at the signature see json's."""
    import inspect

    assert named("app")(value=1) == "1"
    assert json.dumps(obj={"a": 1}) == '{"a": 1}'
    assert list(inspect.signature(json.dumps).parameters)[:2] == ["obj", "skipkeys"]


def test_when_the_guard_fails_nothing_is_encoded() -> None:
    """Unless the policy says otherwise."""

    def broken(value: Any) -> Any:
        raise RuntimeError("SECRET")

    integration.install(Policy(convert=broken))
    with pytest.raises(body_guard.GuardError) as caught:
        body({"a": object()})
    assert "SECRET" not in str(caught.value)
    integration.install(Policy(convert=broken, on_error="send"))
    with pytest.raises(TypeError, match="not JSON serializable"):
        body({"a": object()})


# --- clients --------------------------------------------------------------------------------------


def post(handler: Any, loop: Any, url: str, **options: Any) -> Any:
    if isinstance(handler, AsyncHTTPHandler):
        return loop.run_until_complete(handler.post(url, **options))
    return handler.post(url, **options)


HANDLERS = pytest.mark.parametrize("kind", [HTTPHandler, AsyncHTTPHandler])


@HANDLERS
@pytest.mark.parametrize("when", ["before", "after"])
def test_bytes_of_any_handler_are_netted(
    kind: Any, when: str, provider: LLMProvider, loop: Any
) -> None:
    """Made before install() or after; data= that is text already."""
    handler = kind() if when == "before" else None
    integration.install()
    handler = handler or kind()
    post(handler, loop, provider.url, data=DIRTY, headers={"Content-Type": "application/json"})
    assert provider.bodies == [CLEANED]


@HANDLERS
def test_json_and_forms_are_cleaned_wherever_they_stand(
    kind: Any, provider: LLMProvider, loop: Any, installed: Any
) -> None:
    """By keyword or by position; a form's live object would be written out as text."""
    handler = kind()
    value = {"a": 1, "_sentry_span": object(), "b": {"x": object()}}
    post(handler, loop, provider.url, json=value)
    call = handler.post(provider.url, None, value)
    loop.run_until_complete(call) if kind is AsyncHTTPHandler else call
    post(handler, loop, provider.url, data={"a": "1", "_sentry_span": object(), "n": 2})
    post(handler, loop, provider.url, data={"a": b"1", "_sentry_span": object()})
    post(handler, loop, provider.url, data={"a": b"1"})
    assert (
        provider.bodies
        == [b'{"a":1,"b":{}}', b'{"a":1,"b":{}}', b"a=1&n=2"]
        + [
            b"a=1"
            if httpx.Request("POST", "http://x", data={"a": b"1"}).content == b"a=1"
            else b"a=b%271%27"
        ]
        * 2
    )
    assert set(value) == {"a", "_sentry_span", "b"}


@HANDLERS
def test_what_a_form_can_say_stays(
    kind: Any, provider: LLMProvider, loop: Any, installed: Any
) -> None:
    """Dates and the like are written as httpx writes them, in lists too; objects are not."""
    fields = {"day": DAY, "at": [datetime.time(1, 2), object()], "u": uuid.UUID(int=1)}
    price = {"price": decimal.Decimal("1.10"), "_sentry_day": DAY, "live": object()}
    post(kind(), loop, provider.url, data={**fields, **price})
    assert provider.bodies == [
        b"day=2026-11-22&at=01%3A02%3A00&at=&u=00000000-0000-0000-0000-000000000001&price=1.10"
    ]


@HANDLERS
@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_the_other_methods(
    kind: Any, method: str, provider: LLMProvider, loop: Any, installed: Any
) -> None:
    """As post."""
    result = getattr(kind(), method)(provider.url, json={"_sentry_x": object(), "a": 1})
    if kind is AsyncHTTPHandler:
        loop.run_until_complete(result)
    assert provider.bodies == [b'{"a":1}']


def test_a_client_made_anew_after_a_connection_error(
    provider: LLMProvider, loop: Any, installed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AsyncHTTPHandler posts again through a temporary client: netted too."""
    # Over aiohttp a dropped connection is a ReadError, which litellm passes on.
    monkeypatch.setattr(litellm, "disable_aiohttp_transport", True)
    provider.script[:] = ["drop"]
    try:
        post(AsyncHTTPHandler(), loop, provider.url, data=DIRTY)
    except httpx.RemoteProtocolError:
        assert provider.bodies == [CLEANED]
        pytest.skip("this release does not post again after a dropped connection")
    assert provider.bodies == [CLEANED, CLEANED]


def test_a_client_made_anew_where_none_could_connect(
    provider: LLMProvider, loop: Any, installed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same, when it was the connection that could not be made, as all releases do."""

    def unreachable(request: httpx.Request) -> httpx.Response:
        tried.append(request.content)
        raise httpx.ConnectError("no way", request=request)

    monkeypatch.setattr(litellm, "disable_aiohttp_transport", True)
    tried: list[bytes] = []
    handler = AsyncHTTPHandler()
    loop.run_until_complete(handler.client.aclose())
    handler.client = httpx.AsyncClient(transport=httpx.MockTransport(unreachable))
    post(handler, loop, provider.url, data=DIRTY)
    assert (tried, provider.bodies) == ([CLEANED], [CLEANED])


@HANDLERS
def test_a_closed_client_made_anew(
    kind: Any, provider: LLMProvider, loop: Any, installed: Any
) -> None:
    """The handler heals itself, and the new client is netted before it sends."""
    handler = kind()
    if kind is AsyncHTTPHandler:
        loop.run_until_complete(handler.client.aclose())
    else:
        handler.client.close()
    try:
        post(handler, loop, provider.url, data=DIRTY)
    except RuntimeError:
        pytest.skip("this release does not heal closed clients")
    assert provider.bodies == [CLEANED]


@HANDLERS
def test_signed_bytes_are_refused_or_left(
    kind: Any, provider: LLMProvider, loop: Any, installed: Any
) -> None:
    """Behind a signature, a clean body passes and a dirty one is not sent."""
    headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=x", "Content-Type": "application/json"}
    with pytest.raises(SignedBodyError):
        post(kind(), loop, provider.url, data=DIRTY, headers=headers)
    assert provider.bodies == []
    post(kind(), loop, provider.url, data='{"a": 1.10}', headers=headers)
    assert provider.bodies == [b'{"a": 1.10}']


def test_uninstall_takes_the_hooks_out_of_clients(provider: LLMProvider, installed: Any) -> None:
    """The clients live on, as they were; hooks of others stay."""
    handler = HTTPHandler()
    others: Callable[..., None] = lambda request: None  # noqa: E731
    handler.client.event_hooks["request"].append(others)
    integration.uninstall()
    assert handler.client.event_hooks["request"] == [others]
    handler.post(provider.url, data=DIRTY)
    assert provider.bodies == [DIRTY.encode()]


def test_a_users_session_is_guarded_in_place(
    provider: LLMProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set before install() or after: the same object, used, and given back its class."""
    for early in (True, False):
        litellm.in_memory_llm_clients_cache.flush_cache()
        provider.clear()
        session = httpx.Client(headers={"X-Mine": "1"})
        monkeypatch.setattr(litellm, "client_session", session)
        if early:
            integration.install()
        else:
            monkeypatch.setattr(litellm, "client_session", None)
            integration.install()
            monkeypatch.setattr(litellm, "client_session", session)
        options = call_named("openai").arguments(provider.url)
        litellm.completion(**options, extra_body={"_sentry_x": object()})
        assert provider.received[0].headers["X-Mine"] == "1"
        assert b"_sentry_" not in provider.bodies[0]
        assert type(session) is not httpx.Client
        assert litellm.client_session is session
        session.post(provider.url, json={"_sentry_x": object()})
        assert provider.bodies[1] == b"{}"
        integration.uninstall()
        assert type(session) is httpx.Client
        assert session.event_hooks["request"] == []
        session.close()
    litellm.in_memory_llm_clients_cache.flush_cache()


@pytest.mark.parametrize("early", [True, False], ids=["before", "after"])
def test_a_users_async_session_is_guarded_in_place(
    early: bool, provider: LLMProvider, loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for aclient_session."""
    litellm.in_memory_llm_clients_cache.flush_cache()
    session = httpx.AsyncClient(headers={"X-Mine": "1"})
    if not early:
        integration.install()
    monkeypatch.setattr(litellm, "aclient_session", session)
    if early:
        integration.install()
    options = call_named("openai").arguments(provider.url)
    loop.run_until_complete(
        litellm.acompletion(**options, extra_body={"_sentry_x": object(), "kept": 1})
    )
    assert provider.received[0].headers["X-Mine"] == "1"
    assert b"_sentry_" not in provider.bodies[0]
    assert type(session) is not httpx.AsyncClient
    assert litellm.aclient_session is session
    loop.run_until_complete(session.post(provider.url, json={"_sentry_x": object()}))
    assert provider.bodies[1] == b"{}"
    integration.uninstall()
    assert type(session) is httpx.AsyncClient
    assert session.event_hooks["request"] == []
    loop.run_until_complete(session.aclose())
    litellm.in_memory_llm_clients_cache.flush_cache()


def test_a_guarded_session_keeps_its_own_policy(
    provider: LLMProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the user gave it counts beside ours."""
    litellm.in_memory_llm_clients_cache.flush_cache()
    own = Policy((Rule("mine", keys=("mine",)),))
    with body_guard.GuardedClient(policy=own) as session:
        monkeypatch.setattr(litellm, "client_session", session)
        integration.install()
        options = call_named("openai").arguments(provider.url)
        with body_guard.collect() as reports:
            litellm.completion(**options, extra_body={"_sentry_x": "s", "mine": 1, "kept": 2})
        told = [finding.path for report in reports for finding in report.findings]
        assert sorted(told) == ["/_sentry_x", "/mine"]
        sent = json.loads(provider.bodies[0])
        assert sent["kept"] == 2
        assert not {"_sentry_x", "mine"} & sent.keys()
        integration.uninstall()
        assert type(session) is body_guard.GuardedClient
        assert session._body_guard_guard.policy == own
    litellm.in_memory_llm_clients_cache.flush_cache()


KEEP = Policy((Rule("keep", keys=("keep",)),))


@pytest.mark.parametrize("policy", [KEEP, Policy()], ids=["another", "the same"])
def test_a_session_that_the_user_guards_later_is_the_users(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second install() does not override its policy, and uninstall() does not strip it."""
    with httpx.Client() as session:
        monkeypatch.setattr(litellm, "client_session", session)
        integration.install()
        body_guard.guard(session, policy)
        integration.install(Policy((Rule("mine", keys=("mine",)),)))
        assert session.build_request("POST", "http://x", json=THREE).content == LEFT[policy]
        integration.uninstall()
        assert session.build_request("POST", "http://x", json=THREE).content == LEFT[policy]
        assert session.event_hooks["request"] == []


THREE = {"keep": 1, "mine": 2, "_sentry_x": 3}
LEFT = {KEEP: b'{"mine":2,"_sentry_x":3}', Policy(): b'{"keep":1,"mine":2}'}


def test_a_session_beneath_a_guarded_client_of_an_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guarded for litellm and for the SDK's client, it is given back with the last of the two."""
    with httpx.Client() as session:
        monkeypatch.setattr(litellm, "client_session", session)
        integration.install()
        client = body_guard.guard(openai.OpenAI(api_key="k", http_client=session), KEEP)
        integration.install()
        assert session.build_request("POST", "http://x", json=THREE).content == LEFT[KEEP]
        integration.uninstall()
        assert session.build_request("POST", "http://x", json=THREE).content == LEFT[KEEP]
        body_guard.unguard(client)
        assert type(session) is httpx.Client


def test_a_session_follows_the_policy_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is guarded for litellm alone, and again where the user unguarded it meanwhile."""
    with httpx.Client() as session:
        monkeypatch.setattr(litellm, "client_session", session)
        integration.install()
        assert session.build_request("POST", "http://x", json=THREE).content == LEFT[Policy()]
        integration.install(KEEP)
        assert session.build_request("POST", "http://x", json=THREE).content == LEFT[KEEP]
        body_guard.unguard(session)
        integration.install()
        assert session.build_request("POST", "http://x", json=THREE).content == LEFT[Policy()]
        integration.uninstall()
        assert type(session) is httpx.Client


def test_a_session_that_is_no_client_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK will say what is wrong with it."""
    monkeypatch.setattr(litellm, "client_session", object())
    integration.install()
    integration.uninstall()


def test_a_refusal_is_raised_to_whoever_posts(provider: LLMProvider) -> None:
    """A rule that rejects."""
    integration.install(Policy((Rule("no", keys=("no",), action="reject"),)))
    with pytest.raises(BodyRejectedError, match=r"/no \(rule no"):
        HTTPHandler().post(provider.url, json={"no": 1})
    assert provider.bodies == []
