"""Features: where they are read, how many there are, and what a mirrored market makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from ml_kit import CONFIG, NAMES, QUICK, ml_block, portions
from signal_market import random_market

from vp_engine.schema import empty_block
from vp_engine.signals import get_signal, make_signal
from vp_engine.signals.features import BANDS
from vp_engine.signals.ml.frame import FLOWS, REACH, WIDTH, View
from vp_engine.signals.ml.windows import MEAN, SKEW, Moments, Returns, RobustZs, Slopes

COLUMNS = (*FLOWS, "pressure_variant", "vacuum_variant")
COUNTS = {"svm_sp": 45, "gbm_mf": 53, "knn_cl": 35, "lsvm_der": 60, "xgb_snap": 163, "pca_ad": 102}


def view_of(block, frame: str = "bbo", columns=COLUMNS) -> View:
    return View(block, np.flatnonzero(block.bins["book_valid"]), columns, frame, CONFIG)


def one_bin(bid: int, ask: int, values: dict[int, float], name: str = "v_add"):
    """A bin with quotes at these ticks and a column's values by tick."""
    block = empty_block(1, CONFIG.grid_radius_ticks)
    spot = (bid + ask + 1) // 2
    for field, tick in (("best_bid_price_int", bid), ("best_ask_price_int", ask), ("spot_ref_price_int", spot)):
        block.bins[field] = tick * CONFIG.tick_int
    block.bins["book_valid"] = 1
    for tick, value in values.items():
        block.field(name)[0, tick - spot + CONFIG.grid_radius_ticks] = value
    return block


def feature_rows(name: str, block, size: int = 10_000, **params) -> np.ndarray:
    """Features float32 (m, d) of all valid bins, as the model gets them."""
    signal = make_signal(name, {**QUICK[name], "first_bins": 10**6, **params}, CONFIG)
    rows = []
    make = signal.features
    signal.features = lambda view: rows.append(np.hstack(make(view)).astype(np.float32)) or [rows[-1]]
    for part in portions(block, size):
        signal.update(part)
    return np.vstack(rows)


def test_a_profile_counts_from_the_quotes():
    block = one_bin(1000, 1003, {1000: 1, 999: 2, 1001: 30, 1002: 50, 1003: 7, 1005: 9})
    row = view_of(block, columns=("v_add",)).profile("v_add")[0]
    assert row[REACH - 2 : REACH + 4].tolist() == [2, 1, 40, 7, 0, 9]
    assert np.count_nonzero(row) == 5


def test_in_the_spot_frame_it_counts_from_spot():
    block = one_bin(1000, 1001, {1000: 1, 1001: 5, 1002: 7})
    row = view_of(block, "spot", ("v_add",)).profile("v_add")[0]
    assert row[REACH - 1 : REACH + 2].tolist() == [1, 5, 7]


def test_nothing_lies_between_touching_quotes():
    block = one_bin(1000, 1001, {tick: 4.0 for tick in range(990, 1010)})
    assert view_of(block, columns=("v_add",)).profile("v_add")[0, REACH] == 0


@pytest.mark.parametrize(("name", "sign"), [("v_add", 1), ("v_pull", -1)])
def test_asymmetry_is_bullish_above_zero(name, sign):
    block = one_bin(1000, 1001, {1000: 3, 999: 6, 1001: 1, 1004: 8}, name)
    view = view_of(block, columns=(name,))
    assert view.asymmetry(name)[0].tolist() == [sign * (9 / 3 - 1 / 3), sign * (0 - 8 / 8), 0]
    weights = 1 / np.arange(1, 25)
    weights /= weights.sum()
    expected = 3 * weights[0] + 6 * weights[1] - 1 * weights[0] - 8 * weights[3]
    assert view.divergence(name, 24)[0, 0] == pytest.approx(sign * expected)


def test_windows_are_plain_statistics():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(80, 2))
    moments = Moments((10, 25), 2, SKEW).update(x)
    slopes = Slopes((12,), 2).update(x)
    assert not moments[:9].any()
    assert not slopes[:11].any()
    last = x[-25:]
    away = last - last.mean(0)
    expected = [last.mean(0), last.std(0), (away**3).mean(0) / last.std(0) ** 3]
    assert moments[-1, 6:] == pytest.approx(np.concatenate(expected))
    assert slopes[-1] == pytest.approx(np.polyfit(np.arange(12), x[-12:], 1)[0])
    assert Moments((10,), 2, MEAN).update(x).shape == (80, 2)


def test_returns_across_a_gap_are_zero():
    returns = Returns()
    assert returns.update(np.array([10, 12, 13]), np.array([4, 5, 7]))[:, 0].tolist() == [0, 1, 0]
    assert returns.update(np.array([10]), np.array([8]))[:, 0].tolist() == [-1.5]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("frame", ["bbo", "spot"])
def test_features_are_as_many_as_said_and_the_same_in_any_portions(name, frame):
    block = ml_block(1, 150)
    whole = feature_rows(name, block, frame=frame)
    assert whole.shape[1] == COUNTS[name] == get_signal(name).n_features
    assert np.isfinite(whole).all()
    for size in (1, 37):
        assert feature_rows(name, block, size, frame=frame).tobytes() == whole.tobytes()


def test_a_mirrored_market_reverses_profiles_and_negates_asymmetries():
    market = random_market(5, 200)
    one, other = view_of(market.block(CONFIG)), view_of(market.mirrored().block(CONFIG))
    for name in COLUMNS:
        assert np.array_equal(other.profile(name), one.profile(name)[:, ::-1])
        assert np.array_equal(other.side_sums(name, 1, 24), one.side_sums(name, 1, 24)[:, ::-1])
        assert np.array_equal(other.divergence(name, 24), -one.divergence(name, 24))
    assert np.array_equal(other.asymmetries(), -one.asymmetries())
    assert one.asymmetries().shape[1] == len(FLOWS) * len(BANDS)


def mirrored_rows(name: str, rows: np.ndarray) -> np.ndarray:
    """What features become when prices are reflected and sides swapped."""
    out = rows.copy()
    odd = {"svm_sp": [], "gbm_mf": [*range(36)], "knn_cl": [*range(21)], "lsvm_der": [*range(60)], "xgb_snap": []}
    if name == "svm_sp":
        out[:, :21] = rows[:, :21][:, ::-1]
        odd[name] = [*range(21, 24), *range(27, 30), *range(33, 36), 39, 41, 43]  # means; deviations stay
    if name == "gbm_mf":
        odd[name] += [41, 43, 44, 46, 47, 49, 50, 51]  # mean and skew of returns; touch and its mean
    if name == "knn_cl":
        out[:, 21:32] = rows[:, 21:32][:, ::-1]
        odd[name] += [32, 33, 34]
    if name == "xgb_snap":
        for first in (0, 51, 102):
            out[:, first : first + 51] = rows[:, first : first + 51][:, ::-1]
        odd[name] = [153, 155, 157]
        out[:, 159:] = rows[:, [160, 159, 162, 161]]
    if name == "pca_ad":
        out[:, :WIDTH] = rows[:, :WIDTH][:, ::-1]
        odd[name] = [WIDTH]
    out[:, odd[name]] *= -1
    return out


@pytest.mark.parametrize("name", NAMES)
def test_a_mirrored_market_gives_the_mirrored_features(name):
    market = random_market(6, 700, invalid=0.02)
    one, other = (feature_rows(name, side.block(CONFIG)) for side in (market, market.mirrored()))
    if name == "xgb_snap":  # scores by tick, not the block's own: those follow spot's rounding
        one[:, 102:153] = other[:, 102:153] = 0
    assert np.array_equal(other, mirrored_rows(name, one))
    assert np.count_nonzero(one) > one.size / 3


def test_robust_z_needs_its_samples():
    x = np.random.default_rng(4).normal(size=(50, 1))
    z = RobustZs(40, 1).update(x)[:, 0]
    assert not z[:29].any()
    window = x[9:49, 0]
    median = np.median(window)
    assert z[48] == pytest.approx((x[48, 0] - median) / (1.4826 * np.median(np.abs(window - median))))
