"""Learning signals: causal whatever the future brings, the same bits live and offline and in every process, and fitted
when and on what the schedule says."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ml_kit import CONFIG, FIRST, N_BINS, NAMES, QUICK, STEP, learn, ml_block

from vp_engine.errors import ConfigError
from vp_engine.evaluation.barriers import STOP_LOSS, TAKE_PROFIT, UP, Barriers, market_of_bins
from vp_engine.schema import BinBlock
from vp_engine.signals import get_signal, list_signals, make_signal

SUPERVISED = [name for name in NAMES if name != "pca_ad"]


def joined(one: BinBlock, other: BinBlock, cut: int) -> BinBlock:
    """The first block up to a bin, the second from there on."""
    keep = np.arange(len(one.bins)) < cut
    other.bins["bin_seq"] = one.bins["bin_seq"]
    return BinBlock(
        np.where(keep, one.bins, other.bins),
        np.where(keep[None, :, None], one.grid, other.grid),
        np.where(keep[:, None], one.state5, other.state5),
        np.where(keep[:, None], one.last_event_id, other.last_event_id),
    )


def test_the_registry_holds_all_six():
    listed = {info.name: info for info in list_signals() if info.kind == "ml"}
    assert sorted(listed) == NAMES
    for name, info in listed.items():
        assert info.params["seed"] == 42
        kind = get_signal(name)
        assert info.prediction == ("probability" if name in ("gbm_mf", "xgb_snap") else "decision")
        for field in kind.Params.model_fields.values():
            assert field.annotation is not None


@pytest.mark.parametrize(
    ("name", "first", "refit", "labels"),
    [
        ("svm_sp", 1200, 300, 20), ("gbm_mf", 2400, 600, 40), ("knn_cl", 1800, 300, 20), ("lsvm_der", 1500, 600, 30),
        ("xgb_snap", 3000, 600, 50), ("pca_ad", 700, 100, 20),
    ],
)  # fmt: skip
def test_schedules_by_default(name, first, refit, labels):
    params = get_signal(name).Params()
    assert (params.first_bins, params.refit_bins, params.min_labels) == (first, refit, labels)


@pytest.mark.parametrize("name", NAMES)
def test_one_bin_at_a_time_gives_the_same_bits_as_all_at_once(name):
    block = ml_block(11)
    whole, refits = learn(name, block)
    assert len(refits) == 4
    assert np.unique(whole[np.isfinite(whole)]).size > 20
    for size in (1, 41):
        values, again = learn(name, block, size)
        assert values.tobytes() == whole.tobytes()
        assert [refit[:-1] for refit in again] == [refit[:-1] for refit in refits]


@pytest.mark.parametrize("name", NAMES)
def test_no_prediction_before_the_first_fit_and_on_bins_without_a_book(name):
    block = ml_block(12)
    values, refits = learn(name, block)
    valid = block.bins["book_valid"] != 0
    first = refits[0].bin_seq
    assert np.isnan(values[:first]).all()
    assert np.isnan(values[~valid]).all()
    assert np.isfinite(values[first:][valid[first:]]).all()
    assert make_signal(name, QUICK[name], CONFIG).needed_bins == FIRST + 1 == np.count_nonzero(valid[: first + 1])


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=4, deadline=None)
@given(st.integers(0, 10_000), st.integers(FIRST + 20, N_BINS - 10))
def test_no_later_price_changes_an_earlier_prediction(name, seed, cut):
    block = ml_block(seed)
    other = ml_block(seed + 1)
    values, _ = learn(name, block)
    perturbed, _ = learn(name, joined(block, other, cut))
    assert perturbed[:cut].tobytes() == values[:cut].tobytes()
    assert perturbed[cut:].tobytes() != values[cut:].tobytes()
    assert learn(name, block.part(0, cut))[0].tobytes() == values[:cut].tobytes()


@pytest.mark.parametrize("name", SUPERVISED)
def test_a_fit_sees_the_labels_that_are_known_and_no_others(name):
    block = ml_block(13)
    params = QUICK[name]
    barrier = Barriers(market_of_bins(block.bins, CONFIG.tick_int))
    outcomes = barrier.outcomes(params["label_ticks"], params["label_ticks"], params["label_hold_bins"])
    kind, exit_bin = outcomes.kind[UP], outcomes.exit_bin[UP]
    at = np.flatnonzero(block.bins["book_valid"])
    _, refits = learn(name, block)
    for number, refit in enumerate(refits):
        now = at[FIRST + number * STEP]
        assert (refit.bin_seq, refit.since_ns) == (now, block.bins["bin_start_ns"][now])
        before = at[at < now]
        if refit.step == "partial":
            before = before[-STEP:]
        known = before[exit_bin[before] < now]
        ups, downs = (int(np.count_nonzero(kind[known] == way)) for way in (TAKE_PROFIT, STOP_LOSS))
        assert (refit.n_rows, refit.n_up, refit.n_down) == (ups + downs, ups, downs)
        assert known.size < before.size


def test_only_lsvm_der_takes_partial_fits():
    block = ml_block(14)
    for name in NAMES:
        steps = [refit.step for refit in learn(name, block)[1]]
        assert steps == (["full", "partial"] * 2 if name == "lsvm_der" else ["full"] * 4)


@pytest.mark.parametrize("name", NAMES)
def test_the_window_of_training_can_be_bounded(name):
    whole, _ = learn(name, ml_block(15))
    bounded, refits = learn(name, ml_block(15), train_bins=110)
    assert all(refit.n_rows <= 110 for refit in refits)
    assert bounded.tobytes() != whole.tobytes()
    assert learn(name, ml_block(15), 7, train_bins=110)[0].tobytes() == bounded.tobytes()


@pytest.mark.parametrize("name", SUPERVISED)
def test_a_fit_without_labels_is_passed_over(name):
    block = ml_block(16)
    values, refits = learn(name, block, min_labels=10_000)
    assert not refits
    assert np.isnan(values).all()
    one_way = ml_block(16)
    rise = np.arange(N_BINS) // 10 * CONFIG.tick_int
    for field in ("best_bid_price_int", "best_ask_price_int", "spot_ref_price_int"):
        base = {"best_bid_price_int": 0, "best_ask_price_int": 1, "spot_ref_price_int": 1}[field] + 90_000
        one_way.bins[field] = (base * CONFIG.tick_int + rise) * one_way.bins["book_valid"]
    assert not learn(name, one_way)[1]


def test_a_label_needs_no_future_to_be_of_use():
    """Where the balance of the book foretells the next move, a model finds it."""
    rng = np.random.default_rng(17)
    block = ml_block(17, 900, invalid=0.0)
    lean = np.repeat(rng.choice([-1, 1], 90), 10)
    mid = 90_000 + np.cumsum(np.where(rng.random(900) < 0.5, np.roll(lean, 1), 0))
    for field, extra in (("best_bid_price_int", 0), ("best_ask_price_int", 1), ("spot_ref_price_int", 1)):
        block.bins[field] = (mid + extra) * CONFIG.tick_int
    block.field("v_add")[:, :50] += 6.0 * (lean[:, None] > 0)
    block.field("v_add")[:, 50:] += 6.0 * (lean[:, None] < 0)
    for name in ("knn_cl", "gbm_mf"):
        values, _ = learn(name, block, min_labels=20)
        side = values[300:890] - (0.5 if name == "gbm_mf" else 0.0)
        ahead = np.sign(mid[305:895] - mid[300:890])
        known = (ahead != 0) & (side != 0)
        assert np.mean(np.sign(side[known]) == ahead[known]) > 0.6


_DIGESTS = """
import hashlib, sys
from ml_kit import NAMES, learn, ml_block
for name in NAMES:
    print(name, hashlib.sha256(learn(name, ml_block(18))[0].tobytes()).hexdigest())
"""


def test_another_process_with_other_threads_gives_the_same_bits():
    here = {name: hashlib.sha256(learn(name, ml_block(18))[0].tobytes()).hexdigest() for name in NAMES}
    paths = os.pathsep.join([str(Path(__file__).parent), os.getcwd()])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "3"}
    there = subprocess.run(
        [sys.executable, "-c", _DIGESTS], env=environment, capture_output=True, text=True, check=True
    )
    assert dict(line.split() for line in there.stdout.splitlines()) == here


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("svm_sp", {"first_bins": 0}, "`first_bins`"),
        ("svm_sp", {"frame": "mid"}, "`frame`"),
        ("svm_sp", {"train_bins": 5}, "`train_bins` must be >= `min_labels`"),
        ("gbm_mf", {"round": 3}, "rounds"),
        ("knn_cl", {"neighbours": 0}, "`neighbours`"),
        ("pca_ad", {"components": 102}, "`components`"),
        ("pca_ad", {"train_bins": 8, "min_labels": 2}, "`components` must be <= the 8 bins"),
        ("xgb_snap", {"label_ticks": 0}, "`label_ticks`"),
    ],
)
def test_bad_parameters_are_named(name, params, words):
    with pytest.raises(ConfigError, match=words) as caught:
        make_signal(name, params, CONFIG)
    assert "\n" not in str(caught.value)
