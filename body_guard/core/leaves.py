"""What is plain in a dirty body: proved, encoded and searched at once, so that no walk goes there.

One dirty place in a large body leaves the rest of it plain, and what a proof, an encoding and a
search take is a fraction of what walking takes. So a walk asks here before it goes into a
container. Where the walk is for encoding, a short text stands for the container in what is left of
the body, and its encoding is put in for that at the end: nothing is encoded or searched twice, and
what another thread does to the container meanwhile does not leave.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from body_guard.core.fastpath import FastPath

__all__ = ["LEVELS", "Leaves", "is_stub"]

#: Levels of a body down to which a walk asks. What is proved is at most 900 levels deep, so what
#: stands so far up is never what makes a body too deep for the encoders.
LEVELS: Final = 8

#: How many containers may turn out not to be plain. A look in vain costs what a look at the whole
#: body costs at most, and is repeated in what is below; so this bounds the time of a walk.
_MOST_MISSES: Final = 4

_STUB: Final = "\ue000leaf %d\ue000"  # of the private use area: no encoder escapes it
_stubs: Final = re.compile('"\ue000leaf ([0-9]+)\ue000"'.encode())


class Leaves:
    """The containers that one walk need not go into.

    Args:
        fast: The fast path.
        most: Bytes that the body may have, encoded. What is taken as a leaf is part of it, so all
            together is no more than this.
        stand_in: Whether stubs are to stand for leaves.
    """

    __slots__ = ("_contents", "_fast", "_misses", "_most", "_stand_in")

    def __init__(self, fast: FastPath, most: int, *, stand_in: bool) -> None:
        self._fast = fast
        self._most = most
        self._stand_in = stand_in
        self._contents: list[bytes] = []
        self._misses = 0

    def take(self, container: object) -> tuple[int, object]:
        """Take a container as a leaf, if it is one.

        Args:
            container: A dict, list or tuple of that very type.

        Returns:
            The bytes of its encoding, and what stands for it: its stub, or itself. 0 bytes where
            only a walk can judge it.
        """
        __tracebackhide__ = True
        if self._misses >= _MOST_MISSES:
            return 0, container
        content = self._fast.encoded(container, self._most)
        if content is None:
            self._misses += 1
            return 0, container
        self._most -= len(content)
        if not self._stand_in:
            return len(content), container
        self._contents.append(content)
        return len(content), _STUB % (len(self._contents) - 1)

    def joined(self, content: bytes, count: int) -> bytes | None:
        """Put leaves in for their stubs.

        Args:
            content: The encoding of what a walk left.
            count: How many stubs the walk put there.

        Returns:
            The encoding with them; None where the body has text of its own that looks like a stub.
        """
        __tracebackhide__ = True
        pieces = _stubs.split(content)
        if len(pieces) != 2 * count + 1:
            return None
        pieces[1::2] = [self._contents[int(number)] for number in pieces[1::2]]
        return b"".join(pieces)


def is_stub(value: object) -> bool:
    """Tell whether a value is what stands for a leaf, or a text that looks like it."""
    return type(value) is str and value.startswith(_STUB[:5])
