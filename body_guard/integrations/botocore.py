"""botocore, guarded where a client makes a request of an operation's parameters.

That is before it checks the parameters, computes checksums, compresses and signs, and once for all
attempts. Judged is what is JSON by the protocol of its service; a payload that is the caller's own
bytes only where it says that it is JSON, or is a model's; S3's objects never.
"""

from __future__ import annotations

import sys
from datetime import date
from decimal import Decimal
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Final

from body_guard.core.report import CLEAN, Report
from body_guard.http.auditing import ENCODING_ERRORS
from body_guard.http.content import (
    deliver_known,
    describe_prepared,
    fold_headers,
    host_of,
    in_memory,
    judge_content,
    renew_headers,
    report_crash,
    report_unread,
    sending,
)
from body_guard.http.departures import leaving
from body_guard.integrations.values import sanitize_value
from body_guard.patches.patch import Hook
from body_guard.patches.process import Row

if TYPE_CHECKING:
    from body_guard.http.request_guard import Guard
    from body_guard.patches.patch import Current

__all__ = ["ROW"]

_JSON_PROTOCOLS: Final = ("json", "rest-json")

#: What botocore takes for a blob, a timestamp or a number, beside files; JSON knows none of them.
_LEGAL: Final = (bytes, bytearray, date, Decimal)


class _Kept(str):
    """A value that is legal in parameters, while the rest is judged."""

    __slots__ = ("value",)

    value: Any


def _keep(value: Any) -> _Kept:
    kind = type(value)
    if not issubclass(kind, _LEGAL) and not any("read" in vars(base) for base in kind.__mro__):
        raise TypeError
    kept = _Kept()
    kept.value = value
    return kept


def _restore(value: Any) -> Any:
    """Put what was kept back into a sanitized copy."""
    if type(value) is _Kept:
        return value.value
    if isinstance(value, dict):
        return {name: _restore(member) for name, member in value.items()}
    return [_restore(member) for member in value] if isinstance(value, list) else value


def _patch_convert(original: Any, current: Current) -> Any:
    @wraps(original)
    def _convert_to_request_dict(
        self: Any, api_params: Any, operation_model: Any, *args: Any, **options: Any
    ) -> Any:
        __tracebackhide__ = True
        guard, convert = current(), original.__get__(self)
        if guard is None:
            return convert(api_params, operation_model, *args, **options)
        given, known = api_params, CLEAN
        host = host_of(options.get("endpoint_url") or self.meta.endpoint_url)
        protocol, service = _protocol(operation_model), operation_model.service_model.service_name
        if protocol in _JSON_PROTOCOLS:
            value, known = sanitize_value(guard, given, _keep, host)
            if value is not given:
                api_params = _restore(value)
        try:
            request = convert(api_params, operation_model, *args, **options)
        except (*ENCODING_ERRORS, sys.modules["botocore.exceptions"].BotoCoreError) as error:
            report_crash(guard, error, given, known, host, _keep)
            raise
        _judge(guard, request, protocol, _payload(operation_model), service, known)
        return request

    return _convert_to_request_dict


def _judge(
    guard: Guard, request: dict[str, Any], protocol: str, payload: str, service: str, known: Report
) -> None:
    """Judge the body of a request that is not signed yet, and repair it in place."""
    __tracebackhide__ = True
    body, host = request["body"], host_of(request["url"])
    headers = fold_headers(request["headers"])
    why = ""
    if protocol in _JSON_PROTOCOLS and not payload:
        headers["content-type"] = "application/json"  # in the words of AWS, x-amz-json-1.1
    elif service == "s3" or not payload:
        why = f"{protocol} protocol"
    elif "content-type" not in headers and service != "bedrock-runtime":
        why = "undeclared payload"
    content = in_memory(body)
    if not body:
        deliver_known(guard, known, host)
    elif content is None or why:
        report_unread(guard, why or "stream", host, known)
    else:
        change = judge_content(guard, content, headers, host, known)
        if change is not None:
            request["body"] = change.content
            renew_headers(request["headers"], change)


def _patch_send(original: Any, current: Current) -> Any:
    @wraps(original)
    def send(self: Any, request: Any) -> Any:
        __tracebackhide__ = True
        guard = current()
        describe = partial(describe_prepared, guard)
        if guard is None:
            with leaving(request, describe):
                return original.__get__(self)(request)
        with sending(request.body), leaving(request, describe):
            return original.__get__(self)(request)

    return send


def _protocol(operation: Any) -> str:
    service = operation.service_model
    protocol: str = getattr(service, "resolved_protocol", None) or service.metadata["protocol"]
    return protocol


def _payload(operation: Any) -> str:
    """Return the member of an operation's input that is the whole body as it is; or ``""``."""
    shape = operation.input_shape
    name: str = shape.serialization.get("payload", "") if shape is not None else ""
    return name if name and shape.members[name].type_name in ("blob", "string") else ""


ROW: Final = Row(
    "botocore",
    "botocore.client",
    lambda _: (
        Hook(
            "botocore.client:BaseClient",
            "_convert_to_request_dict",
            _patch_convert,
            "what clients of AWS send as JSON, as objects, before it is signed",
        ),
        Hook(
            "botocore.httpsession:URLLib3Session",
            "send",
            _patch_send,
            "what clients of AWS send, which urllib3 need not judge again",
        ),
    ),
)
