"""Clients of the libraries beside httpx, one row for each way to send, and what is sent by them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import requests
import urllib3

import body_guard
from body_guard import Policy
from body_guard.cli.provider import Provider, Received, provider


@dataclass(frozen=True)
class Client:
    """A way to send a request.

    Args:
        library: As `install(libraries=)` calls it.
        send: Given a URL and some of content=, json=, headers=, sends it.
        names: What is replaced: class or module, and attribute.
        takes_objects: Whether it has ``json=``.
    """

    library: str
    send: Callable[..., Any]
    names: tuple[tuple[Any, str], ...]
    takes_objects: bool = True

    def __str__(self) -> str:
        return self.library

    def originals(self) -> list[Any]:
        """Return what stands at its names now."""
        return [vars(owner)[name] for owner, name in self.names]


def _requests(url: str, content: Any = None, json: Any = None, headers: Any = None) -> None:
    with requests.Session() as session:
        session.trust_env = False
        session.post(url, data=content, json=json, headers=headers)


def _urllib3(url: str, content: Any = None, headers: Any = None) -> None:
    with urllib3.PoolManager() as pool:
        pool.request("POST", url, body=content, headers=headers)


def _aiohttp(url: str, content: Any = None, json: Any = None, headers: Any = None) -> None:
    async def send() -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=content, json=json, headers=headers),
        ):
            pass

    asyncio.run(send())


CLIENTS = [
    Client(
        "requests",
        _requests,
        (
            (requests.models.PreparedRequest, "prepare_body"),
            (requests.adapters.HTTPAdapter, "send"),
        ),
    ),
    Client("urllib3", _urllib3, ((urllib3.connection.HTTPConnection, "request"),), False),
    Client(
        "aiohttp",
        _aiohttp,
        ((aiohttp.ClientSession, "_request"), (aiohttp.ClientRequest, "send")),
    ),
]


@contextmanager
def installed(client: Client, policy: Policy | None = None) -> Iterator[list[body_guard.Report]]:
    """Guard a client's library; give the reports of what is judged meanwhile."""
    body_guard.install(policy, libraries=(client.library,))
    try:
        with body_guard.collect() as reports:
            yield reports
    finally:
        body_guard.uninstall()


def sent(client: Client, guarded: bool, policy: Policy | None = None, **what: Any) -> Received:
    """Send one request, and return what arrived of it."""
    with provider() as server:
        if guarded:
            with installed(client, policy):
                client.send(f"{server.url}/v1", **what)
        else:
            client.send(f"{server.url}/v1", **what)
        return only(server)


def only(server: Provider) -> Received:
    """Return the one request that arrived."""
    (received,) = server.received
    return received


def heads(received: Received) -> list[tuple[str, str]]:
    """Return the headers in their order, less the port that differs."""
    return [(name, value) for name, value in received.headers.items() if name.lower() != "host"]
