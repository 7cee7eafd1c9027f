"""Hansen's SPA over a sweep: against arch's own, its definition worked by hand, an edge, noise, too little."""

from __future__ import annotations

import math

import numpy as np
import pytest
from arch.bootstrap import SPA
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vp_engine.evaluation.spa import (
    MIN_BLOCKS,
    long_run_variance,
    piece_bins_of,
    spa_p,
    student_over_normal,
)

N, ROWS = 120, 25


def noise(seed: int, rows: int = ROWS) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 5.0, (rows, N))


def arch_spa_p(pieces: np.ndarray, null_variance: np.ndarray, block: int, draws: int) -> float:
    """The same test by arch alone: rows scaled and widened, then its studentised SPA."""
    n = pieces.shape[1]
    spread = np.sqrt(long_run_variance(pieces, block) + null_variance / n)[:, None]
    mean = pieces.mean(axis=1, keepdims=True)
    wider = mean + student_over_normal(n // block) * (pieces - mean)
    test = SPA(np.zeros(n), -(wider / spread).T, block_size=block, reps=draws, bootstrap="stationary", seed=42)
    test.compute()
    return float(test.pvalues["consistent"])


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.sampled_from([1, 4]), st.floats(-3, 3))
def test_it_is_archs(seed, rows, block, edge):
    rng = np.random.default_rng(seed)
    pieces = rng.normal(0.0, 5.0, (rows, N)) + rng.normal(edge, 2.0, (rows, 1))
    found = spa_p(pieces, np.full(rows, 32.0), block, draws=200)
    assert found == pytest.approx(arch_spa_p(pieces, np.full(rows, 32.0), block, 200), abs=0.0051)  # one draw in a tie


def test_long_run_variance_is_archs():
    pieces = noise(2, 5)
    test = SPA(np.zeros(N), -pieces.T, block_size=4, reps=2, bootstrap="stationary", seed=1)
    test.compute()
    assert long_run_variance(pieces, 4) == pytest.approx(test._loss_diff_var)


def test_pieces_are_a_quarter_of_the_longest_hold():
    assert (piece_bins_of([1200, 600]), piece_bins_of([2])) == (300, 1)


def test_the_spread_of_independent_pieces_is_their_own_and_of_repeated_ones_more():
    series = np.random.default_rng(1).normal(size=(8, 250))
    assert long_run_variance(series, 1) == pytest.approx(series.var(axis=1))
    repeated = np.repeat(series, 4, axis=1)  # sums over four vary twice as much as the pieces say
    assert long_run_variance(repeated, 20).mean() == pytest.approx(4.0, rel=0.25)


def test_one_row_is_the_bootstrap_of_its_mean_with_students_tails():
    series = noise(3, 1) + 0.6
    drawn = np.random.default_rng(1).normal(size=100_000)  # blocks are independent here
    spread = np.sqrt(long_run_variance(series, 4)[0] / N) * student_over_normal(N // 4)
    assert student_over_normal(30) == pytest.approx(stats.t.ppf(0.999, 29) / stats.norm.ppf(0.999))
    expected = np.mean(drawn * spread >= series.mean())
    assert 0.02 < expected < 0.4
    assert spa_p(series, np.array([32.0])) == pytest.approx(expected, abs=0.05)


def test_an_edge_is_found_among_many_rows_and_noise_is_not():
    series = noise(5)
    assert spa_p(series, np.full(ROWS, 32.0)) > 0.2
    series[7] += 3.0
    assert spa_p(series, np.full(ROWS, 32.0)) < 0.01


def test_hopeless_rows_cost_little():
    """Rows far below the benchmark do not hide an edge (Hansen's point against the reality check)."""
    series = noise(6, 3)
    series[0] += 1.7
    alone = spa_p(series, np.full(3, 32.0))
    crowd = np.vstack([series, noise(7, 40) - 20.0])
    assert spa_p(crowd, np.full(43, 32.0)) == pytest.approx(alone, abs=0.02)


def test_the_scale_of_a_row_does_not_decide():
    series = noise(8)
    larger = series.copy()
    larger[3] *= 100.0
    tiny = np.full(ROWS, 1e-9)
    assert spa_p(larger, tiny) == spa_p(series, tiny)


def test_a_handful_of_equal_wins_is_no_certainty():
    lucky = np.zeros((1, N))
    lucky[0, [10, 11, 12]] = 8.0
    assert spa_p(lucky, np.array([32.0])) > 0.05


def test_no_rows_or_too_short_a_dataset_give_none():
    assert math.isnan(spa_p(np.empty((0, N)), np.empty(0)))
    assert math.isnan(spa_p(noise(1)[:, : 4 * MIN_BLOCKS - 1], np.full(ROWS, 32.0)))
