"""AbsoluteTickEngine: records move the book, the book's effects drive the kinetics of every tick around the market.

One slot a tick, index = tick - anchor + n_slots/2. Sizes in contracts, times int64 ns. Before the warm-up the book
moves alone; from then on flow is tracked at the ticks inside the slots. Kernels return a code and never raise.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vp_engine.book.order_book import (
    ACT_TRADE,
    AMOUNT,
    CHANNEL,
    CLOCK_NS,
    DEPTH_BELOW_ZERO,
    DEPTH_DELTA,
    EVENT_ID,
    FLOW_FILL,
    IN_SNAPSHOT,
    MAX_EFFECTS,
    NEED_ROOM,
    NO_FLOW,
    SIDE,
    SIDE_ASK,
    SIDE_BID,
    TICK,
    BookState,
    anchor_due_nb,
    apply_nb,
    new_book,
    record_time_nb,
    slot_of_nb,
    snapshot_over_nb,
)
from vp_engine.book.order_table import BID, NOT_FOUND
from vp_engine.field.kinetics import (
    ASK_DEPTH,
    BID_DEPTH,
    BLOCK_SLOTS,
    Kinetics,
    add_impulse_nb,
    advance_nb,
    new_kinetics,
)
from vp_engine.jit import inlined, kernel

# What one bin counts, by index of `tally`, and whether flow is tracked.
BIN_EVENTS, TRADES, BUY_VOLUME, SELL_VOLUME, FLOW_ON, FILLS = range(6)

STOPPED, OUT_OF_RECORDS, GROW_TABLE, LAY_SLOTS, BAD_DEPTH = range(5)  # why consume_nb came back


class TickState(NamedTuple):
    """book and kinetics; last_event_id: int64 (n_slots,); fill_size: float64 (n_slots,) of the bin under way;
    tally: int64 (6,); effects: int64 (2, 5), scratch."""

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
        tally=np.zeros(6, np.int64),
        effects=np.zeros((MAX_EFFECTS, 5), np.int64),
    )


@inlined
def drive_nb(ticks, n_effects, ts_ns):
    """Turn the effects of one record into impulses at its time."""
    advance_nb(ticks.kinetics, ts_ns)
    event_id = ticks.book.scalars[EVENT_ID]
    for n in range(n_effects):
        slot = slot_of_nb(ticks.book, ticks.effects[n, TICK])
        if slot == NOT_FOUND:
            continue
        ticks.last_event_id[slot] = event_id
        channel, amount, delta = ticks.effects[n, CHANNEL], ticks.effects[n, AMOUNT], ticks.effects[n, DEPTH_DELTA]
        if channel != NO_FLOW and amount != 0:
            add_impulse_nb(ticks.kinetics, slot, channel, amount)
        if delta != 0:
            side = BID_DEPTH if ticks.effects[n, SIDE] == BID else ASK_DEPTH
            add_impulse_nb(ticks.kinetics, slot, side, delta)
        if channel == FLOW_FILL:
            ticks.fill_size[slot] += amount
            ticks.tally[FILLS] += 1


@inlined
def count_nb(ticks, record):
    """Add a record to what its bin counts."""
    tally = ticks.tally
    tally[BIN_EVENTS] += 1
    if record.action == ACT_TRADE:
        tally[TRADES] += 1
        if record.side == SIDE_BID:
            tally[BUY_VOLUME] += record.size
        elif record.side == SIDE_ASK:
            tally[SELL_VOLUME] += record.size


@kernel
def consume_nb(records, first, limit_ns, tick_int, ticks):
    """Take records[first:] while their clock is before `limit_ns`. records: MBO_DTYPE (n,).

    Returns (code, next record): STOPPED at the limit, OUT_OF_RECORDS, GROW_TABLE and LAY_SLOTS before that record,
    BAD_DEPTH at it.
    """
    book = ticks.book
    for at in range(first, records.size):
        record = records[at]
        ts_ns = max(record_time_nb(record), book.scalars[CLOCK_NS])
        if ts_ns >= limit_ns:
            return STOPPED, at
        if snapshot_over_nb(book, record, ts_ns):
            book.scalars[IN_SNAPSHOT] = 0
            if anchor_due_nb(book):
                return LAY_SLOTS, at
        n_effects = apply_nb(book, record, ts_ns, tick_int, ticks.effects)
        if n_effects == NEED_ROOM:
            return GROW_TABLE, at
        if n_effects == DEPTH_BELOW_ZERO:
            return BAD_DEPTH, at
        count_nb(ticks, record)
        if n_effects > 0 and ticks.tally[FLOW_ON] != 0:
            drive_nb(ticks, n_effects, ts_ns)
        if anchor_due_nb(book):
            return LAY_SLOTS, at + 1
    return OUT_OF_RECORDS, records.size


@kernel
def start_bin_nb(ticks):
    """Forget what the last bin counted."""
    ticks.tally[BIN_EVENTS : SELL_VOLUME + 1] = 0
    if ticks.tally[FILLS] != 0:
        ticks.fill_size[:] = 0.0
        ticks.tally[FILLS] = 0


def shift_slots(ticks: TickState, shift: int) -> None:
    """Follow an anchor that moved by `shift` ticks; ticks that enter the slots begin at rest."""
    for values in (ticks.kinetics.sums, ticks.last_event_id, ticks.fill_size):
        shift_axis(values, shift)
    ends = np.arange(0, ticks.last_event_id.size, BLOCK_SLOTS)
    ticks.kinetics.touched[:] = np.logical_or.reduceat(ticks.last_event_id != 0, ends)


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
