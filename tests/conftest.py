"""What every test stands on: an offline litellm, fresh counts, and the doors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec

# Before anything imports litellm, which would fetch its price list from the network.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

if "BODY_GUARD_ALIAS_HTTPX" in os.environ:  # before anything imports httpx: test_httpx2 says so
    import httpx2

    httpx2.alias_httpx()

import pytest

import body_guard
from body_guard.cli.provider import Provider, provider
from body_guard.core import accelerator

from doors import CLIENTS, DOORS, FAMILIES, TRANSPORTS, Door, Family, Wire

if find_spec("hypothesis"):  # the cells of tests/matrix do without
    from hypothesis import HealthCheck, settings

    # Property tests are about results: a slow machine fails none of them.
    settings.register_profile(
        "slow machines",
        deadline=None,
        # What judges is set for the whole test, and is the same for each of its examples.
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    settings.load_profile("slow machines")

#: Modules whose tests judge bodies: each is run on the compiled passes and on the plain ones.
_JUDGING = (
    "test_containers",
    "test_encode",
    "test_forms",
    "test_json_strings",
    "test_jsontestsuite",
    "test_limits",
    "test_listing",
    "test_pointer",
    "test_recorded",
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


@pytest.fixture(autouse=True)
def fresh_counts() -> None:
    """Warn again in each test: what was warned of once is counted for the whole process."""
    body_guard.counts(reset=True)


@pytest.fixture(autouse=True)
def nothing_left_installed() -> Iterator[None]:
    """Return the libraries their names back after each test."""
    yield
    body_guard.uninstall()


@pytest.fixture(params=DOORS, ids=str)
def door(request: pytest.FixtureRequest) -> Door:
    """Return every door in turn."""
    return request.param


@pytest.fixture(params=CLIENTS, ids=str)
def client_door(request: pytest.FixtureRequest) -> Door:
    """Return every door that sees a client's json= before it is encoded."""
    return request.param


@pytest.fixture(params=TRANSPORTS, ids=str)
def transport_door(request: pytest.FixtureRequest) -> Door:
    """Return every door that sees each hop, after auth and hooks."""
    return request.param


@pytest.fixture(params=FAMILIES, ids=str)
def family(request: pytest.FixtureRequest) -> Family:
    """Return every HTTP library in turn."""
    return request.param


@pytest.fixture
def wire() -> Wire:
    """Return the far end of a mock transport."""
    return Wire()


@pytest.fixture
def loopback() -> Iterator[Provider]:
    """Return a server on the loopback interface that keeps what it receives."""
    with provider() as server:
        yield server


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def is_async(request: pytest.FixtureRequest) -> bool:
    """Return which of a library's two APIs to use."""
    return request.param
