"""Choosing a winner over days: on the train days of an experiment, reported day by day on all of them.

A trial keeps its `trial_id` from day to day; its figure over several days is the mean weighted by trades.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from vp_engine.errors import ConfigError, NotFoundError
from vp_engine.evaluation.promotion import select_row
from vp_engine.lake.results import LESS_IS_BETTER, RUNS_FIELDS, SORTABLE
from vp_engine.specs import ExperimentSpec


class DayResults(NamedTuple):
    """One day of an experiment: its sweep's address and tables."""

    day: str
    address: str
    meta: pa.Table
    runs: pa.Table


class Choice(NamedTuple):
    """The rows to promote, and the same trial and threshold on every day (rows of `runs` with `day` and `role`)."""

    meta: dict[str, Any]
    run: dict[str, Any]
    by_day: list[dict[str, Any]]


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
        meta, run = select_row(train[0].meta, train[0].runs, experiment, None, threshold)
    else:
        trial, best = _best_over(experiment, train, threshold)
        home = [held for held in train if trial in held.meta["trial_id"].to_pylist()][-1]
        ids = dict(zip(home.meta["trial_id"].to_pylist(), home.meta["run_id"].to_pylist(), strict=True))
        meta, run = select_row(home.meta, home.runs, experiment, ids[trial], best)
    chosen_on = {held.day for held in train}
    by_day = [
        {"day": held.day, "role": "train" if held.day in chosen_on else "test", **row}
        for held in days.values()
        for row in rows_of_trial(held, meta["trial_id"])
        if row["threshold"] == run["threshold"]
    ]
    return Choice(meta, run, by_day)


def rows_of_trial(held: DayResults, trial_id: str) -> list[dict[str, Any]]:
    """Rows of `runs` of one trial on one day."""
    ids = dict(zip(held.meta["trial_id"].to_pylist(), held.meta["run_id"].to_pylist(), strict=True))
    return [row for row in held.runs.to_pylist() if row["run_id"] == ids.get(trial_id)]


def _train_days(experiment: ExperimentSpec, days: Mapping[str, DayResults]) -> list[DayResults]:
    """Days to choose on: the train days listed, all days where none are."""
    if experiment.days is None or not experiment.days.train:
        return list(days.values())
    train = [days[day] for day in experiment.days.train if day in days]
    if not train:
        raise NotFoundError(f"experiment `{experiment.name}` has no results on its train days yet; run them first")
    return train


def _best_over(experiment: ExperimentSpec, train: Sequence[DayResults], threshold: float | None) -> tuple[str, float]:
    """(trial_id, threshold) with the best figure over several days, weighted by trades."""
    sort = experiment.selection.sort
    if sort not in SORTABLE:
        raise ConfigError(f"`selection.sort` must be one of {', '.join(f.name for f in RUNS_FIELDS)}, was {sort!r}")
    pooled: dict[tuple[str, float], list[tuple[float, int]]] = {}
    for held in train:
        trials = dict(zip(held.meta["run_id"].to_pylist(), held.meta["trial_id"].to_pylist(), strict=True))
        for row in held.runs.to_pylist():
            if row["n_signals"] and (threshold is None or row["threshold"] == threshold):
                pooled.setdefault((trials[row["run_id"]], row["threshold"]), []).append((row[sort], row["n_signals"]))
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
    return max(sorted(figures), key=lambda key: figures[key])
