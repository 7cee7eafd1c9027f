"""Analyses against hand-worked cases: shares, runs, ticks that move under the grid, errors of a projection."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_lake import make_lake

from vp_engine.evaluation.analysis import analyze, horizon_errors, later, regimes_of, runs_of, state_shares


def test_shares_are_of_valid_bins():
    state5 = np.array([[2, 0], [2, -1], [-2, 0], [1, 1]], np.int8)
    shares = state_shares(state5, np.array([1, 1, 1, 0], np.int8))
    assert shares[:, 0] == pytest.approx([1 / 3, 0, 0, 0, 2 / 3])
    assert shares[:, 1] == pytest.approx([0, 1 / 3, 2 / 3, 0, 0])


def test_regimes_are_runs():
    states, lengths = runs_of(np.array([2, 2, 0, 2, -2, -2, -2]))
    assert (states.tolist(), lengths.tolist()) == ([2, 0, 2, -2], [2, 1, 1, 3])
    regimes, moves = regimes_of(np.array([2, 2, 0, 2, -2, -2, -2]), 0.1)
    bull = regimes[4]
    assert (bull.runs, bull.share) == (2, pytest.approx(3 / 7))
    assert (bull.mean_s, bull.median_s, bull.longest_s) == pytest.approx((0.15, 0.15, 0.2))
    assert regimes[0].longest_s == pytest.approx(0.3)
    assert moves[4].tolist() == [0.5, 0, 0.5, 0, 0]
    assert np.isnan(moves[0]).all()  # it never left


def test_a_tick_is_followed_while_the_grid_moves():
    values = np.array([[1, 2, 3], [10, 20, 30], [100, 200, 300]], np.float32)
    spot = np.array([50, 51, 49])
    ahead = later(values, spot, 1)
    assert ahead[0, 1:].tolist() == [10, 20]  # ticks 50 and 51 are now rows 0 and 1
    assert np.isnan(ahead[0, 0])
    assert ahead[1, 0] == 300  # tick 50 is now the top row
    assert np.isnan(ahead[1, 1:]).all()
    assert np.isnan(ahead[2]).all()
    assert np.isnan(later(values, spot, 3)).all()


def test_errors_of_a_projection():
    realised = np.array([[0.5, -0.5, 0.5, -0.5]])
    score = np.array([[0.1, -0.1, 0.1, -0.1]])
    perfect = horizon_errors(realised, score, realised, 100)
    assert (perfect.rmse, perfect.correlation, perfect.same_sign) == (0, pytest.approx(1), 1)
    assert (perfect.skill_still, perfect.skill_zero) == (1, 1)
    wrong = horizon_errors(-realised, score, realised, 100)
    assert (wrong.mae, wrong.same_sign, wrong.skill_zero) == (1, 0, pytest.approx(-3))
    lazy = horizon_errors(score, score, realised, 100)
    assert lazy.skill_still == 0
    unknown = horizon_errors(score, score, np.full((1, 4), np.nan), 100)
    assert unknown.n == 0
    assert np.isnan(unknown.rmse)


def test_a_dataset_is_analysed(tmp_path):
    dataset = make_lake(tmp_path)[1]
    seen = []
    found = analyze(dataset, damping=(0.0, 4.0), cubic=(0.0, 0.2), on_progress=lambda *at: seen.append(at))
    assert found.state_shares.shape == (5, 9)
    assert np.allclose(found.state_shares.sum(axis=0), 1)
    assert sum(regime.share for regime in found.regimes) == pytest.approx(1)
    assert [(t.damping_lambda, t.cubic_scale) for t in found.sweep] == [(0, 0), (0, 0.2), (4, 0), (4, 0.2)]
    assert seen[-1] == (5, 5)
