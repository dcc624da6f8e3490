"""Bodies that Hypothesis makes up: clean, full of what JSON cannot write, or planted."""

from __future__ import annotations

import datetime
import decimal
import json
import math
from typing import Any

from hypothesis import strategies as st

from hostile import MARKER, Hidden, Span

__all__ = ["anything", "clean", "clean_objects", "json_texts", "planted"]

_FORBIDDEN = ("_sentry_", "_sentrysdk_")

#: Any text without half a character (Hypothesis makes none by itself) and without the marker.
texts = st.text().filter(lambda text: MARKER not in text)

_huge = st.builds(
    lambda digits, low, sign: sign * (10**digits - low),
    st.integers(300, 3999),
    st.integers(1, 10**9),
    st.sampled_from((1, -1)),
)
numbers = (
    st.integers()
    | _huge
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from((0.0, -0.0, 5e-324, 1.7976931348623157e308, 1e16, 2**53, 2**64))
)
_names = texts.filter(lambda name: not name.startswith(_FORBIDDEN))
keys = _names | numbers | st.booleans() | st.none()
scalars = texts | numbers | st.booleans() | st.none()


def _containers(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.lists(children, max_size=5)
        | st.dictionaries(keys, children, max_size=5)
        | st.lists(children, max_size=3).map(tuple)
    )


#: What json writes as it is.
clean = st.recursive(scalars, _containers, max_leaves=25)
clean_objects = st.dictionaries(_names, clean, min_size=1, max_size=5)

#: What it does not: the rows of DESIGN section 2, but for ints that Hypothesis could not print.
_dirt: st.SearchStrategy[Any] = st.sampled_from(
    (
        object(),
        Span(),
        b"bytes",
        frozenset({1}),
        datetime.date(2024, 2, 29),
        decimal.Decimal("0.7"),
        math.nan,
        math.inf,
        -math.inf,
        "\ud800",
        "a\udfffb",
    )
)
_odd_keys: st.SearchStrategy[Any] = st.sampled_from(
    (
        "_sentry_span",
        "_sentrysdk_span",
        b"key",
        (1, 2),
        frozenset(),
        math.nan,
        math.inf,
        "\ud800",
        "\udfff",
        "\ufffd",
        "1",
        1,
        True,
        "true",
    )
)


def _odd_containers(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.lists(children, max_size=5)
        | st.dictionaries(keys | _odd_keys, children, max_size=6)
        | st.lists(children, max_size=3).map(tuple)
    )


#: Containers of anything, clean or not.
anything = _odd_containers(st.recursive(scalars | _dirt, _odd_containers, max_leaves=20))


def _members() -> st.SearchStrategy[tuple[Any, Any]]:
    """Make members that may not leave: by their key, by their value, by either."""
    forbidden = st.builds("{}{}".format, st.sampled_from(_FORBIDDEN), texts)
    held = st.sampled_from((MARKER, [MARKER], {"deep": {MARKER: MARKER}}, 1, None))
    live = st.builds(Span) | st.builds(Hidden) | st.sampled_from((MARKER.encode(), {MARKER}))
    strange = (
        st.builds(Hidden)
        | st.sampled_from((MARKER.encode(), (MARKER,), frozenset({MARKER})))
        | st.builds(lambda: decimal.Decimal(1)).map(lambda number: (number, MARKER))
    )
    plain = st.integers(0, 99).map("planted {}".format)
    return (
        st.tuples(forbidden, held | live) | st.tuples(strange, held | live) | st.tuples(plain, live)
    )


@st.composite
def planted(draw: st.DrawFn) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Make a clean object, and the same with members planted in it that may not leave."""
    original = draw(clean_objects)
    return original, _plant(draw, original)


def _plant(draw: st.DrawFn, value: Any) -> Any:
    if type(value) in (list, tuple):
        return type(value)(_plant(draw, item) for item in value)
    if type(value) is not dict:
        return value
    members = [(key, _plant(draw, item)) for key, item in value.items()]
    for key, item in draw(st.lists(_members(), max_size=3)):
        if key not in value:
            members.insert(draw(st.integers(0, len(members))), (key, item))
    return dict(members)


#: Texts that are JSON or nearly so: what json writes, with a byte or two taken out or put in.
_pieces = st.sampled_from(tuple('{}[]:,"\\ \n0123456789.eE+-truefalsenullNaNInfinity_sentry_/bu'))


@st.composite
def json_texts(draw: st.DrawFn) -> str:
    """Make a text that is JSON, or was before it was damaged."""
    text = json.dumps(
        draw(_small),
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.sampled_from((None, 0, 1))),
        separators=draw(st.sampled_from(((",", ":"), (" ,\t", " :\n")))),
    )
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(text)))
        until = draw(st.integers(at, min(at + 2, len(text))))
        text = text[:at] + "".join(draw(st.lists(_pieces, max_size=2))) + text[until:]
    return text


_member_names = st.text(max_size=3) | st.sampled_from(
    ("_sentry_x", "_sentrysdk_", "a", "b", "_sentry", '_sentry_"\\')
)
_small = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(_member_names, children, max_size=4)
    ),
    max_leaves=12,
)
