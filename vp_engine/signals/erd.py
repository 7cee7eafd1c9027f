"""`erd`, entropy regime: speaks when flow states have become unusually disordered, and says to which side they lean.

H is the Shannon entropy, in bits, of the flow states of all rows; the gate is max(0, z(H) − offset). Variant `a` is the
mean flow score below − above, times the gate; variant `b` is the entropy above − below, times the gate.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import model_validator

from vp_engine.jit import inlined, kernel
from vp_engine.operators.zscore import RobustZState, new_robust_z, robust_z_nb
from vp_engine.schema import BinBlock
from vp_engine.signals.base import Signal, SignalParams
from vp_engine.signals.features import (
    ABOVE,
    BELOW,
    DEPTH,
    Count,
    FrameParams,
    band_means_nb,
    feed_of,
)
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.spectrum.scoring import Scores

SCORE, CODE = range(2)  # places in `columns`
BETWEEN, BID, ASK = range(3)  # parts of the grid


class ErdParams(FrameParams):
    """variant: what the gate is multiplied with; entropy_window_bins, entropy_min_periods: the window of H's z, and
    the samples it takes for one; gate_offset: z above which the gate opens."""

    variant: Literal["a", "b"] = "a"
    entropy_window_bins: Count = 100
    entropy_min_periods: Count = 30
    gate_offset: float = 0.5

    @model_validator(mode="after")
    def _consistent(self) -> ErdParams:
        if self.entropy_min_periods > self.entropy_window_bins:
            raise ValueError(
                f"`entropy_min_periods` must be <= `entropy_window_bins`, "
                f"was {self.entropy_min_periods} against {self.entropy_window_bins}"
            )
        return self


class _State(NamedTuple):
    """z: window of H; counts: int64 (3, 3), rows by part of the grid and state, scratch; gate_offset; radius;
    by_entropy: variant b."""

    z: RobustZState
    counts: np.ndarray
    gate_offset: float
    radius: int
    by_entropy: bool


@inlined
def entropy_nb(draining, neutral, building):
    """Shannon entropy in bits of three counts; 0 of none."""
    n = draining + neutral + building
    bits = 0.0
    for count in (draining, neutral, building):
        if count > 0:
            bits -= count / n * math.log2(count / n)
    return bits


@inlined
def count_states_nb(code, place, counts):
    """Rows of each state between the quotes and on either side. code float32 (rows,); counts (3, 3) is written."""
    counts[:] = 0
    below, above = place[BELOW], place[ABOVE]
    for row in range(max(below + 1, 0), min(above, code.size)):
        counts[BETWEEN, int(code[row]) + 1] += 1
    for distance in range(place[DEPTH]):
        counts[BID, int(code[below - distance]) + 1] += 1
        counts[ASK, int(code[above + distance]) + 1] += 1


@inlined
def erd_nb(score, code, place, state):
    """Value of one valid bin."""
    counts = state.counts
    count_states_nb(code, place, counts)
    entropy = entropy_nb(
        counts[BID, 0] + counts[ASK, 0] + counts[BETWEEN, 0],
        counts[BID, 1] + counts[ASK, 1] + counts[BETWEEN, 1],
        counts[BID, 2] + counts[ASK, 2] + counts[BETWEEN, 2],
    )
    gate = max(0.0, robust_z_nb(state.z, entropy) - state.gate_offset)
    if state.by_entropy:
        above = entropy_nb(counts[ASK, 0], counts[ASK, 1], counts[ASK, 2])
        return (above - entropy_nb(counts[BID, 0], counts[BID, 1], counts[BID, 2])) * gate
    bid, ask = band_means_nb(score, place, 1, state.radius)
    return (bid - ask) * gate


@kernel
def run_nb(feed, state, values):
    """values float64 (n,) is written; invalid bins are left alone."""
    for at in range(values.size):
        if feed.valid[at] != 0:
            values[at] = erd_nb(feed.columns[SCORE, at], feed.columns[CODE, at], feed.place[at], state)


class ErdSignal(Signal):
    """Lean of the flow scores while flow states are unusually disordered."""

    name = "erd"
    columns = ("flow_score", "flow_state_code")
    Params: ClassVar[type[SignalParams]] = ErdParams
    default_thresholds = (0.05, 0.10, 0.15, 0.20, 0.30, 0.40, 0.50, 0.75, 1.0, 1.5, 2.0)

    def __init__(self, params: ErdParams, config: VPRuntimeConfig) -> None:
        super().__init__(params, config)
        self._frame = params.frame
        self._needed = max(params.entropy_min_periods, config.zscore_min_periods)
        self._state = _State(
            z=new_robust_z(params.entropy_window_bins, params.entropy_min_periods),
            counts=np.zeros((3, 3), np.int64),
            gate_offset=float(params.gate_offset),
            radius=config.grid_radius_ticks,
            by_entropy=params.variant == "b",
        )

    @property
    def needed_bins(self) -> int:
        """Entropies before a z, and scores before a state that is not neutral."""
        return self._needed

    def update(self, block: BinBlock, scores: Scores | None = None) -> np.ndarray:
        """Values float64 (n,), without bounds."""
        values = np.zeros(len(block.bins))
        feed = feed_of(block, self.columns, self._frame, self.config, self.scored(block, scores))
        run_nb(feed, self._state, values)
        return values
