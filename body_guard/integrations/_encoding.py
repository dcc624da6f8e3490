"""A library's own JSON encoder, guarded: its bytes where it writes them, less what may not leave.

The library's encoder is asked first, since most bodies are clean: that the value is plain data of
bounded size is seen in its containers alone, and that no name in it is forbidden by one search of
the text, or, of many names, in its dicts. Only what fails here is walked.
"""

from __future__ import annotations

import gc
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from body_guard import _reporting
from body_guard._audit import ENCODING_ERRORS, audited, note
from body_guard._request import EXTENSION
from body_guard.core.encode import encode
from body_guard.core.errors import BodyLimitError
from body_guard.core.proof import proof_of
from body_guard.core.report import CLEAN, Finding, Report
from body_guard.core.sanitizer import sanitizer_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from body_guard._guard import Guard
    from body_guard.core.policy import Policy

    Convert = Callable[[Any], object]
    Where = Callable[[], str]

__all__ = ["encoded", "nowhere", "pending", "prepared", "tell"]

_Text = TypeVar("_Text", str, bytes)

#: Items and levels up to which a value with odd names is given to its encoder.
_MOST: Final = 1_000_000
_LEVELS: Final = 200

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def nowhere() -> str:
    """Return no host: it is not known where a value goes."""
    return ""


#: Where what is found in a value waits for the request that is being built of it.
pending: Final[ContextVar[list[Report] | None]] = ContextVar("body_guard_pending", default=None)


def encoded(
    guard: Guard,
    dumps: Callable[..., _Text],
    value: object,
    options: dict[str, Any],
    convert: Convert | None = None,
    strict: Mapping[str, Any] = _NOTHING,
    where: Where = nowhere,
) -> _Text:
    """Encode a value as its library would, less what may not leave.

    Args:
        guard: Judges it.
        dumps: The library's encoder.
        value: What is to become a JSON body; it is not changed.
        options: Of the call to `dumps`.
        convert: What the encoder itself makes of values that JSON does not know, with the contract
            of ``json.dumps(default=)``; what that can write stays.
        strict: Options beside those, under which `dumps` refuses what no JSON can say and it would
            write all the same: refused, a value is walked, which mends it. Not used in an audit.
        where: Returns the host that the body goes to; called where something is found.

    Returns:
        What `dumps` gives; for a clean value, the same as unguarded.

    Raises:
        BodyError: The body may not leave.
        GuardError: The guard failed.
    """
    __tracebackhide__ = True
    if guard.policy.mode == "audit":
        return _audited(guard, dumps, value, options, convert, strict, where)
    write = partial(dumps, **{**options, **strict})
    # Names that are no strings are the encoder's to leave out, where the call says so.
    may_write = _is_bounded if options.get("skipkeys") else None
    text = sanitizer_for(guard.policy).written(value, write, may_write)
    if text is not None:
        return text
    value = prepared(guard, value, convert, where=where)
    try:
        return write(value)
    except RecursionError:
        pass
    raise BodyLimitError(
        "The body was not sent: it is too deep to be encoded here.",
        Report((Finding("", "depth", "reject"),)),
    )


def _audited(
    guard: Guard,
    dumps: Callable[..., _Text],
    value: object,
    options: dict[str, Any],
    convert: Convert | None,
    strict: Mapping[str, Any],
    where: Where,
) -> _Text:
    """Encode a value as it is; tell what of it the door behind will not see in its bytes."""
    __tracebackhide__ = True
    if proof_of(value, guard.policy.max_bytes) or (options.get("skipkeys") and _is_bounded(value)):
        try:
            dumps(value, **{**options, **strict})
        except ENCODING_ERRORS:
            pass
        else:
            return dumps(value, **options)
    host = where()
    judged = _judged(guard, value, convert, host)
    try:
        text = dumps(value, **options)
    except ENCODING_ERRORS as error:
        note(error, value, convert)
        tell(judged[1], guard.policy, host)
        raise
    tell(_untold(judged[1], text, guard.policy), guard.policy, host)
    return text


def _untold(report: Report, text: str | bytes, policy: Policy) -> Report:
    """Leave to the door behind what it will find in the bytes."""
    __tracebackhide__ = True
    if pending.get() is not None:  # that door knows what is waiting
        return report
    content = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    look = sanitizer_for(policy).sanitize_bytes
    return report.without(audited(lambda: look(content, "application/json")))


def prepared(
    guard: Guard,
    value: object,
    convert: Convert | None = None,
    *,
    last: bool = False,
    where: Where = nowhere,
) -> object:
    """Give a value as it may leave, and tell what was found.

    Args:
        guard: Judges it.
        value: Is not changed; where something is to be taken out, a copy is given.
        convert: As in `encoded`.
        last: Whether no other door will see the bytes.
        where: As in `encoded`.

    Raises:
        BodyError: The body may not leave.
        GuardError: The guard failed.
    """
    __tracebackhide__ = True
    host = where()
    value, report = _judged(guard, value, convert, host)
    audit = guard.policy.mode == "audit"
    if not last and any(audit or finding.action == "report" for finding in report.findings):
        with suppress(*ENCODING_ERRORS):  # then nobody will see its bytes
            report = _untold(report, encode(value), guard.policy)
    tell(report, guard.policy, host)
    return value


def _judged(
    guard: Guard, value: object, convert: Convert | None, host: str
) -> tuple[object, Report]:
    __tracebackhide__ = True
    policy = guard.policy
    if convert is not None:
        policy = replace(policy, convert=_either(convert, policy.convert))
    judged = guard.prepare(value, {EXTENSION: policy}, host)
    return (value, CLEAN) if judged is None else judged


def tell(report: Report, policy: Policy, host: str) -> None:
    """Tell what was found; that nothing was found, the report of the request's bytes will say."""
    if not report.findings:
        return
    waiting = pending.get()
    if waiting is None:
        _reporting.deliver(report, policy, host)
    else:
        waiting.append(report)


def _is_bounded(value: object) -> bool:
    """Tell whether the containers of a value are JSON's, and no more than an encoder may be given.

    A container is counted wherever it stands, so that a small value that unfolds to a huge one is
    seen before it does.
    """
    level: list[Any] = [value]
    room = _MOST
    for _ in range(_LEVELS):
        for item in level:
            kind = type(item)
            if kind is not dict and kind is not list and kind is not tuple:
                return False
        room -= sum(map(len, level))
        if room < 0:
            return False
        # The collector does not track a tuple of tuples of atoms, which can unfold all the same.
        told = gc.get_referents(*level)
        level = [item for item in told if gc.is_tracked(item) or type(item) is tuple]
        if not level:
            return True
    return False


@dataclass(frozen=True, slots=True)
class _Either:
    """Two functions for ``convert=``, the second asked where the first has no answer."""

    first: Convert
    second: Convert

    def __call__(self, value: Any) -> object:
        try:
            return self.first(value)
        except TypeError:
            return self.second(value)


def _either(first: Convert, second: Convert | None) -> Convert:
    return first if second is None else _Either(first, second)
