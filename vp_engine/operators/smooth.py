"""Exponential moving average and lag. float64; kernels never raise."""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vp_engine.jit import inlined


class LagState(NamedTuple):
    """The last samples. ring: float64 (lag,); counts: int64 (1,), samples seen."""

    ring: np.ndarray
    counts: np.ndarray


def new_level(n: int = 1) -> np.ndarray:
    """float64 (n,): n averages that have not begun, which NaN says."""
    return np.full(n, np.nan)


def new_lag(lag: int) -> LagState:
    """No samples yet. lag in samples, at least 1."""
    return LagState(np.zeros(lag), np.zeros(1, np.int64))


@inlined
def ema_nb(level, at, alpha, value):
    """Take a sample into average `at` of `level`; the average, which begins at the first sample."""
    before = level[at]
    now = value if np.isnan(before) else alpha * value + (1.0 - alpha) * before
    level[at] = now
    return now


@inlined
def lag_nb(state, value):
    """Take a sample; the one `lag` samples earlier, 0 where there was none."""
    at = state.counts[0] % state.ring.size
    earlier = state.ring[at]
    state.ring[at] = value
    state.counts[0] += 1
    return earlier
