"""One capture fed piece by piece. The step is that of `vp_engine.stream`; only who asks for the next record differs.

A boundary (warm-up's start, capture's start, a bin's end) is passed by a record at or behind it, or by time alone.
After the latter no record may lie before it: whoever feeds late records first feeds one whose time is `closed_ns`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vp_engine.book.checkpoint import BookCheckpoint, reanchor_to_bbo
from vp_engine.book.order_book import pass_time_nb
from vp_engine.book.snapshots import resting_orders
from vp_engine.book.state import CLOCK_NS, BookState, new_book
from vp_engine.engine import Engine, FedRecords
from vp_engine.feed.capture import event_clock
from vp_engine.schema import BinBlock, empty_block
from vp_engine.specs.capture import Capture
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.stream import DEFAULT_BLOCK_BINS

_BOOK, _WARMUP, _BINS = range(3)
_NEVER = 1 << 62


class LiveEngine:
    """Book, field and bins of one capture; after its end the book alone goes on. Raises BookError as a replay does.

    on_bins gets bins as they close, in blocks of at most DEFAULT_BLOCK_BINS. `bins` counts them; `closed_ns` is the
    last boundary that time alone has passed.
    """

    def __init__(self, config: VPRuntimeConfig, capture: Capture, on_bins: Callable[[BinBlock], None]) -> None:
        self.capture = capture
        self._on_bins = on_bins
        self._config = config
        self._engine = Engine(config, capture.start_ns, new_book(config.n_absolute_ticks))
        self._fed = FedRecords()
        self._phase = _BOOK
        self.bins = 0
        self.closed_ns = 0

    @property
    def book(self) -> BookState:
        """The book as it stands."""
        return self._engine.book

    @property
    def clock_ns(self) -> int:
        """Time of the last record."""
        return int(self.book.scalars[CLOCK_NS])

    @property
    def counters(self) -> dict[str, int]:
        """Counters since the day's start, as a replay counts them."""
        return self._engine.counters

    def orders(self) -> np.ndarray:
        """Every resting order, ORDER_DTYPE (n,), by id."""
        return np.sort(resting_orders(self.book), order="order_id")

    def feed(self, records: np.ndarray) -> None:
        """Take records MBO_DTYPE (n,) of the contract."""
        if not records.size:
            return
        self._fed.take(records)
        self._pass(max(self.clock_ns, int(event_clock(self._fed.batch).max())))
        self._engine.consume_until(self._fed, self._boundary())

    def pass_time(self, limit_ns: int) -> None:
        """Close everything that ends at or before `limit_ns` though no record says so."""
        self._fed.take(self._fed.batch[:0])
        boundary = self._boundary()
        self._pass(limit_ns)
        if self._boundary() != boundary:
            self.closed_ns = self._passed()

    def finish(self) -> None:
        """Close the rest of the capture."""
        self.pass_time(self.capture.end_ns)

    def _boundary(self) -> int:
        """What is passed next."""
        if self._phase == _BOOK:
            return self.capture.warmup_start_ns
        if self._phase == _WARMUP:
            return self.capture.start_ns
        if self.bins == self.capture.n_bins:
            return _NEVER
        return self.capture.start_ns + (self.bins + 1) * self.capture.bin_ns

    def _passed(self) -> int:
        """What was passed last."""
        if self._phase == _WARMUP:
            return self.capture.warmup_start_ns
        return self.capture.start_ns + self.bins * self.capture.bin_ns

    def _pass(self, time_ns: int) -> None:
        """Pass every boundary up to a time, taking the records that lie before each."""
        engine, capture = self._engine, self.capture
        if self._phase == _BOOK and capture.warmup_start_ns <= time_ns:
            engine.consume_until(self._fed, capture.warmup_start_ns)
            engine = self._engine = self._with_flow()
            self._phase = _WARMUP
        if self._phase == _WARMUP and capture.start_ns <= time_ns:
            engine.consume_until(self._fed, capture.start_ns)
            engine.start_bins()
            self._phase = _BINS
        while self._phase == _BINS:
            due = min((time_ns - capture.start_ns) // capture.bin_ns, capture.n_bins) - self.bins
            if due <= 0:
                break
            block = empty_block(min(due, DEFAULT_BLOCK_BINS), self._config.grid_radius_ticks)
            engine.fill(self._fed, self.bins, block)
            self.bins += block.bins.size
            self._on_bins(block)

    def _with_flow(self) -> Engine:
        """The engine behind the warm-up's start, by way of a checkpoint as a replay goes."""
        pass_time_nb(self.book.scalars, self.capture.warmup_start_ns)
        self._engine.end_snapshot()
        book = BookCheckpoint.of(self.book).restore(self._config.n_absolute_ticks)
        reanchor_to_bbo(book)
        engine = Engine(self._config, self.capture.start_ns, book)
        engine.start_flow()
        return engine
