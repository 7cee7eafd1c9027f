"""The statistical signals: their slow twins, the same bits in any portions, causality, mirrors, invalid bins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signal_market import random_market
from signal_twin import TWINS, twin_values

from vp_engine.errors import ConfigError
from vp_engine.schema import GRID_F32_NAMES, BinBlock
from vp_engine.signals import get_signal, list_signals, make_signal, run_signal
from vp_engine.signals.base import SCORE_COLUMNS
from vp_engine.specs import build_config_with_overrides, load_instrument
from vp_engine.spectrum.scoring import Scores, SpectrumScorer

CONFIG = build_config_with_overrides(
    load_instrument(), {"grid_radius_ticks": 30, "zscore_window_bins": 40, "zscore_min_periods": 10}
)
Z = {"zscore_window_bins": 30, "zscore_min_periods": 10}
QUICK = {
    "ads": {"slope_windows": [4, 6, 9], **Z},
    "ads_pfp_svac": {"slope_windows_ms": [400, 650, 900], "zscore_window_ms": 3000, "warmup_ms": 2500, "lag_ms": 300},
    "derivative": Z,
    "erd": {"entropy_window_bins": 20, "entropy_min_periods": 10},
    "iirc": {"slope_windows": [4, 9]},
    "jad": Z,
    "msd": {},
    "pfp": {},
    "spg": {},
}
VARIANTS = [
    *((name, params) for name, params in QUICK.items()),
    *((name, {**params, "frame": "spot"}) for name, params in QUICK.items() if name != "derivative"),
    ("erd", {**QUICK["erd"], "variant": "b"}),
    ("msd", {"variant": "sum"}),
    ("msd", {"variant": "sum", "frame": "spot"}),
]
MIRRORED = [(name, params) for name, params in VARIANTS if params.get("frame", "bbo") == "bbo"]
DEFAULTS = [(name, {}) for name in TWINS]


def portions(block: BinBlock, scores: Scores, size: int) -> tuple[list[BinBlock], list[Scores]]:
    cuts = [slice(first, min(first + size, len(block.bins))) for first in range(0, len(block.bins), size)]
    parts = [Scores(scores.flow_score[cut], scores.flow_state_code[cut], scores.projections[:, cut]) for cut in cuts]
    return [block.part(cut.start, cut.stop) for cut in cuts], parts


def values(name: str, params: dict, market, size: int = 10_000) -> np.ndarray:
    blocks, scores = portions(market.block(CONFIG), market.scores(CONFIG), size)
    return run_signal(make_signal(name, params, CONFIG), blocks, scores)


def test_every_statistical_signal_is_here():
    assert {info.name for info in list_signals() if info.kind == "statistical"} == set(QUICK)
    assert set(TWINS) == set(QUICK) - {"derivative"}


@pytest.mark.parametrize(("name", "params"), [item for item in VARIANTS if item[0] != "derivative"])
@pytest.mark.parametrize("seed", [1, 2])
def test_values_are_the_twins(name, params, seed):
    market = random_market(seed, 90)
    block, scores = market.block(CONFIG), market.scores(CONFIG)
    expected = twin_values(name, block, make_signal(name, params, CONFIG).params, CONFIG, scores)
    found = make_signal(name, params, CONFIG).update(block, scores)
    assert np.count_nonzero(expected) >= 10
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", list(TWINS))
def test_defaults_are_the_definitions(name):
    market = random_market(3, 330)
    block, scores = market.block(CONFIG), market.scores(CONFIG)
    expected = twin_values(name, block, get_signal(name).Params(), CONFIG, scores)
    found = make_signal(name, {}, CONFIG).update(block, scores)
    assert np.count_nonzero(expected) > 20
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("name", "params"), VARIANTS)
def test_one_bin_at_a_time_gives_the_same_bits_as_all_at_once(name, params):
    market = random_market(4, 120)
    whole = values(name, params, market)
    assert whole.dtype == np.float64
    assert np.isfinite(whole).all()
    for size in (1, 7):
        assert values(name, params, market, size).tobytes() == whole.tobytes()


@pytest.mark.parametrize(("name", "params"), VARIANTS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(1, 79))
def test_no_value_depends_on_a_later_bin(name, params, seed, cut):
    market, other = random_market(seed, 80), random_market(seed + 1, 80)
    later = np.arange(80) >= cut
    changed = market._replace(
        **{
            field: np.where(later if before.ndim == 1 else later[:, None], after, before)
            for field, before, after in zip(market._fields, market, other, strict=True)
            if field != "columns"
        },
        columns={
            column: np.where(later[:, None], other.columns[column], before) for column, before in market.columns.items()
        },
    )
    whole = values(name, params, market)
    assert values(name, params, changed)[:cut].tobytes() == whole[:cut].tobytes()
    signal = make_signal(name, params, CONFIG)
    blocks, scores = portions(market.block(CONFIG), market.scores(CONFIG), cut)
    assert signal.update(blocks[0], scores[0]).tobytes() == whole[:cut].tobytes()


@pytest.mark.parametrize(("name", "params"), MIRRORED + DEFAULTS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_mirrored_market_negates_the_signal(name, params, seed):
    market = random_market(seed, 100)
    np.testing.assert_array_equal(values(name, params, market.mirrored()), -values(name, params, market))


@pytest.mark.parametrize("spread", [2, 4])
def test_a_mirror_holds_through_the_scorer(spread):
    """With an even spread; an odd one rounds spot to the ask, and rows at the rim have other histories."""
    market = random_market(7, 120, spread=spread)

    def own(which):
        return make_signal("erd", QUICK["erd"], CONFIG).update(which.block(CONFIG))

    assert np.count_nonzero(own(market)) > 10
    np.testing.assert_array_equal(own(market.mirrored()), -own(market))


@pytest.mark.parametrize(("name", "params"), VARIANTS)
def test_invalid_bins_are_zero_and_leave_no_trace(name, params):
    market = random_market(8, 100, invalid=0.2)
    found = values(name, params, market)
    kept = market._replace(
        **{field: getattr(market, field)[market.valid] for field in market._fields if field != "columns"},
        columns={column: rows[market.valid] for column, rows in market.columns.items()},
    )
    assert not found[~market.valid].any()
    assert found[market.valid].tobytes() == values(name, params, kept).tobytes()


@pytest.mark.parametrize(("name", "params"), VARIANTS)
def test_only_the_columns_it_names_are_read(name, params):
    market = random_market(9, 80)
    block, scores = market.block(CONFIG), market.scores(CONFIG)
    grid = block.grid.copy()
    for at, column in enumerate(GRID_F32_NAMES):
        if column not in get_signal(name).columns:
            grid[at] = np.nan
    state5 = block.state5 if "state5_code" in get_signal(name).columns else block.state5 + 1
    other = block._replace(grid=grid, state5=state5, last_event_id=block.last_event_id + 9)
    expected = make_signal(name, params, CONFIG).update(block, scores)
    assert make_signal(name, params, CONFIG).update(other, scores).tobytes() == expected.tobytes()


@pytest.mark.parametrize(("name", "params"), VARIANTS)
def test_nothing_before_it_has_the_bins_it_needs(name, params):
    signal = make_signal(name, params, CONFIG)
    market = random_market(10, 100, invalid=0.0)
    found = signal.update(market.block(CONFIG), market.scores(CONFIG))
    assert not found[: signal.needed_bins - 1].any()
    assert found[signal.needed_bins - 1 :].any()


def test_a_spread_wider_than_the_grid_says_nothing():
    market = random_market(11, 60, invalid=0.0, spread=70)
    for name, params in MIRRORED:
        if name != "derivative":
            assert not values(name, params, market).any(), name


def test_scores_are_made_where_none_are_handed_over():
    block = random_market(12, 100).block(CONFIG)
    alone = make_signal("erd", QUICK["erd"], CONFIG).update(block)
    scores = SpectrumScorer(CONFIG).update(block)
    assert np.count_nonzero(alone) > 10
    assert make_signal("erd", QUICK["erd"], CONFIG).update(block, scores).tobytes() == alone.tobytes()


def test_what_reads_scores_says_what_it_needs_stored():
    signal = get_signal("erd")
    assert signal.reads_scores
    assert signal.columns == SCORE_COLUMNS
    assert signal.stored_columns() == ("composite_d1", "composite_d2", "composite_d3")
    assert not get_signal("ads").reads_scores
    assert get_signal("ads").stored_columns() == get_signal("ads").columns


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("ads", {"zscore_window_bins": 20}, "`zscore_min_periods`"),
        ("ads", {"slope_windows": [1, 2, 3]}, "slope_windows"),
        ("ads", {"frame": "mid"}, "`frame`"),
        ("pfp", {"inner_last": 6}, "`inner_last`"),
        ("pfp", {"alpha": 0}, "`alpha`"),
        ("ads_pfp_svac", {"svac_weight": -1}, "`svac_weight`"),
        ("erd", {"variant": "c"}, "`variant`"),
        ("erd", {"entropy_window_bins": 20}, "`entropy_min_periods`"),
        ("iirc", {"dead_zone": -0.1}, "`dead_zone`"),
        ("jad", {"reach_ticks": 0}, "`reach_ticks`"),
        ("msd", {"variant": "mean"}, "`variant`"),
        ("spg", {"fast_spam": 5}, "did you mean `fast_span`"),
    ],
)
def test_bad_parameters_are_named(name, params, words):
    with pytest.raises(ConfigError, match=words) as caught:
        make_signal(name, params, CONFIG)
    assert "\n" not in str(caught.value)
