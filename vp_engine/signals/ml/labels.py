"""What became of a bin, as far as it is known: the direction in which the mid first left it by a distance.

The label of a bin is the sign of the first crossing of ±distance within hold - 1 bins, which is an outcome of the
triple barrier with both barriers there; 0 where neither is reached in time. Bins without a book are passed over. Mids
in half ticks as integers. A label appears with the very bin that decides it, so whatever is not 0 is known. Kernels
never raise.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

import numpy as np

from vp_engine.jit import kernel

_FIRST_ROOM = 1024


@kernel
def learn_nb(mid, bin_seq, labels, first, last, oldest, distance, hold):
    """Take valid bins [first, last), each deciding earlier ones. mid, bin_seq int64, labels int8 (written).

    Bins from `oldest` on may still be open; returns the new `oldest`.
    """
    for i in range(first, last):
        labels[i] = 0
        while oldest < i and bin_seq[i] - bin_seq[oldest] > hold - 1:
            oldest += 1
        for j in range(oldest, i):
            if labels[j] == 0:
                move = mid[i] - mid[j]
                if move >= distance:
                    labels[j] = 1
                elif move <= -distance:
                    labels[j] = -1
    return oldest


class History:
    """Features and labels of the valid bins seen so far, or of the latest of them.

    keep None: all are kept; otherwise at least the latest `keep`.
    """

    def __init__(self, n_features: int, label_ticks: float, hold_bins: int, keep: int | None = None) -> None:
        self._distance = math.ceil(2 * label_ticks)
        self._hold = hold_bins
        self._keep = keep
        self._n = self._oldest = 0
        self._features = np.empty((_FIRST_ROOM, n_features), np.float32)
        self._mid = np.empty(_FIRST_ROOM, np.int64)
        self._bin_seq = np.empty(_FIRST_ROOM, np.int64)
        self._labels = np.zeros(_FIRST_ROOM, np.int8)

    def extend(self, features: np.ndarray, mid: np.ndarray, bin_seq: np.ndarray) -> None:
        """Further valid bins: features float32 (m, d), mid int64 (m,) half ticks, bin_seq int64 (m,)."""
        self._make_room(mid.size)
        first, last = self._n, self._n + mid.size
        self._features[first:last], self._mid[first:last], self._bin_seq[first:last] = features, mid, bin_seq
        self._oldest = learn_nb(
            self._mid, self._bin_seq, self._labels, first, last, self._oldest, self._distance, self._hold
        )
        self._n = last

    def latest(self, n_bins: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(features float32 (m, d), labels int8 (m,)) of the latest valid bins, all of them for None. Views."""
        first = 0 if n_bins is None else max(0, self._n - n_bins)
        return self._features[first : self._n], self._labels[first : self._n]

    def _make_room(self, count: int) -> None:
        """Forget what is no longer kept, else double."""
        if self._n + count <= self._mid.size:
            return
        held = self._n if self._keep is None else min(self._n, max(self._keep, self._n - self._oldest))
        room = max(2 * (held + count), self._mid.size)
        first = self._n - held
        for name in ("_features", "_mid", "_bin_seq", "_labels"):
            old = getattr(self, name)
            new = np.zeros((room, *old.shape[1:]), old.dtype)
            new[:held] = old[first : self._n]
            setattr(self, name, new)
        self._n, self._oldest = held, max(0, self._oldest - first)
