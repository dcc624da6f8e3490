"""Text that is the ``repr`` of a live object: something upstream has called ``str()`` on it.

No rule about keys or types finds such a value, and it has reached models as their prompt. Only a
string that is a repr from end to end counts: a prompt that quotes one is the user's. It is
reported, or the body is refused; it is never cut: the text of a body is not ours, and a gap would
hide the mistake.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from body_guard.core.listing import Listing
from body_guard.core.pointer import escape_token
from body_guard.formats.json_values import Members, members

if TYPE_CHECKING:
    from collections.abc import Iterator

    from body_guard.core.report import Report
    from body_guard.core.rule import Action

__all__ = ["find_reprs", "match_repr", "may_contain_repr"]

#: A longer text is no repr, and is not searched.
_LONGEST: Final = 20_000

_NAME: Final = r"[A-Za-z_][\w.]*"

#: What CPython and the libraries whose objects end up in bodies write, and whose it is where the
#: text does not say. Only the group ``kind`` is kept: a Span's repr holds the prompt. Each gives up
#: in time linear in the text: a lookahead says first that the end is the right one, and no
#: repetition can hand over to the next what this could have had.
_REPRS: Final = tuple(
    (owner, re.compile(pattern, re.DOTALL))
    for owner, pattern in (
        # <app.Client object at 0x7f...>, <httpx.Response object at 0x7f... [200 OK]>
        ("", rf"<(?P<kind>{_NAME}(?:\.<locals>\.{_NAME})*) object at 0x[0-9A-Fa-f][^<>]*>"),
        # <coroutine object f at 0x7f...>, <generator object f.<locals>.<genexpr> at 0x7f...>
        ("", r"<(?P<kind>coroutine|(?:async_)?generator) object [\w.<>]+ at 0x[0-9A-Fa-f]+>"),
        (
            "",
            r"<(?P<kind>function|code object|frame|cell|ContextVar)\b"
            r"(?=[^\n]*>\Z)[^\n]* at 0x[^\n]*>",
        ),
        ("", r"<(?P<kind>bound method|built-in (?:function|method)) [\w.<>][^\n]*>"),
        ("", rf"<(?:class|module) '(?P<kind>{_NAME})'[^\n]*>"),
        ("unittest", r"<(?P<kind>\w*Mock) (?:name='[^']*' |spec='[^']*' )*id='\d+'>"),
        ("asyncio", r"<(?P<kind>Task|\w*Future) (?:pending|finished|cancelled)\b[^\n]*>"),
        # <Span(op='gen_ai.chat', ...)>, with or without the brackets
        ("sentry-sdk", r"<?(?P<kind>\w*Span|Transaction)\((?:op|name)=['\"N](?=.*\)>\Z).*, .*\)>"),
        ("sentry-sdk", r"(?P<kind>Span)\(op=.*\)"),
        ("opentelemetry-api", r"(?P<kind>\w*Span)\((?:SpanContext\(|name=\").*\)"),
        ("opentelemetry-api", r"(?P<kind>SpanContext)\(trace_id=.*\)"),
    )
)

#: Whatever matches begins like one of these; in JSON, where one is, the text has one of those.
_begins: Final = re.compile(r"<[A-Za-z_]|\w*Span(?:Context)?\(").match
_IN_JSON: Final = (b'"<', rb'"\u003', b"Span(", b"SpanContext(")


_CONTAINERS: Final = (dict, list, tuple, Members)


class _Found(NamedTuple):
    kind: str
    owner: str


def match_repr(text: str) -> _Found | None:
    """Return the type whose repr a whole text is, and its package; None if it is no repr.

    Args:
        text: Any string of a body.

    Returns:
        ``("httpx.Client", "httpx")`` for ``"<httpx.Client object at 0x7f...>"``; an unknown
        owner is ``""``.
    """
    if len(text) > _LONGEST or not _begins(text):
        return None
    for owner, pattern in _REPRS:
        found = pattern.fullmatch(text)
        if found is not None:
            kind = found["kind"]
            package = kind.partition(".")[0] if "." in kind else ""
            return _Found(kind, owner or ("" if package == "__main__" else package))
    return None


def may_contain_repr(text: bytes) -> bool:
    """Check whether JSON text may hold a stringified object, at the speed of a search."""
    return any(beginning in text for beginning in _IN_JSON)


def find_reprs(body: object, action: Action) -> Report:
    """Look for stringified objects in a value that json can write.

    Args:
        body: Such a value, or one of `body_guard.formats.json_values`.
        action: ``report`` or ``reject``: what the findings say is done.

    Returns:
        A finding for each; for one in a container that stands in several places, the first place.
    """
    listing, count = Listing(), 0
    for tokens, found in _texts(body):
        count += 1
        if not listing.full:
            listing.add(tokens, "stringified", action, found.kind, found.owner)
    return listing.report(count, changed=False)


def _texts(body: object) -> Iterator[tuple[list[str], _Found]]:
    seen: set[int] = set()
    tokens: list[str] = []  # the first is the body's own, which has no name
    levels: list[Iterator[tuple[Any, Any]]] = [iter([("", body)])]
    while levels:
        for key, value in levels[-1]:
            kind = type(value)
            if issubclass(kind, str):
                # The plain text of a subclass: its own len() and str() are foreign code.
                text = value if kind is str else str.__str__(value)
                found = match_repr(text) if _begins(text) else None
                if found is not None:
                    yield [*tokens, escape_token(str(key))][1:], found
            elif issubclass(kind, _CONTAINERS) and id(value) not in seen:
                seen.add(id(value))
                tokens.append(escape_token(str(key)))
                listed = issubclass(kind, list | tuple)
                levels.append(iter(enumerate(value) if listed else members(value)))
                break
        else:
            levels.pop()
            if tokens:
                tokens.pop()
