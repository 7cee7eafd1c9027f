"""When a signal fires. Values and bins in time order; a fired direction is +1 up, -1 down, 0 none.
The step below is the only formula: the live server and the evaluation both run it. Kernels never raise.

Bins without a valid book are passed over: they neither fire nor change the state. Cooldown counts bins of the
capture (`bin_seq`), passed-over ones included, since it is a matter of time.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numba import njit

from vp_engine.errors import ConfigError
from vp_engine.evaluation.barriers import DROPPED, Outcomes

Prediction = Literal["score", "probability", "decision"]
PREDICTIONS: tuple[Prediction, ...] = ("score", "probability", "decision")
_SCORE, _PROBABILITY = 0, 1
_NO_FIRE = -(2**62)  # far enough before any bin for every cooldown


class DetectionRule(NamedTuple):
    """Constants of one detector. mode: position in PREDICTIONS."""

    mode: int
    threshold: float
    cooldown_bins: int
    warmup_bins: int


@njit(cache=True, nogil=True, error_model="numpy")
def detect_step_nb(rule, value, bin_seq, state, last_fire):
    """One valid bin. Returns (fired, state, last_fire); state is the side the score is on, -1, 0 or 1.

    A score fires on entering a side; probabilities and decisions fire wherever their condition holds. An entry that
    the cooldown suppresses still sets the state. NaN means no prediction.
    """
    if bin_seq < rule.warmup_bins:
        return 0, 0, last_fire
    side = 0
    if rule.mode == _SCORE:
        if value >= rule.threshold:
            side = 1
        elif value <= -rule.threshold:
            side = -1
    elif rule.mode == _PROBABILITY:
        if value >= rule.threshold:
            side = 1
        elif value <= 1.0 - rule.threshold:
            side = -1
    elif abs(value) >= rule.threshold:
        side = 1 if value > 0 else -1
    entered = side != 0 and (rule.mode != _SCORE or side != state)
    if entered and bin_seq - last_fire >= rule.cooldown_bins:
        return side, side, bin_seq
    return 0, side, last_fire


@njit(cache=True, nogil=True, error_model="numpy")
def detect_nb(rule, values, valid, bin_seq, carried, fired):
    """The step over n bins. values f8, valid i1, bin_seq i8, fired i1 (written): all (n,); carried i8 (2,) is the
    state and the last firing bin, read and written."""
    state, last_fire = carried[0], carried[1]
    for i in range(values.size):
        fired[i] = 0
        if valid[i] != 0:
            hit, state, last_fire = detect_step_nb(rule, values[i], bin_seq[i], state, last_fire)
            fired[i] = hit
    carried[0], carried[1] = state, last_fire


class Detector:
    """Firing decisions of one signal and threshold, for one bin or many; state is carried between calls."""

    def __init__(
        self, threshold: float, cooldown_bins: int, warmup_bins: int, prediction: Prediction = "score"
    ) -> None:
        """ConfigError for a prediction kind that does not exist, negative bins, or a threshold that is not usable."""
        if prediction not in PREDICTIONS:
            raise ConfigError(f"`prediction` must be one of {', '.join(PREDICTIONS)}, was {prediction!r}")
        if not np.isfinite(threshold) or threshold < 0 or (prediction == "score" and threshold == 0):
            raise ConfigError(f"`threshold` must be above 0 (0 is allowed for decisions), was {threshold}")
        for name, bins in (("cooldown_bins", cooldown_bins), ("warmup_bins", warmup_bins)):
            if bins < 0:
                raise ConfigError(f"`{name}` must not be negative, was {bins}")
        self.rule = DetectionRule(PREDICTIONS.index(prediction), float(threshold), int(cooldown_bins), int(warmup_bins))
        self._carried = np.array([0, _NO_FIRE], np.int64)

    def update(self, values: np.ndarray, valid: np.ndarray, bin_seq: np.ndarray) -> np.ndarray:
        """Fired direction int8 (n,) of n >= 0 further bins: values float64, valid int8, bin_seq int64, all (n,)."""
        fired = np.empty(values.size, np.int8)
        detect_nb(self.rule, values, valid, bin_seq, self._carried, fired)
        return fired


class Trades(NamedTuple):
    """Kept trades in order of firing, all (m,): fire_bin, entry_bin, exit_bin int64; direction, kind int8;
    pnl_half int64 in half ticks before fees. n_dropped: firings without a usable entry."""

    fire_bin: np.ndarray
    entry_bin: np.ndarray
    exit_bin: np.ndarray
    direction: np.ndarray
    kind: np.ndarray
    pnl_half: np.ndarray
    n_dropped: int


def gather_trades(fired: np.ndarray, outcomes: Outcomes, entry_delay_bins: int) -> Trades:
    """Outcomes of the firings (int8 (n,), by position in the dataset), entered `entry_delay_bins` bins later."""
    fire_bin = np.flatnonzero(fired != 0)
    entry_bin = fire_bin + entry_delay_bins
    direction = fired[fire_bin]
    inside = entry_bin < fired.size
    at = (direction < 0).astype(np.int64), np.where(inside, entry_bin, 0)
    kind = np.where(inside, outcomes.kind[at], DROPPED).astype(np.int8)
    kept = kind != DROPPED
    row, column = at[0][kept], at[1][kept]
    return Trades(
        fire_bin[kept],
        entry_bin[kept],
        outcomes.exit_bin[row, column].astype(np.int64),
        direction[kept],
        kind[kept],
        outcomes.pnl_half[row, column].astype(np.int64),
        int(fire_bin.size - np.count_nonzero(kept)),
    )
