"""Rolling median and MAD from a window kept sorted: a step costs one count, a short move of memory and one search.

A window holds the last `capacity` samples. Values may be float32 or float64; all arithmetic is float64. No sample
may be NaN. Kernels never raise.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from vp_engine.jit import inlined

MAD_TO_SIGMA = 1.4826  # 1/Φ⁻¹(3/4): the MAD of a normal sample times this estimates its standard deviation


@inlined
def ranks_nb(ordered, n, first, second):
    """How many of ordered[:n] lie below each of two values, int64. Counting is a loop of vectors without a wait in it:
    three times as fast at a few hundred samples as two binary searches, each step of which waits for the last."""
    below_first, below_second = np.int32(0), np.int32(0)
    for i in range(n):
        value = ordered[i]
        below_first = np.int32(below_first + np.int32(value < first))
        below_second = np.int32(below_second + np.int32(value < second))
    return np.int64(below_first), np.int64(below_second)


@inlined
def shift_nb(ordered, gap, to):
    """Let the samples between a gap and a new place move over by one: ordered[to] is free then."""
    if to > gap:
        for i in range(np.uint64(gap), np.uint64(to)):
            ordered[i] = ordered[i + np.uint64(1)]
    else:
        for step in range(np.uint64(gap - to)):
            at = np.uint64(gap) - step
            ordered[at] = ordered[at - np.uint64(1)]


@inlined
def push_nb(ring, ordered, n_seen, value):
    """Take a sample into a window. ring, ordered (capacity,): arrival order and sorted; n_seen samples came before.

    Returns how many samples the window holds now.
    """
    capacity = ring.size
    at = n_seen % capacity
    n = min(n_seen, capacity)
    gap, to = ranks_nb(ordered, n, ring[at], value)
    if n < capacity:
        gap = n
    to -= to > gap  # the old sample leaves from below
    shift_nb(ordered, gap, to)
    ordered[to] = value
    ring[at] = value
    return min(n_seen + 1, capacity)


@inlined
def median_nb(ordered, n):
    """Median of ordered[:n], n > 0; the mean of the middle two for an even n."""
    half = n >> 1
    upper = np.float64(ordered[half])
    return upper if n & 1 else 0.5 * (np.float64(ordered[half - 1]) + upper)


@inlined
def mad_nb(ordered, n, median):
    """Median of |x - median| over ordered[:n], n > 0.

    Distances fall into two sorted runs, one below and one above the median; the wanted ranks are found by a binary
    search over how many of the smallest distances come from the lower run.
    """
    split = n >> 1  # ordered[:split] lie at or below the median, ordered[split:] at or above
    n_below, n_above = split, n - split
    want = (n >> 1) + 1  # how many distances are no larger than the upper middle one
    low, high = max(0, want - n_above), min(want, n_below)
    while low < high:  # below < high <= want: the lower run never gives all
        below = (low + high) >> 1
        more = ordered[split + want - below - 1] - median > median - ordered[split - 1 - below]
        low = below + 1 if more else low
        high = high if more else below
    below, above = low, want - low
    largest, second = -1.0, -1.0  # of the `want` smallest distances
    if below > 0:
        largest = median - ordered[split - below]
        second = median - ordered[split - below + 1] if below > 1 else -1.0
    if above > 0:
        other = ordered[split + above - 1] - median
        before = ordered[split + above - 2] - median if above > 1 else -1.0
        if other > largest:
            second = max(largest, before)
            largest = other
        else:
            second = max(second, other)
    return largest if n & 1 else 0.5 * (largest + second)
