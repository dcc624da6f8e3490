"""The one traversal of objects: finds what may not leave, copies only the branch that changes.

It is iterative, walks a shared container once, and runs no code of a stranger's class: types are
compared by identity or by `issubclass` on `type(value)`, never by `isinstance`, which would ask a
hostile ``__class__``; a type is never a dict key, since a metaclass can define ``__hash__``.
What to do with each kind of value follows ``JSON.stringify`` (DESIGN section 2).

Where a container stands is asked only when a rule matches that is bound to places. What was judged
by its place is then not remembered for all places, but for this one: another way to the same
container walks it again, over the items that it gave the first time. So a clean body costs nothing,
and a foreign container is asked once.
"""

from __future__ import annotations

import collections
import math
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

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
from body_guard.core.plain_data import HINT, is_plain_data
from body_guard.core.pointer import escape_token, join_pointer
from body_guard.core.redaction import redact_path
from body_guard.core.report import CLEAN, Finding, Report
from body_guard.core.typenames import class_attribute, package, qualified_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from body_guard.core.matcher import CompiledRule, Matcher
    from body_guard.core.rule import Rule
    from body_guard.policy import Policy

__all__ = ["WalkResult", "walk"]

#: How many items strangers may make up in one walk: an ``__iter__`` or a ``convert=`` that gives
#: ever new containers ends here. What the caller built itself is in memory already and is free.
_MOST_MADE_UP: Final = 1_000_000

#: And how many containers: one takes about 0.9 KB while it is walked, as much as many items do.
_MOST_MADE_UP_CONTAINERS: Final = 50_000

#: How many items may be judged again because their container stands at several places. As many
#: kinds of places as globs can tell apart, and a container for each: without a bound, that is time
#: exponential in the body.
_MOST_AGAIN: Final = 1_000_000

#: How often in a row ``convert=`` may answer with one more thing that needs converting.
_MOST_CONVERSIONS: Final = 16

#: How often a dict is read again because another thread changed it meanwhile.
_MOST_TRIES: Final = 100

#: Sizes and places are counted up to here: unfolded, a few thousand containers can have a size of
#: as many digits.
_COUNTED: Final = 2**64

#: What a member has besides its name and value: two quotes, a colon and a comma.
_PUNCTUATION: Final = 4

#: The interpreter's digit limit is never below 640 digits: an int within these is always written.
_SURELY_WRITABLE: Final = 10**600

_GONE: Final = object()  # stands for a value taken out: the member goes, an element becomes null

_CONTAINERS: Final = (dict, list, tuple)
_SCALARS: Final = (str, int, float, type(None))
_DICT_ITEMS: Final = dict.__dict__["items"]
_ORDERED_ITEMS: Final = collections.OrderedDict.__dict__["items"]
_LIST_ITER: Final = list.__dict__["__iter__"]
_TUPLE_ITER: Final = tuple.__dict__["__iter__"]


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
        "bound",
        "copied",
        "deepest",
        "depth",
        "edits",
        "is_array",
        "items",
        "key",
        "marks",
        "odd_names",
        "open",
        "pending",
        "place",
        "places",
        "position",
        "size",
        "source",
        "value",
    )

    def __init__(self, source: object, is_array: bool, items: list[Any], made_up: bool) -> None:
        self.source = source  # kept alive, so that its id stays its own
        self.value = source
        self.is_array = is_array
        self.items = items  # values of an array, (key, value) pairs of an object
        self.pending: Iterator[tuple[int, Any]] = enumerate(items)
        # Items that a stranger made up replace the container even where they are clean.
        self.copied = made_up
        self.edits: dict[int, object] | None = {} if made_up else None
        self.odd_names = made_up  # whether two members may come out under one name
        self.marks: list[tuple[str, _Mark | _Node]] = []
        self.places = 0
        self.size = 1  # of two brackets, and a comma behind each member but the last
        self.depth = 1
        self.deepest: tuple[str | int, _Node] | None = None
        self.open = True
        self.position = 0  # of the member whose container is being walked, and its name
        self.key: str | int = 0
        self.bound = False  # whether what comes of it depends on its place
        self.place: int | None = None  # as `Places` has it, where it was asked for

    def edit(self, position: int, value: object) -> None:
        if self.edits is None:
            self.edits = {}
        self.edits[position] = value

    def mark(self, key: str | int, mark: _Mark) -> None:
        self.marks.append((_token(key), mark))
        self.places += 1

    def adopt(self, position: int, key: str | int, child: _Node) -> None:
        """Take over what is known of a walked container that stands here."""
        self.size += child.size
        if self.size > _COUNTED:
            self.size = _COUNTED
        self.bound |= child.bound
        if child.places:
            self.marks.append((_token(key), child))
            self.places = min(self.places + child.places, _COUNTED)
        if child.depth >= self.depth:
            self.depth = child.depth + 1
            self.deepest = (key, child)
        item = self.items[position]
        if child.value is not (item if self.is_array else item[1]):
            self.edit(position, child.value)

    def close(self) -> None:
        if self.odd_names and not self.is_array:
            self._report_duplicates()
        if self.edits is not None:
            rebuilt = self._rebuilt_array if self.is_array else self._rebuilt_object
            self.value = rebuilt(self.edits)
        self.open = False
        if not self.bound:
            self.items = []

    def _rebuilt_array(self, edits: dict[int, object]) -> list[object]:
        values = list(self.items)
        for position, value in edits.items():
            values[position] = None if value is _GONE else value
        return values

    def _rebuilt_object(self, edits: dict[int, object]) -> dict[Any, object]:
        if not self.odd_names:
            return {
                key: value
                for position, (key, item) in enumerate(self.items)
                if (value := edits.get(position, item)) is not _GONE
            }
        rebuilt: dict[Any, object] = {}
        for key, _, value in self._kept():
            plain = plain_key(key)
            rebuilt[
                _Twin(replace_surrogates(member_name(key) or "")) if plain in rebuilt else plain
            ] = value
        return rebuilt

    def _report_duplicates(self) -> None:
        seen: set[str | None] = set()
        for key, _, value in self._kept():
            name = replace_surrogates(member_name(key) or "")
            if name in seen:
                self.mark(name, _Mark("duplicate", "report", type(value)))
            seen.add(name)

    def _kept(self) -> Iterator[tuple[Any, object, object]]:
        edits = self.edits or {}
        for position, (key, item) in enumerate(self.items):
            value = edits.get(position, item)
            if value is not _GONE:
                yield key, item, value


class _Twin(str):
    """A member name that stands twice in an object, as json would send it."""

    __slots__ = ()
    __eq__ = object.__eq__
    __hash__ = object.__hash__


class WalkResult:
    """A walked value: what is left of it, and what an encoder needs to know.

    Attributes:
        value: What is left: the very object that came in, unless something was changed, or a
            container of a foreign class was replaced by what it holds or said.
        report: What was found.
        rejected: Whether the body as a whole may not leave.
        size: A lower bound of the encoded bytes, a shared container counted at each place.
        depth: Levels of containers.
        nodes: Containers visited.
    """

    __slots__ = (
        "_root",
        "depth",
        "nodes",
        "rejected",
        "report",
        "size",
        "value",
    )

    def __init__(self, root: _Node, changed: bool, rejected: bool, nodes: int) -> None:
        self._root = root
        value = root.value
        self.value: object = value[0] if isinstance(value, list) else None
        self.rejected = rejected
        self.size = root.size - 2
        self.depth = root.depth - 1
        self.nodes = nodes
        self.report = _report(root, changed, rejected)

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
            tokens.append(_token(key))
            down = node.deepest
        return join_pointer(tokens[1:])


def walk(
    value: object,
    policy: Policy,
    matcher: Matcher,
    *,
    for_encoder: bool = False,
) -> WalkResult:
    """Walk a value and everything in it.

    Args:
        value: What is to become a JSON body.
        policy: Says what to do with what JSON cannot write.
        matcher: The policy's rules.
        for_encoder: Whether json will write the value. It asks a container of a foreign class for
            its items or its length by name, so each such container is replaced by a plain one.

    Returns:
        The value less what may not leave. The caller's own objects are never changed.

    Raises:
        BodyLimitError: A container, or ``convert=``, made up items without end; or shared
            containers stand at too many places of which rules say different things.
    """
    __tracebackhide__ = True
    return _Walk(policy, matcher, for_encoder).run(value)


class _Walk:
    """The state of one walk."""

    __slots__ = (
        "_again",
        "_answers",
        "_bound",
        "_changed",
        "_for_encoder",
        "_made_up",
        "_made_up_containers",
        "_matcher",
        "_nodes",
        "_policy",
        "_rejected",
        "_stack",
    )

    def __init__(self, policy: Policy, matcher: Matcher, for_encoder: bool) -> None:
        self._policy = policy
        self._for_encoder = for_encoder
        self._matcher = matcher
        self._nodes: dict[int, _Node] = {}
        self._bound: dict[tuple[int, int], _Node] = {}  # those judged by their place, by that too
        self._made_up = 0
        self._made_up_containers = 0
        self._again = 0
        # What ``convert=`` said of an object, by its id, the object beside it so that this stays
        # its own. Its answers can be made anew each time: only the object shows a cycle.
        self._answers: dict[int, tuple[object, object]] = {}
        self._changed = False
        self._rejected = False
        self._stack: list[_Node] = []

    def run(self, value: object) -> WalkResult:
        # The body is walked as the one element of an array, so that every row has one home.
        __tracebackhide__ = True
        root = _Node([value], True, [value], made_up=False)
        root.place = self._matcher.places.around
        stack = self._stack
        stack.append(root)
        while True:
            node = stack[-1]
            child = self._step(node)
            if child is not None:
                stack.append(child)
                continue
            node.close()
            if node.bound:
                self._bound[id(node.source), self._place()] = node
            stack.pop()
            if not stack:
                return WalkResult(root, self._changed, self._rejected, len(self._nodes))
            stack[-1].adopt(stack[-1].position, stack[-1].key, node)

    def _step(self, node: _Node) -> _Node | None:
        """Judge the members of a node up to the next container; give that, or None at the end."""
        __tracebackhide__ = True
        nodes = self._nodes
        is_array = node.is_array
        matcher = self._matcher
        keys, prefixes = matcher.keys, matcher.prefixes
        key: Any
        for position, item in node.pending:
            if is_array:
                key = position
                node.size += 1
            else:
                key, item = item
                if (
                    type(key) is not str
                    or not key.isascii()
                    or key in keys
                    or key.startswith(prefixes)
                ):
                    key = self._judge_key(node, position, key, item)
                    if key is None:
                        continue
                node.size += _PUNCTUATION + len(key)
            kind = type(item)
            if kind is str:
                node.size += len(item) + 2
                if not item.isascii() and not is_encodable(item):
                    self._replace(node, position, key, "surrogate", replace_surrogates(item), kind)
            elif kind is dict or kind is list or kind is tuple:
                known = nodes.get(id(item))
                if known is None:
                    return self._opened(node, position, key, _plain(item, kind))
                child = self._known(node, position, key, known, kind)
                if child is not None:
                    return child
            elif item is None or kind is bool:
                node.size += 4
            elif kind is int and -_SURELY_WRITABLE < item < _SURELY_WRITABLE:
                node.size += item.bit_length() // 4 or 1  # fewer than its digits
            elif kind is float and math.isfinite(item):
                node.size += 3
            else:
                child = self._judge_stranger(node, position, key, item)
                if child is not None:
                    return child
        return None

    def _opened(self, node: _Node, position: int, key: str | int, child: _Node) -> _Node:
        node.position, node.key = position, key
        self._nodes[id(child.source)] = child
        return child

    def _known(
        self, node: _Node, position: int, key: str | int, known: _Node, kind: type
    ) -> _Node | None:
        """Take over a container that was met before; give it if it is to be walked again."""
        __tracebackhide__ = True
        if known.open:
            self._take_value(node, position, key, _Mark("cycle", "remove", kind))
            return None
        if known.bound:
            _, place = self._places(node, key)
            twin = self._bound.get((id(known.source), place))
            if twin is None:
                self._again += 1 + len(known.items)
                self._bounded(
                    self._again,
                    _MOST_AGAIN,
                    key,
                    "rules for certain places met containers that stand in several, which makes "
                    "more than {} items to judge again",
                )
                again = _Node(known.source, known.is_array, known.items, made_up=known.copied)
                again.place = place
                return self._opened(node, position, key, again)
            known = twin
        node.adopt(position, key, known)
        return None

    def _place(self) -> int:
        """Return the place of the innermost container."""
        stack = self._stack
        level = len(stack) - 1
        while stack[level].place is None:
            level -= 1
        place = stack[level].place
        for above, node in zip(stack[level:], stack[level + 1 :], strict=False):
            place = node.place = self._below(above, above.key)
        return place  # type: ignore[return-value]  # that of the outermost is set at the start

    def _below(self, node: _Node, key: str | int) -> int:
        if node is self._stack[0]:
            return self._matcher.places.start
        return self._matcher.places.below(node.place or 0, str(key))

    def _places(self, node: _Node, key: str | int) -> tuple[int, int]:
        """Return the places of the innermost container, and of a member or element of it."""
        return self._place(), self._below(node, key)

    def _rule(self, node: _Node, key: str | int, found: tuple[CompiledRule, ...]) -> Rule | None:
        """Return the first of the rules that match which holds here."""
        for compiled in found:
            if compiled.everywhere:
                return compiled.rule
            node.bound = True
            if compiled.holds(*self._places(node, key)):
                return compiled.rule
        return None

    def _judge_key(self, node: _Node, position: int, key: object, item: object) -> str | None:
        """Return the name that json would write, or None when nothing is left to be judged."""
        __tracebackhide__ = True
        kind = type(key)
        name = member_name(key)
        if name is None:
            # What json cannot write has no name: in the path, its type stands in its place.
            place = f"<{qualified_name(kind)}>"
            if issubclass(kind, (float, int)):
                mark = _Mark("bad-key", "remove", kind)
            else:
                mark = _Mark("unserializable", self._policy.unserializable, kind, package(kind))
            self._take(node, position, place, mark)
            return None
        sound = replace_surrogates(name)
        found = self._matcher.rules_for_name(sound)
        rule = self._rule(node, sound, found) if found else None
        done = rule is not None and self._obey(rule, node, position, name, item)
        if kind is not str or sound != name:
            node.odd_names = True
        if sound != name and not done:
            self._replace(node, position, name, "surrogate", item, kind)
        return None if done else sound

    def _obey(self, rule: Rule, node: _Node, position: int, key: str | int, item: object) -> bool:
        """Do what a rule says; tell whether nothing is left to be judged of the value."""
        __tracebackhide__ = True
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
        node.edit(position, rule.replacement)
        node.mark(key, mark)
        self._changed = True
        return True

    def _judge_stranger(
        self, node: _Node, position: int, key: str | int, given: object
    ) -> _Node | None:
        """Judge what is not plain JSON data; give a node if it is a container yet to be walked."""
        __tracebackhide__ = True
        item = given
        for _ in range(_MOST_CONVERSIONS):
            kind = type(item)
            typed = self._matcher.rules_for_type(kind)
            rule = self._rule(node, key, typed) if typed else None
            if rule is not None and self._obey(rule, node, position, key, item):
                node.size -= _PUNCTUATION + len(key) if isinstance(key, str) else 0
                return None
            if issubclass(kind, _CONTAINERS):
                known = self._nodes.get(id(item))
                if known is not None:
                    return self._known(node, position, key, known, type(given))
                child = _asked(item, kind)
                if child is not None:
                    if child.edits is not None:
                        self._count_made_up(len(child.items), key)
                        self._count_made_up_container(key)
                    elif self._for_encoder:
                        # json would look up its items, its __len__: by name
                        child.copied, child.edits = True, {}
                    return self._opened(node, position, key, child)
            elif issubclass(kind, _SCALARS):
                self._judge_scalar(node, position, key, item, item is not given)
                return None
            converted = self._converted(item, key)
            if converted is item:
                break
            self._changed = True
            item = converted
        kind = type(given)
        mark = _Mark("unserializable", self._policy.unserializable, kind, package(kind))
        self._take_value(node, position, key, mark)
        return None

    def _judge_scalar(
        self, node: _Node, position: int, key: str | int, item: Any, converted: bool
    ) -> None:
        kind = type(item)
        if converted:
            node.edit(position, item)
        if issubclass(kind, str):
            text = str.__str__(item)
            node.size += len(text) + 2
            if not is_encodable(text):
                self._replace(node, position, key, "surrogate", replace_surrogates(text), kind)
        elif issubclass(kind, float):
            if not math.isfinite(item):
                self._replace(node, position, key, "non-finite", None, kind)
        elif issubclass(kind, int):
            digits = digits_of(item)
            if digits is None:
                self._take_value(node, position, key, _Mark("digits", "remove", kind))
            else:
                node.size += len(digits)

    def _converted(self, item: object, key: str | int) -> object:
        """Ask ``convert=``, once of an object that it makes more than a scalar of.

        Returns:
            Its answer; the item itself when there is none.
        """
        __tracebackhide__ = True
        if self._policy.convert is None:
            return item
        known = self._answers.get(id(item))
        if known is not None:
            return known[1]
        try:
            answer = self._policy.convert(item)
        except TypeError:  # the contract of json.dumps(default=): "or raise a TypeError"
            return item
        if answer is item:
            return item
        self._count_made_up(1, key)
        if issubclass(type(answer), _CONTAINERS):
            self._count_made_up_container(key)
        if not issubclass(type(answer), _SCALARS):
            self._answers[id(item)] = item, answer
        return answer

    def _count_made_up(self, count: int, key: str | int) -> None:
        __tracebackhide__ = True
        self._made_up += count
        self._bounded(
            self._made_up,
            _MOST_MADE_UP,
            key,
            "a container that computes its items (or convert=) gave more than {} of them",
        )

    def _count_made_up_container(self, key: str | int) -> None:
        __tracebackhide__ = True
        self._made_up_containers += 1
        self._bounded(
            self._made_up_containers,
            _MOST_MADE_UP_CONTAINERS,
            key,
            "containers that compute their items (or convert=) gave more than {} containers",
        )

    def _bounded(self, count: int, most: int, key: str | int, why: str) -> None:
        __tracebackhide__ = True
        if count > most:
            keys = [*(node.key for node in self._stack[:-1]), key]
            path = join_pointer([_token(key) for key in keys[1:]])
            raise BodyLimitError(
                f"The body was not sent: below {redact_path(path) or 'its root'}, "
                f"{why.format(f'{most:,}')}.",
                Report((Finding(path, "size", "reject"),)),
            )

    def _take_value(self, node: _Node, position: int, key: str | int, mark: _Mark) -> None:
        """Take out a value whose name was counted already."""
        if isinstance(key, str):
            node.size -= _PUNCTUATION + len(key)
        self._take(node, position, key, mark)

    def _take(self, node: _Node, position: int, key: str | int, mark: _Mark) -> None:
        """Take a value out: its member goes, an element becomes null, a whole body is refused."""
        if mark.action == "reject" or node is self._stack[0]:
            mark = mark._replace(action="reject")
            self._rejected = True
        elif node.is_array:
            mark = mark._replace(action="replace")
        node.edit(position, _GONE)
        node.mark(key, mark)
        self._changed = True

    def _replace(
        self, node: _Node, position: int, key: str | int, rule: str, value: object, kind: type
    ) -> None:
        node.edit(position, value)
        node.mark(key, _Mark(rule, "replace", kind))
        self._changed = True


def _plain(item: Any, kind: type) -> _Node:
    if kind is dict:
        return _Node(item, False, _steady(dict.items, item), made_up=False)
    return _Node(item, True, list(item), made_up=False)


def _asked(item: Any, kind: type) -> _Node | None:
    """Open a container of a foreign class the way json's C encoder does; None if it cannot answer.

    A dict that overrides ``items``, or a list or tuple that overrides ``__iter__``, is asked once,
    since json would ask it: what it says then is what is judged and what is encoded.
    """
    if issubclass(kind, dict):
        own = class_attribute(kind, "items")
        if own is _DICT_ITEMS or own is _ORDERED_ITEMS:
            read = _ordered_items if own is _ORDERED_ITEMS else dict.items
            return _Node(item, False, _steady(read, item), made_up=False)
        if dict.__len__(item) == 0:  # json writes {} and does not ask
            return _Node(item, False, [], made_up=False)
        # Called as the class has it: asking the instance would run its __getattribute__.
        said = _made_up(lambda: _call(own, item, kind))
        pairs = None if said is None else _pairs(said)
        return None if pairs is None else _Node(item, False, pairs, made_up=True)
    own = class_attribute(kind, "__iter__")
    if own is _LIST_ITER or own is _TUPLE_ITER:
        return _Node(item, True, list(own(item)), made_up=False)
    values = _made_up(lambda: item)
    return None if values is None else _Node(item, True, values, made_up=True)


def _ordered_items(source: Any) -> Iterable[tuple[object, object]]:
    """Return the members of an OrderedDict, in its own order where telling that runs no code.

    It looks each key up, so keys of a foreign class would be asked for their hash; with such a key
    the order is that of insertion.
    """
    if all(_is_plain(type(key)) for key in dict.keys(source)):
        return collections.OrderedDict.items(source)
    return dict.items(source)


def _is_plain(kind: type) -> bool:
    return any(kind is plain for plain in (str, int, float, bool, type(None)))


def _call(attribute: Any, item: object, kind: type) -> Any:
    """Call a method of a class on an instance, bound by the descriptor protocol alone."""
    bind = class_attribute(type(attribute), "__get__")
    return (attribute if bind is None else bind(attribute, item, kind))()


def _steady(items: Any, source: dict[object, object]) -> list[tuple[object, object]]:
    """Read a dict's members while another thread may be adding to it."""
    for _ in range(_MOST_TRIES):
        try:
            return list(items(source))
        except RuntimeError:  # it changed size while it was read
            continue
    return list(dict.copy(source).items())


def _made_up(source: Any) -> list[Any] | None:
    try:
        return list(islice(iter(source()), _MOST_MADE_UP + 1))
    except Exception:
        return None


def _pairs(said: list[Any]) -> list[Any] | None:
    """Return the members as plain tuples of two, which is what json insists on; None otherwise."""
    if not all(issubclass(type(pair), tuple) for pair in said):
        return None
    pairs = [tuple.__getitem__(pair, slice(None)) for pair in said]
    return pairs if all(len(pair) == 2 for pair in pairs) else None


def _token(key: str | int) -> str:
    return escape_token(key) if isinstance(key, str) else str(key)


def _report(root: _Node, changed: bool, rejected: bool) -> Report:
    if not changed and not root.places:
        return CLEAN
    listing = Listing()
    told: dict[tuple[int, str], tuple[str, str]] = {}  # by id of a type, which marks keep alive
    for tokens, mark in _marked(root):
        if not listing.takes(mark.action):
            break
        _list(listing, told, tokens, mark)
    if rejected and listing.full and listing.takes("reject"):
        _list(listing, told, *next(_marked(root, refusing=True)))
    findings = tuple(listing.findings)
    return Report(findings, changed, omitted=root.places - len(findings))


def _list(
    listing: Listing, told: dict[tuple[int, str], tuple[str, str]], tokens: list[str], mark: _Mark
) -> None:
    rule, action, kind, owner = mark
    known = told.get((id(kind), rule))
    if known is None:
        hint = HINT if rule == "unserializable" and is_plain_data(kind) else ""
        known = told[id(kind), rule] = qualified_name(kind), hint
    listing.add(tokens[1:], rule, action, known[0], owner, known[1])


def _marked(root: _Node, *, refusing: bool = False) -> Iterator[tuple[list[str], _Mark]]:
    """Return every place of every mark, in the order of the body, without unfolding clean nodes.

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
