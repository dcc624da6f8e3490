"""The SDKs under test: a row for each kind of client that is installed here, sync and async."""

from __future__ import annotations

import asyncio
import importlib.metadata
import importlib.util
import inspect
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from body_guard.integrations.sdks import SDK, SDKS, http_clients

MESSAGES: Any = [{"role": "user", "content": "hi"}]

#: What an act is: it yields what a client gives, and gets it back, awaited where it is async.
Steps = Generator[Any, Any, Any]


def _chat(client: Any, extra: Any, **more: Any) -> Any:
    return client.chat.completions.create(model="m", messages=MESSAGES, extra_body=extra, **more)


def _messages(client: Any, extra: Any, **more: Any) -> Any:
    return client.messages.create(
        model="m", max_tokens=1, messages=MESSAGES, extra_body=extra, **more
    )


def _mistral(client: Any, extra: Any, **more: Any) -> Any:
    complete = client.chat.complete_async if client.is_async else client.chat.complete
    return complete(model="m", messages=MESSAGES, metadata=extra, **more)


def _cohere(client: Any, extra: Any, **more: Any) -> Any:
    options = {"additional_body_parameters": extra} if extra else None
    return client.chat(model="m", messages=MESSAGES, request_options=options, **more)


@dataclass(frozen=True)
class Row:
    """One kind of client of one SDK."""

    package: str
    kind: str
    call: Callable[..., Any]
    options: dict[str, Any] = field(default_factory=dict)
    url: str = "base_url"
    is_async: bool = False
    cloud: bool = False
    module: str = ""
    needs: str = ""

    def __str__(self) -> str:
        twins = self.package == "mistralai" and self.is_async
        return f"{self.package}-{self.major}-{self.kind}{'-async' * twins}"

    @property
    def sdk(self) -> SDK:
        return SDKS[self.package]

    @property
    def version(self) -> str:
        return importlib.metadata.version(self.package)

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    @property
    def is_here(self) -> bool:
        if not all(map(importlib.util.find_spec, filter(None, (self.package, self.needs)))):
            return False
        return hasattr(import_module(self.module or self.package), self.kind)

    @property
    def library(self) -> Any:
        """The HTTP library that it is made for."""
        required = importlib.metadata.requires(self.package) or []
        names = {name for name in ("httpx", "httpx2") for line in required if _names(line, name)}
        (name,) = names
        return import_module(name)

    def make(self, url: str, **options: Any) -> Any:
        """Make a client for a provider on the loopback interface."""
        kind = getattr(import_module(self.module or self.package), self.kind)
        client = kind(**{self.url: url}, **self.options, **options)
        if self.package == "mistralai":
            client.is_async = self.is_async
        return client

    def with_http(self, url: str, http: Any, **options: Any) -> Any:
        """Make a client that is given its HTTP client."""
        argument = self.sdk.arguments[-1 if self.is_async else 0]
        return self.make(url, **{argument: http}, **options)

    def http(self, library: Any, **options: Any) -> Any:
        """Make an HTTP client for it."""
        return (library.AsyncClient if self.is_async else library.Client)(**options)

    def guarded_http(self, library: Any, **options: Any) -> Any:
        """Make an HTTP client for it that is built guarded."""
        guarded = import_module(f"body_guard.{library.__name__}")
        return (guarded.GuardedAsyncClient if self.is_async else guarded.GuardedClient)(**options)

    def beneath(self, client: Any) -> Any:
        """Return the HTTP client that it uses."""
        return list(http_clients(client, self.sdk))[-1 if self.is_async else 0]

    def run(self, act: Callable[[Any], Steps], url: str, **options: Any) -> Any:
        """Let a client act; it is closed after."""
        return self.act(lambda: self.make(url, **options), act)

    def act(self, make: Callable[[], Any], act: Callable[[Any], Steps]) -> Any:
        """Let a client that is made here act; it is closed after."""

        async def main() -> Any:
            client = make()
            steps = act(client)
            resume, value = steps.send, None
            try:
                while True:
                    try:
                        given = resume(value)
                    except StopIteration as stop:
                        return stop.value
                    try:
                        value = await given if inspect.isawaitable(given) else given
                        resume = steps.send
                    except Exception as error:
                        resume, value = steps.throw, error
            finally:
                for http in http_clients(client, self.sdk):
                    if hasattr(http, "aclose"):
                        await http.aclose()
                    else:
                        http.close()

        return asyncio.run(main())


def _names(requirement: str, name: str) -> bool:
    distribution, _, marker = requirement.partition(";")
    return distribution.replace("(", " ").replace(">", " ").replace("<", " ").split()[
        0
    ] == name and ("extra" not in marker)


def pair(package: str, kind: str, call: Callable[..., Any], **more: Any) -> list[Row]:
    """Return the rows of a client and of its async twin."""
    twin = kind if package == "mistralai" else f"Async{kind}"
    return [
        Row(package, kind, call, **more),
        Row(package, twin, call, is_async=True, **more),
    ]


KEY = {"api_key": "k", "max_retries": 0}
AZURE = {**KEY, "api_version": "2024-06-01"}
AWS = {"aws_region": "us-east-1", "max_retries": 0}
PAIR = {"aws_access_key": "AKIDEXAMPLE", "aws_secret_key": "SECRETKEY"}
PAIR_ID = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "SECRETKEY"}
VERTEX = {"region": "r", "project_id": "p", "access_token": "t", "max_retries": 0}

#: The path prefixes are for the provider, which knows an API by its path.
CANDIDATES = [
    *pair("openai", "OpenAI", _chat, options=KEY),
    *pair("openai", "AzureOpenAI", _chat, options=AZURE, url="azure_endpoint", cloud=True),
    *pair("openai", "BedrockOpenAI", _chat, options=AWS | PAIR_ID, cloud=True, needs="botocore"),
    *pair("anthropic", "Anthropic", _messages, options=KEY),
    *pair(
        "anthropic", "AnthropicBedrock", _messages, options=AWS | PAIR, cloud=True, needs="boto3"
    ),
    *pair("anthropic", "AnthropicVertex", _messages, options=VERTEX, cloud=True),
    *pair("groq", "Groq", _chat, options=KEY),
    *pair("together", "Together", _chat, options=KEY),
    *pair(
        "mistralai",
        "Mistral",
        _mistral,
        options={"api_key": "k"},
        url="server_url",
        module="mistralai.client",
    ),
    *pair("cohere", "ClientV2", _cohere, options={"api_key": "k"}),
]
ROWS = [row for row in CANDIDATES if row.is_here]
