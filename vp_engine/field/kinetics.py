"""Decayed sums of order flow and their derivative chain, solved exactly.

Sizes in contracts, times in int64 ns. With an impulse Δ at t, `K_τ(t) = Σ Δᵢ exp(-(t - tᵢ)/τ)` for four τ (velocity,
acceleration, jerk, rest) answers every derivative; all ticks decay alike, so a sum is kept scaled to a reference
time, `S_τ = Σ Δᵢ exp((tᵢ - t_ref)/τ)`, and an event is a few multiply-adds. The reference moves at fixed multiples
of absolute time only: results depend on neither bins nor who asks when. The four sums of a channel at a tick lie
together, since an event touches all of them and little else. Kernels never raise; those on the path of every event
take bare arrays, which cost no reference counting.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from vp_engine.jit import inlined, kernel

N_TAUS = 4
TAU_V, TAU_A, TAU_J, TAU_REST = range(N_TAUS)
N_CHANNELS = 5
ADD, PULL, FILL, BID_DEPTH, ASK_DEPTH = range(N_CHANNELS)
# Coefficients that turn K_v, K_a, K_j into the chain: v = V0·Kv, a = A0·Kv + A1·Ka, j = J0·Kv + J1·Ka + J2·Kj.
V0, A0, A1, J0, J1, J2, REST = range(7)
REF_INDEX, PERIOD_BITS, GAIN_NS, STEP_BITS = range(4)  # `clock`

C2, C3, C4, C5, C6 = 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720  # of exp's Taylor series

BLOCK_SLOTS = 64  # flow gathers around the market: whole blocks of untouched slots are passed over
_NS = 1e-9
_MAX_EXPONENT = 32.0  # (t - t_ref)/τ between two moves of the reference: the sums stay within 1e14 of their values
_STEPS = 2048  # of a reference period: within one, exp is a short polynomial
_FORGOTTEN = 1e-18  # lots: what is left of an impulse far below anything emitted; keeps subnormals out too
_PAD = 2  # slots: the channels of one slot fall into different cache sets


class Kinetics(NamedTuple):
    """sums: float64 (5, n_slots + pad, 4), channel, slot, τ; gain: float64 (4,) weight of one impulse now; rates:
    float64 (4,) 1/τ in 1/ns; chain: float64 (7,); clock: int64 [reference index, log2 of the reference period in ns,
    time of `gain`, log2 of one step]; powers: float64 (2048, 4), exp(step·rate); touched, awake, moved: uint8
    (n_blocks,), 1 where a slot of the block ever saw an impulse, where its spectrum may still move, and where a sum
    changed since the spectrum looked."""

    sums: np.ndarray
    gain: np.ndarray
    rates: np.ndarray
    chain: np.ndarray
    clock: np.ndarray
    powers: np.ndarray
    touched: np.ndarray
    awake: np.ndarray
    moved: np.ndarray


def new_kinetics(n_slots: int, taus: tuple[float, float, float, float]) -> Kinetics:
    """No flow yet. taus: velocity, acceleration, jerk, rest, in seconds, the first three rising."""
    tau_v, tau_a, tau_j, _ = taus
    period_bits = int(math.log2(_MAX_EXPONENT * min(taus) / _NS))
    step_bits = period_bits - int(math.log2(_STEPS))
    rates = _NS / np.array(taus)
    chain = np.array(
        [
            1 / tau_v,
            1 / tau_v / (tau_a - tau_v),
            -1 / tau_a / (tau_a - tau_v),
            1 / tau_v / ((tau_v - tau_a) * (tau_v - tau_j)),
            1 / tau_a / ((tau_a - tau_v) * (tau_a - tau_j)),
            1 / tau_j / ((tau_j - tau_v) * (tau_j - tau_a)),
            1.0,
        ]
    )
    n_blocks = -(-n_slots // BLOCK_SLOTS)
    return Kinetics(
        sums=np.zeros((N_CHANNELS, n_slots + _PAD, N_TAUS)),
        gain=np.ones(N_TAUS),
        rates=rates,
        chain=chain,
        clock=np.array([0, period_bits, -1, step_bits], np.int64),
        powers=np.exp(np.outer(np.arange(_STEPS) * float(1 << step_bits), rates)),
        touched=np.zeros(n_blocks, np.uint8),
        awake=np.zeros(n_blocks, np.uint8),
        moved=np.zeros(n_blocks, np.uint8),
    )


@kernel
def decay_nb(sums, rates, elapsed_ns, touched, moved):
    """Age the sums of every touched block in place by elapsed_ns >= 0."""
    for tau in range(N_TAUS):
        factor = math.exp(-rates[tau] * elapsed_ns)
        for block in range(touched.size):
            if touched[block] == 0:
                continue
            moved[block] = 1
            for channel in range(N_CHANNELS):
                for slot in range(block * BLOCK_SLOTS, min((block + 1) * BLOCK_SLOTS, sums.shape[1])):
                    aged = sums[channel, slot, tau] * factor
                    sums[channel, slot, tau] = aged if abs(aged) > _FORGOTTEN else 0.0


@inlined
def short_exp_nb(x):
    """exp(x) for 0 <= x < 1/64, to the last bit or two: the Taylor polynomial of degree 6."""
    return 1.0 + x * (1.0 + x * (C2 + x * (C3 + x * (C4 + x * (C5 + x * C6)))))


@inlined
def advance_nb(ts_ns, sums, gain, rates, clock, powers, touched, moved):
    """Make `gain` the weight of an impulse at `ts_ns`, which never runs backwards."""
    if ts_ns == clock[GAIN_NS]:
        return
    clock[GAIN_NS] = ts_ns
    index = ts_ns >> clock[PERIOD_BITS]
    if index > clock[REF_INDEX]:
        if clock[REF_INDEX] > 0:
            decay_nb(sums, rates, (index - clock[REF_INDEX]) << clock[PERIOD_BITS], touched, moved)
        clock[REF_INDEX] = index
    since_ns = ts_ns - (index << clock[PERIOD_BITS])
    step = since_ns >> clock[STEP_BITS]
    rest_ns = np.float64(since_ns - (step << clock[STEP_BITS]))
    for tau in range(N_TAUS):
        gain[tau] = powers[step, tau] * short_exp_nb(rates[tau] * rest_ns)


@inlined
def add_impulse_nb(sums, gain, slot, channel, amount):
    """`amount` contracts at the time of the last `advance_nb`."""
    for tau in range(N_TAUS):
        sums[channel, slot, tau] += amount * gain[tau]


@inlined
def wake_nb(touched, awake, moved, slot):
    """Mark the block of a slot that takes an impulse."""
    block = slot // BLOCK_SLOTS
    touched[block] = 1
    awake[block] = 1
    moved[block] = 1


@kernel
def chain_at_nb(kinetics, ts_ns, chain):
    """Chain coefficients for the scaled sums at `ts_ns`, decay included. chain: float64 (7,) to write into."""
    since_ns = ts_ns - (kinetics.clock[REF_INDEX] << kinetics.clock[PERIOD_BITS])
    v = math.exp(-kinetics.rates[TAU_V] * since_ns)
    a = math.exp(-kinetics.rates[TAU_A] * since_ns)
    j = math.exp(-kinetics.rates[TAU_J] * since_ns)
    chain[V0] = kinetics.chain[V0] * v
    chain[A0] = kinetics.chain[A0] * v
    chain[A1] = kinetics.chain[A1] * a
    chain[J0] = kinetics.chain[J0] * v
    chain[J1] = kinetics.chain[J1] * a
    chain[J2] = kinetics.chain[J2] * j
    chain[REST] = math.exp(-kinetics.rates[TAU_REST] * since_ns)


@inlined
def velocity_nb(sums, chain, channel, slot):
    """v of one channel at one slot, lots/s."""
    return chain[V0] * sums[channel, slot, TAU_V]


@inlined
def acceleration_nb(sums, chain, channel, slot):
    """a of one channel at one slot, lots/s²."""
    return chain[A0] * sums[channel, slot, TAU_V] + chain[A1] * sums[channel, slot, TAU_A]


@inlined
def jerk_nb(sums, chain, channel, slot):
    """j of one channel at one slot, lots/s³."""
    slow = chain[J1] * sums[channel, slot, TAU_A] + chain[J2] * sums[channel, slot, TAU_J]
    return chain[J0] * sums[channel, slot, TAU_V] + slow


@inlined
def mass_nb(sums, chain, channel, slot):
    """Decayed mass of one channel at one slot, lots."""
    return chain[REST] * sums[channel, slot, TAU_REST]
