"""guard and unguard: an existing client of HTTP or of an SDK. A row per SDK; none is imported."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import reduce, wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar

from body_guard.http.doors import ORIGINAL, ClientDoor
from body_guard.http.request_guard import Guard
from body_guard.patches.clients import (
    become,
    guard_http,
    guarded_class,
    hold,
    is_http_client,
    original_of,
    release,
    share,
    unguard_http,
)
from body_guard.policy import check_policy, default_policy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    from body_guard.policy import Policy

    # By their shapes, since a library that is not installed is Any to a type checker, which would
    # then accept everything. Each has a member that the class itself, given by mistake, lacks.

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


__all__ = ["SDK", "SDKS", "guard", "http_clients", "sdk_of", "unguard"]

_Client = TypeVar("_Client")
_Guardable = TypeVar(
    "_Guardable", bound="_HttpClient | _StainlessClient | _SpeakeasyClient | _FernClient"
)


@dataclass(frozen=True, slots=True)
class SDK:
    """How to guard the clients of an SDK.

    Attributes:
        name: Of its package, and of its distribution.
        bases: A class of the package by one of these names is among the bases of every client.
        clients: Where a client keeps its HTTP clients.
        arguments: The constructor's names for them.
        is_stainless: Whether Stainless made it, so that a body can be judged as an object, in the
            SDK's options. Of others, the HTTP client sees what they encoded.
        takes_both: Whether it takes clients of httpx and of httpx2.
    """

    name: str
    bases: tuple[str, ...] = ("BaseClient",)
    clients: tuple[str, ...] = ("_client",)
    arguments: tuple[str, ...] = ("http_client",)
    is_stainless: bool = True
    takes_both: bool = False


SDKS: Final = {
    sdk.name: sdk
    for sdk in (
        SDK("openai", takes_both=True),
        SDK("anthropic"),
        SDK("groq"),
        SDK("together"),
        # Made by Speakeasy: pydantic checks types and encodes the body in one step.
        SDK(
            "mistralai",
            bases=("BaseSDK",),
            clients=("sdk_configuration.client", "sdk_configuration.async_client"),
            arguments=("client", "async_client"),
            is_stainless=False,
        ),
        # Made by Fern: a live object becomes a dict of its attributes before httpx gets json=.
        SDK(
            "cohere",
            bases=("BaseCohere", "AsyncBaseCohere"),
            clients=("_client_wrapper.httpx_client.httpx_client",),
            arguments=("httpx_client",),
            is_stainless=False,
        ),
    )
}


def sdk_of(kind: type) -> SDK | None:
    """Return the SDK that a class of clients is of, a subclass of a user's included."""
    base = _sdk_base(kind)
    return None if base is None else SDKS[_package(base)]


def _sdk_base(kind: type) -> type | None:
    """Return the base class of all clients of an SDK; None where this is no such client."""
    for base in kind.__mro__:
        sdk = SDKS.get(_package(base))
        if sdk is not None and base.__name__ in sdk.bases:
            return base
    return None


def _package(kind: type) -> str:
    return kind.__module__.partition(".")[0]


def http_clients(client: Any, sdk: SDK) -> Iterator[Any]:
    """Yield the HTTP clients beneath a client of an SDK."""
    for path in sdk.clients:
        beneath = reduce(getattr, path.split("."), client)
        if beneath is not None:  # as it is once mistralai has closed it
            yield beneath


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
        make = _name(client) if is_http_client(client) or sdk_of(client) else "httpx.Client"
        raise TypeError(
            f"guard() takes a client, not the class {_name(client)}; write guard({make}())."
        )
    policy = default_policy() if policy is None else check_policy(policy)
    original = original_of(type(client)) or type(client)
    sdk = sdk_of(original)
    if sdk is not None:
        for http in http_clients(client, sdk):
            hold(http, client, policy)
        if sdk.is_stainless:
            become(client, guarded_class(original, policy, _parts))
    elif is_http_client(original):
        guard_http(client, policy)
    else:
        raise TypeError(
            "guard() takes a client of httpx or httpx2 (Client, AsyncClient) or of "
            f"{', '.join(SDKS)}, not a {_name(original)}; write guard(httpx.Client())."
        )
    return client


def unguard(client: _Client) -> _Client:
    """Restore the class of a client that `guard` guarded; leave one that is not guarded.

    Args:
        client: Any client. The HTTP clients beneath an SDK's are restored with it, once no other
            guarded client sends through them.

    Returns:
        The client.

    Raises:
        TypeError: The client was built guarded, so there is no other class to restore.
    """
    original = original_of(type(client))
    sdk = sdk_of(original or type(client))
    if sdk is None:
        unguard_http(client)
        return client
    for http in http_clients(client, sdk):
        release(http, client)
    if original is not None:
        become(client, original)
    return client


def _parts(original: Any, policy: Policy) -> tuple[type, dict[str, Any]]:
    """Return the base and the attributes of a guarded class of a Stainless-made SDK's clients."""
    # Imported here: with uuid and decimal it would be an eighth of the time of `import body_guard`.
    from body_guard.integrations.stainless import methods

    sdk: Any = sdk_of(original)
    base: Any = _sdk_base(original)
    library: Any = sys.modules.get("httpx") or sys.modules["httpx2"]  # others are seen by request

    # An object takes another class only where the first bases of the two begin at the same one.
    class Unannounced(base):  # type: ignore[misc]
        """Keeps a guarded class from an ``__init_subclass__`` of the SDK's or the user's."""

        def __init_subclass__(cls, **options: Any) -> None:
            if ORIGINAL not in vars(cls):
                super().__init_subclass__(**options)

    @wraps(original.__init__)  # with its signature: openai asks a class for it before it copies
    def __init__(self: Any, *args: Any, **options: Any) -> None:  # noqa: N807
        original.__init__(self, *args, **options)
        for http in http_clients(self, sdk):
            if issubclass(type(http), ClientDoor):  # of the client that this is a copy of, or own
                share(http, self)
            else:
                hold(http, self, policy)

    attributes = {"__init__": __init__, **methods(original, Guard(library, policy), sdk.name)}
    return Unannounced, attributes


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
