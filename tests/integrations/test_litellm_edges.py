"""The edges of the litellm integration: what is missing, gone, too deep, or full of underscores."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any
from weakref import WeakSet

import httpx
import litellm
import pytest

from body_guard import BodyLimitError
from body_guard.http.request_guard import Guard
from body_guard.integrations import litellm as integration
from body_guard.integrations import stainless
from body_guard.integrations._litellm_clients import ClientNet
from body_guard.integrations._litellm_hooks import hooks
from body_guard.integrations.encoding import Encoder, encode_body
from body_guard.patches.patch import Patch

from llm_fixtures import *  # noqa: F403 - pytest finds fixtures by name in the module

pytestmark = LITELLM_WARNINGS  # noqa: F405


def dumps(value: Any, **options: Any) -> str:
    """Call json.dumps as a module of litellm's does that makes bodies."""
    scope: dict[str, Any] = {"__name__": "litellm.llms.somebody.chat"}
    exec("import json\ndef dumps(value, options): return json.dumps(value, **options)", scope)
    return str(scope["dumps"](value, options))


def test_a_body_too_deep_for_this_stack_is_our_error() -> None:
    """Not a RecursionError of json's, with the walk's frames under it."""

    def too_deep(value: object) -> str:
        raise RecursionError

    with pytest.raises(BodyLimitError, match="too deep to be encoded here") as caught:
        encode_body(Guard(httpx), Encoder(too_deep, None), [1])
    assert caught.value.__context__ is None


@pytest.mark.parametrize("dirt", [{}, {"_sentry_x": 1}], ids=["clean", "dirty"])
def test_a_text_full_of_underscores(installed: Any, dirt: dict[str, int]) -> None:
    """Code in a prompt is searched to its end, and a name behind it is found."""
    body = {"text": "snake_case_" * 200, **dirt}
    assert dumps(body) == json.dumps({"text": "snake_case_" * 200})


def test_without_litellm(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install is said; an import that fails inside litellm is told as it is."""

    def fail(name: str) -> None:
        raise ModuleNotFoundError("SECRET", name=missing)

    monkeypatch.setattr(integration, "import_module", fail)
    missing = "litellm"
    with pytest.raises(ImportError, match=r"pip install 'body-guard\[litellm\]'"):
        integration.install()
    missing = "tiktoken"
    with pytest.raises(ModuleNotFoundError, match="SECRET"):
        integration.install()


def test_a_net_without_a_guard_lets_pass() -> None:
    """A hook that somebody kept after uninstall() judges nothing."""
    request = httpx.Request("POST", "http://x", content=b'{"_sentry_x":1}')
    ClientNet(lambda: None)._judge(request)
    assert request.content == b'{"_sentry_x":1}'
    ClientNet(lambda: Guard(httpx))._judge(request)
    assert request.content == b"{}"


def test_a_session_is_left_alone_without_a_guard() -> None:
    """What comes by while uninstall() is at work is neither guarded nor watched."""
    net = ClientNet(lambda: None)
    with httpx.Client() as session:
        net.adopt(session)
        assert type(session) is httpx.Client
        assert session.event_hooks["request"] == []


class Meeting(httpx.Client):
    """Two threads that ask for its hooks at one time meet; one alone goes on after a moment."""

    def __init__(self) -> None:
        super().__init__()
        self.barrier = threading.Barrier(2)

    @property
    def event_hooks(self) -> Any:
        with suppress(threading.BrokenBarrierError):
            self.barrier.wait(0.2)
        return self._event_hooks


def test_threads_that_watch_one_client() -> None:
    """It gets one hook."""
    net = ClientNet(lambda: Guard(httpx))
    with Meeting() as client:
        threads = [threading.Thread(target=net.watch, args=(client,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client._event_hooks["request"] == [net._judge]


class Interrupted(WeakSet[Any]):
    """Where it is gone through, another thread has its turn, if it can."""

    other: threading.Thread

    def __iter__(self) -> Iterator[Any]:
        for each in super().__iter__():
            self.other.start()
            self.other.join(0.2)
            yield each


def test_a_client_made_while_the_net_is_taken_in() -> None:
    """uninstall() takes the hooks out all the same, and what comes after it adds none."""
    guard: list[Any] = [Guard(httpx)]
    net = ClientNet(lambda: guard[0])
    with httpx.Client() as early, httpx.Client() as late:
        net.watch(early)
        net._watched = Interrupted(net._watched)
        net._watched.other = threading.Thread(target=net.watch, args=(late,))
        guard[0] = None
        net.stop()
        net._watched.other.join()
        assert early.event_hooks["request"] == late.event_hooks["request"] == []


def test_handlers_made_without_a_guard_are_not_watched() -> None:
    """Beneath a later patch ours stays and passes through: it watches nobody."""
    net = ClientNet(lambda: None)
    names = ("create_client", "__init__", "_get_sync_http_client")
    patches = [Patch(hook, lambda: None) for hook in hooks(net) if hook.name in names]
    try:
        for patch in patches:
            patch.apply()
        litellm.HTTPHandler().close()
    finally:
        for patch in patches:
            patch.restore()
    assert len(net) == 0


def test_an_sdk_of_another_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the SDK's own encoder, httpx's is used, and so are its rules."""

    def fail(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(stainless, "import_module", fail)
    stainless.convert_of.cache_clear()
    assert stainless.convert_of("openai") is None
    stainless.convert_of.cache_clear()


def test_a_form_without_fields() -> None:
    """What is no mapping has no fields to clean."""
    body = {"_sentry_x": 1, "a": 1}
    options = SimpleNamespace(
        method="post", url="/x", files=[b"x"], json_data=None, extra_json=body
    )
    sdk = SimpleNamespace(base_url="http://provider.test")
    handover = stainless._start(Guard(httpx), sdk, options)
    stainless._sanitize_options(handover, options, "openai")
    assert (options.json_data, options.extra_json) == (None, {"a": 1})
