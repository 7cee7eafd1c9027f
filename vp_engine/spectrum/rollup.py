"""Composite of the normalised force and its differences, for every absolute tick, at each valid bin end. float64.

raw = (P - V)/(|P| + |V| + EPS_QTY); the composite is a weighted mean of raw over several windows of bins; d1..d3 are
its successive differences per second. Slots along the last axis, so that one bin's pass runs through memory in order;
they are counted unsigned, since an index that might be negative keeps a loop from being compiled to vectors.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vp_engine.field.forces import N_INPUTS, copy_inputs_nb, forces_nb, held_nb
from vp_engine.field.kinetics import BLOCK_SLOTS
from vp_engine.field.tick_engine import shift_axis
from vp_engine.jit import inlined, kernel

EPS_QTY = 1.0  # lots/s: a force well below one contract a second is not a direction

SAMPLES = 0  # scalars[SAMPLES]: valid bins so far
COMPOSITE, D1, D2, D3 = range(4)  # rows of `level`


class Rollup(NamedTuple):
    """inputs: float64 (6, n_slots), see `forces`; totals: float64 (longest window + 1, n_slots) ring of running sums of
    raw; level: float64 (4, n_slots) composite and d1..d3 of the last valid bin; raw: float64 (n_slots,) scratch;
    windows: int64 (n_windows,); shares: float64 (n_windows,), summing to 1; scalars: int64 (1,)."""

    inputs: np.ndarray
    totals: np.ndarray
    level: np.ndarray
    raw: np.ndarray
    windows: np.ndarray
    shares: np.ndarray
    scalars: np.ndarray


def new_rollup(n_slots: int, windows: tuple[int, ...], weights: tuple[float, ...]) -> Rollup:
    """No bin sampled yet. windows in bins."""
    shares = np.array(weights, np.float64)
    return Rollup(
        inputs=np.zeros((N_INPUTS, n_slots)),
        totals=np.zeros((max(windows) + 1, n_slots)),
        level=np.zeros((4, n_slots)),
        raw=np.zeros(n_slots),
        windows=np.array(windows, np.int64),
        shares=shares / shares.sum(),
        scalars=np.zeros(1, np.int64),
    )


@inlined
def accumulate_nb(rollup, n_bins, first, last):
    """Running sum of raw up to bin n_bins (from 1), then the composite in place of raw. Slots [first, last)."""
    raw, totals = rollup.raw, rollup.totals
    rows = totals.shape[0]
    now, before = n_bins % rows, (n_bins - 1) % rows
    for slot in range(first, last):
        totals[now, slot] = totals[before, slot] + raw[slot]
        raw[slot] = 0.0
    for w in range(rollup.windows.size):
        length = min(n_bins, rollup.windows[w])
        share = rollup.shares[w] / length
        start = (n_bins - length) % rows
        for slot in range(first, last):
            raw[slot] += share * (totals[now, slot] - totals[start, slot])


@inlined
def difference_nb(rollup, n_bins, dt_s, first, last):
    """Composite and its successive differences per second. Slots [first, last)."""
    raw, level = rollup.raw, rollup.level
    rate = 1.0 / dt_s if n_bins > 1 else 0.0
    for order in range(4):
        for slot in range(first, last):
            before = level[order, slot]
            level[order, slot] = raw[slot]
            raw[slot] = (raw[slot] - before) * rate


@inlined
def rebase_nb(rollup, n_bins, first, last):
    """Let every running sum start at zero again, so that rounding never piles up. Slots [first, last)."""
    totals = rollup.totals
    rows = totals.shape[0]
    now = n_bins % rows
    for row in range(rows):
        if row != now:
            for slot in range(first, last):
                totals[row, slot] -= totals[now, slot]
    for slot in range(first, last):
        totals[now, slot] = 0.0


@inlined
def asleep_nb(rollup, first, last):
    """Whether nothing at slots [first, last) can move before the next impulse: all that enters a composite is zero."""
    for slot in range(first, last):
        for row in range(N_INPUTS):
            if rollup.inputs[row, slot] != 0.0:
                return False
        for row in range(rollup.totals.shape[0]):
            if rollup.totals[row, slot] != 0.0:
                return False
        for order in range(4):
            if rollup.level[order, slot] != 0.0:
                return False
    return True


@kernel
def sample_nb(rollup, kinetics, chain, weights, dt_s):
    """One valid bin: new raw, composite and differences of every slot whose block is awake.

    chain (7,) from chain_at_nb at the bin's end; weights c1..c7. A block falls asleep when all it holds is zero.
    """
    n_bins = rollup.scalars[SAMPLES] + 1
    raw, inputs = rollup.raw, rollup.inputs
    chain, weights = held_nb(chain), held_nb(weights)
    rebasing = n_bins % (rollup.totals.shape[0] - 1) == 0
    for block in range(kinetics.awake.size):
        if kinetics.awake[block] == 0:
            continue
        first = np.uint64(block * BLOCK_SLOTS)
        last = np.uint64(min((block + 1) * BLOCK_SLOTS, raw.size))
        if kinetics.moved[block] != 0:
            copy_inputs_nb(kinetics.sums, inputs, first, last)
            kinetics.moved[block] = 0
        for slot in range(first, last):
            pressure, vacuum = forces_nb(inputs, slot, chain, weights)
            raw[slot] = (pressure - vacuum) / (abs(pressure) + abs(vacuum) + EPS_QTY)
        accumulate_nb(rollup, n_bins, first, last)
        difference_nb(rollup, n_bins, dt_s, first, last)
        if rebasing:
            rebase_nb(rollup, n_bins, first, last)
            if asleep_nb(rollup, first, last):
                kinetics.awake[block] = 0
    rollup.scalars[SAMPLES] = n_bins


def shift_rollup(rollup: Rollup, shift: int) -> None:
    """Follow an anchor that moved by `shift` ticks; ticks that enter the slots have no history. The kinetics, shifted
    as well, mark every touched block as moved."""
    rollup.inputs[:] = 0.0
    for values in (rollup.totals, rollup.level):
        shift_axis(values.T, shift)
