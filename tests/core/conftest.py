"""Property tests of the core are about results: a slow machine fails none of them."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, settings

from body_guard.core import encode

settings.register_profile(
    "core",
    deadline=None,
    # The writer is set for the whole test, and is the same for each of its examples.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("core")

#: Modules whose tests write bodies: each is run with orjson and without.
_WRITING = ("test_encode", "test_fastpath", "test_recorded", "test_sanitizer")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that writes bodies on the fast path and on the plain one."""
    if metafunc.module.__name__.rpartition(".")[2] in _WRITING:
        metafunc.parametrize("writer", ["orjson", "json"], indirect=True)


@pytest.fixture(autouse=True)
def writer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write bodies with orjson where it is installed, or as if it were not."""
    chosen = getattr(request, "param", "orjson")
    if chosen == "json":
        monkeypatch.setattr(encode, "use_orjson", False)
    elif hasattr(request, "param") and find_spec("orjson") is None:
        pytest.skip("orjson is not installed")
