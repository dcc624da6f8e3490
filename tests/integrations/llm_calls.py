"""Calls that litellm can make, a row each; and what can be wrong with what the caller gives it."""

from __future__ import annotations

import asyncio
import copy
import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import litellm

from llm_provider import LLMProvider

MARK = "SECRET"
MESSAGES = [{"role": "user", "content": "hi"}]
KEYS = {
    "aws_access_key_id": "AKIDEXAMPLE",
    "aws_secret_access_key": "wJalrXUtnFEMI",
    "aws_region_name": "us-east-1",
}
CLAUDE = "anthropic.claude-3-sonnet-20240229-v1:0"


class Live:
    """What no encoder can write, and what a careless one would write out."""

    def __repr__(self) -> str:
        return "_sentry_span SECRET"


@dataclass(frozen=True)
class Call:
    """One call: a function of litellm and what it is given.

    ``{url}`` in a value is the provider's address. `crashes` says in which of its forms it crashes
    unguarded on a live object in ``extra_body``; `lately` says that older releases may not send
    what stands there; `needs` names a module, of litellm's own or not, that litellm imports for it.
    """

    name: str
    function: str
    options: dict[str, Any]
    forms: tuple[str, ...] = ("sync", "async")
    crashes: tuple[str, ...] = ("sync", "async")
    needs: str = ""
    signed: bool = False
    lately: bool = False

    def arguments(self, url: str) -> dict[str, Any]:
        """Return the call's arguments, fresh."""
        return {
            name: value.format(url=url) if isinstance(value, str) else copy.deepcopy(value)
            for name, value in self.options.items()
        }

    def run(self, form: str, loop: asyncio.AbstractEventLoop, arguments: dict[str, Any]) -> Any:
        """Make the call, and read a stream to its end."""
        answer = self._callable(form)(**arguments)
        if form == "async":
            return loop.run_until_complete(_read(answer))
        return list(answer) if hasattr(answer, "__next__") else answer

    def sends_extra_body(
        self, form: str, loop: asyncio.AbstractEventLoop, provider: LLMProvider
    ) -> bool:
        """Check whether this release sends what stands in extra_body, by a text in it."""
        extra = {"extra_body": {"thing": "is sent"}}
        self.run(form, loop, {**self.arguments(provider.url), **extra})
        sent = b"is sent" in provider.received[0].body
        provider.clear()
        return sent

    def _callable(self, form: str) -> Callable[..., Any]:
        if self.function == "messages":
            interface = litellm.anthropic.messages
            return interface.acreate if form == "async" else interface.create
        if self.function.startswith("generate_content"):
            import litellm.google_genai as module

            infix = "a" if form == "async" else ""
            return getattr(module, f"{infix}{self.function}")
        return getattr(litellm, f"a{self.function}" if form == "async" else self.function)

    @property
    def lacks(self) -> str:
        """Name the module that is missing for this call, if one is."""
        return _lack_of(self.needs) if self.needs else ""


@functools.cache
def _lack_of(module: str) -> str:
    """Return the name of the module that an import of this one does not find."""
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        return str(error.name)
    return ""


async def _read(answer: Any) -> Any:
    answer = await answer
    return [part async for part in answer] if hasattr(answer, "__aiter__") else answer


def _chat(name: str, model: str, base: str = "{url}/v1", **more: Any) -> Call:
    own = {name: more.pop(name) for name in ("forms", "crashes", "lately") if name in more}
    options = {"model": model, "messages": MESSAGES, "api_key": "k", "api_base": base, **more}
    return Call(name, "completion", options, **own)


def _aws(name: str, function: str, model: str, **more: Any) -> Call:
    own = {name: more.pop(name) for name in ("forms", "crashes") if name in more}
    return Call(name, function, {"model": model, **KEYS, **more}, signed=True, **own)


_BEDROCK = {"aws_bedrock_runtime_endpoint": "{url}"}
_SAGEMAKER = {"messages": MESSAGES, "sagemaker_base_url": "{url}/endpoints/ep/invocations"}
_EMBED = {"input": ["hi"], "api_key": "k"}

#: What litellm imports to log streams; of the proxy's dependencies, it asks for most.
_LOGGED_STREAMS = "litellm.proxy.pass_through_endpoints.success_handler"

CALLS = (
    _chat("openai", "openai/m"),
    _chat("openai-stream", "openai/m", stream=True),
    _chat("azure", "azure/m", "{url}", api_version="2024-06-01"),
    _chat("vllm", "hosted_vllm/m"),
    _chat("vllm-stream", "hosted_vllm/m", stream=True),
    _chat("groq", "groq/m"),
    _chat("mistral", "mistral/m"),
    _chat("deepseek", "deepseek/m"),
    _chat("openrouter", "openrouter/m"),
    _chat("databricks", "databricks/m"),
    _chat("maritalk", "maritalk/m"),
    _chat("anthropic", "anthropic/claude-3", "{url}"),
    _chat("anthropic-stream", "anthropic/claude-3", "{url}", stream=True),
    _chat("gemini", "gemini/gemini-1.5-pro", "{url}", lately=True),
    _chat("gemini-stream", "gemini/gemini-1.5-pro", "{url}", stream=True, lately=True),
    _chat(
        "vertex",
        "vertex_ai/gemini-1.5-pro",
        vertex_project="p",
        vertex_location="us",
        lately=True,
    ),
    _chat("cohere", "cohere_chat/command-r", "{url}/v1/chat"),
    _chat("aiohttp", "aiohttp_openai/m", "{url}/v1/chat/completions", crashes=("async",)),
    _aws("converse", "completion", f"bedrock/converse/{CLAUDE}", messages=MESSAGES, **_BEDROCK),
    _aws(
        "converse-stream",
        "completion",
        f"bedrock/converse/{CLAUDE}",
        messages=MESSAGES,
        stream=True,
        **_BEDROCK,
    ),
    _aws("invoke", "completion", f"bedrock/invoke/{CLAUDE}", messages=MESSAGES, **_BEDROCK),
    _aws(
        "invoke-stream",
        "completion",
        f"bedrock/invoke/{CLAUDE}",
        messages=MESSAGES,
        stream=True,
        **_BEDROCK,
    ),
    _aws("sagemaker-chat", "completion", "sagemaker_chat/ep", **_SAGEMAKER),
    _aws("sagemaker", "completion", "sagemaker/ep", **_SAGEMAKER),
    _aws(
        "bedrock-embedding",
        "embedding",
        "bedrock/amazon.titan-embed-text-v1",
        input=["hi"],
        crashes=(),
        **_BEDROCK,
    ),
    _aws(
        "bedrock-messages",
        "messages",
        f"bedrock/invoke/{CLAUDE}",
        messages=MESSAGES,
        max_tokens=5,
        forms=("async",),
        crashes=(),
        **_BEDROCK,
    ),
    Call(
        "anthropic-messages",
        "messages",
        {
            "model": "anthropic/claude-3",
            "messages": MESSAGES,
            "max_tokens": 5,
            "api_base": "{url}",
            "api_key": "k",
        },
        forms=("async",),
        crashes=(),
    ),
    Call(
        "anthropic-messages-stream",
        "messages",
        {
            "model": "anthropic/claude-3",
            "messages": MESSAGES,
            "max_tokens": 5,
            "api_base": "{url}",
            "api_key": "k",
            "stream": True,
        },
        forms=("async",),
        crashes=(),
        needs=_LOGGED_STREAMS,
    ),
    Call(
        "vllm-messages",
        "messages",
        {
            "model": "hosted_vllm/m",
            "messages": MESSAGES,
            "max_tokens": 5,
            "api_base": "{url}/v1",
            "api_key": "k",
        },
        forms=("sync",),
    ),
    Call(
        "openai-messages",
        "messages",
        {
            "model": "openai/m",
            "messages": MESSAGES,
            "max_tokens": 5,
            "api_base": "{url}/v1",
            "api_key": "k",
        },
        forms=("async",),
        needs="fastapi",
        lately=True,
    ),
    Call(
        "gemini-messages",
        "messages",
        {
            "model": "gemini/gemini-1.5-pro",
            "messages": MESSAGES,
            "max_tokens": 5,
            "api_base": "{url}",
            "api_key": "k",
        },
        forms=("async",),
        lately=True,
    ),
    Call(
        "text",
        "text_completion",
        {
            "model": "text-completion-openai/m",
            "prompt": "hi",
            "api_base": "{url}/v1",
            "api_key": "k",
        },
    ),
    Call("openai-embedding", "embedding", {"model": "openai/m", "api_base": "{url}/v1", **_EMBED}),
    Call(
        "vllm-embedding", "embedding", {"model": "hosted_vllm/m", "api_base": "{url}/v1", **_EMBED}
    ),
    Call(
        "cohere-embedding",
        "embedding",
        {"model": "cohere/embed-english-v3.0", "api_base": "{url}/v1/embed", **_EMBED},
    ),
    Call(
        "responses",
        "responses",
        {"model": "openai/m", "input": "hi", "api_base": "{url}/v1", "api_key": "k"},
        needs="fastapi",
        lately=True,
    ),
    Call(
        "responses-stream",
        "responses",
        {
            "model": "openai/m",
            "input": "hi",
            "api_base": "{url}/v1",
            "api_key": "k",
            "stream": True,
        },
        needs="fastapi",
        lately=True,
    ),
    Call(
        "rerank",
        "rerank",
        {
            "model": "cohere/rerank-v3.5",
            "query": "q",
            "documents": ["d"],
            "api_base": "{url}/v1/rerank",
            "api_key": "k",
        },
        crashes=(),
    ),
    Call(
        "image",
        "image_generation",
        {"model": "openai/dall-e-3", "prompt": "p", "api_base": "{url}/v1", "api_key": "k"},
    ),
    Call(
        "azure-image",
        "image_generation",
        {
            "model": "azure/dall-e-3",
            "prompt": "p",
            "api_base": "{url}",
            "api_key": "k",
            "api_version": "2024-06-01",
        },
    ),
    Call(
        "google-genai",
        "generate_content",
        {
            "model": "gemini/gemini-1.5-pro",
            "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
            "api_base": "{url}",
            "api_key": "k",
        },
        needs=_LOGGED_STREAMS,
    ),
    Call(
        "google-genai-stream",
        "generate_content_stream",
        {
            "model": "gemini/gemini-1.5-pro",
            "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
            "api_base": "{url}",
            "api_key": "k",
        },
        needs=_LOGGED_STREAMS,
    ),
    Call(
        "batches",
        "create_batch",
        {
            "completion_window": "24h",
            "endpoint": "/v1/chat/completions",
            "input_file_id": "f",
            "custom_llm_provider": "openai",
            "api_base": "{url}/v1",
            "api_key": "k",
        },
    ),
)
FORMS = [(call, form) for call in CALLS for form in call.forms]


def call_named(name: str) -> Call:
    return next(call for call in CALLS if call.name == name)


def _extra_body(options: dict[str, Any], thing: Any) -> None:
    options["extra_body"] = {
        "_sentry_root": thing,
        "metadata": {"a": "b", "_sentry_span": thing},
        "list": [1, {"_sentry_trace": thing}],
    }


def _tool(options: dict[str, Any], thing: Any) -> bool:
    if not {"messages", "input"} & options.keys() or "prompt" in options:
        return False
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string", "default": thing}},
        "_sentry_schema": thing,
    }
    function = {"name": "f", "description": "d", "parameters": schema, "_sentry_tool": thing}
    if "max_tokens" in options:
        options["tools"] = [{"name": "f", "input_schema": schema, "_sentry_tool": thing}]
    elif "messages" in options:
        options["tools"] = [{"type": "function", "function": function}]
    else:
        options["tools"] = [{"type": "function", **function}]
    return True


def _message(options: dict[str, Any], thing: Any) -> bool:
    if "messages" not in options:
        return False
    options["messages"] = [{**options["messages"][0], "_sentry_note": thing}]
    return True


def _keyword(options: dict[str, Any], thing: Any) -> None:
    options["_sentry_keyword"] = thing
    options["my_param"] = {"_sentry_inside": thing, "b": 1}


def _metadata(options: dict[str, Any], thing: Any) -> None:
    options["metadata"] = {"user_id": "u1", "_sentry_span": thing}


#: Where the caller, or a library on the caller's behalf, puts a thing; False where it cannot.
PLACES: dict[str, Callable[[dict[str, Any], Any], bool | None]] = {
    "extra_body": _extra_body,
    "tool": _tool,
    "message": _message,
    "keyword": _keyword,
    "metadata": _metadata,
}
THINGS: dict[str, Callable[[], Any]] = {"live": Live, "string": functools.partial(str, MARK)}
