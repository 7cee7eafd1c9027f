"""`ads_pfp_svac`: `ads`, `pfp` and the slant of vacuum in one value, with windows in time rather than in bins.

svac is Σ vacuum/|k| above − below, divided by the moving average of its own size. Parts count as they become warm:
svac from the first valid bin, pfp once its lag has filled, ads after `warmup_ms`; their weights are renormalised over
the parts that count.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from vp_engine.jit import inlined, kernel
from vp_engine.operators.smooth import ema_nb, new_level
from vp_engine.schema import BinBlock
from vp_engine.signals.ads import AdsState, ads_nb, new_ads
from vp_engine.signals.base import Signal, SignalParams
from vp_engine.signals.features import (
    Count,
    FrameParams,
    Positive,
    Share,
    bins_of_ms,
    feed_of,
    inverse_distance,
    weighted_sums_nb,
)
from vp_engine.signals.pfp import PfpParams, PfpState, new_pfp, pfp_nb
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.spectrum.scoring import Scores

ADD, FILL, PULL, VACUUM = range(4)  # places in `columns`
_LEAST_SLANT = 1e-6
_Z_LEAST_SHARE = 0.15  # of the z window: samples that it takes for a z

Weight = Annotated[float, Field(ge=0)]


class AdsPfpSvacParams(FrameParams):
    """ads_weight, pfp_weight, svac_weight: shares of the parts; slope_windows_ms, slope_weights, zscore_window_ms,
    tanh_scale: of ads; warmup_ms: how long ads is left out; lag_ms, pfp_alpha: of pfp; svac_alpha: weight of a new bin
    in the average size of svac; svac_reach_ticks: distances that svac sums over."""

    ads_weight: Weight = 0.40
    pfp_weight: Weight = 0.30
    svac_weight: Weight = 0.30
    slope_windows_ms: tuple[Positive, Positive, Positive] = (1000.0, 2500.0, 5000.0)
    slope_weights: tuple[float, float, float] = (0.40, 0.35, 0.25)
    zscore_window_ms: Positive = 20000.0
    tanh_scale: Positive = 3.0
    warmup_ms: Positive = 20000.0
    lag_ms: Positive = 500.0
    pfp_alpha: Share = 0.1
    svac_alpha: Share = 0.05
    svac_reach_ticks: Count = 50


class _State(NamedTuple):
    """inverse: float64 (reach,) 1/|k|; level: float64 (1,) average size of svac; weights: float64 (3,) of ads, pfp,
    svac; svac_alpha; warm_at: int64 (2,) valid bins before ads and pfp count; counts: int64 (1,) valid bins seen."""

    ads: AdsState
    pfp: PfpState
    inverse: np.ndarray
    level: np.ndarray
    weights: np.ndarray
    svac_alpha: float
    warm_at: np.ndarray
    counts: np.ndarray


@inlined
def svac_nb(vacuum, place, state):
    """Slant of vacuum of one valid bin, about -1..1."""
    below, above = weighted_sums_nb(vacuum, place, state.inverse)
    slant = above - below
    return slant / max(ema_nb(state.level, 0, state.svac_alpha, abs(slant)), _LEAST_SLANT)


@inlined
def blend_nb(add, fill, pull, vacuum, place, state):
    """Value of one valid bin."""
    seen = state.counts[0]
    state.counts[0] = seen + 1
    ads = ads_nb(add, pull, place, state.ads)
    pfp = pfp_nb(add, fill, pull, place, state.pfp)
    total = state.weights[2] * svac_nb(vacuum, place, state)
    share = state.weights[2]
    if seen >= state.warm_at[0]:
        total += state.weights[0] * ads
        share += state.weights[0]
    if seen >= state.warm_at[1]:
        total += state.weights[1] * pfp
        share += state.weights[1]
    return total / share if share > 0.0 else 0.0


@kernel
def run_nb(feed, state, values):
    """values float64 (n,) is written; invalid bins are left alone."""
    columns = feed.columns
    for at in range(values.size):
        if feed.valid[at] != 0:
            values[at] = blend_nb(
                columns[ADD, at], columns[FILL, at], columns[PULL, at], columns[VACUUM, at], feed.place[at], state
            )


class AdsPfpSvacSignal(Signal):
    """Blend of ads, pfp and the slant of vacuum, each from when it is warm."""

    name = "ads_pfp_svac"
    columns = ("v_add", "v_fill", "v_pull", "vacuum_variant")
    Params: ClassVar[type[SignalParams]] = AdsPfpSvacParams
    default_thresholds = (0.02, 0.05, 0.08, 0.10, 0.15, 0.20)

    def __init__(self, params: AdsPfpSvacParams, config: VPRuntimeConfig) -> None:
        super().__init__(params, config)
        self._frame = params.frame
        first, second, third = (bins_of_ms(ms, config, 2) for ms in params.slope_windows_ms)
        z_window = bins_of_ms(params.zscore_window_ms, config, 2)
        z_least = max(2, math.floor(_Z_LEAST_SHARE * z_window))
        lag = bins_of_ms(params.lag_ms, config, 1)
        self._state = _State(
            ads=new_ads((first, second, third), params.slope_weights, z_window, z_least, params.tanh_scale),
            pfp=new_pfp(PfpParams(lag_bins=lag, alpha=params.pfp_alpha)),
            inverse=inverse_distance(params.svac_reach_ticks, normalised=False),
            level=new_level(),
            weights=np.array([params.ads_weight, params.pfp_weight, params.svac_weight], np.float64),
            svac_alpha=float(params.svac_alpha),
            warm_at=np.array([bins_of_ms(params.warmup_ms, config, 1) - 1, lag - 1], np.int64),
            counts=np.zeros(1, np.int64),
        )

    def update(self, block: BinBlock, scores: Scores | None = None) -> np.ndarray:
        """Values float64 (n,), without bounds."""
        values = np.zeros(len(block.bins))
        run_nb(feed_of(block, self.columns, self._frame, self.config), self._state, values)
        return values
