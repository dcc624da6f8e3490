"""Which HTTP client an installed SDK takes, and what to guard it with: rows for the doctor."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from typing import TYPE_CHECKING, Final

from body_guard.integrations.sdks import SDKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from body_guard.integrations.sdks import SDK

__all__ = ["CAPTION", "HEADS", "families", "rows"]

CAPTION: Final = (
    "SDKs: body_guard.guard(client) sees what its column says; an HTTP client of the kind that the "
    "SDK takes, built guarded and passed as the argument, sees keys."
)

#: Short, since 80 columns are to hold what is below them.
HEADS: Final = ("SDK", "argument", "takes, of body_guard", "guard() sees")

_GUARDED: Final = {
    "httpx": "GuardedClient()",
    "httpx2": "httpx2.GuardedClient()",
}


def families(sdk: SDK) -> tuple[str, ...]:
    """Return the HTTP libraries whose clients the installed SDK takes, its own first."""
    needed = [
        re.split(r"[^\w-]", line)[0]
        for line in requires(sdk.distribution) or ()
        if "extra" not in line
    ]
    own = [name for name in _GUARDED if name in needed]
    knows_both = "httpx2" in [*own, *(metadata(sdk.distribution).get_all("Provides-Extra") or ())]
    if sdk.takes_both and knows_both:
        own += [name for name in _GUARDED if name not in own]
    return tuple(own)


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Return a row for each SDK that is installed here, in the order of `HEADS`."""
    for sdk in SDKS.values():
        try:
            taken = families(sdk)
        except PackageNotFoundError:
            continue
        yield (
            f"{sdk.distribution} {version(sdk.distribution)}",
            sdk.arguments[0],
            "\n".join([_GUARDED[name] for name in taken]),
            "keys" if sdk.encoder is None else "objects",
        )
