"""One capture to bins: feed, book, field, spectrum, bins, composed once. Research and the live stream both run this.

A capture of D seconds has exactly D·1000/cell_width_ms bins, whatever the data does. Records before the warm-up move
the book alone; the warm-up moves book and kinetics; from the start on, bins are emitted.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vp_engine.book.checkpoint import BookCheckpoint, reanchor_to_bbo
from vp_engine.book.levels import (
    anchor_due_nb,
    lay_slots,
    spot_tick,
)
from vp_engine.book.order_book import (
    pass_time_nb,
)
from vp_engine.book.order_table import copy_orders_nb, new_order_table
from vp_engine.book.snapshots import count_differences, set_aside
from vp_engine.book.state import (
    ANCHOR,
    ANCHORED,
    COUNTER_NAMES,
    EVENT_ID,
    IN_SNAPSHOT,
    REANCHORS,
    RESTATING,
    BookState,
    new_book,
)
from vp_engine.errors import BookError, DataError
from vp_engine.feed.dbn import DbnFile
from vp_engine.feed.records import MBO_DTYPE
from vp_engine.field.tick_engine import (
    BAD_DEPTH,
    FLOW_ON,
    GROW_TABLE,
    LAY_SLOTS,
    OUT_OF_RECORDS,
    SNAPSHOT_EDGE,
    STOPPED,
    consume_nb,
    new_ticks,
    shift_slots,
    start_bin_nb,
)
from vp_engine.jit import kernel
from vp_engine.schema import BinBlock, empty_block
from vp_engine.specs.capture import Capture
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.spectrum.bins import BinShape, BinState, close_bin_nb
from vp_engine.spectrum.rollup import new_rollup, shift_rollup
from vp_engine.spectrum.state5 import state5_codes
from vp_engine.threads import prefetch

BINS_CODE_VERSION = "1"
BATCHES_AHEAD = 4  # megabytes of records decompressed ahead of the kernels
DEFAULT_BLOCK_BINS = 600  # a minute of 100 ms bins: 8 MB a block


@kernel
def fill_block_nb(records, first, final, state, shape, bin_seq, filled, rows, grid, state5, last_event_id):
    """Consume records and close bins until the block is full. `final` says no record comes after these.

    Returns (code of consume_nb, next record, bins filled); STOPPED means the block is full.
    """
    ticks = state.ticks
    while filled < rows.size:
        end_ns = shape.start_ns + (bin_seq + 1) * shape.bin_ns
        code, first = consume_nb(records, first, end_ns, shape.tick_int, ticks)
        if code != STOPPED and not (code == OUT_OF_RECORDS and final):
            return code, first, filled
        pass_time_nb(ticks.book.scalars, end_ns)
        if anchor_due_nb(ticks.book.scalars, ticks.book.depth.shape[1]):
            return LAY_SLOTS, first, filled
        close_bin_nb(state, shape, bin_seq, rows, filled, grid, state5, last_event_id)
        start_bin_nb(ticks)
        bin_seq += 1
        filled += 1
    return STOPPED, first, filled


class Keyframe(NamedTuple):
    """The engine between two bins: all that the bins from `bin_seq` on depend on but the records to come.

    carried: the orders that a snapshot under way restates, None outside one.
    """

    bin_seq: int
    state: BinState
    carried: np.ndarray | None

    @property
    def n_records(self) -> int:
        """Records of the symbol consumed since the first raw day's start."""
        return int(self.state.ticks.book.scalars[EVENT_ID])


class _Records:
    """The records of a capture in order, batch by batch, and where in them the engine stands."""

    def __init__(self, raw_paths: Sequence[Path], symbol: str, skip: int = 0) -> None:
        self._batches = prefetch(self._all(raw_paths, symbol), BATCHES_AHEAD)
        self.batch = np.zeros(0, MBO_DTYPE)
        self.batch.setflags(write=False)
        self.at = 0
        self.ended = False
        while skip:
            if not self.refill():
                raise DataError(f"raw data ends {skip} records before the book cache does; delete the cache")
            self.at = min(skip, self.batch.size)
            skip -= self.at

    @staticmethod
    def _all(raw_paths: Sequence[Path], symbol: str) -> Iterator[np.ndarray]:
        for path in raw_paths:
            source = DbnFile(path)
            for batch in source.batches(source.instrument_ids(symbol)):
                batch.setflags(write=False)  # one array type, one compiled kernel
                yield batch

    def refill(self) -> bool:
        """Go to the next batch; False when there is none."""
        batch = next(self._batches, None)
        if batch is None:
            self.ended = True
            return False
        self.batch, self.at = batch, 0
        return True


class _Chain:
    """The engine's state between kernels, and what the kernels cannot do: grow, shift, raise."""

    def __init__(self, config: VPRuntimeConfig, start_ns: int, book: BookState) -> None:
        self.state = BinState(
            ticks=new_ticks(config.n_absolute_ticks, config.taus, book),
            rollup=new_rollup(config.n_absolute_ticks, config.spectrum_windows, config.spectrum_weights),
            chain=np.zeros(7),
            quotes=np.zeros(3, np.int64),
            state5_codes=state5_codes(config.state5_rule),
            forces=np.array(config.forces),
        )
        self.shape = BinShape(config.tick_int, config.bin_ns, config.dt_s, config.grid_radius_ticks, start_ns)
        self._carried: np.ndarray | None = None  # orders that the snapshot under way restates

    def freeze(self, bin_seq: int) -> Keyframe:
        """A copy of everything, to go on from at a bin."""
        return Keyframe(bin_seq, copy.deepcopy(self.state), copy.copy(self._carried))

    def thaw(self, keyframe: Keyframe) -> None:
        """Go on from there; the keyframe stays as it is."""
        self.state, self._carried = copy.deepcopy(keyframe.state), copy.copy(keyframe.carried)

    @property
    def book(self) -> BookState:
        """The live book; another object once its table has grown."""
        return self.state.ticks.book

    def settle(self, code: int, records: _Records) -> None:
        """Do what a kernel came back for."""
        if code == GROW_TABLE:
            self._grow_table()
        elif code == LAY_SLOTS:
            self._lay_slots()
        elif code == SNAPSHOT_EDGE and self.book.scalars[RESTATING]:
            self.end_snapshot()
        elif code == SNAPSHOT_EDGE:
            self._carried = set_aside(self.book)
        elif code == BAD_DEPTH:
            record = records.batch[records.at]
            raise BookError(
                f"depth below zero at record {int(self.book.scalars[EVENT_ID]) - 1}: order_id={record['order_id']}, "
                f"sequence={record['sequence']}, ts={record['ts_event']}"
            )

    def end_snapshot(self) -> None:
        """Compare the book with the one it restates, if a snapshot has done so since last asked."""
        if self.book.scalars[IN_SNAPSHOT]:
            return
        if self._carried is not None:
            count_differences(self.book, self._carried)
        self._carried = None
        self.book.scalars[RESTATING] = 0

    def consume_until(self, records: _Records, limit_ns: int) -> None:
        """Take every record whose clock is before `limit_ns`."""
        while True:
            code, records.at = consume_nb(records.batch, records.at, limit_ns, self.shape.tick_int, self.state.ticks)
            self.settle(code, records)
            if code == STOPPED or (code == OUT_OF_RECORDS and not records.refill()):
                return

    def start_flow(self) -> None:
        """From here on records move the kinetics too."""
        self.state.ticks.tally[FLOW_ON] = 1

    def start_bins(self) -> None:
        """From here on bins count."""
        start_bin_nb(self.state.ticks)

    def fill(self, records: _Records, bin_seq: int, block: BinBlock) -> None:
        """Fill a block of zeros with the bins from `bin_seq` on."""
        filled = 0
        while filled < block.bins.size:
            code, records.at, filled = fill_block_nb(
                records.batch, records.at, records.ended, self.state, self.shape, bin_seq + filled, filled,
                block.bins, block.grid, block.state5, block.last_event_id,
            )  # fmt: skip
            self.settle(code, records)
            if code == OUT_OF_RECORDS and not records.ended:
                records.refill()

    def _grow_table(self) -> None:
        book = self.book
        orders = new_order_table(book.orders.size // 2)  # twice the capacity
        copy_orders_nb(book.orders, orders)
        ticks = self.state.ticks._replace(book=book._replace(orders=orders))
        self.state = self.state._replace(ticks=ticks)

    def _lay_slots(self) -> None:
        book = self.book
        anchor = spot_tick(book)
        if book.scalars[ANCHORED]:
            shift = anchor - int(book.scalars[ANCHOR])
            shift_slots(self.state.ticks, shift)
            shift_rollup(self.state.rollup, shift)
            book.counters[REANCHORS] += 1
        lay_slots(book, anchor)


def build_checkpoint(raw_path: Path, config: VPRuntimeConfig, capture: Capture) -> BookCheckpoint:
    """The book at the warm-up's start, from the day's first record. Raises DataError or BookError."""
    chain = _Chain(config, capture.start_ns, new_book(config.n_absolute_ticks))
    chain.consume_until(_Records([raw_path], capture.symbol), capture.warmup_start_ns)
    pass_time_nb(chain.book.scalars, capture.warmup_start_ns)
    chain.end_snapshot()
    return BookCheckpoint.of(chain.book)


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
        self._engine: tuple[_Chain, _Records] | None = None
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
        chain, _ = self._ready()
        return chain.freeze(self._next_bin)

    def __iter__(self) -> Iterator[BinBlock]:
        began = time.perf_counter()
        capture = self._capture
        chain, records = self._ready()
        before = int(chain.book.scalars[EVENT_ID]) - self.n_events
        for first in range(self._next_bin, capture.n_bins, self._block_bins):
            block = empty_block(min(self._block_bins, capture.n_bins - first), self._config.grid_radius_ticks)
            chain.fill(records, first, block)
            self._count(chain, before, time.perf_counter() - began)
            self._next_bin = first + block.bins.size
            yield block

    def _ready(self) -> tuple[_Chain, _Records]:
        """The engine and its records, made when they are first wanted."""
        if self._engine is None:
            self._engine = self._started() if self._begin is None else self._resumed(self._begin)
        return self._engine

    def _started(self) -> tuple[_Chain, _Records]:
        """At the capture's first bin, by way of the warm-up."""
        capture, config = self._capture, self._config
        checkpoint = self._checkpoint or build_checkpoint(self._raw_paths[0], config, capture)
        book = checkpoint.restore(config.n_absolute_ticks)
        reanchor_to_bbo(book)
        chain = _Chain(config, capture.start_ns, book)
        records = _Records(self._raw_paths, capture.symbol, skip=checkpoint.n_records)
        chain.start_flow()
        chain.consume_until(records, capture.start_ns)
        chain.start_bins()
        self.n_events = int(chain.book.scalars[EVENT_ID]) - checkpoint.n_records
        return chain, records

    def _resumed(self, begin: Keyframe) -> tuple[_Chain, _Records]:
        chain = _Chain(self._config, self._capture.start_ns, begin.state.ticks.book)
        chain.thaw(begin)
        self._next_bin = begin.bin_seq
        return chain, _Records(self._raw_paths, self._capture.symbol, skip=begin.n_records)

    def _count(self, chain: _Chain, before: int, seconds: float) -> None:
        chain.end_snapshot()
        book = chain.book
        self.counters = dict(zip(COUNTER_NAMES, book.counters.tolist(), strict=True))
        self.counters["events_kept"] = int(book.scalars[EVENT_ID])
        self.n_events = int(book.scalars[EVENT_ID]) - before
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
