"""Fuzz target: the compiled encoder gives what the walk and json give, or hands the value back.

``.ci/fuzz encode`` runs it.
"""

from __future__ import annotations

import contextlib
import sys

from agreement import STYLES, agrees
from fuzz.values import POLICIES, Reader, value_of


def check(data: bytes) -> None:
    """Build a value, a policy and a style of the bytes, and compare."""
    reader = Reader(data)
    policy, style = reader.one_of(POLICIES), reader.one_of((*STYLES.values(),))
    with contextlib.suppress(
        RecursionError
    ):  # the plain path may refuse what its stack cannot hold
        agrees(value_of(reader), policy, style)


if __name__ == "__main__":
    import atheris

    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
