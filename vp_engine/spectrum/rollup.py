"""Composite of the normalised force and its differences, for every absolute tick, at each valid bin end. float64.

raw = (P - V)/(|P| + |V| + EPS_QTY); the composite is a weighted mean of raw over several windows of bins; d1..d3 are
its successive differences per second. Slots along the last axis, so that one bin's pass runs through memory in order.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from vp_engine.field.forces import forces_nb
from vp_engine.field.tick_engine import shift_axis

EPS_QTY = 1.0  # lots/s: a force well below one contract a second is not a direction

SAMPLES = 0  # scalars[SAMPLES]: valid bins so far
COMPOSITE, D1, D2, D3 = range(4)  # rows of `level`


class Rollup(NamedTuple):
    """raws: float64 (longest window, n_slots) ring; sums: float64 (n_windows, n_slots); level: float64 (4, n_slots)
    composite and d1..d3 of the last valid bin; raw: float64 (n_slots,) scratch; windows: int64 (n_windows,);
    shares: float64 (n_windows,), summing to 1; scalars: int64 (1,)."""

    raws: np.ndarray
    sums: np.ndarray
    level: np.ndarray
    raw: np.ndarray
    windows: np.ndarray
    shares: np.ndarray
    scalars: np.ndarray


def new_rollup(n_slots: int, windows: tuple[int, ...], weights: tuple[float, ...]) -> Rollup:
    """No bin sampled yet. windows in bins."""
    shares = np.array(weights, np.float64)
    return Rollup(
        raws=np.zeros((max(windows), n_slots)),
        sums=np.zeros((len(windows), n_slots)),
        level=np.zeros((4, n_slots)),
        raw=np.zeros(n_slots),
        windows=np.array(windows, np.int64),
        shares=shares / shares.sum(),
        scalars=np.zeros(1, np.int64),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def refresh_sums_nb(rollup, first, last):
    """Sum the windows anew from the ring, so that rounding never piles up. Slots [first, last]."""
    n_bins = rollup.scalars[SAMPLES]
    longest = rollup.raws.shape[0]
    for w in range(rollup.windows.size):
        rollup.sums[w, first : last + 1] = 0.0
        for back in range(1, min(rollup.windows[w], n_bins) + 1):
            row = (n_bins - back) % longest
            for slot in range(first, last + 1):
                rollup.sums[w, slot] += rollup.raws[row, slot]


@njit(cache=True, nogil=True, error_model="numpy")
def slide_windows_nb(rollup, first, last):
    """Take the bin's raw into the ring and every window's sum. Slots [first, last]."""
    n_bins = rollup.scalars[SAMPLES]
    longest = rollup.raws.shape[0]
    for w in range(rollup.windows.size):
        leaving = n_bins >= rollup.windows[w]
        row = (n_bins - rollup.windows[w]) % longest
        for slot in range(first, last + 1):
            out = rollup.raws[row, slot] if leaving else 0.0
            rollup.sums[w, slot] += rollup.raw[slot] - out
    rollup.raws[n_bins % longest, first : last + 1] = rollup.raw[first : last + 1]
    rollup.scalars[SAMPLES] = n_bins + 1
    if (n_bins + 1) % longest == 0:
        refresh_sums_nb(rollup, first, last)


@njit(cache=True, nogil=True, error_model="numpy")
def sample_nb(rollup, sums, chain, weights, dt_s, first, last):
    """One valid bin: new raw, composite and differences of slots [first, last]. sums (n_slots, 5, 4) as in kinetics."""
    for slot in range(first, last + 1):
        pressure, vacuum = forces_nb(sums[slot], chain, weights)
        rollup.raw[slot] = (pressure - vacuum) / (abs(pressure) + abs(vacuum) + EPS_QTY)
    slide_windows_nb(rollup, first, last)
    n_bins = rollup.scalars[SAMPLES]
    for slot in range(first, last + 1):
        composite = 0.0
        for w in range(rollup.windows.size):
            composite += rollup.shares[w] * rollup.sums[w, slot] / min(n_bins, rollup.windows[w])
        value = composite
        for order in range(4):
            before = rollup.level[order, slot]
            rollup.level[order, slot] = value
            value = (value - before) / dt_s if n_bins > 1 else 0.0


def shift_rollup(rollup: Rollup, shift: int) -> None:
    """Follow an anchor that moved by `shift` ticks; ticks that enter the slots have no history."""
    for values in (rollup.raws, rollup.sums, rollup.level):
        shift_axis(values.T, shift)
