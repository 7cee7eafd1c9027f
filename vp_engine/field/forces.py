"""Two forces at a tick: pressure, liquidity building; vacuum, liquidity draining. lots/s."""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from vp_engine.field.kinetics import ADD, ASK_DEPTH, BID_DEPTH, FILL, PULL, acceleration_nb, velocity_nb
from vp_engine.jit import inlined


@inlined
def held_nb(seven):
    """Seven coefficients out of an array, so that a loop which writes elsewhere need not read them again."""
    return seven[0], seven[1], seven[2], seven[3], seven[4], seven[5], seven[6]


@inlined
def forces_nb(sums, chain, weights, slot):
    """(pressure, vacuum) at one slot. sums (5, 4, n) as in kinetics; chain (7,) from chain_at_nb; weights c1..c7.

    chain and weights may be arrays or, in a loop over slots, what `held_nb` makes of them."""
    v_rest = velocity_nb(sums, chain, BID_DEPTH, slot) + velocity_nb(sums, chain, ASK_DEPTH, slot)
    pressure = (
        weights[0] * velocity_nb(sums, chain, ADD, slot)
        + weights[1] * max(v_rest, 0.0)
        + weights[2] * max(acceleration_nb(sums, chain, ADD, slot), 0.0)
    )
    vacuum = (
        weights[3] * velocity_nb(sums, chain, PULL, slot)
        + weights[4] * velocity_nb(sums, chain, FILL, slot)
        + weights[5] * max(-v_rest, 0.0)
        + weights[6] * max(acceleration_nb(sums, chain, PULL, slot), 0.0)
    )
    return pressure, vacuum
