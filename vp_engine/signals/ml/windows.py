"""Operators over several series at once, and the returns between valid bins. Samples float64 (m, series), one row a
bin; unknown before a window is full, which is 0 for a feature.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vp_engine.operators import RobustZ, RollingMoments, RollingSlope

MEAN, STD, SKEW = 1, 2, 3  # how many moments, the lower ones included


class Moments:
    """Rolling mean, standard deviation and skew, as many of them as asked for."""

    def __init__(self, windows: Sequence[int], n_series: int = 1, n_moments: int = STD) -> None:
        self._windows = [[RollingMoments(window) for _ in range(n_series)] for window in windows]
        self._n_moments = n_moments

    def update(self, samples: np.ndarray) -> np.ndarray:
        """float64 (m, windows * moments * series), series running fastest."""
        parts = [
            np.stack([operator.update(series) for operator, series in zip(operators, samples.T, strict=True)], axis=1)
            for operators in self._windows
        ]
        found: np.ndarray = np.vstack([part[: self._n_moments].reshape(-1, len(samples)) for part in parts]).T
        return found


class Slopes:
    """Rolling least-squares slopes per bin."""

    def __init__(self, windows: Sequence[int], n_series: int = 1) -> None:
        self._windows = [[RollingSlope(window) for _ in range(n_series)] for window in windows]

    def update(self, samples: np.ndarray) -> np.ndarray:
        """float64 (m, windows * series), series running fastest."""
        slopes = [
            operator.update(series)
            for operators in self._windows
            for operator, series in zip(operators, samples.T, strict=True)
        ]
        return np.asarray(np.nan_to_num(np.vstack(slopes).T, nan=0.0))


class RobustZs:
    """Rolling robust z."""

    def __init__(self, window: int, n_series: int) -> None:
        self._operators = [RobustZ(window, min(30, window)) for _ in range(n_series)]

    def update(self, samples: np.ndarray) -> np.ndarray:
        """float64 (m, series)."""
        zs = [operator.update(series) for operator, series in zip(self._operators, samples.T, strict=True)]
        return np.vstack(zs).T


class Returns:
    """Mid change in ticks from bin to bin; 0 in the first bin and across bins without a book."""

    def __init__(self) -> None:
        self._last: tuple[int, int] | None = None

    def update(self, mid: np.ndarray, bin_seq: np.ndarray) -> np.ndarray:
        """float64 (m, 1) of m >= 1 mids int64 (m,) in half ticks and their bins int64 (m,)."""
        before = self._last or (int(mid[0]), int(bin_seq[0]))
        self._last = int(mid[-1]), int(bin_seq[-1])
        change: np.ndarray = np.diff(mid, prepend=before[0]) * 0.5
        change[np.diff(bin_seq, prepend=before[1]) != 1] = 0.0
        return change[:, None]
