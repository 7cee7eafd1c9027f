"""The level-3 book: one record in, its effects on price levels out. Databento's MBO semantics.

Sizes in contracts, ticks absolute int64, times int64 ns. Kernels take bare arrays (see `state`), return a code and
never raise.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from vp_engine.book.levels import change_level_nb, clear_nb, quoted_nb
from vp_engine.book.order_table import ASK, BID, EMPTY, NOT_FOUND, find_nb, insert_nb, remove_nb
from vp_engine.book.state import (
    AGGRESSOR_FILLS,
    BEST_ASK_KEY,
    BEST_BID_KEY,
    CLEARS,
    CLOCK_NS,
    CLOCK_REGRESSIONS,
    CROSSED,
    DUPLICATE_ADD,
    EVENT_ID,
    FILLED_SIDED,
    FILLED_UNSIDED,
    IN_SNAPSHOT,
    LAST_EVENT_NS,
    LAST_PUBLISHER,
    LAST_SEQUENCE,
    MAYBE_BAD_BOOK,
    N_ORDERS,
    NO_SIDE,
    OFF_GRID,
    OVERFILLED,
    PUBLISHER_SLOTS,
    RESTATING,
    SEQUENCE_REGRESSIONS,
    SNAPSHOT_NS,
    SNAPSHOTS,
    TRADE_LEFT,
    TRADE_NS,
    TRADE_SIDE,
    TRADED_SIDED,
    TRADED_UNSIDED,
    UNATTRIBUTED,
    UNDEF,
    UNKNOWN_CANCEL,
    UNKNOWN_FILL,
    UNKNOWN_MODIFY,
    ZERO_SIZE_ADD,
)
from vp_engine.feed.records import F_LAST, F_MAYBE_BAD_BOOK, F_SNAPSHOT
from vp_engine.jit import inlined, kernel
from vp_engine.units import UNDEF_PRICE

ACT_ADD, ACT_CANCEL, ACT_MODIFY, ACT_CLEAR, ACT_TRADE, ACT_FILL = (ord(letter) for letter in "ACMRTF")
SIDE_BID, SIDE_ASK = ord("B"), ord("A")

# What a record does to one level: columns of `effects`.
TICK, SIDE, CHANNEL, AMOUNT, DEPTH_DELTA = range(5)
FLOW_ADD, FLOW_PULL, FLOW_FILL, NO_FLOW = 0, 1, 2, -1
MAX_EFFECTS = 2

DEPTH_BELOW_ZERO = -1  # code of apply_nb; others are a number of effects


@inlined
def fault_nb(counters, first_ns, scalars, which, amount):
    """Count a fault, and note when it was first seen."""
    if counters[which] == 0:
        first_ns[which] = scalars[CLOCK_NS]
    counters[which] += amount


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
def add_nb(orders, depth, scalars, counters, first_ns, record, side, tick, effects):
    """A new order; an id already resting is replaced."""
    if side == EMPTY:
        fault_nb(counters, first_ns, scalars, NO_SIDE, 1)
        return 0
    size = np.int64(record.size)
    if size == 0:
        fault_nb(counters, first_ns, scalars, ZERO_SIZE_ADD, 1)
        return 0
    n = 0
    at = find_nb(orders, record.order_id)
    if at != NOT_FOUND:
        fault_nb(counters, first_ns, scalars, DUPLICATE_ADD, 1)
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
def side_of_nb(record):
    """Side of a record as the order table has it: BID, ASK, or EMPTY for a record without one."""
    return BID if record.side == SIDE_BID else (ASK if record.side == SIDE_ASK else EMPTY)


@inlined
def trade_nb(scalars, counters, record):
    """A trade: remember it for the fills that follow within the same event. Its contracts count as unattributed until
    fills of resting orders explain them."""
    size = np.int64(record.size)
    side = side_of_nb(record)
    scalars[TRADE_NS] = np.int64(record.ts_event)
    scalars[TRADE_SIDE] = side
    scalars[TRADE_LEFT] = size
    if side == EMPTY:
        counters[TRADED_UNSIDED] += size
    else:
        counters[TRADED_SIDED] += size
        counters[UNATTRIBUTED] += size


@inlined
def fill_nb(orders, scalars, counters, first_ns, record, tick, effects):
    """An execution of a resting order: names what the following C or M of the same order takes out.

    It belongs to the last trade of the same ts_event. A fill on that trade's own side is the aggressor's report of its
    execution and moves nothing. Fills of a trade without a side and fills without a trade (crosses) are counted apart.
    """
    size = np.int64(record.size)
    side = side_of_nb(record)
    of_sided = scalars[TRADE_NS] == np.int64(record.ts_event) and scalars[TRADE_SIDE] != EMPTY
    if of_sided and side == scalars[TRADE_SIDE]:
        counters[AGGRESSOR_FILLS] += 1
        return 0
    if of_sided:
        explained = min(size, scalars[TRADE_LEFT])
        scalars[TRADE_LEFT] -= explained
        counters[UNATTRIBUTED] -= explained
        if size > explained:
            fault_nb(counters, first_ns, scalars, OVERFILLED, size - explained)
        counters[FILLED_SIDED] += size
    else:
        counters[FILLED_UNSIDED] += size
    at = find_nb(orders, record.order_id)
    if at != NOT_FOUND:
        orders[at].pending_fill += size
        tick = orders[at].tick
        side = np.int64(orders[at].side)
    else:
        fault_nb(counters, first_ns, scalars, UNKNOWN_FILL, 1)
        if record.price == UNDEF_PRICE:
            return 0
    return put_effect_nb(effects, 0, tick, side, FLOW_FILL, size, 0)


@inlined
def change_book_nb(orders, depth, scalars, counters, first_ns, record, tick_int, effects):
    """Do what the record's action says; returns a number of effects or a code below zero."""
    action = record.action
    if action == ACT_TRADE:
        if (record.flags & F_SNAPSHOT) == 0:
            trade_nb(scalars, counters, record)
        return 0
    if action == ACT_CANCEL:
        at = find_nb(orders, record.order_id)
        if at == NOT_FOUND:
            fault_nb(counters, first_ns, scalars, UNKNOWN_CANCEL, 1)
            return 0
        return cancel_nb(orders, depth, scalars, at, np.int64(record.size), effects)
    side = side_of_nb(record)
    below = record.price // tick_int
    rest = record.price - below * tick_int
    tick = below + (1 if 2 * rest >= tick_int else 0)  # floor(price/tick + 1/2) without a sum that could overflow
    if action in (ACT_ADD, ACT_MODIFY):
        if record.price == UNDEF_PRICE:
            fault_nb(counters, first_ns, scalars, UNDEF, 1)
            return 0
        if rest != 0:
            fault_nb(counters, first_ns, scalars, OFF_GRID, 1)
        at = find_nb(orders, record.order_id) if action == ACT_MODIFY else NOT_FOUND
        if at != NOT_FOUND:
            return modify_nb(orders, depth, scalars, record, at, side, tick, effects)
        if action == ACT_MODIFY:
            fault_nb(counters, first_ns, scalars, UNKNOWN_MODIFY, 1)
        return add_nb(orders, depth, scalars, counters, first_ns, record, side, tick, effects)
    if action == ACT_FILL and (record.flags & F_SNAPSHOT) == 0:
        return fill_nb(orders, scalars, counters, first_ns, record, tick, effects)
    if action == ACT_CLEAR:
        counters[CLEARS] += 1
        clear_nb(orders, depth, scalars)
    return 0


@inlined
def watch_sequence_nb(scalars, counters, first_ns, record):
    """Count a record where a publisher's sequence number runs back without its time moving on: a part of the day comes
    again from there. A lower number at a later time is a counter that was set back.

    A clear and a snapshot start over, 0 is no number. Publishers have numbers of their own; two that share a slot push
    each other out and are not watched while they alternate.
    """
    slot = np.int64(record.publisher_id) % PUBLISHER_SLOTS
    if record.action == ACT_CLEAR or (record.flags & F_SNAPSHOT) != 0:
        scalars[LAST_SEQUENCE + slot] = 0
        return
    sequence, event_ns = np.int64(record.sequence), np.int64(record.ts_event)
    if sequence == 0:
        return
    known = scalars[LAST_PUBLISHER + slot] == record.publisher_id
    back = known and sequence < scalars[LAST_SEQUENCE + slot]
    if back and event_ns <= scalars[LAST_EVENT_NS + slot]:
        fault_nb(counters, first_ns, scalars, SEQUENCE_REGRESSIONS, 1)
    scalars[LAST_PUBLISHER + slot] = record.publisher_id
    scalars[LAST_SEQUENCE + slot] = sequence
    scalars[LAST_EVENT_NS + slot] = event_ns


@inlined
def record_time_nb(record):
    """Event time of a record, int64 ns: ts_recv within a snapshot, whose ts_event is when the order was placed."""
    return np.int64(record.ts_recv if (record.flags & F_SNAPSHOT) != 0 else record.ts_event)


@inlined
def snapshot_over_nb(scalars, record, ts_ns):
    """Whether the snapshot under way ends before this record: it is not of it, or later than it."""
    return scalars[IN_SNAPSHOT] != 0 and ((record.flags & F_SNAPSHOT) == 0 or ts_ns > scalars[SNAPSHOT_NS])


@inlined
def snapshot_edge_nb(scalars, record):
    """Whether the book must be looked at before this record: a snapshot begins over resting orders, or one has ended
    that nobody looked at (RESTATING)."""
    begins = (record.flags & F_SNAPSHOT) != 0 and scalars[N_ORDERS] != 0
    return scalars[IN_SNAPSHOT] == 0 and (begins or scalars[RESTATING] != 0)


@inlined
def apply_nb(orders, depth, scalars, counters, first_ns, record, ts_ns, tick_int, effects):
    """Move the book by one record at clock time `ts_ns`; a snapshot that ended before it must be closed already.

    Returns how many rows of `effects` (MAX_EFFECTS, 5) int64 were written (0 for snapshot records, which are no
    flow), or DEPTH_BELOW_ZERO. The order table must have room for one more.
    """
    snapshot = (record.flags & F_SNAPSHOT) != 0
    last = (record.flags & F_LAST) != 0
    scalars[CLOCK_NS] = ts_ns
    if record_time_nb(record) < ts_ns:
        fault_nb(counters, first_ns, scalars, CLOCK_REGRESSIONS, 1)
    watch_sequence_nb(scalars, counters, first_ns, record)
    if (record.flags & F_MAYBE_BAD_BOOK) != 0:
        fault_nb(counters, first_ns, scalars, MAYBE_BAD_BOOK, 1)
    scalars[EVENT_ID] += 1
    if snapshot and scalars[IN_SNAPSHOT] == 0:  # a snapshot says anew all that rests
        clear_nb(orders, depth, scalars)
        scalars[IN_SNAPSHOT] = 1
        scalars[RESTATING] = 1
        scalars[SNAPSHOT_NS] = ts_ns
        counters[SNAPSHOTS] += 1
    n = change_book_nb(orders, depth, scalars, counters, first_ns, record, tick_int, effects)
    if snapshot:
        if last:
            scalars[IN_SNAPSHOT] = 0
        return min(n, 0)
    if last and quoted_nb(scalars) and scalars[BEST_BID_KEY] + scalars[BEST_ASK_KEY] >= 0:
        fault_nb(counters, first_ns, scalars, CROSSED, 1)
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
