"""Figures of many trades or rows against scipy, published examples and hand-worked cases."""

from __future__ import annotations

import gc
import itertools
import math
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from vp_engine.evaluation.statistics import (
    binomial_p,
    break_even_rate,
    deflated_sharpe,
    expected_max_sharpe,
    holm,
    probabilistic_sharpe,
    smallest_p,
    wilson_interval,
)


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


def test_fewer_effective_trades_make_the_same_sharpe_less_sure():
    sharpe, rest = np.full(3, 0.2), (np.zeros(3), np.full(3, 3.0))
    whole, half, alone = probabilistic_sharpe(sharpe, np.array([101.0, 50.5, 1.0]), *rest, 0.0)
    assert whole == pytest.approx(stats.norm.cdf(0.2 / math.sqrt(1.02 / 100)))
    assert half == pytest.approx(stats.norm.cdf(0.2 / math.sqrt(1.02 / 49.5)))
    assert math.isnan(alone)


def test_a_few_winners_prove_no_more_than_luck_allows():
    assert smallest_p(np.array([1 / 3, 1.2]), np.array([5, 5])) == pytest.approx([(1 / 3) ** 5, 1.0])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_is_statsmodels(p_values):
    with mock.patch.object(gc, "collect"):  # it collects at every call, which takes longer than all the rest
        theirs = multipletests(p_values, method="holm")[1]
    assert holm(np.array(p_values)) == pytest.approx(theirs)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 400), st.integers(1, 400))
def test_the_interval_is_statsmodels(hits, more):
    low, high = wilson_interval(np.array([hits]), np.array([hits + more]))
    assert (low[0], high[0]) == pytest.approx(proportion_confint(hits, hits + more, 0.05, "wilson"), abs=1e-12)
