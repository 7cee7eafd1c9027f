"""Triple-barrier outcomes against a double loop, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_twin import random_market, twin_outcome
from hypothesis import given, settings
from hypothesis import strategies as st

from vp_engine.errors import ConfigError, DataError
from vp_engine.evaluation.barriers import (
    DROPPED,
    HALF,
    NO_BIN,
    STOP_LOSS,
    TAKE_PROFIT,
    TIMEOUT,
    Barriers,
    Market,
    market_of_bins,
)
from vp_engine.schema import BIN_DTYPE

KINDS = {"tp": TAKE_PROFIT, "sl": STOP_LOSS, "timeout": TIMEOUT}


def market(mids: list[float], spread: int = 1) -> Market:
    """Mids in ticks, 0 for an invalid bin."""
    half = np.array([round(HALF * mid) for mid in mids], np.int64)
    return Market(half, np.full(half.size, spread, np.int64), (half != 0).astype(np.int8))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(1, 120),
    st.sampled_from([0.5, 1, 1.2, 2, 4, 7.75]),
    st.sampled_from([0.5, 1, 2.5, 3, 6]),
    st.integers(1, 60),
    st.sampled_from(["mid", "cross"]),
    st.floats(0.05, 1.0),
)
def test_outcomes_are_those_of_a_double_loop(seed, n, tp, sl, hold, fill, busy):
    quotes = random_market(seed, n, busy)
    found = Barriers(quotes).outcomes(tp, sl, hold, fill)
    for row, direction in enumerate((1, -1)):
        for entry in range(n):
            expected = twin_outcome(quotes, entry, direction, tp, sl, hold, fill)
            got = (int(found.kind[row, entry]), int(found.exit_bin[row, entry]), found.pnl_half[row, entry] / HALF)
            if expected is None:
                assert got == (DROPPED, NO_BIN, 0)
            else:
                assert got == (KINDS[expected[0]], *expected[1:])


def test_by_hand():
    #            0    1    2    3  4    5    6
    quotes = market([100, 101, 102, 0, 104, 98, 99.5])
    up, down = 0, 1
    found = Barriers(quotes).outcomes(4, 2, 7)
    assert (found.kind[up, 0], found.exit_bin[up, 0], found.pnl_half[up, 0]) == (TAKE_PROFIT, 4, 8)
    assert (found.kind[down, 0], found.exit_bin[down, 0], found.pnl_half[down, 0]) == (STOP_LOSS, 2, -4)
    # The mid jumps past the barrier: pnl is what the market gave, not the distance.
    assert (found.kind[down, 1], found.exit_bin[down, 1], found.pnl_half[down, 1]) == (STOP_LOSS, 4, -6)
    assert (found.kind[up, 4], found.exit_bin[up, 4], found.pnl_half[up, 4]) == (STOP_LOSS, 5, -12)
    assert (found.kind[up, 3], found.exit_bin[up, 3]) == (DROPPED, NO_BIN)
    # The dataset's end: out at the last valid mid, at the entry itself in the last bin.
    assert (found.kind[up, 5], found.exit_bin[up, 5], found.pnl_half[up, 5]) == (TIMEOUT, 6, 3)
    assert (found.kind[down, 6], found.exit_bin[down, 6], found.pnl_half[down, 6]) == (TIMEOUT, 6, 0)


def test_the_last_bin_of_the_holding_time_counts_and_the_next_does_not():
    quotes = market([100, 100, 100, 104])
    assert Barriers(quotes).outcomes(4, 4, 4).kind[0, 0] == TAKE_PROFIT
    found = Barriers(quotes).outcomes(4, 4, 3)
    assert (found.kind[0, 0], found.exit_bin[0, 0]) == (TIMEOUT, 2)


def test_a_timeout_inside_a_gap_leaves_at_the_last_valid_mid():
    found = Barriers(market([100, 101, 0, 0, 90])).outcomes(8, 8, 4)
    assert (found.kind[0, 0], found.exit_bin[0, 0], found.pnl_half[0, 0]) == (TIMEOUT, 1, 2)


def test_cross_pays_half_of_both_spreads_and_moves_no_barrier():
    quotes = market([100, 104], spread=3)
    mid, cross = (Barriers(quotes).outcomes(4, 4, 5, fill) for fill in ("mid", "cross"))
    assert np.array_equal(mid.kind, cross.kind)
    assert mid.pnl_half[0, 0] - cross.pnl_half[0, 0] == 3 * HALF


def test_mirrored_prices_swap_directions():
    quotes = random_market(5, 400)
    mirrored = Market(np.where(quotes.valid, 2000 - quotes.mid, 0), quotes.spread, quotes.valid)
    for fill in ("mid", "cross"):
        straight, turned = (Barriers(source).outcomes(3, 2, 50, fill) for source in (quotes, mirrored))
        for left, right in zip(straight, turned, strict=True):
            assert np.array_equal(left, right[::-1])


def test_a_price_after_the_exit_changes_nothing():
    quotes = random_market(7, 300)
    found = Barriers(quotes).outcomes(3, 3, 40)
    cut = 200
    known = Barriers(Market(*(part[:cut] for part in quotes))).outcomes(3, 3, 40)
    settled = (found.kind[:, : cut - 40] != DROPPED) & (found.exit_bin[:, : cut - 40] < cut)
    for left, right in zip(found, known, strict=True):
        assert np.array_equal(left[:, : cut - 40][settled], right[:, : cut - 40][settled])


@pytest.mark.parametrize(
    ("arguments", "name"),
    [((0, 4, 10), "tp_ticks"), ((4, -1, 10), "sl_ticks"), ((4, 4, 0), "max_hold_bins"), ((4, 4, 9, "best"), "fill")],
)
def test_bad_distances_are_named(arguments, name):
    with pytest.raises(ConfigError, match=f"`{name}`"):
        Barriers(market([100.0])).outcomes(*arguments)


def test_quotes_of_bins():
    bins = np.zeros(3, BIN_DTYPE)
    bins["best_bid_price_int"] = [250 * 40, 250 * 41, 0]
    bins["best_ask_price_int"] = [250 * 41, 250 * 43, 0]
    bins["book_valid"] = [1, 1, 0]
    quotes = market_of_bins(bins, 250)
    assert quotes.mid.tolist() == [81, 84, 0]
    assert quotes.spread.tolist() == [1, 2, 0]
    bins["bin_seq"][1], bins["best_ask_price_int"][1] = 17, 250 * 43 + 1
    with pytest.raises(DataError, match="bin 17"):
        market_of_bins(bins, 250)
