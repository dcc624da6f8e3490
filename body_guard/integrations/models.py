"""pydantic models that are bodies: copied without what may not leave.

pydantic encodes a model in one step, and fails on a live object in a dict that the model holds.
"""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from body_guard.core.typenames import class_attribute
from body_guard.http.request_guard import Guard
from body_guard.integrations.values import judge_value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from body_guard.core.report import Report

__all__ = ["judge_model", "without_rules"]


def without_rules(guard: Guard) -> Guard:
    """Return a guard that takes out what cannot be encoded, where the host is not known yet.

    The keys are for the guard that knows it.
    """
    policy = replace(guard.policy, rules=(), schema=None, stringified="off", hosts={})
    return Guard(guard.library, policy)


def judge_model(guard: Guard, model: Any, host: str) -> tuple[Any, Report]:
    """Return a model, or a container of models, as it may leave, and what was found in it.

    Paths are as pydantic writes the model, by alias. What pydantic can write stays.

    Raises:
        BodyError: The body may not leave.
        GuardError: The guard failed.
    """
    __tracebackhide__ = True
    judged, report = judge_value(guard, _fields_of(model), _convert, host)
    if not report.findings or report.mode == "audit":
        return model, report
    return _restore(model, judged), report


def _fields_of(value: Any) -> Any:
    """Return the fields of a model, by alias; anything else as it is."""
    kind = type(value)
    if class_attribute(kind, "__pydantic_serializer__") is None:
        return value
    return {_alias(kind, name): item for name, item in _members(value)}


def _members(model: Any) -> list[tuple[str, Any]]:
    return [*vars(model).items(), *(model.__pydantic_extra__ or {}).items()]


def _alias(kind: Any, name: str) -> str:
    field = kind.model_fields.get(name)
    return (field and field.serialization_alias) or name


def _convert(value: Any) -> object:
    """Return what pydantic writes of a value, one level of a model."""
    from pydantic_core import PydanticSerializationError, to_jsonable_python

    fields = _fields_of(value)
    if fields is not value:
        return fields
    try:
        return to_jsonable_python(value)
    except PydanticSerializationError:
        raise TypeError from None


def _restore(value: Any, judged: Any) -> Any:
    """Return what was judged with the models, and the data that pydantic writes, in their places.

    What did not change is the same object: pydantic knows which fields of a model were set.
    """
    kind = type(value)
    if class_attribute(kind, "__pydantic_serializer__") is not None:
        changed = {}
        for name, item in _members(value):
            restored = _restore(item, judged.get(_alias(kind, name)))
            if restored is not item:
                changed[name] = restored
        return value.model_copy(update=changed) if changed else value
    if issubclass(kind, dict):
        members = {
            name: _restore(value[name], item) if name in value else item
            for name, item in judged.items()
        }
        is_same = members.keys() == value.keys() and _are_same(members.values(), value.values())
        return value if is_same else members
    if issubclass(kind, (list, tuple)):
        items = [_restore(*pair) for pair in zip(value, judged, strict=True)]
        return value if _are_same(items, value) else items
    is_plain = value is None or issubclass(kind, (str, float, int))
    return judged if is_plain or judged is None else value


def _are_same(values: Iterable[Any], others: Iterable[Any]) -> bool:
    return all(map(operator.is_, values, others))
