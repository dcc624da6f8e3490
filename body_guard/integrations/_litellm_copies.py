"""Deep copies that litellm's providers make of their arguments, before any other guard.

``copy.deepcopy`` refuses a lock, a generator or an open file, so a call that carries one crashes
before its body is made. Here such a value stays in the copy as it is: the guard where the body is
made takes it out and reports it, with the host.
"""

from __future__ import annotations

import sys
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Final

from body_guard.core.errors import BodyLimitError
from body_guard.core.report import Finding, Report
from body_guard.http.auditing import add_note
from body_guard.integrations._litellm_bodies import host_of_frame
from body_guard.integrations.values import prepare_value
from body_guard.patches.patch import Hook, Patch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from body_guard.patches.patch import Current

__all__ = ["CopyPatch"]

#: Who makes deep copies without which there is no body, by the beginning of its name. Others copy
#: for logs, caches and deployments; the last one here is how a call begins in litellm 1.77.
_COPIERS: Final = (
    "litellm.llms.",
    "litellm.rag.",
    "litellm.a2a_protocol.",
    "litellm.responses.",
    "litellm.litellm_core_utils.prompt_templates.",
    "litellm.litellm_core_utils.litellm_logging.__init__",
)

_ATOMS: Final = frozenset({bool, bytes, float, int, str, type(None)})
_CONTAINERS: Final = (dict, list, tuple, set, frozenset)


class CopyPatch(Patch):
    """The patch of ``copy.deepcopy``, and of what ``from copy import deepcopy`` left in modules."""

    __slots__ = ()

    def __init__(self, current: Current) -> None:
        sees = "nothing yet: it keeps what cannot be copied for later guards"
        super().__init__(Hook("copy", "deepcopy", _deepcopy, sees), current)

    def apply(self) -> None:
        """Replace the name, in its own module and in those that have it."""
        super().apply()
        _rename(self._original, self._ours)

    def restore(self) -> None:
        """Restore the original in each of them."""
        original, ours = self._original, self._ours
        super().restore()
        if not self.applied:
            _rename(ours, original)


def _rename(old: object, new: object) -> None:
    """Rebind the name in every module of litellm's that has the old function under it."""
    # A copy, in one step of C: while a list is made, a finalizer may import something.
    for name, module in sys.modules.copy().items():
        if name.startswith(_COPIERS) and vars(module).get("deepcopy") is old:
            vars(module)["deepcopy"] = new


def _deepcopy(original: Callable[..., Any], current: Current) -> Callable[..., Any]:
    """Guard ``copy.deepcopy`` for callers in `_COPIERS`; pass all others through."""
    caller = sys._getframe

    @wraps(original)
    def deepcopy(x: Any, memo: Any = None, *rest: Any) -> Any:
        __tracebackhide__ = True
        frame = caller(1)
        name = f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}"
        guard = current() if name.startswith(_COPIERS) else None
        if guard is None or memo is not None:  # a memo is of a copy that is being made above
            return original(x, memo, *rest)
        try:
            return original(x)
        except Exception as error:
            if guard.policy.mode == "audit":
                add_note(error, x)
                prepare_value(guard, x, partial(host_of_frame, frame), last=True)
                raise
            too_deep = isinstance(error, RecursionError)
        if too_deep:
            raise BodyLimitError(
                "The body was not sent: it is too deep to be copied here.",
                Report((Finding("", "depth", "reject"),)),
            )
        return original(x, {id(each): each for each in _uncopyable(original, x)})

    return deepcopy


def _uncopyable(copy: Callable[[Any], Any], value: object) -> Iterable[object]:
    """Return what refuses to be copied, in the containers of a value and in theirs."""
    found: list[object] = []
    seen: set[int] = set()
    ahead: list[Any] = [value]
    while ahead:
        here = ahead.pop()
        kind = type(here)
        if kind in _ATOMS or id(here) in seen:
            continue
        seen.add(id(here))
        base: Any = next((base for base in _CONTAINERS if issubclass(kind, base)), None)
        if base is dict:
            ahead += [*dict.keys(here), *dict.values(here)]
        elif base is not None:
            ahead += base.__iter__(here)  # and not a subclass's, which may be anything
        else:
            try:
                copy(here)
            except Exception:  # whatever its class raises, it will not be copied
                found.append(here)
    return found
