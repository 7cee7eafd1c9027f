"""Least-squares slope of a sliding window against time, per sample, at constant cost and without cancellation.

The window is cut as in `rolling`: means and co-moments of the stretches before and after the cut are merged, nothing
is subtracted, and a constant has a slope of exactly 0. float64; kernels never raise.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vp_engine.jit import inlined


class Slope(NamedTuple):
    """State of one window. samples: float64 (window,), the buffer; tails: float64 (window, 2), mean and co-moment with
    time of the buffer's samples from a place to its end, as of when it was last full; head: float64 (2,), those of the
    samples since; counts: int64 (1,), samples seen."""

    samples: np.ndarray
    tails: np.ndarray
    head: np.ndarray
    counts: np.ndarray


def new_slope(window: int) -> Slope:
    """No samples yet. window in samples, at least 2."""
    return Slope(np.zeros(window), np.zeros((window, 2)), np.zeros(2), np.zeros(1, np.int64))


@inlined
def tails_of_slope_nb(state):
    """Mean and co-moment of the full buffer from every place to its end."""
    window = state.samples.size
    mean, moment = state.samples[window - 1], 0.0
    state.tails[window - 1, 0], state.tails[window - 1, 1] = mean, moment
    for at in range(window - 2, -1, -1):
        n_later = window - 1.0 - at
        apart = mean - state.samples[at]
        moment += 0.5 * n_later * apart
        mean = state.samples[at] + apart * n_later / (n_later + 1.0)
        state.tails[at, 0], state.tails[at, 1] = mean, moment


@inlined
def slope_nb(state, value):
    """Take a sample; slope of the window per sample, NaN before it is full.

    Two stretches of n_a and then n_b samples have their mean times (n_a + n_b)/2 apart, so that their co-moment is
    C_a + C_b + n_a·n_b/2·(mean_b − mean_a).
    """
    window = state.samples.size
    n_seen = state.counts[0]
    at = n_seen % window
    if at == 0:
        if n_seen > 0:
            tails_of_slope_nb(state)
        mean, moment = value, 0.0
    else:
        apart = value - state.head[0]
        moment = state.head[1] + 0.5 * at * apart
        mean = state.head[0] + apart / (at + 1.0)
    state.head[0], state.head[1] = mean, moment
    state.samples[at] = value
    state.counts[0] = n_seen + 1
    if n_seen + 1 < window:
        return np.nan
    n_later = at + 1.0
    n_earlier = window - n_later
    if n_earlier > 0.0:
        tail = state.tails[at + 1]
        moment += tail[1] + 0.5 * n_earlier * n_later * (mean - tail[0])
    return moment / (window * (np.float64(window) * window - 1.0) / 12.0)
