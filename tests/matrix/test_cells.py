"""What the cells pin."""

from __future__ import annotations

from typing import Any

import pytest
from packaging.requirements import Requirement

from cells import CELLS, CONSTRAINTS

PYTHON: Any = {"python_version": "3.11", "python_full_version": "3.11.7"}


def test_every_cell_has_a_file_and_every_file_a_cell() -> None:
    """A cell that is renamed takes its file along."""
    assert {path.stem for path in CONSTRAINTS.iterdir()} == set(CELLS)


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_pins_what_it_asks_for(name: str) -> None:
    """One release of each, exactly, that the requirement allows, and a pytest to run it."""
    text = (CONSTRAINTS / f"{name}.txt").read_text(encoding="utf-8")
    pins = {}
    for pin in (Requirement(line) for line in text.splitlines() if not line.startswith("#")):
        (specifier,) = pin.specifier
        assert specifier.operator == "=="
        if pin.marker is None or pin.marker.evaluate(PYTHON):
            assert pin.name not in pins
            pins[pin.name] = specifier.version
    for wanted in map(Requirement, (*CELLS[name].requirements, "pytest", "httpx>=0.28")):
        assert pins[wanted.name] in wanted.specifier, f"renew it: cells.py --renew {name}"
