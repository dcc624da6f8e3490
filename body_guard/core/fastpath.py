"""The fast path: prove that a value is plain data, encode it, see that no name is forbidden.

One name, or several that begin alike, are searched for in the text. For a search of many the text
is too long: then the names of the dicts are looked at, which are few and not to be parsed. So that
a name which another thread adds does not leave, they are taken in the same moment as the encoding:
in calls of C alone, between which the interpreter lets no other thread run.
"""

from __future__ import annotations

import gc
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from body_guard.core.encode import encode, orjson_dumps
from body_guard.core.names import Names
from body_guard.core.proof import Seen, proof_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from body_guard.core.prefilter import Prefilter
    from body_guard.core.proof import Proof
    from body_guard.core.rules import Rule

__all__ = ["FastPath"]

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
        self._names = Names(rules) if prefilter.many else None

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
        seen = Seen() if self._names else None
        proof = proof_of(value, most, seen)
        if not proof:
            return None
        try:
            content, names = _encoded(value, proof, seen)
            if len(content) > most:
                return None
            if self._names is None or names is None:
                found = self._prefilter.finds(content)
            else:
                found = bool(self._names.among(names))
            if found and not (whole and self._stands_elsewhere(value, most, content)):
                return None
        except (TypeError, ValueError, RuntimeError):  # or another thread changed the value
            return None
        return content

    def _stands_elsewhere(self, body: object, most: int, content: bytes) -> bool:
        """Tell whether no rule holds for the names that were found, where they stand.

        Args:
            body: The body.
            most: As in `encoded`.
            content: Its encoding. That it still is shows that what is seen here was encoded.
        """
        __tracebackhide__ = True
        seen = Seen()
        proof = proof_of(body, most, seen)
        if self._names is None or not proof or not seen.containers:
            return False
        found = self._names.among(set().union(*_dicts(seen)))
        return not self._names.stand(found, body) and encode(body, proof) == content


def _encoded(value: object, proof: Proof, seen: Seen | None) -> tuple[bytes, set[str] | None]:
    """Encode plain data, and give the names of its members.

    Args:
        value: What was proved.
        proof: What may write it.
        seen: What the proof looked at.

    Returns:
        The encoding. The names that are in it; None where asking for them takes longer than a
        search, or another thread changed the value after the proof.
    """
    __tracebackhide__ = True
    dumps = orjson_dumps() if proof == "orjson" else None
    if dumps is None or seen is None or not seen.containers:
        return encode(value, proof), None
    dicts = _dicts(seen)
    if len(seen.members) > _FEW_NAMES and max(map(len, dicts), default=0) > _FEW_NAMES:
        return encode(value, proof), None
    names: set[str] = set()
    moment = (
        partial(names.update, *dicts),
        partial(gc.get_referents, *seen.containers),
        partial(dumps, value),
    )
    try:
        # One instruction: what other threads change, they change before it or after it. (Before
        # CPython 3.12, a collection within may run a finalizer.)
        _, members, content = map(_call, moment)
    except TypeError:  # an integer that is for json; or what may not be written, as it will say
        return encode(value, proof), None
    # The same members: so there is no container at any depth whose names were not taken.
    return content, names if members == seen.members else None


def _dicts(seen: Seen) -> list[dict[str, Any]]:
    return [container for container in seen.containers if type(container) is dict]
