"""The engine: records in, bins out, one capture at a time. A replay (`vp_engine.stream`) and a live session
(`vp_engine.live`) both stand on it, so that they give the same bits.

Records before the warm-up move the book alone; the warm-up moves book and kinetics; from the capture's start on, bins
are filled. Kernels do the work; what they cannot do (grow a table, shift arrays, raise) is done here between them.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from vp_engine.book.levels import anchor_due_nb, lay_slots, spot_tick
from vp_engine.book.order_book import pass_time_nb
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
from vp_engine.schema import BinBlock
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.spectrum.bins import BinShape, BinState, close_bin_nb
from vp_engine.spectrum.rollup import new_rollup, shift_rollup
from vp_engine.spectrum.state5 import state5_codes
from vp_engine.threads import prefetch

BATCHES_AHEAD = 4  # megabytes of records decompressed ahead of the kernels


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

    carried: the orders that a snapshot under way restates, ORDER_DTYPE (n,); None outside one.
    """

    bin_seq: int
    state: BinState
    carried: np.ndarray | None

    @property
    def n_records(self) -> int:
        """Records of the symbol consumed since the first raw day's start."""
        return int(self.state.ticks.book.scalars[EVENT_ID])


class RecordSource(Protocol):
    """Where an engine takes its records from: the batch at hand, the next record in it, and what follows.

    batch: MBO_DTYPE (n,), read-only (one array type, one compiled kernel). ended: no record follows the batch as far as
    a kernel may ask.
    """

    batch: np.ndarray
    position: int
    ended: bool

    def refill(self) -> bool:
        """Go to the next batch; False when there is none."""


def read_only(records: np.ndarray) -> np.ndarray:
    """The same records as an array that nobody can write to."""
    if records.flags.writeable:
        records = records.view()
        records.setflags(write=False)
    return records


class FileRecords:
    """The records of one contract in raw files, in order, read ahead by a thread. `skip` of them are passed over."""

    def __init__(self, raw_paths: Sequence[Path], symbol: str, skip: int = 0) -> None:
        self._batches = prefetch(self._all(raw_paths, symbol), BATCHES_AHEAD)
        self.batch = read_only(np.zeros(0, MBO_DTYPE))
        self.position = 0
        self.ended = False
        while skip:
            if not self.refill():
                raise DataError(f"raw data ends {skip} records before the book cache does; delete the cache")
            self.position = min(skip, self.batch.size)
            skip -= self.position

    @staticmethod
    def _all(raw_paths: Sequence[Path], symbol: str) -> Iterator[np.ndarray]:
        for path in raw_paths:
            for batch in DbnFile(path).records_of(symbol):
                batch.setflags(write=False)
                yield batch

    def refill(self) -> bool:
        """Go to the next batch; False when there is none."""
        batch = next(self._batches, None)
        if batch is None:
            self.ended = True
            return False
        self.batch, self.position = batch, 0
        return True


class FedRecords:
    """Records that the caller hands over, batch by batch."""

    def __init__(self) -> None:
        self.batch = read_only(np.zeros(0, MBO_DTYPE))
        self.position = 0
        self.ended = True  # what comes next is the caller's business

    def take(self, records: np.ndarray) -> None:
        """The next records, MBO_DTYPE (n,)."""
        self.batch, self.position = read_only(np.ascontiguousarray(records, MBO_DTYPE)), 0

    def refill(self) -> bool:
        """There are no others."""
        return False


class Engine:
    """The state of one capture between kernels. Raises BookError where the records contradict the book."""

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

    @property
    def counters(self) -> dict[str, int]:
        """Counters since the first record, by name, `events_kept` among them. Ends a snapshot that is complete."""
        self.end_snapshot()
        counted = dict(zip(COUNTER_NAMES, self.book.counters.tolist(), strict=True))
        return counted | {"events_kept": self.n_records}

    @property
    def n_records(self) -> int:
        """Records of the contract consumed since the first one of the first raw day."""
        return int(self.book.scalars[EVENT_ID])

    def settle(self, code: int, records: RecordSource) -> None:
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
            record = records.batch[records.position]
            raise BookError(
                f"depth below zero at record {self.n_records - 1}: order_id={record['order_id']}, "
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

    def consume_until(self, records: RecordSource, limit_ns: int) -> None:
        """Take every record whose clock is before `limit_ns`."""
        while True:
            code, records.position = consume_nb(
                records.batch, records.position, limit_ns, self.shape.tick_int, self.state.ticks
            )
            self.settle(code, records)
            if code == STOPPED or (code == OUT_OF_RECORDS and not records.refill()):
                return

    def start_flow(self) -> None:
        """From here on records move the kinetics too."""
        self.state.ticks.tally[FLOW_ON] = 1

    def start_bins(self) -> None:
        """From here on bins count."""
        start_bin_nb(self.state.ticks)

    def fill(self, records: RecordSource, bin_seq: int, block: BinBlock) -> None:
        """Fill a block of zeros with the bins from `bin_seq` on."""
        filled = 0
        while filled < block.bins.size:
            code, records.position, filled = fill_block_nb(
                records.batch, records.position, records.ended, self.state, self.shape, bin_seq + filled, filled,
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
