"""The level-3 book: one record in, its effects on price levels out. Databento's MBO semantics.

Sizes in contracts, ticks absolute int64, times int64 ns. Both sides share every body through a price key that is
larger when the quote is better: the tick of a bid, minus the tick of an ask. Levels within `n_slots` of the anchor
are held in an array; orders further out live in the order table alone. Kernels return a code and never raise.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vp_engine.book.order_table import (
    ASK,
    BID,
    EMPTY,
    NOT_FOUND,
    best_key_nb,
    find_nb,
    insert_nb,
    new_order_table,
    remove_nb,
)
from vp_engine.feed.records import F_LAST, F_SNAPSHOT
from vp_engine.jit import inlined, kernel
from vp_engine.units import UNDEF_PRICE

# Scalars of a book, by index.
CLOCK_NS, N_ORDERS, BEST_BID_KEY, BEST_ASK_KEY, ANCHOR, ANCHORED, IN_SNAPSHOT, SNAPSHOT_NS, EVENT_ID = range(9)
SCALAR_NAMES = (
    "clock_ns", "n_orders", "best_bid_key", "best_ask_key", "anchor", "anchored", "in_snapshot", "snapshot_ns",
    "event_id",
)  # fmt: skip
COUNTER_NAMES = (
    "off_grid", "undef_price", "no_side", "duplicate_add", "unknown_modify", "unknown_cancel", "unknown_fill",
    "aggressor_fills", "zero_size_add", "clock_regressions", "crossed_events", "reanchors",
    "filled_sided", "filled_auction", "traded_sided", "traded_auction", "snapshots", "clears",
)  # fmt: skip
(
    OFF_GRID, UNDEF, NO_SIDE, DUPLICATE_ADD, UNKNOWN_MODIFY, UNKNOWN_CANCEL, UNKNOWN_FILL,
    AGGRESSOR_FILLS, ZERO_SIZE_ADD, CLOCK_REGRESSIONS, CROSSED, REANCHORS,
    FILLED_SIDED, FILLED_AUCTION, TRADED_SIDED, TRADED_AUCTION, SNAPSHOTS, CLEARS,
) = range(len(COUNTER_NAMES))  # fmt: skip

NO_KEY = -(1 << 62)  # price key of a side without a quote
EDGE_SLOTS = 512  # the mid comes no nearer to the end of the slots than this

ACT_ADD, ACT_CANCEL, ACT_MODIFY, ACT_CLEAR, ACT_TRADE, ACT_FILL = (ord(letter) for letter in "ACMRTF")
SIDE_BID, SIDE_ASK = ord("B"), ord("A")

# What a record does to one level: columns of `effects`.
TICK, SIDE, CHANNEL, AMOUNT, DEPTH_DELTA = range(5)
FLOW_ADD, FLOW_PULL, FLOW_FILL, NO_FLOW = 0, 1, 2, -1
MAX_EFFECTS = 2

NEED_ROOM, DEPTH_BELOW_ZERO = -1, -2  # codes of apply_nb; others are a number of effects


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


@inlined
def slot_of_nb(book, tick):
    """Slot of a tick, or NOT_FOUND outside the slots or before there is an anchor."""
    if book.scalars[ANCHORED] == 0:
        return NOT_FOUND
    n_slots = book.depth.shape[1]
    slot = tick - book.scalars[ANCHOR] + n_slots // 2
    return slot if 0 <= slot < n_slots else NOT_FOUND


@inlined
def valid_nb(book):
    """Both sides quote, bid < ask, and no snapshot is under way."""
    s = book.scalars
    quoted = s[BEST_BID_KEY] != NO_KEY and s[BEST_ASK_KEY] != NO_KEY
    return s[IN_SNAPSHOT] == 0 and quoted and s[BEST_BID_KEY] + s[BEST_ASK_KEY] < 0


@inlined
def spot_tick_nb(book):
    """floor((bid + ask)/2 + 1/2) in ticks; the book must be valid."""
    return (book.scalars[BEST_BID_KEY] - book.scalars[BEST_ASK_KEY] + 1) >> 1


@kernel
def clear_nb(book):
    """Every order goes; anchor, clock and counters stay."""
    for at in range(book.orders.size):
        book.orders[at].side = EMPTY
    book.depth[:, :] = 0
    book.scalars[N_ORDERS] = 0
    book.scalars[BEST_BID_KEY] = NO_KEY
    book.scalars[BEST_ASK_KEY] = NO_KEY


@kernel
def next_best_nb(book, side, slot):
    """Price key of the best level at or behind a slot that just emptied."""
    row = side - BID
    sign = 1 if side == BID else -1
    if slot != NOT_FOUND:
        n_slots = book.depth.shape[1]
        at = slot - sign
        while 0 <= at < n_slots:
            if book.depth[row, at] > 0:
                return sign * (at + book.scalars[ANCHOR] - n_slots // 2)
            at -= sign
    return best_key_nb(book.orders, side, NO_KEY)  # the next quote lies outside the slots


@inlined
def change_level_nb(book, side, tick, delta):
    """Add `delta` contracts to a level, keeping the best quote. The order table must hold the new state already.

    Returns False if the level's depth would fall below zero.
    """
    row = side - BID
    best = BEST_BID_KEY + row
    key = tick if side == BID else -tick
    slot = slot_of_nb(book, tick)
    emptied = delta < 0
    if slot != NOT_FOUND:
        depth = book.depth[row, slot] + delta
        if depth < 0:
            return False
        book.depth[row, slot] = depth
        emptied = depth == 0
    if delta > 0:
        if key > book.scalars[best]:
            book.scalars[best] = key
    elif emptied and key == book.scalars[best]:
        book.scalars[best] = next_best_nb(book, side, slot)
    return True


@inlined
def put_effect_nb(effects, n, tick, side, channel, amount, depth_delta):
    """Note what happened at one level; returns the new count."""
    effects[n, TICK] = tick
    effects[n, SIDE] = side
    effects[n, CHANNEL] = channel
    effects[n, AMOUNT] = amount
    effects[n, DEPTH_DELTA] = depth_delta
    return n + 1


@inlined
def take_out_nb(book, at):
    """Remove the order in a slot with all it holds; False if its level would fall below zero."""
    side, tick, size = book.orders[at].side, book.orders[at].tick, np.int64(book.orders[at].size)
    remove_nb(book.orders, at)
    book.scalars[N_ORDERS] -= 1
    return change_level_nb(book, side, tick, -size)


@inlined
def add_nb(book, record, side, tick, effects):
    """A new order; an id already resting is replaced."""
    if side == EMPTY:
        book.counters[NO_SIDE] += 1
        return 0
    size = np.int64(record.size)
    if size == 0:
        book.counters[ZERO_SIZE_ADD] += 1
        return 0
    n = 0
    at = find_nb(book.orders, record.order_id)
    if at != NOT_FOUND:
        book.counters[DUPLICATE_ADD] += 1
        order = book.orders[at]
        n = put_effect_nb(effects, n, order.tick, order.side, NO_FLOW, 0, -np.int64(order.size))
        if not take_out_nb(book, at):
            return DEPTH_BELOW_ZERO
    insert_nb(book.orders, record.order_id, side, tick, record.size, 0)
    book.scalars[N_ORDERS] += 1
    change_level_nb(book, side, tick, size)
    return put_effect_nb(effects, n, tick, side, FLOW_ADD, size, size)


@inlined
def cancel_nb(book, at, requested, effects):
    """Take up to `requested` contracts from a resting order; what fills announced is not a pull."""
    order = book.orders[at]
    side, tick, resting = order.side, order.tick, np.int64(order.size)
    removed = min(requested, resting)
    filled = min(order.pending_fill, removed)
    n = put_effect_nb(effects, 0, tick, side, FLOW_PULL, removed - filled, -removed)
    if removed == resting:
        return n if take_out_nb(book, at) else DEPTH_BELOW_ZERO
    book.orders[at].size = resting - removed
    book.orders[at].pending_fill -= filled
    return n if change_level_nb(book, side, tick, -removed) else DEPTH_BELOW_ZERO


@inlined
def modify_nb(book, record, at, record_side, tick, effects):
    """A resting order gets a new size and perhaps a new place."""
    order = book.orders[at]
    old_side, old_tick, old, pending = order.side, order.tick, np.int64(order.size), order.pending_fill
    side = record_side if record_side != EMPTY else old_side
    new = np.int64(record.size)
    if new == 0:
        return cancel_nb(book, at, old, effects)
    kept = old - min(pending, old)
    book.orders[at].side = side
    book.orders[at].tick = tick
    book.orders[at].size = new
    book.orders[at].pending_fill = 0
    if side == old_side and tick == old_tick:
        change = new - kept
        channel = FLOW_ADD if change >= 0 else FLOW_PULL
        n = put_effect_nb(effects, 0, tick, side, channel, abs(change), new - old)
        return n if change_level_nb(book, side, tick, new - old) else DEPTH_BELOW_ZERO
    n = put_effect_nb(effects, 0, old_tick, old_side, FLOW_PULL, kept, -old)
    if not change_level_nb(book, old_side, old_tick, -old):
        return DEPTH_BELOW_ZERO
    change_level_nb(book, side, tick, new)
    return put_effect_nb(effects, n, tick, side, FLOW_ADD, new, new)


@inlined
def fill_nb(book, record, record_side, tick, effects):
    """An execution: names what the following C or M of the same order takes out."""
    size = np.int64(record.size)
    at = find_nb(book.orders, record.order_id)
    if at != NOT_FOUND:
        order_tick, side = book.orders[at].tick, book.orders[at].side
        if record_side != EMPTY and (record.price == UNDEF_PRICE or tick != order_tick):
            book.counters[AGGRESSOR_FILLS] += 1  # the aggressor's own report of an order modified through the market
            return 0
        book.orders[at].pending_fill += size
        tick = order_tick
    else:
        book.counters[UNKNOWN_FILL] += 1
        side = record_side
    book.counters[FILLED_AUCTION if record_side == EMPTY else FILLED_SIDED] += size
    if at == NOT_FOUND and record.price == UNDEF_PRICE:
        return 0
    return put_effect_nb(effects, 0, tick, side, FLOW_FILL, size, 0)


@inlined
def snapshot_over_nb(book, record, ts_ns):
    """Whether the snapshot under way ends before this record: it is not of it, or later than it."""
    s = book.scalars
    return s[IN_SNAPSHOT] != 0 and ((record.flags & F_SNAPSHOT) == 0 or ts_ns > s[SNAPSHOT_NS])


@inlined
def open_snapshot_nb(book, record, ts_ns):
    """A snapshot record outside a snapshot opens one, which says anew all that rests."""
    s = book.scalars
    if (record.flags & F_SNAPSHOT) != 0 and s[IN_SNAPSHOT] == 0:
        clear_nb(book)
        s[IN_SNAPSHOT] = 1
        s[SNAPSHOT_NS] = ts_ns
        book.counters[SNAPSHOTS] += 1


@inlined
def tick_of_nb(price_int, tick_int):
    """floor(price/tick + 1/2) without a sum that could overflow."""
    whole = price_int // tick_int
    return whole + (1 if 2 * (price_int - whole * tick_int) >= tick_int else 0)


@inlined
def change_book_nb(book, record, tick_int, effects):
    """Do what the record's action says; returns a number of effects or a code below zero."""
    action = record.action
    side = BID if record.side == SIDE_BID else (ASK if record.side == SIDE_ASK else EMPTY)
    tick = tick_of_nb(record.price, tick_int)
    if action in (ACT_ADD, ACT_MODIFY):
        if record.price == UNDEF_PRICE:
            book.counters[UNDEF] += 1
            return 0
        if record.price % tick_int != 0:
            book.counters[OFF_GRID] += 1
        at = find_nb(book.orders, record.order_id) if action == ACT_MODIFY else NOT_FOUND
        if at != NOT_FOUND:
            return modify_nb(book, record, at, side, tick, effects)
        if action == ACT_MODIFY:
            book.counters[UNKNOWN_MODIFY] += 1
        return add_nb(book, record, side, tick, effects)
    if action == ACT_CANCEL:
        at = find_nb(book.orders, record.order_id)
        if at == NOT_FOUND:
            book.counters[UNKNOWN_CANCEL] += 1
            return 0
        return cancel_nb(book, at, np.int64(record.size), effects)
    if action == ACT_FILL:
        return fill_nb(book, record, side, tick, effects)
    if action == ACT_TRADE:
        book.counters[TRADED_AUCTION if side == EMPTY else TRADED_SIDED] += record.size
    elif action == ACT_CLEAR:
        book.counters[CLEARS] += 1
        clear_nb(book)
    return 0


@inlined
def apply_nb(book, record, ts_ns, tick_int, effects):
    """Move the book by one record at clock time `ts_ns`; a snapshot that ended before it must be closed already.

    Returns how many rows of `effects` (MAX_EFFECTS, 5) int64 were written (0 for snapshot records, which are no
    flow), NEED_ROOM before anything changed, or DEPTH_BELOW_ZERO.
    """
    s = book.scalars
    if 5 * s[N_ORDERS] >= 3 * book.orders.size:
        return NEED_ROOM
    if ts_ns == s[CLOCK_NS] and record_time_nb(record) < ts_ns:
        book.counters[CLOCK_REGRESSIONS] += 1
    s[CLOCK_NS] = ts_ns
    s[EVENT_ID] += 1
    open_snapshot_nb(book, record, ts_ns)
    n = change_book_nb(book, record, tick_int, effects)
    last = (record.flags & F_LAST) != 0
    if (record.flags & F_SNAPSHOT) != 0:
        if last:
            s[IN_SNAPSHOT] = 0
        return min(n, 0)
    quoted = s[BEST_BID_KEY] != NO_KEY and s[BEST_ASK_KEY] != NO_KEY
    if last and quoted and s[BEST_BID_KEY] + s[BEST_ASK_KEY] >= 0:
        book.counters[CROSSED] += 1
    return n


@inlined
def record_time_nb(record):
    """Event time of a record, int64 ns: ts_recv within a snapshot, whose ts_event is when the order was placed."""
    return np.int64(record.ts_recv if (record.flags & F_SNAPSHOT) != 0 else record.ts_event)


@inlined
def pass_time_nb(book, ts_ns):
    """The clock of the outside passes `ts_ns`: a snapshot older than that is over."""
    if book.scalars[IN_SNAPSHOT] != 0 and ts_ns > book.scalars[SNAPSHOT_NS]:
        book.scalars[IN_SNAPSHOT] = 0


@inlined
def anchor_due_nb(book):
    """Whether the slots must be laid anew around the mid: none yet, or the mid within EDGE_SLOTS of their end."""
    if not valid_nb(book):
        return False
    if book.scalars[ANCHORED] == 0:
        return True
    n_slots = book.depth.shape[1]
    slot = spot_tick_nb(book) - book.scalars[ANCHOR] + n_slots // 2
    return slot < EDGE_SLOTS or slot >= n_slots - EDGE_SLOTS


@kernel
def anchor_nb(book, anchor):
    """Lay the slots around a tick and refill them from the order table."""
    book.scalars[ANCHOR] = anchor
    book.scalars[ANCHORED] = 1
    book.depth[:, :] = 0
    for at in range(book.orders.size):
        if book.orders[at].side != EMPTY:
            slot = slot_of_nb(book, book.orders[at].tick)
            if slot != NOT_FOUND:
                book.depth[book.orders[at].side - BID, slot] += np.int64(book.orders[at].size)
