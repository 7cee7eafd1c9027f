"""Fixtures of the service's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from small_house import House, build_house
from wire_client import Server, serving


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The small lake, read-only."""
    return build_house(tmp_path_factory.mktemp("house"))


@pytest.fixture(scope="session")
def server(house: House) -> Iterator[Server]:
    """A service over the small lake."""
    with serving(house.settings()) as running:
        yield running
