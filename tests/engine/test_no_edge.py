"""The band of no edge: what paths of trades without an edge do, by simulation."""

from __future__ import annotations

import numpy as np

from vp_engine.evaluation.no_edge import no_edge_band


def trades(seed: int, n_bins: int, mean: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    at_bin = np.flatnonzero(random.random(n_bins) < 0.02)
    return np.where(random.random(at_bin.size) < 0.5, 4.0, -4.0) + mean, at_bin


def test_paths_without_an_edge_stay_inside_about_as_often_as_it_says() -> None:
    inside = []
    for seed in range(60):
        net, at_bin = trades(seed, 6000)
        band = no_edge_band(net, at_bin, 6000, 60, 13, draws=300)
        assert band is not None
        path = np.concatenate([[0.0], np.cumsum(np.bincount(at_bin, net, 6000))])[band.bin]
        inside.append((path[1:] >= band.low[1:]) & (path[1:] <= band.high[1:]))
    assert 0.90 <= np.mean(inside) <= 0.99


def test_the_mean_is_taken_out_and_width_grows_with_time() -> None:
    net, at_bin = trades(1, 6000)
    plain, moved = (no_edge_band(pnl, at_bin, 6000, 60, 13, draws=300) for pnl in (net, net + 3.0))
    assert plain is not None
    assert moved is not None
    np.testing.assert_allclose(plain.low, moved.low, atol=1e-9)
    width = plain.high - plain.low
    assert width[0] == 0
    assert width[12] > width[3] > 0
    # 2·1.96·sqrt(number of trades)·4 ticks, as for independent ones
    assert 0.8 < width[12] / (2 * 1.96 * np.sqrt(net.size) * net.std()) < 1.2


def test_trades_that_come_together_widen_it() -> None:
    net, at_bin = trades(2, 6000)
    grouped = np.repeat(net, 4)
    spread, together = (
        no_edge_band(pnl, at, 6000, 60, 7, draws=300) for pnl, at in ((net, at_bin), (grouped, np.repeat(at_bin, 4)))
    )
    assert spread is not None
    assert together is not None
    assert 3.5 < together.high[-1] / spread.high[-1] < 4.5


def test_nothing_is_said_of_no_trades_or_a_short_capture() -> None:
    net, at_bin = trades(3, 6000)
    assert no_edge_band(net[:0], at_bin[:0], 6000, 60, 7) is None
    assert no_edge_band(net, at_bin, 6000, 3001, 7) is None
