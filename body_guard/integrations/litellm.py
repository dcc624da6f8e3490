"""litellm, guarded where it makes its bodies, and then on every httpx client it has.

``litellm.client_session = GuardedClient()`` sees the bytes of the OpenAI SDK's traffic alone, and
prevents no crash: litellm and the SDK serialize before httpx is reached. `install` guards where the
body is still an object:

* its ``json.dumps``, in the modules that make bodies, before SigV4 signs, and ``copy.deepcopy``;
* the ``json=`` of its HTTP handlers, and ``data=`` of its aiohttp handler;
* the OpenAI SDK's encoding step;
* the Rust engine's steps before and after it makes a body;
* and, for bytes, the request event hooks of every httpx client it makes or has.

Its ``json.dumps`` is replaced in the json module, by a function that looks at its caller, and not
in each of some 140 modules. That is one name, replaced and restored in one step from any thread. It
also covers a function's own ``import json`` (the batches of Bedrock sign such a body) and modules
that are imported later. It costs about 0.3 us per call of ``json.dumps`` anywhere in the process.
"""

from __future__ import annotations

import importlib.metadata
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from body_guard.patches.locks import Lock
from body_guard.patches.patch import Coverage, Door, Patch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from body_guard.http.request_guard import Guard
    from body_guard.policy import Policy

__all__ = ["Coverage", "Door", "coverage", "install", "uninstall"]


class _Installation:
    """What is installed in this process: the current guard, and the patches that ask for it."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.guard: Guard | None = None
        self.net: Any = None
        self.callback: Any = None
        self.patches: tuple[Patch, ...] = ()

    def current(self) -> Guard | None:
        return self.guard

    def prepare(self) -> None:
        if not self.patches:
            from body_guard.integrations._litellm_clients import ClientNet
            from body_guard.integrations._litellm_copies import CopyPatch
            from body_guard.integrations._litellm_hooks import hooks
            from body_guard.integrations._litellm_rust import LastCallback, has_engine

            self.net = ClientNet(self.current)
            self.callback = LastCallback(self.current) if has_engine() else None
            patches = (Patch(hook, self.current) for hook in hooks(self.net))
            self.patches = (*patches, CopyPatch(self.current))

    def doors(self) -> tuple[Door, ...]:
        """Return every door, and then the routes of the Rust engine."""
        doors = tuple(patch.door() for patch in self.patches)
        if self.callback is None:
            return doors
        from body_guard.integrations._litellm_rust import routes

        doors = (*doors, self.callback.door())
        return (*doors, *routes(doors))


_installation: Final = _Installation()


def install(policy: Policy | None = None) -> None:
    """Guard litellm in this process, from now on and until `uninstall`.

    It can be called at any time, from any thread: before or after the first call, another
    library's patches, or litellm's own lazy imports. Again with the same policy it guards what is
    new (a ``client_session`` set since); another policy replaces the first. A session or an SDK's
    client that has a guard of its own keeps it, and this policy is applied too: where the two
    differ, a request has more than one report.

    Args:
        policy: What must not leave; the default policy when None.

    Raises:
        ImportError: litellm is not installed.
    """
    try:
        litellm = import_module("litellm")
    except ModuleNotFoundError as error:
        if error.name != "litellm":
            raise
        raise ImportError("litellm is not installed: pip install 'body-guard[litellm]'") from None
    import httpx

    from body_guard.http.request_guard import Guard

    guard = Guard(httpx, policy)
    with _installation.lock:
        _installation.prepare()
        _installation.guard = guard
        for patch in _installation.patches:
            patch.apply()
        _installation.net.start(litellm)
        if _installation.callback is not None:
            _installation.callback.start()


def uninstall() -> None:
    """Restore every name of litellm, the OpenAI SDK and json, and their clients."""
    with _installation.lock:
        _installation.guard = None
        for patch in reversed(_installation.patches):
            patch.restore()
        if _installation.net is not None:
            _installation.net.stop()
        if _installation.callback is not None:
            _installation.callback.stop()


def coverage() -> Coverage:
    """Return which places of litellm are guarded; nothing is imported or changed to find it out."""
    with _installation.lock:
        doors = _installation.doors()
    return Coverage(
        doors or (Door("litellm", False, "not installed: call install()"),), tuple(_warnings(doors))
    )


def _warnings(doors: tuple[Door, ...]) -> Iterator[str]:
    for door in doors:
        if door.name.startswith("Rust: ") and not door.hooked:
            route = door.name.removeprefix("Rust: ")
            yield f"litellm's Rust engine sends {route} past Python's clients: {door.why}."
    for present, sentence in _NOT_COVERED:
        if present():
            yield sentence


def _is_installed(distribution: str) -> bool:
    try:
        importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


#: What is not sent over httpx: whether it can happen in this process, and the warning.
_NOT_COVERED: Final[tuple[tuple[Callable[[], bool], str], ...]] = (
    (
        lambda: _is_installed("boto3"),
        "boto3 sends SageMaker embeddings, Bedrock batches and files itself; a body is guarded "
        "only where litellm makes it a string first.",
    ),
    (
        lambda: _is_installed("websockets"),
        "websockets carry the realtime APIs and are not guarded.",
    ),
    (
        lambda: _is_installed("google-cloud-aiplatform"),
        "The Vertex SDK sends the bodies of non-Gemini Vertex models itself, over gRPC.",
    ),
)
