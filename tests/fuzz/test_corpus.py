"""What the fuzzers found worth keeping is judged alike by the compiled passes and the plain ones."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("body_guard.core._speedups", reason="the compiled pass was not built")

from fuzz import fuzz_encode, fuzz_scan

CORPUS = Path(__file__).parent / "corpus"
CHECKS = {"encode": fuzz_encode.check, "scan": fuzz_scan.check}


@pytest.mark.parametrize("target", CHECKS)
def test_the_corpus_is_judged_alike(target: str) -> None:
    """Each input is a value, or a text, that takes a way through the C code of its own."""
    inputs = sorted((CORPUS / target).iterdir())
    assert len(inputs) > 100
    for path in inputs:
        CHECKS[target](path.read_bytes())
