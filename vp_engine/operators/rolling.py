"""Mean, standard deviation and skew of a sliding window, a step at constant cost and without cancellation.

A window is cut where its samples last filled a buffer: moments of every stretch from a place to that cut are kept, and
moments of what came since are grown sample by sample. The window's own are a merge of one with the other. Nothing is
ever subtracted, so a spike that leaves the window leaves nothing behind. float64; kernels never raise.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from vp_engine.jit import inlined

NO_VARIANCE = 1e-12  # a variance at or under this has no skew


class MomentsState(NamedTuple):
    """State of one window. samples: float64 (window,), the buffer; tails: float64 (window, 3), mean, M2 and M3 of the
    buffer's samples from a place to its end, as of when it was last full; head: float64 (3,), those of the samples
    since; counts: int64 (1,), samples seen."""

    samples: np.ndarray
    tails: np.ndarray
    head: np.ndarray
    counts: np.ndarray


def new_moments(window: int) -> MomentsState:
    """No samples yet. window in samples, at least 1."""
    return MomentsState(np.zeros(window), np.zeros((window, 3)), np.zeros(3), np.zeros(1, np.int64))


@inlined
def merge_moments_nb(n_a, mean_a, m2_a, m3_a, n_b, mean_b, m2_b, m3_b):
    """(mean, M2, M3) of two stretches together; M2 and M3 are sums of powers of the distance from the mean."""
    n = n_a + n_b
    apart = mean_b - mean_a
    mean = mean_a + apart * n_b / n
    m2 = m2_a + m2_b + apart * apart * n_a * n_b / n
    m3 = m3_a + m3_b + apart * apart * apart * n_a * n_b * (n_a - n_b) / (n * n)
    m3 += 3.0 * apart * (n_a * m2_b - n_b * m2_a) / n
    return mean, m2, m3


@inlined
def tails_of_moments_nb(state):
    """Moments of the full buffer from every place to its end."""
    window = state.samples.size
    mean, m2, m3 = state.samples[window - 1], 0.0, 0.0
    state.tails[window - 1, 0], state.tails[window - 1, 1], state.tails[window - 1, 2] = mean, m2, m3
    for at in range(window - 2, -1, -1):
        mean, m2, m3 = merge_moments_nb(1.0, state.samples[at], 0.0, 0.0, window - 1.0 - at, mean, m2, m3)
        state.tails[at, 0], state.tails[at, 1], state.tails[at, 2] = mean, m2, m3


@inlined
def moments_nb(state, value):
    """Take a sample; (mean, population std, skew) of the window, all 0 before it is full. The skew is 0 where the
    variance is at most NO_VARIANCE."""
    window = state.samples.size
    n_seen = state.counts[0]
    at = n_seen % window
    if at == 0:
        if n_seen > 0:
            tails_of_moments_nb(state)
        mean, m2, m3 = value, 0.0, 0.0
    else:
        mean, m2, m3 = merge_moments_nb(
            np.float64(at), state.head[0], state.head[1], state.head[2], 1.0, value, 0.0, 0.0
        )
    state.head[0], state.head[1], state.head[2] = mean, m2, m3
    state.samples[at] = value
    state.counts[0] = n_seen + 1
    if n_seen + 1 < window:
        return 0.0, 0.0, 0.0
    if at + 1 < window:
        tail = state.tails[at + 1]
        mean, m2, m3 = merge_moments_nb(window - 1.0 - at, tail[0], tail[1], tail[2], at + 1.0, mean, m2, m3)
    variance = m2 / window
    skew = m3 / window / (variance * math.sqrt(variance)) if variance > NO_VARIANCE else 0.0
    return mean, math.sqrt(variance), skew
