"""The snapshot of what providers know, against the SDKs that are installed."""

from __future__ import annotations

import importlib.metadata
from typing import get_args

import pytest

from body_guard import schemas
from body_guard.core.schema import Provider, Schema, Shape
from body_guard.core.schema_tables import SCHEMAS

SDKS = get_args(Provider)


@pytest.mark.parametrize("sdk", SDKS)
def test_the_snapshot_is_what_the_sdk_types(sdk: Provider) -> None:
    """Made anew from the same release it is the same; a newer one that knows more is told of."""
    pytest.importorskip(sdk, exc_type=ImportError)
    release = importlib.metadata.version(sdk)
    stored, installed = SCHEMAS[sdk], schemas.read(sdk)
    if release == stored.version:
        assert installed == stored
        return
    added = {
        name
        for told_by, shape in installed.shapes.items()
        for name in shape.root | shape.element
        if told_by not in stored.shapes
        or name not in stored.shapes[told_by].root | stored.shapes[told_by].element
    }
    if added:
        pytest.skip(
            f"{sdk} {release} knows names that the snapshot of {stored.version} does not: "
            f"{sorted(added)}; python -m body_guard.schemas"
        )


def test_the_module_is_what_the_generator_writes() -> None:
    """Nobody has edited it by hand."""
    assert schemas.TABLES.read_text(encoding="utf-8") == schemas.source(SCHEMAS)


@pytest.mark.parametrize("sdk", SDKS)
def test_the_snapshot_knows_what_everybody_sends(sdk: Provider) -> None:
    """A snapshot of nothing would report every member, or none."""
    schema = SCHEMAS[sdk]
    assert {"model", "messages", "max_tokens", "temperature", "tools"} - (
        {"temperature"} if sdk == "anthropic" else set()
    ) <= schema.shapes["messages"].root
    assert {"role", "content"} <= schema.shapes["messages"].element
    assert schema.metadata == {"openai": None, "anthropic": {"user_id"}}[sdk]


def test_it_writes_what_it_reads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command writes the module of tables; an SDK that is not there keeps what it had."""
    assert hasattr(tmp_path, "joinpath")
    target = tmp_path.joinpath("tables.py")
    made = Schema("openai", "9.9", {"prompt": Shape(frozenset({"prompt", "b"}), frozenset())}, None)

    def read(sdk: str) -> Schema:
        if sdk == "openai":
            return made
        raise ImportError(sdk)

    monkeypatch.setattr(schemas, "TABLES", target)
    monkeypatch.setattr(schemas, "read", read)
    schemas.main()
    out = capsys.readouterr().out.splitlines()
    assert out == [
        "openai: 9.9",
        f"anthropic: not installed, kept as of {SCHEMAS['anthropic'].version}",
    ]
    namespace: dict[str, dict[str, Schema]] = {}
    exec(target.read_text(encoding="utf-8"), namespace)
    assert namespace["SCHEMAS"] == {"openai": made, "anthropic": SCHEMAS["anthropic"]}
