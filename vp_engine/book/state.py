"""What a level-3 book consists of. Sizes in contracts, ticks absolute int64, times int64 ns.

Both sides share every body through a price key that is larger when the quote is better: the tick of a bid, minus the
tick of an ask.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vp_engine.book.order_table import new_order_table

# Scalars of a book, by index.
(
    CLOCK_NS, N_ORDERS, BEST_BID_KEY, BEST_ASK_KEY, ANCHOR, ANCHORED, IN_SNAPSHOT, SNAPSHOT_NS, EVENT_ID, RESTATING,
) = range(10)  # fmt: skip
SCALAR_NAMES = (
    "clock_ns", "n_orders", "best_bid_key", "best_ask_key", "anchor", "anchored", "in_snapshot", "snapshot_ns",
    "event_id", "restating",
)  # fmt: skip
COUNTER_NAMES = (
    "off_grid", "undef_price", "no_side", "duplicate_add", "unknown_modify", "unknown_cancel", "unknown_fill",
    "aggressor_fills", "zero_size_add", "clock_regressions", "crossed_events", "reanchors",
    "filled_sided", "filled_auction", "traded_sided", "traded_auction", "snapshots", "clears",
    "snapshot_missing", "snapshot_extra", "snapshot_changed",
)  # fmt: skip
(
    OFF_GRID, UNDEF, NO_SIDE, DUPLICATE_ADD, UNKNOWN_MODIFY, UNKNOWN_CANCEL, UNKNOWN_FILL,
    AGGRESSOR_FILLS, ZERO_SIZE_ADD, CLOCK_REGRESSIONS, CROSSED, REANCHORS,
    FILLED_SIDED, FILLED_AUCTION, TRADED_SIDED, TRADED_AUCTION, SNAPSHOTS, CLEARS,
    SNAPSHOT_MISSING, SNAPSHOT_EXTRA, SNAPSHOT_CHANGED,
) = range(len(COUNTER_NAMES))  # fmt: skip

NO_KEY = -(1 << 62)  # price key of a side without a quote


class BookState(NamedTuple):
    """orders: ORDER_DTYPE (capacity,); depth: int64 (2, n_slots), bids first; scalars, counters: int64."""

    orders: np.ndarray
    depth: np.ndarray
    scalars: np.ndarray
    counters: np.ndarray


def new_book(n_slots: int, n_orders: int = 0) -> BookState:
    """An empty book without an anchor."""
    scalars = np.zeros(len(SCALAR_NAMES), np.int64)
    scalars[[BEST_BID_KEY, BEST_ASK_KEY]] = NO_KEY
    return BookState(
        new_order_table(n_orders),
        np.zeros((2, n_slots), np.int64),
        scalars,
        np.zeros(len(COUNTER_NAMES), np.int64),
    )
