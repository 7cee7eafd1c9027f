"""What a level-3 book consists of. Sizes in contracts, ticks absolute int64, times int64 ns.

Both sides share every body through a price key that is larger when the quote is better: the tick of a bid, minus the
tick of an ask.

Of the last trade the book keeps `trade_ns` (its ts_event), `trade_side` (the aggressor's, as in the order table) and
`trade_left` (contracts that no fill has explained yet): fills are judged by the trade they belong to.

Of each publisher it keeps the last sequence number (0 for none) and the ts_event that came with it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vp_engine.book.order_table import new_order_table

# Scalars of a book, by index.
(
    CLOCK_NS, N_ORDERS, BEST_BID_KEY, BEST_ASK_KEY, ANCHOR, ANCHORED, IN_SNAPSHOT, SNAPSHOT_NS, EVENT_ID, RESTATING,
    TRADE_NS, TRADE_SIDE, TRADE_LEFT,
) = range(13)  # fmt: skip
PUBLISHER_SLOTS = 16  # publishers whose numbers are remembered, by the low bits of their ids
LAST_PUBLISHER = 13  # the first of PUBLISHER_SLOTS scalars, one for each slot; the two below alike
LAST_SEQUENCE = LAST_PUBLISHER + PUBLISHER_SLOTS
LAST_EVENT_NS = LAST_SEQUENCE + PUBLISHER_SLOTS
SCALAR_NAMES = (
    "clock_ns", "n_orders", "best_bid_key", "best_ask_key", "anchor", "anchored", "in_snapshot", "snapshot_ns",
    "event_id", "restating", "trade_ns", "trade_side", "trade_left",
    *(f"last_publisher_{slot}" for slot in range(PUBLISHER_SLOTS)),
    *(f"last_sequence_{slot}" for slot in range(PUBLISHER_SLOTS)),
    *(f"last_event_ns_{slot}" for slot in range(PUBLISHER_SLOTS)),
)  # fmt: skip
COUNTER_NAMES = (
    "off_grid", "undef_price", "no_side", "duplicate_add", "unknown_modify", "unknown_cancel", "unknown_fill",
    "aggressor_fills", "zero_size_add", "clock_regressions", "sequence_regressions", "crossed_events",
    "maybe_bad_book", "reanchors",
    "filled_sided", "filled_unsided", "traded_sided", "traded_unsided", "overfilled", "unattributed",
    "snapshots", "clears",
    "snapshot_missing", "snapshot_extra", "snapshot_changed",
)  # fmt: skip
(
    OFF_GRID, UNDEF, NO_SIDE, DUPLICATE_ADD, UNKNOWN_MODIFY, UNKNOWN_CANCEL, UNKNOWN_FILL,
    AGGRESSOR_FILLS, ZERO_SIZE_ADD, CLOCK_REGRESSIONS, SEQUENCE_REGRESSIONS, CROSSED,
    MAYBE_BAD_BOOK, REANCHORS,
    FILLED_SIDED, FILLED_UNSIDED, TRADED_SIDED, TRADED_UNSIDED, OVERFILLED, UNATTRIBUTED,
    SNAPSHOTS, CLEARS,
    SNAPSHOT_MISSING, SNAPSHOT_EXTRA, SNAPSHOT_CHANGED,
) = range(len(COUNTER_NAMES))  # fmt: skip

NO_KEY = -(1 << 62)  # price key of a side without a quote
NO_TRADE_NS = -1  # `trade_ns` before the first trade


class BookState(NamedTuple):
    """orders: ORDER_DTYPE (capacity,); depth: int64 (2, n_slots), bids first; scalars, counters: int64; first_ns:
    int64, when each counter of a fault was first raised, 0 for never."""

    orders: np.ndarray
    depth: np.ndarray
    scalars: np.ndarray
    counters: np.ndarray
    first_ns: np.ndarray


def new_book(n_slots: int, n_orders: int = 0) -> BookState:
    """An empty book without an anchor."""
    scalars = np.zeros(len(SCALAR_NAMES), np.int64)
    scalars[[BEST_BID_KEY, BEST_ASK_KEY]] = NO_KEY
    scalars[TRADE_NS] = NO_TRADE_NS
    return BookState(
        new_order_table(n_orders),
        np.zeros((2, n_slots), np.int64),
        scalars,
        np.zeros(len(COUNTER_NAMES), np.int64),
        np.zeros(len(COUNTER_NAMES), np.int64),
    )
