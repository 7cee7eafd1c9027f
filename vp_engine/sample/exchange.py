"""The matching engine of the synthetic exchange: orders in FIFO queues per tick, and the MBO records they cause.

Ticks are absolute (price / tick size), 0 <= tick < N_TICKS. Sides: BID = 0, ASK = 1; `AWAY[side]` points from the
touch into the book. Sizes in lots. A slot is an order's place in `orders`; -1 is no order. The two best ticks are
always occupied. Kernels never raise; a full table refuses the new order.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vp_engine.feed.records import MBO_RTYPE, MBO_WORDS
from vp_engine.jit import inner

N_TICKS = 1 << 17
BID, ASK = 0, 1
AWAY = np.array([-1, 1], np.int64)
SIDE_CODE = np.array([ord("B"), ord("A")], np.int64)
# Typed, because numba would compile every kernel anew for each plain constant it is called with.
WORKING, PARKED = np.int64(0), np.int64(1)  # near orders that live for seconds; far ones that stay
A, C, M, T, F, R, NO_SIDE = (np.int64(code) for code in b"ACMTFRN")
ZERO = np.int64(0)
MAX_FILLS = 256  # of one aggressor
LATENCY_NS = 120_000.0  # from the exchange's clock to the capture server's

ORDER_DTYPE = np.dtype(
    [
        ("order_id", "i8"),
        ("born_ns", "i8"),
        ("ahead", "i4"),  # slot in front of it in its queue
        ("behind", "i4"),
        ("tick", "i4"),
        ("lots", "i4"),
        ("hidden", "i4"),  # iceberg: lots not yet shown
        ("peak", "i4"),  # iceberg: lots shown after a refresh
        ("place", "i4"),  # index in its list
        ("side", "i1"),
        ("kind", "i1"),  # WORKING or PARKED
    ],
    align=True,
)
FILL_DTYPE = np.dtype([("order_id", "i8"), ("tick", "i4"), ("lots", "i4"), ("left", "i4")], align=True)

# Places in Exchange.ints.
TS, RECV, DELTA, SEQ, NEXT_ID, N_FREE, N_WORKING, N_PARKED, INSTRUMENT, TICK_INT, NEAREST_PARKED = range(11)
N_INTS = 11


class Exchange(NamedTuple):
    """State of book and clock. All arrays; kernels change them in place.

    rng uint64 (4,); head, tail, queued, lots, working int32 (N_TICKS,): both ends, orders, lots, working orders
    of each queue;
    orders ORDER_DTYPE (capacity,);
    free int32 (capacity,) stack of unused slots; lists int32 (2, capacity) slots by kind; best int64 (2,) ticks;
    fills FILL_DTYPE (MAX_FILLS,) scratch; ints int64 (N_INTS,).
    """

    rng: np.ndarray
    head: np.ndarray
    tail: np.ndarray
    queued: np.ndarray
    lots: np.ndarray
    working: np.ndarray
    orders: np.ndarray
    free: np.ndarray
    lists: np.ndarray
    best: np.ndarray
    fills: np.ndarray
    ints: np.ndarray


def empty_exchange(rng: np.ndarray, capacity: int, instrument_id: int, tick_int: int, mid_tick: int) -> Exchange:
    """An exchange without orders around `mid_tick`, room for `capacity` orders."""
    ints = np.zeros(N_INTS, np.int64)
    ints[[N_FREE, INSTRUMENT, TICK_INT]] = capacity, instrument_id, tick_int
    ints[[SEQ, NEXT_ID]] = 1_000, 6_870_000_000_000
    return Exchange(
        rng,
        np.full(N_TICKS, -1, np.int32),
        np.full(N_TICKS, -1, np.int32),
        np.zeros(N_TICKS, np.int32),
        np.zeros(N_TICKS, np.int32),
        np.zeros(N_TICKS, np.int32),
        np.zeros(capacity, ORDER_DTYPE),
        np.arange(capacity - 1, -1, -1, dtype=np.int32),
        np.zeros((2, capacity), np.int32),
        np.array([mid_tick - 1, mid_tick + 1], np.int64),
        np.zeros(MAX_FILLS, FILL_DTYPE),
        ints,
    )


@inner
def queue_nb(ex, slot, tick):
    """Put an order behind all others at `tick`; the best tick follows if it is better."""
    order = ex.orders[slot]
    order.tick = tick
    order.ahead = ex.tail[tick]
    order.behind = -1
    if ex.tail[tick] >= 0:
        ex.orders[ex.tail[tick]].behind = slot
    else:
        ex.head[tick] = slot
    ex.tail[tick] = slot
    ex.queued[tick] += 1
    ex.working[tick] += order.kind == WORKING
    ex.lots[tick] += order.lots
    side = order.side
    if (tick - ex.best[side]) * AWAY[side] < 0:
        ex.best[side] = tick


@inner
def unqueue_nb(ex, slot):
    """Take an order out of its queue. The best tick is left to `retreat_nb`."""
    order = ex.orders[slot]
    tick = order.tick
    if order.ahead >= 0:
        ex.orders[order.ahead].behind = order.behind
    else:
        ex.head[tick] = order.behind
    if order.behind >= 0:
        ex.orders[order.behind].ahead = order.ahead
    else:
        ex.tail[tick] = order.ahead
    ex.queued[tick] -= 1
    ex.working[tick] -= order.kind == WORKING
    ex.lots[tick] -= order.lots


@inner
def retreat_nb(ex, side):
    """Move the best tick into the book until its queue is not empty."""
    tick = ex.best[side]
    while ex.queued[tick] == 0 and 0 < tick < N_TICKS - 1:
        tick += AWAY[side]
    ex.best[side] = tick


@inner
def enter_nb(ex, side, tick, lots, kind):
    """A new resting order with the next order id; its slot, or -1 if the table is full."""
    if ex.ints[N_FREE] == 0:
        return -1
    ex.ints[N_FREE] -= 1
    slot = np.int64(ex.free[ex.ints[N_FREE]])
    order = ex.orders[slot]
    ex.ints[NEXT_ID] += 1
    order.order_id = ex.ints[NEXT_ID]
    order.born_ns = ex.ints[TS]
    order.lots = lots
    order.hidden = 0
    order.side = side
    order.kind = kind
    order.place = ex.ints[N_WORKING + kind]
    ex.lists[kind, order.place] = slot
    ex.ints[N_WORKING + kind] += 1
    queue_nb(ex, slot, tick)
    return slot


@inner
def leave_nb(ex, slot):
    """A resting order goes; its slot is free and the best tick right again."""
    order = ex.orders[slot]
    kind, side = order.kind, order.side
    unqueue_nb(ex, slot)
    ex.ints[N_WORKING + kind] -= 1
    last = ex.lists[kind, ex.ints[N_WORKING + kind]]
    ex.lists[kind, order.place] = last
    ex.orders[last].place = order.place
    ex.free[ex.ints[N_FREE]] = slot
    ex.ints[N_FREE] += 1
    retreat_nb(ex, side)


@inner
def move_nb(ex, slot, tick, lots):
    """An order goes to the end of the queue at `tick`, with `lots`."""
    side = ex.orders[slot].side
    unqueue_nb(ex, slot)
    ex.orders[slot].lots = lots
    queue_nb(ex, slot, np.int64(tick))
    retreat_nb(ex, side)


@inner
def shrink_nb(ex, slot, by):
    """An order loses lots and keeps its place."""
    ex.orders[slot].lots -= by
    ex.lots[ex.orders[slot].tick] -= by


@inner
def emit_nb(ex, out, n, action, side_code, order_id, tick, lots):
    """Write record n of `out` (MBO_DTYPE) at the exchange's present time; returns n + 1. Flags are 0."""
    row = out[n]
    row.length = MBO_WORDS
    row.rtype = MBO_RTYPE
    row.publisher_id = 1
    row.instrument_id = ex.ints[INSTRUMENT]
    row.ts_event = ex.ints[TS]
    row.order_id = order_id
    row.price = tick * ex.ints[TICK_INT]
    row.size = lots
    row.flags = 0
    row.channel_id = 0
    row.action = action
    row.side = side_code
    row.ts_recv = ex.ints[RECV]
    row.ts_in_delta = ex.ints[DELTA]
    row.sequence = ex.ints[SEQ]
    return n + 1


@inner
def emit_order_nb(ex, out, n, action, slot):
    """Write a record of an order as it rests now."""
    order = ex.orders[slot]
    return emit_nb(
        ex, out, n, action, SIDE_CODE[order.side], order.order_id, np.int64(order.tick), np.int64(order.lots)
    )


@inner
def packet_nb(ex, wait_ns):
    """Start a packet: receive time (never falling), sending latency and sequence of the records that follow."""
    recv = ex.ints[TS] + np.int64(LATENCY_NS + wait_ns)
    ex.ints[RECV] = max(recv, ex.ints[RECV])
    ex.ints[DELTA] = 12_500 + np.int64(wait_ns) % 6_000
    ex.ints[SEQ] += 1


@inner
def fill_level_nb(ex, out, n, passive, tick, lots, n_fills):
    """Fill up to `lots` at one tick from the front of its queue, one F each.

    Returns (n, lots left, n_fills, refreshed). `refreshed`: an iceberg showed new lots at the queue's
    end; what fills it again is another event.
    """
    refreshed = False
    first_shown = np.int64(-1)
    while lots > 0 and n_fills < MAX_FILLS and ex.queued[tick] > 0:
        slot = np.int64(ex.head[tick])
        if slot == first_shown:
            break
        order = ex.orders[slot]
        taken = min(lots, np.int64(order.lots))
        n = emit_nb(ex, out, n, F, SIDE_CODE[passive], order.order_id, tick, taken)
        fill = ex.fills[n_fills]
        fill.order_id = order.order_id
        fill.tick = tick
        fill.lots = taken
        lots -= taken
        n_fills += 1
        if taken < order.lots:
            shrink_nb(ex, slot, taken)
            fill.left = order.lots
        elif order.hidden > 0:
            shown = np.int64(min(order.peak, order.hidden))
            order.hidden -= shown
            fill.left = shown
            move_nb(ex, slot, tick, shown)
            refreshed = True
            if first_shown < 0:
                first_shown = slot
        else:
            fill.left = 0
            leave_nb(ex, slot)
    return n, lots, n_fills, refreshed


@inner
def aggress_nb(ex, out, n, side, lots, limit_tick, rests, wait_ns):
    """An aggressor takes what rests up to `limit_tick`; what is left then rests there if `rests`.

    Records as CME sends them: per price one T (aggressor's side) and its F, then in the next packet the
    aggressor's own A, and C or M of every order filled. Returns n.
    """
    passive = 1 - side
    ex.ints[NEXT_ID] += 1
    order_id = ex.ints[NEXT_ID]
    n_fills = ZERO
    refreshed = False
    while lots > 0 and n_fills < MAX_FILLS and not refreshed:
        tick = ex.best[passive]
        if (tick - limit_tick) * AWAY[passive] > 0 or ex.queued[tick] == 0:
            break
        trade = n
        before = lots
        n = emit_nb(ex, out, n, T, SIDE_CODE[side], order_id, tick, ZERO)
        n, lots, n_fills, refreshed = fill_level_nb(ex, out, n, passive, tick, lots, n_fills)
        out[trade].size = before - lots
    if n_fills > 0:
        packet_nb(ex, wait_ns + 8_000.0)
    if rests and lots > 0 and not refreshed and n_fills < MAX_FILLS:
        slot = enter_nb(ex, side, limit_tick, lots, WORKING)
        if slot >= 0:
            ex.orders[slot].order_id = order_id
            n = emit_order_nb(ex, out, n, A, slot)
    for i in range(n_fills):
        fill = ex.fills[i]
        action = M if fill.left > 0 else C
        size = np.int64(fill.left if fill.left > 0 else fill.lots)
        n = emit_nb(ex, out, n, action, SIDE_CODE[passive], fill.order_id, np.int64(fill.tick), size)
    return n
