"""Rolling median and MAD from a window kept sorted: a step costs two binary searches and a short move of memory.

A window holds the last `capacity` samples. Values may be float32 or float64; all arithmetic is float64. No sample
may be NaN. Kernels never raise.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from vp_engine.jit import inlined

MAD_TO_SIGMA = 1.4826  # 1/Φ⁻¹(3/4): the MAD of a normal sample times this estimates its standard deviation


@inlined
def lower_bound_nb(ordered, n, value):
    """First index in ordered[:n] whose value is not below `value`. Steps select where others branch: on which side a
    sample falls cannot be foretold, how many steps it takes can. Indices are unsigned, which spares a test each."""
    if n == 0:
        return 0
    at, left = np.uint64(0), np.uint64(n)
    while left > np.uint64(1):
        half = left >> np.uint64(1)
        at = at + half if ordered[at + half - np.uint64(1)] < value else at
        left -= half
    return np.int64(at) + (ordered[at] < value)


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
    gap = lower_bound_nb(ordered, n, ring[at]) if n == capacity else n
    to = lower_bound_nb(ordered, n, value)
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
    while low < high:
        below = (low + high) >> 1
        above = want - below
        if above > 0 and ordered[split + above - 1] - median > median - ordered[split - 1 - below]:
            low = below + 1
        else:
            high = below
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
