"""Triple-barrier outcomes of every bin and both directions. Bins along the last axis, in time order.
Prices in half ticks as integers (a mid may lie on a half tick), so nothing is compared in floats.
Direction 0 is up (long), 1 is down (short). A bin's number here is its position in the dataset. Kernels never raise.

The first bin that reaches a distance is found with a stack of running extremes walked from the end, so a distance
costs O(n log n) whatever the holding time; outcomes of one (tp, sl, hold) are then one comparison a bin.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numba import njit

from vp_engine.errors import ConfigError, DataError

NEVER = 2**31 - 1  # a distance that is not reached before the dataset's end
NO_BIN = -1  # exit bin of a trade that was never entered
DROPPED, TAKE_PROFIT, STOP_LOSS, TIMEOUT = 0, 1, 2, 3  # exit kinds
UP, DOWN = 0, 1
HALF = 2  # half ticks in a tick

FillModel = Literal["mid", "cross"]


class Market(NamedTuple):
    """Quotes of n bins. mid: int64 (n,) half ticks; spread: int64 (n,) ticks; valid: int8 (n,), 1 where both quote."""

    mid: np.ndarray
    spread: np.ndarray
    valid: np.ndarray

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return int(self.mid.size)


class Outcomes(NamedTuple):
    """What a trade entered at each bin's end comes to, per direction: (2, n) arrays.

    kind: int8, DROPPED where the entry bin is invalid; exit_bin: int32, the last valid bin of a timeout;
    pnl_half: int32, move in the trade's direction in half ticks, after the fill model, before fees.
    """

    kind: np.ndarray
    exit_bin: np.ndarray
    pnl_half: np.ndarray


def market_of_bins(bins: np.ndarray, tick_int: int) -> Market:
    """Quotes in ticks from BIN_DTYPE records (n,); DataError where a quote lies off the tick grid."""
    bid, bid_rest = np.divmod(bins["best_bid_price_int"], tick_int)
    ask, ask_rest = np.divmod(bins["best_ask_price_int"], tick_int)
    off = np.flatnonzero((bid_rest != 0) | (ask_rest != 0))
    if off.size:
        raise DataError(
            f"best quotes of bin {int(bins['bin_seq'][off[0]])} lie off the tick grid ({tick_int}e-9 dollars)"
        )
    return Market(bid + ask, ask - bid, np.ascontiguousarray(bins["book_valid"]))


@njit(cache=True, nogil=True, error_model="numpy")
def passage_nb(mid, valid, distance, sign, first):
    """First later bin whose mid lies `distance` half ticks or more away, above (sign 1) or below (sign -1).

    mid int64 (n,), valid int8 (n,); first int32 (n,) is written, NEVER where there is none or the bin is invalid.
    """
    n = mid.size
    stack = np.empty(n, np.int32)  # running extremes ahead: bins fall, sign * mid falls towards the top
    height = 0
    for i in range(n - 1, -1, -1):
        first[i] = NEVER
        if valid[i] == 0:
            continue
        key = sign * mid[i]
        low, high = 0, height
        while low < high:
            middle = (low + high) // 2
            if sign * mid[stack[middle]] >= key + distance:
                low = middle + 1
            else:
                high = middle
        if low > 0:
            first[i] = stack[low - 1]
        while height > 0 and sign * mid[stack[height - 1]] <= key:
            height -= 1
        stack[height] = i
        height += 1


@njit(cache=True, nogil=True, error_model="numpy")
def outcomes_nb(market, win_at, loss_at, max_hold_bins, cross, kind, exit_bin, pnl_half):
    """Exit of every entry bin in both directions; win_at, loss_at int32 (2, n) by direction; outputs are written."""
    mid, spread, valid = market
    n = mid.size
    last_valid = np.empty(n, np.int32)
    last = NO_BIN
    for i in range(n):
        if valid[i] != 0:
            last = i
        last_valid[i] = last
    for direction in range(2):
        sign = 1 if direction == UP else -1
        for i in range(n):
            if valid[i] == 0:
                kind[direction, i] = DROPPED
                exit_bin[direction, i] = NO_BIN
                pnl_half[direction, i] = 0
                continue
            end = min(i + max_hold_bins - 1, n - 1)
            win, loss = win_at[direction, i], loss_at[direction, i]
            if win <= end and win < loss:
                how, out = TAKE_PROFIT, win
            elif loss <= end:
                how, out = STOP_LOSS, loss
            else:
                how, out = TIMEOUT, last_valid[end]
            kind[direction, i] = how
            exit_bin[direction, i] = out
            paid = spread[i] + spread[out] if cross else 0  # half a spread each way, in half ticks
            pnl_half[direction, i] = sign * (mid[out] - mid[i]) - paid


class Barriers:
    """Outcomes of one market, each (tp, sl, hold, fill) computed once and kept."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self._passages: dict[int, np.ndarray] = {}
        self._outcomes: dict[tuple[int, int, int, FillModel], Outcomes] = {}

    def _passage(self, distance: int) -> np.ndarray:
        """int32 (2, n): first bin at least `distance` half ticks above, and below."""
        if distance not in self._passages:
            first = np.empty((2, self.market.n_bins), np.int32)
            for row, sign in enumerate((1, -1)):
                passage_nb(self.market.mid, self.market.valid, distance, sign, first[row])
            self._passages[distance] = first
        return self._passages[distance]

    def outcomes(self, tp_ticks: float, sl_ticks: float, max_hold_bins: int, fill: FillModel = "mid") -> Outcomes:
        """Outcomes of entries at each bin. Barriers are moves of the mid since entry; `cross` pays the far quote
        on entry and exit. Distances in ticks > 0 (a mid moves by halves: 1.2 is reached at 1.5), max_hold_bins >= 1;
        ConfigError otherwise."""
        for name, value in (("tp_ticks", tp_ticks), ("sl_ticks", sl_ticks)):
            if not math.isfinite(value) or value <= 0:
                raise ConfigError(f"`{name}` must be > 0, was {value}")
        if max_hold_bins < 1:
            raise ConfigError(f"`max_hold_bins` must be at least 1, was {max_hold_bins}")
        if fill not in ("mid", "cross"):
            raise ConfigError(f"`fill` must be mid or cross, was {fill!r}")
        key = (math.ceil(HALF * tp_ticks), math.ceil(HALF * sl_ticks), int(max_hold_bins), fill)
        if key not in self._outcomes:
            shape = (2, self.market.n_bins)
            found = Outcomes(np.empty(shape, np.int8), np.empty(shape, np.int32), np.empty(shape, np.int32))
            win_at = self._passage(key[0])
            loss_at = np.ascontiguousarray(self._passage(key[1])[::-1])
            outcomes_nb(self.market, win_at, loss_at, key[2], fill == "cross", *found)
            self._outcomes[key] = found
        return self._outcomes[key]
