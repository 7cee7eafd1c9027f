"""What participants do: one function per kind of event, each changes the book and writes its records.

Every function takes (ex, out, n, ...) and returns the new n; a choice that finds nothing to act on writes nothing.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from vp_engine.jit import inner
from vp_engine.sample.exchange import (
    ASK,
    AWAY,
    BID,
    N_TICKS,
    N_WORKING,
    NEAREST_PARKED,
    PARKED,
    WORKING,
    A,
    C,
    M,
    aggress_nb,
    emit_order_nb,
    enter_nb,
    leave_nb,
    move_nb,
    shrink_nb,
)
from vp_engine.sample.intensities import LEVELS
from vp_engine.sample.rng import below_nb, exponential_nb, geometric_nb, uniform_nb

DEPTH_TICKS = 150  # working orders rest within this distance of the touch
_SLOPE = 0.7  # share of orders that the far end of the depth lacks against its near end
MOVE_CHANCE = 0.35  # that an arrival is an order moved there
SHRINK_CHANCE, GROW_CHANCE = 0.10, 0.02  # that a pull only changes the size
PARKED_SHRINK_CHANCE, PARKED_GROW_CHANCE = 0.3, 0.1
LAYERS = 6  # levels that one maker quotes or pulls in one event
ICEBERG_CHANCE = 0.012
WALL_CHANCE = 0.002  # that a deep order is a large one
WALL_LOTS = 10  # from here on an order is seldom withdrawn or moved
WALL_STAYS = 0.9
FARTHEST_PARKED = 40_000


@inner
def order_lots_nb(rng):
    """Lots of a working order: mostly one, now and then ten or more; mean about 1.9."""
    u = uniform_nb(rng)
    if u < 0.66:
        return 1
    if u < 0.82:
        return 2
    if u < 0.90:
        return 3
    if u < 0.97:
        return 4 + below_nb(rng, 2)
    if u < 0.993:
        return 10
    return 10 + below_nb(rng, 20)


@inner
def parked_lots_nb(rng):
    """Lots of an order that stays: mean about 4."""
    if uniform_nb(rng) < 0.8:
        return 1 + geometric_nb(rng, 0.6, 9)
    return 5 * (1 + geometric_nb(rng, 0.5, 9))


@inner
def rounded_nb(rng, tick):
    """People like round prices: the tick, or one divisible by 4, 20 or 40 near it."""
    u = uniform_nb(rng)
    step = 1 if u < 0.75 else (4 if u < 0.90 else (20 if u < 0.97 else 40))
    return (tick + step // 2) // step * step


@inner
def behind_nb(ex, side, distance):
    """Tick at about `distance` from the touch of `side`, never through it and inside the table."""
    best = ex.best[side]
    tick = rounded_nb(ex.rng, best + AWAY[side] * distance)
    if (tick - best) * AWAY[side] < 1:
        tick = best + AWAY[side] * distance
    return min(max(tick, 1), N_TICKS - 2)


@inner
def deep_tick_nb(ex, side):
    """Tick for a working order behind the levels near the touch; fewer with distance."""
    while True:
        distance = LEVELS + below_nb(ex.rng, DEPTH_TICKS - LEVELS)
        if uniform_nb(ex.rng) * DEPTH_TICKS > _SLOPE * distance:
            return behind_nb(ex, side, distance)


@inner
def parked_tick_nb(ex, side):
    """Tick for an order that stays: distance log-uniform, so every scale has some."""
    farthest = min(FARTHEST_PARKED, ex.best[side] // 2, N_TICKS - 2 - ex.best[side])
    nearest = ex.ints[NEAREST_PARKED]
    spans = np.log(max(farthest, nearest + 1) / nearest)
    return behind_nb(ex, side, np.int64(nearest * np.exp(spans * uniform_nb(ex.rng))))


@inner
def fickle_nb(ex, slot):
    """Whether the owner of a working order would touch it now."""
    order = ex.orders[slot]
    return order.kind == WORKING and (order.lots < WALL_LOTS or uniform_nb(ex.rng) > WALL_STAYS)


@inner
def place_nb(ex, out, n, side, tick, lots, kind):
    """A new order at `tick`; a small working one may be an iceberg."""
    slot = enter_nb(ex, side, tick, lots, kind)
    if slot < 0:
        return n
    if kind == WORKING and lots < WALL_LOTS and uniform_nb(ex.rng) < ICEBERG_CHANCE:
        ex.orders[slot].peak = lots
        ex.orders[slot].hidden = 5 + below_nb(ex.rng, 30)
    return emit_order_nb(ex, out, n, A, slot)


@inner
def resize_nb(ex, out, n, slot, tick, lots):
    """A resting order is modified: fewer lots keep its place in the queue, all else goes to the end of one."""
    order = ex.orders[slot]
    if tick == order.tick and lots < order.lots:
        shrink_nb(ex, slot, order.lots - lots)
    else:
        move_nb(ex, slot, tick, lots)
    return emit_order_nb(ex, out, n, M, slot)


@inner
def cancel_nb(ex, out, n, slot):
    """The order goes: one C of all that rests."""
    n = emit_order_nb(ex, out, n, C, slot)
    leave_nb(ex, slot)
    return n


@inner
def arrive_nb(ex, out, n, side, tick):
    """Size comes to `tick`: a working order of that side moved there, or a new one."""
    if uniform_nb(ex.rng) < MOVE_CHANCE and ex.ints[N_WORKING] > 0:
        for _ in range(4):
            slot = np.int64(ex.lists[WORKING, below_nb(ex.rng, ex.ints[N_WORKING])])
            order = ex.orders[slot]
            if order.side == side and order.tick != tick and fickle_nb(ex, slot):
                return resize_nb(ex, out, n, slot, tick, np.int64(order.lots))
    return place_nb(ex, out, n, side, tick, order_lots_nb(ex.rng), WORKING)


@inner
def withdraw_nb(ex, out, n, slot, shrink_chance, grow_chance):
    """Size leaves: the order goes, or changes its size; slot -1 is nothing to do."""
    if slot < 0:
        return n
    order = ex.orders[slot]
    u = uniform_nb(ex.rng)
    if u < shrink_chance and order.lots > 1:
        return resize_nb(ex, out, n, slot, np.int64(order.tick), 1 + below_nb(ex.rng, order.lots - 1))
    if u > 1.0 - grow_chance:
        return resize_nb(ex, out, n, slot, np.int64(order.tick), order.lots + order_lots_nb(ex.rng))
    return cancel_nb(ex, out, n, slot)


@inner
def improved_tick_nb(ex, side):
    """Tick inside the spread, most often one better than the touch; -1 if there is none."""
    gap = ex.best[ASK] - ex.best[BID] - 1
    if gap < 1:
        return np.int64(-1)
    return ex.best[side] - AWAY[side] * (1 + geometric_nb(ex.rng, 0.35, gap - 1))


@inner
def young_order_nb(ex, tick):
    """A working order at `tick`, the later ones likelier; -1 if the queue has none among its last."""
    slot = np.int64(ex.tail[tick])
    skip = geometric_nb(ex.rng, 0.6, 12)
    found = np.int64(-1)
    for _ in range(16):
        if slot < 0:
            break
        if fickle_nb(ex, slot):
            found = slot
            if skip == 0:
                break
            skip -= 1
        slot = np.int64(ex.orders[slot].ahead)
    return found


@inner
def any_order_nb(ex, kind):
    """A resting order of this kind, each as likely; -1 if there is none or its owner leaves it."""
    held = ex.ints[N_WORKING + kind]
    if held == 0:
        return np.int64(-1)
    slot = np.int64(ex.lists[kind, below_nb(ex.rng, held)])
    return slot if kind == PARKED or fickle_nb(ex, slot) else np.int64(-1)


@inner
def layer_nb(ex, out, n, side):
    """One maker quotes LAYERS levels at once."""
    touch = ex.best[side]
    for level in range(LAYERS):
        n = place_nb(ex, out, n, side, touch + AWAY[side] * level, order_lots_nb(ex.rng), WORKING)
    return n


@inner
def pull_layer_nb(ex, out, n, side):
    """One maker cancels at LAYERS levels at once."""
    touch = ex.best[side]
    for level in range(LAYERS):
        slot = young_order_nb(ex, touch + AWAY[side] * level)
        if slot >= 0 and uniform_nb(ex.rng) < 0.7:
            n = cancel_nb(ex, out, n, slot)
    return n


@inner
def take_nb(ex, out, n, side):
    """An aggressor: most take what they see at the touch, some sweep, some leave a rest on their limit."""
    passive = 1 - side
    touch = ex.best[passive]
    u = uniform_nb(ex.rng)
    lots = order_lots_nb(ex.rng)
    rests = False
    limit = touch
    if u < 0.10:
        rests = True
        lots = 1 + below_nb(ex.rng, 2 * ex.lots[touch])
    elif u < 0.20:
        limit = touch + AWAY[passive] * (1 + geometric_nb(ex.rng, 0.6, 8))
        lots = 2 + np.int64(2.0 / np.sqrt(1.0 - 0.999 * uniform_nb(ex.rng))) + ex.lots[touch]
    elif u < 0.42:
        lots = np.int64(ex.lots[touch])
    return aggress_nb(ex, out, n, side, lots, limit, rests, 40_000.0 * exponential_nb(ex.rng))
