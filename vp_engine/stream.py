"""One capture as a stream of blocks of bins, from its raw files. Research and the service both run this.

A capture of D seconds has exactly D·1000/cell_width_ms bins, whatever the data does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from vp_engine.book.checkpoint import BookCheckpoint, reanchor_to_bbo
from vp_engine.book.order_book import pass_time_nb
from vp_engine.book.state import new_book
from vp_engine.engine import Engine, FileRecords, Keyframe
from vp_engine.errors import DataError
from vp_engine.schema import BinBlock, empty_block
from vp_engine.specs.capture import Capture
from vp_engine.specs.runtime import VPRuntimeConfig

BINS_CODE_VERSION = "2"
DEFAULT_BLOCK_BINS = 600  # a minute of 100 ms bins: 8 MB a block


def build_checkpoint(raw_path: Path, config: VPRuntimeConfig, capture: Capture) -> BookCheckpoint:
    """The book at the warm-up's start, from the day's first record. Raises DataError or BookError."""
    engine = Engine(config, capture.start_ns, new_book(config.n_absolute_ticks))
    engine.consume_until(FileRecords([raw_path], capture.symbol), capture.warmup_start_ns)
    pass_time_nb(engine.book.scalars, capture.warmup_start_ns)
    engine.end_snapshot()
    return BookCheckpoint.of(engine.book)


class EventStream:
    """One capture as blocks of bins. Iterate once; `counters` and `seconds` hold totals from then on, and between two
    blocks `keyframe` says where another stream of the same capture can begin."""

    def __init__(
        self,
        raw_paths: Sequence[Path],
        config: VPRuntimeConfig,
        capture: Capture,
        checkpoint: BookCheckpoint | None = None,
        block_bins: int = DEFAULT_BLOCK_BINS,
        begin: Keyframe | None = None,
    ) -> None:
        if not raw_paths:
            raise DataError("no raw day was given")
        self._raw_paths = list(raw_paths)
        self._config = config
        self._capture = capture
        self._checkpoint = checkpoint
        self._block_bins = block_bins
        self._begin = begin
        self._engine: tuple[Engine, FileRecords] | None = None
        self._next_bin = 0
        self.counters: dict[str, int] = {}
        self.n_events = 0
        self.seconds = 0.0

    @property
    def n_bins(self) -> int:
        """Bins the capture has."""
        return self._capture.n_bins

    def keyframe(self) -> Keyframe:
        """The engine behind the last block, at first before the first one; only between two blocks."""
        engine, _ = self._ready()
        return engine.freeze(self._next_bin)

    def __iter__(self) -> Iterator[BinBlock]:
        began = time.perf_counter()
        capture = self._capture
        engine, records = self._ready()
        before = engine.n_records - self.n_events
        for first in range(self._next_bin, capture.n_bins, self._block_bins):
            block = empty_block(min(self._block_bins, capture.n_bins - first), self._config.grid_radius_ticks)
            engine.fill(records, first, block)
            self._count(engine, before, time.perf_counter() - began)
            self._next_bin = first + block.bins.size
            yield block

    def _ready(self) -> tuple[Engine, FileRecords]:
        """The engine and its records, made when they are first wanted."""
        if self._engine is None:
            self._engine = self._started() if self._begin is None else self._resumed(self._begin)
        return self._engine

    def _started(self) -> tuple[Engine, FileRecords]:
        """At the capture's first bin, by way of the warm-up."""
        capture, config = self._capture, self._config
        checkpoint = self._checkpoint or build_checkpoint(self._raw_paths[0], config, capture)
        book = checkpoint.restore(config.n_absolute_ticks)
        reanchor_to_bbo(book)
        engine = Engine(config, capture.start_ns, book)
        records = FileRecords(self._raw_paths, capture.symbol, skip=checkpoint.n_records)
        engine.start_flow()
        engine.consume_until(records, capture.start_ns)
        engine.start_bins()
        self.n_events = engine.n_records - checkpoint.n_records
        return engine, records

    def _resumed(self, begin: Keyframe) -> tuple[Engine, FileRecords]:
        engine = Engine(self._config, self._capture.start_ns, begin.state.ticks.book)
        engine.thaw(begin)
        self._next_bin = begin.bin_seq
        return engine, FileRecords(self._raw_paths, self._capture.symbol, skip=begin.n_records)

    def _count(self, engine: Engine, before: int, seconds: float) -> None:
        self.counters = engine.counters
        self.n_events = engine.n_records - before
        self.seconds = seconds


def stream_events(
    raw_paths: Sequence[Path],
    config: VPRuntimeConfig,
    capture: Capture,
    checkpoint: BookCheckpoint | None = None,
    block_bins: int = DEFAULT_BLOCK_BINS,
    begin: Keyframe | None = None,
) -> EventStream:
    """Bins of a capture from the raw days it touches, in order, the first holding the warm-up's start.

    checkpoint: the book at the warm-up's start, from `build_checkpoint` (made on the way if None). begin: from another
    stream of the same capture and bin parameters; the bins from there on are then the same bits.
    """
    return EventStream(raw_paths, config, capture, checkpoint, block_bins, begin)
