"""The one traversal of values: finds what may not leave, copies only the branch that changes.

It is iterative, walks a shared container once, and runs no code of a foreign class: types are
compared by identity or by `issubclass` on `type(value)`, never by `isinstance`, which would ask a
hostile ``__class__``; a type is never a dict key, since a metaclass can define ``__hash__``.
What to do with each kind of value follows ``JSON.stringify``.

A container in which a rule with a scope was asked is remembered by the state of the globs there. In
another state its items are judged again: those that it gave the first time, so that a foreign
container is asked once.
"""

from __future__ import annotations

import collections
import math
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from body_guard.core.encode import encode_scalar
from body_guard.core.errors import BodyLimitError
from body_guard.core.json_text import (
    digits_of,
    is_encodable,
    member_name,
    plain_key,
    replace_surrogates,
)
from body_guard.core.listing import Listing
from body_guard.core.matcher import first_rule
from body_guard.core.pointer import escape_token, join_pointer
from body_guard.core.redaction import redact_path
from body_guard.core.report import Finding, Report
from body_guard.core.typenames import class_attribute, package, qualified_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from body_guard.core.matcher import CompiledRule, Matcher
    from body_guard.core.rule import Rule

__all__ = ["WalkResult", "walk"]

#: What one walk may come to, and why it was more. What the caller built is in memory already and is
#: free; an ``__iter__`` or a ``convert=`` that gives ever new containers ends here. A container
#: takes about 0.9 KB while it is walked, as much as many items do. Globs can tell exponentially
#: many ways to one container apart.
_LIMITS: Final = {
    "items": (
        1_000_000,
        "a container that computes its items (or convert=) gave more than {:,} of them",
    ),
    "containers": (
        50_000,
        "containers that compute their items (or convert=) gave more than {:,} containers",
    ),
    "again": (
        1_000_000,
        "rules for certain places met containers that stand in several, which makes more than {:,} "
        "items to judge again",
    ),
}

#: How often in a row ``convert=`` may answer with one more thing that needs converting.
_MOST_CONVERSIONS: Final = 16

#: How often a dict is read again because another thread changed it meanwhile.
_MOST_TRIES: Final = 100

#: Sizes and findings are counted up to here: unfolded, a few thousand containers can have a size of
#: as many digits.
_COUNTED: Final = 2**64

#: What a member has besides its name and value: two quotes, a colon and a comma.
_PUNCTUATION: Final = 4

_GONE: Final = object()  # stands for a value taken out: the member goes, an element becomes null

_CONTAINERS: Final = (dict, list, tuple)
_SCALARS: Final = (str, int, float, type(None))
_DICT_ITEMS: Final = dict.__dict__["items"]
_ORDERED_ITEMS: Final = collections.OrderedDict.__dict__["items"]
_LIST_ITER: Final = list.__dict__["__iter__"]
_TUPLE_ITER: Final = tuple.__dict__["__iter__"]

#: By id, since to compare them could ask a foreign one.
_PLAIN_METHODS: Final = frozenset(
    id(kind.__dict__[name]) for kind in (str, int, float, object) for name in ("__hash__", "__eq__")
)


class _Mark(NamedTuple):
    """A finding that has no path yet."""

    rule: str
    action: str
    kind: type
    owner: str = ""


class _Node:
    """A container: `open` while it is being walked, then remembered, so that it is walked once.

    `marks` holds what was found below, by member: a mark, or the node of a child that has some.
    A child may stand in several places, so paths are made at the end, going down from the root.
    """

    __slots__ = (
        "copies",
        "deepest",
        "depth",
        "edits",
        "found",
        "is_array",
        "items",
        "key",
        "marks",
        "odd_names",
        "open",
        "pending",
        "position",
        "scoped",
        "size",
        "source",
        "state",
        "value",
    )

    def __init__(
        self, source: object, is_array: bool, items: list[Any], copies: bool, state: int
    ) -> None:
        self.source = source  # kept alive, so that its id stays its own
        self.value = source
        self.is_array = is_array
        self.items = items  # values of an array, (key, value) pairs of an object
        self.pending: Iterator[tuple[int, Any]] = enumerate(items)
        self.copies = copies  # whether the items replace the source even where they are clean
        self.edits: dict[int, object] | None = {} if copies else None
        self.odd_names = copies  # whether two members may come out under one name
        self.marks: list[tuple[str, _Mark | _Node]] = []
        self.found = 0  # marks, those of a child at each of its places
        self.size = 1  # of two brackets, and a comma behind each member but the last
        self.depth = 1
        self.deepest: tuple[str | int, _Node] | None = None
        self.open = True
        self.position = 0  # of the member whose container is being walked, and its name
        self.key: str | int = 0
        self.state = state  # of the globs
        self.scoped = False  # whether a rule with a scope was asked

    def edit(self, position: int, value: object) -> None:
        if self.edits is None:
            self.edits = {}
        self.edits[position] = value

    def mark(self, key: str | int, mark: _Mark) -> None:
        self.marks.append((_to_token(key), mark))
        self.found += 1

    def adopt(self, position: int, key: str | int, child: _Node) -> None:
        """Take over what is known of a walked container that stands here."""
        self.size = min(self.size + child.size, _COUNTED)
        self.scoped |= child.scoped
        if child.found:
            self.marks.append((_to_token(key), child))
            self.found = min(self.found + child.found, _COUNTED)
        if child.depth >= self.depth:
            self.depth = child.depth + 1
            self.deepest = (key, child)
        item = self.items[position]
        if child.value is not (item if self.is_array else item[1]):
            self.edit(position, child.value)

    def close(self) -> None:
        edits = self.edits
        if self.is_array and edits is not None:
            left = [edits.get(position, item) for position, item in enumerate(self.items)]
            self.value = [None if value is _GONE else value for value in left]
        elif self.odd_names or edits is not None:
            rebuilt = self._rebuild(edits or {})
            if edits is not None:
                self.value = rebuilt
        self.open = False
        if not self.scoped:
            self.items = []

    def _rebuild(self, edits: dict[int, object]) -> dict[Any, object]:
        """Return the members that are left, and report those that have one name."""
        names: set[str] = set()
        rebuilt: dict[Any, object] = {}
        for position, (key, item) in enumerate(self.items):
            value = edits.get(position, item)
            if value is _GONE:
                continue
            name = replace_surrogates(member_name(key) or "")
            if name in names:
                self.mark(name, _Mark("duplicate", "report", type(value)))
            names.add(name)
            plain = plain_key(key)
            rebuilt[_Twin(name) if plain in rebuilt else plain] = value
        return rebuilt


class _Twin(str):
    """A member name that stands twice in an object, as json would send it."""

    __slots__ = ()
    __eq__ = object.__eq__
    __hash__ = object.__hash__


class WalkResult:
    """What is left of a value, and what an encoder needs to know.

    Attributes:
        value: What is left: the very object that came in, unless something was changed, or a
            container of a foreign class was replaced by what it holds or said.
        report: What was found.
        size: A lower bound of the encoded bytes, a shared container counted at each place.
        depth: Levels of containers.
    """

    __slots__ = ("_root", "depth", "report", "size", "value")

    def __init__(self, root: _Node, changed: bool, rejected: bool) -> None:
        self._root = root
        value = root.value
        self.value: object = value[0] if isinstance(value, list) else None
        self.size = root.size - 2
        self.depth = root.depth - 1
        self.report = _make_report(root, changed, rejected)

    def then(self, later: WalkResult) -> WalkResult:
        """Return a later walk of what this one left, with what this one found before it."""
        later.report = self.report + later.report
        return later

    def deepest(self) -> str:
        """Return the pointer of the deepest container."""
        tokens = []
        down = self._root.deepest
        while down is not None:
            key, node = down
            tokens.append(_to_token(key))
            down = node.deepest
        return join_pointer(tokens[1:])


def walk(
    value: object,
    matcher: Matcher,
    *,
    unserializable: Literal["remove", "reject"] = "remove",
    convert: Callable[[Any], object] | None = None,
    for_encoder: bool = False,
) -> WalkResult:
    """Walk a value and everything in it.

    Args:
        value: What is to become a JSON body.
        matcher: The rules.
        unserializable: What to do with what JSON cannot write.
        convert: Asked before such a value is given up, with the contract of
            ``json.dumps(default=)``.
        for_encoder: Whether json will write the value. It asks a container of a foreign class for
            its items or its length by name, so each such container is replaced by a plain one.

    Returns:
        The value less what may not leave. The caller's own objects are never changed.

    Raises:
        BodyLimitError: A container, or ``convert=``, made up items without end; or shared
            containers stand at too many places of which rules say different things.
    """
    __tracebackhide__ = True
    return _Walk(matcher, unserializable, convert, for_encoder).run(value)


class _Walk:
    """The state of one walk."""

    __slots__ = (
        "_answers",
        "_changed",
        "_convert",
        "_for_encoder",
        "_matcher",
        "_nodes",
        "_rejected",
        "_scoped",
        "_spent",
        "_stack",
        "_unserializable",
    )

    def __init__(
        self,
        matcher: Matcher,
        unserializable: str,
        convert: Callable[[Any], object] | None,
        for_encoder: bool,
    ) -> None:
        self._matcher = matcher
        self._unserializable = unserializable
        self._convert = convert
        self._for_encoder = for_encoder
        self._nodes: dict[int, _Node] = {}  # by id of the source
        self._scoped: dict[tuple[int, int], _Node] = {}  # by state too
        self._spent = dict.fromkeys(_LIMITS, 0)
        # What ``convert=`` said of an object, by its id, the object beside it so that this stays
        # its own. Its answers can be made anew each time: only the object shows a cycle.
        self._answers: dict[int, tuple[object, object]] = {}
        self._changed = False
        self._rejected = False
        self._stack: list[_Node] = []

    def run(self, value: object) -> WalkResult:
        # The body is walked as the one element of an array, so that all values are judged alike.
        __tracebackhide__ = True
        root = _Node([value], True, [value], False, self._matcher.globs.around)
        stack = self._stack
        stack.append(root)
        while True:
            node = stack[-1]
            child = self._judge_items(node)
            if child is not None:
                stack.append(child)
                continue
            node.close()
            if node.scoped:
                self._scoped[id(node.source), node.state] = node
            stack.pop()
            if not stack:
                return WalkResult(root, self._changed, self._rejected)
            stack[-1].adopt(stack[-1].position, stack[-1].key, node)

    def _judge_items(self, node: _Node) -> _Node | None:
        """Judge the items of a node up to the next container to walk; return that, or None."""
        __tracebackhide__ = True
        keys, prefixes = self._matcher.keys, self._matcher.prefixes
        key: Any
        for position, item in node.pending:
            if node.is_array:
                key = position
                node.size += 1
            else:
                key, item = item
                plain = type(key) is str and key.isascii()
                if plain and key not in keys and not key.startswith(prefixes):
                    node.size += _PUNCTUATION + len(key)
                else:
                    key = self._judge_key(node, position, key, item)
                    if key is None:
                        continue
            kind = type(item)
            if kind is str and item.isascii():
                node.size += len(item) + 2
                continue
            if kind is str or kind is int or kind is float or kind is bool or item is None:
                self._judge_scalar(node, position, key, item)
                continue
            if kind is dict or kind is list or kind is tuple:
                child = self._enter(node, position, key, item, kind)
            else:
                child = self._judge_foreign(node, position, key, item)
            if child is not None:
                return child
        return None

    def _judge_key(self, node: _Node, position: int, key: object, item: object) -> str | None:
        """Return the name that json would write, or None when nothing is left to be judged."""
        __tracebackhide__ = True
        kind = type(key)
        name = member_name(key)
        if name is None:
            # What json cannot write has no name: in the path, its type stands in its place.
            name = f"<{qualified_name(kind)}>"
            if issubclass(kind, (float, int)):
                mark = _Mark("bad-key", "remove", kind)
            else:
                mark = _Mark("unserializable", self._unserializable, kind, package(kind))
            node.size += _PUNCTUATION + len(name)
            self._take(node, position, name, mark)
            return None
        sound = replace_surrogates(name)
        node.size += _PUNCTUATION + len(sound)
        rule = self._find_rule(node, sound, self._matcher.rules_for_name(sound))
        if rule is not None and self._apply(rule, node, position, name, item):
            return None
        if kind is not str or sound != name:
            node.odd_names = True
        if sound != name:
            self._replace(node, position, name, item, _Mark("surrogate", "replace", kind))
        return sound

    def _judge_foreign(
        self, node: _Node, position: int, key: str | int, given: object
    ) -> _Node | None:
        """Judge a value of a foreign type; return a node if it is a container yet to be walked."""
        __tracebackhide__ = True
        item = given
        for _ in range(_MOST_CONVERSIONS):
            kind = type(item)
            rule = self._find_rule(node, key, self._matcher.rules_for_type(kind))
            if rule is not None and self._apply(rule, node, position, key, item):
                return None
            if issubclass(kind, _CONTAINERS):
                if id(item) in self._nodes:
                    return self._enter(node, position, key, item, type(given))
                child = self._read(node, position, key, item, kind)
                if child is not None:
                    return child
            elif issubclass(kind, _SCALARS):
                if item is not given:
                    node.edit(position, item)
                self._judge_scalar(node, position, key, item)
                return None
            answer = self._ask_convert(item, key)
            if answer is item:
                break
            self._changed = True
            item = answer
        kind = type(given)
        mark = _Mark("unserializable", self._unserializable, kind, package(kind))
        self._take(node, position, key, mark)
        return None

    def _judge_scalar(self, node: _Node, position: int, key: str | int, item: Any) -> None:
        kind = type(item)
        if item is None:
            node.size += 4
        elif issubclass(kind, str):
            text = str.__str__(item)
            node.size += len(text) + 2
            if not is_encodable(text):
                mark = _Mark("surrogate", "replace", kind)
                self._replace(node, position, key, replace_surrogates(text), mark)
        elif issubclass(kind, float):
            node.size += 3
            if not math.isfinite(item):
                self._replace(node, position, key, None, _Mark("non-finite", "replace", kind))
        else:
            digits = digits_of(item)
            if digits is None:
                self._take(node, position, key, _Mark("digits", "remove", kind))
            else:
                node.size += len(digits)

    def _read(
        self, node: _Node, position: int, key: str | int, source: Any, kind: type
    ) -> _Node | None:
        """Return the node of a container of a foreign type; None if it cannot give its items."""
        __tracebackhide__ = True
        items, made_up = _items_of(source, kind)
        if items is None:
            return None
        if made_up:
            self._spend("items", len(items), key)
            self._spend("containers", 1, key)
        copies = made_up or self._for_encoder  # json would look up its items, or length, by name
        return self._open(node, position, key, source, not issubclass(kind, dict), items, copies)

    def _open(
        self,
        node: _Node,
        position: int,
        key: str | int,
        source: object,
        is_array: bool,
        items: list[Any],
        copies: bool,
    ) -> _Node:
        node.position, node.key = position, key
        state = self._state_at(node, key) if self._matcher.has_scopes else 0
        child = _Node(source, is_array, items, copies, state)
        self._nodes[id(source)] = child
        return child

    def _enter(
        self, node: _Node, position: int, key: str | int, source: Any, kind: type
    ) -> _Node | None:
        """Take over a container that was met before; return one that is to be walked (again)."""
        __tracebackhide__ = True
        known = self._nodes.get(id(source))
        if known is None:
            items = _read_members(dict.items, source) if kind is dict else list(source)
            return self._open(node, position, key, source, kind is not dict, items, False)
        if known.open:
            self._take(node, position, key, _Mark("cycle", "remove", kind))
            return None
        if known.scoped:
            twin = self._scoped.get((id(source), self._state_at(node, key)))
            if twin is None:
                self._spend("again", 1 + len(known.items), key)
                args = known.is_array, known.items, known.copies
                return self._open(node, position, key, source, *args)
            known = twin
        node.adopt(position, key, known)
        return None

    def _state_at(self, node: _Node, key: str | int) -> int:
        """Return the state of the globs at a member or element of a container."""
        globs = self._matcher.globs
        return globs.start if node is self._stack[0] else globs.step(node.state, str(key))

    def _find_rule(
        self, node: _Node, key: str | int, found: tuple[CompiledRule, ...]
    ) -> Rule | None:
        def locate() -> tuple[int, int]:
            node.scoped = True
            return node.state, self._state_at(node, key)

        return first_rule(found, locate) if found else None

    def _apply(self, rule: Rule, node: _Node, position: int, key: str | int, item: object) -> bool:
        """Do what a rule says; return whether nothing is left to be judged of the value."""
        kind = type(item)
        mark = _Mark(rule.name, rule.action, kind, rule.owner or package(kind))
        if rule.action == "report":
            node.mark(key, mark)
            return False
        if rule.action != "replace":
            self._take(node, position, key, mark)
            return True
        if encode_scalar(item) == encode_scalar(rule.replacement):
            return False
        self._replace(node, position, key, rule.replacement, mark)
        return True

    def _ask_convert(self, item: object, key: str | int) -> object:
        """Ask ``convert=``, once of an object of which it makes more than a scalar.

        Returns:
            Its answer; the item itself when there is none.
        """
        __tracebackhide__ = True
        if self._convert is None:
            return item
        known = self._answers.get(id(item))
        if known is not None:
            return known[1]
        try:
            answer = self._convert(item)
        except TypeError:  # the contract of json.dumps(default=): "or raise a TypeError"
            return item
        if answer is item:
            return item
        kind = type(answer)
        self._spend("items", 1, key)
        if issubclass(kind, _CONTAINERS):
            self._spend("containers", 1, key)
        if not issubclass(kind, _SCALARS):
            self._answers[id(item)] = item, answer
        return answer

    def _spend(self, what: str, count: int, key: str | int) -> None:
        __tracebackhide__ = True
        most, why = _LIMITS[what]
        self._spent[what] += count
        if self._spent[what] > most:
            keys = [*(node.key for node in self._stack[:-1]), key]
            path = join_pointer([_to_token(key) for key in keys[1:]])
            raise BodyLimitError(
                f"The body was not sent: below {redact_path(path) or 'its root'}, "
                f"{why.format(most)}.",
                Report((Finding(path, "size", "reject"),)),
            )

    def _take(self, node: _Node, position: int, key: str | int, mark: _Mark) -> None:
        """Take a value out: its member goes, an element becomes null, a whole body is refused."""
        if isinstance(key, str):
            node.size -= _PUNCTUATION + len(key)
        if mark.action == "reject" or node is self._stack[0]:
            mark = mark._replace(action="reject")
            self._rejected = True
        elif node.is_array:
            mark = mark._replace(action="replace")
        self._replace(node, position, key, _GONE, mark)

    def _replace(
        self, node: _Node, position: int, key: str | int, value: object, mark: _Mark
    ) -> None:
        node.edit(position, value)
        node.mark(key, mark)
        self._changed = True


def _items_of(source: Any, kind: type) -> tuple[list[Any] | None, bool]:
    """Read a container as json's C encoder does.

    A dict that overrides ``items``, or a list or tuple that overrides ``__iter__``, is asked once,
    since json would ask it: what it says then is what is judged and what is encoded.

    Returns:
        The values of an array, or the (key, value) pairs of an object; None if it cannot give them.
        And whether code of a foreign class made them up.
    """
    if issubclass(kind, dict):
        own = class_attribute(kind, "items")
        if own is _DICT_ITEMS or own is _ORDERED_ITEMS:
            read = _ordered_items if own is _ORDERED_ITEMS else dict.items
            return _read_members(read, source), False
        if dict.__len__(source) == 0:  # json writes {} and does not ask
            return [], False
        # Called as the class has it: asking the instance would run its __getattribute__.
        return _to_pairs(_ask(lambda: _call(own, source, kind))), True
    own = class_attribute(kind, "__iter__")
    if own is _LIST_ITER or own is _TUPLE_ITER:
        return list(own(source)), False
    return _ask(lambda: source), True


def _ordered_items(source: Any) -> Iterable[tuple[object, object]]:
    """Return the members of an OrderedDict, in its own order where telling that runs no code.

    It looks each key up, so that a key of a foreign class could be asked for its hash; with one
    that would be, the order is that of insertion.
    """
    if all(_has_plain_hash(type(key)) for key in dict.keys(source)):
        return collections.OrderedDict.items(source)
    return dict.items(source)


def _has_plain_hash(kind: type) -> bool:
    methods = class_attribute(kind, "__hash__"), class_attribute(kind, "__eq__")
    return _PLAIN_METHODS.issuperset(map(id, methods))


def _call(attribute: Any, item: object, kind: type) -> Any:
    """Call a method of a class on an instance, bound by the descriptor protocol alone."""
    bind = class_attribute(type(attribute), "__get__")
    return (attribute if bind is None else bind(attribute, item, kind))()


def _read_members(items: Any, source: dict[object, object]) -> list[tuple[object, object]]:
    """Read a dict's members while another thread may be adding to it."""
    for _ in range(_MOST_TRIES):
        try:
            return list(items(source))
        except RuntimeError:  # it changed size while it was read
            continue
    return list(dict.copy(source).items())


def _ask(source: Callable[[], Any]) -> list[Any] | None:
    try:
        return list(islice(iter(source()), _LIMITS["items"][0] + 1))
    except Exception:
        return None


def _to_pairs(said: list[Any] | None) -> list[Any] | None:
    """Return the members as plain tuples of two, which is what json insists on; None otherwise."""
    if said is None or not all(issubclass(type(pair), tuple) for pair in said):
        return None
    pairs = [tuple.__getitem__(pair, slice(None)) for pair in said]
    return pairs if all(len(pair) == 2 for pair in pairs) else None


def _to_token(key: str | int) -> str:
    return escape_token(key) if isinstance(key, str) else str(key)


def _make_report(root: _Node, changed: bool, rejected: bool) -> Report:
    listing = Listing()
    for tokens, mark in _iterate_marks(root):
        if not listing.takes(mark.action):
            break
        listing.add_value(tokens[1:], *mark)
    if rejected and listing.full and listing.takes("reject"):
        tokens, mark = next(_iterate_marks(root, refusing=True))
        listing.add_value(tokens[1:], *mark)
    return listing.report(root.found, changed)


def _iterate_marks(root: _Node, *, refusing: bool = False) -> Iterator[tuple[list[str], _Mark]]:
    """Yield every place of every mark, in the order of the body, without unfolding clean nodes.

    Of those that refuse, the first place of each: unfolded, there may be too many before it.
    """
    tokens: list[str] = []
    levels = [iter(root.marks)]
    known: set[int] = set()
    while levels:
        for token, found in levels[-1]:
            if isinstance(found, _Node):
                if refusing and id(found) in known:
                    continue
                known.add(id(found))
                tokens.append(token)
                levels.append(iter(found.marks))
                break
            if not refusing or found.action == "reject":
                yield [*tokens, token], found
        else:
            levels.pop()
            if tokens:
                tokens.pop()
