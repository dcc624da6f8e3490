"""Plain data types that JSON cannot write: to lose a value of one changes an answer."""

from __future__ import annotations

from typing import Final

from body_guard.core.typenames import class_attribute, lineage, qualified_name

__all__ = ["HINT", "is_plain_data"]

HINT: Final = "convert=body_guard.convert.jsonable would keep it"

_NAMES: Final = frozenset(
    {
        "builtins.frozenset",
        "builtins.set",
        "datetime.date",
        "datetime.datetime",
        "datetime.time",
        "decimal.Decimal",
        "enum.Enum",
        "numpy.generic",
        "pathlib.PurePath",
        "pathlib._local.PurePath",  # CPython 3.13
        "pydantic.main.BaseModel",
        "uuid.UUID",
    }
)


def is_plain_data(kind: type) -> bool:
    """Check whether `body_guard.convert.jsonable` would keep values of this type."""
    if class_attribute(kind, "__dataclass_fields__") is not None:
        return True
    return any(qualified_name(base) in _NAMES for base in lineage(kind))
