"""The simulation's loop in kernels: the book at the open, the snapshot, then event after event in order of time.

Arguments: `ex` Exchange, `flow` Flow, `out` MBO_DTYPE (m,) to write into, `n` records written so far.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from vp_engine.feed.records import F_BAD_TS_RECV, F_LAST, F_SNAPSHOT
from vp_engine.jit import inner, kernel
from vp_engine.sample.actions import (
    DEPTH_TICKS,
    GROW_CHANCE,
    PARKED_GROW_CHANCE,
    PARKED_SHRINK_CHANCE,
    SHRINK_CHANCE,
    WALL_CHANCE,
    WALL_LOTS,
    any_order_nb,
    arrive_nb,
    deep_tick_nb,
    improved_tick_nb,
    layer_nb,
    order_lots_nb,
    parked_lots_nb,
    parked_tick_nb,
    place_nb,
    pull_layer_nb,
    take_nb,
    withdraw_nb,
    young_order_nb,
)
from vp_engine.sample.exchange import (
    ASK,
    AWAY,
    BID,
    N_PARKED,
    N_TICKS,
    NO_SIDE,
    PARKED,
    RECV,
    TS,
    WORKING,
    ZERO,
    A,
    R,
    emit_nb,
    emit_order_nb,
    enter_nb,
    packet_nb,
)
from vp_engine.sample.intensities import (
    ACTIVITY,
    CANCEL_ANY,
    IMPROVE,
    JOIN,
    LAST_NS,
    LAYER_CHANCE,
    LEVELS,
    MOMENTUM,
    MOMENTUM_GAIN,
    NEXT_STEP,
    PULL,
    RETREAT_CHANCE,
    TAKE,
    TOGETHER,
    TOGETHER_CHANCE,
    TYPICAL_ORDERS,
    WANTED_PARKED,
    activity_nb,
    age_bursts_nb,
    choose_kind_nb,
    choose_level_nb,
    excite_nb,
    slow_step_nb,
    weigh_nb,
)
from vp_engine.sample.rng import below_nb, exponential_nb, normal_nb, uniform_nb
from vp_engine.units import UNDEF_PRICE

MARGIN = 1_024  # records that one event may write at most
_OLDEST_S = 50 * 3_600.0


@kernel
def open_book_nb(ex, mid_tick, wanted_parked):
    """Fill an empty exchange with the orders that rest at the open, oldest first."""
    deepest = TYPICAL_ORDERS[LEVELS - 1]
    open_ns = ex.ints[TS]
    n_parked = 0
    while n_parked < wanted_parked:
        ex.ints[TS] = open_ns - np.int64(1e9 * (_OLDEST_S * (1.0 - 0.9 * n_parked / wanted_parked)))
        side = below_nb(ex.rng, 2)
        if enter_nb(ex, side, parked_tick_nb(ex, side), parked_lots_nb(ex.rng), PARKED) < 0:
            break
        n_parked += 1
    for distance in range(DEPTH_TICKS - 1, -1, -1):
        ex.ints[TS] = open_ns - np.int64(1e9 * (0.1 + 5.0 * distance))
        for side in range(2):
            mean = TYPICAL_ORDERS[distance] if distance < LEVELS else deepest * (1.0 - 0.7 * distance / DEPTH_TICKS)
            tick = mid_tick + AWAY[side] * (distance + side)
            orders = np.int64(mean + 0.6 * np.sqrt(mean) * normal_nb(ex.rng) + 0.5)
            for _ in range(max(orders, 1 if distance == 0 else 0)):
                enter_nb(ex, side, tick, order_lots_nb(ex.rng), WORKING)
    ex.ints[TS] = open_ns


@kernel
def snapshot_nb(ex, out):
    """Write the book as a snapshot: R, then every order, bids from the touch outwards, asks the same, in queue order.

    out MBO_DTYPE (orders + 1,). Receive time is the exchange's present time; each order keeps its own event time.
    """
    ex.ints[RECV] = ex.ints[TS]
    n = emit_nb(ex, out, ZERO, R, NO_SIDE, ZERO, ZERO, ZERO)
    out[0].price = UNDEF_PRICE
    for side in range(2):
        tick = ex.best[side]
        while 0 <= tick < N_TICKS:
            slot = np.int64(ex.head[tick])
            while slot >= 0:
                n = emit_order_nb(ex, out, n, A, slot)
                out[n - 1].ts_event = ex.orders[slot].born_ns
                slot = np.int64(ex.orders[slot].behind)
            tick += AWAY[side]
    for i in range(n):
        out[i].flags = F_SNAPSHOT | F_BAD_TS_RECV
    out[n - 1].flags |= F_LAST
    return n


@inner
def act_anywhere_nb(ex, flow, out, n, kind):
    """An event without a side: a working order goes, or the far book changes; the latter keeps its size."""
    if kind == CANCEL_ANY:
        return withdraw_nb(ex, out, n, any_order_nb(ex, WORKING), 0.0, 0.0)
    if ex.ints[N_PARKED] < flow.ints[WANTED_PARKED]:
        side = below_nb(ex.rng, 2)
        return place_nb(ex, out, n, side, parked_tick_nb(ex, side), parked_lots_nb(ex.rng), PARKED)
    return withdraw_nb(ex, out, n, any_order_nb(ex, PARKED), PARKED_SHRINK_CHANCE, PARKED_GROW_CHANCE)


@inner
def act_nb(ex, flow, out, n, kind):
    """One event of the given kind."""
    if kind >= CANCEL_ANY:
        return act_anywhere_nb(ex, flow, out, n, kind)
    side = kind // 5
    kind = kind % 5
    if kind == TAKE:
        return take_nb(ex, out, n, side)
    layered = uniform_nb(ex.rng) < LAYER_CHANCE
    if kind == PULL:
        if layered:
            return pull_layer_nb(ex, out, n, side)
        slot = young_order_nb(ex, ex.best[side] + AWAY[side] * choose_level_nb(ex, side, True))
        return withdraw_nb(ex, out, n, slot, SHRINK_CHANCE, GROW_CHANCE)
    if kind == JOIN and layered:
        return layer_nb(ex, out, n, side)
    if kind == JOIN:
        tick = ex.best[side] + AWAY[side] * choose_level_nb(ex, side, False)
    elif kind == IMPROVE:
        tick = improved_tick_nb(ex, side)
    else:
        tick = deep_tick_nb(ex, side)
        if uniform_nb(ex.rng) < WALL_CHANCE:
            return place_nb(ex, out, n, side, tick, WALL_LOTS + below_nb(ex.rng, 40), WORKING)
    return arrive_nb(ex, out, n, side, tick) if tick >= 0 else n


@inner
def event_nb(ex, flow, out, n, base_rate, total):
    """One event now: packet, records, F_LAST, and what it sets off: bursts, momentum, makers who retreat."""
    twice_mid = ex.best[BID] + ex.best[ASK]
    kind = choose_kind_nb(ex, flow, total)
    packet_nb(ex, 40_000.0 * exponential_nb(ex.rng))
    after = act_nb(ex, flow, out, n, kind)
    if after > n:
        out[after - 1].flags |= F_LAST
    taking = kind < CANCEL_ANY and kind % 5 == TAKE
    excite_nb(flow, base_rate, 3.0 if taking else 0.93)
    moved = ex.best[BID] + ex.best[ASK] - twice_mid
    if taking and moved != 0:
        flow.reals[MOMENTUM] += 0.5 * MOMENTUM_GAIN * moved
        if uniform_nb(ex.rng) < RETREAT_CHANCE:
            packet_nb(ex, 40_000.0 * exponential_nb(ex.rng))
            before = after
            after = pull_layer_nb(ex, out, after, 1 - kind // 5)
            if after > before:
                out[after - 1].flags |= F_LAST
    return after


@kernel
def run_nb(ex, flow, out):
    """Simulate until `out` (MBO_DTYPE) is nearly full or the time is up. Returns records written; 0 at the end.

    Waiting times by Ogata's thinning: bursts only decay between events, so the present rate bounds the next.
    """
    n = ZERO
    while n + MARGIN <= out.size:
        total = weigh_nb(ex, flow)
        if flow.ints[TOGETHER] == 1:
            wait_s = 0.0
        else:
            base_rate = flow.reals[ACTIVITY] * total
            burst = activity_nb(flow, 0.0)
            room_s = (flow.ints[NEXT_STEP] - ex.ints[TS]) * 1e-9
            wait_s = exponential_nb(ex.rng) / (base_rate * burst) if base_rate > 0.0 else room_s + 1.0
            if wait_s >= room_s:
                age_bursts_nb(flow, room_s)
                ex.ints[TS] = flow.ints[NEXT_STEP]
                if ex.ints[TS] >= flow.ints[LAST_NS]:
                    break
                slow_step_nb(ex, flow)
                continue
            ex.ints[TS] += np.int64(wait_s * 1e9)
            age_bursts_nb(flow, wait_s)
            if uniform_nb(ex.rng) * burst >= activity_nb(flow, 0.0):
                continue
        n = event_nb(ex, flow, out, n, flow.reals[ACTIVITY] * total, total)
        flow.ints[TOGETHER] = 1 if uniform_nb(ex.rng) < TOGETHER_CHANCE else 0
    return n
