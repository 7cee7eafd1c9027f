"""What a raw day says of itself when its book is replayed: records missing, repeated, doubted or off the price grid.

Each sign is a counter of the book (`vp_engine/book/state.py`) with the time at which it was first raised. A day on
which one exceeds its limit is quarantined. The limits pass every real day at hand: a holiday of ES has 891 crossed
events in its pre-open, and none of the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vp_engine.book.state import COUNTER_NAMES, new_book
from vp_engine.engine import Engine, FileRecords
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.units import utc_text

_END_OF_TIME = 1 << 62
MIN_PRICES = 50  # distinct prices before their grid says something about the tick size
ON_GRID_SHARE = 0.99  # of distinct prices that lie on the right grid; a few stray ones are counted, not refused
MOSTLY_ON_GRID = 0.75  # a tick twice too coarse has half of them on its grid: with more, the others are stray prices
USUAL_STEPS = 16  # distances between neighbouring prices that may be the tick size, the most frequent


class Sign(NamedTuple):
    """A sign of a fault. counter: as in COUNTER_NAMES; at_least, share: a day is doubted above both this number and
    this share of its records; words: what it says to a person."""

    counter: str
    at_least: int
    share: float
    words: str


SIGNS = (
    Sign("maybe_bad_book", 0, 0.0, "records whose book the vendor doubts (F_MAYBE_BAD_BOOK)"),
    Sign("sequence_regressions", 0, 0.0, "records whose sequence number runs back, so a part of the day is repeated"),
    Sign("overfilled", 0, 0.0, "contracts filled beyond their trade"),
    Sign("unknown_cancel", 20, 1e-4, "cancels of orders that were never added"),
    Sign("unknown_modify", 20, 1e-4, "modifies of orders that were never added"),
    Sign("duplicate_add", 20, 1e-4, "adds of orders that already rest"),
    Sign("crossed_events", 20, 0.1, "events that leave the book crossed or locked"),
    Sign("clock_regressions", 20, 1e-3, "records whose time runs back"),
    Sign("off_grid", 20, 1e-2, "prices off the tick grid"),
)


class Integrity(NamedTuple):
    """Signs of one day, those that were seen. counts, first_ns (ns UTC): by counter; n_records: of the contract."""

    n_records: int
    counts: dict[str, int]
    first_ns: dict[str, int]

    def lines(self) -> list[str]:
        """One line for each sign that was seen, the number and its first time."""
        return [self._line(sign) for sign in SIGNS if self.counts.get(sign.counter)]

    def doubt(self) -> str | None:
        """Why the day should not be built on until somebody has looked at it; None for a sound day."""
        beyond = [sign for sign in SIGNS if self._exceeds(sign)]
        return "; ".join(self._line(sign) for sign in beyond) or None

    def _exceeds(self, sign: Sign) -> bool:
        return self.counts.get(sign.counter, 0) > max(sign.at_least, sign.share * self.n_records)

    def _line(self, sign: Sign) -> str:
        return f"{sign.words}: {self.counts[sign.counter]:,}, first at {utc_text(self.first_ns[sign.counter])} UTC"


def of_counters(counters: Mapping[str, int], first_ns: Mapping[str, int], n_records: int) -> Integrity:
    """The signs among a run's counters."""
    seen = [sign.counter for sign in SIGNS if counters.get(sign.counter)]
    return Integrity(n_records, {name: counters[name] for name in seen}, {name: first_ns[name] for name in seen})


def examine(path: Path, config: VPRuntimeConfig) -> Integrity:
    """Replay the book of the locked contract through a whole raw file. BookError where depth would fall below zero."""
    engine = Engine(config, 0, new_book(config.n_absolute_ticks))
    engine.consume_until(FileRecords([path], config.symbol), _END_OF_TIME)
    first_ns = dict(zip(COUNTER_NAMES, engine.book.first_ns.tolist(), strict=True))
    return of_counters(engine.counters, first_ns, engine.n_records)


def fitting_tick(prices: np.ndarray, tick_int: int) -> int | None:
    """The tick size (1e-9 $) that distinct prices int64 (n,) lie on where that of the lock is wrong, too coarse or too
    fine for them; None where it is right, or the prices do not tell. Stray prices are left to the sign `off_grid`."""
    if prices.size < MIN_PRICES:
        return None
    on_grid = prices[prices % tick_int == 0]
    if on_grid.size >= ON_GRID_SHARE * prices.size:
        step = int(np.gcd.reduce(np.diff(np.sort(on_grid))))
        return step if step > tick_int and _fits(prices, step) else None
    if on_grid.size > MOSTLY_ON_GRID * prices.size:
        return None
    return _common_step(prices)


def _common_step(prices: np.ndarray) -> int | None:
    """The coarsest of the usual distances between neighbours that the prices lie on; None if they lie on none."""
    steps, counts = np.unique(np.diff(np.sort(prices)), return_counts=True)
    usual = steps[np.argsort(-counts, kind="stable")][:USUAL_STEPS]
    return max((step for step in usual.tolist() if _fits(prices, step)), default=None)


def _fits(prices: np.ndarray, step: int) -> bool:
    return bool((prices % step == 0).sum() >= ON_GRID_SHARE * prices.size)
