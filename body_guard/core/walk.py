"""The one traversal of values: finds what may not leave, copies only the branch that changes.

It is iterative, walks a shared container once, and runs no code of a foreign class. Types are
compared by identity or by `issubclass` on `type(value)`: `isinstance` would ask a hostile
``__class__``. No type is a dict key: a metaclass can define ``__hash__``. What is done with each
kind of value follows ``JSON.stringify``.

A container in which a rule with a scope was asked is remembered by the state of the globs there. In
another state its items are judged again, those that it gave the first time, so that a foreign
container is asked once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from body_guard.core.containers import read_items, read_members
from body_guard.core.encode import encode_scalar
from body_guard.core.errors import BodyLimitError
from body_guard.core.json_text import digits_of, member_name, plain_key, replace_surrogates
from body_guard.core.listing import Listing
from body_guard.core.matcher import first_rule
from body_guard.core.pointer import escape_token, join_pointer
from body_guard.core.redaction import redact_path
from body_guard.core.report import CLEAN, Finding, Report
from body_guard.core.typenames import package, qualified_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from body_guard.core.matcher import CompiledRule, Matcher
    from body_guard.core.rule import Rule

__all__ = ["WalkResult", "walk"]

#: What one walk may count, and the error beyond that. What the caller built is in memory and free;
#: an ``__iter__`` or a ``convert=`` that returns ever new containers ends here. A walked container
#: takes about 0.9 KB, as much as many items. Globs can tell exponentially many ways to one apart.
_MOST: Final = {"items": 1_000_000, "containers": 50_000, "again": 1_000_000}
_REASONS: Final = {
    "items": "a container that computes its items (or convert=) gave more than {:,} of them",
    "containers": "containers that compute their items (or convert=) gave more than {:,} "
    "containers",
    "again": "rules for certain places met containers that stand in several, which makes more than "
    "{:,} items to judge again",
}

#: How often in a row ``convert=`` may answer with one more thing that needs converting.
_MOST_CONVERSIONS: Final = 16

#: Sizes and findings are counted up to here: unfolded, a few thousand containers can have a size of
#: as many digits.
_COUNTED: Final = 2**64

#: What a member has besides its name and value: two quotes, a colon and a comma.
_PUNCTUATION: Final = 4

#: In the place of a value that was removed: its member is removed, an element becomes null.
_REMOVED: Final = object()

_CONTAINERS: Final = (dict, list, tuple)
_SCALARS: Final = (str, int, float, type(None))


class _Mark(NamedTuple):
    """A finding that has no path yet."""

    rule: str
    action: str
    kind: type
    owner: str = ""


@dataclass(slots=True, eq=False)
class _Node:
    """A container: `open` while it is being walked, then remembered, so that it is walked once.

    `marks` holds what was found below, by member: a mark, or the node of a child that has some.
    A child can have several parents, so paths are made at the end, going down from the root.
    """

    source: object  # kept alive, so that its id stays its own
    is_array: bool
    items: list[Any]  # values of an array, (key, value) pairs of an object
    copies: bool  # whether the items replace the source even where they are clean
    state: int  # of the globs
    value: Any = None
    pending: Iterator[tuple[int, Any]] = field(init=False)
    edits: dict[int, object] = field(default_factory=dict)  # what replaces items, by position
    odd_names: bool = False  # whether two members may come out under one name
    marks: list[tuple[str, _Mark | _Node]] = field(default_factory=list)
    found: int = 0  # marks, those of a child once for each way to it
    size: int = 1  # of two brackets, and a comma behind each member but the last
    depth: int = 1
    deepest: tuple[str | int, _Node] | None = None
    open: bool = True
    position: int = 0  # of the item at hand, and its name
    key: str | int = 0
    scoped: bool = False  # whether a rule with a scope was asked

    def __post_init__(self) -> None:
        self.value = self.source
        self.pending = enumerate(self.items)

    def mark(self, mark: _Mark) -> None:
        self.marks.append((escape_token(self.key), mark))
        self.found += 1

    def adopt(self, child: _Node) -> None:
        """Add what is known of the item at hand, a container that was walked."""
        self.size = min(self.size + child.size, _COUNTED)
        self.scoped |= child.scoped
        if child.found:
            self.marks.append((escape_token(self.key), child))
            self.found = min(self.found + child.found, _COUNTED)
        if child.depth >= self.depth:
            self.depth = child.depth + 1
            self.deepest = (self.key, child)
        item = self.items[self.position]
        if child.value is not (item if self.is_array else item[1]):
            self.edits[self.position] = child.value

    def close(self) -> None:
        changed = self.copies or bool(self.edits)
        if self.is_array and changed:
            left = [self.edits.get(position, item) for position, item in enumerate(self.items)]
            self.value = [None if value is _REMOVED else value for value in left]
        elif self.odd_names or changed:
            rebuilt = self._rebuild()
            self.value = rebuilt if changed else self.source
        self.open = False
        if not self.scoped:
            self.items = []

    def _rebuild(self) -> dict[Any, object]:
        """Return the members that are left; mark those that have the name of another."""
        names: set[str] = set()
        rebuilt: dict[Any, object] = {}
        for position, (key, item) in enumerate(self.items):
            value = self.edits.get(position, item)
            if value is _REMOVED:
                continue
            name = replace_surrogates(member_name(key) or "")
            if name in names:
                self.key = name
                self.mark(_Mark("duplicate", "report", type(value)))
            names.add(name)
            plain = plain_key(key)
            rebuilt[_Twin(name) if plain in rebuilt else plain] = value
        return rebuilt


class _Twin(str):
    """The name of a second member of that name, which json would send too."""

    __slots__ = ()
    __eq__ = object.__eq__
    __hash__ = object.__hash__


class WalkResult:
    """What is left of a value, and what an encoder needs to know.

    Attributes:
        value: What is left: the object that came in, unless something was changed, or a container
            of a foreign class was replaced by its items.
        report: What was found.
        size: A lower bound of the encoded bytes, a shared container counted at each place.
        depth: Levels of containers.
    """

    __slots__ = ("_root", "depth", "report", "size", "value")

    def __init__(self, root: _Node, report: Report) -> None:
        self._root = root
        self.value: object = root.value[0]
        self.report = report
        self.size = root.size - 2
        self.depth = root.depth - 1

    def deepest(self) -> str:
        """Return the pointer of the deepest container."""
        tokens = []
        down = self._root.deepest
        while down is not None:
            key, node = down
            tokens.append(escape_token(key))
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
        for_encoder: Whether to replace each container of a foreign class by a plain one: json
            would look up its items, or its length, by name.

    Returns:
        The value less what may not leave. The caller's own objects are never changed.

    Raises:
        BodyLimitError: A container, or ``convert=``, computed items without end; or there are too
            many ways to shared containers that rules judge differently.
    """
    __tracebackhide__ = True
    return _Walk(matcher, unserializable, convert, for_encoder).run(value)


@dataclass(slots=True, eq=False)
class _Walk:
    """The state of one walk."""

    matcher: Matcher
    unserializable: str
    convert: Callable[[Any], object] | None
    for_encoder: bool
    stack: list[_Node] = field(default_factory=list)
    nodes: dict[int, _Node] = field(default_factory=dict)  # by id of the source
    scoped: dict[tuple[int, int], _Node] = field(default_factory=dict)  # by state too
    spent: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_MOST, 0))
    # What ``convert=`` answered for an object, by its id; the object beside it so that the id stays
    # its own. Answers can be new objects each time: only the object asked about shows a cycle.
    answers: dict[int, tuple[object, object]] = field(default_factory=dict)
    changed: bool = False
    refusal: tuple[list[str], _Mark] | None = None  # the first, with its path

    def run(self, value: object) -> WalkResult:
        # The body is walked as the one element of an array, so that all values are judged alike.
        __tracebackhide__ = True
        root = _Node([value], True, [value], False, self.matcher.globs.around)
        stack = self.stack
        stack.append(root)
        while True:
            node = stack[-1]
            child = self._judge_items(node)
            if child is not None:
                stack.append(child)
                continue
            node.close()
            if node.scoped:
                self.scoped[id(node.source), node.state] = node
            stack.pop()
            if not stack:
                return WalkResult(root, _make_report(root, self.changed, self.refusal))
            stack[-1].adopt(node)

    def _judge_items(self, node: _Node) -> _Node | None:
        """Judge the items of a node up to the next container to walk; return that, or None."""
        __tracebackhide__ = True
        keys, prefixes = self.matcher.keys, self.matcher.prefixes
        for position, item in node.pending:
            node.position = position
            if node.is_array:
                node.key = position
                node.size += 1
            else:
                key, item = item
                plain = type(key) is str and key.isascii()
                if plain and key not in keys and not key.startswith(prefixes):
                    node.key = key
                    node.size += _PUNCTUATION + len(key)
                elif not self._judge_key(node, key, item):
                    continue
            kind = type(item)
            if kind is str and item.isascii():
                node.size += len(item) + 2
                continue
            if kind is str or kind is int or kind is float or kind is bool or item is None:
                self._judge_scalar(node, item)
                continue
            if kind is dict or kind is list or kind is tuple:
                child = self._enter(node, item, kind)
            else:
                child = self._judge_foreign(node, item)
            if child is not None:
                return child
        return None

    def _judge_key(self, node: _Node, key: object, item: object) -> bool:
        """Judge the key of a member; return whether its value is left to be judged."""
        kind = type(key)
        name = member_name(key)
        if name is None:
            # json cannot write it, so it has no name; the path shows its type.
            node.key = f"<{qualified_name(kind)}>"
            node.size += _PUNCTUATION + len(node.key)
            if issubclass(kind, (float, int)):
                self._remove(node, _Mark("bad-key", "remove", kind))
            else:
                self._remove_unserializable(node, kind)
            return False
        node.key = sound = replace_surrogates(name)
        node.size += _PUNCTUATION + len(sound)
        rule = self._find_rule(node, self.matcher.rules_for_name(sound))
        node.key = name
        if rule is not None and self._apply(rule, node, item):
            return False
        if kind is not str or sound != name:
            node.odd_names = True
        if sound != name:
            self._replace(node, item, _Mark("surrogate", "replace", kind))
        node.key = sound
        return True

    def _judge_foreign(self, node: _Node, given: object) -> _Node | None:
        """Judge a value of a foreign type; return a node if it is a container yet to be walked."""
        __tracebackhide__ = True
        item = given
        for _ in range(_MOST_CONVERSIONS):
            kind = type(item)
            rule = self._find_rule(node, self.matcher.rules_for_type(kind))
            if rule is not None and self._apply(rule, node, item):
                return None
            if issubclass(kind, _CONTAINERS):
                if id(item) in self.nodes:
                    return self._enter(node, item, type(given))
                child = self._read(node, item, kind)
                if child is not None:
                    return child
            elif issubclass(kind, _SCALARS):
                if item is not given:
                    node.edits[node.position] = item
                self._judge_scalar(node, item)
                return None
            answer = self._ask_convert(item)
            if answer is item:
                break
            self.changed = True
            item = answer
        self._remove_unserializable(node, type(given))
        return None

    def _judge_scalar(self, node: _Node, item: Any) -> None:
        kind = type(item)
        if item is None:
            node.size += 4
        elif issubclass(kind, str):
            text = str.__str__(item)
            node.size += len(text) + 2
            sound = replace_surrogates(text)
            if sound is not text:
                self._replace(node, sound, _Mark("surrogate", "replace", kind))
        elif issubclass(kind, float):
            node.size += 3
            if not math.isfinite(item):
                self._replace(node, None, _Mark("non-finite", "replace", kind))
        else:
            digits = digits_of(item)
            if digits is None:
                self._remove(node, _Mark("digits", "remove", kind))
            else:
                node.size += len(digits)

    def _read(self, node: _Node, source: Any, kind: type) -> _Node | None:
        """Return the node of a container of a foreign type; None if it cannot be read."""
        __tracebackhide__ = True
        items, computed = read_items(source, kind, _MOST["items"])
        if items is None:
            return None
        if computed:
            self._spend("items", len(items))
            self._spend("containers", 1)
        copies = computed or self.for_encoder
        return self._open(node, source, not issubclass(kind, dict), items, copies)

    def _enter(self, node: _Node, source: Any, kind: type) -> _Node | None:
        """Return the node of a container that is to be walked (again); None if it was walked."""
        __tracebackhide__ = True
        known = self.nodes.get(id(source))
        if known is None:
            items = read_members(source) if kind is dict else list(source)
            return self._open(node, source, kind is not dict, items, False)
        if known.open:
            self._remove(node, _Mark("cycle", "remove", kind))
            return None
        if known.scoped:
            twin = self.scoped.get((id(source), self._state_at(node)))
            if twin is None:
                self._spend("again", 1 + len(known.items))
                return self._open(node, source, known.is_array, known.items, known.copies)
            known = twin
        node.adopt(known)
        return None

    def _open(
        self, node: _Node, source: object, is_array: bool, items: list[Any], copies: bool
    ) -> _Node:
        state = self._state_at(node) if self.matcher.has_scopes else 0
        child = self.nodes[id(source)] = _Node(source, is_array, items, copies, state)
        return child

    def _state_at(self, node: _Node) -> int:
        """Return the state of the globs at the item of a container that is being judged."""
        globs = self.matcher.globs
        return globs.start if node is self.stack[0] else globs.step(node.state, str(node.key))

    def _find_rule(self, node: _Node, found: tuple[CompiledRule, ...]) -> Rule | None:
        def locate() -> tuple[int, int]:
            node.scoped = True
            return node.state, self._state_at(node)

        return first_rule(found, locate) if found else None

    def _apply(self, rule: Rule, node: _Node, item: object) -> bool:
        """Apply a rule; return whether nothing is left to be judged of the value."""
        kind = type(item)
        mark = _Mark(rule.name, rule.action, kind, rule.owner or package(kind))
        if rule.action == "report":
            node.mark(mark)
            return False
        if rule.action != "replace":
            self._remove(node, mark)
            return True
        if encode_scalar(item) == encode_scalar(rule.replacement):
            return False
        self._replace(node, rule.replacement, mark)
        return True

    def _ask_convert(self, item: object) -> object:
        """Return what ``convert=`` answers, or the item itself where it has no answer.

        It is asked once about an object for which its answer is no scalar.
        """
        __tracebackhide__ = True
        if self.convert is None:
            return item
        known = self.answers.get(id(item))
        if known is not None:
            return known[1]
        try:
            answer = self.convert(item)
        except TypeError:  # the contract of json.dumps(default=): "or raise a TypeError"
            return item
        if answer is item:
            return item
        kind = type(answer)
        self._spend("items", 1)
        if issubclass(kind, _CONTAINERS):
            self._spend("containers", 1)
        if not issubclass(kind, _SCALARS):
            self.answers[id(item)] = item, answer
        return answer

    def _spend(self, what: str, count: int) -> None:
        __tracebackhide__ = True
        self.spent[what] += count
        if self.spent[what] > _MOST[what]:
            path = join_pointer(self._tokens())
            raise BodyLimitError(
                f"The body was not sent: below {redact_path(path) or 'its root'}, "
                f"{_REASONS[what].format(_MOST[what])}.",
                Report((Finding(path, "size", "reject"),)),
            )

    def _tokens(self) -> list[str]:
        """Return the path to the item that is being judged."""
        return [escape_token(node.key) for node in self.stack[1:]]

    def _remove_unserializable(self, node: _Node, kind: type) -> None:
        self._remove(node, _Mark("unserializable", self.unserializable, kind, package(kind)))

    def _remove(self, node: _Node, mark: _Mark) -> None:
        """Remove a value: an element becomes null, and a whole body is refused."""
        if isinstance(node.key, str):
            node.size -= _PUNCTUATION + len(node.key)
        if mark.action == "reject" or node is self.stack[0]:
            mark = mark._replace(action="reject")
            self.refusal = self.refusal or (self._tokens(), mark)
        elif node.is_array:
            mark = mark._replace(action="replace")
        self._replace(node, _REMOVED, mark)

    def _replace(self, node: _Node, value: object, mark: _Mark) -> None:
        node.edits[node.position] = value
        node.mark(mark)
        self.changed = True


def _make_report(root: _Node, changed: bool, refusal: tuple[list[str], _Mark] | None) -> Report:
    if not root.found and not changed:
        return CLEAN
    listing = Listing()
    for tokens, mark in _iterate_marks(root):
        if listing.full:
            break
        listing.add_value(tokens[1:], *mark)
    if refusal is not None and listing.full and listing.takes("reject"):
        tokens, mark = refusal  # beyond the marks listed, of which there may be very many
        listing.add_value(tokens, *mark)
    return listing.report(root.found, changed)


def _iterate_marks(root: _Node) -> Iterator[tuple[list[str], _Mark]]:
    """Yield each mark with each path to it, in the order of the body; skip clean containers."""
    tokens: list[str] = []
    levels = [iter(root.marks)]
    while levels:
        for token, found in levels[-1]:
            if isinstance(found, _Node):
                tokens.append(token)
                levels.append(iter(found.marks))
                break
            yield [*tokens, token], found
        else:
            levels.pop()
            if tokens:
                tokens.pop()
