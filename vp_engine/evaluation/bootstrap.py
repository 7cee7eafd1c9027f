"""Significance of many rows at once: a stationary bootstrap (Politis & Romano 1994) over time, not over trades.

Net pnl lies at its entry bin. The evaluated bins are a circle of `grains` of a sixteenth of a block, and blocks of
geometric length, `max_hold_bins` on average, are drawn around it. Trades overlap in time, so a block long enough in
time keeps whatever trades overlap together, dense or sparse, and no length has to be converted into a number of trades.
The statistic is studentised: with some thirty blocks in an hour the plain mean rejects a true null too often. One
trade's worth of the null's variance (tp·sl) is added on both sides, so that a handful of equal outcomes does not count
as certainty.

All rows are held against the same draws, so a row's p is a function of the row alone, whatever stands beside it. Draws
are sequential (Besag & Clifford 1991): a row is done when HITS draws have reached what was observed, and its p is hits
over draws, to about a seventh of itself; a row that never gets there has (hits + 1)/(DRAWS + 1) after all draws. Both
are valid p-values: under the null P(p <= a) <= a. A p of 0.5 costs 100 draws, one below 0.0005 all of them.

Draws are summed in single precision, which moves a statistic by some 1e-5 of itself: nothing beside the chance in
them, and half the time.

The first draws, `_FIRST_PART` of them, also give the mean net pnl its interval, the symmetric bootstrap-t of Hall
(1988): the mean, give or take the standard error times a quantile of the draws' |statistic|. It lies wholly above 0
only where fewer than 5 % of these draws reach what was observed, as p would have it.

No p lies below 1/(DRAWS + 1), and of more than 5,000 trials none with that p passes Holm at 5 %. So a row without any
hit is held against more draws where its sweep asks for them (`draws_for`), until the first hit: 1/draws then, or
1/(draws + 1) after the last. To have this p or a smaller one means to lie above all draws before, so it is as valid.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from vp_engine.evaluation.resampling import Circle, Draws, draws_of
from vp_engine.jit import inner, kernel

DRAWS = 99_999
HITS = 50
DRAWS_A_TRIAL = 25  # a row that no draw reaches has a Holm p of 1/25 at most
MOST_DRAWS = 2_499_999  # so of more than 125,000 trials Holm can pass none at 5 %
SEED = 42
CONFIDENCE = 0.95  # of the interval of the mean
LANES = 128  # rows that share the reading of a draw, side by side in memory
_NARROW = 32  # lanes are taken in steps of this many
_FIRST_PART, _LAST_PART = 256, 8192  # draws between two looks at who is done: twice as many each time


class MeanTest(NamedTuple):
    """What the draws say of the mean net pnl of each row, float64 (rows,), NaN without trades. p_value: one-sided;
    half_width: of the interval of CONFIDENCE around the mean, ticks."""

    p_value: np.ndarray
    half_width: np.ndarray


def _parts(max_draws: int) -> Iterator[tuple[int, int]]:
    """(number of the part's first draw, draws in it) until there are max_draws."""
    first, size = 0, _FIRST_PART
    while first < max_draws:
        yield first, min(size, max_draws - first)
        first += size
        size = min(max(size, first), _LAST_PART)


@kernel
def observe_nb(net, count, block, null_variance, rest, sums, observed, error):
    """Statistic of every row and the standard error of its mean in ticks, NaN without trades. net, count float64
    (rows, n) by grain; null_variance, observed and error (both written) float64 (rows,).

    rest, sums float32 (rows, n + 1) are written: prefix sums of what deviates from the mean pnl, and of trades. The
    variance of the sum is that of all circular blocks of `block` grains, scaled to the circle, plus `null_variance`.
    """
    n = net.shape[1]
    for row in range(net.shape[0]):
        total = trades = 0.0
        for i in range(n):
            total += net[row, i]
            trades += count[row, i]
        mean = total / trades
        over = so_far = 0.0
        rest[row, 0] = sums[row, 0] = 0.0
        for i in range(n):
            over += net[row, i] - mean * count[row, i]
            so_far += count[row, i]
            rest[row, i + 1], sums[row, i + 1] = over, so_far
        square = 0.0
        for start in range(n):
            end = start + block
            over = np.float64(rest[row, end if end <= n else end - n]) - rest[row, start]
            if end > n:
                over += rest[row, n]
            square += over * over
        spread = np.sqrt(square / block + null_variance[row])
        observed[row] = total / spread if trades > 0 else np.nan
        error[row] = spread / trades if trades > 0 else np.nan


@inner
def sum_blocks_nb(sums, draws, draw, acc):
    """Sums over the blocks of one draw for all lanes: acc float32 (5, lanes) is written with the sums of r, s, r·r,
    r·s, s·s, where r and s are a block's share of sums[:, 0] and sums[:, 1], prefix sums float32 (n + 1, 2, lanes).

    Two blocks at a time: half the traffic to `acc`, which is what this loop waits for. An odd last block is paired
    with an empty one.
    """
    n, lanes = sums.shape[0] - 1, sums.shape[2]
    for lane in range(lanes):
        acc[0, lane] = acc[1, lane] = acc[2, lane] = acc[3, lane] = acc[4, lane] = np.float32(0.0)
    last = draws.offsets[draw + 1] - 1
    for at in range(draws.offsets[draw], last + 1, 2):
        a, b = draws.start[at], draws.start[at] + draws.length[at]
        c = d = 0
        if at < last:
            c, d = draws.start[at + 1], draws.start[at + 1] + draws.length[at + 1]
        a_turns = c_turns = np.float32(0.0)  # a block that runs past the last grain goes on at the first
        if b > n:
            b, a_turns = b - n, np.float32(1.0)
        if d > n:
            d, c_turns = d - n, np.float32(1.0)
        for lane in range(lanes):
            r = sums[b, 0, lane] - sums[a, 0, lane] + a_turns * sums[n, 0, lane]
            s = sums[b, 1, lane] - sums[a, 1, lane] + a_turns * sums[n, 1, lane]
            t = sums[d, 0, lane] - sums[c, 0, lane] + c_turns * sums[n, 0, lane]
            u = sums[d, 1, lane] - sums[c, 1, lane] + c_turns * sums[n, 1, lane]
            acc[0, lane] += r + t
            acc[1, lane] += s + u
            acc[2, lane] += r * r + t * t
            acc[3, lane] += r * s + t * u
            acc[4, lane] += s * s + u * u


@inner
def statistic_nb(acc, lane, null_variance):
    """Statistic of a lane from the sums of `sum_blocks_nb`; 0 without trades."""
    total = np.float64(acc[0, lane])
    shift = total / max(np.float64(acc[1, lane]), 1.0)  # without trades the total is 0 too
    variance = acc[2, lane] - 2.0 * shift * acc[3, lane] + shift * shift * acc[4, lane]
    return total / np.sqrt(max(variance, 0.0) + null_variance)


@kernel
def count_hits_nb(sums, observed, null_variance, draws, max_hits, acc, hits, drawn):
    """Hold one part of the draws against each lane that is short of `max_hits`, until none is.

    sums as in `sum_blocks_nb`; observed, null_variance float64 (lanes,), NaN for a lane without a row; acc float32
    (5, lanes) scratch; hits, drawn int64 (lanes,) are carried on. drawn stops with a row's last counted hit.
    """
    for draw in range(draws.offsets.size - 1):
        sum_blocks_nb(sums, draws, draw, acc)
        missing = 0
        for lane in range(observed.size):
            if hits[lane] >= max_hits or np.isnan(observed[lane]):
                continue
            drawn[lane] += 1
            hits[lane] += statistic_nb(acc, lane, null_variance[lane]) >= observed[lane]
            missing += hits[lane] < max_hits
        if missing == 0:
            return


@kernel
def measure_nb(sums, observed, null_variance, draws, max_hits, acc, hits, drawn, size):
    """`count_hits_nb` that goes through all draws of the part, so that size float32 (draws, lanes) is written with the
    |statistic| of each."""
    for draw in range(draws.offsets.size - 1):
        sum_blocks_nb(sums, draws, draw, acc)
        for lane in range(observed.size):
            statistic = statistic_nb(acc, lane, null_variance[lane])
            size[draw, lane] = abs(statistic)
            short = np.int64(hits[lane] < max_hits)
            drawn[lane] += short
            hits[lane] += short & np.int64(statistic >= observed[lane])


def draws_for(n_trials: int) -> int:
    """Draws that a row without a hit needs before Holm's correction for so many trials can call it significant."""
    return min(max(DRAWS, DRAWS_A_TRIAL * n_trials - 1), MOST_DRAWS)


class _Rows(NamedTuple):
    """Rows as the draws are held against them. sums float32 (2, rows, n + 1), observed, error, null_variance float64
    (rows,) as in `observe_nb`; hits, drawn int64 (rows,) are carried on."""

    sums: np.ndarray
    observed: np.ndarray
    error: np.ndarray
    null_variance: np.ndarray
    hits: np.ndarray
    drawn: np.ndarray


class _Lanes(NamedTuple):
    """Some rows side by side in memory, filled up with empty lanes: as `count_hits_nb` takes them."""

    sums: np.ndarray
    observed: np.ndarray
    null_variance: np.ndarray
    acc: np.ndarray
    hits: np.ndarray
    drawn: np.ndarray


def _observed(net: np.ndarray, count: np.ndarray, circle: Circle, null_variance: np.ndarray) -> _Rows:
    """Rows that no draw has been held against."""
    rows, n = net.shape
    sums, (observed, error) = np.empty((2, rows, n + 1), np.float32), np.empty((2, rows))
    observe_nb(net, count, circle.block, null_variance, sums[0], sums[1], observed, error)
    return _Rows(sums, observed, error, null_variance, np.zeros(rows, np.int64), np.zeros(rows, np.int64))


def _lanes(rows: _Rows, some: np.ndarray) -> Iterator[tuple[np.ndarray, _Lanes]]:
    """The rows at positions `some` int64 (m,), LANES of them at a time: (their positions, lanes)."""
    n = rows.sums.shape[2]
    for at in range(0, some.size, LANES):
        part = some[at : at + LANES]
        width = -(-part.size // _NARROW) * _NARROW
        sums = np.zeros((n, 2, width), np.float32)
        sums[:, :, : part.size] = rows.sums[:, part].T.swapaxes(1, 2)
        observed, variance = np.full((2, width), np.nan)
        observed[: part.size], variance[: part.size] = rows.observed[part], rows.null_variance[part]
        hits, drawn = np.zeros((2, width), np.int64)
        hits[: part.size], drawn[: part.size] = rows.hits[part], rows.drawn[part]
        yield part, _Lanes(sums, observed, variance, np.empty((5, width), np.float32), hits, drawn)


def _keep(rows: _Rows, part: np.ndarray, lanes: _Lanes) -> None:
    """What the lanes have counted, written back to their rows."""
    rows.hits[part], rows.drawn[part] = lanes.hits[: part.size], lanes.drawn[: part.size]


def _hold_against(draws: Draws, rows: _Rows, some: np.ndarray, max_hits: int) -> None:
    """Hold draws against the rows at positions `some` int64 (m,)."""
    for part, lanes in _lanes(rows, some):
        count_hits_nb(
            lanes.sums, lanes.observed, lanes.null_variance, draws, max_hits, lanes.acc, lanes.hits, lanes.drawn
        )
        _keep(rows, part, lanes)


def _measured(draws: Draws, rows: _Rows, some: np.ndarray, max_hits: int) -> np.ndarray:
    """`_hold_against` that goes through all draws. Half width of the interval of every row's mean, ticks, float64
    (rows,), NaN for the others."""
    half_width = np.full(rows.observed.size, np.nan)
    n_draws = draws.offsets.size - 1
    within = min(math.ceil(CONFIDENCE * (n_draws + 1)), n_draws) - 1
    for part, lanes in _lanes(rows, some):
        size = np.empty((n_draws, lanes.observed.size), np.float32)
        measure_nb(
            lanes.sums, lanes.observed, lanes.null_variance, draws, max_hits, lanes.acc, lanes.hits, lanes.drawn, size
        )
        _keep(rows, part, lanes)
        ranked = np.partition(np.ascontiguousarray(size.T[: part.size]), within, axis=1)
        half_width[part] = ranked[:, within] * rows.error[part]
    return half_width


def mean_test(
    net: np.ndarray,
    count: np.ndarray,
    circle: Circle,
    null_variance: np.ndarray,
    max_draws: int = DRAWS,
    max_hits: int = HITS,
    seed: int = SEED,
) -> MeanTest:
    """P(mean net pnl at least this high | true mean 0) of each row, and the interval of the mean.

    net: float64 (rows, n_grains), net pnl in ticks of the trades entered in each grain; count: float64, their number;
    null_variance: float64 (rows,), ticks squared.
    """
    rows = _observed(net, count, circle, null_variance)
    left = np.argsort(rows.observed, kind="stable")  # rows of like p side by side end together
    left = left[: np.count_nonzero(~np.isnan(rows.observed))]
    half_width = np.full(rows.observed.size, np.nan)
    for first, n_draws in _parts(max_draws):
        if not left.size:
            break
        draws = draws_of(circle.n_grains, circle.block, first, n_draws, seed)
        if first == 0:
            half_width = _measured(draws, rows, left, max_hits)
        else:
            _hold_against(draws, rows, left, max_hits)
        left = left[rows.hits[left] < max_hits]
    done = rows.hits >= max_hits
    p_values = np.where(done, rows.hits / np.maximum(rows.drawn, 1), (rows.hits + 1) / (max_draws + 1))
    return MeanTest(np.where(np.isnan(rows.observed), np.nan, p_values), half_width)


def deeper_p(
    p_values: np.ndarray,
    net: np.ndarray,
    count: np.ndarray,
    circle: Circle,
    null_variance: np.ndarray,
    max_draws: int,
    before: int = DRAWS,
    seed: int = SEED,
) -> np.ndarray:
    """`p_values` float64 (rows,) of `before` draws, with those that no draw has reached drawn on to `max_draws`.

    The other arguments are those that gave `p_values`.
    """
    unreached = np.flatnonzero(p_values == 1 / (before + 1))
    if max_draws <= before or not unreached.size:
        return p_values
    rows = _observed(net[unreached], count[unreached], circle, null_variance[unreached])
    left, last = np.arange(unreached.size), before
    while left.size and last < max_draws:
        n_draws = min(_LAST_PART, max_draws - last)
        # Made once for this call and let go: kept, they would take more memory than all the rows.
        draws = draws_of.__wrapped__(circle.n_grains, circle.block, last, n_draws, seed)
        _hold_against(draws, rows, left, 1)
        left, last = left[rows.hits[left] == 0], last + n_draws
    deeper = p_values.copy()
    deeper[unreached] = np.where(rows.hits > 0, 1 / (before + np.maximum(rows.drawn, 1)), 1 / (max_draws + 1))
    return deeper
