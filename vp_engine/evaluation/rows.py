"""From a signal's values to figures: one row per (trial, threshold), and the two tables of a sweep.

Firings are found once per threshold and cooldown, outcomes once per barriers; a row is a gather over both, its p one
of many made together. Rows are judged at the end, since corrections for many trials need all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from vp_engine.evaluation.barriers import Barriers
from vp_engine.evaluation.bootstrap import DRAWS, deeper_p, mean_test
from vp_engine.evaluation.counting import SUMS, TALLY, Firings, Rows, count_rows_nb, scratch_of
from vp_engine.evaluation.detection import Detector, Prediction, Trades, gather_trades
from vp_engine.evaluation.resampling import circle_of
from vp_engine.evaluation.spa import spa_p
from vp_engine.evaluation.statistics import (
    binomial_p,
    deflated_sharpe,
    holm,
    mean_interval,
    smallest_p,
    wilson_interval,
)
from vp_engine.evaluation.trials import Evaluation, Trial
from vp_engine.lake.results import RUNS_META_SCHEMA, RUNS_SCHEMA
from vp_engine.lake.results_fields import RUNS_FIELDS
from vp_engine.units import NS_PER_MS, NS_PER_S

CALIBRATION_QUANTILES = (0.50, 0.70, 0.80, 0.90, 0.95, 0.99)
FALLBACK_THRESHOLDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.2)
_HOUR_NS = 3600 * NS_PER_S
_LATER = (
    "run_id", "sweep_address", "tp_rate_low", "tp_rate_high", "barrier_tp_rate", "barrier_tp_rate_low",
    "barrier_tp_rate_high", "p_binomial", "p_holm", "deflated_sharpe",
)  # fmt: skip
_DEEPER = "p_deeper"  # `p_value` with as many draws as the sweep's correction needs
COUNTED = (*(field.name for field in RUNS_FIELDS if field.name not in _LATER), _DEEPER)
_PIECES = "pieces"
_ROWS_AT_ONCE = 2048  # what a row needs on the way to its p is a few kB
_EXITS = ("tp", "sl", "timeout")


class Sharing(NamedTuple):
    """What all rows of a sweep share. piece_bins: length of the pieces that their pnl is summed over; draws: what a row
    without a hit is held against for Holm's correction (`draws_for`)."""

    piece_bins: int
    draws: int = DRAWS


class Counted(NamedTuple):
    """Rows before they are judged. trial: int64 (rows,), position among the trials they belong to, rising;
    figures: a column (rows,) by name of COUNTED; pieces: float64 (rows, p), net pnl summed over the pieces that the
    sweep's rows share."""

    trial: np.ndarray
    figures: dict[str, np.ndarray]
    pieces: np.ndarray


class Judged(NamedTuple):
    """The `runs` table, the number of trials corrected for, and the p of the best of them."""

    runs: pa.Table
    n_trials: int
    spa_p_value: float


def calibrated_thresholds(values: np.ndarray, valid: np.ndarray, evaluation: Evaluation) -> tuple[float, ...]:
    """Quantiles of |value| over valid bins from warm-up to the evaluation's first bin, rounded to 6 digits, distinct
    and above 0; fixed ones if that leaves none. values float64 (n,), valid int8 (n,)."""
    part = slice(evaluation.warmup_bins, evaluation.first_bin(values.size))
    known = values[part][(valid[part] != 0) & ~np.isnan(values[part])]
    if known.size == 0:
        return FALLBACK_THRESHOLDS
    rounded = {round(float(q), 6) for q in np.quantile(np.abs(known), CALIBRATION_QUANTILES)}
    return tuple(sorted(value for value in rounded if value > 0)) or FALLBACK_THRESHOLDS


def trades_of(
    values: np.ndarray,
    bin_seq: np.ndarray,
    barriers: Barriers,
    threshold: float,
    evaluation: Evaluation,
    prediction: Prediction,
) -> Trades:
    """Trades of one threshold. values float64 (n,), bin_seq int64 (n,) counting from 0 at the dataset's start."""
    first = evaluation.first_bin(values.size)
    detector = Detector(threshold, evaluation.cooldown_bins, first, prediction)
    fired = detector.update(values, barriers.market.valid, bin_seq)
    outcomes = barriers.outcomes(evaluation.tp_ticks, evaluation.sl_ticks, evaluation.max_hold_bins, evaluation.fill)
    return gather_trades(fired, outcomes, evaluation.entry_delay_bins)


class _Rules(NamedTuple):
    """What each row is judged by, all (rows,): threshold float64; first evaluated bin, longest hold, cooldown and delay
    of the entry in bins, int64; barriers int64, position among the sweep's; distances of take-profit and stop-loss and
    cost of a round trip in ticks, break-even rate, variance of one trade without an edge in ticks squared, float64."""

    threshold: np.ndarray
    first: np.ndarray
    hold: np.ndarray
    cooldown: np.ndarray
    delay: np.ndarray
    barriers: np.ndarray
    tp: np.ndarray
    sl: np.ndarray
    cost: np.ndarray
    break_even: np.ndarray
    variance: np.ndarray

    def part(self, rows: slice | np.ndarray) -> _Rules:
        """Some rows."""
        return _Rules(*(column[rows] for column in self))


def _rules(
    trials: Sequence[Trial], levels: Sequence[Sequence[float]], n_bins: int
) -> tuple[np.ndarray, _Rules, list[tuple[Any, ...]]]:
    """(trial of each row int64 (rows,), what rows are judged by, barriers); `levels` are each trial's thresholds."""
    known: dict[tuple[Any, ...], int] = {}
    whole, real = [], []
    for trial in trials:
        one = trial.evaluation
        barriers = known.setdefault(one.barriers, len(known))
        whole.append((one.first_bin(n_bins), one.max_hold_bins, one.cooldown_bins, one.entry_delay_bins, barriers))
        real.append((one.tp_ticks, one.sl_ticks, one.cost_ticks, one.break_even_rate, one.null_variance))
    of_row = np.repeat(np.arange(len(trials)), [len(some) for some in levels])
    threshold = np.array([value for some in levels for value in some], np.float64)
    columns = *np.array(whole, np.int64).T[:, of_row], *np.array(real, np.float64).T[:, of_row]
    return of_row, _Rules(threshold, *columns), list(known)


def _alike(*columns: np.ndarray) -> list[np.ndarray]:
    """Groups of rows, int64 and rising, that are the same in all columns (rows,)."""
    order = np.lexsort(columns)
    changes = np.any([np.diff(column[order]) != 0 for column in columns], axis=0)
    return np.split(order, np.flatnonzero(changes) + 1)


class Counter:
    """Counts the rows of trials that share one signal's values, over one market.

    bin_ns: a bin's width.
    """

    def __init__(self, barriers: Barriers, bin_seq: np.ndarray, sharing: Sharing, bin_ns: int) -> None:
        self._barriers, self._bin_seq, self._bin_ns = barriers, bin_seq, bin_ns
        self._piece_bins, self._draws = sharing

    def count(self, values: np.ndarray, prediction: Prediction, trials: Sequence[Trial]) -> Counted:
        """Rows of `trials` in order, thresholds rising; values float64 (n,)."""
        valid = self._barriers.market.valid
        levels = [trial.thresholds or calibrated_thresholds(values, valid, trial.evaluation) for trial in trials]
        of_row, rules, barriers = _rules(trials, levels, values.size)
        fired: dict[Any, Any] = {}
        parts = [
            self._figures(values, prediction, rules.part(slice(at, at + _ROWS_AT_ONCE)), barriers, fired)
            for at in range(0, of_row.size, _ROWS_AT_ONCE)
        ]
        return Counted(
            of_row,
            {name: np.concatenate([part[0][name] for part in parts]) for name in COUNTED},
            np.concatenate([part[1] for part in parts]),
        )

    def _firings(
        self, values: np.ndarray, prediction: Prediction, rules: _Rules, known: dict[Any, Any]
    ) -> tuple[Firings, np.ndarray]:
        """(firings of the detections that these rows need, which of them each row has); they do not depend on
        barriers. known: detections by (threshold, cooldown, first bin), added to."""
        which, found = np.empty(rules.first.size, np.int64), []
        for at, same in enumerate(_alike(rules.threshold, rules.cooldown, rules.first)):
            which[same] = at
            one = same[0]
            key = float(rules.threshold[one]), int(rules.cooldown[one]), int(rules.first[one])
            if key not in known:
                fired = Detector(*key, prediction).update(values, self._barriers.market.valid, self._bin_seq)
                at_bin = np.flatnonzero(fired)
                known[key] = at_bin, (fired[at_bin] > 0).astype(np.int8)
            found.append(known[key])
        offsets = np.concatenate([[0], np.cumsum([at_bin.size for at_bin, _ in found])])
        return Firings(offsets, *(np.concatenate([some[part] for some in found]) for part in (0, 1))), which

    def _figures(
        self,
        values: np.ndarray,
        prediction: Prediction,
        rules: _Rules,
        barriers: Sequence[tuple[Any, ...]],
        fired: dict[Any, Any],
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """(columns of COUNTED, pieces) of some rows."""
        n_bins, n_rows = values.size, rules.first.size
        tally, sums = np.empty((n_rows, len(TALLY)), np.int64), np.empty((n_rows, len(SUMS)))
        pieces = np.empty((n_rows, -(-n_bins // self._piece_bins)))
        p_values, deeper, half_width = np.full((3, n_rows), np.nan)
        firings, firing = self._firings(values, prediction, rules, fired)
        for members in _alike(rules.first, rules.hold):
            first, max_hold = int(rules.first[members[0]]), int(rules.hold[members[0]])
            span = max(n_bins - first, 0)
            circle = circle_of(span, max_hold)
            grain_bins, n_grains = (circle.grain_bins, circle.n_grains) if circle else (max(span, 1), 1)
            net, count = np.empty((2, n_rows, n_grains))
            scratch = scratch_of(max_hold, int(np.diff(firings.offsets).max(initial=0)))
            for same in _alike(rules.barriers[members]):
                chosen = members[same]
                count_rows_nb(
                    firings, Rows(chosen, firing[chosen], rules.delay[chosen], rules.cost[chosen]),
                    self._barriers.outcomes(*barriers[rules.barriers[chosen[0]]]), first, grain_bins,
                    self._piece_bins, scratch, tally, sums, net, count, pieces,
                )  # fmt: skip
            if circle is not None:
                drawn = net[members], count[members], circle, rules.variance[members]
                floor = smallest_p(rules.break_even[members], tally[members, TALLY.index("n_independent")])
                test = mean_test(*drawn)
                half_width[members], p_values[members] = test.half_width, np.maximum(test.p_value, floor)
                deeper[members] = np.maximum(deeper_p(p_values[members], *drawn, self._draws), floor)
        counted: dict[str, np.ndarray] = {name: tally[:, at] for at, name in enumerate(TALLY)}
        counted |= {name: sums[:, at] for at, name in enumerate(SUMS)}
        tested = {"p_value": p_values, _DEEPER: deeper, "half_width": half_width}
        return self._columns(rules, counted, tested, n_bins), pieces

    def _columns(
        self,
        rules: _Rules,
        counted: dict[str, np.ndarray],
        tested: dict[str, np.ndarray],
        n_bins: int,
    ) -> dict[str, np.ndarray]:
        """Columns of COUNTED from what the kernels counted and what the draws said."""
        n = counted["n_signals"]
        some = np.where(n > 0, n, np.nan)
        cost, break_even = rules.cost, rules.break_even
        hours = np.maximum(n_bins - rules.first, 0) * self._bin_ns / _HOUR_NS
        mean = counted["gross_ticks"] / some
        net_mean, net_std = mean - cost, counted["net_std"]
        low, high = mean_interval(
            net_mean, tested["half_width"], tested["p_value"], counted["n_independent"], rules.tp, rules.sl, cost
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            columns = {
                **counted,
                **tested,
                **{f"{end}_rate": (counted[f"n_up_{end}"] + counted[f"n_down_{end}"]) / some for end in _EXITS},
                "threshold": rules.threshold,
                "n_down": n - counted["n_up"],
                "break_even_rate": break_even,
                "events_per_hour": np.where(hours > 0, n / hours, np.nan),
                "median_time_to_outcome_ms": counted["median_held_bins"] * self._bin_ns / NS_PER_MS,
                "mean_pnl_ticks": mean,
                "net_mean_pnl_ticks": net_mean,
                "net_mean_low_ticks": low,
                "net_mean_high_ticks": high,
                "net_total_pnl_ticks": counted["gross_ticks"] - cost * n,
                "net_std_pnl_ticks": net_std,
                "sharpe": np.where(net_std > 0, net_mean / net_std, np.nan),
            }
        return {name: columns[name] for name in COUNTED}


def joined(parts: Sequence[Counted]) -> Counted:
    """Counted rows of disjoint sets of trials as one, in the order of trials."""
    trial = np.concatenate([part.trial for part in parts])
    order = np.argsort(trial, kind="stable")
    return Counted(
        trial[order],
        {name: np.concatenate([part.figures[name] for part in parts])[order] for name in COUNTED},
        np.concatenate([part.pieces for part in parts])[order],
    )


def table_of_counted(counted: Counted, run_ids: Sequence[str]) -> pa.Table:
    """Counted rows with the names of their runs, to be kept; `trials_known` is the way back."""
    width = counted.pieces.shape[1]
    pieces = pa.FixedSizeListArray.from_arrays(pa.array(counted.pieces.reshape(-1)), width)
    names = pa.array(run_ids).take(pa.array(counted.trial))
    return pa.table({"run_id": names, **counted.figures, _PIECES: pieces})


def trials_known(table: pa.Table, run_ids: Sequence[str], n_pieces: int) -> list[Counted]:
    """What a kept table says of these runs; nothing where it has other columns or pieces than rows have now."""
    wanted = {"run_id", *COUNTED, _PIECES}
    if set(table.column_names) != wanted or table.schema.field(_PIECES).type != pa.list_(pa.float64(), n_pieces):
        return []
    position = {name: at for at, name in enumerate(run_ids)}
    trial = np.array([position.get(name, -1) for name in table["run_id"].to_pylist()], np.int64)
    seen, chosen = set[int](), list[int]()
    starts = np.flatnonzero(np.diff(trial, prepend=-2))
    for first, last in zip(starts, [*starts[1:], trial.size], strict=True):
        at = int(trial[first])
        if at >= 0 and at not in seen:  # two attempts may have kept the same run
            seen.add(at)
            chosen.extend(range(first, last))
    if not chosen:
        return []
    rows = table.take(pa.array(chosen)).combine_chunks()
    pieces = rows[_PIECES].combine_chunks().flatten().to_numpy().reshape(-1, n_pieces)
    return [Counted(trial[chosen], {name: rows[name].to_numpy() for name in COUNTED}, pieces)]


def judge(
    counted: Counted, run_ids: Sequence[str], trials: Sequence[Trial], sweep_address: str, min_signals: int
) -> Judged:
    """All rows of a sweep held against each other; `counted.trial` is the position in run_ids and trials.

    Rows with fewer than `min_signals` trades (at least 2) cannot be chosen, so they are no trials: their Holm p and
    deflated Sharpe are NaN, and the p of the best is over the others.
    """
    columns: dict[str, Any] = dict(counted.figures)
    n = columns["n_signals"]
    hits = columns["n_up_tp"] + columns["n_down_tp"]
    decided = hits + columns["n_up_sl"] + columns["n_down_sl"]
    judged = n >= max(min_signals, 2)

    def of_judged(name: str) -> np.ndarray:
        return np.where(judged, columns[name], np.nan)

    columns["run_id"] = pa.array(run_ids).take(pa.array(counted.trial))
    columns["sweep_address"] = pa.repeat(sweep_address, len(n))
    columns["tp_rate_low"], columns["tp_rate_high"] = wilson_interval(hits, n)
    columns["barrier_tp_rate"] = hits / np.where(decided > 0, decided, np.nan)
    columns["barrier_tp_rate_low"], columns["barrier_tp_rate_high"] = wilson_interval(hits, decided)
    columns["p_binomial"] = binomial_p(hits, decided, columns["break_even_rate"])
    columns["p_holm"] = holm(of_judged(_DEEPER))
    columns["deflated_sharpe"] = deflated_sharpe(
        of_judged("sharpe"),
        columns["n_effective"],
        of_judged("skew"),
        of_judged("kurtosis"),
        int(np.count_nonzero(judged)),
    )
    variances = np.array([trial.evaluation.null_variance for trial in trials])[counted.trial]
    best = spa_p(counted.pieces[judged], variances[judged])
    table = pa.table({name: columns[name] for name in RUNS_SCHEMA.names}, schema=RUNS_SCHEMA)
    return Judged(table, int(np.count_nonzero(judged)), best)


def meta_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """The `runs_meta` table of rows that have every column."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=RUNS_META_SCHEMA)
