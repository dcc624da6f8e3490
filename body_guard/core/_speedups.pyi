"""The compiled pass, where it was built; `body_guard.core` does without it where it was not."""

from collections.abc import Mapping
from typing import Final, TypeAlias, final

#: A flag of a key table's value: the member is removed, wherever it stands.
CUT: Final[int]

#: Flags of `encode`: write characters beyond ASCII as escapes; return None for what json cannot
#: write, rather than remove it; return None for values of classes that are not json's own; do not
#: look for cycles, and for containers that unfold, in a value that was walked.
ENSURE_ASCII: Final[int]
HAND_BACK_UNSERIALIZABLE: Final[int]
HAND_BACK_FOREIGN: Final[int]
UNFOLD: Final[int]

#: Codes of records.
PLACE: Final[int]
UNSERIALIZABLE: Final[int]
HELD: Final[int]
BAD_KEY: Final[int]
NON_FINITE: Final[int]
SURROGATE: Final[int]

#: Code, place, key, type, start, end: something that was found, or the place of what follows.
#:
#: The code is one of the above, or the value of the member's name. The place is 1 + the index of
#: the record of the container around it, 0 for the body as a whole. The key is the member's name,
#: an element's index, or None for a member whose key is no name. The type is the value's, of
#: ``BAD_KEY`` the key's, of ``PLACE`` none. Start and end, in bytes of the output, are those of the
#: member that was written, without separators, for a name and for ``HELD`` (what json cannot write
#: under such a name: null stands there); elsewhere both are where it stands, or would.
Record: TypeAlias = tuple[int, int, str | int | None, type, int, int]

@final
class KeyTable:
    """What `key_table` returns: a capsule, of which nobody else can make one."""

def key_table(names: Mapping[str, int], prefixes: Mapping[str, int], /) -> KeyTable:
    """Return the member names that rules mention, each with a value, as a table.

    A name has the value of the exact name that it is, else of the longest prefix that it begins
    with, else 0.

    Args:
        names: The values of exact names, all positive and of at most 32 bits.
        prefixes: The values of beginnings of names.

    Raises:
        OverflowError: A value is negative, or has more than 64 bits.
        ValueError: A value is 0 or has more than 32 bits, or a prefix is empty.
    """

def encode(
    value: object,
    keys: KeyTable,
    max_bytes: int,
    flags: int,
    item_separator: str,
    key_separator: str,
    /,
) -> tuple[bytes, list[Record] | None] | None:
    """Encode a value less the members that are to be cut, and less what json cannot write.

    No Python code runs between the first look at the value and the last byte.

    Args:
        value: Anything.
        keys: The names to cut (`CUT`), or to note.
        max_bytes: What the text may come to.
        flags: `ENSURE_ASCII` and the like, together.
        item_separator: As of `json.dumps`.
        key_separator: The same.

    Returns:
        The text and the records of what was found, in the order of the body, if anything was; None
        where the walk has to decide.

    Raises:
        MemoryError: There is no room for the text.
    """

def scan(
    text: bytes, keys: KeyTable, start: int, records: bool, /
) -> tuple[bytes, bytes] | int | None:
    """Find the members of JSON text whose names are in a table.

    Names are compared decoded. Inside a member whose value has the flag `CUT` none is found.

    Args:
        text: JSON in UTF-8. Whether it is valid UTF-8 is not asked.
        keys: The names.
        start: Where the text begins.
        records: Whether there are several texts, with space or record separators between them.

    Returns:
        None when there is none. A number when the text cannot be read: the byte where it stops
        being JSON; negative, the byte at which it goes deeper than a million levels. Otherwise rows
        of native 64-bit integers, as bytes:

        Containers, each once, what is around it first: the row of the container around it, or -1;
        and its place in that one, the index of an element, or ``~offset`` of the first quote of a
        member's name. For an outermost one, the index of its text.

        Members, in the order of the text: the row of the container; how many members come before
        it there; the value of its name; the offsets of the first quote of its name, of its value,
        and of the end of its value.
    """
