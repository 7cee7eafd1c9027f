"""Decayed sums K_tau(t) = sum of delta_i exp(-(t - t_i)/tau), and the chain's exact solution from four of them.

Sums are arrays whose last axis is tau in the order velocity, acceleration, jerk, rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

CHANNELS = ("add", "pull", "fill", "bid_depth", "ask_depth")


class Chain(NamedTuple):
    """mass in contracts, v in contracts/s, a in contracts/s², j in contracts/s³."""

    mass: np.ndarray
    v: np.ndarray
    a: np.ndarray
    j: np.ndarray


def chain(sums: np.ndarray, taus: Sequence[float]) -> Chain:
    """Solution of the chain from its decayed sums (..., 4)."""
    tv, ta, tj, _ = taus
    kv, ka, kj, rest = (sums[..., i] for i in range(4))
    return Chain(
        rest,
        kv / tv,
        (kv / tv - ka / ta) / (ta - tv),
        kv / tv / ((tv - ta) * (tv - tj)) + ka / ta / ((ta - tv) * (ta - tj)) + kj / tj / ((tj - tv) * (tj - ta)),
    )


def direct_sums(times_ns: np.ndarray, deltas: np.ndarray, at_ns: int, taus: Sequence[float]) -> np.ndarray:
    """The definition itself, (4,): every impulse at or before at_ns, each with its own exponential."""
    past = times_ns <= at_ns
    age_s = (at_ns - times_ns[past]) / 1e9
    return np.array([np.sum(deltas[past] * np.exp(-age_s / tau)) for tau in taus])


class TickSums:
    """Sums of every tick touched so far: row r of `sums` (rows, channel, tau) holds as of last_ns[r]."""

    def __init__(self, taus: Sequence[float]) -> None:
        self.taus = np.array(taus)
        self.row_of: dict[int, int] = {}
        self.ticks = np.zeros(0, np.int64)
        self.sums = np.zeros((0, len(CHANNELS), 4))
        self.last_ns = np.zeros(0, np.int64)

    @property
    def n(self) -> int:
        return len(self.row_of)

    def row(self, tick: int) -> int:
        """Row of a tick; a tick seen for the first time gets a row of zeros."""
        row = self.row_of.get(tick)
        if row is None:
            row = self.row_of[tick] = len(self.row_of)
            if row == len(self.ticks):
                more = max(64, row)
                self.ticks = np.concatenate([self.ticks, np.zeros(more, np.int64)])
                self.sums = np.concatenate([self.sums, np.zeros((more, len(CHANNELS), 4))])
                self.last_ns = np.concatenate([self.last_ns, np.zeros(more, np.int64)])
            self.ticks[row] = tick
        return row

    def impulse(self, channel: str, tick: int, delta: float, ts_ns: int) -> None:
        """Age the tick's sums to ts_ns, then add delta to the channel's four."""
        row = self.row(tick)
        self.sums[row] *= np.exp(-((ts_ns - int(self.last_ns[row])) / 1e9) / self.taus)
        self.last_ns[row] = ts_ns
        self.sums[row, CHANNELS.index(channel)] += delta

    def at(self, ts_ns: int) -> np.ndarray:
        """Sums (n, channel, tau) of all touched ticks as of ts_ns; nothing is stored."""
        age_s = (ts_ns - self.last_ns[: self.n]) / 1e9
        return self.sums[: self.n] * np.exp(-age_s[:, None] / self.taus)[:, None, :]

    def forget(self, keep: np.ndarray) -> None:
        """Zero the sums of rows where keep (n,) is false."""
        self.sums[: self.n][~keep] = 0.0
