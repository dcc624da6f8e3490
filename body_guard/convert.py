"""Ready-made functions for ``Policy(convert=...)``."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import math
import pathlib
import uuid
from typing import TYPE_CHECKING, Any, Final

from body_guard.core.typenames import class_attribute, lineage, qualified_name

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["jsonable"]

_UNSET: Final = object()  # a field with init=False need not have a value


def jsonable(value: Any) -> object:
    """Return plain data for a value of a plain data type.

    Datetimes, dates, times, UUIDs and paths become their text (by pydantic_core where it is
    installed, by the standard library otherwise; the text is the same), Decimals and numpy scalars
    numbers, enum members their value, sets lists, dataclasses and pydantic models dicts. What
    these hold is judged, and converted, in turn.

    Args:
        value: What JSON cannot write.

    Returns:
        The plain data.

    Raises:
        TypeError: It is of no such type. None of its code was run to find that out.
    """
    kind = type(value)
    for known, convert in _CONVERSIONS:
        if issubclass(kind, known):
            return convert(value)
    if class_attribute(kind, "__dataclass_fields__") is not None:
        given = {each.name: getattr(value, each.name, _UNSET) for each in dataclasses.fields(value)}
        return {name: item for name, item in given.items() if item is not _UNSET}
    if class_attribute(kind, "__pydantic_serializer__") is not None:
        return _dump_model(value)
    if any(qualified_name(base) == "numpy.generic" for base in lineage(kind)):
        return value.item()
    raise TypeError(f"no plain data: {qualified_name(kind)}")


def _dump_model(model: Any) -> object:
    """Return a pydantic model's own dump; of one that refers to itself, one level of it.

    A dump goes down to the end, and refuses what comes back to itself. There the fields that lead
    back are left as they are, to be converted in turn, so that the walk sees where it closes.

    Raises:
        TypeError: It refers to itself, and is dumped by functions of its own, which may leave out
            what the fields hold.
    """
    try:
        return model.model_dump(by_alias=True)
    except ValueError as error:
        if type(error) is not ValueError:  # a subclass says that a function of the model failed
            raise
    kind = type(model)
    if _has_functions(kind.__pydantic_core_schema__):
        raise TypeError(f"no plain data: {qualified_name(kind)}")
    if class_attribute(kind, "__pydantic_root_model__"):
        return model.root
    computed = kind.__pydantic_decorators__.computed_fields
    aliases = {
        **{name: field.serialization_alias for name, field in kind.model_fields.items()},
        **dict.fromkeys(model.model_extra or ()),
        **{name: field.info.alias for name, field in computed.items()},
    }
    dumped: dict[str, object] = {}
    for name, alias in aliases.items():
        try:
            dumped.update(model.model_dump(by_alias=True, include={name}))
        except ValueError:
            dumped[alias or name] = getattr(model, name)
    return dumped


def _has_functions(schema: Any) -> bool:
    """Check whether a pydantic schema is dumped by functions that are not pydantic's own."""
    parts = [schema]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            function = (part.get("serialization") or {}).get("function")
            module = str(getattr(function, "__module__", ""))
            if function is not None and module.partition(".")[0] != "pydantic":
                return True
            parts += part.values()
        elif isinstance(part, list | tuple):
            parts += part
    return False


def _text(value: Any) -> object:
    try:
        from pydantic_core import to_jsonable_python
    except ImportError:
        return _plain_text(value)
    return to_jsonable_python(value)


def _plain_text(value: Any) -> str:
    if isinstance(value, uuid.UUID):
        return str(value)
    text: str = value.isoformat()
    # As pydantic and JavaScript write UTC. Only the end: an offset can have seconds.
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def _number(value: decimal.Decimal) -> int | float:
    # A number in the body stays a number: a temperature of "0.7" is refused by providers.
    if value.is_nan():
        return math.nan
    return int(value) if value.as_tuple().exponent == 0 else float(value)


_CONVERSIONS: Final[tuple[tuple[Any, Callable[[Any], object]], ...]] = (
    (enum.Enum, lambda member: member.value),
    ((datetime.date, datetime.time, uuid.UUID), _text),
    (pathlib.PurePath, str),
    (decimal.Decimal, _number),
    ((set, frozenset), list),
)
