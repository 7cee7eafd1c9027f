"""Where a grid says nothing of its prices, the whole chain finds nothing. The full form is `benchmarks.noise`."""

from __future__ import annotations

import numpy as np
import pytest

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


def test_an_edge_in_the_same_market_is_found():
    """The test has teeth: told the next moves, the chain says so."""
    made = noise.pure_noise(3, N_BINS)
    bid = made.bins["best_bid_price_int"] // noise.CONFIG.tick_int
    ahead = np.sign(np.roll(bid, -60) - bid) * (np.arange(N_BINS) < N_BINS - 60)
    radius = noise.CONFIG.grid_radius_ticks
    side = np.sign(np.arange(-radius, radius + 1))
    vacuum = (1 + np.random.default_rng(1).random((N_BINS, 1)) * (ahead[:, None] * side > 0)).astype(np.float32)
    told = noise.MadeDataset(made.bins, lambda name: vacuum, noise.CONFIG, "ab" * 32)
    found = noise.sweep(told, noise.experiment(("msd",), eval=SPEC.eval.model_dump(mode="json")))
    assert found.best_holm <= 0.05
    assert found.spa <= 0.05
