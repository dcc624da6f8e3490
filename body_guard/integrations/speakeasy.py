"""SDKs that Speakeasy generates (mistralai): a body while it is a pydantic model.

``BaseSDK._build_request_with_client`` knows where a request goes, and has ``marshal_json`` encode
its body; a dict with a live object in it would be left out there.
"""

from __future__ import annotations

import sys
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

from body_guard.http.content import host_of
from body_guard.http.doors import own_guard
from body_guard.http.handover import Handover, hand_over, receive, report_rest
from body_guard.integrations.models import judge_model
from body_guard.patches.patch import Hook
from body_guard.patches.process import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from body_guard.patches.patch import Current

__all__ = ["ROW"]

_MODULE: Final = ".basesdk"


def _patch_build(original: Any, current: Current) -> Any:
    @wraps(original)
    def _build_request_with_client(
        self: Any, client: Any, method: Any, path: Any, base_url: Any, *args: Any, **options: Any
    ) -> Any:
        __tracebackhide__ = True
        guard = current()
        build = original.__get__(self)
        if guard is None:
            return build(client, method, path, base_url, *args, **options)

        def locate() -> str:
            return host_of(self._get_url(base_url, None))

        handover = Handover(own_guard(client, guard).at(locate), locate)
        with hand_over(handover), report_rest(handover):
            return build(client, method, path, base_url, *args, **options)

    return _build_request_with_client


def _patch_marshal(original: Any, current: Current) -> Any:
    @wraps(original)
    def marshal_json(val: Any, typ: Any) -> Any:
        __tracebackhide__ = True
        handover = receive()
        if current() is None or handover is None:
            return original(val, typ)
        val, report = judge_model(handover.guard, val, handover.locate())
        if report.findings:
            handover.found.append(report)
        return original(val, typ)

    return marshal_json


def _hooks_of(module: str) -> Iterator[Hook]:
    """Return the hooks of an SDK by its module."""
    base = getattr(sys.modules[module], "BaseSDK", None)
    if hasattr(base, "_build_request_with_client"):
        sdk = module.removesuffix(_MODULE)
        sees = f"bodies of {sdk}, as objects"
        yield Hook(f"{sdk}.utils.requestbodies", "marshal_json", _patch_marshal, sees)
        build = "_build_request_with_client"
        yield Hook(f"{module}:BaseSDK", build, _patch_build, f"where bodies of {sdk} go")


#: Of every package that Speakeasy made.
ROW: Final = Row("SDKs made by Speakeasy", _MODULE, _hooks_of)
