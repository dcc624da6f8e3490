"""install, uninstall and coverage: every httpx and httpx2 client in the process.

``build_request`` and ``send`` are replaced on the libraries' own classes, so that all clients are
guarded, existing ones, subclasses, an SDK's copies and ``httpx.post`` included. So are the methods
of their transports, which some call without a client. A library that is not imported is patched as
soon as it is.
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
    add_last_hook,
    judge_sent,
    judge_sent_async,
    remove_last_hook,
    send,
    send_async,
)
from body_guard.patches.locks import Lock
from body_guard.patches.patch import Coverage, Door, Hook, Patch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from body_guard.http.outgoing import Library
    from body_guard.patches.patch import Current, Wrap
    from body_guard.policy import Policy

__all__ = ["coverage", "install", "uninstall"]

_LIBRARIES: Final = ("httpx", "httpx2")
_AROUND_AUTH: Final = ", as bytes, before and after auth"


def _guard_for(client: Any, current: Current) -> Guard | None:
    """Return the guard of the process; None for a client that has its own, which judges alone."""
    return None if is_guarded(client) else current()


# The original is bound as a class would do it, by __get__: it may be no function but an object of
# wrapt's, which OpenTelemetry and ddtrace put there, and which a call would misguide.


def _patch_build(original: Any, current: Current) -> Any:
    @wraps(original)
    def build_request(self: Any, *args: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        guard = _guard_for(self, current)
        if guard is None:
            return original.__get__(self)(*args, **options)
        # A user's override is called before a patch of the library's own class.
        return build(guard, self, original.__get__(self), args, options, is_librarys=True)

    return build_request


def _patch_send(library: _Library) -> Wrap:
    def wrap(original: Any, current: Current) -> Any:
        @wraps(original)
        def patched(self: Any, request: Any, *args: Any, **options: Any) -> Any:
            __tracebackhide__ = True
            guard = _guard_for(self, current)
            if guard is None:
                return original.__get__(self)(request, *args, **options)
            library.add_last_hook(self, RequestHooks)
            return send(guard, self, original.__get__(self), request, *args, **options)

        return patched

    return wrap


def _patch_send_async(library: _Library) -> Wrap:
    def wrap(original: Any, current: Current) -> Any:
        @wraps(original)
        async def patched(self: Any, request: Any, *args: Any, **options: Any) -> Any:
            __tracebackhide__ = True
            guard = _guard_for(self, current)
            if guard is None:
                return await original.__get__(self)(request, *args, **options)
            library.add_last_hook(self, AsyncRequestHooks)
            return await send_async(guard, self, original.__get__(self), request, *args, **options)

        return patched

    return wrap


def _patch_handle(original: Any, current: Current) -> Any:
    @wraps(original)
    def handle_request(self: Any, request: Any) -> Any:
        __tracebackhide__ = True
        guard = current()
        if guard is not None and not guard.was_judged(request):
            judge_sent(guard, request)
        return original.__get__(self)(request)

    return handle_request


def _patch_handle_async(original: Any, current: Current) -> Any:
    @wraps(original)
    async def handle_async_request(self: Any, request: Any) -> Any:
        __tracebackhide__ = True
        guard = current()
        if guard is not None and not guard.was_judged(request):
            await judge_sent_async(guard, request)
        return await original.__get__(self)(request)

    return handle_async_request


class _Library:
    """A library whose classes are patched, and the guard at work there now."""

    def __init__(self, module: Any) -> None:
        self.module: Library = module
        self.guard: Guard | None = None
        #: The clients that have sent, by identity: a user's may have no hash.
        self.clients: dict[int, ref[Any]] = {}
        self.patches = tuple(Patch(hook, lambda: self.guard) for hook in self._hooks())

    def _hooks(self) -> Iterator[Hook]:
        rows: tuple[tuple[str, str, Wrap, str], ...] = (
            # Where both clients have build_request from.
            (
                "._client:BaseClient",
                "build_request",
                _patch_build,
                "clients of {} build, as objects",
            ),
            (":Client", "send", _patch_send(self), "clients of {} send" + _AROUND_AUTH),
            (
                ":AsyncClient",
                "send",
                _patch_send_async(self),
                "async clients of {} send" + _AROUND_AUTH,
            ),
            (
                ":HTTPTransport",
                "handle_request",
                _patch_handle,
                "else is given to transports of {}, as bytes",
            ),
            (
                ":AsyncHTTPTransport",
                "handle_async_request",
                _patch_handle_async,
                "else is given to async transports of {}, as bytes",
            ),
        )
        name = self.module.__name__
        for owner, method, wrap, sees in rows:
            yield Hook(name + owner, method, wrap, f"what {sees.format(name)}")

    def add_last_hook(self, client: Any, hooks: type[RequestHooks]) -> None:
        """Make the guard's the last request hook of a client, until `uninstall`."""
        if add_last_hook(client, hooks):
            key = id(client)
            self.clients[key] = ref(client, lambda _: self.clients.pop(key, None))

    def install(self, policy: Policy | None) -> None:
        self.guard = Guard(self.module, policy)
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
                remove_last_hook(client)


class _Installation(MetaPathFinder):
    """What is installed in this process; as a finder, it waits for a library to be imported.

    This module can be reloaded or imported once more, which makes a second one. Whatever that is
    asked to do, it uninstalls the first.
    """

    #: How copies of this class recognize each other's instances.
    _body_guard_finder = True

    def __init__(self) -> None:
        self.lock = Lock()
        self.policy: Policy | None = None
        self.libraries: list[_Library] = []

    def install(self, policy: Policy | None) -> None:
        policy = Guard(cast(Any, None), policy).policy  # checked now, whatever is imported later
        with self.lock:
            for copy in self.copies():
                copy.uninstall()
            self.policy = policy
            if self not in sys.meta_path:
                sys.meta_path.insert(0, self)
        for name in _LIBRARIES:
            if name in sys.modules:
                # Outside the lock: it waits for another thread that is importing it right now.
                self.guard_library(import_module(name))

    def uninstall(self) -> None:
        with self.lock:
            for copy in self.copies():
                copy.uninstall()
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            for library in reversed(self.libraries):
                library.uninstall()

    def copies(self) -> list[Any]:
        """Return the installations of copies of this module, from before it was reloaded."""
        return [each for each in sys.meta_path if each is not self and _is_ours(each)]

    def guard_library(self, library: ModuleType) -> None:
        """Guard a library that has been imported, unless all was uninstalled meanwhile."""
        with self.lock:
            if self not in sys.meta_path:
                return
            known = [one for one in self.libraries if one.module is library]
            if not known:
                known = [_Library(library)]
                self.libraries += known
            known[0].install(self.policy)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a library as the other finders do, with a loader that guards it."""
        if fullname not in _LIBRARIES:
            return None
        for finder in list(sys.meta_path):
            # Two installations would ask each other without end.
            find = None if _is_ours(finder) else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = None if find is None else find(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:  # not a mere folder of that name
                    spec.loader = _GuardingLoader(spec.loader, self)
                return spec
        return None


def _is_ours(finder: Any) -> bool:
    return "_body_guard_finder" in vars(type(finder))


class _GuardingLoader(Loader):
    """A loader that is replaced by the real one before it runs, and guards what that loaded."""

    def __init__(self, loader: Any, installation: _Installation) -> None:
        self._loader = loader
        self._installation = installation

    def __getattr__(self, name: str) -> Any:  # for who finds the library and does not import it
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        spec: Any = module.__spec__
        spec.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._installation.guard_library(module)


_installation: Final = _Installation()


def install(policy: Policy | None = None) -> None:
    """Guard every client of httpx and httpx2 in this process, from now on and until `uninstall`.

    That includes clients that exist, ``httpx.post`` and the like, and a library that is imported
    later. A client with a guard of its own is judged by that one alone. It can be called at any
    time, from any thread, before or after the patches of others; again with the same policy does
    nothing, with another replaces it.

    Args:
        policy: What must not leave; the default policy when None.

    Raises:
        TypeError: It is no policy.
    """
    _installation.install(policy)


def uninstall() -> None:
    """Restore every name of httpx and httpx2.

    Where a later patch wraps one, it passes through. Clients and transports keep guards of their
    own.
    """
    _installation.uninstall()


def coverage() -> Coverage:
    """Return which names of httpx and httpx2 are guarded; nothing is imported to find it out."""
    with _installation.lock:
        waiting = _installation in sys.meta_path
        doors = [
            replace(door, name=f"{one.module.__name__}.{door.name}")
            for one in _installation.libraries
            for door in (patch.door() for patch in one.patches)
        ]
        known = {one.module.__name__ for one in _installation.libraries}
    if waiting:
        doors += [
            Door(name, True, "not imported yet; guarded as soon as it is")
            for name in _LIBRARIES
            if name not in sys.modules and name not in known
        ]
    why = "not installed: call install()"
    if _installation.copies():
        why = "installed by a copy of body_guard from before a reload: install() replaces it"
    return Coverage(tuple(doors) or (Door("httpx", False, why),))
