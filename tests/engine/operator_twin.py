"""Slow twins of the streaming operators: plain numpy over whole series."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def windows(values: np.ndarray, window: int) -> Iterator[tuple[int, np.ndarray]]:
    """(place, its window) wherever the window is full."""
    for at in range(window - 1, len(values)):
        yield at, values[at - window + 1 : at + 1]


def slow_moments(values: np.ndarray, window: int) -> np.ndarray:
    out = np.zeros((3, len(values)))
    for at, part in windows(values, window):
        distance = part - part.mean()
        variance = np.mean(distance**2)
        out[:, at] = part.mean(), np.sqrt(variance), 0.0
        if variance > 1e-12:
            out[2, at] = np.mean(distance**3) / variance**1.5
    return out


def slow_slopes(values: np.ndarray, window: int) -> np.ndarray:
    out = np.full(len(values), np.nan)
    time = np.arange(window) - (window - 1) / 2
    for at, part in windows(values, window):
        out[at] = np.dot(time, part - part.mean()) / np.dot(time, time)
    return out


def slow_ema(values: np.ndarray, alpha: float) -> np.ndarray:
    out = list(values[:1])
    for value in values[1:]:
        out.append(alpha * value + (1 - alpha) * out[-1])
    return np.array(out)


def slow_lag(values: np.ndarray, lag: int) -> np.ndarray:
    return np.concatenate([np.zeros(lag), values])[: len(values)]


def slow_robust_z(values: np.ndarray, window: int, min_periods: int = 30) -> np.ndarray:
    out = np.zeros(len(values))
    for at in range(len(values)):
        part = values[max(0, at - window + 1) : at + 1]
        if np.isnan(part).any() or len(part) < min_periods:
            continue
        sigma = 1.4826 * np.median(np.abs(part - np.median(part)))
        out[at] = (values[at] - np.median(part)) / sigma if sigma > 1e-12 else 0.0
    return out
