"""record: a line of JSON for every body that leaves, less its values."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from body_guard.core.redaction import redact_path
from body_guard.core.report import Report, not_judged
from body_guard.http.auditing import audit
from body_guard.http.departures import OBSERVERS
from body_guard.http.reporting import log
from body_guard.integrations.process_wide import unwatch, watch
from body_guard.policy import default_policy
from body_guard.recordings.line_file import LineFile
from body_guard.recordings.masking import format_body
from body_guard.sanitizer import sanitizer_for

if TYPE_CHECKING:
    from body_guard.core.report import Finding
    from body_guard.http.departures import Departure
    from body_guard.policy import Policy

__all__ = ["Recorder", "format_line", "record"]

_DEFAULT_SIZE: Final = 64 * 2**20


class Recorder:
    """Writes a line for every body that leaves, between `start` and `stop` or in a ``with`` block.

    Attributes:
        path: Of the file.
    """

    def __init__(self, path: str, *, values: bool, max_bytes: int, backups: int) -> None:
        self.path = path
        self._values = values
        self._max_bytes = max_bytes
        self._backups = backups
        self._file: LineFile | None = None
        self._policy: Policy | None = None
        self._failed = False

    def start(self) -> None:
        """Record from now on; a second call does nothing.

        Raises:
            OSError: The file cannot be opened.
            PolicyError: The file that the environment variable BODY_GUARD_POLICY names is wrong.
        """
        if self._file is None:
            self._policy = replace(default_policy(), mode="audit", on_report=())
            self._file = LineFile(self.path, self._max_bytes, self._backups)
            OBSERVERS.append(self._write)
            watch()

    def stop(self) -> None:
        """Stop recording; a second call does nothing. What was guarded before still is."""
        if self._file is not None:
            unwatch()
            OBSERVERS.remove(self._write)
            self._file.close()
            self._file = None

    def __enter__(self) -> Recorder:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _write(self, departure: Departure) -> None:
        """Write the line of a body; if that fails, lose it, and say so once."""
        __tracebackhide__ = True
        file, policy = self._file, self._policy
        if file is None or policy is None:  # stopped by another thread meanwhile
            return
        try:
            line = format_line(departure, policy, values=self._values)
            if len(line) > self._max_bytes:
                line = format_line(replace(departure, content=None), policy, values=False)
            file.write(line)
        except Exception as error:
            if not self._failed:
                self._failed = True
                what = getattr(error, "strerror", None) or type(error).__qualname__
                text = "a body could not be recorded in %s (%s); this is said once"
                log(logging.ERROR, text, self.path, what, host=departure.host)


def record(
    path: str | os.PathLike[str],
    *,
    values: bool = False,
    max_bytes: int = _DEFAULT_SIZE,
    backups: int = 1,
) -> Recorder:
    """Record every body that leaves this process, as lines of JSON.

    ``with record("outbound.jsonl"):`` records in its block; ``record("outbound.jsonl").start()``
    until ``.stop()``. Bodies of every library that `install` can guard are seen, whoever sends them
    and whether they are guarded or not; nothing is judged or changed that was not before. The line
    of a request can be read once the request has returned.

    Args:
        path: Of the file; lines are appended.
        values: Whether to write values. Otherwise a string is written as ``"str(12)"``, its length,
            a number as ``"int"`` or ``"float"``, a boolean as ``"bool"``, and a key that is data by
            its length and a hash. A value that was removed is never written.
        max_bytes: What the file may come to. A full one is renamed, to ``path.1`` and so on; the
            body of a longer line is left out.
        backups: How many renamed files are kept.

    Returns:
        The recorder, not started yet.

    Raises:
        ValueError: The size is not positive, or the number of backups negative.
    """
    if max_bytes <= 0 or backups < 0:
        raise ValueError("record() takes a positive max_bytes, and backups from 0 on.")
    return Recorder(os.fspath(path), values=values, max_bytes=max_bytes, backups=backups)


def format_line(departure: Departure, policy: Policy, *, values: bool) -> bytes:
    """Return the line of a body.

    Args:
        departure: The body.
        policy: An audit, of a body that no guard has judged.
        values: As of `record`.
    """
    __tracebackhide__ = True
    report = departure.report or look(departure, policy)
    content = departure.content
    line: dict[str, Any] = {
        "time": _format_time(departure.time),
        "host": departure.host,
        "method": departure.method,
        "path": departure.path,
        "content_type": departure.content_type,
        "judged": report.judged and content is not None,
        "changed": report.changed,
        "findings": [_format_finding(found, values=values) for found in report.findings],
    }
    text = json.dumps(line)
    body = format_body(content, values=values) if content and report.judged else None
    if body is not None:
        text = f'{text[:-1]}, "body": {body}}}'
    # A lone surrogate becomes an escape of JSON.
    return f"{text}\n".encode("utf-8", "backslashreplace")


def look(departure: Departure, policy: Policy) -> Report:
    """Return what a policy, an audit, finds in a body that has left."""
    __tracebackhide__ = True
    content = departure.content
    if content is None:
        return not_judged("stream")
    sanitize = sanitizer_for(policy.for_host(departure.host)).sanitize_bytes
    headers = departure.content_type, departure.content_encoding
    return audit(lambda: sanitize(content, *headers))


def _format_time(seconds: float) -> str:
    time = datetime.fromtimestamp(seconds, timezone.utc)
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _format_finding(found: Finding, *, values: bool) -> dict[str, str]:
    return {
        "path": found.path if values else redact_path(found.path),
        "rule": found.rule,
        "action": found.action,
        "type": found.type,
        "owner": found.owner,
    }
