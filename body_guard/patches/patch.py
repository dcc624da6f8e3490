"""Patch: one name of another library, replaced and restored; Hook: a row of a table of them."""

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

#: How many objects of a later patch are searched for ours. Where it is not found, we patch again.
_FAR: Final = 10_000


@dataclass(frozen=True, slots=True)
class Door:
    """One place where bodies can be guarded.

    Attributes:
        name: The place.
        hooked: Whether it is guarded now.
        why: What the guard sees there; or why there is none.
        absent: Whether the installed release has no such place.
    """

    name: str
    hooked: bool
    why: str
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is guarded, and what is not.

    Attributes:
        doors: Every place, in the order in which a body meets them.
        warnings: A sentence for each way out of this process that is not guarded.
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
        wrap: Takes the original and a function that returns the current guard or None; returns the
            replacement, which must call the original where there is no guard.
        sees: What the guard sees there, for `Door.why`.
    """

    owner: str
    name: str
    wrap: Wrap
    sees: str

    def __str__(self) -> str:
        return f"{self.owner.partition(':')[2] or self.owner}.{self.name}"


class Patch:
    """A hook that is applied, and undone by restoring the very object that was there.

    Beneath a later patch of another library, ours cannot be undone; it passes through, since there
    is no current guard. Applied again, it guards again.

    Args:
        hook: What to replace.
        current: Returns the guard, or None when there is none.
    """

    __slots__ = ("_current", "_made", "_original", "_ours", "_owner", "absent", "hook", "missing")

    def __init__(self, hook: Hook, current: Current) -> None:
        self.hook = hook
        self.missing = ""
        self.absent = False
        self._current = current
        self._owner: Any = None
        self._original: Any = _ABSENT
        self._ours: Any = _ABSENT
        #: Each replacement that is not undone, and what it replaced.
        self._made: list[tuple[Any, Any]] = []

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
        """Whether ours was replaced by something that does not call it."""
        return self.covered and not _reaches(vars(self._owner).get(self.hook.name), self._ours)

    def apply(self) -> None:
        """Replace the name, or set `missing` to why that cannot be done."""
        self.absent = False
        module, _, inside = self.hook.owner.partition(":")
        try:
            self._owner = import_module(module)
        except ImportError as error:
            self.missing = f"cannot be imported: {type(error).__name__}"
            self.absent = isinstance(error, ModuleNotFoundError)
            return
        if inside:
            self._owner = _real_class(getattr(self._owner, inside, None), module, inside)
        self._adopt()
        if self.applied and not self.lost:
            return
        original = vars(self._owner).get(self.hook.name, _ABSENT) if self._owner else _ABSENT
        if original is _ABSENT:
            self.missing = "this release has no such name"
            self.absent = True
            return
        self.missing = ""
        self._original = original
        self._ours = self._replacement(original)
        self._made.append((self._ours, original))
        setattr(self._owner, self.hook.name, self._ours)

    def _adopt(self) -> None:
        """Take up a replacement that somebody put back, as vcrpy does what it found."""
        found = vars(self._owner).get(self.hook.name) if self._owner else None
        for index, (ours, original) in enumerate(self._made):
            if ours is found:
                del self._made[index + 1 :]
                self._ours, self._original = ours, original
                return

    def _replacement(self, original: Any) -> Any:
        if isinstance(original, staticmethod):
            return staticmethod(self.hook.wrap(original.__func__, self._current))
        return self.hook.wrap(original, self._current)

    def restore(self) -> None:
        """Restore the original; beneath a later patch, leave ours in place."""
        self._adopt()
        if self.applied and not self.covered:
            setattr(self._owner, self.hook.name, self._original)
            self._made.pop()
            self._ours = self._original = _ABSENT

    def door(self) -> Door:
        """Return whether this hook is applied, and why not."""
        if not self.applied:
            why = self.missing or "not installed"
            return Door(str(self.hook), False, why, self.absent)
        if self.lost:
            return Door(str(self.hook), False, "replaced since, by somebody else: install again")
        above = "; a later patch sits on top" if self.covered else ""
        if self._current() is None:
            why = f"passes through, since uninstalled{above}" if above else "not installed"
            return Door(str(self.hook), False, why)
        return Door(str(self.hook), True, self.hook.sees + above)


def _real_class(owner: Any, module: str, name: str) -> Any:
    """Return a module's own class where a subclass stands in its place, as vcrpy puts one there."""
    for kind in getattr(owner, "__mro__", ()):
        if (kind.__module__, kind.__qualname__) == (module, name):
            return kind
    return owner


def _reaches(patch: Any, ours: Any) -> bool:
    """Check whether a later patch reaches ours, by what it wraps or holds, or names in its module.

    It is searched by reference, so that no foreign code is run. Classes, modules and our own
    `Patch` objects are skipped.
    """
    seen: set[int] = set()
    ahead: deque[Any] = deque([patch])
    while ahead and len(seen) < _FAR:
        here = ahead.popleft()
        if here is ours:
            return True
        if id(here) not in seen and not issubclass(type(here), (type, ModuleType, Patch)):
            seen.add(id(here))
            ahead.extend(_references(here))
    return False


def _references(here: Any) -> list[Any]:
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
