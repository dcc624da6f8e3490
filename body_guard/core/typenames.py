"""Names of types, read without running code of theirs.

A metaclass can define ``__getattribute__``, ``__hash__`` or ``__name__``, so no class is asked: all
is read through the descriptors of ``type`` itself.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["class_attribute", "is_plain_data", "lineage", "package", "qualified_name"]

_MODULE = type.__dict__["__module__"].__get__
_QUALNAME = type.__dict__["__qualname__"].__get__
_MRO = type.__dict__["__mro__"].__get__
_NAMESPACE = type.__dict__["__dict__"].__get__

#: A class can be given any name; longer ones are shortened.
_LONGEST: Final = 200

#: Plain data that JSON cannot write: to lose a value of one of these changes an answer.
_PLAIN_DATA: Final = frozenset(
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


def qualified_name(kind: type) -> str:
    """Return ``module.QualName`` of a type, ASCII-safe and bounded.

    Args:
        kind: Any class, however hostile.

    Returns:
        For example ``"sentry_sdk.tracing.Span"``; for a builtin ``"builtins.set"``.
    """
    name: str = str.__str__(_QUALNAME(kind))
    module = _module(kind)
    return _safe(f"{module}.{name}" if module else name)


def _module(kind: type) -> str:
    try:
        module = _MODULE(kind)
    except AttributeError:  # where code that has no __name__ defined it, as under a bare exec()
        return ""
    return module if type(module) is str else ""


def _safe(name: str) -> str:
    if name.isascii() and len(name) <= _LONGEST:
        return name
    return name[:_LONGEST].encode("ascii", "backslashreplace").decode("ascii")


def package(kind: type) -> str:
    """Return the top-level package that a type was defined in; ``""`` for a builtin."""
    module = _module(kind)
    return "" if module == "builtins" else _safe(module.partition(".")[0])


def lineage(kind: type) -> tuple[type, ...]:
    """Return the method resolution order of a type, as the interpreter sees it."""
    mro: tuple[type, ...] = _MRO(kind)
    return mro


def class_attribute(kind: type, name: str) -> Any:
    """Return what the first class of the lineage that has a name has under it, unbound; else None.

    Instance attributes and ``__getattr__`` do not count: nor do they for the interpreter's slots.
    """
    for base in lineage(kind):
        namespace = _NAMESPACE(base)
        if name in namespace:
            return namespace[name]
    return None


def is_plain_data(kind: type) -> bool:
    """Check whether `body_guard.convert.jsonable` would keep values of this type."""
    if class_attribute(kind, "__dataclass_fields__") is not None:
        return True
    return any(qualified_name(base) in _PLAIN_DATA for base in lineage(kind))
