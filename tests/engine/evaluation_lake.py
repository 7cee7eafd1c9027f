"""A small lake with one synthetic dataset, and the specs that sweep it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from vp_engine.lake import Lake, open_dataset
from vp_engine.lake.datasets import Dataset, write_dataset
from vp_engine.schema import BinBlock, empty_block
from vp_engine.specs import (
    ExperimentSpec,
    PipelineSpec,
    ServingSpec,
    VPRuntimeConfig,
    load_instrument,
)

PIPELINE = PipelineSpec.parse(
    {
        "name": "mini",
        "capture": {
            "product_type": "future_mbo", "symbol": "MNQH6", "dt": "2026-02-06",
            "start_time": "09:30", "end_time": "09:35",
        },
        "pipeline": {"grid_radius_ticks": 4},
    }
)  # fmt: skip
SERVING = ServingSpec.parse(
    {
        "name": "mini_serving",
        "pipeline": "mini",
        "signal": {"name": "derivative", "params": {"zscore_min_periods": 20}, "cooldown_bins": 7},
    }
)
CONFIG: VPRuntimeConfig = SERVING.config(load_instrument(), PIPELINE)


def experiment(**overrides) -> ExperimentSpec:
    """A sweep of 2 windows x 2 weights x 2 targets x 2 cooldowns = 16 trials, 3 thresholds each."""
    return ExperimentSpec.parse(
        {
            "name": "mini_sweep",
            "serving": "mini_serving",
            "eval": {
                "tp_ticks": [3, 4], "sl_ticks": 2, "max_hold_bins": 200, "warmup_bins": 100, "cooldown_bins": [5, 20],
                "fee_ticks": 0.1, "fill": "cross",
            },
            "sweep": {
                "scoring": {"zscore_window_bins": [60, 120]},
                "per_signal": {"derivative": {"d2_weight": [0.0, 0.4]}},
                "thresholds": {"derivative": [0.2, 0.05, 0.1]},
            },
            **overrides,
        }
    )  # fmt: skip


def synthetic_blocks(seed: int, n: int, start_ns: int, config: VPRuntimeConfig, block: int = 500) -> Iterator[BinBlock]:
    """A walk of one-tick spreads, labels that follow its moves through noise, some bins without a book."""
    rng = np.random.default_rng(seed)
    whole = empty_block(n, config.grid_radius_ticks)
    bins = whole.bins
    steps = rng.choice([-1, 0, 1], n, p=[0.15, 0.7, 0.15])
    bid = 80_000 + np.cumsum(steps)
    bins["bin_seq"] = np.arange(n)
    bins["bin_start_ns"] = start_ns + np.arange(n) * config.bin_ns
    bins["bin_end_ns"] = bins["ts_ns"] = bins["bin_start_ns"] + config.bin_ns
    bins["book_valid"] = valid = rng.random(n) > 0.02
    bins["best_bid_price_int"] = np.where(valid, bid * config.tick_int, 0)
    bins["best_ask_price_int"] = np.where(valid, (bid + 1) * config.tick_int, 0)
    labels = np.where(rng.random(n) < 0.5, steps, rng.choice([-1, 0, 1], n))
    side = np.repeat([1, 0, 2], [config.grid_radius_ticks, 1, config.grid_radius_ticks])
    whole.state5[...] = labels[:, None] * side * valid[:, None]
    for first in range(0, n, block):
        yield whole.part(first, min(first + block, n))


def make_dataset(lake: Lake, seed: int = 1, address: str = "ab" * 32, end_time: str = "09:35") -> Dataset:
    """One committed dataset from 09:30 on: of 3,000 bins, or of more that end later."""
    pipeline = PIPELINE.model_copy(update={"capture": PIPELINE.capture.model_copy(update={"end_time": end_time})})
    config = pipeline.config(load_instrument())
    capture = pipeline.resolve(load_instrument())
    info = write_dataset(
        lake,
        synthetic_blocks(seed, capture.n_bins, capture.start_ns, config),
        config=config,
        capture=capture,
        pipeline=PIPELINE.name,
        address=address,
        inputs={},
        counters=dict,
    )
    return open_dataset(lake, info.dataset_id)


def make_lake(folder: Path) -> tuple[Lake, Dataset]:
    """A lake in `folder` with its dataset."""
    lake = Lake(folder)
    return lake, make_dataset(lake)


def same_tables(left: pa.Table, right: pa.Table) -> bool:
    """Equal schemas and values, NaN being equal to NaN."""
    return left.schema.equals(right.schema) and all(
        np.array_equal(here.to_numpy(), there.to_numpy(), equal_nan=here.type == "double")
        for here, there in zip(left.columns, right.columns, strict=True)
    )
