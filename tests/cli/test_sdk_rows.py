"""The doctor's rows about SDKs: what each takes, as its own requirements say."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import pytest
from click.testing import CliRunner

from body_guard.cli import sdks
from body_guard.cli.commands import group
from body_guard.integrations.sdks import SDKS

#: Requirements as these releases name them, and what they take.
RELEASES: list[tuple[str, str, list[str], list[str], tuple[str, ...]]] = [
    ("openai", "2.20.0", ["httpx<1,>=0.23.0"], ["aiohttp"], ("httpx",)),
    (
        "openai",
        "2.54.0",
        ["httpx<1,>=0.23.0", "httpx2<3,>=2.7.0; extra == 'httpx2'"],
        ["aiohttp", "httpx2"],
        ("httpx", "httpx2"),
    ),
    ("openai", "3.54.0", ["httpx2<3,>=2.12.0"], [], ("httpx2", "httpx")),
    ("anthropic", "0.115.1", ["httpx<1,>=0.25.0"], [], ("httpx",)),
    ("anthropic", "2.12.0", ["httpx2<3,>=2.0.0"], [], ("httpx2",)),
    ("cohere", "7.3.1", ["httpx (>=0.25.0)"], [], ("httpx",)),
    ("mistralai", "3.7.0", ["httpx2>=2.13.0"], [], ("httpx2",)),
]


@pytest.mark.parametrize(
    ("name", "version", "requires", "extras", "taken"),
    RELEASES,
    ids=[f"{r[0]}-{r[1]}" for r in RELEASES],
)
def test_what_a_release_takes(
    name: str,
    version: str,
    requires: list[str],
    extras: list[str],
    taken: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The library that it requires, and both where it knows both."""
    monkeypatch.setattr(sdks, "requires", lambda _: requires)
    monkeypatch.setattr(sdks, "version", lambda _: version)
    message = metadata.metadata("pytest")
    del message["Provides-Extra"]  # type: ignore[attr-defined]
    for extra in extras:
        message["Provides-Extra"] = extra  # type: ignore[index]
    monkeypatch.setattr(sdks, "metadata", lambda _: message)
    assert sdks.families(SDKS[name]) == taken


def test_the_doctor_shows_those_that_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row for each, with what to pass to it; none for what is not there."""
    versions = {"openai": "2.54.0", "mistralai": "3.7.0", "deepgram-sdk": "7.17.0"}

    def installed(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    def families(sdk: Any) -> tuple[str, ...]:
        installed(sdk.distribution)
        return ("httpx", "httpx2") if sdk.takes_both else ("httpx",)

    monkeypatch.setattr(sdks, "version", installed)
    monkeypatch.setattr(sdks, "families", families)
    assert list(sdks.rows()) == [
        (
            "openai 2.54.0",
            "http_client",
            "GuardedClient()\nhttpx2.GuardedClient()",
            "objects",
        ),
        ("mistralai 3.7.0", "client", "GuardedClient()", "keys"),
        ("deepgram-sdk 7.17.0", "httpx_client", "GuardedClient()", "objects"),
    ]
    shown = CliRunner().invoke(group, ["doctor"], env={"COLUMNS": "80"}).stdout
    lines = [line.split() for line in shown.splitlines()]
    first = ["openai", "2.54.0", "http_client", "GuardedClient()", "objects"]
    assert lines[lines.index(first) + 1] == ["httpx2.GuardedClient()"]
