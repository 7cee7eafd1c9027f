"""`pfp`, pressure front propagation: on which side activity at the touch goes before activity farther out, or after it.

A lead compares how the inner zone now moves with the outer zone some bins ago, and with the outer zone now:
lead(in, out) = ema(in·lag(out))/(ema(in·out) + 1e-12). It is taken of v_add + v_fill (bid − ask) and of v_pull
(ask − bid).
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
from pydantic import model_validator

from vp_engine.jit import inlined, kernel
from vp_engine.operators.smooth import LagState, ema_nb, lag_nb, new_lag, new_level
from vp_engine.schema import BinBlock
from vp_engine.signals.base import Signal, SignalParams
from vp_engine.signals.features import Count, FrameParams, Share, band_means_nb, feed_of
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.spectrum.scoring import Scores

ADD, FILL, PULL = range(3)  # places in `columns`
TOGETHER, APART = range(2)  # averages of a lead: inner with outer now, inner with outer then
_NOTHING = 1e-12


class PfpParams(FrameParams):
    """inner_last: the inner zone is distances 1 to this; outer_first, outer_last: the outer zone; lag_bins: how long
    ago the outer zone is looked at; alpha: weight of a new bin in the averages; add_weight, pull_weight: shares of the
    two leads."""

    inner_last: Count = 3
    outer_first: Count = 5
    outer_last: Count = 12
    lag_bins: Count = 5
    alpha: Share = 0.1
    add_weight: float = 0.6
    pull_weight: float = 0.4

    @model_validator(mode="after")
    def _consistent(self) -> PfpParams:
        if not self.inner_last < self.outer_first <= self.outer_last:
            raise ValueError(
                f"`inner_last` < `outer_first` <= `outer_last` must hold, "
                f"was {self.inner_last}, {self.outer_first}, {self.outer_last}"
            )
        return self


class PfpState(NamedTuple):
    """lags: of the outer zone, by lead (add bid, ask, pull bid, ask); levels: float64 (4, 2); zones: int64 (3,)
    inner last, outer first, outer last; knobs: float64 (3,) alpha, add weight, pull weight."""

    lags: tuple[LagState, LagState, LagState, LagState]
    levels: np.ndarray
    zones: np.ndarray
    knobs: np.ndarray


def new_pfp(params: PfpParams) -> PfpState:
    """Nothing seen yet."""
    lag = params.lag_bins
    return PfpState(
        lags=(new_lag(lag), new_lag(lag), new_lag(lag), new_lag(lag)),
        levels=new_level(8).reshape(4, 2),
        zones=np.array([params.inner_last, params.outer_first, params.outer_last], np.int64),
        knobs=np.array([params.alpha, params.add_weight, params.pull_weight], np.float64),
    )


@inlined
def lead_nb(state, at, inner, outer):
    """Lead `at` with one more bin."""
    apart = ema_nb(state.levels[at], APART, state.knobs[0], inner * lag_nb(state.lags[at], outer))
    together = ema_nb(state.levels[at], TOGETHER, state.knobs[0], inner * outer)
    return apart / (together + _NOTHING)


@inlined
def pfp_nb(add, fill, pull, place, state):
    """Value of one valid bin. add, fill, pull float32 (rows,)."""
    inner_last, outer_first, outer_last = state.zones
    add_in = band_means_nb(add, place, 1, inner_last)
    add_out = band_means_nb(add, place, outer_first, outer_last)
    fill_in = band_means_nb(fill, place, 1, inner_last)
    fill_out = band_means_nb(fill, place, outer_first, outer_last)
    pull_in = band_means_nb(pull, place, 1, inner_last)
    pull_out = band_means_nb(pull, place, outer_first, outer_last)
    add_bid = lead_nb(state, 0, add_in[0] + fill_in[0], add_out[0] + fill_out[0])
    add_ask = lead_nb(state, 1, add_in[1] + fill_in[1], add_out[1] + fill_out[1])
    pull_bid = lead_nb(state, 2, pull_in[0], pull_out[0])
    pull_ask = lead_nb(state, 3, pull_in[1], pull_out[1])
    return state.knobs[1] * (add_bid - add_ask) + state.knobs[2] * (pull_ask - pull_bid)


@kernel
def run_nb(feed, state, values):
    """values float64 (n,) is written; invalid bins are left alone."""
    columns = feed.columns
    for at in range(values.size):
        if feed.valid[at] != 0:
            values[at] = pfp_nb(columns[ADD, at], columns[FILL, at], columns[PULL, at], feed.place[at], state)


class PfpSignal(Signal):
    """Whether activity at the touch leads activity farther out, on the bid against the ask."""

    name = "pfp"
    columns = ("v_add", "v_fill", "v_pull")
    Params: ClassVar[type[SignalParams]] = PfpParams
    default_thresholds = ()

    def __init__(self, params: PfpParams, config: VPRuntimeConfig) -> None:
        super().__init__(params, config)
        self._frame = params.frame
        self._needed = params.lag_bins + 1
        self._state = new_pfp(params)

    @property
    def needed_bins(self) -> int:
        """The lag must have filled."""
        return self._needed

    def update(self, block: BinBlock, scores: Scores | None = None) -> np.ndarray:
        """Values float64 (n,), without bounds."""
        values = np.zeros(len(block.bins))
        run_nb(feed_of(block, self.columns, self._frame, self.config), self._state, values)
        return values
