"""Trials in groups: those of one signal with the same values are judged together, on one dataset in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from vp_engine.errors import DataError
from vp_engine.evaluation.barriers import Barriers, market_of_bins
from vp_engine.evaluation.rows import Counted, Counter, Sharing
from vp_engine.evaluation.scored import dataset_scores, score_blocks
from vp_engine.evaluation.trials import Trial
from vp_engine.lake.datasets import Dataset
from vp_engine.schema import GRID_F32_NAMES, BinBlock
from vp_engine.signals import get_signal, make_signal, run_signal
from vp_engine.signals.base import FittedModels, Signal
from vp_engine.signals.declared import declared
from vp_engine.specs.runtime import VPRuntimeConfig, build_config_with_overrides
from vp_engine.spectrum.scoring import Scores

BLOCK_BINS = 600


class SweepInput(NamedTuple):
    """What signals and outcomes read of a dataset. bins: BIN_DTYPE (n,); columns: grid fields by name, (n, rows)."""

    config: VPRuntimeConfig
    bins: np.ndarray
    columns: dict[str, np.ndarray]

    def blocks(self, block_bins: int = BLOCK_BINS, reader: type[Signal] | None = None) -> Iterator[BinBlock]:
        """The bins in order; grid fields that were not read are zeros. With a reader, its reading of a field that it
        does not declare raises SignalError."""
        n, rows = self.bins.size, self.config.rows
        read = [name for name in self.columns if name in GRID_F32_NAMES]
        for first in range(0, n, block_bins):
            part = slice(first, min(first + block_bins, n))
            shape = (len(GRID_F32_NAMES), part.stop - first, rows)
            grid = np.zeros(shape, np.float32) if read else np.broadcast_to(np.float32(0), shape)
            for name in read:
                grid[GRID_F32_NAMES.index(name)] = self.columns[name][part]
            block = BinBlock(
                self.bins[part],
                grid,
                self._column("state5_code", part, shape[1:], np.int8),
                self._column("last_event_id", part, shape[1:], np.int64),
            )
            yield block if reader is None else declared(block, reader)

    def _column(self, name: str, part: slice, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        return self.columns[name][part] if name in self.columns else np.broadcast_to(dtype(0), shape)


def sweep_input(dataset: Dataset, signals: Iterable[str]) -> SweepInput:
    """Read what these signals need. DataError if the dataset does not start at bin 0."""
    if dataset.n_bins == 0 or int(dataset.bins["bin_seq"][0]) != 0:
        raise DataError(f"dataset {dataset.dataset_id} does not start at bin 0")
    names = sorted({column for name in signals for column in get_signal(name).stored_columns()})
    return SweepInput(dataset.config, dataset.bins, {name: dataset[name] for name in names})


def config_of(source: SweepInput, trial: Trial) -> VPRuntimeConfig:
    """The dataset's configuration under the trial's scoring."""
    return build_config_with_overrides(source.config, trial.scoring) if trial.scoring else source.config


def signal_values(
    source: SweepInput, trial: Trial, models: FittedModels | None = None, scores: Scores | None = None
) -> np.ndarray:
    """Values float64 (n_bins,) of a trial's signal over the dataset; a learning one trains along, unless it is given
    its models. scores: the dataset's under the trial's scoring, if they are there already."""
    signal = make_signal(trial.signal, trial.params, config_of(source, trial), models)
    blocks = source.blocks(reader=type(signal))
    return run_signal(signal, blocks, None if scores is None else score_blocks(scores, BLOCK_BINS))


class Evaluator:
    """The input and what all groups share of it. Threads may share one."""

    def __init__(self, source: SweepInput, sharing: Sharing) -> None:
        self.source = source
        self.barriers = Barriers(market_of_bins(source.bins, source.config.tick_int))
        self.bin_seq = np.ascontiguousarray(source.bins["bin_seq"])
        self._counter = Counter(self.barriers, self.bin_seq, sharing, source.config.bin_ns)

    def scores(self, trial: Trial) -> Scores:
        """Scores of the dataset under a trial's scoring."""
        return dataset_scores(config_of(self.source, trial), self.source.blocks())

    def count(self, trials: Sequence[Trial], scores: Scores | None = None, values: np.ndarray | None = None) -> Counted:
        """Counted rows of trials that share their signal's values, made here unless they are given."""
        if values is None:
            values = signal_values(self.source, trials[0], scores=scores)
        return self._counter.count(values, get_signal(trials[0].signal).prediction, trials)
