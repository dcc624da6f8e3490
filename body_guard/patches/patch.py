"""Patch: one name of another library, replaced and given back; Hook: a row of a table of them."""

from __future__ import annotations

import gc
from collections import deque
from dataclasses import dataclass, field
from importlib import import_module
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from body_guard.core import accelerator

if TYPE_CHECKING:
    from collections.abc import Callable

    from body_guard.http.request_guard import Guard

    Current = Callable[[], Guard | None]
    Wrap = Callable[[Any, Current], Any]

__all__ = ["Coverage", "Door", "Hook", "Patch"]

_ABSENT: Final = object()

#: How many objects of a patch are looked at for ours. Where it is not found, ours is put on top.
_FAR: Final = 10_000


@dataclass(frozen=True, slots=True)
class Door:
    """One place where the guard can stand.

    Attributes:
        name: The place.
        hooked: Whether the guard stands there now.
        why: What it sees there; or why it does not stand there.
        absent: Whether there is no such place in what is installed.
    """

    name: str
    hooked: bool
    why: str
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Coverage:
    """Where the guard stands, and what goes past it.

    Attributes:
        doors: Every place, in the order in which a body meets them.
        warnings: A sentence for each way out that is open in this process and not guarded.
        passes: What judges bodies: ``compiled``, or ``pure`` and why.
    """

    doors: tuple[Door, ...]
    warnings: tuple[str, ...] = ()
    passes: str = field(default_factory=accelerator.describe)


@dataclass(frozen=True, slots=True)
class Hook:
    """A name to replace: where it is, and by what.

    Args:
        owner: ``module`` or ``module:Class``, imported when the hook is applied.
        name: The attribute.
        wrap: Given the original function and a function that gives the current guard, gives the
            replacement; it must call the original where there is no guard.
        sees: What the guard sees there, for `Door.why`.
    """

    owner: str
    name: str
    wrap: Wrap
    sees: str

    def __str__(self) -> str:
        return f"{self.owner.partition(':')[2] or self.owner}.{self.name}"


class Patch:
    """A hook at work: applied, and taken back so that the very object that was there is there.

    Where somebody has put a patch of their own on top, ours stays beneath it and passes through,
    since the current guard is gone; applied again, it is at work again.

    Args:
        hook: What to replace.
        current: Gives the guard, or None when there is none.
    """

    __slots__ = ("_current", "_original", "_ours", "_owner", "absent", "hook", "missing")

    def __init__(self, hook: Hook, current: Current) -> None:
        self.hook = hook
        self.missing = ""
        self.absent = False
        self._current = current
        self._owner: Any = None
        self._original: Any = _ABSENT
        self._ours: Any = _ABSENT

    @property
    def applied(self) -> bool:
        """Whether our replacement is in place, or beneath a later one."""
        return self._ours is not _ABSENT

    @property
    def covered(self) -> bool:
        """Whether a later patch sits on top of ours."""
        return self.applied and vars(self._owner).get(self.hook.name) is not self._ours

    @property
    def lost(self) -> bool:
        """Whether ours was thrown away: what is there now does not lead to it."""
        return self.covered and not _leads(vars(self._owner).get(self.hook.name), self._ours)

    def apply(self) -> None:
        """Replace the name; say in `missing` why that cannot be done, in `absent` if it is none."""
        if self.applied and not self.lost:
            return
        self.absent = False
        module, _, inside = self.hook.owner.partition(":")
        try:
            self._owner = import_module(module)
        except ImportError as error:
            self.missing = f"cannot be imported: {type(error).__name__}"
            self.absent = isinstance(error, ModuleNotFoundError)
            return
        if inside:
            self._owner = getattr(self._owner, inside, None)
        original = vars(self._owner).get(self.hook.name, _ABSENT) if self._owner else _ABSENT
        if original is _ABSENT:
            self.missing = "this release has no such name"
            self.absent = True
            return
        self.missing = ""
        self._original = original
        self._ours = self._replacement(original)
        setattr(self._owner, self.hook.name, self._ours)

    def _replacement(self, original: Any) -> Any:
        if isinstance(original, staticmethod):
            return staticmethod(self.hook.wrap(original.__func__, self._current))
        return self.hook.wrap(original, self._current)

    def restore(self) -> None:
        """Put the original back where ours stands; beneath a later patch ours stays for now."""
        if self.applied and not self.covered:
            setattr(self._owner, self.hook.name, self._original)
            self._ours = self._original = _ABSENT

    def door(self) -> Door:
        """Return how this hook stands."""
        if not self.applied:
            why = self.missing or "not installed"
            return Door(str(self.hook), False, why, self.absent)
        if self.lost:
            return Door(str(self.hook), False, "replaced since, by somebody else: install again")
        above = "; a later patch sits on top" if self.covered else ""
        if self._current() is None:
            return Door(str(self.hook), False, f"passes through, since uninstalled{above}")
        return Door(str(self.hook), True, self.hook.sees + above)


def _leads(patch: Any, ours: Any) -> bool:
    """Check whether a patch leads to ours, by what it wraps or holds, or names in its module.

    Reference by reference, so that no code of a stranger's is run; classes, modules and our own
    record of a patch are no part of a patch.
    """
    seen: set[int] = set()
    ahead: deque[Any] = deque([patch])
    while ahead and len(seen) < _FAR:
        here = ahead.popleft()
        if here is ours:
            return True
        if id(here) not in seen and not issubclass(type(here), (type, ModuleType, Patch)):
            seen.add(id(here))
            ahead.extend(_held(here))
    return False


def _held(here: Any) -> list[Any]:
    """Return what an object refers to; of a function's module, only what its code names."""
    held, kind = gc.get_referents(here), type(here)
    if kind is not FunctionType:
        return held
    outside = (here.__globals__, here.__builtins__)
    named = [dict.get(here.__globals__, name) for name in _names(here.__code__)]
    return [each for each in held if not any(each is o for o in outside)] + named


def _names(code: CodeType) -> list[str]:
    """Return the names in a function's code, and in that of the functions in it."""
    inner = [_names(each) for each in code.co_consts if type(each) is CodeType]
    return sum(inner, [*code.co_names])
