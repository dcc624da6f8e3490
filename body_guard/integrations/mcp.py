"""mcp: a request of a session while it is a pydantic model.

A dict of arguments with a live object in it would be left out as the model is dumped.
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
    async def send_request(self: Any, request: Any, *args: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        guard = current()
        if guard is not None:
            request, report = judge_model(without_rules(guard), request, "")
            if report.findings:
                deliver(report, guard.policy, "")
        return await original.__get__(self)(request, *args, **options)

    return send_request


ROW: Final = Row(
    "mcp",
    "mcp.client.session",
    lambda module: (
        Hook(f"{module}:ClientSession", "send_request", _patch, "requests of mcp, as objects"),
    ),
)
