"""What a dataset is like, before any signal: how often each cell is in which state, how long the market stays in one
regime, and whether the projected scores come true. Rows are k = -R..+R; shares and errors over valid bins only.

Scores and projections belong to price ticks, so a projection is held against the score of the same tick later, where
the grid still shows it, and only where both were made from enough samples.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from vp_engine.errors import DataError
from vp_engine.evaluation.sweep import SweepInput
from vp_engine.lake.datasets import Dataset
from vp_engine.signals.base import SCORED_COLUMNS
from vp_engine.specs.runtime import build_config_with_overrides
from vp_engine.spectrum.scoring import score_dataset
from vp_engine.spectrum.state5 import DerivativeRuntime, StateModelParams

STATES = (-2, -1, 0, 1, 2)
STATE_NAMES = ("bear vacuum", "bear pressure", "mixed", "bull pressure", "bull vacuum")
DAMPING = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)  # 1/s, tried in the sweep of the projection model
CUBIC = (0.0, 1.0 / 6.0)

Progress = Callable[[int, int], None]


class Regime(NamedTuple):
    """Runs of one dominant state. Durations in seconds, NaN without runs; share of the valid bins."""

    state: int
    runs: int
    share: float
    mean_s: float
    median_s: float
    longest_s: float


class Horizon(NamedTuple):
    """Projection against realised score. n: pairs; mae, rmse in score units (-1..1); skill_still, skill_zero: 1 minus
    its squared error over that of "the score stays" and of "the score is 0", so above 0 is better than that guess."""

    horizon_ms: int
    n: int
    mae: float
    rmse: float
    correlation: float
    same_sign: float
    skill_still: float
    skill_zero: float


class ProjectionTrial(NamedTuple):
    """One setting of the projection model and its errors by horizon; damping in 1/s, cubic_scale 0: no cubic term."""

    damping_lambda: float
    cubic_scale: float
    horizons: tuple[Horizon, ...]


class Analysis(NamedTuple):
    """Everything. state_shares: float64 (5, rows), by STATES; dominant: int8 (n,) of the valid bins, start_ns int64."""

    dataset_id: str
    n_bins: int
    n_valid: int
    state_shares: np.ndarray
    regimes: tuple[Regime, ...]
    transitions: np.ndarray
    dominant: np.ndarray
    start_ns: np.ndarray
    projection: ProjectionTrial
    sweep: tuple[ProjectionTrial, ...]


def state_shares(state5: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Share of valid bins that each cell spends in each of STATES: state5 int8 (n, rows) to float64 (5, rows)."""
    seen = state5[valid != 0]
    if not len(seen):
        return np.full((len(STATES), state5.shape[1]), np.nan)
    return np.stack([(seen == state).mean(axis=0) for state in STATES])


def runs_of(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(state, length) of every run of equal values in states (n,)."""
    if states.size == 0:
        return states, np.empty(0, np.int64)
    edges = np.flatnonzero(np.diff(states)) + 1
    starts = np.concatenate(([0], edges))
    return states[starts], np.diff(np.concatenate((starts, [states.size])))


def regimes_of(dominant: np.ndarray, bin_s: float) -> tuple[tuple[Regime, ...], np.ndarray]:
    """Regimes by STATES, and how often one follows another: float64 (5, 5) shares by row, NaN for a state never left.

    dominant: int8 (n,) of consecutive valid bins; bin_s: seconds of a bin.
    """
    state, length = runs_of(dominant)
    found = []
    for code in STATES:
        own = length[state == code] * bin_s
        figures = (own.mean(), np.median(own), own.max()) if own.size else (np.nan,) * 3
        share = float(np.mean(dominant == code)) if dominant.size else float("nan")
        found.append(Regime(code, int(own.size), share, *map(float, figures)))
    moves = np.zeros((len(STATES), len(STATES)))
    np.add.at(moves, (state[:-1] + 2, state[1:] + 2), 1)
    with np.errstate(invalid="ignore"):
        return tuple(found), moves / moves.sum(axis=1, keepdims=True)


def later(values: np.ndarray, spot_tick: np.ndarray, bins: int) -> np.ndarray:
    """Values (m, rows) of the same ticks `bins` rows of time later, float64 NaN off the grid; spot_tick int64 (m,)."""
    m, rows = values.shape
    moved = np.full((m, rows), np.nan)
    if bins >= m:
        return moved
    at = np.arange(rows) + (spot_tick[: m - bins] - spot_tick[bins:])[:, None]
    inside = (at >= 0) & (at < rows)
    ahead = np.take_along_axis(values[bins:], np.clip(at, 0, rows - 1), axis=1)
    moved[: m - bins] = np.where(inside, ahead, np.nan)
    return moved


def horizon_errors(projected: np.ndarray, score: np.ndarray, realised: np.ndarray, horizon_ms: int) -> Horizon:
    """Errors of projections; all (m, rows), pairs with a NaN or with nothing projected and nothing scored left out."""
    known = ~np.isnan(realised) & ((projected != 0) | (score != 0))
    p, s, r = (values[known].astype(np.float64) for values in (projected, score, realised))
    if p.size < 2:
        return Horizon(horizon_ms, int(p.size), *(float("nan"),) * 6)
    square = float(np.mean((p - r) ** 2))
    still, zero = float(np.mean((s - r) ** 2)), float(np.mean(r**2))
    spread = p.std() * r.std()
    told = (p != 0) & (r != 0)
    return Horizon(
        horizon_ms,
        int(p.size),
        mae=float(np.mean(np.abs(p - r))),
        rmse=square**0.5,
        correlation=float(np.mean((p - p.mean()) * (r - r.mean())) / spread) if spread > 0 else float("nan"),
        same_sign=float(np.mean(np.sign(p[told]) == np.sign(r[told]))) if told.any() else float("nan"),
        skill_still=1 - square / still if still > 0 else float("nan"),
        skill_zero=1 - square / zero if zero > 0 else float("nan"),
    )


class _Projector:
    """One dataset's scores, scored once and held against what came; projections are made anew for each setting."""

    def __init__(self, source: SweepInput) -> None:
        self._source = source
        self._valid = source.bins["book_valid"] != 0
        self._spot = (source.bins["spot_ref_price_int"] // source.config.tick_int)[self._valid]
        self._score = np.empty(0)
        self._realised: dict[int, np.ndarray] = {}  # by bins ahead, float32

    def trial(self, overrides: Mapping[str, Any]) -> ProjectionTrial:
        """Errors under these projection fields of the runtime config."""
        tried = build_config_with_overrides(self._source.config, overrides)
        parts = list(score_dataset(tried, self._source.blocks()))
        if not self._realised:
            self._score = np.concatenate([part.flow_score for part in parts])[self._valid]
        found = []
        for at, (bins, ms) in enumerate(zip(tried.projection_horizons_bins, tried.projection_horizons_ms, strict=True)):
            if bins not in self._realised:
                self._realised[bins] = later(self._score, self._spot, bins).astype(np.float32)
            projected = np.concatenate([part.projections[at] for part in parts])[self._valid]
            found.append(horizon_errors(projected, self._score, self._realised[bins], int(ms)))
        cubic = tried.projection_cubic_scale if tried.projection_use_cubic else 0.0
        return ProjectionTrial(tried.projection_damping_lambda, cubic, tuple(found))


def analyze(
    dataset: Dataset,
    damping: Sequence[float] = DAMPING,
    cubic: Sequence[float] = CUBIC,
    on_progress: Progress | None = None,
) -> Analysis:
    """Analyse a dataset under its own scoring, and try every setting of the projection model. DataError if no bin has
    a valid book."""
    config = dataset.config
    state5, bins = dataset["state5_code"], dataset.bins
    valid = np.ascontiguousarray(bins["book_valid"])
    if not valid.any():
        raise DataError(f"dataset {dataset.dataset_id} has no valid bin to analyse")
    projector = _Projector(SweepInput(config, bins, {name: dataset[name] for name in SCORED_COLUMNS}))
    runtime = DerivativeRuntime(StateModelParams(**config.state_model), config.dt_s, config.grid_radius_ticks)
    dominant = runtime.update(state5, valid)["dominant_state5_code"][valid != 0]
    regimes, transitions = regimes_of(dominant, config.dt_s)
    settings = list(itertools.product(damping, cubic))
    trials = []
    for at, (strength, scale) in enumerate([(None, None), *settings]):
        overrides: dict[str, Any] = {}
        if strength is not None and scale is not None:
            overrides = {"projection_damping_lambda": strength, "projection_use_cubic": scale != 0}
            overrides |= {"projection_cubic_scale": scale} if scale else {}
        trials.append(projector.trial(overrides))
        if on_progress is not None:
            on_progress(at + 1, len(settings) + 1)
    return Analysis(
        dataset_id=dataset.dataset_id,
        n_bins=dataset.n_bins,
        n_valid=int(np.count_nonzero(valid)),
        state_shares=state_shares(state5, valid),
        regimes=regimes,
        transitions=transitions,
        dominant=dominant,
        start_ns=bins["bin_start_ns"][valid != 0],
        projection=trials[0],
        sweep=tuple(trials[1:]),
    )
