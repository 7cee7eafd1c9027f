"""What the trades of one row come to, in one walk over its firings. Bins are positions in the dataset; a trade lives in
the bins from its entry to its exit, both included. Pnl in half ticks as integers until it is summed. Kernels never
raise.

Trades overlap, so m of them are fewer than m observations. Two figures say how many. `n_independent` is the largest
number of which no two share a bin. `n_effective` is the sum of their average uniqueness (López de Prado 2018, chapter
4): in each of its bins a trade is worth 1/c where c trades live, and its uniqueness is the mean of that over its life.
Trades of one length over a random walk have just this effective number: their mean varies as that of so many
independent ones.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vp_engine.evaluation.barriers import DROPPED, TIMEOUT
from vp_engine.jit import inner, kernel

# Columns of `tally`: integers of a row. Those of `_EXITS` follow the codes of the exit kinds, up before down.
_EXITS = tuple(f"n_{side}_{end}" for side in ("up", "down") for end in ("tp", "sl", "timeout"))
TALLY = ("n_signals", "n_up", "n_dropped", "n_independent", *_EXITS)
_N, _UP, _DROPPED, _INDEPENDENT, _FIRST_EXIT = 0, 1, 2, 3, 4
# Columns of `sums`: floats of a row.
SUMS = ("gross_ticks", "net_std", "skew", "kurtosis", "median_held_bins", "n_effective")
_GROSS, _STD, _SKEW, _KURTOSIS, _HELD, _EFFECTIVE = 0, 1, 2, 3, 4, 5
_NO_SPREAD = 1e-12  # ticks squared: trades that all earn the same


class Firings(NamedTuple):
    """Firings of several detections one behind the other: detection d has offsets[d] to offsets[d + 1], int64.
    at_bin int64, rising within each; up int8."""

    offsets: np.ndarray
    at_bin: np.ndarray
    up: np.ndarray


class Rows(NamedTuple):
    """Rows to be counted, all (rows,): place int64 in what is written, firing int64 (their detection), delay int64
    from firing to entry in bins, cost float64 of a round trip in ticks."""

    place: np.ndarray
    firing: np.ndarray
    delay: np.ndarray
    cost: np.ndarray


class Scratch(NamedTuple):
    """Room for one row's walk. held: int64 (longest hold,), zeros; ends int64, shares float64: (longest hold + 1,),
    room for every trade that may live at once; lasted int64, half int64: (most trades,), of the trades walked."""

    held: np.ndarray
    ends: np.ndarray
    shares: np.ndarray
    lasted: np.ndarray
    half: np.ndarray


def scratch_of(max_hold_bins: int, most_trades: int) -> Scratch:
    """Room for so many trades that are held less than `max_hold_bins`; entries are at most one a bin."""
    alive = max_hold_bins + 1
    lasted, half = np.empty((2, most_trades), np.int64)
    return Scratch(np.zeros(max_hold_bins, np.int64), np.empty(alive, np.int64), np.empty(alive), lasted, half)


@kernel
def median_of_counts_nb(counts, total):
    """Median of `total` whole numbers of which `counts` int64 (m,) says how often each occurs; NaN for none."""
    if total == 0:
        return np.nan
    low, seen = -1, 0
    for value in range(counts.size):
        seen += counts[value]
        if low < 0 and seen > (total - 1) // 2:
            low = value
        if seen > total // 2:
            return (low + value) / 2.0
    return np.nan


@inner
def pass_time_nb(now, until, ends, shares, alive, share):
    """Uniqueness earned by the living trades from bin `now` to before `until`; (sum, alive, share) are carried on.

    ends int64, shares float64: first bin behind each living trade, falling, and one over its length; `share` is the
    sum of the latter over the `alive` first ones. Trades that end on the way leave.
    """
    earned = 0.0
    while alive > 0 and now < until:
        stop = min(ends[alive - 1], until)
        earned += share / alive * (stop - now)
        now = stop
        while alive > 0 and ends[alive - 1] == now:
            alive -= 1
            share = share - shares[alive] if alive > 0 else 0.0
    return earned, alive, share


@inner
def enter_nb(end, length, ends, shares, alive):
    """Add a trade to the `alive` living ones, in order of their ends."""
    at = alive
    while at > 0 and ends[at - 1] < end:
        ends[at], shares[at] = ends[at - 1], shares[at - 1]
        at -= 1
    ends[at], shares[at] = end, 1.0 / length


@inner
def count_trades_nb(
    entry, up, delay, outcomes, cost, first_bin, grain_bins, piece_bins, scratch, tally, sums, net, count, pieces
):
    """Figures of the trades fired at bins `entry`, int64 (m,) rising, up (int8 1) or down (0), and entered `delay` bins
    later.

    outcomes: kind, exit_bin, pnl_half by direction and bin; cost: ticks a round trip. scratch: a `Scratch`, whose
    `held` is left as it was. Written: tally int64 and sums float64 in the order of TALLY and SUMS (standard deviation
    with ddof 1, skew and kurtosis of the population, NaN where not defined); net, count float64 (grains,): net pnl and
    trades by grain of `grain_bins` from `first_bin` on; pieces float64: net pnl by piece of `piece_bins` from bin 0 on.
    """
    n = outcomes.kind.shape[1]
    tally[:] = 0
    net[:] = 0.0
    count[:] = 0.0
    pieces[:] = 0.0
    gross, decided, busy_until = 0, 0, -1
    alive, now, share, effective = 0, 0, 0.0, 0.0
    grain, grain_end, piece, piece_end = 0, first_bin + grain_bins, 0, piece_bins  # divisions are dear, bins rise
    for at in range(entry.size):
        bin_at, row = entry[at] + delay, 1 - up[at]
        kind = outcomes.kind[row, bin_at] if bin_at < n else DROPPED
        if kind == DROPPED:
            tally[_DROPPED] += 1
            continue
        out, half = outcomes.exit_bin[row, bin_at], outcomes.pnl_half[row, bin_at]
        tally[_N] += 1
        tally[_UP] += up[at]
        tally[_FIRST_EXIT + 3 * row + kind - 1] += 1
        scratch.half[tally[_N] - 1] = half
        if kind != TIMEOUT:
            scratch.held[out - bin_at] += 1
            scratch.lasted[decided] = out - bin_at
            decided += 1
        if bin_at > busy_until:
            tally[_INDEPENDENT] += 1
            busy_until = out
        else:
            busy_until = min(busy_until, out)
        earned, alive, share = pass_time_nb(now, bin_at, scratch.ends, scratch.shares, alive, share)
        effective += earned
        enter_nb(out + 1, out + 1 - bin_at, scratch.ends, scratch.shares, alive)
        alive, share, now = alive + 1, share + 1.0 / (out + 1 - bin_at), bin_at
        gross += half
        while bin_at >= grain_end:
            grain, grain_end = grain + 1, grain_end + grain_bins
        while bin_at >= piece_end:
            piece, piece_end = piece + 1, piece_end + piece_bins
        net[grain] += half / 2.0 - cost
        count[grain] += 1.0
        pieces[piece] += half / 2.0 - cost
    m = tally[_N]
    sums[:] = np.nan
    sums[_GROSS] = gross / 2.0
    sums[_HELD] = median_of_counts_nb(scratch.held, decided)
    sums[_EFFECTIVE] = effective + pass_time_nb(now, n + 1, scratch.ends, scratch.shares, alive, share)[0]
    mean = gross / 2.0 / m
    second = third = fourth = 0.0
    for at in range(decided):
        scratch.held[scratch.lasted[at]] = 0
    for at in range(m):
        over = scratch.half[at] / 2.0 - mean
        square = over * over
        second += square
        third += square * over
        fourth += square * square
    if m < 2:
        return
    variance = second / m
    sums[_STD] = 0.0
    if variance > _NO_SPREAD:
        sums[_STD] = np.sqrt(second / (m - 1))
        sums[_SKEW] = third / m / variance**1.5
        sums[_KURTOSIS] = fourth / m / (variance * variance)


@kernel
def count_rows_nb(fired, rows, outcomes, first_bin, grain_bins, piece_bins, scratch, tally, sums, net, count, pieces):
    """`count_trades_nb` for rows that share their barriers. fired: `Firings`; rows: `Rows`; what is written has one
    more dimension in front, the row's place."""
    for at in range(rows.place.size):
        place, which = rows.place[at], rows.firing[at]
        some = slice(fired.offsets[which], fired.offsets[which + 1])
        count_trades_nb(
            fired.at_bin[some], fired.up[some], rows.delay[at], outcomes, rows.cost[at], first_bin, grain_bins,
            piece_bins, scratch, tally[place], sums[place], net[place], count[place], pieces[place],
        )  # fmt: skip
