"""The compiled pass, where it was built; `body_guard.core` does without it where it was not."""

from collections.abc import Mapping
from typing import Final, final

#: A flag of a key table's value: the member is removed, wherever it stands.
CUT: Final[int]
#: The bits of a value below the index, which is the caller's own and begins with 1.
INDEX_SHIFT: Final[int]

@final
class KeyTable:
    """The member names that rules mention, each with a value.

    Args:
        names: The values of exact names, all positive and of at most 32 bits.
        prefixes: The values of beginnings of names.

    Raises:
        ValueError: A value is out of range, a prefix is empty, or two keys have one text.
    """

    def __new__(cls, names: Mapping[str, int], prefixes: Mapping[str, int]) -> KeyTable: ...
    def find(self, name: str | bytes, /) -> int:
        """Return the value of a name, given as str or as UTF-8; 0 if it matches nothing.

        That of the exact name, else that of the longest prefix.
        """
