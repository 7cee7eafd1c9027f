"""`spg`: how pressure and vacuum fall off with distance from the touch, and how pressure bends close to it.

Gradients are central differences per tick, one-sided at the grid's end; a mean over the nearest distances of each side
gives P' and V'. net = −(P' below − P' above) + (V' above − V' below), smoothed by a fast and a slow average; the bend
is the negative second difference of P near spot, smoothed by its own.

In the frame `spot` gradients are per k (upward on both sides) and the bend is the mean over k = −2..2, as in older
results: that value does not change sign in a mirrored market. In the frame `bbo` gradients are per |k| (outward), and
the bend is that of distances 1 and 2 below less that above, so that it does.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np

from vp_engine.jit import inlined, kernel
from vp_engine.operators.smooth import ema_nb, new_level
from vp_engine.schema import BinBlock
from vp_engine.signals.base import Signal, SignalParams
from vp_engine.signals.features import ABOVE, BELOW, DEPTH, Count, FrameParams, feed_of
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.spectrum.scoring import Scores

PRESSURE, VACUUM = range(2)  # places in `columns`
FAST, SLOW, BEND = range(3)  # averages
BEND_REACH = 2  # distances that the bend covers


class SpgParams(FrameParams):
    """reach_ticks: distances that gradients are averaged over; fast_span, slow_span, bend_span: spans of the averages,
    alpha = 2/(span + 1); fast_weight, slow_weight: their shares of the gradient; gradient_weight, bend_weight: shares
    of the value."""

    reach_ticks: Count = 16
    fast_span: Count = 5
    slow_span: Count = 20
    bend_span: Count = 10
    fast_weight: float = 0.6
    slow_weight: float = 0.4
    gradient_weight: float = 0.7
    bend_weight: float = 0.3


class _State(NamedTuple):
    """levels, alphas: float64 (3,) by average; weights: float64 (4,) fast, slow, gradient, bend; reach; outward: frame
    bbo."""

    levels: np.ndarray
    alphas: np.ndarray
    weights: np.ndarray
    reach: int
    outward: bool


@inlined
def gradients_nb(row, place, reach):
    """(bid, ask): mean change per tick outward over distances 1..reach. row float32 (rows,)."""
    below, above = place[BELOW], place[ABOVE]
    bid = 0.0
    ask = 0.0
    for distance in range(min(reach, place[DEPTH])):
        further = 1 if distance + 1 < place[DEPTH] else 0
        at_bid, at_ask = below - distance, above + distance
        bid += (np.float64(row[at_bid - further]) - np.float64(row[at_bid + 1])) / (1.0 + further)
        ask += (np.float64(row[at_ask + further]) - np.float64(row[at_ask - 1])) / (1.0 + further)
    return bid / reach, ask / reach


@inlined
def bend_at_nb(row, at):
    """Second difference at a row; rows outside the grid count as 0."""
    left = np.float64(row[at - 1]) if at > 0 else 0.0
    right = np.float64(row[at + 1]) if at + 1 < row.size else 0.0
    return (left + right) - 2.0 * np.float64(row[at])


@inlined
def bend_nb(row, place, outward):
    """Negative second difference near the touch: below less above if `outward`, else the mean around spot."""
    total = 0.0
    if not outward:
        spot = row.size // 2
        for at in range(max(spot - BEND_REACH, 0), min(spot + BEND_REACH + 1, row.size)):
            total += bend_at_nb(row, at)
        return -total / (2 * BEND_REACH + 1)
    for distance in range(min(BEND_REACH, place[DEPTH] - 1)):
        total += bend_at_nb(row, place[BELOW] - distance) - bend_at_nb(row, place[ABOVE] + distance)
    return -total / BEND_REACH


@inlined
def spg_nb(pressure, vacuum, place, state):
    """Value of one valid bin. pressure, vacuum float32 (rows,)."""
    sign = 1.0 if state.outward else -1.0  # per k, what falls outward below rises
    p_bid, p_ask = gradients_nb(pressure, place, state.reach)
    v_bid, v_ask = gradients_nb(vacuum, place, state.reach)
    net = -(sign * p_bid - p_ask) + (v_ask - sign * v_bid)
    fast = ema_nb(state.levels, FAST, state.alphas[FAST], net)
    slow = ema_nb(state.levels, SLOW, state.alphas[SLOW], net)
    bend = ema_nb(state.levels, BEND, state.alphas[BEND], bend_nb(pressure, place, state.outward))
    gradient = state.weights[0] * fast + state.weights[1] * slow
    return state.weights[2] * gradient + state.weights[3] * bend


@kernel
def run_nb(feed, state, values):
    """values float64 (n,) is written; invalid bins are left alone."""
    for at in range(values.size):
        if feed.valid[at] != 0:
            values[at] = spg_nb(feed.columns[PRESSURE, at], feed.columns[VACUUM, at], feed.place[at], state)


class SpgSignal(Signal):
    """Gradients of pressure and vacuum away from the touch, below against above."""

    name = "spg"
    columns = ("pressure_variant", "vacuum_variant")
    Params: ClassVar[type[SignalParams]] = SpgParams
    default_thresholds = ()

    def __init__(self, params: SpgParams, config: VPRuntimeConfig) -> None:
        super().__init__(params, config)
        self._frame = params.frame
        spans = np.array([params.fast_span, params.slow_span, params.bend_span], np.float64)
        weights = [params.fast_weight, params.slow_weight, params.gradient_weight, params.bend_weight]
        self._state = _State(
            levels=new_level(3),
            alphas=2.0 / (spans + 1.0),
            weights=np.array(weights, np.float64),
            reach=params.reach_ticks,
            outward=params.frame == "bbo",
        )

    def update(self, block: BinBlock, scores: Scores | None = None) -> np.ndarray:
        """Values float64 (n,) in lots/s per tick, without bounds."""
        values = np.zeros(len(block.bins))
        run_nb(feed_of(block, self.columns, self._frame, self.config), self._state, values)
        return values
