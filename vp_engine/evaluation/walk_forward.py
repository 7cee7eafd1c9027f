"""Walk-forward over days: a winner is chosen on the train days of an experiment and reported day by day on all.

A trial keeps its `trial_id` from day to day. So does a threshold that was given; one that comes from a day's own
calibration part is the same threshold where it is the same quantile, whatever its value there. Quantiles are counted
from the highest: a day on which a signal is often 0 lacks the low ones. Figures over several days are means weighted by
trades; their p is that of the pooled mean, since days do not overlap.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa

from vp_engine.errors import ConfigError, NotFoundError
from vp_engine.evaluation.promotion import select_row
from vp_engine.evaluation.statistics import pooled_interval, pooled_p
from vp_engine.lake.results import LESS_IS_BETTER, SORTABLE
from vp_engine.specs.experiment import ExperimentSpec

_NET_INTERVAL = ("net_mean_pnl_ticks", "net_mean_low_ticks", "net_mean_high_ticks")

Role = Literal["train", "test"]
Level = tuple[str, float]  # ("value", threshold) or ("quantile", how many of the day's thresholds are not below it)


class DayResults(NamedTuple):
    """One day of an experiment: its sweep's address and tables."""

    day: str
    address: str
    meta: pa.Table
    runs: pa.Table


class Choice(NamedTuple):
    """The rows to promote, and the same trial and threshold on every day (rows of `runs` with `day`, `role` and
    `spa_p_value`, in order of days)."""

    meta: dict[str, Any]
    run: dict[str, Any]
    by_day: list[dict[str, Any]]


class Pooled(NamedTuple):
    """All trades of a choice over the days of one role; rates, means and p are NaN without trades. n_effective: what
    overlapping trades are worth; barrier_tp_rate: take-profits among the trades that ended at a barrier, to be held
    against break_even_rate; net_mean_low_ticks, net_mean_high_ticks: 95 % interval, NaN if a day with trades has
    none; p_value: of the days together, one-sided, before any correction for having chosen."""

    role: Role
    n_days: int
    n_signals: int
    n_effective: float
    timeout_rate: float
    barrier_tp_rate: float
    break_even_rate: float
    net_mean_pnl_ticks: float
    net_mean_low_ticks: float
    net_mean_high_ticks: float
    net_total_pnl_ticks: float
    days_in_profit: int
    p_value: float


def choose(
    experiment: ExperimentSpec,
    days: Mapping[str, DayResults],
    run_id: str | None = None,
    threshold: float | None = None,
) -> Choice:
    """The run named, or the best trial over the train days. NotFoundError or ConfigError if there is none."""
    if not days:
        raise NotFoundError(f"experiment `{experiment.name}` has no results yet; run it first")
    train = _train_days(experiment, days)
    if run_id is not None:
        home = next((held for held in days.values() if run_id in held.meta["run_id"].to_pylist()), None)
        if home is None:
            raise NotFoundError(f"no run `{run_id}` in experiment `{experiment.name}`; `vp compare` lists its runs")
        meta, run = select_row(home.meta, home.runs, experiment, run_id, threshold)
    elif len(train) == 1:
        home = train[0]
        meta, run = select_row(home.meta, home.runs, experiment, None, threshold)
    else:
        trial, level = _ranked_over(experiment, train, threshold)[0]
        home = [held for held in train if level in levels_of_trial(held, trial)][-1]
        named = levels_of_trial(home, trial)[level]
        meta, run = select_row(home.meta, home.runs, experiment, named["run_id"], named["threshold"])
    chosen_on = {held.day for held in train}
    level = next(
        level for level, row in levels_of_trial(home, meta["trial_id"]).items() if row["threshold"] == run["threshold"]
    )
    by_day = []
    for day in sorted(days):
        row = levels_of_trial(days[day], meta["trial_id"]).get(level)
        if row is not None:
            by_day.append({"day": day, "role": "train" if day in chosen_on else "test", **row})
    return Choice(meta, run, by_day)


def levels_of_trial(held: DayResults, trial_id: str) -> dict[Level, dict[str, Any]]:
    """Rows of `runs`, with `spa_p_value`, of one trial on one day, by what makes a threshold the same on other days."""
    return _levels(held).get(trial_id, {})


def _levels(held: DayResults) -> dict[str, dict[Level, dict[str, Any]]]:
    """The rows of a day by trial and level."""
    meta = {row["run_id"]: row for row in held.meta.to_pylist()}
    found: dict[str, dict[Level, dict[str, Any]]] = {}
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in held.runs.to_pylist():
        rows.setdefault(row["run_id"], []).append(row)
    for run_id, own in rows.items():
        evaluation = json.loads(meta[run_id]["evaluation"] or "{}")
        calibrated = evaluation.get("calibration_fraction") is not None
        own.sort(key=lambda row: float(row["threshold"]))
        found[meta[run_id]["trial_id"]] = {
            ("quantile", float(len(own) - at)) if calibrated else ("value", float(row["threshold"])): {
                **row, "spa_p_value": meta[run_id]["spa_p_value"],
            }
            for at, row in enumerate(own)
        }  # fmt: skip
    return found


def pool(by_day: Iterable[Mapping[str, Any]], role: Role) -> Pooled | None:
    """The days of one role together; None where there are none."""
    rows = [row for row in by_day if row["role"] == role]
    if not rows:
        return None
    n = sum(int(row["n_signals"]) for row in rows)
    hits, stops = (sum(int(row[f"n_up_{end}"]) + int(row[f"n_down_{end}"]) for row in rows) for end in ("tp", "sl"))
    total = sum(float(row["net_total_pnl_ticks"]) for row in rows)
    traded = [row for row in rows if row["n_signals"]]
    n_day, mean, lows, highs, p_values = (
        np.array([row[name] for row in traded], float) for name in ("n_signals", *_NET_INTERVAL, "p_value")
    )
    low, high = pooled_interval(n_day, mean, lows, highs)
    return Pooled(
        role=role,
        n_days=len(rows),
        n_signals=n,
        n_effective=sum(float(row["n_effective"]) for row in rows),
        timeout_rate=1 - (hits + stops) / n if n else float("nan"),
        barrier_tp_rate=hits / (hits + stops) if hits + stops else float("nan"),
        break_even_rate=float(rows[0]["break_even_rate"]),
        net_mean_pnl_ticks=total / n if n else float("nan"),
        net_mean_low_ticks=low,
        net_mean_high_ticks=high,
        net_total_pnl_ticks=total,
        days_in_profit=sum(float(row["net_total_pnl_ticks"]) > 0 for row in rows),
        p_value=pooled_p(n_day, mean, lows, p_values),
    )


def _train_days(experiment: ExperimentSpec, days: Mapping[str, DayResults]) -> list[DayResults]:
    """Days to choose on: the train days listed, all days where none are."""
    if experiment.days is None or not experiment.days.train:
        return list(days.values())
    train = [days[day] for day in experiment.days.train if day in days]
    if not train:
        raise NotFoundError(f"experiment `{experiment.name}` has no results on its train days yet; run them first")
    return train


def _ranked_over(
    experiment: ExperimentSpec, train: Sequence[DayResults], threshold: float | None
) -> list[tuple[str, Level]]:
    """(trial_id, level) by their figure over several days, weighted by trades, best first."""
    sort = experiment.selection.sort
    if sort not in SORTABLE:
        raise ConfigError(f"`selection.sort` must be one of {', '.join(SORTABLE)}, was {sort!r}")
    pooled: dict[tuple[str, Level], list[tuple[float, int]]] = {}
    for held in train:
        for trial, levels in _levels(held).items():
            for level, row in levels.items():
                if row["n_signals"] and (threshold is None or row["threshold"] == threshold):
                    pooled.setdefault((trial, level), []).append((row[sort], row["n_signals"]))
    sign = -1.0 if sort in LESS_IS_BETTER else 1.0
    figures = {
        key: sign * sum(value * n for value, n in rows) / sum(n for _, n in rows)
        for key, rows in pooled.items()
        if sum(n for _, n in rows) >= experiment.selection.min_signals and all(value == value for value, _ in rows)
    }
    if not figures:
        raise ConfigError(
            f"experiment `{experiment.name}`: no trial has {experiment.selection.min_signals} signals on its train days"
        )
    return sorted(figures, key=lambda key: (-figures[key], key))


def leaders(experiment: ExperimentSpec, days: Mapping[str, DayResults], top: int) -> list[Choice]:
    """The `top` best trials over the train days at their best threshold, best first, each as `choose` would give it.
    Errors as there."""
    train = _train_days(experiment, days)
    best: dict[str, Level] = {}
    for trial, level in _ranked_over(experiment, train, None):
        best.setdefault(trial, level)
    found = []
    for trial, level in list(best.items())[:top]:
        home = [held for held in train if level in levels_of_trial(held, trial)][-1]
        row = levels_of_trial(home, trial)[level]
        found.append(choose(experiment, days, row["run_id"], row["threshold"]))
    return found
