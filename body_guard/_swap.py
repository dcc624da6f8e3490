"""guard and unguard: an existing client, guarded in place by another class for the same object."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from body_guard._doors import AsyncClientDoor, ClientDoor, SyncClientDoor
from body_guard._guard import Guard
from body_guard._load import default_policy

if TYPE_CHECKING:
    from body_guard._request import Library
    from body_guard.core.policy import Policy

__all__ = ["guard", "unguard"]

_Client = TypeVar("_Client")

_ORIGINAL: Final = "_body_guard_original"

#: By the client's own class, then by policy: the guarded subclass, as long as anybody uses it.
_classes: Final[WeakKeyDictionary[type, WeakValueDictionary[Policy, type]]] = WeakKeyDictionary()


def guard(client: _Client, policy: Policy | None = None) -> _Client:
    """Guard a client in place: what it builds and sends is judged from now on.

    The object stays the same, and an instance of its class: it gets a subclass of that class, of
    the same name. Guarding again with the same policy does nothing, with another replaces it.

    Args:
        client: An `httpx.Client` or `httpx.AsyncClient`, or of a subclass.
        policy: What must not leave; the default policy when None.

    Returns:
        The client.

    Raises:
        TypeError: It is no such client.
    """
    kind = type(client)
    original = _original(kind) or kind
    if issubclass(original, ClientDoor):  # built guarded: it holds its guard itself
        client._body_guard = Guard(original._library, policy)  # type: ignore[attr-defined]
        return client
    client.__class__ = _guarded_class(original, default_policy() if policy is None else policy)
    return client


def unguard(client: _Client) -> _Client:
    """Give a client that `guard` guarded its own class back; leave one that is not guarded.

    Args:
        client: Any client.

    Returns:
        The client.

    Raises:
        TypeError: The client was built guarded, so there is no other class to give back.
    """
    original = _original(type(client))
    if original is not None:
        client.__class__ = original
    elif isinstance(client, ClientDoor):
        raise TypeError(
            f"This {type(client).__qualname__} was built guarded, not by guard(); "
            "to send unguarded, use a plain client."
        )
    return client


def _original(kind: type) -> type | None:
    """Give the class that a guarded class stands in for."""
    original: type | None = kind.__dict__.get(_ORIGINAL)
    return original


def _guarded_class(original: type, policy: Policy) -> type:
    by_policy = _classes.setdefault(original, WeakValueDictionary())
    known = by_policy.get(policy)
    if known is None:
        library, door = _family(original)
        known = by_policy[policy] = type(original)(
            original.__name__,
            (door, original),
            {
                "__doc__": original.__doc__,
                "__module__": original.__module__,
                "__qualname__": original.__qualname__,
                "_body_guard": Guard(library, policy),
                "_library": library,
                _ORIGINAL: original,
            },
        )
    return known


def _family(kind: type) -> tuple[Library, type[ClientDoor]]:
    """Find the library that a client class is of, without importing one."""
    for base in kind.__mro__:
        library: Any = sys.modules.get(base.__module__.partition(".")[0])
        if library is not None and library.__name__ in ("httpx", "httpx2"):
            if issubclass(kind, library.Client):
                return library, SyncClientDoor
            if issubclass(kind, library.AsyncClient):
                return library, AsyncClientDoor
    raise TypeError(
        f"guard() takes an httpx or httpx2 Client or AsyncClient, not a {kind.__module__}."
        f"{kind.__qualname__}."
    )
