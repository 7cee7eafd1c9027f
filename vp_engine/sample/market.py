"""The synthetic exchange as record batches: an opening snapshot, then the day's events in order of time.

One seed and one spec give one market, bit for bit. Memory holds the resting orders and one batch.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np
from numba import njit

from vp_engine.errors import ConfigError
from vp_engine.feed.records import F_BAD_TS_RECV, F_LAST, F_SNAPSHOT, MBO_DTYPE
from vp_engine.sample.actions import (
    DEPTH_TICKS,
    cancel_any_nb,
    churn_nb,
    deepen_nb,
    improve_nb,
    join_nb,
    order_lots_nb,
    parked_lots_nb,
    parked_tick_nb,
    pull_nb,
    take_nb,
)
from vp_engine.sample.exchange import (
    ASK,
    AWAY,
    BID,
    N_FREE,
    N_TICKS,
    PARKED,
    RECV,
    TS,
    WORKING,
    A,
    Exchange,
    emit_nb,
    emit_order_nb,
    empty_exchange,
    enter_nb,
    packet_nb,
)
from vp_engine.sample.intensities import (
    ACTIVITY,
    CANCEL_ANY,
    CHURN_RATE,
    DEEP,
    DRIFT,
    FIRST_NS,
    IMPROVE,
    JOIN,
    LAST_NS,
    LAYER_CHANCE,
    LEVELS,
    MOMENTUM,
    MOMENTUM_GAIN,
    N_FLOW_INTS,
    N_FLOW_REALS,
    N_KINDS,
    NATURAL_EVENTS,
    NEXT_STEP,
    PULL,
    TAKE,
    TOGETHER,
    TOGETHER_CHANCE,
    TYPICAL_ORDERS,
    VOLATILITY,
    VOLATILITY_SD,
    WANTED_PARKED,
    Flow,
    activity_nb,
    age_bursts_nb,
    choose_kind_nb,
    excite_nb,
    slow_step_nb,
    weigh_nb,
)
from vp_engine.sample.rng import below_nb, exponential_nb, normal_nb, seeded_state, uniform_nb
from vp_engine.sample.spec import DEFAULT_RESTING_ORDERS, SampleSpec
from vp_engine.units import UNDEF_PRICE

SAMPLE_CODE_VERSION = "1"
BATCH_RECORDS = 1 << 17
MARGIN = 1_024  # records that one event may write at most
_SLACK_ORDERS = 1 << 16
_OLDEST_S = 50 * 3_600.0


@njit(cache=True, nogil=True, error_model="numpy")
def open_book_nb(ex, mid_tick, wanted_parked):
    """Fill an empty exchange with the orders that rest at the open, oldest first."""
    deepest = TYPICAL_ORDERS[LEVELS - 1]
    open_ns = ex.ints[TS]
    n_parked = 0
    while n_parked < wanted_parked:
        ex.ints[TS] = open_ns - np.int64(1e9 * (_OLDEST_S * (1.0 - 0.9 * n_parked / wanted_parked)))
        side = below_nb(ex.rng, 2)
        if enter_nb(ex, side, parked_tick_nb(ex, side), parked_lots_nb(ex.rng), 0, 0, PARKED, 0) < 0:
            break
        n_parked += 1
    for distance in range(DEPTH_TICKS - 1, -1, -1):
        ex.ints[TS] = open_ns - np.int64(1e9 * (0.1 + 5.0 * distance))
        for side in range(2):
            mean = TYPICAL_ORDERS[distance] if distance < LEVELS else deepest * (1.0 - 0.7 * distance / DEPTH_TICKS)
            tick = mid_tick + AWAY[side] * (distance + side)
            orders = np.int64(mean + 0.6 * np.sqrt(mean) * normal_nb(ex.rng) + 0.5)
            for _ in range(max(orders, 1 if distance == 0 else 0)):
                enter_nb(ex, side, tick, order_lots_nb(ex.rng), 0, 0, WORKING, 0)
    ex.ints[TS] = open_ns


@njit(cache=True, nogil=True, error_model="numpy")
def snapshot_nb(ex, out):
    """Write the book as a snapshot: R, then every order, bids from the touch outwards, asks the same, in queue order.

    out MBO_DTYPE (orders + 1,). Receive time is the exchange's present time; each order keeps its own event time.
    """
    ex.ints[RECV] = ex.ints[TS]
    n = emit_nb(ex, out, 0, ord("R"), ord("N"), 0, 0, 0)
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


@njit(cache=True, nogil=True, error_model="numpy")
def act_nb(ex, flow, out, n, kind):
    """One event of the given kind."""
    side = kind // 5
    if kind == CANCEL_ANY:
        return cancel_any_nb(ex, out, n)
    if kind > CANCEL_ANY:
        return churn_nb(ex, out, n, flow.ints[WANTED_PARKED])
    kind = kind % 5
    if kind == IMPROVE:
        return improve_nb(ex, out, n, side)
    if kind == JOIN:
        return join_nb(ex, out, n, side, uniform_nb(ex.rng) < LAYER_CHANCE)
    if kind == PULL:
        return pull_nb(ex, out, n, side, uniform_nb(ex.rng) < LAYER_CHANCE)
    if kind == DEEP:
        return deepen_nb(ex, out, n, side)
    return take_nb(ex, out, n, side)


@njit(cache=True, nogil=True, error_model="numpy")
def event_nb(ex, flow, out, n, base_rate, total):
    """One event now: packet, records, F_LAST on the last, and what it does to bursts and momentum."""
    twice_mid = ex.best[BID] + ex.best[ASK]
    kind = choose_kind_nb(ex, flow, total)
    packet_nb(ex, 40_000.0 * exponential_nb(ex.rng))
    after = act_nb(ex, flow, out, n, kind)
    if after > n:
        out[after - 1].flags |= F_LAST
    taking = kind < CANCEL_ANY and kind % 5 == TAKE
    excite_nb(flow, base_rate, 3.0 if taking else 0.93)
    if taking:
        flow.reals[MOMENTUM] += 0.5 * MOMENTUM_GAIN * (ex.best[BID] + ex.best[ASK] - twice_mid)
    return after


@njit(cache=True, nogil=True, error_model="numpy")
def run_nb(ex, flow, out):
    """Simulate until `out` (MBO_DTYPE) is nearly full or the time is up. Returns records written; 0 at the end.

    Waiting times by Ogata's thinning: bursts only decay between events, so the present rate bounds the next.
    """
    n = 0
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


class SyntheticMarket:
    """A market that opens with `resting_orders` orders at `first_ns` and lives until `last_ns` (UTC ns).

    rates: float64 (seconds,) target records/s from first_ns on, the last one for good. churn_per_s: changes of
    resting orders far from the touch, per second at activity 1. Other arguments as in SampleSpec.
    """

    def __init__(self, spec: SampleSpec, rates: np.ndarray, first_ns: int, last_ns: int, churn_per_s: float) -> None:
        mid_tick = spec.price_int // spec.tick_int
        typical = TYPICAL_ORDERS[-1]
        working = int(2 * DEPTH_TICKS * typical * 0.65)
        parked = max(spec.resting_orders - working, 200)
        self._exchange: Exchange = empty_exchange(
            seeded_state(spec.seed), parked + working + _SLACK_ORDERS, spec.instrument_id, spec.tick_int, mid_tick
        )
        reals = np.zeros(N_FLOW_REALS)
        reals[CHURN_RATE] = churn_per_s
        reals[DRIFT] = normal_nb(self._exchange.rng)
        reals[VOLATILITY] = VOLATILITY_SD * normal_nb(self._exchange.rng)
        ints = np.zeros(N_FLOW_INTS, np.int64)
        ints[[NEXT_STEP, FIRST_NS, LAST_NS, WANTED_PARKED]] = first_ns, first_ns, last_ns, parked
        self._flow = Flow(reals, ints, np.zeros(N_KINDS), np.ones((2, 5)), np.ascontiguousarray(rates, np.float64))
        self._exchange.ints[TS] = first_ns
        open_book_nb(self._exchange, mid_tick, parked)

    @property
    def n_orders(self) -> int:
        """Orders resting now."""
        return int(self._exchange.orders.size - self._exchange.ints[N_FREE])

    def snapshot(self) -> np.ndarray:
        """The book now as snapshot records, MBO_DTYPE (orders + 1,)."""
        out = np.zeros(self.n_orders + 1, MBO_DTYPE)
        snapshot_nb(self._exchange, out)
        return out

    def batches(self, batch_records: int = BATCH_RECORDS) -> Iterator[np.ndarray]:
        """The events that follow, MBO_DTYPE (n,) each, 0 < n <= batch_records; whole events, fresh arrays."""
        while True:
            out = np.empty(max(batch_records, 2 * MARGIN), MBO_DTYPE)
            n = int(run_nb(self._exchange, self._flow, out))
            if n == 0:
                return
            yield out[:n]


def sample_day(spec: SampleSpec) -> Iterator[np.ndarray]:
    """Record batches of a whole file in order: the snapshot at midnight UTC, then the day. MBO_DTYPE (n,)."""
    market = SyntheticMarket(spec, spec.rates(), spec.day_start_ns, spec.last_ns, churn_per_s=1.5)
    yield market.snapshot()
    yield from market.batches()


def sample_records(
    n_records: int,
    *,
    seed: int = 1,
    resting_orders: int = DEFAULT_RESTING_ORDERS,
    events_per_s: float = 1_000.0,
    churn_share: float = 0.01,
    snapshot: bool = True,
) -> np.ndarray:
    """Records without a file, MBO_DTYPE (n,), n from n_records to n_records + one event's, for tests and benchmarks.

    The market opens at 09:30 ET of the default day at a constant rate. snapshot: put the opening book in front
    (resting_orders + 1 records, about, not counted in n_records). churn_share: share of events that touch one of the
    resting orders at random, wherever it is.
    """
    spec = SampleSpec(seed=seed, resting_orders=resting_orders, start=dt.time(9, 30), end=dt.time(17))
    if spec.window_ns is None or not 0.0 <= churn_share < 1.0:
        raise ConfigError(f"`churn_share` must be from 0 to 1, 1 excluded, was {churn_share}")
    first_ns = spec.window_ns[0]
    churn_per_s = NATURAL_EVENTS * churn_share / (1.0 - churn_share)
    market = SyntheticMarket(spec, np.array([events_per_s]), first_ns, 1 << 62, churn_per_s)
    parts = [market.snapshot()] if snapshot else []
    wanted = n_records
    for batch in market.batches():
        if wanted <= 0:
            break
        ends = np.flatnonzero(batch["flags"] & F_LAST)
        kept = batch if batch.size <= wanted else batch[: ends[np.searchsorted(ends, wanted - 1)] + 1]
        parts.append(kept)
        wanted -= kept.size
    return np.concatenate(parts) if parts else np.empty(0, MBO_DTYPE)
