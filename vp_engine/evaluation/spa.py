"""Hansen's test for superior predictive ability (2005) over a whole sweep: could the best row be the luckiest of many?

The benchmark is not to trade. Net pnl in ticks is summed where trades are entered, over pieces of the dataset that
all rows share; pieces are drawn in stationary blocks of `max_hold_bins` on average, rows together, so that what they
have in common (the same market, overlapping trades) is kept, where Holm's correction takes the worst case.
Rows are scaled to a common spread first, which makes the statistic the studentised one. That spread is estimated from
some thirty blocks, which the resampling takes for granted: deviations are widened by what Student's distribution has
over the normal one where the best of many rows lies. Without it a tenth of quiet hours of noise is called an edge.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from scipy import special

PIECES_PER_BLOCK = 4  # a block may begin at quarters of its length
MIN_BLOCKS = 20  # with ten, noise is called an edge too often
TAIL = 0.999  # quantile at which Student's distribution is held against the normal one
SPA_DRAWS = 2000
SPA_SEED = 42
_ROWS_AT_ONCE = 512


def piece_bins_of(max_hold_bins: Sequence[int]) -> int:
    """Length in bins of the pieces that all rows of a sweep share, from the holding times of its rows."""
    return max(1, -(-max(max_hold_bins) // PIECES_PER_BLOCK))


def long_run_variance(pieces: np.ndarray, block: int) -> np.ndarray:
    """Variance float64 (rows,) of a piece of pieces float64 (rows, n), dependence over mean blocks of `block` pieces
    included (Politis & Romano 1994)."""
    n = pieces.shape[1]
    lag = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    keep = 1.0 - 1.0 / block
    weights = (1.0 - lag / n) * keep**lag + (lag / n) * keep ** (n - lag)
    np.fill_diagonal(weights, 1.0)
    rest = pieces - pieces.mean(axis=1, keepdims=True)
    return np.asarray(np.maximum(np.einsum("ij,ij->i", rest @ weights, rest) / n, 0.0))


def student_over_normal(blocks: int) -> float:
    """How much wider a deviation is at TAIL when its spread comes from so many blocks."""
    return float(special.stdtrit(blocks - 1, TAIL) / special.ndtri(TAIL))


@functools.lru_cache(maxsize=4)
def draw_weights(n: int, block: int, draws: int, seed: int) -> np.ndarray:
    """Share of each of n pieces in each draw of the stationary bootstrap, float32 (n, draws)."""
    from arch.bootstrap import StationaryBootstrap  # a second to import, and only a sweep's end needs it

    drawn = StationaryBootstrap(block, np.arange(n), seed=seed).bootstrap(draws)
    return np.stack([np.bincount(given[0], minlength=n) for given, _ in drawn], axis=1).astype(np.float32) / np.float32(
        n
    )


def spa_p(
    pieces: np.ndarray,
    null_variance: np.ndarray,
    block: int = PIECES_PER_BLOCK,
    draws: int = SPA_DRAWS,
    seed: int = SPA_SEED,
) -> float:
    """P(the best of all rows does this well | none has an edge), Hansen's consistent p.

    pieces: float64 (rows, n), net pnl per piece; null_variance: float64 (rows,), one trade's worth of ticks squared
    that every row's sum is uncertain by, so that a handful of equal outcomes is no certainty. block: mean block in
    pieces. NaN without rows or with fewer than MIN_BLOCKS blocks.

    The draws are those of `arch`; a draw's mean of every row is one matrix product, where `arch.bootstrap.SPA` copies
    the whole sweep for each draw. Both give the same p.
    """
    rows, n = pieces.shape
    if rows == 0 or n < MIN_BLOCKS * block:
        return float("nan")
    mean = pieces.mean(axis=1, keepdims=True)
    spread = np.sqrt(long_run_variance(pieces, block) + null_variance / n)[:, None]
    gain = (mean + student_over_normal(n // block) * (pieces - mean)) / spread
    mean = gain.mean(axis=1)
    hopeless = mean < -np.sqrt(long_run_variance(gain, block) / n * 2.0 * np.log(np.log(n)))
    centre = np.where(hopeless, 0.0, mean)  # a row this far below the benchmark is left where it is
    gain, weights = gain.astype(np.float32), draw_weights(n, block, draws, seed)
    best = np.full(draws, -np.inf)
    for first in range(0, rows, _ROWS_AT_ONCE):
        some = slice(first, first + _ROWS_AT_ONCE)
        np.maximum(best, (gain[some] @ weights - centre[some, None]).max(axis=0), out=best)
    return float(np.mean(best > mean.max()))
