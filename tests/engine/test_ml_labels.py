"""Labels: hand-worked, equal to the outcomes they stand for, and known no earlier than the bin that decides them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vp_engine.evaluation.barriers import DROPPED, STOP_LOSS, TAKE_PROFIT, UP, Barriers, Market
from vp_engine.signals.ml.labels import History


def history(mids, ticks: float, hold: int, seqs=None, keep=None, size: int = 1) -> History:
    """Mids in half ticks, `size` bins at a time; a feature that numbers the bins."""
    mids = np.array(mids, np.int64)
    seqs = np.arange(mids.size) if seqs is None else np.array(seqs, np.int64)
    made = History(1, ticks, hold, keep)
    for first in range(0, mids.size, size):
        part = slice(first, first + size)
        made.extend(np.arange(mids.size, dtype=np.float32)[part, None], mids[part], seqs[part])
    return made


def test_hand_worked():
    # half ticks; two ticks are four of them; a bin is given four bins in all
    mids = [100, 102, 104, 103, 99, 98, 98, 98, 104]
    #       |    |    |    |    |   |   |   |   `- nothing follows
    #       |    |    |    |    |   |   |   `- +6 in one bin
    #       |    |    |    |    |   |   `- +6 in two
    #       |    |    |    |    |   `- +6 in three: the last bin that counts
    #       |    |    |    |    `- +5 in four: too late
    #       |    |    |    `- -4 in one
    #       |    |    `- -5 in two
    #       |    `- -3 in three, -4 in four: too late
    #       `- +4 in two
    assert history(mids, 2, 4).latest()[1].tolist() == [1, 0, -1, -1, 0, 1, 1, 1, 0]


def test_bins_without_a_book_take_time_and_are_passed_over():
    assert history([100, 104], 2, 4, seqs=[0, 3]).latest()[1].tolist() == [1, 0]
    assert history([100, 104], 2, 4, seqs=[0, 4]).latest()[1].tolist() == [0, 0]


def test_the_first_crossing_counts():
    assert history([100, 104, 90], 2, 10).latest()[1].tolist() == [1, -1, 0]


@pytest.mark.parametrize("ticks", [1.2, 1.5])
def test_a_distance_between_half_ticks_is_reached_at_the_next(ticks):
    assert history([100, 102], ticks, 9).latest()[1].tolist() == [0, 0]
    assert history([100, 103], ticks, 9).latest()[1].tolist() == [1, 0]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 120), st.integers(2, 30), st.sampled_from([0.5, 1, 1.5, 3]))
def test_labels_are_the_triple_barriers_and_appear_with_the_bin_that_decides(seed, n, hold, ticks):
    rng = np.random.default_rng(seed)
    mid = 1000 + np.cumsum(rng.integers(-2, 3, n))
    valid = (rng.random(n) < 0.9).astype(np.int8)
    outcomes = Barriers(Market(mid, np.ones(n, np.int64), valid)).outcomes(ticks, ticks, hold)
    kind, exit_bin = outcomes.kind[UP], outcomes.exit_bin[UP]
    final = np.select([kind == TAKE_PROFIT, kind == STOP_LOSS], [1, -1], 0)
    at = np.flatnonzero(valid)
    made = History(1, ticks, hold)
    for now in at:
        made.extend(np.zeros((1, 1), np.float32), mid[[now]], np.array([now]))
        seen = at[at <= now]
        known = np.where(exit_bin[seen] <= now, final[seen], 0)
        assert made.latest()[1].tolist() == known.tolist()
    assert all(kind[at] != DROPPED)


def test_portions_do_not_matter():
    mids = 1000 + np.cumsum(np.random.default_rng(1).integers(-2, 3, 5000))
    whole = history(mids, 2, 40, size=5000)
    for size in (1, 17, 999):
        assert np.array_equal(history(mids, 2, 40, size=size).latest()[1], whole.latest()[1])


def test_what_is_kept_is_the_latest():
    mids = 1000 + np.cumsum(np.random.default_rng(2).integers(-2, 3, 20_000))
    whole, part = history(mids, 2, 40, size=100), history(mids, 2, 40, keep=700, size=100)
    assert part._mid.size < 5000 < whole._mid.size
    for asked in (10, 700):
        for everything, kept in zip(whole.latest(asked), part.latest(asked), strict=True):
            assert np.array_equal(everything, kept)
