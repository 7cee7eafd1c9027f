"""The synthetic exchange as record batches: an opening snapshot, then the day's events in order of time.

One seed and one spec give one market, bit for bit. Memory holds the resting orders and one batch.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np

from vp_engine.errors import ConfigError
from vp_engine.feed.records import F_LAST, MBO_DTYPE
from vp_engine.sample.actions import DEPTH_TICKS
from vp_engine.sample.exchange import N_FREE, NEAREST_PARKED, TS, Exchange, empty_exchange
from vp_engine.sample.intensities import (
    CHURN_RATE,
    DRIFT,
    FIRST_NS,
    LAST_NS,
    N_FLOW_INTS,
    N_FLOW_REALS,
    N_KINDS,
    NATURAL_EVENTS,
    NEXT_STEP,
    TYPICAL_ORDERS,
    VOLATILITY,
    VOLATILITY_SD,
    WANTED_PARKED,
    Flow,
)
from vp_engine.sample.rng import normal_nb, seeded_state
from vp_engine.sample.simulation import MARGIN, open_book_nb, run_nb, snapshot_nb
from vp_engine.sample.spec import DEFAULT_RESTING_ORDERS, SampleSpec

BATCH_RECORDS = 1 << 17
_SLACK_ORDERS = 1 << 16


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
        # More of them keep further away, or their walls would pen the market in.
        self._exchange.ints[NEAREST_PARKED] = min(max(parked // 60, 60), 2_000)
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
