"""What the tests of learning signals share: quick parameters, markets with a clock, two ways to run a signal."""

from __future__ import annotations

import numpy as np
from signal_market import random_market

from vp_engine.schema import BinBlock
from vp_engine.signals import make_signal, run_signal
from vp_engine.signals.ml import Refit
from vp_engine.specs import build_config_with_overrides, load_instrument

CONFIG = build_config_with_overrides(load_instrument(), {"zscore_window_bins": 40, "zscore_min_periods": 10})
N_BINS = 360
FIRST, STEP = 120, 60
_SCHEDULE = {"first_bins": FIRST, "refit_bins": STEP, "min_labels": 12, "label_ticks": 2, "label_hold_bins": 50}
QUICK: dict[str, dict] = {
    "svm_sp": {**_SCHEDULE, "max_iterations": 50},
    "gbm_mf": {**_SCHEDULE, "rounds": 8, "min_child_rows": 5},
    "knn_cl": {**_SCHEDULE, "neighbours": 5},
    "lsvm_der": _SCHEDULE,
    "xgb_snap": {**_SCHEDULE, "rounds": 8, "min_child_weight": 1.0},
    "pca_ad": {"first_bins": FIRST, "refit_bins": STEP, "train_bins": 100, "components": 4, "z_window_bins": 60},
}
NAMES = sorted(QUICK)


def ml_block(seed: int, n: int = N_BINS, invalid: float = 0.05, day: int = 0) -> BinBlock:
    """A random market's bins, 100 ms each from some midnight on."""
    block = random_market(seed, n, invalid).block(CONFIG)
    block.bins["bin_start_ns"] = (day * 864_000 + np.arange(n)) * CONFIG.bin_ns
    block.bins["bin_end_ns"] = block.bins["ts_ns"] = block.bins["bin_start_ns"] + CONFIG.bin_ns
    return block


def portions(block: BinBlock, size: int) -> list[BinBlock]:
    """The block in pieces of `size` bins."""
    n = len(block.bins)
    return [block.part(first, min(first + size, n)) for first in range(0, n, size)]


def learn(name: str, block: BinBlock, size: int = 10_000, **params) -> tuple[np.ndarray, list[Refit]]:
    """Values of a signal that trains along the block, and its fits."""
    signal = make_signal(name, {**QUICK[name], **params}, CONFIG)
    refits: list[Refit] = []
    signal.on_refit = refits.append
    return run_signal(signal, portions(block, size)), refits


def speak(name: str, block: BinBlock, models, size: int = 10_000, **params) -> np.ndarray:
    """Values of a signal that speaks by fitted models."""
    return run_signal(make_signal(name, {**QUICK[name], **params}, CONFIG, models), portions(block, size))
