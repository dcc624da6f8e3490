"""A FastAPI service that asks a model through a guarded OpenAI client.

``python examples/fastapi_service.py`` serves a few requests in this process, with the provider of
body_guard's demo in the place of OpenAI, and prints what arrived there. As a service:
``OPENAI_API_KEY=... uvicorn --app-dir examples fastapi_service:app``.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import openai
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

import body_guard
from body_guard import BodyError, Policy, Rule, presets
from body_guard.cli.provider import provider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

POLICY = Policy(
    (
        *presets("sentry", "litellm", "opentelemetry"),
        Rule("secret", keys=("api_key", "password"), action="reject"),
    )
)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Have one guarded client for the life of the service."""
    async with openai.AsyncOpenAI() as client:
        app.state.client = body_guard.guard(client, POLICY)
        yield


app = FastAPI(lifespan=lifespan)


class Stopwatch:
    """Bookkeeping of a middleware: a live object."""

    def __init__(self) -> None:
        self.start = time.monotonic()


@app.exception_handler(BodyError)
async def refuse(_: Request, error: BodyError) -> JSONResponse:
    """Answer a refused body with where the trouble is; the error holds no value."""
    return JSONResponse({"error": str(error)}, status_code=error.status_code)


@app.post("/ask")
async def ask(request: Request) -> dict[str, Any]:
    """Ask the model, with the caller's metadata and some bookkeeping that slipped in."""
    asked = await request.json()
    metadata = {**asked.get("metadata", {}), "_sentry_span": Stopwatch()}
    answer = await request.app.state.client.chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": asked["question"]}],
        extra_body={"metadata": metadata},
    )
    return {"answer": answer.choices[0].message.content}


async def demonstrate() -> None:
    """Serve two requests, without a network, and print what came of them."""
    with provider() as upstream:
        os.environ.update(OPENAI_BASE_URL=f"{upstream.url}/v1", OPENAI_API_KEY="sk-example")
        os.environ["NO_PROXY"] = "127.0.0.1"
        transport = httpx.ASGITransport(app)
        async with (
            lifespan(app),
            httpx.AsyncClient(transport=transport, base_url="http://service") as caller,
        ):
            for metadata in ({"user_id": "u-17"}, {"password": "hunter2"}):
                response = await caller.post("/ask", json={"question": "Hi", "metadata": metadata})
                print("answered:", response.status_code, response.text)
        for received in upstream.received:
            print("arrived: ", received.body.decode())


if __name__ == "__main__":
    asyncio.run(demonstrate())
