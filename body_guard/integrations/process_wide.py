"""install, uninstall and coverage: the clients of this process, whoever made them.

What is guarded stands in rows, one for a library. `ALWAYS` are those of the default; those of
`BESIDE` are asked for by name, since a library beneath many others carries much that is none of
httpx's users' business.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from body_guard.integrations import (
    aiohttp,
    botocore,
    fern,
    google_genai,
    mcp,
    qdrant,
    requests,
    speakeasy,
    stainless,
    urllib3,
)
from body_guard.patches.http_libraries import http_row
from body_guard.patches.patch import Coverage, Door
from body_guard.patches.process import Installation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from body_guard.patches.process import Row
    from body_guard.policy import Policy

__all__ = ["coverage", "install", "uninstall", "unwatch", "watch"]

ALWAYS: Final[tuple[Row, ...]] = (
    http_row("httpx"),
    http_row("httpx2"),
    stainless.ROW,
    fern.ROW,
    speakeasy.ROW,
    google_genai.ROW,
    qdrant.ROW,
    mcp.ROW,
)

BESIDE: Final[dict[str, Row]] = {
    row.library: row for row in (requests.ROW, urllib3.ROW, aiohttp.ROW, botocore.ROW)
}

#: What no row guards, by the module that sends it.
_NOT_COVERED: Final = {
    "grpc": "grpc is imported: the messages that it sends are no JSON, and are not judged.",
    "slack_sdk": "slack_sdk is imported: it sends by urllib, which is not guarded.",
    "websockets": "websockets is imported: the frames that it sends are not judged.",
}
#: What sends; the encoders of SDKs do not.
_SENDERS: Final = (*(row for row in ALWAYS if row is not stainless.ROW), *BESIDE.values())

_installation: Final = Installation(ALWAYS)


def install(policy: Policy | None = None, *, libraries: Iterable[str] = ()) -> None:
    """Guard every client of httpx and httpx2 in this process, from now on and until `uninstall`.

    That includes clients that exist, ``httpx.post`` and the like, and a library that is imported
    later. The encoders of SDKs that encode a body before they call httpx are guarded too, so that a
    live object is taken out. A client with a guard of its own is judged by that one alone. It can
    be called at any time, from any thread, before or after the patches of others; again with the
    same arguments does nothing, with others replaces policy and libraries.

    Args:
        policy: What must not leave; the default policy when None.
        libraries: What is guarded beside them: some of ``"requests"``, ``"urllib3"``,
            ``"aiohttp"`` and ``"botocore"``, or ``"all"``.

    Raises:
        TypeError: It is no policy.
        ValueError: There is no such library.
    """
    _installation.install(policy, (*ALWAYS, *_rows(libraries)))


def _rows(libraries: Iterable[str]) -> Iterator[Row]:
    if libraries == "all":
        yield from BESIDE.values()
        return
    names = (libraries,) if isinstance(libraries, str) else tuple(libraries)
    for name in names:
        if name not in BESIDE or names == (libraries,):
            known = ", ".join(f'"{each}"' for each in BESIDE)
            raise ValueError(
                f'libraries takes "all" or a tuple of some of {known}, not {libraries!r}.'
            )
        yield BESIDE[name]


def uninstall() -> None:
    """Restore every name that `install` replaced.

    Where a later patch wraps one, it passes through. Clients and transports keep guards of their
    own.
    """
    _installation.uninstall()


def watch() -> None:
    """Have the bodies of every library that can be guarded be observed, until `unwatch`.

    Nothing is judged or changed that was not before.
    """
    _installation.watch(_SENDERS)


def unwatch() -> None:
    """Undo one `watch`."""
    _installation.unwatch(_SENDERS)


def coverage() -> Coverage:
    """Return which names are guarded, and what goes past; nothing is imported to find it out."""
    doors = _installation.doors()
    why = "not installed: call install()"
    if _installation.copies():
        why = "installed by a copy of body_guard from before a reload: install() replaces it"
    return Coverage(tuple(doors) or (Door("httpx", False, why),), tuple(_warnings()))


def _warnings() -> Iterator[str]:
    for name, row in BESIDE.items():
        if row.module in sys.modules and not _installation.guards(name):
            yield (
                f"{name} is imported and not guarded: "
                f'call body_guard.install(libraries=("{name}",)).'
            )
    for module, sentence in _NOT_COVERED.items():
        if module in sys.modules:
            yield sentence
