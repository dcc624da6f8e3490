"""The doors under test, one table for every library, sync and async."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import anyio
import httpx

import body_guard.httpx


@dataclass(frozen=True)
class Family:
    """An HTTP library, and our classes for it."""

    library: ModuleType
    guarded: ModuleType

    def __str__(self) -> str:
        return self.library.__name__

    def client(self, is_async: bool) -> Any:
        return self.library.AsyncClient if is_async else self.library.Client


@dataclass(frozen=True)
class Door:
    """One way to stand between a client and the wire."""

    library: ModuleType
    guarded: ModuleType
    kind: str  # client | guard | install | transport
    is_async: bool

    def __str__(self) -> str:
        return f"{self.library.__name__}-{'async' if self.is_async else 'sync'}-{self.kind}"

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
        library: Any = sys.modules[type(request).__module__.partition(".")[0]]
        return library.Response(answer.pop("status", 200), **answer)

    @property
    def body(self) -> bytes:
        (body,) = self.bodies
        return body


def _readable(request: Any) -> bool:
    return "_content" in request.__dict__


def exchange(door: Door, wire: Any, act: Any, policy: Any = None, **options: Any) -> Any:
    """Let a guarded client act; give what the act gives, awaited where it is async."""
    return using(door.client(door.library.MockTransport(wire), policy, **options), act)


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


FAMILIES = [Family(httpx, body_guard.httpx)]
if sys.version_info >= (3, 11) and httpx.__name__ == "httpx":  # not an alias of httpx2
    import httpx2

    import body_guard.httpx2

    FAMILIES.append(Family(httpx2, body_guard.httpx2))
DOORS = [
    Door(family.library, family.guarded, kind, is_async)
    for family in FAMILIES
    for kind in ("client", "guard", "install", "transport")
    for is_async in (False, True)
]
CLIENTS = [door for door in DOORS if door.kind != "transport"]
TRANSPORTS = [door for door in DOORS if door.kind == "transport"]
