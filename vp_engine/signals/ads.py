"""`ads`, asymmetric derivative slope: which way the balance of bid and ask flow is turning.

`c` is the asymmetry of v_add (bid − ask) and v_pull (ask − bid), as means over the inner, mid and outer band, each band
weighing 1/√width. The value blends tanh of the robust z of c's slopes over three windows.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import numpy as np

from vp_engine.jit import inlined, kernel
from vp_engine.operators.slope import Slope, new_slope, slope_nb
from vp_engine.operators.zscore import RobustZState, new_robust_z, robust_z_nb
from vp_engine.schema import BinBlock
from vp_engine.signals.base import Signal, SignalParams
from vp_engine.signals.features import BANDS, Count, Window, ZscoreParams, band_means_nb, feed_of
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.spectrum.scoring import Scores

ADD, PULL = range(2)  # places in `columns`


class AdsParams(ZscoreParams):
    """slope_windows: bins of the three slopes; slope_weights: their shares of the value."""

    slope_windows: tuple[Window, Window, Window] = (10, 25, 50)
    slope_weights: tuple[float, float, float] = (0.40, 0.35, 0.25)
    zscore_window_bins: Count = 200


class AdsState(NamedTuple):
    """slopes and zs: one each per window; weights: float64 (3,); tanh_scale."""

    slopes: tuple[Slope, Slope, Slope]
    zs: tuple[RobustZState, RobustZState, RobustZState]
    weights: np.ndarray
    tanh_scale: float


def new_ads(
    windows: tuple[int, int, int], weights: tuple[float, float, float], z_window: int, z_least: int, tanh_scale: float
) -> AdsState:
    """Nothing seen yet. Windows in bins."""
    slopes = new_slope(windows[0]), new_slope(windows[1]), new_slope(windows[2])
    zs = new_robust_z(z_window, z_least), new_robust_z(z_window, z_least), new_robust_z(z_window, z_least)
    return AdsState(slopes, zs, np.array(weights, np.float64), float(tanh_scale))


@inlined
def asymmetry_nb(add, pull, place):
    """`c` of one bin. add, pull float32 (rows,)."""
    total = 0.0
    share = 0.0
    for first, last in BANDS:
        weight = 1.0 / math.sqrt(last - first + 1.0)
        add_bid, add_ask = band_means_nb(add, place, first, last)
        pull_bid, pull_ask = band_means_nb(pull, place, first, last)
        total += weight * ((add_bid - add_ask) + (pull_ask - pull_bid))
        share += weight
    return total / share


@inlined
def ads_nb(add, pull, place, state):
    """Value of one valid bin."""
    c = asymmetry_nb(add, pull, place)
    value = 0.0
    for at in range(3):
        z = robust_z_nb(state.zs[at], slope_nb(state.slopes[at], c))
        value += state.weights[at] * math.tanh(z / state.tanh_scale)
    return value


@kernel
def run_nb(feed, state, values):
    """values float64 (n,) is written; invalid bins are left alone."""
    for at in range(values.size):
        if feed.valid[at] != 0:
            values[at] = ads_nb(feed.columns[ADD, at], feed.columns[PULL, at], feed.place[at], state)


class AdsSignal(Signal):
    """Slope of the asymmetry of adds and pulls around the touch, over three windows."""

    name = "ads"
    columns = ("v_add", "v_pull")
    Params: ClassVar[type[SignalParams]] = AdsParams
    default_thresholds = (0.02, 0.05, 0.08, 0.10, 0.15, 0.20)

    def __init__(self, params: AdsParams, config: VPRuntimeConfig) -> None:
        super().__init__(params, config)
        self._frame = params.frame
        self._needed = min(params.slope_windows) + params.zscore_window_bins - 1
        self._state = new_ads(
            params.slope_windows,
            params.slope_weights,
            params.zscore_window_bins,
            params.zscore_min_periods,
            params.tanh_scale,
        )

    @property
    def needed_bins(self) -> int:
        """The first slope's NaNs must have left its window of z."""
        return self._needed

    def update(self, block: BinBlock, scores: Scores | None = None) -> np.ndarray:
        """Values float64 (n,) in -1..1 (with the default weights)."""
        values = np.zeros(len(block.bins))
        run_nb(feed_of(block, self.columns, self._frame, self.config), self._state, values)
        return values
