"""A made-up market to check signals on: every column alive on both sides, calm and lively stretches, spreads of one to
four ticks, some bins without a book. It depends on nothing but the configuration."""

from __future__ import annotations

import numpy as np

from vp_engine.schema import GRID_F32_NAMES, BinBlock, empty_block
from vp_engine.specs.runtime import VPRuntimeConfig

_SEED = 20_260_206
_MIDDLE_TICK = 80_000
_START_NS = 1_770_388_200_000_000_000  # a Friday at half past nine in New York
_SIGNED = ("a_", "j_", "composite")  # beginnings of the names of columns that take both signs


def check_market(n_bins: int, config: VPRuntimeConfig) -> BinBlock:
    """n_bins >= 1 consecutive bins from bin 0 on."""
    rng = np.random.default_rng(_SEED)
    block = empty_block(n_bins, config.grid_radius_ticks)
    bins, rows = block.bins, 2 * config.grid_radius_ticks + 1
    trend = np.repeat(rng.choice([-0.25, 0.0, 0.25], -(-n_bins // 150)), 150)[:n_bins]
    moves = np.sign(np.round(rng.normal(trend, 0.6))).astype(np.int64)
    bid = _MIDDLE_TICK + np.cumsum(moves)
    ask = bid + rng.choice([1, 2, 3, 4], n_bins, p=[0.7, 0.2, 0.06, 0.04])
    valid = rng.random(n_bins) >= 0.03
    _write_bins(bins, bid, ask, valid, config, rng)
    lively = np.where(np.repeat(rng.random(-(-n_bins // 40)) < 0.3, 40)[:n_bins], 4.0, 1.0)
    lean = 0.5 * np.tanh(np.convolve(rng.normal(0, 1, n_bins), np.ones(25) / 5, "same"))
    side = np.sign(np.arange(rows) - config.grid_radius_ticks)
    scale = (lively[:, None] * (1.0 - lean[:, None] * side)).astype(np.float32)
    for name in GRID_F32_NAMES:
        column = block.field(name)
        if name.startswith(_SIGNED):
            column[...] = rng.standard_normal((n_bins, rows), np.float32)
        else:
            column[...] = np.floor(rng.standard_exponential((n_bins, rows), np.float32) * 4)
        column *= scale * valid[:, None]
    shown = np.where(rng.random(n_bins) < 0.6, moves, rng.integers(-1, 2, n_bins))
    codes = np.where(side > 0, 2, np.where(side < 0, 1, 0)) * shown[:, None]
    block.state5[...] = np.where(rng.random((n_bins, rows)) < 0.7, codes, 0) * valid[:, None]
    block.last_event_id[...] = bins["event_id"][:, None] * valid[:, None]
    return block


def _write_bins(
    bins: np.ndarray,
    bid: np.ndarray,
    ask: np.ndarray,
    valid: np.ndarray,
    config: VPRuntimeConfig,
    rng: np.random.Generator,
) -> None:
    """Fields with one value per bin."""
    n = len(bins)
    bins["bin_seq"] = np.arange(n)
    bins["bin_start_ns"] = _START_NS + np.arange(n) * config.bin_ns
    bins["bin_end_ns"] = bins["ts_ns"] = bins["bin_start_ns"] + config.bin_ns
    bins["bin_event_count"] = rng.poisson(30, n)
    bins["event_id"] = np.cumsum(bins["bin_event_count"])
    bins["book_valid"] = valid
    quotes = {"best_bid": bid, "best_ask": ask, "spot_ref": (bid + ask + 1) // 2}
    for name, tick in quotes.items():
        bins[f"{name}_price_int"] = np.where(valid, tick * config.tick_int, 0)
    bins["mid_price"] = (bins["best_bid_price_int"] + bins["best_ask_price_int"]) * 0.5e-9
    for name, tick in (("bid", bid), ("ask", ask)):
        bins[f"best_{name}_move_ticks"][1:] = np.diff(tick) * valid[1:]
        bins[f"{name}_reprice_sign"] = np.sign(bins[f"best_{name}_move_ticks"])
    bins["microstate_id"] = 3 * (bins["ask_reprice_sign"] + 1) + bins["bid_reprice_sign"] + 1
    for name, sign in (("up", 1), ("down", -1)):
        bins[f"chase_{name}_flag"] = (bins["ask_reprice_sign"] == sign) & (bins["bid_reprice_sign"] == sign)
    for name in ("buy_volume", "sell_volume", "trade_count"):
        bins[name] = rng.poisson(5, n)
