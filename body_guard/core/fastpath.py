"""The fast path: prove that a value is plain data, encode it, see that no name is forbidden.

One name, or several that begin alike, are searched for in the text. For a search of many the text
is too long: then the names of the dicts are looked at, which are few and not to be parsed. So that
a name which another thread adds does not leave, they are taken in the same moment as the encoding:
in calls of C alone, between which the interpreter lets no other thread run.
"""

from __future__ import annotations

import gc
from functools import partial
from operator import is_
from typing import TYPE_CHECKING, Any, Final, TypeVar

from body_guard.core.encode import encode, orjson_dumps
from body_guard.core.names import Names
from body_guard.core.parsed import parsed_with_names
from body_guard.core.proof import Seen, proof_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from body_guard.core.prefilter import Prefilter
    from body_guard.core.rules import Matcher

__all__ = ["FastPath"]

_Text = TypeVar("_Text", str, bytes)

#: Bytes that are parsed to see where names stand; of small containers, 25 times that in memory.
_MOST_PARSED: Final = 2**20

_call: Final[Any] = partial.__call__


class FastPath:
    """What rules forbid, for values that are likely to hold none of it.

    Args:
        matcher: The rules.
        prefilter: Their names, for a search in text.
    """

    __slots__ = ("_names", "_prefilter")

    def __init__(self, matcher: Matcher, prefilter: Prefilter) -> None:
        self._prefilter = prefilter
        self._names = Names(matcher)

    def encoded(self, value: object, most: int, *, whole: bool = False) -> bytes | None:
        """Encode plain data in which no name is forbidden.

        Args:
            value: Anything; none of its code is run.
            most: Bytes that its encoding may have.
            whole: Whether this is the body, and not something within it.

        Returns:
            The bytes that `encode` gives; None where only a walk can tell.
        """
        __tracebackhide__ = True
        seen = Seen() if self._prefilter.many else None
        proof = proof_of(value, most, seen)
        if not proof:
            return None
        dumps = orjson_dumps() if proof == "orjson" and seen is not None else None
        judged = None
        try:
            if dumps is not None and seen is not None and seen.containers:
                judged = self._by_names(partial(dumps, value), seen, value if whole else None)
            if judged is None:
                content = encode(value, proof)
                clean = not self._prefilter.finds(content) or (whole and self.passes(content))
                judged = content, clean
        except (TypeError, ValueError, RecursionError):  # another thread changed the value
            return None
        content, clean = judged
        return content if clean and len(content) <= most else None

    def written(
        self,
        body: object,
        most: int,
        write: Callable[[object], _Text],
        may_write: Callable[[object], bool] | None = None,
    ) -> _Text | None:
        """Let somebody else's encoder write plain data in which no name is forbidden.

        Such an encoder is a function of Python: where names are looked at, and not the text,
        another thread can add one and take it away in the instant around the encoding. What
        judges the bytes of the request will see it.

        Args:
            body: Anything; none of its code is run.
            most: Bytes that its encoding may have.
            write: The encoder.
            may_write: Tells of what is not proved whether it may be given to the encoder.

        Returns:
            What it gives; None where only a walk can tell.
        """
        __tracebackhide__ = True
        seen = Seen() if self._prefilter.many else None
        if not proof_of(body, most, seen):
            if may_write is None or not may_write(body):
                return None
            seen = None
        try:
            text, names = _with_names(partial(write, body), seen)
            content = _utf8(text)
            if names is None:
                found = self._prefilter.finds(content)
            else:
                found = bool(self._names.among(names))
            return text if len(content) <= most and (not found or self.passes(content)) else None
        except (TypeError, ValueError, RecursionError):
            return None

    def passes(self, text: bytes) -> bool:
        """Tell of JSON text with forbidden names whether no rule holds for them where they stand.

        Args:
            text: JSON in UTF-8, without a byte order mark.

        Returns:
            False where only a scan can tell; so it is of long text, and of what is no JSON.
        """
        __tracebackhide__ = True
        if not self._names.bound or len(text) > _MOST_PARSED:
            return False
        try:
            value, names = parsed_with_names(text)
        except (ValueError, RecursionError):
            return False
        return not self._names.stand(self._names.among(names), value)

    def _by_names(
        self, write: partial[bytes], seen: Seen, body: object
    ) -> tuple[bytes, bool] | None:
        """Encode plain data, and judge the names that it has in this moment.

        Args:
            write: What writes it, a function of C.
            seen: What the proof looked at.
            body: What is written, if it is the body.

        Returns:
            The encoding, and whether it is clean; None where it is for json to write, or another
            thread changed it after the proof.
        """
        __tracebackhide__ = True
        try:
            content, names = _with_names(write, seen)
        except TypeError:  # an int that is for json; or what nothing writes, as it will say
            return None
        if names is None:
            return None
        found = self._names.among(names)
        if not found or body is None or not self._names.bound:
            return content, not found
        # Once more, and where they stand in this moment.
        content, copies = _with_copies(write, seen)
        if copies is None:
            return None
        names = set().union(*[copy for copy in copies.values() if type(copy) is dict])
        return content, not self._names.stand(self._names.among(names), body, copies)


def _with_names(write: partial[_Text], seen: Seen | None) -> tuple[_Text, set[str] | None]:
    """Let plain data be written, and give the names of its members.

    Args:
        write: What writes it; in the same moment, if it is a function of C.
        seen: What the proof looked at, if that was kept.

    Returns:
        The text. The names that are in it; None where what the proof looked at was not kept, or
        another thread changed the value after it.
    """
    __tracebackhide__ = True
    if seen is None or not seen.containers:
        return write(), None
    names: set[str] = set()
    dicts = [container for container in seen.containers if type(container) is dict]
    # One instruction: what other threads change, they change before it or after it. (Before CPython
    # 3.12, a collection within may run a finalizer.)
    text, _, members = map(
        _call, (write, partial(names.update, *dicts), partial(gc.get_referents, *seen.containers))
    )
    return text, names if _same(members, seen.members) else None


def _with_copies(write: partial[bytes], seen: Seen) -> tuple[bytes, dict[int, Any] | None]:
    """Let plain data be written, and give copies of its containers by their ids; as `_with_names`.

    A copy holds what the container held. What that itself held, its own copy does.
    """
    __tracebackhide__ = True
    dicts: list[Any] = [container for container in seen.containers if type(container) is dict]
    lists: list[Any] = [container for container in seen.containers if type(container) is list]
    moment: tuple[partial[Any], ...] = (
        write,
        partial(list, map(dict.copy, dicts)),
        partial(list, map(list.copy, lists)),
        partial(gc.get_referents, *seen.containers),
    )
    text, of_dicts, of_lists, members = map(_call, moment)
    if not _same(members, seen.members):
        return text, None
    return text, dict(zip(map(id, [*dicts, *lists]), [*of_dicts, *of_lists], strict=True))


def _utf8(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _same(members: list[Any], others: list[Any]) -> bool:
    """Tell whether there is no container at any depth but those that were looked at."""
    __tracebackhide__ = True
    return len(members) == len(others) and all(map(is_, members, others))
