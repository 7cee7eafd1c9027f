"""Two forces at a tick: pressure, liquidity building; vacuum, liquidity draining. lots/s."""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from vp_engine.field.kinetics import A0, A1, ADD, ASK_DEPTH, BID_DEPTH, FILL, PULL, TAU_A, TAU_V, V0
from vp_engine.jit import inlined

ADD_V, ADD_A, PULL_V, PULL_A, FILL_V, REST_V = range(6)  # rows of `inputs`: the decayed sums that forces depend on
N_INPUTS = 6


@inlined
def copy_inputs_nb(sums, inputs, first, last):
    """The sums behind the forces at slots [first, last), from one slot after another into one row after another.

    sums float64 (5, n, 4) as in kinetics; inputs float64 (6, n). A row can be worked on as a vector, and between two
    bins few slots change.
    """
    for slot in range(first, last):
        inputs[ADD_V, slot] = sums[ADD, slot, TAU_V]
        inputs[ADD_A, slot] = sums[ADD, slot, TAU_A]
        inputs[PULL_V, slot] = sums[PULL, slot, TAU_V]
        inputs[PULL_A, slot] = sums[PULL, slot, TAU_A]
        inputs[FILL_V, slot] = sums[FILL, slot, TAU_V]
        inputs[REST_V, slot] = sums[BID_DEPTH, slot, TAU_V] + sums[ASK_DEPTH, slot, TAU_V]


@inlined
def held_nb(seven):
    """Seven coefficients out of an array, so that a loop which writes elsewhere need not read them again."""
    return seven[0], seven[1], seven[2], seven[3], seven[4], seven[5], seven[6]


@inlined
def forces_nb(inputs, slot, chain, weights):
    """(pressure, vacuum) at one slot. inputs (6, n) as `copy_inputs_nb` writes them; chain (7,) from chain_at_nb;
    weights c1..c7; the last two arrays or, in a loop over slots, what `held_nb` makes of them."""
    v_rest = chain[V0] * inputs[REST_V, slot]
    a_add = chain[A0] * inputs[ADD_V, slot] + chain[A1] * inputs[ADD_A, slot]
    a_pull = chain[A0] * inputs[PULL_V, slot] + chain[A1] * inputs[PULL_A, slot]
    pressure = (
        weights[0] * (chain[V0] * inputs[ADD_V, slot]) + weights[1] * max(v_rest, 0.0) + weights[2] * max(a_add, 0.0)
    )
    vacuum = (
        weights[3] * (chain[V0] * inputs[PULL_V, slot])
        + weights[4] * (chain[V0] * inputs[FILL_V, slot])
        + weights[5] * max(-v_rest, 0.0)
        + weights[6] * max(a_pull, 0.0)
    )
    return pressure, vacuum
