"""What every test stands on: an offline litellm, fresh counts, and the doors."""

from __future__ import annotations

import os
from collections.abc import Iterator

# Before anything imports litellm, which would fetch its price list from the network.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

if "BODY_GUARD_ALIAS_HTTPX" in os.environ:  # before anything imports httpx: test_httpx2 says so
    import httpx2

    httpx2.alias_httpx()

import pytest

import body_guard

from doors import CLIENTS, DOORS, FAMILIES, TRANSPORTS, Door, Family, Wire


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
