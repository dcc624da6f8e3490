"""The net for bytes: every httpx client of litellm, watched by its public request event hooks.

An event hook sees a request after auth, at every hop, and leaves the client's class, transport,
proxy mounts and finalizers as they are. It cannot prevent a crash; it comes after the guards where
bodies are made.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

import httpx

from body_guard.http.doors import ClientDoor
from body_guard.integrations.stainless import guard_of
from body_guard.patches.clients import hold, release
from body_guard.patches.locks import Lock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from body_guard.patches.patch import Current

__all__ = ["ClientNet"]


class ClientNet:
    """Watches clients, and remembers which, without keeping them alive."""

    def __init__(self, current: Current) -> None:
        self._current = current
        self._lock = Lock()  # clients are made in any thread
        self._watched: WeakSet[Any] = WeakSet()
        self._adopted: WeakKeyDictionary[Any, type] = WeakKeyDictionary()  # the class it was given

    def watch(self, holder: Any) -> None:
        """Watch the client of one of litellm's handlers, of an SDK's client, or a client itself."""
        client = _client_of(holder)
        hook: Any = None
        if issubclass(type(client), httpx.AsyncClient):
            hook = self._judge_async
        elif issubclass(type(client), httpx.Client):
            hook = self._judge
        if hook is None:
            return
        with self._lock:
            if self._current() is not None and hook not in client.event_hooks["request"]:
                client.event_hooks["request"].append(hook)
                self._watched.add(client)

    def adopt(self, session: Any) -> None:
        """Guard a client that the user gave litellm, in place, and watch it.

        One that the user has guarded, now or since, keeps its policy, and has a second report by
        the net's.
        """
        if not issubclass(type(session), (httpx.Client, httpx.AsyncClient)):
            return
        with self._lock:
            guard = self._current()
            if guard is None:
                return
            self.watch(session)
            kind = type(session)
            if not issubclass(kind, ClientDoor) or kind is self._adopted.get(session):
                hold(session, self, guard.policy)
                self._adopted[session] = type(session)

    def start(self, litellm: Any) -> None:
        """Watch the clients that litellm has made already."""
        with self._lock:
            for name in ("client_session", "aclient_session"):
                self.adopt(vars(litellm).get(name))
            for session in list(self._adopted):  # with the current policy
                self.adopt(session)
            for holder in _made_already(litellm):
                self.watch(holder)

    def stop(self) -> None:
        """Restore every client as it was found."""
        with self._lock:
            for client in list(self._watched):
                for hook in (self._judge, self._judge_async):
                    with suppress(ValueError):  # it has the other, or somebody took it out
                        client.event_hooks["request"].remove(hook)
            for session in list(self._adopted):
                release(session, self)
            self._watched.clear()
            self._adopted.clear()

    def __len__(self) -> int:
        return len(self._watched)

    def _judge(self, request: Any) -> None:
        guard = self._current()
        if guard is not None:
            guard_of(request, guard).judge(request)

    async def _judge_async(self, request: Any) -> None:
        self._judge(request)


def _client_of(holder: Any) -> Any:
    own = getattr(holder, "__dict__", {})
    return own.get("_client", own.get("client", holder))


def _made_already(litellm: Any) -> Iterator[Any]:
    cache = vars(litellm).get("in_memory_llm_clients_cache")
    yield from list(getattr(cache, "cache_dict", {}).values())
    for name in ("module_level_client", "module_level_aclient"):
        yield vars(litellm).get(name)
