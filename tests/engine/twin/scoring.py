"""Flow score: robust z of d1..d3 per absolute tick over the bins in which the tick was on the grid.

Windows are lists of the emitted values; median and MAD are taken from scratch. Inputs (n, rows), rows k = -R..R.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from twin.projection import Differences, project

ROBUST = 1.4826  # MAD of a normal variable times this is its standard deviation
FLOOR = 1e-4  # change of composite per bin that counts as noise


class TwinScores(NamedTuple):
    """score float64 (n, rows), not yet float32; code int8 (n, rows); projections float64 (horizon, n, rows)."""

    score: np.ndarray
    code: np.ndarray
    projections: np.ndarray


def robust_z(window: np.ndarray, floor: float) -> np.ndarray:
    """z of the newest of the samples (ticks, n) against all of them; 0 where 1.4826 MAD is at most the floor."""
    median = np.median(window, axis=1)
    scale = ROBUST * np.median(np.abs(window - median[:, None]), axis=1)
    z = np.zeros(len(window))
    live = scale > floor
    z[live] = (window[live, -1] - median[live]) / scale[live]
    return z


def twin_scores(
    d1: np.ndarray, d2: np.ndarray, d3: np.ndarray, spot_ticks: np.ndarray, valid: np.ndarray, config: Any
) -> TwinScores:
    """Scores of every bin in turn; invalid bins (n,) are skipped and hold zeros."""
    n, rows = d1.shape
    size, minimum = config.zscore_window_bins, config.zscore_min_periods
    weights = config.derivative_weights
    out = TwinScores(
        np.zeros((n, rows)), np.zeros((n, rows), np.int8), np.zeros((len(config.projection_horizons_ms), n, rows))
    )
    samples: dict[int, np.ndarray] = {}  # by tick, the last `size` of (d1, d2, d3)
    before: dict[int, Differences] = {}  # ticks scored in the previous valid bin
    inputs = np.stack([d1, d2, d3], axis=-1).astype(np.float64)
    for b in np.flatnonzero(valid):
        ticks = [int(spot_ticks[b]) + row - rows // 2 for row in range(rows)]
        for row, tick in enumerate(ticks):
            past = samples.get(tick, inputs[b, :0])
            samples[tick] = np.concatenate([past, inputs[b, row][None]])[-size:]
        now: dict[int, Differences] = {}
        for count in {len(samples[tick]) for tick in ticks}:
            if count < minimum:
                continue
            alike = [row for row, tick in enumerate(ticks) if len(samples[tick]) == count]
            windows = np.stack([samples[ticks[row]] for row in alike])
            score = np.zeros(len(alike))
            for i in range(3):
                z = robust_z(windows[:, :, i], FLOOR / config.dt_s ** (i + 1))
                score += weights[i] * np.tanh(z / config.tanh_scale)
            out.score[b, alike] = score / sum(weights)
        for row, tick in enumerate(ticks):
            score = float(out.score[b, row])
            out.code[b, row] = int(score >= config.threshold_neutral) - int(score <= -config.threshold_neutral)
            state = Differences.after(before.get(tick), score, config.dt_s)
            if len(samples[tick]) >= minimum:
                now[tick] = state
            for h, horizon_ms in enumerate(config.projection_horizons_ms):
                out.projections[h, b, row] = project(state, horizon_ms / 1000.0, config)
        before = now
    return out
