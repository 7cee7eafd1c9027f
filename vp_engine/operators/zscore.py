"""Robust z of a sample against its window: (x − median)/(1.4826·MAD). float64; kernels never raise."""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vp_engine.jit import inlined
from vp_engine.operators.robust import MAD_TO_SIGMA, mad_nb, median_nb, push_nb

FLAT = 1e-12  # a spread of samples at or under this is no spread
HELD, LEAST = 0, 1  # places in `counts`


class RobustZState(NamedTuple):
    """State of one window. ring, ordered: float64 (window,), its samples by arrival and by size; counts: int64 (2,),
    samples held, and how many it takes for a z."""

    ring: np.ndarray
    ordered: np.ndarray
    counts: np.ndarray


def new_robust_z(window: int, min_periods: int = 30) -> RobustZState:
    """No samples yet. 1 <= min_periods <= window, in samples."""
    return RobustZState(np.zeros(window), np.zeros(window), np.array([0, min_periods], np.int64))


@inlined
def robust_z_nb(state, value):
    """Take a sample and score it against its window, itself included.

    0 before `min_periods` samples, where the MAD vanishes, and while a NaN is in the window: the samples before a NaN
    are of no use again, so they are let go, and a full window must pass.
    """
    if np.isnan(value):
        state.counts[HELD] = 0
        state.counts[LEAST] = state.ring.size
        return 0.0
    n = push_nb(state.ring, state.ordered, state.counts[HELD], value)
    state.counts[HELD] += 1
    if n < state.counts[LEAST]:
        return 0.0
    median = median_nb(state.ordered, n)
    sigma = MAD_TO_SIGMA * mad_nb(state.ordered, n, median)
    return (value - median) / sigma if sigma > FLAT else 0.0
