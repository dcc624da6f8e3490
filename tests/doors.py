"""The doors under test, one table for every library, sync and async."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import anyio
import pytest

import body_guard


@dataclass(frozen=True)
class Family:
    """An HTTP library, and our module for it."""

    name: str

    def __str__(self) -> str:
        return self.name

    @property
    def library(self) -> Any:
        return import_module(self.name)

    @property
    def guarded(self) -> Any:
        return import_module(f"body_guard.{self.name}")

    def client(self, is_async: bool) -> Any:
        return self.library.AsyncClient if is_async else self.library.Client


@dataclass(frozen=True)
class Door:
    """One way to stand between a client and the wire."""

    family: Family
    kind: str  # client | guard | transport | install
    is_async: bool

    def __str__(self) -> str:
        return f"{self.family}-{'async' if self.is_async else 'sync'}-{self.kind}"

    @property
    def library(self) -> Any:
        return self.family.library

    @property
    def guarded(self) -> Any:
        return self.family.guarded

    def client(self, transport: Any, policy: Any = None, **options: Any) -> Any:
        """Make a guarded client over a transport."""
        infix = "Async" if self.is_async else ""
        if self.kind == "client":
            make = getattr(self.guarded, f"Guarded{infix}Client")
            return make(transport=transport, policy=policy, **options)
        plain = getattr(self.library, f"{infix}Client")
        if self.kind == "install":
            body_guard.install(policy)
            return plain(transport=transport, **options)
        if self.kind == "guard":
            return body_guard.guard(plain(transport=transport, **options), policy)
        wrap = getattr(self.guarded, f"Guarded{infix}Transport")
        return plain(transport=wrap(transport, policy=policy), **options)


@dataclass
class Wire:
    """A mock transport's handler that keeps what arrived, and answers from a script."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def __call__(self, request: Any) -> Any:
        self.requests.append(request)
        self.bodies.append(b"" if not _readable(request) else request.content)
        answer = self.answers.pop(0) if self.answers else {}
        library = sys.modules[type(request).__module__]
        return library.Response(answer.pop("status", 200), **answer)

    @property
    def body(self) -> bytes:
        (body,) = self.bodies
        return body


def _readable(request: Any) -> bool:
    return "_content" in request.__dict__


def exchange(door: Door, wire: Any, act: Any, policy: Any = None, **options: Any) -> Any:
    """Let a guarded client act; give what the act gives, awaited where it is async."""
    client = door.client(door.library.MockTransport(wire), policy, **options)
    return using(client, act)


def using(client: Any, act: Any) -> Any:
    """Let a client act and close it; give what the act gives, awaited where it is async."""
    if hasattr(client, "__enter__"):
        with client:
            return act(client)

    async def run() -> Any:
        async with client:
            result = act(client)
            return await result if inspect.isawaitable(result) else result

    return anyio.run(run)


def rows(table: list[Any]) -> list[Any]:
    """Give a table's rows as parameters; those of a library that is not installed are skipped."""
    return [
        pytest.param(
            row,
            id=str(row),
            marks=pytest.mark.skipif(
                find_spec(getattr(row, "family", row).name) is None,
                reason="httpx2 needs Python 3.11",
            ),
        )
        for row in table
    ]


FAMILIES = [Family("httpx"), Family("httpx2")]
_DOORS = [
    Door(family, kind, is_async)
    for family in FAMILIES
    for kind in ("client", "guard", "install", "transport")
    for is_async in (False, True)
]
DOORS = rows(_DOORS)
CLIENTS = rows([door for door in _DOORS if door.kind != "transport"])
TRANSPORTS = rows([door for door in _DOORS if door.kind == "transport"])
