"""When a signal fires, against the plain rule; one bin at a time as all at once."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_twin import random_market, twin_fires, twin_trades
from hypothesis import given, settings
from hypothesis import strategies as st

from vp_engine.errors import ConfigError
from vp_engine.evaluation.barriers import HALF, STOP_LOSS, TAKE_PROFIT, TIMEOUT, Barriers
from vp_engine.evaluation.detection import PREDICTIONS, Detector, gather_trades

KINDS = {TAKE_PROFIT: "tp", STOP_LOSS: "sl", TIMEOUT: "timeout"}


def fires(values, threshold=1.0, cooldown=0, warmup=0, valid=None, prediction="score"):
    values = np.array(values, float)
    valid = np.ones(values.size, np.int8) if valid is None else np.array(valid, np.int8)
    return Detector(threshold, cooldown, warmup, prediction).update(values, valid, np.arange(values.size)).tolist()


def test_a_score_fires_on_entering_a_side():
    assert fires([0, 1, 2, 0.5, 1, -1, -3, 0, -1]) == [0, 1, 0, 0, 1, -1, 0, 0, -1]


def test_an_entry_that_the_cooldown_suppresses_still_sets_the_state():
    assert fires([1, 0, 1, 1, 1, 1], cooldown=4) == [1, 0, 0, 0, 0, 0]
    assert fires([1, 0, 1, 0, 1, 1], cooldown=4) == [1, 0, 0, 0, 1, 0]


def test_the_state_is_flat_before_the_warm_up_ends():
    assert fires([1, 1, 1, 1], warmup=2) == [0, 0, 1, 0]


def test_bins_without_a_book_are_passed_over():
    assert fires([1, 0, 1, 0, 1], valid=[1, 0, 1, 1, 1]) == [1, 0, 0, 0, 1]


def test_probabilities_and_decisions_fire_wherever_they_hold():
    assert fires([0.6, 0.7, 0.4, 0.5], 0.6, prediction="probability") == [1, 1, -1, 0]
    assert fires([0.5], 0.5, prediction="probability") == [1]
    assert fires([0.2, -0.2, 0.0, float("nan")], 0.0, prediction="decision") == [1, -1, -1, 0]
    assert fires([0.6, 0.7, 0.6], 0.6, cooldown=2, prediction="probability") == [1, 0, 1]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.one_of(st.integers(-3, 3).map(float), st.just(float("nan"))), max_size=80),
    st.integers(0, 10_000),
    st.integers(0, 9),
    st.integers(0, 20),
    st.sampled_from(PREDICTIONS),
    st.integers(1, 80),
)
def test_the_rule_and_any_way_of_feeding_it(values, seed, cooldown, warmup, prediction, step):
    values = np.array(values, float) / 3
    valid = (np.random.default_rng(seed).random(values.size) < 0.8).astype(np.int8)
    seq = np.arange(values.size)
    detector = Detector(0.6, cooldown, warmup, prediction)
    whole = detector.update(values, valid, seq)
    assert whole.tolist() == twin_fires(values.tolist(), valid.tolist(), 0.6, cooldown, warmup, prediction)
    parted = Detector(0.6, cooldown, warmup, prediction)
    parts = [parted.update(values[at : at + step], valid[at : at + step], seq[at : at + step]) for at in seq[::step]]
    assert np.concatenate([*parts, np.empty(0, np.int8)]).tolist() == whole.tolist()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 3), st.integers(0, 12))
def test_gathered_trades_are_those_of_the_plain_chain(seed, delay, cooldown):
    rng = np.random.default_rng(seed)
    market = random_market(seed, 150)
    values = rng.standard_normal(150)
    evaluation = {
        "tp_ticks": 3, "sl_ticks": 2, "max_hold_bins": 30, "warmup_bins": 10, "cooldown_bins": cooldown,
        "entry_delay_bins": delay, "fill": "cross",
    }  # fmt: skip
    fired = Detector(0.8, cooldown, 10).update(values, market.valid, np.arange(150))
    trades = gather_trades(fired, Barriers(market).outcomes(3, 2, 30, "cross"), delay)
    expected = twin_trades(values.tolist(), market, 0.8, evaluation)
    got = zip(
        trades.fire_bin.tolist(),
        trades.entry_bin.tolist(),
        trades.exit_bin.tolist(),
        trades.direction.tolist(),
        [KINDS[kind] for kind in trades.kind.tolist()],
        (trades.pnl_half / HALF).tolist(),
        strict=True,
    )
    assert list(got) == [tuple(trade) for trade in expected]
    assert trades.n_dropped == np.count_nonzero(fired) - len(expected)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((0.0, 5, 5), "threshold"),
        ((float("nan"), 5, 5), "threshold"),
        ((1.0, -1, 5), "cooldown_bins"),
        ((1.0, 1, -5), "warmup_bins"),
        ((1.0, 1, 5, "guess"), "prediction"),
    ],
)
def test_bad_rules_are_named(arguments, name):
    with pytest.raises(ConfigError, match=f"`{name}`"):
        Detector(*arguments)
