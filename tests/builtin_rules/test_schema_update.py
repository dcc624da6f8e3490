"""The snapshot of what providers know, against the SDKs that are installed."""

from __future__ import annotations

import importlib.metadata
from typing import get_args

import pytest

from body_guard.body_checks import find_schema
from body_guard.builtin_rules import schema_update as schemas
from body_guard.builtin_rules.schema import Provider, Schema, Shape, merge_releases
from body_guard.builtin_rules.schema_tables import SCHEMAS

SDKS = get_args(Provider)


@pytest.mark.parametrize("sdk", SDKS)
def test_the_snapshot_is_what_the_sdk_types(sdk: Provider) -> None:
    """Made anew from the same release it is the same; a newer one that knows more is told of."""
    pytest.importorskip(sdk, exc_type=ImportError)
    version, installed = importlib.metadata.version(sdk), schemas.read(sdk)
    for stored in SCHEMAS[sdk]:
        if stored.version == version:
            assert installed == stored
            return
    known = find_schema(sdk)
    together = merge_releases((known, installed))
    if (together.shapes, together.metadata) != (known.shapes, known.metadata):
        pytest.skip(
            f"{sdk} {version} knows names that the snapshot of {known.version} does not: "
            f"{sorted(names(together) - names(known))}; run python -m body_guard.builtin_rules.schema_update"
        )


def names(schema: Schema) -> set[str]:
    return {name for shape in schema.shapes.values() for name in shape.root | shape.element}


def test_the_module_is_what_the_generator_writes() -> None:
    """Nobody has edited it by hand."""
    assert schemas.TABLES.read_text(encoding="utf-8") == schemas.source(SCHEMAS)


@pytest.mark.parametrize("sdk", SDKS)
def test_the_snapshot_knows_what_everybody_sends(sdk: Provider) -> None:
    """A snapshot of nothing would report every member, or none."""
    schema = find_schema(sdk)
    assert {"model", "messages", "max_tokens", "tools"} <= schema.shapes["messages"].root
    assert {"role", "content"} <= schema.shapes["messages"].element
    assert schema.metadata == {"openai": None, "anthropic": {"user_id"}}[sdk]


def test_it_writes_what_it_reads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command writes the module of tables, and keeps what other releases knew."""
    assert hasattr(tmp_path, "joinpath")
    target = tmp_path.joinpath("tables.py")
    shapes = {"prompt": Shape(frozenset({"prompt", "b"}), frozenset())}
    older, made, newer = (
        Schema("openai", release, shapes, None) for release in ("2.54", "3.9", "3.54")
    )
    claude = Schema("anthropic", "2.1", {}, frozenset({"user_id"}))

    def read(sdk: str) -> Schema:
        if sdk == "openai":
            return made
        raise ImportError(sdk)

    stored = {"openai": (older, newer), "anthropic": (claude,)}
    monkeypatch.setattr(schemas.schema_tables, "SCHEMAS", stored)
    monkeypatch.setattr(schemas, "TABLES", target)
    monkeypatch.setattr(schemas, "read", read)
    schemas.main()
    assert capsys.readouterr().out == "openai: 2.54, 3.9, 3.54\nanthropic: not installed\n"
    namespace: dict[str, dict[str, tuple[Schema, ...]]] = {}
    exec(target.read_text(encoding="utf-8"), namespace)
    assert namespace["SCHEMAS"] == {"openai": (older, made, newer), "anthropic": (claude,)}


def test_what_any_release_knows_is_known() -> None:
    """Shapes and names of all; metadata is free where one release says so."""
    old = Schema("x", "1", {"a": Shape(frozenset("ab"), frozenset("e"))}, frozenset("m"))
    new = Schema(
        "x",
        "2",
        {"a": Shape(frozenset("ac"), frozenset()), "n": Shape(frozenset("n"), frozenset())},
        frozenset("k"),
    )
    both = {
        "a": Shape(frozenset("abc"), frozenset("e")),
        "n": Shape(frozenset("n"), frozenset()),
    }
    assert merge_releases((old, new)) == Schema("x", "1, 2", both, frozenset("mk"))
    free = Schema("x", "3", {}, None)
    assert merge_releases((old, new, free)) == Schema("x", "1, 2, 3", both, None)
