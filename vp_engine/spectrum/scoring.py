"""SpectrumScorer: how unusual a tick's composite moves are against its own recent past. Rows are k = -R..+R.

Inputs are the emitted float32 values, so scores can be derived again from a dataset bit for bit. Histories belong to
absolute ticks: a tick that leaves the grid keeps its samples until it is back. Kernels never raise.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from vp_engine.jit import inlined, kernel
from vp_engine.operators.arrays import owned
from vp_engine.operators.robust import MAD_TO_SIGMA, mad_nb, median_nb, push_nb
from vp_engine.schema import GRID_F32_NAMES, BinBlock
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.spectrum.bins import emit_nb
from vp_engine.spectrum.projection import differences_nb, project_nb

N_CHANNELS = 3
MEMORY_BINS = 3  # valid bins that the differences of a projection reach back
COMPOSITE_NOISE = 1e-4  # a composite change per bin that means nothing
UNKNOWN = -1  # n_seen of a tick whose samples before the scorer's beginning were not asked for yet
_MIN_ROOM = 256  # ticks of history kept at least
CHANNEL_NAMES = ("composite_d1", "composite_d2", "composite_d3")
_D1 = GRID_F32_NAMES.index(CHANNEL_NAMES[0])


class Scores(NamedTuple):
    """flow_score float32 (n, rows); flow_state_code int8 (n, rows); projections float32 (n_horizons, n, rows)."""

    flow_score: np.ndarray
    flow_state_code: np.ndarray
    projections: np.ndarray


class Past(Protocol):
    """What was sampled before a scorer that begins in the midst of a capture."""

    def samples(self, first_tick: int, n_ticks: int, window: int) -> tuple[np.ndarray, np.ndarray]:
        """(counts int64 (n_ticks,), samples float32 (n_ticks, 3, window)): the last `window` samples of d1, d2, d3 at
        every tick from `first_tick` on, oldest first; a row holds counts of them."""


class _History(NamedTuple):
    """Per absolute tick, index = tick - base. rings, ordered: float32 (ticks, 3, window); n_seen: int64 (ticks,);
    last: float64 (ticks, 3); last_bin: int64 (ticks,) valid bin of the last score, -2 if none; scratch: float64
    (4,)."""

    rings: np.ndarray
    ordered: np.ndarray
    n_seen: np.ndarray
    last: np.ndarray
    last_bin: np.ndarray
    scratch: np.ndarray


class _Rules(NamedTuple):
    """weights float64 (3,); floors float64 (3,) on sigma; horizons_s float64 (n_horizons,); the rest scalars."""

    weights: np.ndarray
    floors: np.ndarray
    horizons_s: np.ndarray
    min_periods: int
    tanh_scale: float
    threshold: float
    dt_s: float
    damping_lambda: float
    cubic_scale: float


def _new_history(n_ticks: int, window: int, n_seen: int = 0) -> _History:
    """No samples yet (n_seen 0) or not known yet (UNKNOWN). Memory is taken by the system as ticks are visited."""
    return _History(
        rings=np.zeros((n_ticks, N_CHANNELS, window), np.float32),
        ordered=np.zeros((n_ticks, N_CHANNELS, window), np.float32),
        n_seen=np.full(n_ticks, n_seen, np.int64),
        last=np.zeros((n_ticks, 3)),
        last_bin=np.full(n_ticks, -2, np.int64),
        scratch=np.zeros(4),
    )


@inlined
def score_tick_nb(history, at, d1, d2, d3, rules):
    """Take the samples of one tick; (score float64, whether it has enough samples)."""
    n_seen = history.n_seen[at]
    history.n_seen[at] = n_seen + 1
    total = 0.0
    share = 0.0
    n = 0
    for channel in range(N_CHANNELS):
        value = d1 if channel == 0 else (d2 if channel == 1 else d3)
        ordered = history.ordered[at, channel]
        n = push_nb(history.rings[at, channel], ordered, n_seen, value)
        share += rules.weights[channel]
        if n < rules.min_periods:
            continue
        median = median_nb(ordered, n)
        sigma = MAD_TO_SIGMA * mad_nb(ordered, n, median)
        if sigma > rules.floors[channel]:
            total += rules.weights[channel] * math.tanh((np.float64(value) - median) / sigma / rules.tanh_scale)
    return total / share, n >= rules.min_periods


@inlined
def score_bin_nb(history, at, valid_bin, derivatives, rules, score, state, projections):
    """Score all rows of one valid bin; `at` is the history index of row 0. derivatives float32 (3, rows);
    score float32 (rows,), state int8 (rows,), projections float32 (n_horizons, rows) are written."""
    s = history.scratch
    for row in range(score.size):
        tick = at + row
        value, scored = score_tick_nb(
            history, tick, derivatives[0, row], derivatives[1, row], derivatives[2, row], rules
        )
        score[row] = emit_nb(value)
        state[row] = (value >= rules.threshold) - (value <= -rules.threshold)
        if not scored:
            continue
        differences_nb(value, history.last[tick], history.last_bin[tick] == valid_bin - 1, rules.dt_s, s)
        history.last_bin[tick] = valid_bin
        for h in range(rules.horizons_s.size):
            projections[h, row] = emit_nb(project_nb(s, rules.horizons_s[h], rules.damping_lambda, rules.cubic_scale))


@kernel
def score_bins_nb(history, base, first_valid, spot_ticks, valid, derivatives, rules, scores):
    """Score bins in order; returns the number of valid bins so far. derivatives float32 (3, n, rows)."""
    valid_bin = first_valid
    radius = derivatives.shape[2] // 2
    for at in range(valid.size):
        if valid[at] == 0:
            continue
        score_bin_nb(
            history, spot_ticks[at] - radius - base, valid_bin, derivatives[:, at], rules,
            scores.flow_score[at], scores.flow_state_code[at], scores.projections[:, at],
        )  # fmt: skip
        valid_bin += 1
    return valid_bin


class SpectrumScorer:
    """Streaming scores: feed blocks in order, of one bin or many, with the same bits.

    With a `past` it may begin at any bin, and a tick's samples are asked for when it first enters the grid. Scores are
    then those of a scorer that began at bin 0, from the first bin on; projections are after MEMORY_BINS valid bins.
    """

    def __init__(self, config: VPRuntimeConfig, past: Past | None = None) -> None:
        weights = np.array(config.derivative_weights, np.float64)
        self._rules = _Rules(
            weights=weights,
            floors=np.array([COMPOSITE_NOISE / config.dt_s**order for order in (1, 2, 3)]),
            horizons_s=np.array(config.projection_horizons_ms, np.float64) / 1000.0,
            min_periods=config.zscore_min_periods,
            tanh_scale=config.tanh_scale,
            threshold=config.threshold_neutral,
            dt_s=config.dt_s,
            damping_lambda=config.projection_damping_lambda,
            cubic_scale=config.projection_cubic_scale if config.projection_use_cubic else 0.0,
        )
        self._tick_int = config.tick_int
        self._window = config.zscore_window_bins
        self._past = past
        self._base = 0
        self._history = _new_history(0, self._window)
        self._valid_bins = 0

    def update(self, block: BinBlock) -> Scores:
        """Scores of the next n bins; invalid bins score 0 and leave every history alone."""
        n, rows = block.state5.shape
        valid = owned(block.bins["book_valid"])
        spot_ticks = block.bins["spot_ref_price_int"] // self._tick_int
        scores = Scores(
            np.zeros((n, rows), np.float32),
            np.zeros((n, rows), np.int8),
            np.zeros((self._rules.horizons_s.size, n, rows), np.float32),
        )
        if valid.any():
            seen = spot_ticks[valid != 0]
            first, after = int(seen.min()) - rows // 2, int(seen.max()) + rows // 2 + 1
            self._make_room(first, after)
            if self._past is not None:
                self._recall(self._past, first, after)
            derivatives = owned(block.grid[_D1 : _D1 + N_CHANNELS])
            self._valid_bins = score_bins_nb(
                self._history, self._base, self._valid_bins, spot_ticks, valid, derivatives, self._rules, scores
            )
        return scores

    def __getstate__(self) -> dict[str, Any]:
        """Everything but what follows from the rest: ticks without samples, and samples once more in order."""
        history = self._history
        seen = np.flatnonzero(history.n_seen)
        held = (history.rings[seen], history.n_seen[seen], history.last[seen], history.last_bin[seen])
        return {**self.__dict__, "_history": (history.n_seen.size, seen, held)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """The same bits again."""
        n_ticks, seen, (rings, n_seen, last, last_bin) = state["_history"]
        self.__dict__.update(state)
        history = _new_history(n_ticks, self._window, 0 if self._past is None else UNKNOWN)
        history.rings[seen], history.n_seen[seen] = rings, n_seen
        history.last[seen], history.last_bin[seen] = last, last_bin
        for at, count in zip(seen.tolist(), np.clip(n_seen, 0, self._window).tolist(), strict=True):
            history.ordered[at, :, :count] = np.sort(history.rings[at, :, :count], axis=-1)
        self._history = history

    def _make_room(self, first: int, after: int) -> None:
        """Let the history cover ticks [first, after), doubling so that a long run moves it seldom."""
        n_ticks = self._history.n_seen.size
        if n_ticks and self._base <= first and after <= self._base + n_ticks:
            return
        low, high = (min(first, self._base), max(after, self._base + n_ticks)) if n_ticks else (first, after)
        room = max(_MIN_ROOM, 2 * (high - low))
        base = (low + high - room) // 2
        grown = _new_history(room, self._window, 0 if self._past is None else UNKNOWN)
        for old, new in zip(self._history[:-1], grown[:-1], strict=True):  # all but the scratch
            new[self._base - base : self._base - base + n_ticks] = old
        self._base, self._history = base, grown

    def _recall(self, past: Past, first: int, after: int) -> None:
        """Fetch what ticks [first, after) sampled in the past, where that is not known yet."""
        history, base = self._history, self._base
        unknown = np.flatnonzero(history.n_seen[first - base : after - base] == UNKNOWN)
        if unknown.size == 0:
            return
        low, high = first + int(unknown[0]), first + int(unknown[-1]) + 1
        counts, samples = past.samples(low, high - low, self._window)
        for tick in (unknown + first).tolist():
            at, count = tick - base, int(counts[tick - low])
            taken = samples[tick - low, :, :count]
            history.rings[at, :, :count] = taken
            history.ordered[at, :, :count] = np.sort(taken, axis=-1)
            history.n_seen[at] = count


def score_dataset(config: VPRuntimeConfig, blocks: Iterable[BinBlock]) -> Iterator[Scores]:
    """Scores of a whole dataset: the same step, block after block."""
    scorer = SpectrumScorer(config)
    for block in blocks:
        yield scorer.update(block)
