"""install, uninstall and coverage: every httpx and httpx2 client in the process.

``build_request`` and ``send`` are replaced on the libraries' own classes, so that a client is
guarded that exists or is yet to be made, subclasses, an SDK's copies and ``httpx.post`` included.
So are the methods of their transports, for who hands one a request without a client. A library that
is not imported is not imported for this: it is patched as soon as somebody does.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import wraps
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from typing import TYPE_CHECKING, Any, Final, cast
from weakref import ref

from body_guard.http.doors import build, is_guarded
from body_guard.http.request_guard import Guard
from body_guard.http.sending import (
    AsyncRequestHooks,
    RequestHooks,
    begin,
    end,
    give_back,
    judge_sent,
    judge_sent_async,
    stand_last,
)
from body_guard.patches.locks import Lock
from body_guard.patches.patch import Coverage, Door, Hook, Patch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from body_guard.http.outgoing import Library
    from body_guard.patches.patch import Current, Wrap
    from body_guard.policy import Policy

__all__ = ["coverage", "install", "uninstall"]

_LIBRARIES: Final = ("httpx", "httpx2")


def _judging(guard: Guard | None, client: Any) -> Guard | None:
    """Return the guard for a client; None if it has its own, which then judges alone."""
    return None if is_guarded(client) else guard


# What was there is asked for its method, as a class would ask it: it may be no function but an
# object of wrapt's, which OpenTelemetry and ddtrace put there, and which a call would misguide.


def _building(original: Any, current: Current) -> Any:
    @wraps(original)
    def build_request(self: Any, *args: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        guard = _judging(current(), self)
        if guard is None:
            return original.__get__(self)(*args, **options)
        # A user's override stands above a patch of the library's own class.
        return build(guard, self, original.__get__(self), args, options, is_librarys=True)

    return build_request


def _sending(library: _Guarded) -> Wrap:
    def wrap(original: Any, current: Current) -> Any:
        @wraps(original)
        def send(self: Any, request: Any, *args: Any, **options: Any) -> Any:
            __tracebackhide__ = True
            guard = _judging(current(), self)
            if guard is None:
                return original.__get__(self)(request, *args, **options)
            library.stand_last(self, RequestHooks)
            judge_sent(guard, request)
            token = begin(guard)
            try:
                return original.__get__(self)(request, *args, **options)
            finally:
                end(token)

        return send

    return wrap


def _sending_async(library: _Guarded) -> Wrap:
    def wrap(original: Any, current: Current) -> Any:
        @wraps(original)
        async def send(self: Any, request: Any, *args: Any, **options: Any) -> Any:
            __tracebackhide__ = True
            guard = _judging(current(), self)
            if guard is None:
                return await original.__get__(self)(request, *args, **options)
            library.stand_last(self, AsyncRequestHooks)
            await judge_sent_async(guard, request)
            token = begin(guard)
            try:
                return await original.__get__(self)(request, *args, **options)
            finally:
                end(token)

        return send

    return wrap


def _handling(original: Any, current: Current) -> Any:
    @wraps(original)
    def handle_request(self: Any, request: Any) -> Any:
        __tracebackhide__ = True
        guard = current()
        if guard is not None and not guard.was_judged(request):
            judge_sent(guard, request)
        return original.__get__(self)(request)

    return handle_request


def _handling_async(original: Any, current: Current) -> Any:
    @wraps(original)
    async def handle_async_request(self: Any, request: Any) -> Any:
        __tracebackhide__ = True
        guard = current()
        if guard is not None and not guard.was_judged(request):
            await judge_sent_async(guard, request)
        return await original.__get__(self)(request)

    return handle_async_request


def _hooks(guarded: _Guarded) -> tuple[Hook, ...]:
    library = guarded.library.__name__
    built = f"{library}._client:BaseClient"  # where both clients have build_request from
    return (
        Hook(built, "build_request", _building, f"what clients of {library} build, as objects"),
        Hook(
            f"{library}:Client",
            "send",
            _sending(guarded),
            f"what clients of {library} send, as bytes, before and after auth",
        ),
        Hook(
            f"{library}:AsyncClient",
            "send",
            _sending_async(guarded),
            f"what async clients of {library} send, as bytes, before and after auth",
        ),
        Hook(
            f"{library}:HTTPTransport",
            "handle_request",
            _handling,
            f"what else is given to transports of {library}, as bytes",
        ),
        Hook(
            f"{library}:AsyncHTTPTransport",
            "handle_async_request",
            _handling_async,
            f"what else is given to async transports of {library}, as bytes",
        ),
    )


class _Guarded:
    """A library whose classes are patched, and the guard that stands there now."""

    def __init__(self, library: Any) -> None:
        self.library: Library = library
        self.guard: Guard | None = None
        #: The clients that have sent, by identity: a user's may have no hash.
        self.clients: dict[int, ref[Any]] = {}
        self.patches = tuple(Patch(hook, lambda: self.guard) for hook in _hooks(self))

    def stand_last(self, client: Any, hooks: type[RequestHooks]) -> None:
        """Make ours the last request hook of a client, until `uninstall`."""
        if stand_last(client, hooks):
            key = id(client)
            self.clients[key] = ref(client, lambda _: self.clients.pop(key, None))

    def install(self, policy: Policy | None) -> None:
        self.guard = Guard(self.library, policy)
        for patch in self.patches:
            patch.apply()

    def uninstall(self) -> None:
        self.guard = None
        for patch in reversed(self.patches):
            patch.restore()
        clients, self.clients = self.clients, {}
        for known in clients.copy().values():  # one may be freed meanwhile
            client = known()
            if client is not None and not is_guarded(client):
                give_back(client)


class _Installation(MetaPathFinder):
    """What is installed in this process; as a finder, it waits for a library to be imported.

    This module can be reloaded, or imported once more: then there are two. The later one, when it
    is asked to do something, puts an end to what the earlier one does.
    """

    #: By this they know each other, since each is of a class of its own.
    _body_guard_finder = True

    def __init__(self) -> None:
        self.lock = Lock()
        self.policy: Policy | None = None
        self.libraries: list[_Guarded] = []

    def install(self, policy: Policy | None) -> None:
        policy = Guard(cast(Any, None), policy).policy  # checked now, whatever is imported later
        with self.lock:
            for other in self.others():
                other.uninstall()
            self.policy = policy
            if self not in sys.meta_path:
                sys.meta_path.insert(0, self)
        for name in _LIBRARIES:
            if name in sys.modules:
                # Outside the lock: it waits for another thread that is importing it right now.
                self.arrived(import_module(name))

    def uninstall(self) -> None:
        with self.lock:
            for other in self.others():
                other.uninstall()
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            for guarded in reversed(self.libraries):
                guarded.uninstall()

    def others(self) -> list[Any]:
        """Return what copies of this module, made before it was reloaded, have installed."""
        return [each for each in sys.meta_path if each is not self and _is_ours(each)]

    def arrived(self, library: ModuleType) -> None:
        """Guard a library that has been imported, unless all was uninstalled meanwhile."""
        with self.lock:
            if self not in sys.meta_path:
                return
            known = [one for one in self.libraries if one.library is library]
            if not known:
                known = [_Guarded(library)]
                self.libraries += known
            known[0].install(self.policy)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a library as the other finders do, to be told when it has been imported."""
        if fullname not in _LIBRARIES:
            return None
        for finder in list(sys.meta_path):
            # Two of ours would ask each other without end.
            find = None if _is_ours(finder) else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = None if find is None else find(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:  # not a mere folder of that name
                    spec.loader = _Announcing(spec.loader, self)
                return spec
        return None


def _is_ours(finder: Any) -> bool:
    return "_body_guard_finder" in vars(type(finder))


class _Announcing(Loader):
    """A loader that steps aside once the module is made, and tells when it is complete."""

    def __init__(self, loader: Any, installation: _Installation) -> None:
        self._loader = loader
        self._installation = installation

    def __getattr__(self, name: str) -> Any:  # who only looks for the library asks its loader
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        spec: Any = module.__spec__
        spec.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._installation.arrived(module)


_installation: Final = _Installation()


def install(policy: Policy | None = None) -> None:
    """Guard every client of httpx and httpx2 in this process, from now on and until `uninstall`.

    Those that exist, those yet to be made, ``httpx.post`` and the like, and a library that is
    imported later. A client with a guard of its own is judged by that one alone. It can be called
    at any time, from any thread, before or after the patches of others; again with the same policy
    it does nothing, with another policy, that one counts.

    Args:
        policy: What must not leave; the default policy when None.

    Raises:
        TypeError: It is no policy.
    """
    _installation.install(policy)


def uninstall() -> None:
    """Restore every name of httpx and httpx2; where a later patch holds ours, ours passes through.

    Guards that clients and transports have of their own stay.
    """
    _installation.uninstall()


def coverage() -> Coverage:
    """Return where the guard that `install` puts up stands.

    Returns:
        A `body_guard.integrations.litellm.Coverage`; nothing is imported or changed to find it out.
    """
    with _installation.lock:
        waiting = _installation in sys.meta_path
        doors = [
            replace(door, name=f"{one.library.__name__}.{door.name}")
            for one in _installation.libraries
            for door in (patch.door() for patch in one.patches)
        ]
        known = {one.library.__name__ for one in _installation.libraries}
    if waiting:
        doors += [
            Door(name, True, "not imported yet; guarded as soon as it is")
            for name in _LIBRARIES
            if name not in sys.modules and name not in known
        ]
    why = "not installed: call install()"
    if _installation.others():
        why = "installed by a copy of body_guard from before a reload: install() replaces it"
    return Coverage(tuple(doors) or (Door("httpx", False, why),))
