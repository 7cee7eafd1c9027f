"""Where the cumulative pnl of trades without an edge would lie: the stationary bootstrap of `bootstrap.py` (blocks of
bins of geometric length around the circle of evaluated bins), drawn as paths. Pnl in ticks, net of fees; bins count
from the first evaluated one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

DRAWS = 2000
CONFIDENCE = 0.95
SEED = 42


class NoEdgeBand(NamedTuple):
    """Pointwise band of cumulative net pnl, all float64 or int64 (points,): after `bin` bins it lies between low and
    high in `CONFIDENCE` of the draws."""

    bin: np.ndarray
    low: np.ndarray
    high: np.ndarray


def no_edge_band(
    net_pnl: np.ndarray, at_bin: np.ndarray, n_bins: int, block_bins: int, points: int, draws: int = DRAWS
) -> NoEdgeBand | None:
    """Band for trades of net pnl float64 (m,) at bins `at_bin` int64 (m,) of n_bins; mean block of `block_bins`.

    The trades' mean is taken out, their sizes and their clustering in time are kept. None without trades or in fewer
    than two blocks of bins, as for `bootstrap_p`.
    """
    if net_pnl.size == 0 or n_bins < 2 * block_bins:
        return None
    per_bin = np.bincount(at_bin, net_pnl - net_pnl.mean(), n_bins)
    sums = np.concatenate([[0.0], np.cumsum(np.concatenate([per_bin, per_bin]))])  # a block may run past the end
    grid = np.unique(np.linspace(0, n_bins, points).astype(np.int64))
    random = np.random.default_rng(SEED)
    paths = np.empty((draws, grid.size))
    for draw in range(draws):
        paths[draw] = _path(sums, n_bins, block_bins, grid, random)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(paths, [tail, 1 - tail], axis=0)
    return NoEdgeBand(grid, low, high)


def _path(sums: np.ndarray, n_bins: int, block_bins: int, grid: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Cumulative pnl float64 (points,) of one resampled circle after `grid` bins."""
    lengths = np.minimum(random.geometric(1 / block_bins, 2 * n_bins // block_bins + 16), n_bins)
    while lengths.sum() < n_bins:
        lengths = np.concatenate([lengths, np.minimum(random.geometric(1 / block_bins, lengths.size), n_bins)])
    ends = np.cumsum(lengths)
    starts = random.integers(0, n_bins, lengths.size)
    before = np.concatenate([[0.0], np.cumsum(sums[starts + lengths] - sums[starts])[:-1]])
    block = np.searchsorted(ends, grid)
    into = grid - (ends - lengths)[block]
    drawn: np.ndarray = before[block] + sums[starts[block] + into] - sums[starts[block]]
    return drawn
