"""The work of a sweep in groups: trials of one signal with the same values, judged in this process, in a pool of
processes, or on a cluster. Results do not depend on where.
"""

from __future__ import annotations

import multiprocessing
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vp_engine.errors import DataError
from vp_engine.evaluation.barriers import Barriers, market_of_bins
from vp_engine.evaluation.cluster import run_on_cluster
from vp_engine.evaluation.rows import Counted, calibrated_thresholds, count_row, net_pnl, trades_of
from vp_engine.evaluation.scored import dataset_scores, score_blocks
from vp_engine.evaluation.spa import piece_bins_of, pieces_of_pnl
from vp_engine.evaluation.trials import Trial
from vp_engine.lake.datasets import Dataset
from vp_engine.schema import GRID_F32_NAMES, BinBlock
from vp_engine.signals import get_signal, load_signals, loaded_files, make_signal, run_signal
from vp_engine.signals.base import FittedModels
from vp_engine.specs.runtime import VPRuntimeConfig, build_config_with_overrides
from vp_engine.spectrum.scoring import Scores

BLOCK_BINS = 600


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


class Evaluator:
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


_worker: Evaluator | None = None


def _start_worker(source: SweepInput, piece_bins: int, own_signals: Sequence[Path]) -> None:
    global _worker
    load_signals(own_signals)
    _worker = Evaluator(source, piece_bins)


def _work(group: int, trials: Sequence[Trial]) -> tuple[int, list[list[Counted]]]:
    assert _worker is not None
    return group, _worker.rows(trials)


class _Shared(NamedTuple):
    """What every group of a sweep needs, sent to a cluster's workers once."""

    token: str
    source: SweepInput
    piece_bins: int
    own_signals: tuple[Path, ...]


_thread = threading.local()  # a cluster's worker may run several threads, each keeps the evaluator of one sweep


def _work_shared(shared: _Shared, group: int, trials: Sequence[Trial]) -> tuple[int, list[list[Counted]]]:
    if getattr(_thread, "token", None) != shared.token:
        load_signals(shared.own_signals)
        _thread.evaluator, _thread.token = Evaluator(shared.source, shared.piece_bins), shared.token
    return group, _thread.evaluator.rows(trials)


def run_groups(
    source: SweepInput,
    groups: Sequence[Sequence[Trial]],
    workers: int,
    scheduler: str | None,
    advance: Callable[[int], None],
) -> list[list[list[Counted]]]:
    """Counted rows per group and trial."""
    results: list[list[list[Counted]]] = [[] for _ in groups]
    piece_bins = piece_bins_of([trial.evaluation.max_hold_bins for group in groups for trial in group])
    if scheduler is not None:
        everything = _Shared(uuid.uuid4().hex, source, piece_bins, loaded_files())
        for at, rows in run_on_cluster(scheduler, _work_shared, everything, groups):
            results[at] = rows
            advance(len(groups[at]))
        return results
    if workers <= 1:
        evaluator = Evaluator(source, piece_bins)
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
