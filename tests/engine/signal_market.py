"""Random markets laid out by absolute tick, so that they can be looked at from spot and in a mirror."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vp_engine.schema import GRID_F32_NAMES, BinBlock, empty_block
from vp_engine.specs import VPRuntimeConfig
from vp_engine.spectrum.scoring import Scores

N_TICKS = 260
BASE = 80_000  # absolute tick of index 0
ONE_SIDED = ("v_add", "v_pull", "v_fill", "pressure_variant", "vacuum_variant")
BOTH_SIGNS = ("j_add", "j_pull", "a_add", "a_pull", "composite_d1", "composite_d2", "composite_d3")


class TickMarket(NamedTuple):
    """n bins. bid, ask: int64 (n,) tick indices; valid: bool (n,); columns, by name: float32 (n, N_TICKS); score
    float32 and code int8 (n, N_TICKS); moves: int8 (n,), the sign in which labels lean."""

    bid: np.ndarray
    ask: np.ndarray
    valid: np.ndarray
    columns: dict[str, np.ndarray]
    score: np.ndarray
    code: np.ndarray
    moves: np.ndarray

    def mirrored(self) -> TickMarket:
        """Prices reflected, sides swapped."""
        return TickMarket(
            N_TICKS - 1 - self.ask,
            N_TICKS - 1 - self.bid,
            self.valid,
            {name: values[:, ::-1] for name, values in self.columns.items()},
            self.score[:, ::-1],
            self.code[:, ::-1],
            -self.moves,
        )

    @property
    def spot(self) -> np.ndarray:
        """Tick index of k = 0, as the engine rounds it."""
        return (self.bid + self.ask + 1) // 2

    def rows(self, values: np.ndarray, radius: int) -> np.ndarray:
        """(n, 2R + 1) around spot; zeros in invalid bins."""
        at = self.spot[:, None] + np.arange(-radius, radius + 1)
        return np.take_along_axis(values, at, 1) * self.valid[:, None].astype(values.dtype)

    def block(self, config: VPRuntimeConfig) -> BinBlock:
        """The bins as the engine gives them."""
        radius = config.grid_radius_ticks
        block = empty_block(len(self.bid), radius)
        bins = block.bins
        bins["bin_seq"] = np.arange(len(self.bid))
        bins["book_valid"] = self.valid
        for name, ticks in (("best_bid", self.bid), ("best_ask", self.ask), ("spot_ref", self.spot)):
            bins[f"{name}_price_int"] = np.where(self.valid, (BASE + ticks) * config.tick_int, 0)
        bins["mid_price"] = (bins["best_bid_price_int"] + bins["best_ask_price_int"]) * 0.5e-9
        for name, values in self.columns.items():
            block.grid[GRID_F32_NAMES.index(name)] = self.rows(values, radius)
        side = np.repeat([1, 0, 2], [radius, 1, radius])
        block.state5[...] = np.where(self.moves[:, None] > 0, side, -side[::-1]) * (self.moves != 0)[:, None]
        block.state5[~self.valid] = 0
        return block

    def scores(self, config: VPRuntimeConfig) -> Scores:
        """Made-up scores by tick."""
        radius = config.grid_radius_ticks
        score, code = self.rows(self.score, radius), self.rows(self.code, radius)
        return Scores(score, code, np.zeros((0, *score.shape), np.float32))


def random_market(seed: int, n: int, invalid: float = 0.05, spread: int | None = None) -> TickMarket:
    """A walk with spreads of 1 to 4 ticks (or the one given), patchy columns, and times that differ in how lively
    they are."""
    rng = np.random.default_rng(seed)
    bid = N_TICKS // 2 + np.cumsum(rng.choice([-1, 0, 1], n, p=[0.2, 0.6, 0.2]))
    width = rng.choice([1, 2, 3, 4], n, p=[0.6, 0.2, 0.1, 0.1]) if spread is None else np.full(n, spread)
    lively = np.where(rng.random(n) < 0.3, 4.0, 1.0)[:, None]
    shape = (n, N_TICKS)
    columns = {}
    for name in ONE_SIDED:
        columns[name] = (lively * rng.exponential(3.0, shape) * (rng.random(shape) < 0.8)).astype(np.float32)
    for name in BOTH_SIGNS:
        columns[name] = (lively * rng.normal(0.0, 1.0, shape) * (rng.random(shape) < 0.8)).astype(np.float32)
    score = (np.clip(rng.normal(0.0, 0.2, shape), -1, 1) * (rng.random((n, 1)) < 0.7)).astype(np.float32)
    code = ((score >= 0.15).astype(np.int8) - (score <= -0.15)).astype(np.int8)
    moves = rng.choice([-1, 0, 1], n).astype(np.int8)
    return TickMarket(bid, bid + width, rng.random(n) >= invalid, columns, score, code, moves)
