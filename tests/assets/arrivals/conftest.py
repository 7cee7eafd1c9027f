"""A gateway, a lake, and the source between them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.assets.gateway.server import KEY, Gateway
from tests.assets.gateway.week import LOCK, WEEK
from vp_assets.databento import DatabentoSource, Polling
from vp_assets.databento.retry import Patience
from vp_assets.databento.vendor import Vendor
from vp_engine.lake import Lake


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    made = Gateway(*WEEK)
    yield made
    made.close()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def slept() -> list[float]:
    """Waits that would have been."""
    return []


@pytest.fixture
def source(gateway: Gateway, lake: Lake, slept: list[float]) -> DatabentoSource:
    vendor = Vendor(SecretStr(KEY), LOCK, gateway.url, Patience(attempts=4, sleep=slept.append))
    return DatabentoSource(lake, LOCK, vendor, Polling(sleep=lambda s: None))
