"""Figures of trades against scipy, published examples, plain twins, and noise."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from evaluation_twin import random_market, twin_bootstrap_p, twin_independent
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vp_engine.evaluation.barriers import HALF, Barriers
from vp_engine.evaluation.detection import Detector, gather_trades
from vp_engine.evaluation.statistics import (
    binomial_p,
    bootstrap_p,
    break_even_rate,
    deflated_sharpe,
    expected_max_sharpe,
    holm,
    independent_trades_nb,
    probabilistic_sharpe,
    smallest_p,
    trade_moments,
    wilson_interval,
)


def test_moments_are_scipys():
    pnl = np.random.default_rng(1).normal(0.3, 2.0, 57)
    found = trade_moments(pnl)
    assert found.mean == pytest.approx(pnl.mean())
    assert found.std == pytest.approx(pnl.std(ddof=1))
    assert found.sharpe == pytest.approx(pnl.mean() / pnl.std(ddof=1))
    assert found.skew == pytest.approx(stats.skew(pnl))
    assert found.kurtosis == pytest.approx(stats.kurtosis(pnl, fisher=False))


def test_moments_that_are_not_defined_are_nan():
    assert math.isnan(trade_moments(np.empty(0)).mean)
    one = trade_moments(np.array([2.0]))
    assert one.mean == 2.0
    assert math.isnan(one.std)
    same = trade_moments(np.full(4, 3.0))
    assert same.std == 0.0
    assert math.isnan(same.sharpe)


@pytest.mark.parametrize(("hits", "n", "rate"), [(0, 5, 1 / 3), (3, 9, 0.3), (29, 61, 1 / 3), (40, 40, 0.5)])
def test_interval_and_binomial_p_are_scipys(hits, n, rate):
    reference = stats.binomtest(hits, n, rate, alternative="greater")
    low, high = wilson_interval(np.array([hits]), np.array([n]))
    interval = stats.binomtest(hits, n).proportion_ci(0.95, "wilson")
    assert (low[0], high[0]) == pytest.approx((interval.low, interval.high), abs=1e-12)
    assert binomial_p(np.array([hits]), np.array([n]), np.array([rate]))[0] == pytest.approx(reference.pvalue)


def test_without_trades_rates_are_nan():
    low, high = wilson_interval(np.array([0]), np.array([0]))
    assert np.isnan([low[0], high[0], binomial_p(np.array([0]), np.array([0]), np.array([0.3]))[0]]).all()


def test_break_even_earns_nothing():
    tp, sl, cost = 8.0, 4.0, 0.5
    rate = break_even_rate(tp, sl, cost)
    assert rate * tp - (1 - rate) * sl - cost == pytest.approx(0)


def test_holm_by_hand():
    found = holm(np.array([0.01, 0.04, np.nan, 0.03, 0.005]))
    assert found[[0, 1, 3, 4]] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert np.isnan(found[2])
    assert holm(np.empty(0)).size == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_the_closed_test_over_all_intersections(p_values):
    """Adjusted p of one hypothesis: the worst Bonferroni p of any set of hypotheses that holds it."""
    found = holm(np.array(p_values))
    for at in range(len(p_values)):
        worst = 0.0
        for size in range(1, len(p_values) + 1):
            for chosen in itertools.combinations(range(len(p_values)), size):
                if at in chosen:
                    worst = max(worst, min(1.0, size * min(p_values[other] for other in chosen)))
        assert found[at] == pytest.approx(worst)


def test_deflated_sharpe_is_the_published_example():
    """Bailey & López de Prado (2014): yearly Sharpe 2.5 over 1250 days, skew -3, kurtosis 10, 100 trials of
    variance 1/2 a year."""
    hurdle = expected_max_sharpe(0.5 / 250, 100)
    assert hurdle == pytest.approx(0.1132, abs=5e-5)
    found = probabilistic_sharpe(
        np.array([2.5 / math.sqrt(250)]), np.array([1250]), np.array([-3.0]), np.array([10.0]), hurdle
    )
    assert found[0] == pytest.approx(0.9004, abs=5e-5)


def test_deflation_grows_with_trials_and_passes_over_the_undefined():
    sharpe = np.array([0.2, np.nan, -0.1, 0.05])
    rest = (np.full(4, 60), np.zeros(4), np.full(4, 3.0))
    few, many = deflated_sharpe(sharpe, *rest), deflated_sharpe(sharpe, *rest, n_trials=1000)
    assert np.isnan(few[1])
    assert (many[[0, 2, 3]] < few[[0, 2, 3]]).all()
    assert deflated_sharpe(sharpe[:1], *(part[:1] for part in rest))[0] == pytest.approx(
        probabilistic_sharpe(sharpe[:1], *(part[:1] for part in rest), 0.0)[0]
    )


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)), max_size=9, unique_by=lambda span: span[0]))
def test_independent_trades_are_the_largest_set_without_overlap(found):
    spans = sorted((entry, entry + length) for entry, length in found)
    columns = np.array(spans, np.int64).reshape(-1, 2)
    assert independent_trades_nb(columns[:, 0].copy(), columns[:, 1].copy()) == twin_independent(spans)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 9))
def test_bootstrap_is_the_plain_one(seed, n_trades, block):
    rng = np.random.default_rng(seed)
    n_bins = 2 * block + int(rng.integers(0, 40))
    at_bin = np.sort(rng.integers(0, n_bins, n_trades))
    pnl = rng.choice([8.0, -4.0, 1.5], n_trades)
    found = bootstrap_p(pnl, at_bin, n_bins, block, 32.0, max_draws=60, max_hits=10_000, seed=seed)
    assert found == twin_bootstrap_p(pnl.tolist(), at_bin.tolist(), n_bins, block, 32.0, 60, seed)


def test_bootstrap_stops_early_at_about_the_same_p():
    rng = np.random.default_rng(3)
    at_bin, pnl = np.arange(0, 4000, 20), rng.normal(0.1, 1, 200)
    full = bootstrap_p(pnl, at_bin, 4000, 100, 1.0, max_draws=20_000, max_hits=10**9)
    assert bootstrap_p(pnl, at_bin, 4000, 100, 1.0) == pytest.approx(full, rel=0.35)


def test_bootstrap_p_is_undefined_without_trades_or_blocks():
    assert math.isnan(bootstrap_p(np.empty(0), np.empty(0, np.int64), 1000, 10, 1.0))
    assert math.isnan(bootstrap_p(np.ones(3), np.arange(3), 19, 10, 1.0))


def test_a_few_winners_prove_no_more_than_luck_allows():
    pnl, at_bin = np.full(5, 8.0), np.arange(100, 1100, 200)
    assert bootstrap_p(pnl, at_bin, 2000, 100, 32.0) < smallest_p(1 / 3, 5) == pytest.approx((1 / 3) ** 5)
    assert smallest_p(1.2, 5) == 1.0


def noise_p(seed: int, n: int = 6000, hold: int = 200) -> tuple[float, float]:
    """p of a signal that knows nothing about a walk, and of one that sees a little of its next moves."""
    rng = np.random.default_rng(seed)
    market = random_market(seed, n, busy=0.4, invalid=0.0)
    market = market._replace(mid=market.mid - market.spread + 1, spread=np.ones_like(market.spread))
    outcomes = Barriers(market).outcomes(4, 2, hold)
    noise = rng.standard_normal(n)
    ahead = np.zeros(n)
    ahead[:-101] = market.mid[101:] - market.mid[1:-100]
    found = []
    for values in (noise, noise + 0.2 * ahead):
        fired = Detector(1.5, 20, 100).update(values, market.valid, np.arange(n))
        trades = gather_trades(fired, outcomes, 1)
        found.append(bootstrap_p(trades.pnl_half / HALF, trades.entry_bin, n, hold, 8.0, max_draws=1999))
    return found[0], found[1]


def test_noise_is_significant_as_often_as_it_should_be_and_an_edge_nearly_always():
    p_values = np.array([noise_p(seed) for seed in range(400)])
    share = (p_values[:, 0] < 0.05).mean()
    assert stats.binomtest(int(share * 400), 400, 0.05).pvalue > 0.01, share
    assert 0.4 < np.median(p_values[:, 0]) < 0.6
    assert (p_values[:, 1] < 0.05).mean() > 0.95
