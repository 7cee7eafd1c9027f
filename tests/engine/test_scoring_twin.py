"""Flow scores and projections against the twin, in blocks of any size."""

from __future__ import annotations

import numpy as np
import pytest
from harness import assert_close, engine_config
from hypothesis import given, settings
from hypothesis import strategies as st
from twin import twin_scores

from vp_engine.schema import GRID_F32_NAMES, BinBlock, empty_block
from vp_engine.spectrum.scoring import SpectrumScorer

TICK = 19_200
COLUMNS = ("composite_d1", "composite_d2", "composite_d3")


def random_block(seed: int, n: int, radius: int, config, walk: float = 0.3, invalid: float = 0.1) -> BinBlock:
    """Bins whose spot walks, with d1..d3 of mixed sizes: noisy, constant, below the floor, repeated values."""
    rng = np.random.default_rng(seed)
    block = empty_block(n, radius)
    valid = rng.random(n) >= invalid
    spot = TICK + np.cumsum(
        rng.choice([-7, -1, 0, 1, 7], n, p=[walk / 20, walk / 2, 1 - 1.1 * walk, walk / 2, walk / 20])
    )
    block.bins["book_valid"] = valid
    block.bins["spot_ref_price_int"] = np.where(valid, spot * config.tick_int, 0)
    rows = 2 * radius + 1
    size = np.array([1.0, 1.0, 1e-4, 0.0])[(spot[:, None] + np.arange(rows)) % 4]  # by absolute tick
    for i, name in enumerate(COLUMNS):
        values = size * rng.standard_normal((n, rows)) / config.dt_s**i
        coarse = np.round(values, 1)
        field = np.where(spot[:, None] % 2, coarse, values)
        block.grid[GRID_F32_NAMES.index(name)] = np.where(valid[:, None], field, 0.0)
    return block


def twin_of(block: BinBlock, config):
    d1, d2, d3 = (block.field(name) for name in COLUMNS)
    return twin_scores(
        d1, d2, d3, block.bins["spot_ref_price_int"] // config.tick_int, block.bins["book_valid"], config
    )


def compare(scores, twin, config):
    assert_close(scores.flow_score, twin.score, "flow_score")
    assert_close(scores.projections, twin.projections, "projections")
    decided = np.abs(np.abs(twin.score) - config.threshold_neutral) > 1e-9
    np.testing.assert_array_equal(scores.flow_state_code[decided], twin.code[decided])


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    window=st.integers(2, 60),
    share=st.floats(0.0, 1.0),
    walk=st.sampled_from([0.0, 0.3, 0.9]),
    use_cubic=st.booleans(),
    damping=st.sampled_from([0.0, 0.7]),
)
def test_random_bins(seed, window, share, walk, use_cubic, damping):
    config = engine_config(
        zscore_window_bins=window,
        zscore_min_periods=max(1, round(share * window)),
        grid_radius_ticks=4,
        projection_use_cubic=use_cubic,
        projection_damping_lambda=damping,
    )
    block = random_block(seed, 90, 4, config, walk)
    compare(SpectrumScorer(config).update(block), twin_of(block, config), config)


def test_default_windows():
    config = engine_config(grid_radius_ticks=6)
    block = random_block(1, 450, 6, config)
    scores, twin = SpectrumScorer(config).update(block), twin_of(block, config)
    compare(scores, twin, config)
    assert not scores.flow_score[:75].any()
    assert {-1, 0, 1} == set(np.unique(scores.flow_state_code))


@pytest.mark.parametrize("step", [1, 7, 100])
def test_one_bin_or_many(step):
    """Blocks of any size give the same bits."""
    config = engine_config(grid_radius_ticks=5, zscore_window_bins=40, zscore_min_periods=10)
    block = random_block(2, 230, 5, config)
    whole, scorer = SpectrumScorer(config).update(block), SpectrumScorer(config)
    parts = [scorer.update(block.part(first, first + step)) for first in range(0, 230, step)]
    for name, axis in (("flow_score", 0), ("flow_state_code", 0), ("projections", 1)):
        joined = np.concatenate([getattr(part, name) for part in parts], axis=axis)
        assert joined.tobytes() == np.ascontiguousarray(getattr(whole, name)).tobytes(), name


def test_mirrored_ticks_give_mirrored_scores():
    """Histories belong to absolute ticks: reflecting them about a tick reflects the scores, to the bit."""
    config = engine_config(grid_radius_ticks=5, zscore_window_bins=40, zscore_min_periods=10)
    block = random_block(3, 300, 5, config)
    image = BinBlock(block.bins.copy(), np.ascontiguousarray(block.grid[:, :, ::-1]), block.state5, block.last_event_id)
    valid = block.bins["book_valid"] == 1
    image.bins["spot_ref_price_int"][valid] = (2 * TICK * config.tick_int - block.bins["spot_ref_price_int"])[valid]
    left, right = SpectrumScorer(config).update(block), SpectrumScorer(config).update(image)
    np.testing.assert_array_equal(left.flow_score, right.flow_score[:, ::-1])
    np.testing.assert_array_equal(left.projections, right.projections[:, :, ::-1])


def test_a_quiet_tick_scores_nothing():
    """Changes of less than a ten-thousandth of the composite per bin are noise, however regular."""
    config = engine_config(grid_radius_ticks=1, zscore_window_bins=20, zscore_min_periods=5)
    block = empty_block(60, 1)
    block.bins["book_valid"] = 1
    block.bins["spot_ref_price_int"] = TICK * config.tick_int
    noise = np.random.default_rng(0).standard_normal((60, 3))
    for i, name in enumerate(COLUMNS):
        block.grid[GRID_F32_NAMES.index(name)] = 2e-5 * noise / config.dt_s ** (i + 1)
    assert not SpectrumScorer(config).update(block).flow_score.any()
    block.grid[:] *= 20
    assert SpectrumScorer(config).update(block).flow_score[5:].any()
