"""Which containers of a dirty body need no walk: those whose encoding is proved and holds nothing.

One dirty place in a large body leaves the rest of it plain. What a proof, an encoding and a search
take is a fraction of what walking takes, so a walk asks here before it goes into a container.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from body_guard.core.encode import fast
from body_guard.core.proof import proof_of

if TYPE_CHECKING:
    from body_guard.core.prefilter import Prefilter

__all__ = ["LEVELS", "Leaves"]

#: Levels of a body down to which a walk asks. What is proved is at most 250 levels deep, so what
#: stands so far up is never what makes a body too deep for the encoders.
LEVELS: Final = 8

#: How many containers may turn out not to be plain. A look in vain costs what one look at the
#: whole body costs at most, and is repeated in what is below; so this bounds the time of a walk.
_MOST_MISSES: Final = 6


class Leaves:
    """What one walk knows of containers it need not go into.

    Args:
        prefilter: The names that are looked for.
        most: Bytes that the body may have, encoded. What is looked at with success is part of it,
            at each of its places, so together it is no more than this.
    """

    __slots__ = ("_dumps", "_misses", "_most", "_prefilter")

    def __init__(self, prefilter: Prefilter, most: int) -> None:
        self._prefilter = prefilter
        self._most = most
        self._dumps = fast()  # without it, walking costs less than writing twice
        self._misses = 0

    def size(self, container: object) -> int:
        """Give the bytes of a container's encoding, or 0 where only a walk can judge it.

        Args:
            container: A dict, list or tuple of that very type.
        """
        if self._dumps is None or self._misses >= _MOST_MISSES:
            return 0
        self._misses += 1
        if proof_of(container, self._most) != "orjson":
            return 0
        try:
            content = self._dumps(container)
        except TypeError:  # a lone surrogate, an integer of more than 64 bits
            return 0
        size = len(content)
        if size > self._most or self._prefilter.finds(content):
            return 0
        self._most -= size
        self._misses -= 1
        return size
