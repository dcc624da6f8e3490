"""The items of dicts, lists and tuples of any class, read as json's C encoder reads them."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from body_guard.core.typenames import class_attribute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["read_items", "read_members"]

#: How often a dict is read again because another thread changed it meanwhile.
_MOST_TRIES: Final = 100

_DICT_ITEMS: Final = dict.__dict__["items"]
_ORDERED_ITEMS: Final = OrderedDict.__dict__["items"]
_LIST_ITER: Final = list.__dict__["__iter__"]
_TUPLE_ITER: Final = tuple.__dict__["__iter__"]

#: By id, because comparing with them could run a method of a foreign class. None has a hash of its
#: own since CPython 3.12.
_PLAIN_METHODS: Final = frozenset(
    id(class_attribute(kind, name))
    for kind in (str, int, float, type(None), object)
    for name in ("__hash__", "__eq__")
)


def read_items(source: Any, kind: type, most: int) -> tuple[list[Any] | None, bool]:
    """Read a container.

    A dict that overrides ``items``, or a list or tuple that overrides ``__iter__``, is asked once,
    because json would ask it. Its answer is what is judged and what is encoded.

    Args:
        source: The container.
        kind: Its type.
        most: How many items to take of an answer, and one more.

    Returns:
        The values of an array or the (key, value) pairs of an object, None if its answer is
        neither; and whether code of a foreign class computed them.
    """
    if issubclass(kind, dict):
        own = class_attribute(kind, "items")
        if own is _DICT_ITEMS or own is _ORDERED_ITEMS:
            return read_members(
                source, _ordered_items if own is _ORDERED_ITEMS else dict.items
            ), False
        if dict.__len__(source) == 0:  # json writes {} and does not ask
            return [], False
        # Called as the class has it: asking the instance would run its __getattribute__.
        return _check_pairs(_ask(lambda: _call(own, source, kind), most)), True
    own = class_attribute(kind, "__iter__")
    if own is _LIST_ITER or own is _TUPLE_ITER:
        return list(own(source)), False
    return _ask(lambda: source, most), True


def read_members(
    source: dict[Any, Any], items: Callable[[Any], Iterable[tuple[Any, Any]]] = dict.items
) -> list[tuple[Any, Any]]:
    """Read the members of a dict while another thread may be adding to it."""
    for _ in range(_MOST_TRIES):
        try:
            return list(items(source))
        except RuntimeError:  # it changed size meanwhile
            continue
    return list(dict.copy(source).items())


def _ordered_items(source: Any) -> Iterable[tuple[Any, Any]]:
    """Return the members of an OrderedDict in its own order, which json writes.

    OrderedDict looks up each key for it. A key whose class has a hash or comparison of its own
    would run code, so with such a key the order is that of insertion.
    """
    if all(_has_plain_hash(type(key)) for key in dict.keys(source)):
        return OrderedDict.items(source)
    return dict.items(source)


def _has_plain_hash(kind: type) -> bool:
    methods = class_attribute(kind, "__hash__"), class_attribute(kind, "__eq__")
    return _PLAIN_METHODS.issuperset(map(id, methods))


def _call(attribute: Any, item: object, kind: type) -> Any:
    """Call a method of a class on an instance, bound by the descriptor protocol alone."""
    bind = class_attribute(type(attribute), "__get__")
    return (attribute if bind is None else bind(attribute, item, kind))()


def _ask(answer: Callable[[], Any], most: int) -> list[Any] | None:
    try:
        return list(islice(iter(answer()), most + 1))
    except Exception:
        return None


def _check_pairs(answer: list[Any] | None) -> list[Any] | None:
    """Return members as plain tuples of two, which is what json insists on; None for others."""
    if answer is None or not all(issubclass(type(pair), tuple) for pair in answer):
        return None
    pairs = [tuple.__getitem__(pair, slice(None)) for pair in answer]
    return pairs if all(len(pair) == 2 for pair in pairs) else None
