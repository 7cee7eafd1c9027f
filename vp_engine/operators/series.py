"""The operators for use from Python: each takes float64 (n,) further samples and gives as many values, with the same
bits whatever the portions. Signals that are compiled call the kernels instead.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from vp_engine.errors import ConfigError
from vp_engine.jit import kernel
from vp_engine.operators.arrays import owned
from vp_engine.operators.rolling import moments_nb, new_moments
from vp_engine.operators.slope import new_slope, slope_nb
from vp_engine.operators.smooth import ema_nb, lag_nb, new_lag, new_level
from vp_engine.operators.zscore import new_robust_z, robust_z_nb


@kernel
def moments_of_nb(state, values, out):
    """values float64 (n,); out float64 (3, n) is written."""
    for at in range(values.size):
        out[0, at], out[1, at], out[2, at] = moments_nb(state, values[at])


@kernel
def slopes_of_nb(state, values, out):
    """values, out float64 (n,); out is written."""
    for at in range(values.size):
        out[at] = slope_nb(state, values[at])


@kernel
def emas_of_nb(level, alpha, values, out):
    """values, out float64 (n,); out is written."""
    for at in range(values.size):
        out[at] = ema_nb(level, 0, alpha, values[at])


@kernel
def lags_of_nb(state, values, out):
    """values, out float64 (n,); out is written."""
    for at in range(values.size):
        out[at] = lag_nb(state, values[at])


@kernel
def robust_zs_of_nb(state, values, out):
    """values, out float64 (n,); out is written."""
    for at in range(values.size):
        out[at] = robust_z_nb(state, values[at])


def _samples(values: np.ndarray) -> np.ndarray:
    return owned(np.asarray(values, np.float64))


def _at_least(name: str, value: int, least: int) -> int:
    if value < least:
        raise ConfigError(f"`{name}` must be at least {least}, was {value}")
    return int(value)


class RollingMoments:
    """Mean, population standard deviation and skew of the last `window` samples; 0 before there are so many."""

    def __init__(self, window: int) -> None:
        self._state = new_moments(_at_least("window", window, 1))

    def update(self, values: np.ndarray) -> np.ndarray:
        """float64 (3, n): mean, std, skew. The skew is 0 where the variance is at most 1e-12."""
        samples = _samples(values)
        out = np.empty((3, samples.size))
        moments_of_nb(self._state, samples, out)
        return out


class RollingSlope:
    """Least-squares slope of the last `window` samples, per sample; NaN before there are so many."""

    def __init__(self, window: int) -> None:
        self._state = new_slope(_at_least("window", window, 2))

    def update(self, values: np.ndarray) -> np.ndarray:
        """float64 (n,)."""
        samples = _samples(values)
        out = np.empty(samples.size)
        slopes_of_nb(self._state, samples, out)
        return out


class Ema:
    """Exponential moving average that begins at the first sample: alpha·x + (1 − alpha)·before."""

    def __init__(self, alpha: float) -> None:
        if not 0 < alpha <= 1:
            raise ConfigError(f"`alpha` must lie above 0 and not above 1, was {alpha}")
        self._alpha = float(alpha)
        self._level = new_level()

    def update(self, values: np.ndarray) -> np.ndarray:
        """float64 (n,)."""
        samples = _samples(values)
        out = np.empty(samples.size)
        emas_of_nb(self._level, self._alpha, samples, out)
        return out


class Lag:
    """The sample `lag` samples earlier, 0 where there was none."""

    def __init__(self, lag: int) -> None:
        self._state = new_lag(_at_least("lag", lag, 1))

    def update(self, values: np.ndarray) -> np.ndarray:
        """float64 (n,)."""
        samples = _samples(values)
        out = np.empty(samples.size)
        lags_of_nb(self._state, samples, out)
        return out


class RobustZ:
    """(x − median)/(1.4826·MAD) over the last `window` samples, x included; 0 before `min_periods` samples, where the
    spread is at most 1e-12, and while a NaN is among them."""

    def __init__(self, window: int, min_periods: int = 30) -> None:
        _at_least("min_periods", min_periods, 1)
        self._state = new_robust_z(_at_least("window", window, min_periods), min_periods)

    def update(self, values: np.ndarray) -> np.ndarray:
        """float64 (n,)."""
        samples = _samples(values)
        out = np.empty(samples.size)
        robust_zs_of_nb(self._state, samples, out)
        return out
