"""AbsoluteTickEngine: records move the book, the book's effects drive the kinetics of every tick around the market.

One slot a tick, index = tick - anchor + n_slots/2. Sizes in contracts, times int64 ns. Before the warm-up the book
moves alone; from then on flow is tracked at the ticks inside the slots. Kernels return a code and never raise.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vp_engine.book.levels import (
    anchor_due_nb,
    slot_of_nb,
)
from vp_engine.book.order_book import (
    ACT_TRADE,
    AMOUNT,
    CHANNEL,
    DEPTH_BELOW_ZERO,
    DEPTH_DELTA,
    FLOW_FILL,
    MAX_EFFECTS,
    SIDE,
    SIDE_ASK,
    SIDE_BID,
    TICK,
    apply_nb,
    full_nb,
    record_time_nb,
    snapshot_edge_nb,
    snapshot_over_nb,
)
from vp_engine.book.order_table import BID, NOT_FOUND, home_nb
from vp_engine.book.state import (
    CLOCK_NS,
    EVENT_ID,
    IN_SNAPSHOT,
    BookState,
    new_book,
)
from vp_engine.feed.records import F_SNAPSHOT
from vp_engine.field.kinetics import (
    ASK_DEPTH,
    BID_DEPTH,
    BLOCK_SLOTS,
    Kinetics,
    add_impulse_nb,
    advance_nb,
    new_kinetics,
    wake_nb,
)
from vp_engine.jit import kernel
from vp_engine.prefetch import prefetch_nb

# What one bin counts, by index of `tally`, and whether flow is tracked.
BIN_EVENTS, TRADES, BUY_VOLUME, SELL_VOLUME, UNSIDED_TRADES, UNSIDED_VOLUME, FLOW_ON, FILLS = range(8)

RECORDS_AHEAD = 12  # a large order table answers from memory after some hundred cycles: ask that much earlier
# Why consume_nb came back.
STOPPED, OUT_OF_RECORDS, GROW_TABLE, LAY_SLOTS, SNAPSHOT_EDGE, BAD_DEPTH = range(6)


class TickState(NamedTuple):
    """book and kinetics; last_event_id: int64 (n_slots,); fill_size: float64 (n_slots,) of the bin under way;
    tally: int64 (8,); effects: int64 (2, 5), scratch."""

    book: BookState
    kinetics: Kinetics
    last_event_id: np.ndarray
    fill_size: np.ndarray
    tally: np.ndarray
    effects: np.ndarray


def new_ticks(n_slots: int, taus: tuple[float, float, float, float], book: BookState | None = None) -> TickState:
    """A field at rest over an empty book, or over a book that was loaded."""
    return TickState(
        book=book if book is not None else new_book(n_slots),
        kinetics=new_kinetics(n_slots, taus),
        last_event_id=np.zeros(n_slots, np.int64),
        fill_size=np.zeros(n_slots),
        tally=np.zeros(8, np.int64),
        effects=np.zeros((MAX_EFFECTS, 5), np.int64),
    )


@kernel
def consume_nb(records, first, limit_ns, tick_int, ticks):
    """Take records[first:] while their clock is before `limit_ns`. records: MBO_DTYPE (n,).

    Returns (code, next record): STOPPED at the limit, OUT_OF_RECORDS, GROW_TABLE, LAY_SLOTS and SNAPSHOT_EDGE before
    that record, BAD_DEPTH at it. The state is taken apart once: a field of a tuple costs counting at every use.
    """
    orders, depth, scalars = ticks.book.orders, ticks.book.depth, ticks.book.scalars
    counters, first_ns = ticks.book.counters, ticks.book.first_ns
    sums, gain, rates = ticks.kinetics.sums, ticks.kinetics.gain, ticks.kinetics.rates
    clock, powers = ticks.kinetics.clock, ticks.kinetics.powers
    touched, awake, moved = ticks.kinetics.touched, ticks.kinetics.awake, ticks.kinetics.moved
    last_event_id, fill_size, tally, effects = ticks.last_event_id, ticks.fill_size, ticks.tally, ticks.effects
    n_slots = depth.shape[1]
    flow_on = tally[FLOW_ON] != 0
    for at in range(first, records.size):
        record = records[at]
        ahead = min(at + RECORDS_AHEAD, records.size - 1)
        prefetch_nb(orders, home_nb(orders, records[ahead].order_id))
        ts_ns = max(record_time_nb(record), scalars[CLOCK_NS])
        if ts_ns >= limit_ns:
            return STOPPED, at
        if snapshot_over_nb(scalars, record, ts_ns):
            scalars[IN_SNAPSHOT] = 0
            if anchor_due_nb(scalars, n_slots):
                return LAY_SLOTS, at
        if snapshot_edge_nb(scalars, record):
            return SNAPSHOT_EDGE, at
        if full_nb(orders, scalars):
            return GROW_TABLE, at
        n_effects = apply_nb(orders, depth, scalars, counters, first_ns, record, ts_ns, tick_int, effects)
        if n_effects == DEPTH_BELOW_ZERO:
            return BAD_DEPTH, at
        tally[BIN_EVENTS] += 1
        if record.action == ACT_TRADE and (record.flags & F_SNAPSHOT) == 0:
            volume = UNSIDED_VOLUME
            if record.side == SIDE_BID or record.side == SIDE_ASK:
                volume = BUY_VOLUME if record.side == SIDE_BID else SELL_VOLUME
            tally[UNSIDED_TRADES if volume == UNSIDED_VOLUME else TRADES] += 1
            tally[volume] += record.size
        if flow_on and n_effects > 0:
            advance_nb(ts_ns, sums, gain, rates, clock, powers, touched, moved)
            for n in range(n_effects):
                slot = slot_of_nb(scalars, n_slots, effects[n, TICK])
                if slot == NOT_FOUND:
                    continue
                last_event_id[slot] = scalars[EVENT_ID]
                wake_nb(touched, awake, moved, slot)
                channel, amount, delta = effects[n, CHANNEL], effects[n, AMOUNT], effects[n, DEPTH_DELTA]
                if amount != 0:
                    add_impulse_nb(sums, gain, slot, channel, amount)
                if delta != 0:
                    side = BID_DEPTH if effects[n, SIDE] == BID else ASK_DEPTH
                    add_impulse_nb(sums, gain, slot, side, delta)
                if channel == FLOW_FILL:
                    fill_size[slot] += amount
                    tally[FILLS] += 1
        if anchor_due_nb(scalars, n_slots):
            return LAY_SLOTS, at + 1
    return OUT_OF_RECORDS, records.size


@kernel
def start_bin_nb(ticks):
    """Forget what the last bin counted."""
    ticks.tally[BIN_EVENTS : UNSIDED_VOLUME + 1] = 0
    if ticks.tally[FILLS] != 0:
        ticks.fill_size[:] = 0.0
        ticks.tally[FILLS] = 0


def shift_slots(ticks: TickState, shift: int) -> None:
    """Follow an anchor that moved by `shift` ticks; ticks that enter the slots begin at rest."""
    n_slots = ticks.last_event_id.size
    for values in (*ticks.kinetics.sums[:, :n_slots], ticks.last_event_id, ticks.fill_size):
        shift_axis(values, shift)
    touched = np.logical_or.reduceat(ticks.last_event_id != 0, np.arange(0, n_slots, BLOCK_SLOTS))
    for marks in (ticks.kinetics.touched, ticks.kinetics.awake, ticks.kinetics.moved):
        marks[:] = touched


def shift_axis(values: np.ndarray, shift: int) -> None:
    """Move along the first axis in place so that index i takes what stood at i + shift; zeros enter."""
    n = values.shape[0]
    moved = np.zeros_like(values)
    if abs(shift) < n:
        if shift >= 0:
            moved[: n - shift] = values[shift:]
        else:
            moved[-shift:] = values[: n + shift]
    values[...] = moved
