"""Guard libraries process-wide: the names that rows tell, replaced in a library that is imported.

What is patched stands in rows; which there are, the caller says. A library that is not imported yet
is patched as soon as it is. A library can be watched too: then its names are replaced as well, and
bodies pass as they are, to be seen by observers.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from typing import TYPE_CHECKING, Any, cast

from body_guard.http.request_guard import Guard
from body_guard.patches.locks import Lock
from body_guard.patches.patch import Door, Hook, Patch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from body_guard.policy import Policy

__all__ = ["Installation", "Row"]


def _nothing() -> None:
    """Leave nothing behind but the names."""


@dataclass(frozen=True, slots=True)
class Row:
    """A library whose names are replaced.

    Attributes:
        library: What it is called.
        module: Once this is imported, its names are there. One that begins with a dot is the end of
            a name: the row is of every package with such a module.
        hooks: Given the name of the module, returns what to replace; nothing where its code is not
            of the shape that can be guarded.
        leave: Undoes what its hooks did beyond replacing names.
    """

    library: str
    module: str
    hooks: Callable[[str], Iterable[Hook]]
    leave: Callable[[], None] = _nothing

    def is_of(self, name: str) -> bool:
        """Check whether this is the row of a module."""
        return name == self.module or (self.module[0] == "." and name.endswith(self.module))


class _Library:
    """A library that is imported, its patches, and the guard at work there now."""

    def __init__(self, row: Row, module: ModuleType) -> None:
        self.row = row
        self.module = module
        self.guard: Guard | None = None
        hooks = row.hooks(module.__name__)
        self.patches = tuple(Patch(hook, lambda: self.guard) for hook in hooks)

    def install(self, policy: Policy | None) -> None:
        """Replace the names; without a policy, bodies are only observed there."""
        self.guard = None if policy is None else Guard(cast(Any, self.module), policy)
        for patch in self.patches:
            patch.apply()

    def uninstall(self) -> None:
        self.guard = None
        for patch in reversed(self.patches):
            patch.restore()
        self.row.leave()

    def doors(self) -> list[Door]:
        if not self.patches:
            why = f"of another shape than {self.row.library}"
            return [Door(self.module.__name__, False, why, absent=True)]
        name = f"{self.module.__name__.partition('.')[0]}."
        doors = [patch.door() for patch in self.patches]
        return [replace(door, name=name + door.name.removeprefix(name)) for door in doors]


class Installation(MetaPathFinder):
    """What is installed in this process; as a finder, it waits for a library to be imported.

    This module can be reloaded or imported once more, which makes a second one. Whatever that is
    asked to do, it uninstalls the first.

    Args:
        rows: What `install` guards unless it is told of others.
    """

    #: How copies of this class recognize each other's instances.
    _body_guard_finder = True

    def __init__(self, rows: tuple[Row, ...]) -> None:
        self.lock = Lock()
        self.policy: Policy | None = None  # None while nothing is guarded
        self.rows = rows
        self.watches: list[tuple[Row, ...]] = []
        self.libraries: list[_Library] = []

    def install(self, policy: Policy | None, rows: tuple[Row, ...]) -> None:
        """Guard these libraries, and no others any more, until `uninstall`.

        Args:
            policy: What must not leave; the default policy when None.
            rows: Of the libraries.
        """
        policy = Guard(cast(Any, None), policy).policy  # checked now, whatever is imported later
        with self.lock:
            for copy in self.copies():
                copy.uninstall()
            self.policy, self.rows = policy, rows
        self._update()

    def uninstall(self) -> None:
        """Restore every name that can be restored, and is not watched."""
        with self.lock:
            for copy in self.copies():
                copy.uninstall()
            self.policy = None
        self._update()

    def watch(self, rows: tuple[Row, ...]) -> None:
        """Replace the names of these libraries, for bodies to be observed there, until `unwatch`.

        What is guarded stays guarded; what is not passes as it is.
        """
        with self.lock:
            self.watches.append(rows)
        self._update()

    def unwatch(self, rows: tuple[Row, ...]) -> None:
        """Undo one `watch`."""
        with self.lock:
            self.watches.remove(rows)
        self._update()

    def _update(self) -> None:
        """Bring the names of all libraries to what is installed and watched now."""
        with self.lock:
            rows = self._hooked()
            for library in reversed(self.libraries):
                if library.row not in rows:
                    library.uninstall()
            if rows and self not in sys.meta_path:
                sys.meta_path.insert(0, self)
            elif not rows and self in sys.meta_path:
                sys.meta_path.remove(self)
        # A copy, in one step of C: another thread may import something.
        for name in sys.modules.copy() if rows else ():
            row = self.row_of(name)
            if row is not None:
                # Outside the lock: it waits for another thread that is importing it right now.
                self.guard_library(row, import_module(name))

    def _hooked(self) -> dict[Row, None]:
        """Return the rows whose names are replaced, in order."""
        guarded = () if self.policy is None else self.rows
        return dict.fromkeys([*guarded, *(row for rows in self.watches for row in rows)])

    def copies(self) -> list[Any]:
        """Return the installations of copies of this module, from before it was reloaded."""
        return [each for each in sys.meta_path if each is not self and _is_ours(each)]

    def doors(self) -> list[Door]:
        """Return every door; none where nothing was ever installed."""
        with self.lock:
            waiting = () if self.policy is None else self.rows
            doors = [door for library in self.libraries for door in library.doors()]
            known = {library.row for library in self.libraries}
        return doors + [
            Door(row.library, True, "not imported yet; guarded as soon as it is")
            for row in waiting
            if row.module not in sys.modules and row not in known
        ]

    def row_of(self, name: str) -> Row | None:
        """Return the row of a module, if there is one."""
        for rows in (self.rows, *self.watches):
            for row in rows:
                if row.is_of(name):
                    return row
        return None

    def guards(self, library: str) -> bool:
        """Check whether a library is guarded, or will be as soon as it is imported."""
        return self.policy is not None and any(row.library == library for row in self.rows)

    def guard_library(self, row: Row, module: ModuleType) -> None:
        """Guard or watch a library that has been imported, unless that was undone meanwhile."""
        with self.lock:
            if row not in self._hooked():
                return
            policy = self.policy if row in self.rows else None
            known = [one for one in self.libraries if one.module is module]
            if not known:
                known = [_Library(row, module)]
                self.libraries += known
            known[0].install(policy)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a library as the other finders do, with a loader that guards it."""
        row = self.row_of(fullname)
        if row is None:
            return None
        for finder in list(sys.meta_path):
            # Two installations would ask each other without end.
            find = None if _is_ours(finder) else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = None if find is None else find(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:  # not a mere folder of that name
                    spec.loader = _GuardingLoader(spec.loader, self, row)
                return spec
        return None


def _is_ours(finder: Any) -> bool:
    return "_body_guard_finder" in vars(type(finder))


class _GuardingLoader(Loader):
    """A loader that is replaced by the real one before it runs, and guards what that loaded."""

    def __init__(self, loader: Any, installation: Installation, row: Row) -> None:
        self._loader = loader
        self._installation = installation
        self._row = row

    def __getattr__(self, name: str) -> Any:  # for who finds the library and does not import it
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        spec: Any = module.__spec__
        spec.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._installation.guard_library(self._row, module)
