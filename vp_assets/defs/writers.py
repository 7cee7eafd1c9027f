"""What assets hand to IO managers when nobody has made a thing yet: its address, and the making of it.

Classes, not generators: Dagster takes a bare generator for the asset's own events. A stream checks what passes
through it, so nothing that breaks an invariant is ever committed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from vp_assets import progress
from vp_assets.research.gates import require_conserved, require_sound_block, require_sound_book
from vp_assets.research.requests import BinsRequest, BookRequest, SweepRequest
from vp_engine.book.checkpoint import BookCheckpoint
from vp_engine.errors import DataError
from vp_engine.evaluation.contracts import asked_by, require_contract
from vp_engine.evaluation.sweep import SweepResult, evaluate
from vp_engine.evaluation.trials import expand
from vp_engine.lake import Dataset, Lake, RawDay
from vp_engine.lake.parts import SweepParts
from vp_engine.schema import BinBlock
from vp_engine.stream import build_checkpoint, stream_events


class NewRawDay(NamedTuple):
    """A raw day that came into the lake just now."""

    day: RawDay


class BookReplay:
    """A book cache still to be made: `checkpoint()` replays the raw day up to the warm-up."""

    def __init__(self, request: BookRequest) -> None:
        self.request = request
        self.n_records = 0

    def checkpoint(self) -> BookCheckpoint:
        """The book at the warm-up's start; BookError or DataError if it is not sound."""
        request = self.request
        progress.report("book cache", 0, 1)
        made = build_checkpoint(request.raw.file(), request.config, request.capture)
        require_sound_book(made, request.raw.path.name)
        self.n_records = made.n_records
        progress.report("book cache", 1, 1)
        return made


class DatasetStream:
    """One capture as `BinBlock`s, checked as they pass. `counters` and `n_events` are whole once it is exhausted."""

    def __init__(self, request: BinsRequest, checkpoint: BookCheckpoint) -> None:
        self.request = request
        self._events = stream_events([raw.file() for raw in request.raws], request.config, request.capture, checkpoint)

    @property
    def counters(self) -> dict[str, int]:
        """Counters of the engine since the raw day's start."""
        return dict(self._events.counters)

    @property
    def n_events(self) -> int:
        """Records kept from the warm-up's start on."""
        return self._events.n_events

    def __iter__(self) -> Iterator[BinBlock]:
        capture, name = self.request.capture, self.request.pipeline.name
        done = 0
        progress.report("bins", 0, capture.n_bins)
        for block in self._events:
            require_sound_block(block, capture, done, name)
            done += block.bins.size
            progress.report("bins", done, capture.n_bins)
            yield block
        if done != capture.n_bins:
            raise DataError(f"{name}: {done} bins came out of a window of {capture.n_bins}")
        require_conserved(self.counters, f"{name} on {capture.dt}")


class SweepRun:
    """Results still to be computed: `result()` tries every trial of the experiment on the dataset. With a lake, what an
    earlier attempt that was killed has counted is not counted again, and signals are checked before the first trial."""

    def __init__(
        self, request: SweepRequest, dataset: Dataset, dask_scheduler: str | None = None, lake: Lake | None = None
    ) -> None:
        self.request = request
        self.n_trials = 0
        self._scheduler = dask_scheduler
        self._lake = lake
        self._kept = SweepParts(lake, request.address) if lake is not None else None
        self._dataset = dataset

    def result(self) -> SweepResult:
        """Both tables; ConfigError if the experiment cannot be expanded."""
        request = self.request
        trials = expand(request.experiment, request.serving, request.config)
        self.n_trials = len(trials)
        if self._lake is not None:
            require_contract(
                self._lake,
                self._dataset,
                asked_by(trials),
                lambda done, total: progress.report("check of signals", done, total),
            )
        return evaluate(
            self._dataset,
            trials,
            lambda done, total: progress.report("trials", done, total),
            sweep_address=request.address,
            experiment=request.experiment,
            serving=request.serving,
            max_workers=request.experiment.parallel.max_workers,
            dask_scheduler=self._scheduler,
            kept=self._kept,
        )
