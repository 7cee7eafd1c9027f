"""Figures of a series of trades. Pnl in ticks per trade, net of fees unless a name says otherwise; p-values one-sided.
NaN means not defined (no trades, no spread); a figure that is defined is never replaced by 0. Row by row the figures
are counted in `counting`, the bootstrap p is made in `bootstrap`; here stands what needs no trades, or many rows.
"""

from __future__ import annotations

import numpy as np
from scipy import special

EULER_GAMMA = 0.5772156649015329
_LEAST_P = 1e-6  # a p of exactly 0 or 1 would have an infinite normal score


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


def smallest_p(break_even: np.ndarray, n_independent: np.ndarray) -> np.ndarray:
    """Chance that this many trades without any edge all end at take-profit, elementwise: no p can be below it."""
    return np.asarray(np.clip(break_even, 0.0, 1.0) ** n_independent)


def mean_interval(
    net_mean: np.ndarray,
    half_width: np.ndarray,
    p_values: np.ndarray,
    n_independent: np.ndarray,
    tp_ticks: np.ndarray,
    sl_ticks: np.ndarray,
    cost_ticks: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval of the mean net pnl of a trade, elementwise: (low, high) float64 ticks, NaN where `half_width` is.

    half_width: of the bootstrap's interval. A few trades that all ended alike hardly vary, so the interval is at least
    what such an outcome leaves possible: were the mean beyond its ends, n_independent trades would all end at
    take-profit, or all at stop-loss, with a chance below 2.5 % (Clopper & Pearson 1934). It speaks of an edge only
    where p, which counts more draws, is below 0.05.
    """
    chance = np.where(np.isnan(half_width), np.nan, 0.025 ** (1 / np.maximum(n_independent, 1)))
    all_alike = (tp_ticks + sl_ticks) * chance
    low = np.minimum(net_mean - half_width, all_alike - sl_ticks - cost_ticks)
    high = np.maximum(net_mean + half_width, tp_ticks - all_alike - cost_ticks)
    return np.where(p_values >= 0.05, np.minimum(low, 0.0), low), high


def pooled_interval(n: np.ndarray, mean: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[float, float]:
    """Interval of the mean of all trades of independent days, from the number of trades, mean and interval of each
    (all (days,) float64): distances to the ends add as standard errors do (MOVER, Zou & Donner 2008). NaN without days
    or where a day has no interval."""
    if not n.size:
        return float("nan"), float("nan")
    weight = n / n.sum()
    centre = float(weight @ mean)
    below, above = (float(np.sqrt(((weight * (end - mean)) ** 2).sum())) for end in (low, high))
    return centre - below, centre + above


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's step-down adjustment of float64 (m,) p-values; NaN stays NaN and does not count as a trial."""
    adjusted = np.full(p_values.size, np.nan)
    order = np.argsort(p_values, kind="stable")
    order = order[: np.count_nonzero(~np.isnan(p_values))]  # NaN sorts last
    factors = order.size - np.arange(order.size)
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1.0)
    return adjusted


def pooled_p(n: np.ndarray, mean: np.ndarray, low: np.ndarray, p_values: np.ndarray) -> float:
    """One-sided p of the mean of all trades of independent days: their p-values combined by Stouffer's method with the
    share that each day's standard error has in that of the pooled mean, so that days of many losing trades outweigh a
    good day of few. All (days,) float64: number of trades, mean, lower end of its interval, p; days without a p are
    passed over, NaN if nothing else is there."""
    known = ~np.isnan(p_values)
    if not known.any():
        return float("nan")
    weight = n[known] * np.nan_to_num(mean[known] - low[known])
    if not weight.any():
        weight = n[known]
    z = -special.ndtri(np.clip(p_values[known], _LEAST_P, 1 - _LEAST_P))
    return float(special.ndtr(-(weight @ z) / np.sqrt(weight @ weight)))


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
    """P(true per-trade Sharpe above `benchmark`), elementwise (m,) float64 (Bailey & López de Prado 2012). n_trades
    need not be whole; NaN where it is not above 1."""
    n = np.asarray(n_trades, float)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = 1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2
        error = np.sqrt(np.where(spread > 0, spread, np.nan) / np.where(n > 1, n - 1, np.nan))
        return np.asarray(special.ndtr((sharpe - benchmark) / error))


def deflated_sharpe(
    sharpe: np.ndarray, n_trades: np.ndarray, skew: np.ndarray, kurtosis: np.ndarray, n_trials: int | None = None
) -> np.ndarray:
    """Deflated Sharpe ratio (Bailey & López de Prado 2014) of every row of a sweep: P(true Sharpe above what the best
    of `n_trials` would show by luck). All (m,) float64; n_trials defaults to the rows that have a Sharpe.

    The paper counts independent returns. Trades that overlap are no such thing, so n_trades is to be their effective
    number (`counting`): with the raw number a row of many overlapping trades looks surer than it is.
    """
    known = sharpe[~np.isnan(sharpe)]
    trials = known.size if n_trials is None else n_trials
    variance = float(np.var(known, ddof=1)) if known.size > 1 else 0.0
    return probabilistic_sharpe(sharpe, n_trades, skew, kurtosis, expected_max_sharpe(variance, trials))
