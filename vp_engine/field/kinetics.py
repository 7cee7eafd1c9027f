"""Decayed sums of order flow and their derivative chain, solved exactly. Ticks along the first axis.

Sizes in contracts, times in int64 ns. With an impulse Δ at t, `K_τ(t) = Σ Δᵢ exp(-(t - tᵢ)/τ)` for four τ (velocity,
acceleration, jerk, rest) answers every derivative; all ticks decay alike, so a sum is kept scaled to a reference
time, `S_τ = Σ Δᵢ exp((tᵢ - t_ref)/τ)`, and an event is a few multiply-adds. The reference moves at fixed multiples
of absolute time only: results depend on neither bins nor who asks when. Kernels never raise.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from vp_engine.jit import inlined, kernel

N_TAUS = 4
TAU_V, TAU_A, TAU_J, TAU_REST = range(N_TAUS)
ADD, PULL, FILL, BID_DEPTH, ASK_DEPTH = range(5)  # channels of `sums`
N_CHANNELS = 5
# Coefficients that turn K_v, K_a, K_j into the chain: v = V0·Kv, a = A0·Kv + A1·Ka, j = J0·Kv + J1·Ka + J2·Kj.
V0, A0, A1, J0, J1, J2, REST = range(7)
BLOCK_SLOTS = 64  # flow gathers around the market: whole blocks of untouched slots are passed over
_NS = 1e-9
_MAX_EXPONENT = 32.0  # (t - t_ref)/τ between two moves of the reference: the sums stay within 1e14 of their values
_FORGOTTEN = 1e-40  # scaled sums below this are zero: keeps arithmetic out of subnormals


class Kinetics(NamedTuple):
    """sums: float64 (n_slots, 5, 4); gain: float64 (4,) of one impulse now; rates: float64 (4,) 1/τ in 1/ns;
    chain: float64 (7,); clock: int64 [reference index, reference period in ns, time of `gain`];
    touched: uint8 (n_blocks,), 1 where a slot of the block ever saw an impulse: the rest is all zeros."""

    sums: np.ndarray
    gain: np.ndarray
    rates: np.ndarray
    chain: np.ndarray
    clock: np.ndarray
    touched: np.ndarray


REF_INDEX, REF_PERIOD_NS, GAIN_NS = range(3)


def new_kinetics(n_slots: int, taus: tuple[float, float, float, float]) -> Kinetics:
    """No flow yet. taus: velocity, acceleration, jerk, rest, in seconds, the first three rising."""
    tau_v, tau_a, tau_j, _ = taus
    period_ns = 1 << int(math.log2(_MAX_EXPONENT * min(taus) / _NS))
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
    return Kinetics(
        sums=np.zeros((n_slots, N_CHANNELS, N_TAUS)),
        gain=np.ones(N_TAUS),
        rates=_NS / np.array(taus),
        chain=chain,
        clock=np.array([0, period_ns, -1], np.int64),
        touched=np.zeros(-(-n_slots // BLOCK_SLOTS), np.uint8),
    )


@kernel
def decay_nb(sums, rates, elapsed_ns, touched):
    """Age the sums of every touched block in place by elapsed_ns >= 0. sums (n_slots, 5, 4); touched (n_blocks,)."""
    factor = np.exp(-rates * elapsed_ns)
    for block in range(touched.size):
        if touched[block] == 0:
            continue
        for slot in range(block * BLOCK_SLOTS, min((block + 1) * BLOCK_SLOTS, sums.shape[0])):
            for channel in range(N_CHANNELS):
                for tau in range(N_TAUS):
                    aged = sums[slot, channel, tau] * factor[tau]
                    sums[slot, channel, tau] = aged if abs(aged) > _FORGOTTEN else 0.0


@inlined
def advance_nb(kinetics, ts_ns):
    """Make `gain` the weight of an impulse at `ts_ns`, which never runs backwards."""
    clock = kinetics.clock
    if ts_ns == clock[GAIN_NS]:
        return
    clock[GAIN_NS] = ts_ns
    index = ts_ns // clock[REF_PERIOD_NS]
    if index > clock[REF_INDEX]:
        if clock[REF_INDEX] > 0:
            elapsed_ns = (index - clock[REF_INDEX]) * clock[REF_PERIOD_NS]
            decay_nb(kinetics.sums, kinetics.rates, elapsed_ns, kinetics.touched)
        clock[REF_INDEX] = index
    since_ns = ts_ns - index * clock[REF_PERIOD_NS]
    for tau in range(N_TAUS):
        kinetics.gain[tau] = math.exp(kinetics.rates[tau] * since_ns)


@inlined
def add_impulse_nb(kinetics, slot, channel, amount):
    """`amount` contracts at the time of the last `advance_nb`."""
    kinetics.touched[slot // BLOCK_SLOTS] = 1
    for tau in range(N_TAUS):
        kinetics.sums[slot, channel, tau] += amount * kinetics.gain[tau]


@inlined
def chain_at_nb(kinetics, ts_ns, chain):
    """Chain coefficients for the scaled sums at `ts_ns`, decay included. chain: float64 (7,) to write into."""
    since_ns = ts_ns - kinetics.clock[REF_INDEX] * kinetics.clock[REF_PERIOD_NS]
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
def velocity_nb(sums, chain):
    """v of one channel's sums (4,), lots/s."""
    return chain[V0] * sums[TAU_V]


@inlined
def acceleration_nb(sums, chain):
    """a of one channel's sums (4,), lots/s²."""
    return chain[A0] * sums[TAU_V] + chain[A1] * sums[TAU_A]


@inlined
def jerk_nb(sums, chain):
    """j of one channel's sums (4,), lots/s³."""
    return chain[J0] * sums[TAU_V] + chain[J1] * sums[TAU_A] + chain[J2] * sums[TAU_J]


@inlined
def mass_nb(sums, chain):
    """Decayed mass of one channel's sums (4,), lots."""
    return chain[REST] * sums[TAU_REST]
