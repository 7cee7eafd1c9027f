"""A sweep over one dataset: each distinct signal is run once, outcomes once per barrier set, flow scores once per
scoring, and every threshold and cooldown is a gather. Results do not depend on the number of workers or the order of
trials.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from vp_engine.errors import ConfigError
from vp_engine.evaluation.detection import Trades
from vp_engine.evaluation.groups import Evaluator, SweepInput, run_groups, signal_values, sweep_input
from vp_engine.evaluation.rows import CALIBRATION_QUANTILES, Counted, count_row, judge, meta_table, trades_of
from vp_engine.evaluation.trials import SWEEP_CODE_VERSION, Evaluation, Trial, run_id, trial_id
from vp_engine.hashing import canonical_json
from vp_engine.lake.datasets import Dataset
from vp_engine.signals import get_signal
from vp_engine.signals.base import FittedModels
from vp_engine.specs.experiment import ExperimentSpec
from vp_engine.specs.serving import ServingSpec

__all__ = [
    "SWEEP_CODE_VERSION",
    "SweepInput",
    "SweepResult",
    "evaluate",
    "replay_trades",
    "signal_values",
    "sweep_input",
]

POOL_MIN_ROWS = 4000  # fewer rows are done before a pool of fresh processes has imported its modules

Progress = Callable[[int, int], None]


class SweepResult(NamedTuple):
    """The two tables, in the schemas of `vp_engine.lake.results`."""

    runs_meta: pa.Table
    runs: pa.Table


def _workers(asked: int | None, n_groups: int, n_rows: int, learning: bool) -> int:
    if asked is None:
        asked = (os.cpu_count() or 1) if learning or n_rows >= POOL_MIN_ROWS else 1
    return min(asked, n_groups)


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
) -> SweepResult:
    """Evaluate trials on a dataset. Rows follow the trials' order, thresholds rising.

    on_progress(done, total) counts trials. experiment and serving are recorded in the rows; min_signals defaults to
    the experiment's (5 without one). max_workers None: as many processes as cores where the sweep is worth it;
    dask_scheduler: address of a Dask cluster that does the work instead.
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
    source = sweep_input(dataset, {trial.signal for trial in trials})
    groups: dict[str, list[int]] = {}
    # Trials of one scoring stand together, so that its scores are made once.
    for at in sorted(range(len(trials)), key=lambda at: canonical_json(trials[at].scoring)):
        groups.setdefault(trials[at].values_key, []).append(at)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if on_progress is not None:
            on_progress(done, len(trials))

    advance(0)
    n_rows = sum(len(trial.thresholds or CALIBRATION_QUANTILES) for trial in trials)
    learning = any(get_signal(trial.signal).kind == "ml" for trial in trials)
    workers = _workers(max_workers, len(groups), n_rows, learning)
    members = [[trials[at] for at in group] for group in groups.values()]
    counted: list[list[Counted]] = [[] for _ in trials]
    for group, found in zip(
        groups.values(), run_groups(source, members, workers, dask_scheduler, advance), strict=True
    ):
        for at, rows in zip(group, found, strict=True):
            counted[at] = [Counted({"run_id": ids[at], **row.figures}, row.pieces) for row in rows]
    if min_signals is None:
        min_signals = experiment.eval.min_signals if experiment is not None else 5
    variances = [trial.evaluation.null_variance for trial, rows in zip(trials, counted, strict=True) for _ in rows]
    judged = judge([row for rows in counted for row in rows], variances, sweep_address, min_signals)
    shared = _shared_meta(dataset, sweep_address, experiment, serving)
    shared |= {"n_trials": judged.n_trials, "spa_p_value": judged.spa_p_value}
    valid = source.bins["book_valid"]
    meta = [
        {**shared, "run_id": ids[at], **_trial_meta(trial, valid, dataset), "n_thresholds": len(counted[at])}
        for at, trial in enumerate(trials)
    ]
    return SweepResult(meta_table(meta), judged.runs)


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
        "dt": dataset.capture.dt.isoformat(),
        "n_bins": dataset.n_bins,
    }


def _trial_meta(trial: Trial, valid: np.ndarray, dataset: Dataset) -> dict[str, Any]:
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
        "n_valid_bins": int(np.count_nonzero(valid[first:])),
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
    evaluator = Evaluator(sweep_input(dataset, [signal]), 1)
    values = signal_values(evaluator.source, trial, models)
    prediction = get_signal(signal).prediction
    trades = trades_of(values, evaluator.bin_seq, evaluator.barriers, threshold, judged, prediction)
    return trades, count_row(trades, threshold, judged, dataset.n_bins, dataset.config.bin_ns)
