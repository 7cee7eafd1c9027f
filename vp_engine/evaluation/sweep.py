"""A sweep over one dataset: each distinct signal is run once, outcomes once per barrier set, flow scores once per
scoring, and every threshold and cooldown is a gather. Results do not depend on the number of workers or the order of
trials.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from vp_engine.errors import ConfigError, DataError
from vp_engine.evaluation.barriers import Barriers, market_of_bins
from vp_engine.evaluation.detection import Trades
from vp_engine.evaluation.rows import (
    CALIBRATION_QUANTILES,
    Counted,
    calibrated_thresholds,
    count_row,
    judge,
    meta_table,
    net_pnl,
    trades_of,
)
from vp_engine.evaluation.scored import dataset_scores, score_blocks
from vp_engine.evaluation.spa import piece_bins_of, pieces_of_pnl
from vp_engine.evaluation.trials import SWEEP_CODE_VERSION, Evaluation, Trial, run_id, trial_id
from vp_engine.hashing import canonical_json
from vp_engine.lake.datasets import Dataset
from vp_engine.schema import GRID_F32_NAMES, BinBlock
from vp_engine.signals import get_signal, load_signals, loaded_files, make_signal, run_signal
from vp_engine.signals.base import FittedModels
from vp_engine.specs.experiment import ExperimentSpec
from vp_engine.specs.runtime import VPRuntimeConfig, build_config_with_overrides
from vp_engine.specs.serving import ServingSpec
from vp_engine.spectrum.scoring import Scores

__all__ = [
    "SWEEP_CODE_VERSION",
    "SweepInput",
    "SweepResult",
    "evaluate",
    "replay_trades",
    "signal_values",
    "sweep_input",
]

BLOCK_BINS = 600
POOL_MIN_ROWS = 4000  # fewer rows are done before a pool of fresh processes has imported its modules

Progress = Callable[[int, int], None]


class SweepInput(NamedTuple):
    """What signals and outcomes read of a dataset. bins: BIN_DTYPE (n,); columns: grid fields by name, (n, rows)."""

    config: VPRuntimeConfig
    bins: np.ndarray
    columns: dict[str, np.ndarray]

    def blocks(self, block_bins: int = BLOCK_BINS) -> Iterator[BinBlock]:
        """The bins in order; grid fields that were not read are zeros."""
        n, rows = self.bins.size, self.config.rows
        read = [name for name in self.columns if name in GRID_F32_NAMES]
        for first in range(0, n, block_bins):
            part = slice(first, min(first + block_bins, n))
            shape = (len(GRID_F32_NAMES), part.stop - first, rows)
            grid = np.zeros(shape, np.float32) if read else np.broadcast_to(np.float32(0), shape)
            for name in read:
                grid[GRID_F32_NAMES.index(name)] = self.columns[name][part]
            yield BinBlock(
                self.bins[part],
                grid,
                self._column("state5_code", part, shape[1:], np.int8),
                self._column("last_event_id", part, shape[1:], np.int64),
            )

    def _column(self, name: str, part: slice, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        return self.columns[name][part] if name in self.columns else np.broadcast_to(dtype(0), shape)


class SweepResult(NamedTuple):
    """The two tables, in the schemas of `vp_engine.lake.results`."""

    runs_meta: pa.Table
    runs: pa.Table


def sweep_input(dataset: Dataset, signals: Iterable[str]) -> SweepInput:
    """Read what these signals need. DataError if the dataset does not start at bin 0."""
    if dataset.n_bins == 0 or int(dataset.bins["bin_seq"][0]) != 0:
        raise DataError(f"dataset {dataset.dataset_id} does not start at bin 0")
    names = sorted({column for name in signals for column in get_signal(name).stored_columns()})
    return SweepInput(dataset.config, dataset.bins, {name: dataset[name] for name in names})


def _config_of(source: SweepInput, trial: Trial) -> VPRuntimeConfig:
    return build_config_with_overrides(source.config, trial.scoring) if trial.scoring else source.config


def signal_values(
    source: SweepInput, trial: Trial, models: FittedModels | None = None, scores: Scores | None = None
) -> np.ndarray:
    """Values float64 (n_bins,) of a trial's signal over the dataset; a learning one trains along, unless it is given
    its models. scores: the dataset's under the trial's scoring, if they are there already."""
    signal = make_signal(trial.signal, trial.params, _config_of(source, trial), models)
    return run_signal(signal, source.blocks(), None if scores is None else score_blocks(scores, BLOCK_BINS))


class _Evaluator:
    """One process's share: the input and the outcomes already known. piece_bins: pieces that pnl is summed over."""

    def __init__(self, source: SweepInput, piece_bins: int) -> None:
        self.source = source
        self.piece_bins = piece_bins
        self.barriers = Barriers(market_of_bins(source.bins, source.config.tick_int))
        self.bin_seq = np.ascontiguousarray(source.bins["bin_seq"])
        self._scores: tuple[dict[str, Any], Scores] | None = None  # of the last scoring asked for

    def scores(self, trial: Trial) -> Scores | None:
        """What a trial's signal reads of scores; None for a signal that reads none."""
        if not trial.scoring:
            return None
        if self._scores is None or self._scores[0] != trial.scoring:
            self._scores = None  # let go before the next are made
            made = dataset_scores(_config_of(self.source, trial), self.source.blocks())
            self._scores = dict(trial.scoring), made
        return self._scores[1]

    def rows(self, trials: Sequence[Trial]) -> list[list[Counted]]:
        """Counted rows per trial; all trials share their signal's values."""
        values = signal_values(self.source, trials[0], scores=self.scores(trials[0]))
        prediction = get_signal(trials[0].signal).prediction
        found = []
        for trial in trials:
            evaluation = trial.evaluation
            thresholds = trial.thresholds or calibrated_thresholds(values, self.barriers.market.valid, evaluation)
            rows = []
            for threshold in thresholds:
                trades = trades_of(values, self.bin_seq, self.barriers, threshold, evaluation, prediction)
                row = count_row(trades, threshold, evaluation, values.size, self.source.config.bin_ns)
                net = net_pnl(trades, evaluation)
                rows.append(Counted(row, pieces_of_pnl(net, trades.entry_bin, values.size, self.piece_bins)))
            found.append(rows)
        return found


_worker: _Evaluator | None = None


def _start_worker(source: SweepInput, piece_bins: int, own_signals: Sequence[Path]) -> None:
    global _worker
    load_signals(own_signals)
    _worker = _Evaluator(source, piece_bins)


def _work(group: int, trials: Sequence[Trial]) -> tuple[int, list[list[Counted]]]:
    assert _worker is not None
    return group, _worker.rows(trials)


def _run_groups(
    source: SweepInput, groups: Sequence[Sequence[Trial]], workers: int, advance: Callable[[int], None]
) -> list[list[list[Counted]]]:
    """Counted rows per group and trial."""
    results: list[list[list[Counted]]] = [[] for _ in groups]
    piece_bins = piece_bins_of([trial.evaluation.max_hold_bins for group in groups for trial in group])
    if workers <= 1:
        evaluator = _Evaluator(source, piece_bins)
        for at, group in enumerate(groups):
            results[at] = evaluator.rows(group)
            advance(len(group))
        return results
    # Fresh processes: the caller may hold threads and locks that a fork would freeze.
    context = multiprocessing.get_context("spawn")
    shared = (source, piece_bins, loaded_files())
    with ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=shared) as pool:
        for done in as_completed([pool.submit(_work, at, group) for at, group in enumerate(groups)]):
            at, rows = done.result()
            results[at] = rows
            advance(len(groups[at]))
    return results


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
) -> SweepResult:
    """Evaluate trials on a dataset. Rows follow the trials' order, thresholds rising.

    on_progress(done, total) counts trials. experiment and serving are recorded in the rows; min_signals defaults to
    the experiment's (5 without one). max_workers None: as many processes as cores where the sweep is worth it.
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
    for group, found in zip(groups.values(), _run_groups(source, members, workers, advance), strict=True):
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
    evaluator = _Evaluator(sweep_input(dataset, [signal]), 1)
    values = signal_values(evaluator.source, trial, models)
    prediction = get_signal(signal).prediction
    trades = trades_of(values, evaluator.bin_seq, evaluator.barriers, threshold, judged, prediction)
    return trades, count_row(trades, threshold, judged, dataset.n_bins, dataset.config.bin_ns)
