"""guard and unguard: an existing client of HTTP or of an SDK, told by its shape.

No SDK is imported.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import reduce, wraps
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

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
        """A client of an SDK that Speakeasy made."""

        @property
        def sdk_configuration(self) -> Any: ...

    class _FernClient(Protocol):
        """A client of an SDK that Fern made."""

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
        name: Of its package.
        distribution: That has it.
        clients: Where a client keeps its HTTP clients.
        arguments: The constructor's names for them.
        encoder: Where a client keeps what makes its bodies, so that a body can be judged as an
            object: ``""`` for the client itself. Where it is None, the HTTP client sees what the
            SDK encoded.
        takes_both: Whether it takes clients of httpx and of httpx2.
    """

    name: str
    distribution: str
    clients: tuple[str, ...] = ("_client",)
    arguments: tuple[str, ...] = ("http_client",)
    encoder: str | None = ""
    takes_both: bool = False

    @property
    def is_stainless(self) -> bool:
        """Whether Stainless made it."""
        return self.encoder == ""


def _fern(name: str, distribution: str) -> SDK:
    client = "_client_wrapper.httpx_client"
    return SDK(name, distribution, (f"{client}.httpx_client",), ("httpx_client",), client)


def _speakeasy(name: str, distribution: str) -> SDK:
    # pydantic checks types and encodes the body in one step.
    clients = "sdk_configuration.client", "sdk_configuration.async_client"
    return SDK(name, distribution, clients, ("client", "async_client"), None)


#: By package, those that are known by name; others are told by their shape.
SDKS: Final = {
    sdk.name: sdk
    for sdk in (
        SDK("openai", "openai", takes_both=True),
        SDK("anthropic", "anthropic"),
        SDK("groq", "groq"),
        SDK("together", "together"),
        SDK("cerebras.cloud.sdk", "cerebras-cloud-sdk"),
        SDK("writerai", "writer-sdk"),
        SDK("perplexity", "perplexityai"),
        SDK("fireworks", "fireworks-ai"),
        _speakeasy("mistralai", "mistralai"),
        _fern("cohere", "cohere"),
        _fern("elevenlabs", "elevenlabs"),
        _fern("deepgram", "deepgram-sdk"),
    )
}


def sdk_of(kind: type) -> SDK | None:
    """Return the SDK that a class of clients is of, a subclass of a user's included."""
    for base in kind.__mro__:
        sdk = _sdk_of_base(base)
        if sdk is not None:
            return sdk
    return None


def _sdk_of_base(base: type) -> SDK | None:
    """Return the SDK whose clients all have this base, or that this is a client of."""
    module = base.__module__
    package = module.partition(".")[0]
    if base.__name__ == "BaseClient" and module.endswith("._base_client"):
        name = module.removesuffix("._base_client")
        return SDKS.get(name) or SDK(name, name)
    if base.__name__ == "BaseSDK" and module.endswith(".basesdk"):
        return SDKS.get(package) or _speakeasy(package, package)
    if _is_ferns(base, package):
        return SDKS.get(package) or _fern(package, package)
    return None


def _is_ferns(base: type, package: str) -> bool:
    """Check whether a class is a client of an SDK that Fern made, by what it is made of."""
    core = f"{package}.core."
    code = sys.modules.get(f"{core}http_client")
    if code is None or base.__module__.startswith(core):
        return False
    # Imported here, as the other below.
    from body_guard.integrations.fern import is_fern_made

    make = vars(base).get("__init__")
    return is_fern_made(code) and "httpx_client" in getattr(make, "__annotations__", ())


def http_clients(client: Any, sdk: SDK) -> Iterator[Any]:
    """Yield the HTTP clients beneath a client of an SDK."""
    for path in sdk.clients:
        beneath = _reach(client, path)
        if beneath is not None:  # as it is once mistralai has closed it
            yield beneath


def _reach(client: Any, path: str) -> Any:
    return reduce(getattr, filter(None, path.split(".")), client)


def guard(client: _Guardable, policy: Policy | None = None) -> _Guardable:
    """Guard a client in place: what it builds and sends is judged from now on.

    The object stays the same, and an instance of its class: it gets a subclass of that class, of
    the same name. Guarding again with the same policy does nothing, with another replaces it.

    Args:
        client: A `Client` or `AsyncClient` of httpx or httpx2, or a client of an SDK that Stainless
            (openai, anthropic, groq, together, cerebras, ...), Fern (cohere, elevenlabs, deepgram,
            ...) or Speakeasy (mistralai) made; or of a subclass. An SDK's copies of its client
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
        if sdk.encoder is not None:
            encoder = _reach(client, sdk.encoder)
            kind = original_of(type(encoder)) or type(encoder)
            parts = _stainless_parts if sdk.is_stainless else _fern_parts
            become(encoder, guarded_class(kind, policy, parts))
    elif is_http_client(original):
        guard_http(client, policy)
    else:
        raise TypeError(
            "guard() takes a client of httpx or httpx2 (Client, AsyncClient) or of "
            f"{', '.join(SDKS)} or another SDK of that make, not a {_name(original)}; "
            "write guard(httpx.Client())."
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
    if sdk.encoder is not None:
        encoder = _reach(client, sdk.encoder)
        original = original_of(type(encoder))
        if original is not None:
            become(encoder, original)
    return client


def _fern_parts(original: Any, policy: Policy) -> tuple[type, dict[str, Any]]:
    """Return the base and the attributes of a guarded class of a Fern-made SDK's encoders."""
    from body_guard.integrations.fern import methods

    library: Any = sys.modules["httpx"]  # which all of them stand on
    return _unannounced(original), methods(original, Guard(library, policy))


def _unannounced(original: type) -> type:
    """Return the base of a guarded class that keeps it from an ``__init_subclass__``."""
    # An object takes another class only where the first bases of the two begin at the same one.
    base: Any = original
    while base.__base__ not in (object, Generic):
        base = base.__base__

    class Unannounced(base):  # type: ignore[misc]
        """Keeps a guarded class from an ``__init_subclass__`` of the SDK's or the user's."""

        def __init_subclass__(cls, **options: Any) -> None:
            if ORIGINAL not in vars(cls):
                super().__init_subclass__(**options)

    return Unannounced


def _stainless_parts(original: Any, policy: Policy) -> tuple[type, dict[str, Any]]:
    """Return the base and the attributes of a guarded class of a Stainless-made SDK's clients."""
    # Imported here: with uuid and decimal it would be an eighth of the time of `import body_guard`.
    from body_guard.integrations.stainless import methods

    sdk: Any = sdk_of(original)
    library: Any = sys.modules.get("httpx") or sys.modules["httpx2"]  # others are seen by request

    @wraps(original.__init__)  # with its signature: openai asks a class for it before it copies
    def __init__(self: Any, *args: Any, **options: Any) -> None:  # noqa: N807
        original.__init__(self, *args, **options)
        for http in http_clients(self, sdk):
            if issubclass(type(http), ClientDoor):  # of the client that this is a copy of, or own
                share(http, self)
            else:
                hold(http, self, policy)

    attributes = {"__init__": __init__, **methods(original, Guard(library, policy), sdk.name)}
    return _unannounced(original), attributes


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
