"""`jad`: jerk and acceleration of adds and pulls, nearer rows weighing more, bid against ask.

Jerk is half (j_add bid − ask) plus half (j_pull ask − bid), acceleration likewise; where both have one sign the blend
leans on acceleration, otherwise on jerk. The value is the tanh of the blend's robust z.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import numpy as np

from vp_engine.jit import inlined, kernel
from vp_engine.operators.zscore import RobustZState, new_robust_z, robust_z_nb
from vp_engine.schema import BinBlock
from vp_engine.signals.base import Signal, SignalParams
from vp_engine.signals.features import Count, ZscoreParams, feed_of, inverse_distance, weighted_sums_nb
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.spectrum.scoring import Scores

J_ADD, J_PULL, A_ADD, A_PULL = range(4)  # places in `columns`


class JadParams(ZscoreParams):
    """reach_ticks: distances averaged over with weights 1/|k|; agree_weights, differ_weights: shares of jerk and of
    acceleration where their signs agree, and where not."""

    reach_ticks: Count = 24
    agree_weights: tuple[float, float] = (0.4, 0.6)
    differ_weights: tuple[float, float] = (0.8, 0.2)


class _State(NamedTuple):
    """z: window of the blend; weights: float64 (reach,), summing to 1; shares: float64 (2, 2), rows differ and agree,
    columns jerk and acceleration; tanh_scale."""

    z: RobustZState
    weights: np.ndarray
    shares: np.ndarray
    tanh_scale: float


@inlined
def divergence_nb(add, pull, place, weights):
    """Half of add (bid − ask) plus half of pull (ask − bid). add, pull float32 (rows,)."""
    add_bid, add_ask = weighted_sums_nb(add, place, weights)
    pull_bid, pull_ask = weighted_sums_nb(pull, place, weights)
    return 0.5 * (add_bid - add_ask) + 0.5 * (pull_ask - pull_bid)


@inlined
def jad_nb(j_add, j_pull, a_add, a_pull, place, state):
    """Value of one valid bin."""
    jerk = divergence_nb(j_add, j_pull, place, state.weights)
    acceleration = divergence_nb(a_add, a_pull, place, state.weights)
    agree = (jerk > 0.0 and acceleration > 0.0) or (jerk < 0.0 and acceleration < 0.0)
    shares = state.shares[1 if agree else 0]
    return math.tanh(robust_z_nb(state.z, shares[0] * jerk + shares[1] * acceleration) / state.tanh_scale)


@kernel
def run_nb(feed, state, values):
    """values float64 (n,) is written; invalid bins are left alone."""
    columns = feed.columns
    for at in range(values.size):
        if feed.valid[at] != 0:
            values[at] = jad_nb(
                columns[J_ADD, at], columns[J_PULL, at], columns[A_ADD, at], columns[A_PULL, at], feed.place[at], state
            )


class JadSignal(Signal):
    """Robust z of jerk and acceleration of adds and pulls, bid against ask."""

    name = "jad"
    columns = ("j_add", "j_pull", "a_add", "a_pull")
    Params: ClassVar[type[SignalParams]] = JadParams
    default_thresholds = (0.05, 0.10, 0.15, 0.20, 0.30)

    def __init__(self, params: JadParams, config: VPRuntimeConfig) -> None:
        super().__init__(params, config)
        self._frame = params.frame
        self._needed = params.zscore_min_periods
        self._state = _State(
            z=new_robust_z(params.zscore_window_bins, params.zscore_min_periods),
            weights=inverse_distance(params.reach_ticks, normalised=True),
            shares=np.array([params.differ_weights, params.agree_weights], np.float64),
            tanh_scale=float(params.tanh_scale),
        )

    @property
    def needed_bins(self) -> int:
        """Samples before a z."""
        return self._needed

    def update(self, block: BinBlock, scores: Scores | None = None) -> np.ndarray:
        """Values float64 (n,) in -1..1."""
        values = np.zeros(len(block.bins))
        run_nb(feed_of(block, self.columns, self._frame, self.config), self._state, values)
        return values
