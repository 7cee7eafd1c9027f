"""Hansen's test for superior predictive ability (2005) over a whole sweep: could the best row be the luckiest of many?

The benchmark is not to trade. Net pnl in ticks is summed where trades are entered, over pieces of the dataset that
all rows share; pieces are drawn in stationary blocks of `max_hold_bins` on average, rows together, so that what they
have in common (the same market, overlapping trades) is kept, where Holm's correction takes the worst case.
Rows are scaled to a common spread first, which makes the statistic the studentised one. That spread is estimated from
some thirty blocks, which the resampling takes for granted: deviations are widened by what Student's distribution has
over the normal one where the best of many rows lies. Without it a tenth of quiet hours of noise is called an edge.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special

PIECES_PER_BLOCK = 4  # a block may begin at quarters of its length
MIN_BLOCKS = 20  # with ten, noise is called an edge too often
TAIL = 0.999  # quantile at which Student's distribution is held against the normal one
SPA_DRAWS = 2000
SPA_SEED = 42


def pieces_of_pnl(net_pnl: np.ndarray, entry_bin: np.ndarray, n_bins: int, piece_bins: int) -> np.ndarray:
    """Net pnl float64 (m,) of trades entered at `entry_bin` int64 (m,), summed over pieces of `piece_bins` bins of a
    dataset of n_bins: float64 (ceil(n_bins / piece_bins),)."""
    return np.bincount(entry_bin // piece_bins, weights=net_pnl, minlength=-(-n_bins // piece_bins))


def piece_bins_of(max_hold_bins: Sequence[int]) -> int:
    """Length in bins of the pieces that all rows of a sweep share, from the holding times of its rows."""
    return max(1, -(-max(max_hold_bins) // PIECES_PER_BLOCK))


def long_run_deviation(pieces: np.ndarray, block: int) -> np.ndarray:
    """Standard deviation float64 (rows,) of pieces float64 (n, rows), dependence over mean blocks of `block` pieces
    included (Politis & Romano 1994)."""
    n = len(pieces)
    rest = pieces - pieces.mean(axis=0)
    keep = 1.0 - 1.0 / block
    variance = (rest * rest).mean(axis=0)
    for lag in range(1, n):
        weight = (1.0 - lag / n) * keep**lag + (lag / n) * keep ** (n - lag)
        if weight > 1e-6:
            variance = variance + 2.0 * weight * (rest[:-lag] * rest[lag:]).sum(axis=0) / n
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def student_over_normal(blocks: int) -> float:
    """How much wider a deviation is at TAIL when its spread comes from so many blocks."""
    return float(special.stdtrit(blocks - 1, TAIL) / special.ndtri(TAIL))


def spa_p(
    pieces: np.ndarray,
    null_variance: np.ndarray,
    block: int = PIECES_PER_BLOCK,
    draws: int = SPA_DRAWS,
    seed: int = SPA_SEED,
) -> float:
    """P(the best of all rows does this well | none has an edge), Hansen's consistent p.

    pieces: float64 (n, rows), net pnl per piece; null_variance: float64 (rows,), one trade's worth of ticks squared
    that every row's sum is uncertain by, so that a handful of equal outcomes is no certainty. block: mean block in
    pieces. NaN without rows or with fewer than MIN_BLOCKS blocks.
    """
    n, rows = pieces.shape
    if rows == 0 or n < MIN_BLOCKS * block:
        return float("nan")
    from arch.bootstrap import SPA  # a second to import, and only a sweep's end needs it

    spread = np.sqrt(long_run_deviation(pieces, block) ** 2 + null_variance / n)
    mean = pieces.mean(axis=0)
    wider = mean + student_over_normal(n // block) * (pieces - mean)
    test = SPA(np.zeros(n), -(wider / spread), block_size=block, reps=draws, bootstrap="stationary", seed=seed)
    test.compute()
    return float(test.pvalues["consistent"])
