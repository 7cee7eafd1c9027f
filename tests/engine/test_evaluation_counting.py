"""What the trades of a row come to, against plain twins and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from evaluation_twin import twin_effective, twin_independent, twin_moments
from hypothesis import given, settings
from hypothesis import strategies as st

from vp_engine.evaluation.barriers import DROPPED, STOP_LOSS, TAKE_PROFIT, TIMEOUT, Outcomes
from vp_engine.evaluation.counting import SUMS, TALLY, Firings, Rows, count_rows_nb, median_of_counts_nb, scratch_of

N, HOLD = 60, 13
KINDS = {TAKE_PROFIT: "tp", STOP_LOSS: "sl", TIMEOUT: "timeout"}


def counted(entries: list[tuple[int, int]], outcomes: Outcomes, cost: float, first: int, grain: int, piece: int):
    """(tally, sums, net, count, pieces, scratch afterwards) of firings (bin, up)."""
    entry = np.array([at for at, _ in entries], np.int64)
    up = np.array([side for _, side in entries], np.int8)
    tally, sums = np.full((2, len(TALLY)), 9, np.int64), np.full((2, len(SUMS)), 9.0)
    net, count = np.full((2, 2, -(-(N - first) // grain)), 9.0)
    pieces, scratch = np.full((2, -(-N // piece)), 9.0), scratch_of(HOLD, N)
    # The second of two detections, into the second place, entered a bin later than fired.
    fired = Firings(
        np.array([0, 1, 1 + entry.size]), np.concatenate([[0], entry - 1]), np.concatenate([[1], up]).astype(np.int8)
    )
    rows = Rows(np.array([1]), np.array([1]), np.array([1]), np.array([cost]))
    count_rows_nb(fired, rows, outcomes, first, grain, piece, scratch, tally, sums, net, count, pieces)
    named = dict(zip(TALLY, tally[1].tolist(), strict=True)) | dict(zip(SUMS, sums[1].tolist(), strict=True))
    assert (tally[0] == 9).all()
    return named, net[1], count[1], pieces[1], scratch


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 10_000),
    st.lists(st.tuples(st.integers(5, N + 3), st.integers(0, 1)), max_size=9, unique_by=lambda fired: fired[0]),
    st.sampled_from([0.0, 0.25, 1.0]),
)
def test_a_row_is_the_plain_one(seed, entries, cost):
    entries.sort()
    rng = np.random.default_rng(seed)
    exit_bin = np.minimum(np.arange(N) + rng.integers(0, HOLD, (2, N)), N - 1).astype(np.int32)
    kind = rng.choice([DROPPED, TAKE_PROFIT, STOP_LOSS, TIMEOUT], (2, N)).astype(np.int8)
    outcomes = Outcomes(kind, exit_bin, rng.integers(-9, 9, (2, N)).astype(np.int32))
    found, net, count, pieces, scratch = counted(entries, outcomes, cost, 5, 7, 11)
    trades = [
        (at, int(exit_bin[1 - up, at]), up, int(kind[1 - up, at]), outcomes.pnl_half[1 - up, at] / 2)
        for at, up in entries
        if at < N and kind[1 - up, at] != DROPPED
    ]
    assert found["n_signals"] == len(trades)
    assert found["n_dropped"] == len(entries) - len(trades)
    assert found["n_up"] == sum(up for _, _, up, _, _ in trades)
    for side, word in ((1, "up"), (0, "down")):
        for code, end in KINDS.items():
            assert found[f"n_{word}_{end}"] == sum(up == side and how == code for _, _, up, how, _ in trades)
    spans = [(at, out) for at, out, _, _, _ in trades]
    assert found["n_independent"] == twin_independent(spans)
    assert found["n_effective"] == pytest.approx(twin_effective(spans))
    earned = np.array([pnl - cost for *_, pnl in trades])
    moments = twin_moments(earned)
    assert found["gross_ticks"] == pytest.approx(earned.sum() + cost * len(trades))
    assert [found[name] for name in ("net_std", "skew", "kurtosis")] == pytest.approx(
        [moments.std, moments.skew, moments.kurtosis], nan_ok=True
    )
    held = [out - at for at, out, _, how, _ in trades if how != TIMEOUT]
    assert found["median_held_bins"] == pytest.approx(np.median(held) if held else math.nan, nan_ok=True)
    at = np.array([entry for entry, _ in spans], np.int64)
    assert net == pytest.approx(np.bincount((at - 5) // 7, earned, net.size))
    assert count == pytest.approx(np.bincount((at - 5) // 7, minlength=net.size))
    assert pieces == pytest.approx(np.bincount(at // 11, earned, pieces.size))
    assert not scratch.held.any()


def test_overlapping_trades_are_worth_as_many_as_fit_side_by_side():
    """Trades of equal length, one entered every bin: about the span over the length, as the random walk has it."""
    length = 10
    exit_bin = np.minimum(np.arange(N) + length - 1, N - 1).astype(np.int32)
    outcomes = Outcomes(np.full((2, N), TIMEOUT, np.int8), np.stack([exit_bin] * 2), np.ones((2, N), np.int32))
    found, *_ = counted([(at, 1) for at in range(N - length)], outcomes, 0.0, 0, 10, 10)
    assert (found["n_signals"], found["n_independent"]) == (50, 5)
    assert found["n_effective"] == pytest.approx(5.9, abs=0.7)
    apart, *_ = counted([(at, 1) for at in range(0, N - length, length)], outcomes, 0.0, 0, 10, 10)
    assert apart["n_effective"] == pytest.approx(apart["n_signals"])


@given(st.lists(st.integers(0, 20), max_size=12))
def test_the_median_of_counts(values):
    counts = np.bincount(np.array(values, np.int64), minlength=21).astype(np.int64)
    expected = np.median(values) if values else math.nan
    assert median_of_counts_nb(counts, len(values)) == pytest.approx(expected, nan_ok=True)
