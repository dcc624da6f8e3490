"""Which clients and presets type checkers take; checked by mypy and pyright, never run."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx
import httpx2
import openai
import requests
from typing_extensions import assert_type

import body_guard.httpx2
from body_guard import Counts, GuardedClient, Policy, Report, counts, guard, presets, report_of


class Ours(httpx.Client):
    """A user's own client."""


assert_type(guard(httpx.Client()), httpx.Client)
assert_type(guard(httpx.AsyncClient(), Policy()), httpx.AsyncClient)
assert_type(guard(httpx2.Client()), httpx2.Client)
assert_type(guard(httpx2.AsyncClient()), httpx2.AsyncClient)
assert_type(guard(Ours()), Ours)
assert_type(guard(GuardedClient()), GuardedClient)
assert_type(guard(body_guard.httpx2.GuardedAsyncClient()), body_guard.httpx2.GuardedAsyncClient)
assert_type(guard(openai.OpenAI()), openai.OpenAI)
assert_type(guard(openai.AsyncAzureOpenAI()), openai.AsyncAzureOpenAI)
assert_type(guard(openai.DefaultHttpxClient()), httpx2.Client)
assert_type(guard(anthropic.Anthropic()), anthropic.Anthropic)
assert_type(guard(anthropic.AsyncAnthropic()), anthropic.AsyncAnthropic)


def either(client: httpx.Client | openai.OpenAI, unknown: Any) -> None:
    """Guard what is one of several, and what is not known."""
    guard(client)
    guard(unknown)


guard(httpx.Client)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
guard(httpx2.AsyncClient)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
guard(openai.OpenAI)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
guard(requests.Session())  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
guard(httpx.HTTPTransport())  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
guard("https://x.test")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
guard(None)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
guard(httpx.Client(), "sentry")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

presets("sentri")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
presets(["litellm"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

response = httpx.get("https://x.test")
assert_type(report_of(response), "Report | None")
assert_type(report_of(response.request), "Report | None")
assert_type(report_of(httpx2.get("https://x.test")), "Report | None")
assert_type(report_of(httpx2.Request("GET", "https://x.test")), "Report | None")
report_of(requests.get("https://x.test", timeout=1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
report_of({})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

assert_type(counts(), Counts)
assert_type(counts(reset=True).findings["api.openai.com"]["sentry"], int)
counts(True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
reports: list[Report | None] = [report_of(response)]
