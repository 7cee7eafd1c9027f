"""Resting orders by id: open addressing with linear probing, one 32-byte slot an order.

Sizes in contracts, ticks absolute. A slot with side EMPTY is free. Capacity is a power of two; the caller grows the
table before it is 60 % full. Kernels never raise.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from vp_engine.jit import inlined, kernel

EMPTY, BID, ASK = 0, 1, 2  # `side` of a slot
ORDER_DTYPE = np.dtype(
    [("order_id", "u8"), ("tick", "i8"), ("pending_fill", "i8"), ("size", "u4"), ("side", "u1")], align=True
)
MIN_CAPACITY = 1 << 12
NOT_FOUND = -1
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: Knuth's multiplicative hashing
_HALF = np.uint64(32)


def new_order_table(n_orders: int = 0) -> np.ndarray:
    """An empty table with room for `n_orders` and as many again."""
    capacity = MIN_CAPACITY
    while capacity < 4 * n_orders:
        capacity *= 2
    return np.zeros(capacity, ORDER_DTYPE)


@inlined
def home_nb(orders, order_id):
    """Slot where a probe for the id begins."""
    return np.int64((np.uint64(order_id) * _GOLDEN) >> _HALF) & (orders.size - 1)


@inlined
def find_nb(orders, order_id):
    """Slot of the id, or NOT_FOUND."""
    mask = orders.size - 1
    at = home_nb(orders, order_id)
    while orders[at].side != EMPTY:
        if orders[at].order_id == order_id:
            return at
        at = (at + 1) & mask
    return NOT_FOUND


@inlined
def insert_nb(orders, order_id, side, tick, size, pending_fill):
    """Put an id that is not in the table."""
    mask = orders.size - 1
    at = home_nb(orders, order_id)
    while orders[at].side != EMPTY:
        at = (at + 1) & mask
    orders[at].order_id = order_id
    orders[at].side = side
    orders[at].tick = tick
    orders[at].size = size
    orders[at].pending_fill = pending_fill


@inlined
def remove_nb(orders, at):
    """Free a slot and close the gap behind it, so that probes need no tombstones."""
    mask = orders.size - 1
    hole = at
    probe = (at + 1) & mask
    while orders[probe].side != EMPTY:
        home = home_nb(orders, orders[probe].order_id)
        if ((probe - home) & mask) >= ((probe - hole) & mask):
            orders[hole] = orders[probe]
            hole = probe
        probe = (probe + 1) & mask
    orders[hole].side = EMPTY


@kernel
def copy_orders_nb(orders, target):
    """Insert every order of one table into another, empty one."""
    for at in range(orders.size):
        if orders[at].side != EMPTY:
            order = orders[at]
            insert_nb(target, order.order_id, order.side, order.tick, order.size, order.pending_fill)


@kernel
def best_key_nb(orders, side, none):
    """Largest price key (tick of a bid, -tick of an ask) among the orders of a side, or `none`: a walk of the table."""
    sign = 1 if side == BID else -1
    best = none
    for at in range(orders.size):
        if orders[at].side == side:
            key = sign * orders[at].tick
            if key > best:
                best = key
    return best
