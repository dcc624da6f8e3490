"""guard and unguard: an existing client, guarded in place by another class for the same object."""

from __future__ import annotations

import sys
from abc import ABCMeta
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from body_guard.config import default_policy
from body_guard.http.doors import ORIGINAL, AsyncClientDoor, ClientDoor, SyncClientDoor
from body_guard.http.request_guard import Guard
from body_guard.http.sending import give_back
from body_guard.integrations.sdks import SDKS, http_clients, sdk_base, sdk_of
from body_guard.policy import checked_policy

if TYPE_CHECKING:
    from typing import Protocol

    from body_guard.http.outgoing import Library
    from body_guard.integrations.sdks import SDK
    from body_guard.policy import Policy

    # By their shapes, since a library that is not installed is Any to a type checker, which would
    # then take everything. Each has a member that the class itself, given by mistake, has not.

    class _HttpClient(Protocol):
        """A client of httpx or httpx2, sync or async."""

        @property
        def is_closed(self) -> bool: ...

        def build_request(self, *args: Any, **options: Any) -> Any: ...

    class _StainlessClient(Protocol):
        """A client of an SDK that Stainless made."""

        @property
        def max_retries(self) -> int: ...

        def is_closed(self) -> bool: ...

    class _SpeakeasyClient(Protocol):
        """A client of mistralai."""

        @property
        def sdk_configuration(self) -> Any: ...

    class _FernClient(Protocol):
        """A client of cohere."""

        @property
        def _client_wrapper(self) -> Any: ...


__all__ = ["guard", "hold", "library_of", "release", "unguard"]

_Client = TypeVar("_Client")
_Guardable = TypeVar(
    "_Guardable", bound="_HttpClient | _StainlessClient | _SpeakeasyClient | _FernClient"
)

#: By the client's own class, then by policy: the guarded subclass, as long as anybody uses it.
_classes: Final[WeakKeyDictionary[type, WeakValueDictionary[Policy, type]]] = WeakKeyDictionary()

#: The HTTP clients that were guarded because they are beneath clients of SDKs, and those.
_beneath: Final[WeakKeyDictionary[Any, WeakSet[Any]]] = WeakKeyDictionary()


def guard(client: _Guardable, policy: Policy | None = None) -> _Guardable:
    """Guard a client in place: what it builds and sends is judged from now on.

    The object stays the same, and an instance of its class: it gets a subclass of that class, of
    the same name. Guarding again with the same policy does nothing, with another replaces it.

    Args:
        client: A `Client` or `AsyncClient` of httpx or httpx2, or a client of openai, anthropic,
            groq, together, mistralai or cohere; or of a subclass. An SDK's copies of its client
            (``with_options()``) are guarded too, and so are the HTTP clients beneath, unless they
            were guarded before, by a policy of their own.
        policy: What must not leave; the default policy when None.

    Returns:
        The client.

    Raises:
        TypeError: It is no such client, or the policy is none; says what to write.
    """
    if isinstance(client, type):
        raise _no_client(client)
    policy = default_policy() if policy is None else checked_policy(policy)
    original = _original(type(client)) or type(client)
    sdk = sdk_of(original)
    if sdk is None:
        _swap(client, original, policy)
        _beneath.pop(client, None)  # the caller's from now on
        return client
    for beneath in http_clients(client, sdk):
        hold(beneath, client, policy)
    if sdk.is_stainless:
        _become(client, _guarded_class(original, policy))
    return client


def unguard(client: _Client) -> _Client:
    """Restore the class of a client that `guard` guarded; leave one that is not guarded.

    Args:
        client: Any client. The HTTP clients beneath an SDK's are restored with it, once no other
            client that was guarded stands on them.

    Returns:
        The client.

    Raises:
        TypeError: The client was built guarded, so there is no other class to restore.
    """
    original = _original(type(client))
    sdk = sdk_of(original or type(client))
    if sdk is not None:
        for beneath in http_clients(client, sdk):
            release(beneath, client)
    if original is not None:
        _become(client, original)
        if sdk is None:
            give_back(client)
    elif issubclass(type(client), ClientDoor):
        raise TypeError(
            f"This {type(client).__qualname__} was built guarded, not by guard(); "
            "to send unguarded, use a plain client."
        )
    return client


def _swap(client: Any, original: type, policy: Policy) -> None:
    if issubclass(original, ClientDoor):  # built guarded: it holds its guard itself
        guard = Guard(original._body_guard_library, policy)
        object.__setattr__(client, "_body_guard_guard", guard)
    else:
        _become(client, _guarded_class(original, policy))


def _become(client: Any, kind: type) -> None:
    """Assign another class to an object, past a ``__setattr__`` of its own."""
    object.__setattr__(client, "__class__", kind)


def hold(beneath: Any, client: Any, policy: Policy) -> None:
    """Guard an HTTP client for who stands on it, unless it was guarded by whoever made it.

    Args:
        beneath: A client of httpx or httpx2.
        client: A client of an SDK, or what guards litellm.
        policy: What must not leave; instead of that of others who stand on it.
    """
    if beneath not in _beneath and issubclass(type(beneath), ClientDoor):
        return
    _swap(beneath, _original(type(beneath)) or type(beneath), policy)
    _beneath.setdefault(beneath, WeakSet()).add(client)


def release(beneath: Any, client: Any) -> None:
    """Restore the class of an HTTP client, if it was guarded for this client and for no other.

    Args:
        beneath: As of `hold`, and so is the next; it is left alone where it was not held.
        client: Who stood on it.
    """
    holders = _beneath.get(beneath)
    if holders is not None:
        holders.discard(client)
        if not holders:
            del _beneath[beneath]
            unguard(beneath)


def _original(kind: type) -> type | None:
    """Return the class that a guarded class stands in for."""
    original: type | None = vars(kind).get(ORIGINAL)
    return original


def _guarded_class(original: type, policy: Policy) -> type:
    by_policy = _classes.setdefault(original, WeakValueDictionary())
    known = by_policy.get(policy)
    if known is None:
        sdk = sdk_of(original)
        if sdk is None:
            library, first = _family(original)
            own: dict[str, Any] = {
                "_body_guard_guard": Guard(library, policy),
                "_body_guard_library": library,
            }
        else:
            first, own = _unannounced(sdk_base(original)), _of_sdk(original, sdk, policy)
        namespace = {
            "__doc__": original.__doc__,
            "__module__": original.__module__,
            "__qualname__": original.__qualname__,
            ORIGINAL: original,
            **own,
        }
        # Not by a call of the metaclass, which can be a user's, with a registry of classes.
        metaclass: Any = type(original)
        make = ABCMeta.__new__ if issubclass(metaclass, ABCMeta) else type.__new__
        bases = (first, original)
        known = by_policy[policy] = make(metaclass, original.__name__, bases, namespace)
    return known


def _unannounced(base: Any) -> type:
    """Return a class to stand before an SDK's or a user's, so that no hook of theirs hears of ours.

    Args:
        base: What all clients of the SDK are based on. An object takes another class only where
            the first bases of the two begin at the same one.
    """

    class Unannounced(base):  # type: ignore[misc]
        def __init_subclass__(cls, **options: Any) -> None:
            if ORIGINAL not in vars(cls):
                super().__init_subclass__(**options)

    return Unannounced


def _of_sdk(original: Any, sdk: SDK, policy: Policy) -> dict[str, Any]:
    """Return the attributes of a guarded class of an SDK's clients."""
    from body_guard.integrations._stainless import methods

    library: Any = sys.modules.get("httpx") or sys.modules["httpx2"]  # others are seen by request

    @wraps(original.__init__)  # with its signature: openai asks a class for it before it copies
    def __init__(self: Any, *args: Any, **options: Any) -> None:  # noqa: N807
        original.__init__(self, *args, **options)
        for beneath in http_clients(self, sdk):
            if not issubclass(type(beneath), ClientDoor):  # a copy may have been given its own
                hold(beneath, self, policy)
            elif beneath in _beneath:  # guarded for the client that this is a copy of
                _beneath[beneath].add(self)

    return {"__init__": __init__, **methods(original, Guard(library, policy), sdk.name)}


def library_of(kind: type) -> Library | None:
    """Find the library that a class is of, a subclass of a user's included; none is imported.

    Args:
        kind: Any class.

    Returns:
        httpx or httpx2; None where it is of neither.
    """
    for base in kind.__mro__:
        library: Any = sys.modules.get(base.__module__.partition(".")[0])
        if library is not None and library.__name__ in ("httpx", "httpx2"):
            found: Library = library
            return found
    return None


def _family(kind: type) -> tuple[Library, type[ClientDoor]]:
    """Find the library that a client class is of, and the door for it."""
    library = library_of(kind)
    if library is not None:
        if issubclass(kind, library.Client):
            return library, SyncClientDoor
        if issubclass(kind, library.AsyncClient):
            return library, AsyncClientDoor
    raise TypeError(
        "guard() takes a client of httpx or httpx2 (Client, AsyncClient) or of "
        f"{', '.join(SDKS)}, not a {_name(kind)}; write guard(httpx.Client())."
    )


def _no_client(kind: type) -> TypeError:
    library = library_of(kind)
    is_http = library is not None and issubclass(kind, library.Client | library.AsyncClient)
    make = _name(kind) if is_http or sdk_of(kind) else "httpx.Client"
    return TypeError(f"guard() takes a client, not the class {_name(kind)}; write guard({make}()).")


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
