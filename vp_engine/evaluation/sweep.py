"""A sweep over one dataset: each distinct signal is run once, outcomes once per barrier set, flow scores once per
scoring, and every threshold and cooldown is a gather. Results do not depend on the number of workers or the order of
trials.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from vp_engine.errors import ConfigError
from vp_engine.evaluation.bootstrap import draws_for
from vp_engine.evaluation.detection import Trades
from vp_engine.evaluation.groups import Evaluator, SweepInput, signal_values, sweep_input
from vp_engine.evaluation.rows import (
    CALIBRATION_QUANTILES,
    Counted,
    Sharing,
    joined,
    judge,
    meta_table,
    table_of_counted,
    trades_of,
    trials_known,
)
from vp_engine.evaluation.spa import piece_bins_of
from vp_engine.evaluation.trials import SWEEP_CODE_VERSION, Evaluation, Trial, run_id, trial_id
from vp_engine.evaluation.workers import run_groups
from vp_engine.hashing import canonical_json
from vp_engine.lake.datasets import Dataset
from vp_engine.lake.results import DEFAULT_MIN_SIGNALS, DEFAULT_SORT, RUNS_SCHEMA
from vp_engine.signals import get_signal
from vp_engine.signals.base import FittedModels
from vp_engine.specs.experiment import ExperimentSpec
from vp_engine.specs.serving import ServingSpec

__all__ = [
    "SWEEP_CODE_VERSION",
    "Kept",
    "SweepInput",
    "SweepResult",
    "evaluate",
    "replay_trades",
    "signal_values",
    "sweep_input",
]

Progress = Callable[[int, int], None]


class Kept(Protocol):
    """Where a sweep keeps the rows it has counted, in case it is killed: tables as `table_of_counted` makes them."""

    def read(self) -> pa.Table | None:
        """What an earlier attempt left, None for nothing."""

    def add(self, part: pa.Table) -> None:
        """Some more rows."""

    def flush(self) -> None:
        """Nothing added may be lost from here on."""


class SweepResult(NamedTuple):
    """The two tables, in the schemas of `vp_engine.lake.results`."""

    runs_meta: pa.Table
    runs: pa.Table


def evaluate(
    dataset: Dataset,
    trials: Sequence[Trial],
    on_progress: Progress | None = None,
    *,
    sweep_address: str = "",
    experiment: ExperimentSpec | None = None,
    serving: ServingSpec | None = None,
    max_workers: int | None = None,
    min_signals: int | None = None,
    dask_scheduler: str | None = None,
    kept: Kept | None = None,
) -> SweepResult:
    """Evaluate trials on a dataset. Rows follow the trials' order, thresholds rising.

    on_progress(done, total) counts trials. experiment and serving are recorded in the rows; min_signals defaults to
    the experiment's (5 without one). max_workers None: as many as there are cores; dask_scheduler: address of a Dask
    cluster that does the work instead. kept: rows that an earlier attempt counted are taken from there, new ones are
    added; the same experiment, dataset and code are the caller's promise.
    ConfigError without trials, or where warm-up and calibration leave no bin to evaluate.
    """
    if not trials:
        raise ConfigError("a sweep needs at least one trial")
    ids = [run_id(trial, dataset.address) for trial in trials]
    if len(set(ids)) != len(ids):
        raise ConfigError("a sweep may not hold the same trial twice; `expand` gives each once")
    for trial in trials:
        if trial.evaluation.first_bin(dataset.n_bins) >= dataset.n_bins:
            raise ConfigError(
                f"`warmup_bins` and `calibration_fraction` leave nothing of the {dataset.n_bins} bins to evaluate"
            )
    piece_bins = piece_bins_of([trial.evaluation.max_hold_bins for trial in trials])
    n_rows = sum(len(trial.thresholds or CALIBRATION_QUANTILES) for trial in trials)
    sharing = Sharing(piece_bins, draws_for(n_rows))
    left = kept.read() if kept is not None else None
    parts = [] if left is None else trials_known(left, ids, -(-dataset.n_bins // piece_bins))
    known = {int(at) for part in parts for at in part.trial}
    members = _groups(trials, known)
    source = sweep_input(dataset, {trials[at].signal for group in members for at in group})
    done = len(known)

    def take(position: int, found: Counted) -> None:
        nonlocal done
        group = members[position]
        parts.append(found._replace(trial=np.array(group, np.int64)[found.trial]))
        if kept is not None:
            kept.add(table_of_counted(parts[-1], ids))
        done += len(group)
        if on_progress is not None:
            on_progress(done, len(trials))

    if on_progress is not None:
        on_progress(done, len(trials))
    workers = min(max_workers or os.cpu_count() or 1, len(members) or 1)
    try:
        run_groups(source, sharing, [[trials[at] for at in group] for group in members], workers, dask_scheduler, take)
    finally:
        if kept is not None:
            kept.flush()
    counted = joined(parts)
    if min_signals is None:
        min_signals = experiment.eval.min_signals if experiment is not None else 5
    judged = judge(counted, ids, trials, sweep_address, min_signals)
    shared = _shared_meta(dataset, sweep_address, experiment, serving)
    shared |= {"n_trials": judged.n_trials, "spa_p_value": judged.spa_p_value}
    valid_from = np.cumsum(source.bins["book_valid"][::-1] != 0)[::-1]  # valid bins from each bin on
    n_thresholds = np.bincount(counted.trial, minlength=len(trials)).tolist()
    meta = [
        {**shared, "run_id": ids[at], **_trial_meta(trial, valid_from, dataset), "n_thresholds": n_thresholds[at]}
        for at, trial in enumerate(trials)
    ]
    return SweepResult(meta_table(meta), judged.runs)


def _groups(trials: Sequence[Trial], known: set[int]) -> list[list[int]]:
    """Positions of the trials that are not known, those whose signal has the same values together."""
    groups: dict[str, list[int]] = {}
    keys: dict[tuple[str, int, int], str] = {}  # of trials made from the same objects, which `expand` makes many of
    for at, trial in enumerate(trials):
        if at not in known:
            same = (trial.signal, id(trial.params), id(trial.scoring))
            if same not in keys:
                keys[same] = trial.values_key
            groups.setdefault(keys[same], []).append(at)
    return list(groups.values())


def _shared_meta(
    dataset: Dataset, sweep_address: str, experiment: ExperimentSpec | None, serving: ServingSpec | None
) -> dict[str, Any]:
    """Columns of runs_meta that all runs of a sweep share."""
    return {
        "sweep_address": sweep_address,
        "experiment": experiment.name if experiment else "",
        "serving": serving.name if serving else "",
        "pipeline": serving.pipeline if serving else dataset.info.pipeline,
        "serving_spec": canonical_json(serving.model_dump(mode="json")) if serving else "null",
        "dataset_id": dataset.dataset_id,
        "dataset_address": dataset.address,
        "symbol": dataset.capture.symbol,
        "tick_dollars": dataset.config.tick_dollars,
        "min_signals": experiment.selection.min_signals if experiment else DEFAULT_MIN_SIGNALS,
        "selection_sort": experiment.selection.sort if experiment else DEFAULT_SORT,
        "dt": dataset.capture.dt.isoformat(),
        "day_role": experiment.role_of(dataset.capture.dt.isoformat()) if experiment else "whole",
        "n_bins": dataset.n_bins,
    }


def _trial_meta(trial: Trial, valid_from: np.ndarray, dataset: Dataset) -> dict[str, Any]:
    """Columns of runs_meta that one trial decides."""
    evaluation = trial.evaluation.model_dump(mode="json")
    first = trial.evaluation.first_bin(dataset.n_bins)
    signal = get_signal(trial.signal)
    return {
        **{name: value for name, value in evaluation.items() if name != "calibration_fraction"},
        "trial_id": trial_id(trial),
        "signal": trial.signal,
        "signal_kind": signal.kind,
        "prediction": signal.prediction,
        "parameters": canonical_json(trial.parameters),
        "evaluation": canonical_json(evaluation),
        "first_bin": first,
        "n_valid_bins": int(valid_from[first]),
        "evaluated_hours": (dataset.n_bins - first) * dataset.config.bin_ns / 3.6e12,
        "code_version": trial.code_version,
    }


def replay_trades(
    dataset: Dataset,
    signal: str,
    parameters: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    threshold: float,
    models: FittedModels | None = None,
) -> tuple[Trades, dict[str, Any]]:
    """One row again, from what `runs_meta` or a promotion record says of it: its trades and its counted figures
    (columns of `runs` without run_id and what needs the whole sweep). ConfigError for parameters of another version."""
    params = dict(parameters)
    scoring = params.pop("scoring", {})
    judged = Evaluation.parse(evaluation, "evaluation")
    trial = Trial(signal, params, scoring, (threshold,), judged)
    evaluator = Evaluator(sweep_input(dataset, [signal]), Sharing(dataset.n_bins))
    values = signal_values(evaluator.source, trial, models)
    trades = trades_of(values, evaluator.bin_seq, evaluator.barriers, threshold, judged, get_signal(signal).prediction)
    figures = evaluator.count([trial], values=values).figures
    return trades, {name: column[0].item() for name, column in figures.items() if name in RUNS_SCHEMA.names}
