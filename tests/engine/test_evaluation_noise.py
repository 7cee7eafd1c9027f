"""Where a grid says nothing of its prices, the whole chain finds nothing. The full form is `benchmarks.noise`."""

from __future__ import annotations

import numpy as np
import pytest

from vp_engine.evaluation import bootstrap, sweep

noise = pytest.importorskip("benchmarks.noise", reason="run from the repository's root")

SEEDS = 10
N_BINS = 5000
SPEC = noise.experiment(
    ("derivative", "ads", "msd"),
    eval={"tp_ticks": [4], "sl_ticks": [4], "max_hold_bins": 150, "cooldown_bins": [20, 60]},
)


@pytest.fixture(scope="module")
def nothing():
    return [noise.sweep(noise.pure_noise(seed, N_BINS), SPEC) for seed in range(SEEDS)]


def test_sweeps_over_noise_call_nothing_significant(nothing):
    """At a nominal 5 % three of ten are as good as impossible, and the seeds are fixed."""
    assert sum(one.best_holm <= 0.05 for one in nothing) <= 2
    assert sum(one.spa <= 0.05 for one in nothing) <= 2
    assert np.median([one.best_holm for one in nothing]) > 0.2


def test_rows_pass_by_luck_as_often_as_their_p_says(nothing):
    every = np.concatenate([one.p_values for one in nothing])
    assert every.size > 200
    assert np.mean(every <= 0.05) < 0.15
    assert 0.3 < np.median(every) < 0.8


@pytest.fixture(scope="module")
def told():
    """The same market with a grid that knows the next moves, and the sweep of a signal that reads it."""
    made = noise.pure_noise(3, N_BINS)
    bid = made.bins["best_bid_price_int"] // noise.CONFIG.tick_int
    ahead = np.sign(np.roll(bid, -60) - bid) * (np.arange(N_BINS) < N_BINS - 60)
    radius = noise.CONFIG.grid_radius_ticks
    side = np.sign(np.arange(-radius, radius + 1))
    vacuum = (1 + np.random.default_rng(1).random((N_BINS, 1)) * (ahead[:, None] * side > 0)).astype(np.float32)
    grid = noise.MadeDataset(made.bins, lambda name: vacuum, noise.CONFIG, "ab" * 32)
    return grid, noise.experiment(("msd",), eval=SPEC.eval.model_dump(mode="json"))


def test_an_edge_in_the_same_market_is_found(told):
    """The test has teeth: told the next moves, the chain says so."""
    found = noise.sweep(*told)
    assert found.best_holm <= 0.05
    assert found.spa <= 0.05


def test_a_row_beyond_all_draws_is_drawn_on_for_the_correction_alone(told, monkeypatch):
    """As a sweep of 8,000 trials asks for: the row's own p stays what it is whatever stands beside it."""
    few = noise.sweep(*told)
    assert few.p_values.min() == 1 / (bootstrap.DRAWS + 1)
    monkeypatch.setattr(sweep, "draws_for", lambda n_rows: bootstrap.draws_for(8000))
    many = noise.sweep(*told)
    assert np.array_equal(many.p_values, few.p_values)
    assert few.best_holm == pytest.approx(few.p_values.size * 1e-5)
    assert many.best_holm == pytest.approx(few.best_holm / 2)
