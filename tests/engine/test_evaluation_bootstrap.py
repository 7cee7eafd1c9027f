"""The bootstrap of many rows against a plain one, arch, the bootstrap over single bins, and noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap
from evaluation_twin import random_market, twin_observed, twin_statistics
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vp_engine.evaluation.barriers import HALF, Barriers
from vp_engine.evaluation.bootstrap import (
    DRAWS,
    MOST_DRAWS,
    deeper_p,
    draws_for,
    mean_test,
)
from vp_engine.evaluation.detection import Detector, gather_trades
from vp_engine.evaluation.resampling import Circle, circle_of, draws_of
from vp_engine.evaluation.statistics import mean_interval

GOLDEN = 0x9E3779B97F4A7C15
MASK = 2**64 - 1


def on_circle(pnl: np.ndarray, at_bin: np.ndarray, circle: Circle) -> tuple[np.ndarray, np.ndarray]:
    """(net, count) by grain of one row."""
    grain = at_bin // circle.grain_bins
    return (
        np.bincount(grain, pnl, circle.n_grains)[None],
        np.bincount(grain, minlength=circle.n_grains)[None].astype(float),
    )


def bootstrap_p(*rows: Any, **how: Any) -> np.ndarray:
    """The p-values of a test of means."""
    return mean_test(*rows, **how).p_value


def random_rows(seed: int, rows: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a few trades each, some without any."""
    rng = np.random.default_rng(seed)
    count = rng.poisson(rng.choice([0.0, 0.2, 2.0], (rows, 1)), (rows, n)).astype(float)
    return np.round(count * rng.choice([8.0, -4.0, 1.5], (rows, n)), 1), count


def test_a_circle_is_cut_into_sixteenths_of_a_block():
    assert circle_of(36_000, 1200) == Circle(480, 75, 16)
    assert circle_of(100, 10) == Circle(100, 1, 10)
    assert circle_of(2399, 1200) is None
    assert circle_of(2400, 1200) == Circle(32, 75, 16)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 5))
def test_it_is_the_plain_one(seed, block, rows):
    """Hits and draws of every row, draw by draw; the first part of the draws has 256 of them."""
    n, draws = 2 * block + seed % 40, 40
    net, count = random_rows(seed, rows, n)
    variance = np.full(rows, 32.0)
    p_values = bootstrap_p(net, count, Circle(n, 1, block), variance, max_draws=draws, max_hits=10**6, seed=seed)
    for row in range(rows):
        if not count[row].any():
            assert math.isnan(p_values[row])
            continue
        sums, counts = net[row].tolist(), count[row].astype(int).tolist()
        observed = twin_observed(sums, counts, block, 32.0)
        found = np.array(twin_statistics(sums, counts, block, 32.0, draws, seed * GOLDEN & MASK))
        close = np.abs(found - observed) < 1e-4  # single precision may tip these
        hits = round(p_values[row] * (draws + 1)) - 1
        assert (found >= observed)[~close].sum() <= hits <= (found >= observed)[~close].sum() + close.sum()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9))
def test_an_interval_is_the_symmetric_bootstrap_t_of_the_plain_draws(seed, block):
    n, draws = 2 * block + seed % 40, 59
    net, count = random_rows(seed, 1, n)
    found = mean_test(net, count, Circle(n, 1, block), np.full(1, 32.0), max_draws=draws, seed=seed)
    if not count.any():
        assert math.isnan(found.half_width[0])
        return
    sums, counts = net[0].tolist(), count[0].astype(int).tolist()
    error = sum(sums) / sum(counts) / twin_observed(sums, counts, block, 32.0) if sum(sums) else None
    statistics = np.abs(twin_statistics(sums, counts, block, 32.0, draws, seed * GOLDEN & MASK))
    wanted = np.sort(statistics)[57 - 1]  # the 57th of 60 gaps: 95 %
    if error is not None:
        assert found.half_width[0] == pytest.approx(wanted * error, abs=1e-3)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 150))
def test_what_stands_beside_a_row_does_not_matter(seed, rows):
    net, count = random_rows(seed, rows, 60)
    variance = np.random.default_rng(seed).uniform(1, 50, rows)
    circle = Circle(60, 1, 5)
    together = mean_test(net, count, circle, variance, max_draws=3000)
    for row in (0, rows // 2, rows - 1):
        alone = mean_test(net[row : row + 1], count[row : row + 1], circle, variance[row : row + 1], max_draws=3000)
        for one, of_all in zip(alone, together, strict=True):
            assert np.array_equal(one, of_all[row : row + 1], equal_nan=True)


def test_stopping_at_the_hits_is_hits_over_draws():
    net, count = random_rows(4, 40, 80)
    circle, variance = Circle(80, 1, 5), np.full(40, 20.0)
    full = bootstrap_p(net, count, circle, variance, max_draws=20_000, max_hits=10**9)
    early = bootstrap_p(net, count, circle, variance)
    known = ~np.isnan(full)
    assert known.sum() > 20
    assert early[known] == pytest.approx(full[known], rel=0.6)
    assert np.median(np.abs(np.log(early[known] / full[known]))) < 0.2
    hits = early[known] * np.round(50 / early[known])
    assert np.allclose(hits, 50, atol=0.5)  # 50 hits over a whole number of draws


def test_every_number_of_trials_gets_the_draws_that_holm_asks_for():
    assert draws_for(1) == draws_for(4000) == DRAWS
    for trials in (4001, 10_000, 100_000):
        assert DRAWS < draws_for(trials) <= MOST_DRAWS
        assert trials / (draws_for(trials) + 1) <= 0.04
    assert draws_for(10**9) == MOST_DRAWS


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_a_row_without_a_hit_is_drawn_on_to_its_first(seed):
    """The p of a longer sequence that stops at its first hit, draw by draw; rows that had a hit keep theirs."""
    block, n, before, most = 4, 40, 40, 90
    rng = np.random.default_rng(seed)
    net, count = random_rows(seed, 12, n)
    net += rng.uniform(0, 6, (12, 1)) * count
    circle, variance = Circle(n, 1, block), np.full(12, 32.0)
    shallow = bootstrap_p(net, count, circle, variance, max_draws=before, max_hits=10**6, seed=seed)
    deep = deeper_p(shallow, net, count, circle, variance, most, before=before, seed=seed)
    unreached = shallow == 1 / (before + 1)
    assert np.array_equal(deep[~unreached], shallow[~unreached], equal_nan=True)
    for row in np.flatnonzero(unreached):
        sums, counts = net[row].tolist(), count[row].astype(int).tolist()
        observed = twin_observed(sums, counts, block, 32.0)
        state = (seed + (before << 32)) * GOLDEN & MASK
        found = np.array(twin_statistics(sums, counts, block, 32.0, most - before, state))
        if (np.abs(found - observed) < 1e-4).any():
            continue  # single precision may tip it
        first = np.flatnonzero(found >= observed)
        assert deep[row] == (1 / (before + 1 + first[0]) if first.size else 1 / (most + 1))


def test_a_deeper_p_is_a_p_too():
    """Under the null a row is at or below any level at most that often, on the way to the last draw and there."""
    rng = np.random.default_rng(2)
    rows, n, before, most = 20_000, 64, 199, 999
    net, count = rng.normal(0.0, 3.0, (rows, n)), np.ones((rows, n))
    circle, variance = Circle(n, 1, 1), np.zeros(rows)
    shallow = bootstrap_p(net, count, circle, variance, max_draws=before)
    deep = deeper_p(shallow, net, count, circle, variance, most, before=before)
    assert 60 < (shallow == 1 / 200).sum() < 180
    assert (deep <= shallow).all()
    for level in (1 / 1000, 1 / 700, 1 / 400, 1 / 200):
        share = int((deep <= level + 1e-12).sum())
        assert stats.binomtest(share, rows, level).pvalue > 0.001, (level, share)


def test_an_edge_beyond_the_draws_is_told_from_one_that_ends_there():
    n = 480
    strong, none = np.full((1, n), 2.0) + np.random.default_rng(0).normal(0, 1, (1, n)), np.zeros((1, n))
    net, count, circle = np.concatenate([strong, none]), np.ones((2, n)), Circle(n, 75, 16)
    p_values = bootstrap_p(net, count, circle, np.full(2, 32.0))
    assert p_values[0] == 1 / (DRAWS + 1)
    deep = deeper_p(p_values, net, count, circle, np.full(2, 32.0), draws_for(6000))
    assert deep[0] == 1 / 150_000
    assert deep[1] == p_values[1]


def test_blocks_are_those_of_the_stationary_bootstrap():
    """Variance of a resampled sum as arch draws it, and geometric lengths around the circle."""
    n, block = 120, 6
    draws = draws_of(n, block, 0, 4096, 42)
    covered = np.add.reduceat(draws.length, draws.offsets[:-1])
    assert (covered == n).all()
    whole = np.delete(draws.length, draws.offsets[1:] - 1)  # a draw's last block is cut
    assert whole.mean() == pytest.approx(block, rel=0.15)
    assert stats.kstest(draws.start, "randint", args=(0, n)).pvalue > 1e-4 or np.ptp(np.bincount(draws.start)) < 400
    series = np.cumsum(np.random.default_rng(1).normal(size=n)) / 5
    twice = np.concatenate([series, series])
    sums = np.add.reduceat(
        [twice[at : at + length].sum() for at, length in zip(draws.start, draws.length, strict=True)],
        draws.offsets[:-1],
    )
    theirs = [given[0].sum() for given, _ in StationaryBootstrap(block, series, seed=1).bootstrap(4000)]
    assert sums.mean() == pytest.approx(np.mean(theirs), abs=4 * np.std(theirs) / 60)
    assert sums.std() == pytest.approx(np.std(theirs), rel=0.08)


def test_grains_give_the_p_of_single_bins():
    """A sixteenth of a block is fine enough: p as from blocks that may begin at every bin."""
    rng = np.random.default_rng(5)
    for edge in (0.0, 0.5, 1.2):
        at_bin = np.sort(rng.choice(6000, 300, replace=False))
        pnl = rng.choice([8.0, -4.0], 300, p=[1 / 3, 2 / 3]) + edge
        coarse, fine = circle_of(6000, 192), Circle(6000, 1, 192)
        found = [bootstrap_p(*on_circle(pnl, at_bin, c), c, np.array([32.0]), max_hits=400)[0] for c in (coarse, fine)]
        assert found[0] == pytest.approx(found[1], rel=0.3, abs=0.001)


def test_a_few_winners_are_no_certainty():
    circle = circle_of(2000, 100)
    found = bootstrap_p(*on_circle(np.full(5, 8.0), np.arange(100, 1100, 200), circle), circle, np.array([32.0]))
    assert 0 < found[0] < (1 / 3) ** 5  # so the floor by luck decides, not this


def noise_rows(seed: int, n: int = 6000, hold: int = 200) -> list[tuple[np.ndarray, np.ndarray]]:
    """Trades of a signal that knows nothing about a walk, and of one that sees a little of its next moves."""
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
        found.append(on_circle(trades.pnl_half / HALF, trades.entry_bin, circle_of(n, hold)))
    return found


def test_noise_is_significant_as_often_as_it_should_be_and_an_edge_nearly_always():
    rows = [row for seed in range(400) for row in noise_rows(seed)]
    net, count = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    p_values = bootstrap_p(net, count, circle_of(6000, 200), np.full(800, 8.0)).reshape(400, 2)
    share = (p_values[:, 0] < 0.05).mean()
    assert stats.binomtest(int(share * 400), 400, 0.05).pvalue > 0.01, share
    assert 0.4 < np.median(p_values[:, 0]) < 0.6
    assert (p_values[:, 1] < 0.05).mean() > 0.95


def interval_of(pnl: np.ndarray, at_bin: np.ndarray, n_independent: int) -> tuple[float, float, float]:
    """(low, high, p) of one row of tp 4, sl 2 and no cost."""
    circle = circle_of(6000, 200)
    found = mean_test(*on_circle(pnl, at_bin, circle), circle, np.array([8.0]))
    ticks = (np.array([value]) for value in (4.0, 2.0, 0.0))
    ends = mean_interval(np.array([pnl.mean()]), found.half_width, found.p_value, np.array([n_independent]), *ticks)
    return float(ends[0][0]), float(ends[1][0]), float(found.p_value[0])


def test_an_interval_covers_the_truth_and_agrees_with_its_p():
    rows = [noise_rows(seed) for seed in range(300)]
    for which, edge in ((0, False), (1, True)):
        net, count = (np.concatenate([row[which][part] for row in rows]) for part in (0, 1))
        found = mean_test(net, count, circle_of(6000, 200), np.full(300, 8.0))
        mean = net.sum(axis=1) / count.sum(axis=1)
        same = (np.full(300, value) for value in (30, 4.0, 2.0, 0.0))
        low, high = mean_interval(mean, found.half_width, found.p_value, *same)
        assert (low <= mean).all()
        assert (high >= mean).all()
        assert not ((low > 0) & (found.p_value >= 0.05)).any()
        truth = mean.mean()
        assert ((low <= truth) & (truth <= high)).mean() > 0.92
        assert ((low > 0).mean() > 0.9) == edge


@pytest.mark.parametrize(("pnl", "n_independent"), [(4.0, 1), (4.0, 3), (-2.0, 1), (-2.0, 3)])
def test_a_few_trades_that_end_alike_leave_the_interval_wide(pnl, n_independent):
    """One trade may end as it did whatever the mean is; three wins of a mean of 0 happen once in 27 times."""
    low, high, _ = interval_of(np.full(n_independent, pnl), np.arange(n_independent) * 500 + 100, n_independent)
    assert low < 0 < high
    assert low <= pnl <= high


def test_many_trades_that_end_alike_leave_no_doubt():
    low, high, p_value = interval_of(np.full(25, 4.0), np.arange(25) * 220 + 100, 25)
    assert 2.5 < low <= high == 4.0
    assert p_value < 0.001
