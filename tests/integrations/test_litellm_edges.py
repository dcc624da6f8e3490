"""The edges of the litellm integration: what is missing, gone, too deep, or full of underscores."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import httpx
import litellm
import pytest

from body_guard import BodyLimitError
from body_guard._guard import Guard
from body_guard._patch import Patch
from body_guard.integrations import _stainless
from body_guard.integrations import litellm as integration
from body_guard.integrations._encoding import encoded
from body_guard.integrations._litellm_clients import ClientNet
from body_guard.integrations._litellm_hooks import hooks

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
        encoded(Guard(httpx), too_deep, [1], {})
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

    monkeypatch.setattr(_stainless, "import_module", fail)
    _stainless.convert_of.cache_clear()
    assert _stainless.convert_of("openai") is None
    _stainless.convert_of.cache_clear()


def test_a_form_without_fields() -> None:
    """What is no mapping has no fields to clean."""
    body = {"_sentry_x": 1, "a": 1}
    options = SimpleNamespace(method="post", files=[b"x"], json_data=None, extra_json=body)
    _stainless._clean(Guard(httpx), options, "openai")
    assert (options.json_data, options.extra_json) == (None, {"a": 1})
