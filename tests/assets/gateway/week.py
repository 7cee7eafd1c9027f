"""What the tests of days from the vendor share: days that the gateway has, terms, outcomes."""

from __future__ import annotations

import datetime as dt
from typing import Any

from vp_assets.databento import Terms
from vp_engine.lake import Lake
from vp_engine.specs import load_instrument

LOCK = load_instrument()
MONDAY = dt.date(2026, 2, 2)
WEEK = [MONDAY + dt.timedelta(days=n) for n in range(3)]
TERMS = Terms(max_cost_usd=10.0)


def files(lake: Lake) -> set[str]:
    return {path.name for path in lake.root.rglob("*") if path.is_file()}


def states(arrivals: list[Any]) -> list[str]:
    return [arrival.state for arrival in arrivals]
