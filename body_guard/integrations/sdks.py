"""The SDKs that `guard` takes: a table, a row per SDK. None is imported."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SDK", "SDKS", "http_clients", "sdk_base", "sdk_of"]


@dataclass(frozen=True, slots=True)
class SDK:
    """What has to be known of an SDK to guard its clients.

    Attributes:
        name: Of its package, and of its distribution.
        bases: A class of the package by one of these names is among the bases of every client.
        clients: Where a client keeps its HTTP clients.
        arguments: The constructor's names for them.
        is_stainless: Whether Stainless made it, so that a body can be judged as the object it is
            where the SDK takes its options. Of others, the HTTP client sees what they encoded.
        takes_both: Whether it takes clients of httpx and of httpx2, once it knows httpx2.
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
        # Speakeasy's: pydantic writes the body, in one step with the check of its types.
        SDK(
            "mistralai",
            bases=("BaseSDK",),
            clients=("sdk_configuration.client", "sdk_configuration.async_client"),
            arguments=("client", "async_client"),
            is_stainless=False,
        ),
        # Fern's: a live object becomes a dict of its attributes before json= is given to httpx.
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
    base = sdk_base(kind)
    return None if base is None else SDKS[_package(base)]


def sdk_base(kind: type) -> type | None:
    """Return what all clients of an SDK are based on; None where this is no such client."""
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
