"""The fast path: prove that a value is plain data, encode it, see that no name is forbidden.

One name, or several that begin alike, are searched for in the text. For a search of many the text
is too long: then the names of the dicts are looked at, which are few and not to be parsed. So that
a name which another thread adds does not leave, they are taken in the same moment as the encoding:
in calls of C alone, between which the interpreter lets no other thread run.
"""

from __future__ import annotations

import gc
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from body_guard.core.encode import encode, orjson_dumps
from body_guard.core.names import Names
from body_guard.core.parsed import parsed_with_names
from body_guard.core.proof import Seen, proof_of
from body_guard.core.spelling import encodable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from body_guard.core.prefilter import Prefilter
    from body_guard.core.proof import Proof
    from body_guard.core.rules import Rule

__all__ = ["FastPath"]

_Text = TypeVar("_Text", str, bytes)

#: Members of one dict, whose names differ, up to which looking at each is faster than a search.
_FEW_NAMES: Final = 2000

_call: Final[Any] = partial.__call__


class FastPath:
    """What rules forbid, for values that are likely to hold none of it.

    Args:
        rules: The rules.
        prefilter: Their names, for a search in text.
    """

    __slots__ = ("_names", "_prefilter")

    def __init__(self, rules: Iterable[Rule], prefilter: Prefilter) -> None:
        self._prefilter = prefilter
        self._names = Names(rules)

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
        try:
            content, names = _encoded(value, proof, seen)
            if len(content) > most:
                return None
            found = None if names is None else self._names.among(names)
            if not (self._prefilter.finds(content) if found is None else found):
                return content
            if whole and self._stand_elsewhere(found, value, most):
                return content if encode(value, proof) == content else None
        except (TypeError, ValueError, RuntimeError):  # or another thread changed the value
            pass
        return None

    def written(
        self,
        body: object,
        most: int,
        write: Callable[[object], _Text],
        may_write: Callable[[object], bool] | None = None,
    ) -> _Text | None:
        """Let somebody else's encoder write plain data in which no name is forbidden.

        Args:
            body: Anything; none of its code is run.
            most: Bytes that its encoding may have.
            write: The encoder.
            may_write: Tells of what is not proved whether it may be given to the encoder.

        Returns:
            What it gives; None where only a walk can tell.
        """
        __tracebackhide__ = True
        seen = Seen()
        if not proof_of(body, most, seen):
            if may_write is None or not may_write(body):
                return None
            seen = Seen()
        try:
            text, names = _with_names(partial(write, body), seen)
            if len(text) > most or not _is_sound(text):
                return None
            found = None if names is None else self._names.among(names)
            if not (self._may_hold(text) if found is None else found):
                return text
            if self._stand_elsewhere(found, body, most):
                return text if write(body) == text else None
        except (TypeError, ValueError, RuntimeError):
            pass
        return None

    def passes(self, text: bytes) -> bool:
        """Tell of JSON text with forbidden names whether no rule holds for them where they stand.

        Args:
            text: JSON in UTF-8, without a byte order mark.

        Returns:
            False where only a scan can tell; so it is of what is no JSON.
        """
        __tracebackhide__ = True
        if not self._names.bound:
            return False
        try:
            value, names = parsed_with_names(text)
        except (ValueError, RecursionError):
            return False
        return not self._names.stand(self._names.among(names), value)

    def _may_hold(self, text: str | bytes) -> bool:
        content = text.encode() if isinstance(text, str) else text
        return self._prefilter.suspects(content) is not None

    def _stand_elsewhere(self, names: set[str] | None, body: object, most: int) -> bool:
        """Tell whether no rule holds for the forbidden names in a body, where they stand.

        What is seen is the body as it is now. Where it then still encodes to the same, that is
        what was encoded.

        Args:
            names: The forbidden ones; None if they are not known.
            body: The body.
            most: As in `encoded`.
        """
        __tracebackhide__ = True
        if not self._names.bound:
            return False
        if names is None:
            seen = Seen()
            if not proof_of(body, most, seen) or not seen.containers:
                return False
            names = self._names.among(set().union(*_dicts(seen)))
        return not self._names.stand(names, body)


def _encoded(value: object, proof: Proof, seen: Seen | None) -> tuple[bytes, set[str] | None]:
    """Encode plain data, and give the names of its members where `_with_names` does."""
    __tracebackhide__ = True
    dumps = orjson_dumps() if proof == "orjson" and seen else None
    if dumps is not None and seen is not None:
        try:
            return _with_names(partial(dumps, value), seen)
        except TypeError:  # an int that is for json; or what nothing writes, as it will say
            pass
    return encode(value, proof), None


def _with_names(write: partial[_Text], seen: Seen) -> tuple[_Text, set[str] | None]:
    """Let plain data be written, and give the names of its members.

    Args:
        write: What writes it; in the same moment, if it is a function of C.
        seen: What the proof looked at.

    Returns:
        The text. The names that are in it; None where asking for them takes longer than a search,
        or another thread changed the value after the proof.
    """
    __tracebackhide__ = True
    dicts = _dicts(seen)
    many = len(seen.members) > _FEW_NAMES and max(map(len, dicts), default=0) > _FEW_NAMES
    if many or not seen.containers:
        return write(), None
    names: set[str] = set()
    # One instruction: what other threads change, they change before it or after it. (Before CPython
    # 3.12, a collection within may run a finalizer.)
    text, _, members = map(
        _call, (write, partial(names.update, *dicts), partial(gc.get_referents, *seen.containers))
    )
    # The same members: so there is no container at any depth whose names were not taken.
    return text, names if members == seen.members else None


def _is_sound(text: str | bytes) -> bool:
    return isinstance(text, bytes) or text.isascii() or encodable(text)


def _dicts(seen: Seen) -> list[dict[str, Any]]:
    return [container for container in seen.containers if type(container) is dict]
