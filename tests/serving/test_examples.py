"""The examples run against a service, and draw what was streamed."""

from __future__ import annotations

import asyncio
import runpy
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from wire_client import Server

HEATMAP = Path(__file__).parents[2] / "examples" / "heatmap.py"


def test_heatmap(server: Server, tmp_path: Path) -> None:
    mpl.use("agg")
    example = runpy.run_path(str(HEATMAP))
    config, bins = asyncio.run(example["minute"](server.url, "short_plain", 200))
    assert [update["bin_seq"] for update, _ in bins] == list(range(200, 600))
    image, ticks = example["prices_by_time"](config, bins)
    assert image.shape == (ticks.size, 400)
    update, table = bins[150]
    bid = update["best_bid_price_int"] // config["tick_int"]
    row = bid - update["spot_ref_price_int"] // config["tick_int"] + config["grid_radius_ticks"]
    force = table["pressure_variant"][row].as_py() - table["vacuum_variant"][row].as_py()
    assert image[bid - ticks[0], 150] == pytest.approx(force)
    assert np.isfinite(image[:, 150]).sum() == config["grid_rows"]
    example["draw"](config, bins).savefig(tmp_path / "heatmap.png", dpi=50)
    assert (tmp_path / "heatmap.png").stat().st_size > 10_000
