"""`iirc`: how the replenishment of the two sides moves apart.

A side's ratio is Σ v_add/(Σ v_pull + Σ v_fill + 1) near the touch; the imbalance is ln(1 + bid ratio) − ln(1 + ask
ratio). The value blends its slopes over two windows, and is 0 while the imbalance itself is small.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from vp_engine.jit import inlined, kernel
from vp_engine.operators.slope import Slope, new_slope, slope_nb
from vp_engine.schema import BinBlock
from vp_engine.signals.base import Signal, SignalParams
from vp_engine.signals.features import Count, FrameParams, Window, band_sums_nb, feed_of
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.spectrum.scoring import Scores

ADD, PULL, FILL = range(3)  # places in `columns`


class IircParams(FrameParams):
    """reach_ticks: distances summed over; slope_windows: bins of the two slopes; slope_weights: their shares;
    dead_zone: imbalance under which the value is 0."""

    reach_ticks: Count = 16
    slope_windows: tuple[Window, Window] = (10, 30)
    slope_weights: tuple[float, float] = (0.6, 0.4)
    dead_zone: Annotated[float, Field(ge=0)] = 0.1


class _State(NamedTuple):
    """slopes: one per window; knobs: float64 (3,) the two weights and the dead zone; reach."""

    slopes: tuple[Slope, Slope]
    knobs: np.ndarray
    reach: int


@inlined
def iirc_nb(add, pull, fill, place, state):
    """Value of one valid bin. add, pull, fill float32 (rows,)."""
    add_bid, add_ask = band_sums_nb(add, place, 1, state.reach)
    pull_bid, pull_ask = band_sums_nb(pull, place, 1, state.reach)
    fill_bid, fill_ask = band_sums_nb(fill, place, 1, state.reach)
    bid = math.log1p(add_bid / (pull_bid + fill_bid + 1.0))
    ask = math.log1p(add_ask / (pull_ask + fill_ask + 1.0))
    imbalance = bid - ask
    fast = slope_nb(state.slopes[0], imbalance)
    slow = slope_nb(state.slopes[1], imbalance)
    if np.isnan(fast) or np.isnan(slow) or abs(imbalance) < state.knobs[2]:
        return 0.0
    return state.knobs[0] * fast + state.knobs[1] * slow


@kernel
def run_nb(feed, state, values):
    """values float64 (n,) is written; invalid bins are left alone."""
    columns = feed.columns
    for at in range(values.size):
        if feed.valid[at] != 0:
            values[at] = iirc_nb(columns[ADD, at], columns[PULL, at], columns[FILL, at], feed.place[at], state)


class IircSignal(Signal):
    """Slope of the imbalance between what is added and what is taken away, bid against ask."""

    name = "iirc"
    columns = ("v_add", "v_pull", "v_fill")
    Params: ClassVar[type[SignalParams]] = IircParams
    default_thresholds = (0.001, 0.005, 0.01, 0.02, 0.05)

    def __init__(self, params: IircParams, config: VPRuntimeConfig) -> None:
        super().__init__(params, config)
        self._frame = params.frame
        self._needed = max(params.slope_windows)
        slopes = new_slope(params.slope_windows[0]), new_slope(params.slope_windows[1])
        self._state = _State(
            slopes, np.array([*params.slope_weights, params.dead_zone], np.float64), params.reach_ticks
        )

    @property
    def needed_bins(self) -> int:
        """Both slopes must exist."""
        return self._needed

    def update(self, block: BinBlock, scores: Scores | None = None) -> np.ndarray:
        """Values float64 (n,) per bin, without bounds."""
        values = np.zeros(len(block.bins))
        run_nb(feed_of(block, self.columns, self._frame, self.config), self._state, values)
        return values
