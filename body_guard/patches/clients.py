"""An existing client, guarded in place by another class for the same object."""

from __future__ import annotations

from abc import ABCMeta
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from body_guard.http.doors import ORIGINAL, AsyncClientDoor, ClientDoor, SyncClientDoor
from body_guard.http.outgoing import library_of
from body_guard.http.request_guard import Guard
from body_guard.http.sending import remove_last_hook

if TYPE_CHECKING:
    from collections.abc import Callable

    from body_guard.policy import Policy

    #: Given a class and a policy, returns the class to put before it and the attributes to add.
    Parts = Callable[[type, Policy], tuple[type, dict[str, Any]]]

__all__ = [
    "become",
    "guard_http",
    "guarded_class",
    "hold",
    "is_http_client",
    "original_of",
    "release",
    "share",
    "unguard_http",
]

#: By the client's own class, then by policy: the guarded subclass, as long as anybody uses it.
_classes: Final[WeakKeyDictionary[type, WeakValueDictionary[Policy, type]]] = WeakKeyDictionary()

#: The HTTP clients that were guarded for others that send through them, and those.
_holders: Final[WeakKeyDictionary[Any, WeakSet[Any]]] = WeakKeyDictionary()


def guard_http(client: Any, policy: Policy) -> None:
    """Guard a client of httpx or httpx2 in place, for the caller."""
    _swap(client, policy)
    _holders.pop(client, None)


def unguard_http(client: Any) -> None:
    """Restore the class of a client of httpx or httpx2; leave one that is not guarded.

    Raises:
        TypeError: The client was built guarded, so there is no other class to restore.
    """
    original = original_of(type(client))
    if original is not None:
        become(client, original)
        remove_last_hook(client)
    elif issubclass(type(client), ClientDoor):
        raise TypeError(
            f"This {type(client).__qualname__} was built guarded, not by guard(); "
            "to send unguarded, use a plain client."
        )


def _swap(client: Any, policy: Policy) -> None:
    original = original_of(type(client)) or type(client)
    if issubclass(original, ClientDoor):  # built guarded: it holds its guard itself
        guard = Guard(original._body_guard_library, policy)
        object.__setattr__(client, "_body_guard_guard", guard)
    else:
        become(client, guarded_class(original, policy, _parts))


def become(client: Any, kind: type) -> None:
    """Assign another class to an object, past a ``__setattr__`` of its own."""
    object.__setattr__(client, "__class__", kind)


def hold(client: Any, holder: Any, policy: Policy) -> None:
    """Guard an HTTP client for an object that sends through it, unless its maker guarded it.

    The policy replaces that of earlier holders.
    """
    if client not in _holders and issubclass(type(client), ClientDoor):
        return
    _swap(client, policy)
    _holders.setdefault(client, WeakSet()).add(holder)


def share(client: Any, holder: Any) -> None:
    """Add a holder to those that an HTTP client is guarded for, if there are any."""
    if client in _holders:
        _holders[client].add(holder)


def release(client: Any, holder: Any) -> None:
    """Restore the class of an HTTP client, if it was guarded for this holder and for no other."""
    holders = _holders.get(client)
    if holders is not None:
        holders.discard(holder)
        if not holders:
            del _holders[client]
            unguard_http(client)


def original_of(kind: type) -> type | None:
    """Return the class that a guarded class replaces; None where it replaces none."""
    original: type | None = vars(kind).get(ORIGINAL)
    return original


def guarded_class(original: type, policy: Policy, parts: Parts) -> type:
    """Return the subclass that guards objects of a class, made once of what `parts` returns."""
    by_policy = _classes.setdefault(original, WeakValueDictionary())
    known = by_policy.get(policy)
    if known is None:
        first, attributes = parts(original, policy)
        namespace = {
            "__doc__": original.__doc__,
            "__module__": original.__module__,
            "__qualname__": original.__qualname__,
            ORIGINAL: original,
            **attributes,
        }
        # Not by a call of the metaclass, which can be a user's, with a registry of classes.
        metaclass: Any = type(original)
        make = ABCMeta.__new__ if issubclass(metaclass, ABCMeta) else type.__new__
        bases = (first, original)
        known = by_policy[policy] = make(metaclass, original.__name__, bases, namespace)
    return known


def _parts(original: type, policy: Policy) -> tuple[type, dict[str, Any]]:
    library: Any = library_of(original)
    door = SyncClientDoor if issubclass(original, library.Client) else AsyncClientDoor
    guard = Guard(library, policy)
    return door, {"_body_guard_guard": guard, "_body_guard_library": library}


def is_http_client(kind: type) -> bool:
    """Check whether a class is one of httpx's or httpx2's clients, or a subclass."""
    library = library_of(kind)
    return library is not None and issubclass(kind, (library.Client, library.AsyncClient))
