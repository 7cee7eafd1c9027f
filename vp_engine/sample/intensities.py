"""Order flow of the synthetic exchange: queue-reactive intensities under a hidden drift.

Huang, Lehalle and Rosenbaum, "Simulating and analyzing order book data: the queue-reactive model", JASA 2015:
near the touch every queue has its own arrival and cancel intensities that depend on its length. Added to that:
- a hidden Ornstein-Uhlenbeck drift (minutes) and a trade momentum (seconds) tilt the intensities of the two sides,
  so depth imbalance and flow say a little about the next minute;
- activity follows the day's profile, an Ornstein-Uhlenbeck volatility, and two Hawkes kernels (bursts).
Rates are per second at activity 1. Levels count from the side's own best tick, 0 at the touch.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vp_engine.jit import inner
from vp_engine.sample.exchange import ASK, AWAY, BID, N_WORKING
from vp_engine.sample.rng import normal_nb, uniform_nb

LEVELS = 12  # with intensities of their own
_LEVEL = np.arange(LEVELS, dtype=np.float64)
TYPICAL_ORDERS = 1.8 + 3.8 * (1.0 - np.exp(-_LEVEL / 8.0))  # a queue's length where arrivals and cancels balance
CANCEL_RATE = 0.8 + 1.7 * np.exp(-_LEVEL / 2.0)  # of one order
ADD_RATE = TYPICAL_ORDERS * CANCEL_RATE
IMPROVE_RATE = 16.0  # of quotes inside a spread of two ticks
MARKET_RATE = 12.0  # of aggressors, a side
DEEP_ADD_RATE = 34.0
DEEP_CANCEL_RATE = 0.05  # of one working order
NATURAL_EVENTS, NATURAL_RECORDS = 460.0, 560.0  # a second, that all this comes to at activity 1 without bursts

# Kinds of event: five a side, then those without a side.
IMPROVE, JOIN, PULL, DEEP, TAKE = range(5)
CANCEL_ANY, CHURN = 10, 11
N_KINDS = 12

# Places in Flow.reals.
DRIFT, VOLATILITY, MOMENTUM, FAST, SLOW, ACTIVITY, CHURN_RATE, FAST_JUMP, SLOW_JUMP = range(9)
N_FLOW_REALS = 9
# Places in Flow.ints.
NEXT_STEP, FIRST_NS, LAST_NS, TOGETHER, WANTED_PARKED = range(5)
N_FLOW_INTS = 5

STEP_NS = 100_000_000  # of the slow processes
_STEP_S = 0.1
DRIFT_TAU_S, VOLATILITY_TAU_S, MOMENTUM_TAU_S = 75.0, 120.0, 4.0
VOLATILITY_SD = 0.35
MOMENTUM_GAIN = 0.2  # per tick of mid move, in units of the drift
FAST_TAU_S, SLOW_TAU_S = 0.0015, 0.4
BRANCHING = 0.25  # of each kernel: every event causes that many more
TOGETHER_CHANCE = 0.08  # that the next event shares the nanosecond
LAYER_CHANCE = 0.02  # that an add or a pull spans several levels
RETREAT_CHANCE = 0.4  # that makers pull a layer when an aggressor has moved the price through them
# How one unit of tilt moves the log of each intensity of the side it favours (bids for a rising drift).
TILT = np.array([0.026, 0.017, -0.017, 0.008, 0.023])
IMBALANCE_TAKE, IMBALANCE_PULL = 0.45, 0.35


class Flow(NamedTuple):
    """State of the intensities. reals float64 (N_FLOW_REALS,); ints int64 (N_FLOW_INTS,); weights float64 (N_KINDS,);
    tilts float64 (2, 5): factor by side and kind; rates float64 (seconds,): target records/s from FIRST_NS on."""

    reals: np.ndarray
    ints: np.ndarray
    weights: np.ndarray
    tilts: np.ndarray
    rates: np.ndarray


@inner
def slow_step_nb(ex, flow):
    """Drift, volatility, momentum, tilts and activity for the next STEP_NS."""
    reals = flow.reals
    keep = np.exp(-_STEP_S / DRIFT_TAU_S)
    reals[DRIFT] = keep * reals[DRIFT] + np.sqrt(1.0 - keep * keep) * normal_nb(ex.rng)
    keep = np.exp(-_STEP_S / VOLATILITY_TAU_S)
    shock = VOLATILITY_SD * np.sqrt(1.0 - keep * keep) * normal_nb(ex.rng)
    reals[VOLATILITY] = keep * reals[VOLATILITY] + shock
    reals[MOMENTUM] *= np.exp(-_STEP_S / MOMENTUM_TAU_S)
    tilt = reals[DRIFT] + min(max(reals[MOMENTUM], -2.0), 2.0)
    for kind in range(TILT.size):
        flow.tilts[BID, kind] = np.exp(TILT[kind] * tilt)
        flow.tilts[ASK, kind] = np.exp(-TILT[kind] * tilt)
    second = (flow.ints[NEXT_STEP] - flow.ints[FIRST_NS]) // 1_000_000_000
    target = flow.rates[min(second, flow.rates.size - 1)]
    calm = np.exp(reals[VOLATILITY] - 0.5 * VOLATILITY_SD * VOLATILITY_SD)
    # Each kernel's children come on top of the rate itself, so the base is the part without parents.
    reals[ACTIVITY] = target * calm * (1.0 - 2.0 * BRANCHING) / NATURAL_RECORDS
    flow.ints[NEXT_STEP] += STEP_NS


@inner
def level_rate_nb(ex, side, level, pulling):
    """Queue-reactive intensity of one level: cancels grow with the working orders in the queue, arrivals fall."""
    n = ex.working[ex.best[side] + AWAY[side] * level]
    if pulling:
        return CANCEL_RATE[level] * n
    return ADD_RATE[level] * 2.5 / (1.0 + 1.5 * n / TYPICAL_ORDERS[level])


@inner
def weigh_nb(ex, flow):
    """Fill `weights` with the intensity of every kind at the present book; returns their sum."""
    weights = flow.weights
    spread = ex.best[ASK] - ex.best[BID]
    bid_lots, ask_lots = ex.lots[ex.best[BID]], ex.lots[ex.best[ASK]]
    lean = (bid_lots - ask_lots) / (bid_lots + ask_lots + 1.0)
    total = 0.0
    for side in range(2):
        adds = 0.0
        pulls = 0.0
        for level in range(LEVELS):
            adds += level_rate_nb(ex, side, level, False)
            pulls += level_rate_nb(ex, side, level, True)
        own_lean = lean if side == BID else -lean
        at = 5 * side
        gap = spread - 1
        weights[at + IMPROVE] = IMPROVE_RATE * gap * np.sqrt(gap) * flow.tilts[side, IMPROVE]
        weights[at + JOIN] = adds * flow.tilts[side, JOIN]
        weights[at + PULL] = pulls * flow.tilts[side, PULL] * (1.0 - IMBALANCE_PULL * own_lean)
        weights[at + DEEP] = DEEP_ADD_RATE * flow.tilts[side, DEEP]
        target = ask_lots if side == BID else bid_lots
        hunger = (0.6 + 1.2 * np.exp(-target / 6.0)) * (1.0 + IMBALANCE_TAKE * own_lean)
        weights[at + TAKE] = MARKET_RATE * hunger * flow.tilts[side, TAKE] / spread
        for kind in range(5):
            total += weights[at + kind]
    weights[CANCEL_ANY] = DEEP_CANCEL_RATE * ex.ints[N_WORKING]
    weights[CHURN] = flow.reals[CHURN_RATE]
    return total + weights[CANCEL_ANY] + weights[CHURN]


@inner
def choose_kind_nb(ex, flow, total):
    """A kind of event by its weight."""
    left = uniform_nb(ex.rng) * total
    for kind in range(N_KINDS - 1):
        left -= flow.weights[kind]
        if left < 0.0:
            return kind
    return N_KINDS - 1


@inner
def choose_level_nb(ex, side, pulling):
    """A level near the touch by its arrival intensity, or by its cancel intensity."""
    total = 0.0
    for level in range(LEVELS):
        total += level_rate_nb(ex, side, level, pulling)
    left = uniform_nb(ex.rng) * total
    for level in range(LEVELS - 1):
        left -= level_rate_nb(ex, side, level, pulling)
        if left < 0.0:
            return level
    return LEVELS - 1


@inner
def activity_nb(flow, wait_s):
    """Factor of the Hawkes kernels after `wait_s`; 1 at rest."""
    return 1.0 + flow.reals[FAST] * np.exp(-wait_s / FAST_TAU_S) + flow.reals[SLOW] * np.exp(-wait_s / SLOW_TAU_S)


@inner
def age_bursts_nb(flow, wait_s):
    """Let both Hawkes kernels decay."""
    flow.reals[FAST] *= np.exp(-wait_s / FAST_TAU_S)
    flow.reals[SLOW] *= np.exp(-wait_s / SLOW_TAU_S)


@inner
def excite_nb(flow, base_rate, weight):
    """An event excites the next ones: in the mean BRANCHING children a kernel, whatever the rate."""
    flow.reals[FAST] += weight * BRANCHING / (base_rate * FAST_TAU_S)
    flow.reals[SLOW] += weight * BRANCHING / (base_rate * SLOW_TAU_S)
