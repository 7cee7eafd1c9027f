"""Hansen's SPA over a sweep: against its definition worked by hand, on an edge, on noise, on too little."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from vp_engine.evaluation.spa import (
    MIN_BLOCKS,
    long_run_deviation,
    piece_bins_of,
    pieces_of_pnl,
    spa_p,
    student_over_normal,
)

N, ROWS = 120, 25


def noise(seed: int, rows: int = ROWS) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 5.0, (N, rows))


def test_pnl_lies_where_it_was_entered():
    pieces = pieces_of_pnl(np.array([8.0, -4.0, -4.0]), np.array([0, 99, 100]), 250, 100)
    assert pieces.tolist() == [4.0, -4.0, 0.0]
    assert (piece_bins_of([1200, 600]), piece_bins_of([2])) == (300, 1)


def test_the_spread_of_independent_pieces_is_their_own_and_of_repeated_ones_more():
    series = np.random.default_rng(1).normal(size=(4000, 1))
    assert long_run_deviation(series, 1) == pytest.approx(series.std(axis=0))
    repeated = np.repeat(series, 4, axis=0)  # sums over four vary twice as much as the pieces say
    assert long_run_deviation(repeated, 20)[0] == pytest.approx(2.0, rel=0.1)


def test_one_row_is_the_bootstrap_of_its_mean_with_students_tails():
    series = noise(3, 1) + 0.6
    drawn = np.random.default_rng(1).normal(size=100_000)  # blocks are independent here
    spread = long_run_deviation(series, 4)[0] / np.sqrt(N) * student_over_normal(N // 4)
    assert student_over_normal(30) == pytest.approx(stats.t.ppf(0.999, 29) / stats.norm.ppf(0.999))
    expected = np.mean(drawn * spread >= series.mean())
    assert 0.02 < expected < 0.4
    assert spa_p(series, np.array([32.0])) == pytest.approx(expected, abs=0.05)


def test_an_edge_is_found_among_many_rows_and_noise_is_not():
    series = noise(5)
    assert spa_p(series, np.full(ROWS, 32.0)) > 0.2
    series[:, 7] += 3.0
    assert spa_p(series, np.full(ROWS, 32.0)) < 0.01


def test_hopeless_rows_cost_little():
    """Rows far below the benchmark do not hide an edge (Hansen's point against the reality check)."""
    series = noise(6, 3)
    series[:, 0] += 1.7
    alone = spa_p(series, np.full(3, 32.0))
    crowd = np.column_stack([series, noise(7, 40) - 20.0])
    assert spa_p(crowd, np.full(43, 32.0)) == pytest.approx(alone, abs=0.02)


def test_the_scale_of_a_row_does_not_decide():
    series = noise(8)
    larger = series.copy()
    larger[:, 3] *= 100.0
    tiny = np.full(ROWS, 1e-9)
    assert spa_p(larger, tiny) == spa_p(series, tiny)


def test_a_handful_of_equal_wins_is_no_certainty():
    lucky = np.zeros((N, 1))
    lucky[[10, 11, 12]] = 8.0
    assert spa_p(lucky, np.array([32.0])) > 0.05


def test_no_rows_or_too_short_a_dataset_give_none():
    assert math.isnan(spa_p(np.empty((N, 0)), np.empty(0)))
    assert math.isnan(spa_p(noise(1)[: 4 * MIN_BLOCKS - 1], np.full(ROWS, 32.0)))
