"""Property tests of the core are about results: a slow machine fails none of them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from body_guard.core import accelerator

settings.register_profile(
    "core",
    deadline=None,
    # What judges is set for the whole test, and is the same for each of its examples.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("core")

#: Modules whose tests judge bodies: each is run on the compiled passes and on the plain ones.
_JUDGING = (
    "test_encode",
    "test_forms",
    "test_jsontestsuite",
    "test_limits",
    "test_recorded",
    "test_report",
    "test_sanitizer",
    "test_scan",
    "test_schema",
    "test_scoped",
    "test_splice",
    "test_splice_reference",
    "test_stringified",
    "test_walk",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that judges bodies in both ways, where there are both."""
    if metafunc.module.__name__.rpartition(".")[2] in _JUDGING:
        only_plain = metafunc.definition.get_closest_marker("only_plain")
        both = accelerator.is_compiled() and not only_plain
        ways = ["compiled", "pure"] if both else ["pure"]
        metafunc.parametrize("passes", ways, indirect=True)


@pytest.fixture(autouse=True)
def passes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge with what was compiled, or as where there is no C compiler."""
    if getattr(request, "param", "") == "pure":
        monkeypatch.setattr(accelerator, "_used", False)
