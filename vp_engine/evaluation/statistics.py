"""Figures of a series of trades. Pnl in ticks per trade, net of fees unless a name says otherwise; p-values one-sided.
NaN means not defined (no trades, no spread); a figure that is defined is never replaced by 0.

Significance comes from a stationary bootstrap (Politis & Romano 1994) over bins, not over trades: net pnl lies at
its entry bin, and blocks of geometric length with mean `max_hold_bins` are drawn around a circle of all evaluated
bins. Trades overlap in bins, so a block long enough in bins keeps whatever trades overlap together, dense or sparse,
and no length has to be converted into a number of trades. The statistic is studentised: with some thirty blocks in
an hour the plain mean rejects a true null too often. One trade's worth of the null's variance (tp·sl) is added on
both sides, so that a handful of equal outcomes does not count as certainty.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from scipy import special

EULER_GAMMA = 0.5772156649015329
BOOTSTRAP_DRAWS = 99_999  # at most; fewer once BOOTSTRAP_HITS draws reach the observed value
BOOTSTRAP_HITS = 100  # Besag & Clifford (1991): p = hits/draws at the stop, to about a tenth of itself
BOOTSTRAP_SEED = 42


class Moments(NamedTuple):
    """Moments of m trades: mean, std (ddof 1) in ticks; sharpe = mean/std per trade; skew and kurtosis (normal 3)."""

    mean: float
    std: float
    sharpe: float
    skew: float
    kurtosis: float


def trade_moments(net_pnl: np.ndarray) -> Moments:
    """Moments of float64 (m,) net pnl; std, sharpe and above are NaN for m < 2 or equal trades."""
    nan = float("nan")
    if net_pnl.size == 0:
        return Moments(nan, nan, nan, nan, nan)
    mean = float(net_pnl.mean())
    if net_pnl.size < 2:
        return Moments(mean, nan, nan, nan, nan)
    centred = net_pnl - mean
    square = centred * centred
    variance = float(square.mean())
    if variance <= 1e-12:
        return Moments(mean, 0.0, nan, nan, nan)
    std = float(np.sqrt(variance * net_pnl.size / (net_pnl.size - 1)))
    skew = float((square * centred).mean()) / variance**1.5
    return Moments(mean, std, mean / std, skew, float((square * square).mean()) / variance**2)


def wilson_interval(hits: np.ndarray, trials: np.ndarray, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Wilson score interval of hits/trials, elementwise: (low, high) float64, NaN where trials is 0."""
    z = float(special.ndtri(0.5 + confidence / 2))
    n = np.where(np.asarray(trials) > 0, trials, np.nan).astype(float)
    rate = hits / n
    centre = rate + z * z / (2 * n)
    spread = z * np.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low, high = (centre - spread) / scale, (centre + spread) / scale
    return np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)


def break_even_rate(tp_ticks: float, sl_ticks: float, cost_ticks: float) -> float:
    """Share of take-profits at which trades that always end at a barrier earn nothing, `cost_ticks` a round trip."""
    return (sl_ticks + cost_ticks) / (tp_ticks + sl_ticks)


def binomial_p(hits: np.ndarray, trials: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """P(at least `hits` of `trials` at `rate`), elementwise; NaN where trials is 0."""
    tail = special.bdtrc(np.asarray(hits, float) - 1, np.maximum(trials, 1), np.minimum(rate, 1.0))
    return np.where(np.asarray(trials) > 0, tail, np.nan)


@njit(cache=True, nogil=True, error_model="numpy")
def _uniform_nb(state):
    """Next uniform in [0, 1) of a splitmix64 generator; state uint64 (1,) is advanced."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return float((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


@njit(cache=True, nogil=True, error_model="numpy")
def _span_nb(sums, start, length):
    """Sum of `length` <= n values from `start` on around the circle; sums float64 (n + 1,) are prefix sums."""
    n = sums.size - 1
    end = start + length
    if end <= n:
        return sums[end] - sums[start]
    return sums[n] - sums[start] + sums[end - n]


@njit(cache=True, nogil=True, error_model="numpy")
def prefix_sums_nb(net_pnl, at_bin, pnl, count):
    """Write prefix sums over bins, float64 (n + 1,): net pnl and number of trades. at_bin int64 (m,), rising."""
    trade = 0
    pnl[0] = count[0] = 0.0
    for i in range(pnl.size - 1):
        total, some = pnl[i], count[i]
        while trade < at_bin.size and at_bin[trade] == i:
            total += net_pnl[trade]
            some += 1.0
            trade += 1
        pnl[i + 1], count[i + 1] = total, some


@njit(cache=True, nogil=True, error_model="numpy")
def studentised_nb(pnl, count, block_bins, null_variance):
    """(mean, t) of a circle of bins, from prefix sums float64 (n + 1,) of net pnl and number of trades.

    The variance of the sum is that of all circular blocks of `block_bins`, scaled to n bins, plus `null_variance`.
    """
    n = pnl.size - 1
    mean = pnl[n] / count[n]
    rest = pnl - mean * count  # prefix sums of what deviates from the mean; all of it sums to 0
    square = 0.0
    for start in range(n - block_bins + 1):
        square += (rest[start + block_bins] - rest[start]) ** 2
    for start in range(n - block_bins + 1, n):
        square += (rest[start + block_bins - n] - rest[start]) ** 2
    return mean, mean * count[n] / np.sqrt(square / block_bins + null_variance)


@njit(cache=True, nogil=True, error_model="numpy")
def bootstrap_draw_nb(pnl, count, block_bins, null_variance, mean, state):
    """Studentised deviation from `mean` of one resampled circle; 0 if it holds no trade. Arrays as above."""
    n = pnl.size - 1
    keep = np.log1p(-1.0 / block_bins) if block_bins > 1 else -np.inf
    left = n
    total = trades = square = cross = square_count = 0.0
    while left > 0:
        start = int(_uniform_nb(state) * n)
        length = min(left, 1 + int(np.log1p(-_uniform_nb(state)) / keep))
        part, some = _span_nb(pnl, start, length), _span_nb(count, start, length)
        total += part
        trades += some
        square += part * part
        cross += part * some
        square_count += some * some
        left -= length
    if trades == 0:
        return 0.0
    drawn = total / trades
    variance = square - 2 * drawn * cross + drawn * drawn * square_count
    return (drawn - mean) * trades / np.sqrt(max(variance, 0.0) + null_variance)


@njit(cache=True, nogil=True, error_model="numpy")
def bootstrap_p_nb(pnl, count, block_bins, null_variance, max_draws, max_hits, seed):
    """One-sided p of the mean pnl against 0, by sequential Monte Carlo; prefix sums float64 (n + 1,)."""
    mean, observed = studentised_nb(pnl, count, block_bins, null_variance)
    state = np.array([seed], np.uint64)
    hits = 0
    for draw in range(max_draws):
        if bootstrap_draw_nb(pnl, count, block_bins, null_variance, mean, state) >= observed:
            hits += 1
            if hits == max_hits:
                return hits / (draw + 1.0)
    return (hits + 1.0) / (max_draws + 1.0)


def bootstrap_p(
    net_pnl: np.ndarray,
    at_bin: np.ndarray,
    n_bins: int,
    block_bins: int,
    null_variance: float,
    max_draws: int = BOOTSTRAP_DRAWS,
    max_hits: int = BOOTSTRAP_HITS,
    seed: int = BOOTSTRAP_SEED,
) -> float:
    """P(mean net pnl at least this high | true mean 0). net_pnl float64 (m,) ticks entered at bins `at_bin` int64
    (m,), rising, of n_bins; mean block of `block_bins`. NaN without trades or in fewer than two blocks of bins."""
    if net_pnl.size == 0 or n_bins < 2 * block_bins:
        return float("nan")
    sums = np.empty((2, n_bins + 1))
    prefix_sums_nb(net_pnl, at_bin, sums[0], sums[1])
    return float(bootstrap_p_nb(sums[0], sums[1], block_bins, null_variance, max_draws, max_hits, seed))


@njit(cache=True, nogil=True, error_model="numpy")
def independent_trades_nb(entry_bin, exit_bin):
    """Largest number of trades of which no two share a bin; int64 (m,), entries in rising order."""
    taken, busy_until = 0, -1
    for i in range(entry_bin.size):
        if entry_bin[i] > busy_until:
            taken += 1
            busy_until = exit_bin[i]
        else:
            busy_until = min(busy_until, exit_bin[i])
    return taken


def smallest_p(break_even: float, n_independent: int) -> float:
    """Chance that this many trades without any edge all end at take-profit: no p can claim to be below it."""
    return float(min(max(break_even, 0.0), 1.0) ** n_independent)


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's step-down adjustment of float64 (m,) p-values; NaN stays NaN and does not count as a trial."""
    adjusted = np.full(p_values.size, np.nan)
    order = np.argsort(p_values, kind="stable")
    order = order[: np.count_nonzero(~np.isnan(p_values))]  # NaN sorts last
    factors = order.size - np.arange(order.size)
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1.0)
    return adjusted


def expected_max_sharpe(variance: float, n_trials: int) -> float:
    """Expected largest of n_trials Sharpe ratios that are all 0 in truth and vary by `variance` between trials."""
    if n_trials < 2:
        return 0.0
    high = special.ndtri(1 - 1 / n_trials)
    higher = special.ndtri(1 - 1 / (n_trials * np.e))
    return float(np.sqrt(variance) * ((1 - EULER_GAMMA) * high + EULER_GAMMA * higher))


def probabilistic_sharpe(
    sharpe: np.ndarray, n_trades: np.ndarray, skew: np.ndarray, kurtosis: np.ndarray, benchmark: float
) -> np.ndarray:
    """P(true per-trade Sharpe above `benchmark`), elementwise (m,) float64 (Bailey & López de Prado 2012)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = 1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2
        error = np.sqrt(np.where(spread > 0, spread, np.nan) / (np.asarray(n_trades, float) - 1))
        return np.asarray(special.ndtr((sharpe - benchmark) / error))


def deflated_sharpe(
    sharpe: np.ndarray, n_trades: np.ndarray, skew: np.ndarray, kurtosis: np.ndarray, n_trials: int | None = None
) -> np.ndarray:
    """Deflated Sharpe ratio (Bailey & López de Prado 2014) of every row of a sweep: P(true Sharpe above what the best
    of `n_trials` would show by luck). All (m,) float64; n_trials defaults to the rows that have a Sharpe. Trades are
    taken as independent; where they overlap `p_holm` is the figure to trust."""
    known = sharpe[~np.isnan(sharpe)]
    trials = known.size if n_trials is None else n_trials
    variance = float(np.var(known, ddof=1)) if known.size > 1 else 0.0
    return probabilistic_sharpe(sharpe, n_trades, skew, kurtosis, expected_max_sharpe(variance, trials))
