"""Price levels of a book: depth in an array of slots around an anchor, best quotes kept as orders come and go.

Orders outside the slots live in the order table alone, and their quotes are found by a walk of it. Kernels take bare
arrays, which cost no reference counting, and never raise. depth int64 (2, n_slots), bids first; scalars int64.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from vp_engine.book.order_table import BID, EMPTY, NOT_FOUND, best_key_nb
from vp_engine.book.state import (
    ANCHOR,
    ANCHORED,
    BEST_ASK_KEY,
    BEST_BID_KEY,
    IN_SNAPSHOT,
    N_ORDERS,
    NO_KEY,
    BookState,
)
from vp_engine.jit import inlined, kernel

EDGE_SLOTS = 512  # the mid comes no nearer to the end of the slots than this


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
