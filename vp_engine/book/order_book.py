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

DEPTH_BELOW_ZERO = -1  # code of apply_nb; others are a number of effects


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
def slot_of_nb(scalars, n_slots, tick):
    """Slot of a tick, or NOT_FOUND outside the slots or before there is an anchor."""
    slot = tick - scalars[ANCHOR] + (n_slots >> 1)
    return slot if 0 <= slot < n_slots and scalars[ANCHORED] != 0 else NOT_FOUND


@inlined
def quoted_nb(scalars):
    """Both sides quote."""
    return scalars[BEST_BID_KEY] != NO_KEY and scalars[BEST_ASK_KEY] != NO_KEY


@inlined
def valid_nb(scalars):
    """Both sides quote, bid < ask, and no snapshot is under way."""
    return scalars[IN_SNAPSHOT] == 0 and quoted_nb(scalars) and scalars[BEST_BID_KEY] + scalars[BEST_ASK_KEY] < 0


@inlined
def spot_tick_nb(scalars):
    """floor((bid + ask)/2 + 1/2) in ticks; the book must be valid."""
    return (scalars[BEST_BID_KEY] - scalars[BEST_ASK_KEY] + 1) >> 1


@kernel
def clear_nb(orders, depth, scalars):
    """Every order goes; anchor, clock and counters stay."""
    for at in range(orders.size):
        orders[at].side = EMPTY
    depth[:, :] = 0
    scalars[N_ORDERS] = 0
    scalars[BEST_BID_KEY] = NO_KEY
    scalars[BEST_ASK_KEY] = NO_KEY


@kernel
def next_best_nb(orders, depth, scalars, side, slot):
    """Price key of the best level at or behind a slot that just emptied."""
    row = side - BID
    sign = 1 if side == BID else -1
    if slot != NOT_FOUND:
        n_slots = depth.shape[1]
        at = slot - sign
        while 0 <= at < n_slots:
            if depth[row, at] > 0:
                return sign * (at + scalars[ANCHOR] - (n_slots >> 1))
            at -= sign
    return best_key_nb(orders, side, NO_KEY)  # the next quote lies outside the slots


@inlined
def change_level_nb(orders, depth, scalars, side, tick, delta):
    """Add `delta` contracts to a level, keeping the best quote. The order table must hold the new state already.

    Returns False if the level's depth would fall below zero.
    """
    row = side - BID
    best = BEST_BID_KEY + row
    key = tick if side == BID else -tick
    slot = slot_of_nb(scalars, depth.shape[1], tick)
    emptied = delta < 0
    if slot != NOT_FOUND:
        held = depth[row, slot] + delta
        if held < 0:
            return False
        depth[row, slot] = held
        emptied = held == 0
    if delta > 0:
        if key > scalars[best]:
            scalars[best] = key
    elif emptied and key == scalars[best]:
        scalars[best] = next_best_nb(orders, depth, scalars, side, slot)
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
def take_out_nb(orders, depth, scalars, at):
    """Remove the order in a slot with all it holds; False if its level would fall below zero."""
    side, tick, size = np.int64(orders[at].side), orders[at].tick, np.int64(orders[at].size)
    remove_nb(orders, at)
    scalars[N_ORDERS] -= 1
    return change_level_nb(orders, depth, scalars, side, tick, -size)


@inlined
def add_nb(orders, depth, scalars, counters, record, side, tick, effects):
    """A new order; an id already resting is replaced."""
    if side == EMPTY:
        counters[NO_SIDE] += 1
        return 0
    size = np.int64(record.size)
    if size == 0:
        counters[ZERO_SIZE_ADD] += 1
        return 0
    n = 0
    at = find_nb(orders, record.order_id)
    if at != NOT_FOUND:
        counters[DUPLICATE_ADD] += 1
        n = put_effect_nb(
            effects, n, orders[at].tick, np.int64(orders[at].side), NO_FLOW, 0, -np.int64(orders[at].size)
        )
        if not take_out_nb(orders, depth, scalars, at):
            return DEPTH_BELOW_ZERO
    insert_nb(orders, record.order_id, side, tick, record.size, 0)
    scalars[N_ORDERS] += 1
    change_level_nb(orders, depth, scalars, side, tick, size)
    return put_effect_nb(effects, n, tick, side, FLOW_ADD, size, size)


@inlined
def cancel_nb(orders, depth, scalars, at, requested, effects):
    """Take up to `requested` contracts from a resting order; what fills announced is not a pull."""
    side, tick, resting = np.int64(orders[at].side), orders[at].tick, np.int64(orders[at].size)
    removed = min(requested, resting)
    filled = min(orders[at].pending_fill, removed)
    n = put_effect_nb(effects, 0, tick, side, FLOW_PULL, removed - filled, -removed)
    if removed == resting:
        return n if take_out_nb(orders, depth, scalars, at) else DEPTH_BELOW_ZERO
    orders[at].size = resting - removed
    orders[at].pending_fill -= filled
    return n if change_level_nb(orders, depth, scalars, side, tick, -removed) else DEPTH_BELOW_ZERO


@inlined
def modify_nb(orders, depth, scalars, record, at, record_side, tick, effects):
    """A resting order gets a new size and perhaps a new place."""
    old_side, old_tick, old = np.int64(orders[at].side), orders[at].tick, np.int64(orders[at].size)
    side = record_side if record_side != EMPTY else old_side
    new = np.int64(record.size)
    if new == 0:
        return cancel_nb(orders, depth, scalars, at, old, effects)
    kept = old - min(orders[at].pending_fill, old)
    orders[at].side = side
    orders[at].tick = tick
    orders[at].size = new
    orders[at].pending_fill = 0
    if side == old_side and tick == old_tick:
        change = new - kept
        channel = FLOW_ADD if change >= 0 else FLOW_PULL
        n = put_effect_nb(effects, 0, tick, side, channel, abs(change), new - old)
        return n if change_level_nb(orders, depth, scalars, side, tick, new - old) else DEPTH_BELOW_ZERO
    n = put_effect_nb(effects, 0, old_tick, old_side, FLOW_PULL, kept, -old)
    if not change_level_nb(orders, depth, scalars, old_side, old_tick, -old):
        return DEPTH_BELOW_ZERO
    change_level_nb(orders, depth, scalars, side, tick, new)
    return put_effect_nb(effects, n, tick, side, FLOW_ADD, new, new)


@inlined
def fill_nb(orders, counters, record, record_side, tick, effects):
    """An execution: names what the following C or M of the same order takes out."""
    size = np.int64(record.size)
    side = record_side
    at = find_nb(orders, record.order_id)
    if at != NOT_FOUND:
        if record_side != EMPTY and (record.price == UNDEF_PRICE or tick != orders[at].tick):
            counters[AGGRESSOR_FILLS] += 1  # the aggressor's own report of an order modified through the market
            return 0
        orders[at].pending_fill += size
        tick = orders[at].tick
        side = np.int64(orders[at].side)
    else:
        counters[UNKNOWN_FILL] += 1
    counters[FILLED_AUCTION if record_side == EMPTY else FILLED_SIDED] += size
    if at == NOT_FOUND and record.price == UNDEF_PRICE:
        return 0
    return put_effect_nb(effects, 0, tick, side, FLOW_FILL, size, 0)


@inlined
def change_book_nb(orders, depth, scalars, counters, record, tick_int, effects):
    """Do what the record's action says; returns a number of effects or a code below zero."""
    action = record.action
    if action == ACT_TRADE:
        counters[TRADED_SIDED if record.side in (SIDE_BID, SIDE_ASK) else TRADED_AUCTION] += record.size
        return 0
    if action == ACT_CANCEL:
        at = find_nb(orders, record.order_id)
        if at == NOT_FOUND:
            counters[UNKNOWN_CANCEL] += 1
            return 0
        return cancel_nb(orders, depth, scalars, at, np.int64(record.size), effects)
    side = BID if record.side == SIDE_BID else (ASK if record.side == SIDE_ASK else EMPTY)
    below = record.price // tick_int
    rest = record.price - below * tick_int
    tick = below + (1 if 2 * rest >= tick_int else 0)  # floor(price/tick + 1/2) without a sum that could overflow
    if action in (ACT_ADD, ACT_MODIFY):
        if record.price == UNDEF_PRICE:
            counters[UNDEF] += 1
            return 0
        counters[OFF_GRID] += rest != 0
        at = find_nb(orders, record.order_id) if action == ACT_MODIFY else NOT_FOUND
        if at != NOT_FOUND:
            return modify_nb(orders, depth, scalars, record, at, side, tick, effects)
        counters[UNKNOWN_MODIFY] += action == ACT_MODIFY
        return add_nb(orders, depth, scalars, counters, record, side, tick, effects)
    if action == ACT_FILL:
        return fill_nb(orders, counters, record, side, tick, effects)
    if action == ACT_CLEAR:
        counters[CLEARS] += 1
        clear_nb(orders, depth, scalars)
    return 0


@inlined
def record_time_nb(record):
    """Event time of a record, int64 ns: ts_recv within a snapshot, whose ts_event is when the order was placed."""
    return np.int64(record.ts_recv if (record.flags & F_SNAPSHOT) != 0 else record.ts_event)


@inlined
def snapshot_over_nb(scalars, record, ts_ns):
    """Whether the snapshot under way ends before this record: it is not of it, or later than it."""
    return scalars[IN_SNAPSHOT] != 0 and ((record.flags & F_SNAPSHOT) == 0 or ts_ns > scalars[SNAPSHOT_NS])


@inlined
def apply_nb(orders, depth, scalars, counters, record, ts_ns, tick_int, effects):
    """Move the book by one record at clock time `ts_ns`; a snapshot that ended before it must be closed already.

    Returns how many rows of `effects` (MAX_EFFECTS, 5) int64 were written (0 for snapshot records, which are no
    flow), or DEPTH_BELOW_ZERO. The order table must have room for one more.
    """
    snapshot = (record.flags & F_SNAPSHOT) != 0
    last = (record.flags & F_LAST) != 0
    counters[CLOCK_REGRESSIONS] += record_time_nb(record) < ts_ns
    scalars[CLOCK_NS] = ts_ns
    scalars[EVENT_ID] += 1
    if snapshot and scalars[IN_SNAPSHOT] == 0:  # a snapshot says anew all that rests
        clear_nb(orders, depth, scalars)
        scalars[IN_SNAPSHOT] = 1
        scalars[SNAPSHOT_NS] = ts_ns
        counters[SNAPSHOTS] += 1
    n = change_book_nb(orders, depth, scalars, counters, record, tick_int, effects)
    if snapshot:
        if last:
            scalars[IN_SNAPSHOT] = 0
        return min(n, 0)
    counters[CROSSED] += last and quoted_nb(scalars) and scalars[BEST_BID_KEY] + scalars[BEST_ASK_KEY] >= 0
    return n


@inlined
def full_nb(orders, scalars):
    """Whether the order table must grow before another order comes in."""
    return 5 * scalars[N_ORDERS] >= 3 * orders.size


@kernel
def pass_time_nb(scalars, ts_ns):
    """The clock of the outside passes `ts_ns`: a snapshot older than that is over."""
    if scalars[IN_SNAPSHOT] != 0 and ts_ns > scalars[SNAPSHOT_NS]:
        scalars[IN_SNAPSHOT] = 0


@inlined
def anchor_due_nb(scalars, n_slots):
    """Whether the slots must be laid anew around the mid: none yet, or the mid within EDGE_SLOTS of their end."""
    if not valid_nb(scalars):
        return False
    slot = spot_tick_nb(scalars) - scalars[ANCHOR] + (n_slots >> 1)
    return scalars[ANCHORED] == 0 or slot < EDGE_SLOTS or slot >= n_slots - EDGE_SLOTS


@kernel
def anchor_nb(orders, depth, scalars, anchor):
    """Lay the slots around a tick and refill them from the order table."""
    scalars[ANCHOR] = anchor
    scalars[ANCHORED] = 1
    depth[:, :] = 0
    for at in range(orders.size):
        if orders[at].side != EMPTY:
            slot = slot_of_nb(scalars, depth.shape[1], orders[at].tick)
            if slot != NOT_FOUND:
                depth[np.int64(orders[at].side) - BID, slot] += np.int64(orders[at].size)


def lay_slots(book: BookState, anchor: int) -> None:
    """Lay a book's slots around a tick; no order is lost."""
    anchor_nb(book.orders, book.depth, book.scalars, anchor)


def is_valid(book: BookState) -> bool:
    """Both sides quote, bid < ask, and no snapshot is under way."""
    return bool(valid_nb(book.scalars))


def spot_tick(book: BookState) -> int:
    """Spot of a valid book, absolute tick."""
    return int(spot_tick_nb(book.scalars))
