"""State labels and the state model built on them. Rows are k = -R..+R; codes -2 bear vacuum .. +2 bull vacuum.

`DerivativeRuntime` is the `derivative` signal: research and the live stream run this one step.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from vp_engine.errors import ConfigError
from vp_engine.jit import inlined, kernel
from vp_engine.operators.arrays import owned
from vp_engine.operators.robust import MAD_TO_SIGMA, mad_nb, median_nb, push_nb
from vp_engine.schema import STATE_MODEL_DTYPE

# Code by microstate 3(sa + 1) + (sb + 1), sa and sb the signs of the ask and the bid move.
#             --  -0  -+  0-  00  0+  +-  +0  ++
_ABOVE = {
    "mirror": (-1, -1, 0, -1, 0, 2, 0, 2, 2),
    "seed": (-1, -1, 0, -1, 0, 2, -1, -1, 2),
}
_BELOW = {
    "mirror": (-2, -2, 0, -2, 0, 1, 0, 1, 1),
    "seed": (-2, -2, 0, -2, 0, 1, -2, -2, 1),
}

FLAT = 1e-12  # a spread of samples at or under this is no spread
N_CODES = 5
SEEN = 0  # counts[SEEN]: valid bins so far


def state5_codes(rule: str) -> np.ndarray:
    """int8 (2, 9): code by side of spot (below, above) and microstate."""
    return np.array([_BELOW[rule], _ABOVE[rule]], np.int8)


class StateModelParams(NamedTuple):
    """Parameters of the state model; windows in bins, weights without unit."""

    zscore_window_bins: int = 240
    zscore_min_periods: int = 60
    tanh_scale: float = 3.0
    d1_weight: float = 1.0
    d2_weight: float = 0.0
    d3_weight: float = 0.0
    bull_pressure_weight: float = 1.0
    bull_vacuum_weight: float = 1.0
    bear_pressure_weight: float = 1.0
    bear_vacuum_weight: float = 1.0
    mixed_weight: float = 0.0
    enable_weighted_blend: bool = False
    center_exclusion_radius: int = 0
    spatial_decay_power: float = 0.0


class _ModelState(NamedTuple):
    """spatial: float64 (rows,); code_weights: float64 (5,) of codes -2..2 in base; blend: float64 (1,) or 0 when off;
    channel_weights: float64 (3,); rings, ordered: float64 (3, window); last: float64 (4,) base, d1, d2, d3;
    counts: int64 (1,); knobs: float64 (3,) dt_s, tanh scale, min periods; intensity: float64 (5,), z: float64 (3,),
    scratch."""

    spatial: np.ndarray
    code_weights: np.ndarray
    blend: np.ndarray
    channel_weights: np.ndarray
    rings: np.ndarray
    ordered: np.ndarray
    last: np.ndarray
    counts: np.ndarray
    knobs: np.ndarray
    intensity: np.ndarray
    z: np.ndarray


def spatial_weights(radius: int, exclusion: int, decay_power: float) -> np.ndarray:
    """float64 (2·radius + 1,) summing to 1: ∝ max(|k|, 1)^-power, 0 for |k| <= exclusion unless exclusion is 0."""
    distance = np.abs(np.arange(-radius, radius + 1))
    weights: np.ndarray = np.maximum(distance, 1).astype(np.float64) ** -decay_power
    if exclusion > 0:
        weights[distance <= exclusion] = 0.0
    total = float(weights.sum())
    if not total > 0:
        raise ConfigError(f"`center_exclusion_radius` must be < {radius}, was {exclusion}: no row is left")
    weights /= total
    return weights


@kernel
def fallback_z_nb(ring, n, value):
    """(value - mean)/std (population) of a window whose MAD vanished; 0 where std does too."""
    mean = 0.0
    for i in range(n):
        mean += ring[i]
    mean /= n
    variance = 0.0
    for i in range(n):
        variance += (ring[i] - mean) ** 2
    std = math.sqrt(variance / n)
    return (value - mean) / std if std > FLAT else 0.0


@inlined
def robust_z_nb(ring, ordered, n_seen, min_periods, value):
    """Take a sample and score it against its window, itself included; 0 before `min_periods` samples."""
    n = push_nb(ring, ordered, n_seen, value)
    if n < min_periods:
        return 0.0
    median = median_nb(ordered, n)
    sigma = MAD_TO_SIGMA * mad_nb(ordered, n, median)
    return (value - median) / sigma if sigma > FLAT else fallback_z_nb(ring, n, value)


@inlined
def intensities_nb(state5, spatial, intensity):
    """Weighted share of rows per code. state5 int8 (rows,); intensity float64 (5,), codes -2..2.

    Summed from spot outwards, both sides in step, so that a mirrored market gives mirrored sums to the last bit.
    """
    radius = state5.size // 2
    intensity[:] = 0.0
    intensity[state5[radius] + 2] += spatial[radius]
    for distance in range(1, radius + 1):
        intensity[state5[radius + distance] + 2] += spatial[radius + distance]
        intensity[state5[radius - distance] + 2] += spatial[radius - distance]


@inlined
def step_nb(state5, model, row):
    """One valid bin: writes every field of `row` (STATE_MODEL_DTYPE record)."""
    dt_s, tanh_scale, min_periods = model.knobs[0], model.knobs[1], model.knobs[2]
    intensity, z = model.intensity, model.z
    intensities_nb(state5, model.spatial, intensity)
    weights = model.code_weights
    row.bull_intensity = weights[3] * intensity[3] + weights[4] * intensity[4]
    row.bear_intensity = weights[1] * intensity[1] + weights[0] * intensity[0]
    row.mixed_intensity = intensity[2]
    base = row.bull_intensity - row.bear_intensity
    base = base * min(max(1.0 - model.blend[0] * intensity[2], 0.0), 1.0) + 0.0  # never -0.0, which would sort as 0.0
    n_seen = model.counts[SEEN]
    value = base
    total = 0.0
    share = 0.0
    for order in range(4):
        before = model.last[order]
        model.last[order] = value
        if order > 0:
            z[order - 1] = robust_z_nb(model.rings[order - 1], model.ordered[order - 1], n_seen, min_periods, value)
            total += model.channel_weights[order - 1] * math.tanh(z[order - 1] / tanh_scale)
            share += abs(model.channel_weights[order - 1])
        value = (value - before) / dt_s if n_seen > 0 else 0.0
    row.base, row.d1, row.d2, row.d3 = model.last[0], model.last[1], model.last[2], model.last[3]
    row.z1, row.z2, row.z3 = z[0], z[1], z[2]
    row.score = min(max(total / share, -1.0), 1.0) if share > 0.0 else 0.0
    dominant = 0
    for code in range(1, N_CODES):
        if intensity[code] > intensity[dominant]:
            dominant = code
    row.dominant_state5_code = dominant - 2
    model.counts[SEEN] = n_seen + 1


@kernel
def run_nb(state5, book_valid, model, rows):
    """Step through bins; an invalid one leaves every history alone and scores 0. state5 int8 (n, grid rows)."""
    for at in range(rows.size):
        row = rows[at]
        if book_valid[at] != 0:
            step_nb(state5[at], model, row)
        row.sample_count = model.counts[SEEN]
        row.ready = model.counts[SEEN] >= model.knobs[2]


class DerivativeRuntime:
    """Streaming state model: feed bins in order, one at a time or many, with the same bits."""

    def __init__(self, params: StateModelParams, dt_s: float, radius: int) -> None:
        if params.zscore_min_periods > params.zscore_window_bins:
            raise ConfigError(
                f"`zscore_min_periods` must be <= `zscore_window_bins`, was {params.zscore_min_periods} "
                f"against {params.zscore_window_bins}"
            )
        self.params = params
        window = params.zscore_window_bins
        blend = params.mixed_weight if params.enable_weighted_blend else 0.0
        self._model = _ModelState(
            spatial=spatial_weights(radius, params.center_exclusion_radius, params.spatial_decay_power),
            code_weights=np.array(
                [
                    params.bear_vacuum_weight,
                    params.bear_pressure_weight,
                    1.0,
                    params.bull_pressure_weight,
                    params.bull_vacuum_weight,
                ]
            ),
            blend=np.array([blend]),
            channel_weights=np.array([params.d1_weight, params.d2_weight, params.d3_weight]),
            rings=np.zeros((3, window)),
            ordered=np.zeros((3, window)),
            last=np.zeros(4),
            counts=np.zeros(1, np.int64),
            knobs=np.array([dt_s, params.tanh_scale, params.zscore_min_periods], np.float64),
            intensity=np.zeros(N_CODES),
            z=np.zeros(3),
        )

    @property
    def memory_bins(self) -> int:
        """Valid bins that a value reaches back: a window of third differences."""
        return self.params.zscore_window_bins + 3

    def begin_after(self, n_valid: int) -> None:
        """Count `n_valid` valid bins as gone by, before the first update only. After `memory_bins` further ones every
        value is that of a model which saw them all: a window's samples stand where they would."""
        self._model.counts[SEEN] = n_valid

    def update(self, state5: np.ndarray, book_valid: np.ndarray) -> np.ndarray:
        """STATE_MODEL_DTYPE (n,) for n further bins. state5 int8 (n, 2R + 1); book_valid int8 (n,)."""
        rows = np.zeros(state5.shape[0], STATE_MODEL_DTYPE)
        run_nb(owned(state5), owned(book_valid), self._model, rows)
        return rows
