"""qdrant-client: a body that pydantic cannot encode, since its payload holds a live object.

All that can be encoded httpx has as bytes; the vectors in it are not walked.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Final

from body_guard.http.reporting import deliver
from body_guard.integrations.models import judge_model, without_rules
from body_guard.patches.patch import Hook
from body_guard.patches.process import Row

if TYPE_CHECKING:
    from body_guard.patches.patch import Current

__all__ = ["ROW"]


def _patch(original: Any, current: Current) -> Any:
    @wraps(original)
    def to_json(model: Any, *args: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        guard = current()
        try:
            return original(model, *args, **options)
        except ValueError:
            if guard is None:
                raise
            model, report = judge_model(without_rules(guard), model, "")
            if not report.findings:
                raise
            deliver(report, guard.policy, "")
            if guard.policy.mode == "audit":
                raise
        return original(model, *args, **options)

    return to_json


ROW: Final = Row(
    "qdrant-client",
    "qdrant_client.http.api.points_api",
    lambda module: (Hook(module, "to_json", _patch, "points of qdrant-client, as objects"),),
)
