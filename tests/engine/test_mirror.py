"""The engine has no favourite side: reflected prices and swapped sides give the reflected output, by absolute tick."""

from __future__ import annotations

import numpy as np
import pytest
import streams
from harness import engine_config, run_engine
from twin import twin_run

from vp_engine.schema import GRID_F32_NAMES

SWAPPED = {"bid": "ask", "ask": "bid", "up": "down", "down": "up", "buy": "sell", "sell": "buy"}
RADIUS = 30


def other(name: str) -> str:
    """The column that a mirror shows in place of this one."""
    return "_".join(SWAPPED.get(word, word) for word in name.split("_"))


def pair(seed: int) -> tuple[streams.Stream, streams.Stream]:
    """A stream and its mirror image. Half-tick prices are left out: they round up on either side of the mirror."""
    stream = streams.play(streams.random_moves(seed, 1200), opening=seed % 4, halves=False, far=900)
    return stream, streams.mirrored(stream)


def run_twin(_folder, stream, config):
    return twin_run(stream.records, config, stream.start_ns, stream.end_ns, stream.warmup_start_ns).block()


def run_kernels(folder, stream, config):
    return run_engine(folder, stream, config).block


@pytest.mark.parametrize("run", [run_twin, run_kernels])
@pytest.mark.parametrize("seed", [1, 2])
def test_mirrored_input_gives_mirrored_output(tmp_path, run, seed):
    config = engine_config(grid_radius_ticks=RADIUS)
    stream, image = pair(seed)
    left, right = run(tmp_path, stream, config), run(tmp_path, image, config)
    a, b = left.bins, right.bins
    valid = a["book_valid"] == 1
    assert valid.any()
    for name in ("book_valid", "event_id", "bin_event_count", "trade_count", "unsided_count", "unsided_volume"):
        np.testing.assert_array_equal(a[name], b[name])
    for name in ("buy_volume", "sell_volume", "chase_up_flag", "chase_down_flag"):
        np.testing.assert_array_equal(a[name], b[other(name)])
    for name in ("best_bid_move_ticks", "best_ask_move_ticks", "bid_reprice_sign", "ask_reprice_sign"):
        np.testing.assert_array_equal(a[name], -b[other(name)])
    twice_centre = 2 * streams.CENTRE * streams.TICK_INT
    for name in ("best_bid_price_int", "best_ask_price_int"):
        np.testing.assert_array_equal(a[name][valid], twice_centre - b[other(name)][valid])
    # By tick: an even spread mirrors row k into row -k; an odd one rounds spot up in both runs, hence row -k - 1.
    spot_a, spot_b = a["spot_ref_price_int"] // streams.TICK_INT, b["spot_ref_price_int"] // streams.TICK_INT
    shift = (2 * streams.CENTRE - spot_a - spot_b)[valid]
    assert set(np.unique(shift)) <= {-1, 0}
    k = np.arange(-RADIUS + 1, RADIUS)
    here = np.broadcast_to(k + RADIUS, (valid.sum(), len(k)))
    there = -k + shift[:, None] + RADIUS
    for name in GRID_F32_NAMES:
        one = np.take_along_axis(left.field(name)[valid], here, 1)
        two = np.take_along_axis(right.field(other(name))[valid], there, 1)
        np.testing.assert_allclose(one, two, rtol=1e-6, atol=2e-7, err_msg=name)
    one, two = (np.take_along_axis(x.last_event_id[valid], i, 1) for x, i in ((left, here), (right, there)))
    np.testing.assert_array_equal(one, two)
    one, two = (np.take_along_axis(x.state5[valid], i, 1) for x, i in ((left, here), (right, there)))
    beside = (here != RADIUS) & (there != RADIUS)  # spot itself is mixed wherever it stands
    np.testing.assert_array_equal(one[beside], -two[beside])
    assert one.any()
