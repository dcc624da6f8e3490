"""What `record` writes is what scan and fields read."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

pytest.importorskip("ijson")
pytest.importorskip("yaml")

import body_guard
from body_guard.cli.commands import group


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, arguments)


def test_a_recording_is_scanned_and_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its types, though its values are masked; what was not judged is counted."""
    monkeypatch.chdir(tmp_path)
    transport = httpx.MockTransport(lambda request: httpx.Response(200))
    with body_guard.record("out.jsonl"), httpx.Client(transport=transport) as client:
        client.post("https://x.test/v1?q", json={"a": 1, "_sentry_x": "s", "jo@x.test": [1.5, "b"]})
        client.post("https://y.test/", content=b"\x89PNG", headers={"content-type": "image/png"})
    done = run("fields", "out.jsonl")
    assert done.exit_code == 0
    rows = [line.split()[:3] for line in done.stdout.splitlines()[1:]]
    assert ["x.test", "/a", "int"] in rows
    assert ["x.test", "/{key}/*", "float"] in rows
    done = run("scan", "out.jsonl")
    assert "1 body not judged: not judged when it was recorded\n" in done.stdout
    assert "in 2 bodies in 1 file" in done.stdout
