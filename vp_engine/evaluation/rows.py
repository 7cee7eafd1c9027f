"""From a signal's values to figures: one row per (trial, threshold), and the two tables of a sweep.

Rows are counted one by one and judged together at the end, since intervals vectorise and corrections for many trials
need all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from vp_engine.evaluation.barriers import HALF, STOP_LOSS, TAKE_PROFIT, TIMEOUT, Barriers
from vp_engine.evaluation.detection import Detector, Prediction, Trades, gather_trades
from vp_engine.evaluation.spa import spa_p
from vp_engine.evaluation.statistics import (
    binomial_p,
    bootstrap_p,
    deflated_sharpe,
    holm,
    independent_trades_nb,
    smallest_p,
    trade_moments,
    wilson_interval,
)
from vp_engine.evaluation.trials import Evaluation
from vp_engine.lake.results import RUNS_FIELDS, RUNS_META_SCHEMA, RUNS_SCHEMA
from vp_engine.units import NS_PER_MS, NS_PER_S

CALIBRATION_QUANTILES = (0.50, 0.70, 0.80, 0.90, 0.95, 0.99)
FALLBACK_THRESHOLDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.2)
_HOUR_NS = 3600 * NS_PER_S
_LATER = ("sweep_address", "tp_rate_low", "tp_rate_high", "p_binomial", "p_holm", "deflated_sharpe")


class Counted(NamedTuple):
    """One row before it is judged. pieces: float64 (p,), net pnl summed over the pieces that the sweep's rows share."""

    figures: dict[str, Any]
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


def net_pnl(trades: Trades, evaluation: Evaluation) -> np.ndarray:
    """Net pnl float64 (m,) in ticks of each trade."""
    return trades.pnl_half / HALF - evaluation.cost_ticks


def count_row(trades: Trades, threshold: float, evaluation: Evaluation, n_bins: int, bin_ns: int) -> dict[str, Any]:
    """Figures of one row of `runs` that need no other row; `run_id` and what `judge` adds are left out."""
    first = evaluation.first_bin(n_bins)
    n = int(trades.kind.size)
    gross, net = trades.pnl_half / HALF, net_pnl(trades, evaluation)
    moments = trade_moments(net)
    up = trades.direction > 0
    ends = {name: trades.kind == code for name, code in (("tp", TAKE_PROFIT), ("sl", STOP_LOSS), ("timeout", TIMEOUT))}
    decided = ~ends["timeout"]
    held_bins = (trades.exit_bin - trades.entry_bin)[decided]
    hours = max(n_bins - first, 0) * bin_ns / _HOUR_NS
    independent = int(independent_trades_nb(trades.entry_bin, trades.exit_bin))
    break_even = evaluation.break_even_rate
    p_value = bootstrap_p(
        net,
        trades.entry_bin - first,
        max(n_bins - first, 0),
        evaluation.max_hold_bins,
        evaluation.null_variance,
    )
    nan = float("nan")
    return {
        "threshold": float(threshold),
        "n_signals": n,
        "n_up": int(np.count_nonzero(up)),
        "n_down": n - int(np.count_nonzero(up)),
        "n_dropped": trades.n_dropped,
        **{f"n_up_{name}": int(np.count_nonzero(end & up)) for name, end in ends.items()},
        **{f"n_down_{name}": int(np.count_nonzero(end & ~up)) for name, end in ends.items()},
        **{f"{name}_rate": np.count_nonzero(end) / n if n else nan for name, end in ends.items()},
        "break_even_rate": break_even,
        "events_per_hour": n / hours if hours > 0 else nan,
        "median_time_to_outcome_ms": float(np.median(held_bins)) * bin_ns / NS_PER_MS if held_bins.size else nan,
        "mean_pnl_ticks": float(gross.mean()) if n else nan,
        "net_mean_pnl_ticks": moments.mean,
        "net_total_pnl_ticks": float(net.sum()),
        "net_std_pnl_ticks": moments.std,
        "sharpe": moments.sharpe,
        "skew": moments.skew,
        "kurtosis": moments.kurtosis,
        "n_independent": independent,
        "p_value": max(p_value, smallest_p(break_even, independent)) if p_value == p_value else nan,
    }


def judge(rows: Sequence[Counted], null_variance: Sequence[float], sweep_address: str, min_signals: int) -> Judged:
    """All rows of a sweep (figures with their run_id) held against each other; null_variance of one trade by row.

    Rows with fewer than `min_signals` trades (at least 2) cannot be chosen, so they are no trials: their Holm p and
    deflated Sharpe are NaN, and the p of the best is over the others.
    """
    columns: dict[str, Any] = {
        field.name: [row.figures[field.name] for row in rows] for field in RUNS_FIELDS if field.name not in _LATER
    }
    n = np.array(columns["n_signals"], np.int64)
    hits = np.array(columns["n_up_tp"], np.int64) + np.array(columns["n_down_tp"], np.int64)
    judged = n >= max(min_signals, 2)

    def of_judged(name: str) -> np.ndarray:
        return np.where(judged, np.array(columns[name], float), np.nan)

    columns["sweep_address"] = [sweep_address] * len(rows)
    columns["tp_rate_low"], columns["tp_rate_high"] = wilson_interval(hits, n)
    columns["p_binomial"] = binomial_p(hits, n, np.array(columns["break_even_rate"], float))
    columns["p_holm"] = holm(of_judged("p_value"))
    columns["deflated_sharpe"] = deflated_sharpe(
        of_judged("sharpe"), n, of_judged("skew"), of_judged("kurtosis"), int(np.count_nonzero(judged))
    )
    chosen = np.flatnonzero(judged)
    best = float("nan")
    if chosen.size:
        best = spa_p(np.column_stack([rows[int(at)].pieces for at in chosen]), np.array(null_variance, float)[chosen])
    table = pa.table({name: columns[name] for name in RUNS_SCHEMA.names}, schema=RUNS_SCHEMA)
    return Judged(table, int(chosen.size), best)


def meta_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """The `runs_meta` table of rows that have every column."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=RUNS_META_SCHEMA)
