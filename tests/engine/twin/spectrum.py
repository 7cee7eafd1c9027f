"""Composite of the normalised force over rollup windows and its three differences, per tick, one call per valid bin.

The last max(window) raws of every tick are kept whole; each mean is taken anew. Rows are the rows of `TickSums`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

EPS_QTY = 1.0


class Spectrum(NamedTuple):
    """Composite and its differences, one value per tick."""

    composite: np.ndarray
    d1: np.ndarray
    d2: np.ndarray
    d3: np.ndarray


class TwinSpectrum:
    """History of raws (window, rows), newest at the bottom of a sliding view, and the last values emitted."""

    def __init__(self, windows: Sequence[int], weights: Sequence[float], dt_s: float) -> None:
        self.windows = tuple(windows)
        self.weights = tuple(weights)
        self.dt_s = dt_s
        self.n_bins = 0
        self.depth = max(windows)
        self.raws = np.zeros((2 * self.depth, 0))  # each raw is written twice, so that the last w lie together
        self.last = Spectrum(*(np.zeros(0) for _ in range(4)))

    def _grow(self, n: int) -> None:
        more = n - self.raws.shape[1]
        if more > 0:
            self.raws = np.concatenate([self.raws, np.zeros((2 * self.depth, more))], axis=1)
            self.last = Spectrum(*(np.concatenate([old, np.zeros(more)]) for old in self.last))

    def update(self, pressure: np.ndarray, vacuum: np.ndarray) -> Spectrum:
        """One valid bin's forces (n,) in, its spectrum (n,) out. Rows may be new: their past is zeros."""
        self._grow(len(pressure))
        place = self.n_bins % self.depth
        raw = (pressure - vacuum) / (np.abs(pressure) + np.abs(vacuum) + EPS_QTY)
        self.raws[place] = self.raws[place + self.depth] = raw
        self.n_bins += 1
        composite = np.zeros(len(raw))
        for window, weight in zip(self.windows, self.weights, strict=True):
            samples = min(self.n_bins, window)
            end = place + self.depth + 1
            composite += weight / sum(self.weights) * (self.raws[end - samples : end].sum(axis=0) / samples)
        if self.n_bins == 1:
            zeros = np.zeros(len(raw))
            self.last = Spectrum(composite, zeros, zeros, zeros)
        else:
            d1 = (composite - self.last.composite) / self.dt_s
            d2 = (d1 - self.last.d1) / self.dt_s
            d3 = (d2 - self.last.d2) / self.dt_s
            self.last = Spectrum(composite, d1, d2, d3)
        return self.last

    def forget(self, keep: np.ndarray) -> None:
        """Zero the past of rows where keep (n,) is false: their ticks have left the slots."""
        self._grow(len(keep))
        self.raws[:, : len(keep)][:, ~keep] = 0.0
        self.last = Spectrum(*(np.where(keep, old, 0.0) for old in self.last))
