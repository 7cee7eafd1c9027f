"""Slow, plain twins of the evaluation: double loops over Python numbers, written from the definitions.

Bins are positions in a list; directions +1 and -1; a trade is (fire, entry, exit, direction, kind, pnl in ticks).
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from scipy import stats

from vp_engine.evaluation.barriers import Market


class TwinTrade(NamedTuple):
    """One kept trade; pnl before fees."""

    fire: int
    entry: int
    exit: int
    direction: int
    kind: str
    pnl: float


def random_market(seed: int, n: int, busy: float = 0.3, invalid: float = 0.05) -> Market:
    """A walk of bid and ask in ticks with a spread of one or two, and some bins without a book."""
    rng = np.random.default_rng(seed)
    bid = 400 + np.cumsum(rng.choice([-1, 0, 1], n, p=[busy / 2, 1 - busy, busy / 2]))
    ask = bid + rng.integers(1, 3, n)
    valid = (rng.random(n) >= invalid).astype(np.int8)
    mid, spread = np.where(valid, bid + ask, 0), np.where(valid, ask - bid, 0)
    return Market(mid.astype(np.int64), spread.astype(np.int64), valid)


def twin_outcome(
    market: Market, entry: int, direction: int, tp: float, sl: float, hold: int, fill: str
) -> tuple[str, int, float] | None:
    """(kind, exit bin, pnl in ticks), or None where the entry has no valid book."""
    n = len(market.mid)
    if entry >= n or not market.valid[entry]:
        return None
    kind, out = "timeout", entry

    def moved(at: int) -> Fraction:
        return direction * Fraction(int(market.mid[at]) - int(market.mid[entry]), 2)

    for at in range(entry + 1, min(entry + hold, n)):
        if not market.valid[at]:
            continue
        out = at
        move = moved(at)
        if move >= Fraction(tp):
            kind = "tp"
            break
        if move <= -Fraction(sl):
            kind = "sl"
            break
    half_spreads = Fraction(int(market.spread[entry] + market.spread[out]), 2) if fill == "cross" else 0
    return kind, out, float(moved(out) - half_spreads)


def twin_fires(
    values: list[float], valid: list[int], threshold: float, cooldown: int, warmup: int, prediction: str
) -> list[int]:
    """Fired direction per bin."""
    fired, side, last = [], "flat", None
    for at, (value, ok) in enumerate(zip(values, valid, strict=True)):
        fired.append(0)
        if not ok:
            continue
        if at < warmup:
            side = "flat"
            continue
        if prediction == "score":
            now = "up" if value >= threshold else "down" if value <= -threshold else "flat"
            candidate = now if now != side else "flat"
            side = now
        elif prediction == "probability":
            candidate = "up" if value >= threshold else "down" if value <= 1 - threshold else "flat"
        else:
            candidate = ("up" if value > 0 else "down") if abs(value) >= threshold else "flat"
        if candidate != "flat" and (last is None or at - last >= cooldown):
            fired[-1] = 1 if candidate == "up" else -1
            last = at
    return fired


def twin_trades(
    values: list[float], market: Market, threshold: float, evaluation: dict, prediction: str = "score"
) -> list[TwinTrade]:
    """Trades of one threshold, the whole chain."""
    fires = twin_fires(
        values,
        market.valid.tolist(),
        threshold,
        evaluation["cooldown_bins"],
        evaluation["warmup_bins"],
        prediction,
    )
    trades = []
    for fire, direction in enumerate(fires):
        if direction == 0:
            continue
        entry = fire + evaluation["entry_delay_bins"]
        found = twin_outcome(
            market,
            entry,
            direction,
            evaluation["tp_ticks"],
            evaluation["sl_ticks"],
            evaluation["max_hold_bins"],
            evaluation["fill"],
        )
        if found is not None:
            trades.append(TwinTrade(fire, entry, found[1], direction, found[0], found[2]))
    return trades


def twin_independent(spans: list[tuple[int, int]]) -> int:
    """Largest number of spans (inclusive) that share no bin: every subset is tried."""
    best = 0
    for chosen in range(1 << len(spans)):
        picked = [span for at, span in enumerate(spans) if chosen >> at & 1]
        if all(a[1] < b[0] or b[1] < a[0] for i, a in enumerate(picked) for b in picked[i + 1 :]):
            best = max(best, len(picked))
    return best


def twin_effective(spans: list[tuple[int, int]]) -> float:
    """Average uniqueness of spans (inclusive), summed: bin by bin."""
    living: dict[int, int] = {}
    for first, last in spans:
        for at in range(first, last + 1):
            living[at] = living.get(at, 0) + 1
    return sum(sum(1 / living[at] for at in range(a, b + 1)) / (b + 1 - a) for a, b in spans)


class TwinMoments(NamedTuple):
    """Moments of a series of net pnl; std with ddof 1, skew and kurtosis of the population."""

    mean: float
    std: float
    sharpe: float
    skew: float
    kurtosis: float


def twin_moments(net_pnl: np.ndarray) -> TwinMoments:
    """Moments by scipy, NaN where they are not defined."""
    nan = float("nan")
    mean = float(net_pnl.mean()) if net_pnl.size else nan
    if net_pnl.size < 2:
        return TwinMoments(mean, nan, nan, nan, nan)
    if np.ptp(net_pnl) == 0:
        return TwinMoments(mean, 0.0, nan, nan, nan)
    std = float(net_pnl.std(ddof=1))
    return TwinMoments(mean, std, mean / std, float(stats.skew(net_pnl)), float(stats.kurtosis(net_pnl, fisher=False)))


class SplitMix:
    """Uniforms in [0, 1) of splitmix64 (Steele, Lea & Flood 2014) in Python integers."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def uniform(self) -> float:
        mask = 2**64 - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return ((z ^ (z >> 31)) >> 11) * 2.0**-53


def twin_observed(sums: list[float], counts: list[int], block: int, null_variance: float) -> float:
    """Studentised sum of one circle, block by block and place by place."""
    n, total, trades = len(sums), sum(sums), sum(counts)
    mean = total / trades
    square = 0.0
    for start in range(n):
        places = [(start + step) % n for step in range(block)]
        square += sum(sums[at] - mean * counts[at] for at in places) ** 2
    return total / math.sqrt(square / block + null_variance)


def twin_statistics(
    sums: list[float], counts: list[int], block: int, null_variance: float, draws: int, seed: int
) -> list[float]:
    """Studentised stationary bootstrap of one row, draw by draw, without parts, lanes or prefix sums."""
    n = len(sums)
    mean = sum(sums) / sum(counts)
    generator, found = SplitMix(seed), []
    for _ in range(draws):
        blocks, left = [], n
        while left > 0:
            start = int(generator.uniform() * n)
            uniform = generator.uniform()
            length = 1 + int(math.log1p(-uniform) / math.log1p(-1 / block)) if block > 1 else 1
            blocks.append([(start + step) % n for step in range(min(length, left))])
            left -= len(blocks[-1])
        parts = [(sum(sums[at] for at in places), sum(counts[at] for at in places)) for places in blocks]
        trades = sum(some for _, some in parts)
        if not trades:
            found.append(0.0)
            continue
        drawn = sum(part for part, _ in parts) / trades
        variance = sum((part - drawn * some) ** 2 for part, some in parts)
        found.append((drawn - mean) * trades / math.sqrt(variance + null_variance))
    return found
