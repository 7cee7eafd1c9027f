"""State model: one score per bin from the share of bull and bear rows. Sums by `math.fsum`, windows whole."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vp_engine.schema import STATE_MODEL_DTYPE

CODES = (-2, -1, 0, 1, 2)
ROBUST = 1.4826
FLAT = 1e-12


def spatial_weights(radius: int, power: float, excluded: int) -> list[float]:
    """Weight of each row k = -R..R, summing to 1."""
    raw = [0.0 if excluded > 0 and abs(k) <= excluded else max(abs(k), 1) ** -power for k in range(-radius, radius + 1)]
    total = math.fsum(raw)
    return [weight / total for weight in raw]


def z_score(window: list[float]) -> float:
    """z of the newest sample: robust, or by mean and deviation where half the samples are alike."""
    x = np.array(window)
    median = float(np.median(x))
    scale = ROBUST * float(np.median(np.abs(x - median)))
    if scale > FLAT:
        return (window[-1] - median) / scale
    deviation = float(np.std(x))
    return (window[-1] - float(np.mean(x))) / deviation if deviation > FLAT else 0.0


def twin_state_model(state5: np.ndarray, valid: np.ndarray, params: Any, dt_s: float) -> np.ndarray:
    """STATE_MODEL_DTYPE (n,) from codes (n, rows); an invalid bin carries only sample_count and ready."""
    out = np.zeros(len(state5), STATE_MODEL_DTYPE)
    weights = spatial_weights(state5.shape[1] // 2, params.spatial_decay_power, params.center_exclusion_radius)
    channel_weights = (params.d1_weight, params.d2_weight, params.d3_weight)
    samples: list[list[float]] = [[], [], []]
    count, ready = 0, 0
    previous: tuple[float, float, float] | None = None  # base, d1, d2
    for b, codes in enumerate(state5.tolist()):
        row = out[b]
        if valid[b]:
            share = {c: math.fsum(w for w, code in zip(weights, codes, strict=True) if code == c) for c in CODES}
            bull = params.bull_pressure_weight * share[1] + params.bull_vacuum_weight * share[2]
            bear = params.bear_pressure_weight * share[-1] + params.bear_vacuum_weight * share[-2]
            base = bull - bear
            if params.enable_weighted_blend:
                base *= min(1.0, max(0.0, 1.0 - params.mixed_weight * share[0]))
            if previous is None:
                d = (0.0, 0.0, 0.0)
            else:
                d1 = (base - previous[0]) / dt_s
                d2 = (d1 - previous[1]) / dt_s
                d = (d1, d2, (d2 - previous[2]) / dt_s)
            previous = (base, d[0], d[1])
            count += 1
            z = [0.0, 0.0, 0.0]
            for i in range(3):
                samples[i] = [*samples[i], d[i]][-params.zscore_window_bins :]
                if len(samples[i]) >= params.zscore_min_periods:
                    z[i] = z_score(samples[i])
            ready = int(
                all(len(s) >= params.zscore_min_periods for s, w in zip(samples, channel_weights, strict=True) if w)
            )
            total = sum(abs(w) for w in channel_weights)
            pull = sum(w * math.tanh(zi / params.tanh_scale) for w, zi in zip(channel_weights, z, strict=True))
            row["score"] = min(1.0, max(-1.0, pull / total)) if total else 0.0
            row["base"], row["bull_intensity"], row["bear_intensity"] = base, bull, bear
            row["mixed_intensity"] = share[0]
            row["d1"], row["d2"], row["d3"] = d
            row["z1"], row["z2"], row["z3"] = z
            row["dominant_state5_code"] = max(CODES, key=lambda code: (share[code], -code))
        row["sample_count"], row["ready"] = count, ready
    return out
