"""The state at a bin's end as one row of every field. Rows are k = -R..+R around spot, rising with price.

Values are rounded to float32 once, here; magnitudes under 1e-9 become 0. While the book is invalid the grid, mid,
spot and quotes are zeros, and no history is moved.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vp_engine.book.levels import (
    spot_tick_nb,
    valid_nb,
)
from vp_engine.book.state import (
    ANCHOR,
    BEST_ASK_KEY,
    BEST_BID_KEY,
    EVENT_ID,
)
from vp_engine.field.forces import forces_nb, held_nb
from vp_engine.field.kinetics import (
    ASK_DEPTH,
    BID_DEPTH,
    N_CHANNELS,
    acceleration_nb,
    chain_at_nb,
    jerk_nb,
    mass_nb,
    velocity_nb,
)
from vp_engine.field.tick_engine import (
    BIN_EVENTS,
    BUY_VOLUME,
    SELL_VOLUME,
    TRADES,
    UNSIDED_TRADES,
    UNSIDED_VOLUME,
    TickState,
)
from vp_engine.jit import inlined, kernel
from vp_engine.schema import GRID_F32_NAMES
from vp_engine.spectrum.rollup import Rollup, sample_nb

_TINY = 1e-9
_TWO_DOLLARS = 2e9  # price units in two dollars: dividing rounds once, a factor of 0.5e-9 would round twice
_COLUMN = {name: column for column, name in enumerate(GRID_F32_NAMES)}
_PRESSURE, _MASS, _DEPTH = _COLUMN["pressure_variant"], _COLUMN["add_mass"], _COLUMN["rest_depth"]
_V, _A, _J = _COLUMN["v_add"], _COLUMN["a_add"], _COLUMN["j_add"]
_COMPOSITE, _FILL_SIZE = _COLUMN["composite"], _COLUMN["fill_size"]

SEEN, LAST_BID, LAST_ASK = range(3)  # `quotes`: valid bins seen, quotes in the last one


class BinState(NamedTuple):
    """Everything one bin needs. chain: float64 (7,) scratch; quotes: int64 (3,); state5_codes: int8 (2, 9), below and
    above spot; forces: float64 (7,)."""

    ticks: TickState
    rollup: Rollup
    chain: np.ndarray
    quotes: np.ndarray
    state5_codes: np.ndarray
    forces: np.ndarray


class BinShape(NamedTuple):
    """tick_int in 1e-9 $, bin width in ns and s, radius in ticks, start of bin 0 in ns."""

    tick_int: int
    bin_ns: int
    dt_s: float
    radius: int
    start_ns: int


@inlined
def emit_nb(value):
    """float32 as it is stored and sent."""
    return np.float32(value) if abs(value) >= _TINY else np.float32(0.0)


@inlined
def write_channel_nb(grid, sums, chain, channel, at, row, slot, n):
    """v, a, j of one channel at n slots from `slot` on, into column `at` of each order. grid float32 (fields, rows)."""
    for i in range(n):
        grid[_V + at, row + i] = emit_nb(velocity_nb(sums, chain, channel, slot + i))
        grid[_A + at, row + i] = emit_nb(acceleration_nb(sums, chain, channel, slot + i))
        grid[_J + at, row + i] = emit_nb(jerk_nb(sums, chain, channel, slot + i))


@inlined
def write_rest_nb(grid, sums, chain, row, slot, n):
    """v, a, j of the resting depth: bid plus ask, summed before rounding."""
    for i in range(n):
        at = slot + i
        v = velocity_nb(sums, chain, BID_DEPTH, at) + velocity_nb(sums, chain, ASK_DEPTH, at)
        a = acceleration_nb(sums, chain, BID_DEPTH, at) + acceleration_nb(sums, chain, ASK_DEPTH, at)
        j = jerk_nb(sums, chain, BID_DEPTH, at) + jerk_nb(sums, chain, ASK_DEPTH, at)
        grid[_V + BID_DEPTH, row + i] = emit_nb(v)
        grid[_A + BID_DEPTH, row + i] = emit_nb(a)
        grid[_J + BID_DEPTH, row + i] = emit_nb(j)


@inlined
def write_levels_nb(grid, depth, level, fill_size, row, slot, n):
    """Resting depth, composite with its differences, and the bin's fills."""
    for i in range(n):
        bids, asks = depth[0, slot + i], depth[1, slot + i]
        grid[_DEPTH, row + i] = np.float32(bids + asks)
        grid[_DEPTH + 1, row + i] = np.float32(bids)
        grid[_DEPTH + 2, row + i] = np.float32(asks)
        grid[_FILL_SIZE, row + i] = np.float32(fill_size[slot + i])
    for order in range(4):
        for i in range(n):
            grid[_COMPOSITE + order, row + i] = emit_nb(level[order, slot + i])


@kernel
def write_ticks_nb(grid, state, row, slot, n):
    """Every float field of n ticks, slots from `slot` on, into the rows from `row` on. Whole columns at a time; row,
    slot and n uint64, which lets the loops become vectors (see `rollup`)."""
    sums, chain, forces = state.ticks.kinetics.sums, held_nb(state.chain), held_nb(state.forces)
    inputs = state.rollup.inputs  # as the bin's sample left them
    for i in range(n):
        pressure, vacuum = forces_nb(inputs, slot + i, chain, forces)
        grid[_PRESSURE, row + i] = emit_nb(pressure)
        grid[_PRESSURE + 1, row + i] = emit_nb(vacuum)
    for channel in range(N_CHANNELS):
        at = channel if channel < BID_DEPTH else channel + 1  # rest_depth stands before its two sides
        write_channel_nb(grid, sums, chain, channel, at, row, slot, n)
    for channel in range(BID_DEPTH):
        for i in range(n):
            grid[_MASS + channel, row + i] = emit_nb(mass_nb(sums, chain, channel, slot + i))
    write_rest_nb(grid, sums, chain, row, slot, n)
    write_levels_nb(grid, state.ticks.book.depth, state.rollup.level, state.ticks.fill_size, row, slot, n)


@inlined
def sign_nb(value):
    """-1, 0 or 1."""
    return (value > 0) - (value < 0)


@inlined
def write_moves_nb(row, state, bid, ask):
    """Moves of the quotes against the last valid bin, and the labels they make. Returns the microstate."""
    quotes = state.quotes
    if quotes[SEEN] > 0:
        row.best_ask_move_ticks = ask - quotes[LAST_ASK]
        row.best_bid_move_ticks = bid - quotes[LAST_BID]
    sa, sb = sign_nb(row.best_ask_move_ticks), sign_nb(row.best_bid_move_ticks)
    row.ask_reprice_sign, row.bid_reprice_sign = sa, sb
    row.microstate_id = 3 * (sa + 1) + (sb + 1)
    row.chase_up_flag = sa > 0 and sb > 0
    row.chase_down_flag = sa < 0 and sb < 0
    quotes[SEEN] += 1
    quotes[LAST_ASK], quotes[LAST_BID] = ask, bid
    return 3 * (sa + 1) + (sb + 1)


@kernel
def write_grid_nb(state, shape, spot, microstate, grid, state5, last_event_id):
    """The rows around spot. grid float32 (fields, rows); state5 int8 (rows,); last_event_id int64 (rows,)."""
    radius = shape.radius
    state5[:radius] = state.state5_codes[0, microstate]
    state5[radius + 1 :] = state.state5_codes[1, microstate]
    book = state.ticks.book
    n_slots = book.depth.shape[1]
    first = spot - radius - book.scalars[ANCHOR] + (n_slots >> 1)
    row = max(-first, 0)  # a radius wider than the margin can reach over the end of the slots
    n = min(2 * radius + 1, n_slots - first) - row
    write_ticks_nb(grid, state, np.uint64(row), np.uint64(first + row), np.uint64(n))
    for i in range(row, row + n):
        last_event_id[i] = state.ticks.last_event_id[first + i]


@kernel
def close_bin_nb(state, shape, bin_seq, rows, at, grid, state5, last_event_id):
    """Write bin `bin_seq` at place `at` of a block of zeros. rows BIN_DTYPE (n,); grid (fields, n, rows) and so on."""
    row = rows[at]
    ticks = state.ticks
    book, tally = ticks.book, ticks.tally
    end_ns = shape.start_ns + (bin_seq + 1) * shape.bin_ns
    row.bin_seq = bin_seq
    row.bin_start_ns, row.bin_end_ns, row.ts_ns = end_ns - shape.bin_ns, end_ns, end_ns
    row.bin_event_count, row.event_id = tally[BIN_EVENTS], book.scalars[EVENT_ID]
    row.trade_count, row.buy_volume, row.sell_volume = tally[TRADES], tally[BUY_VOLUME], tally[SELL_VOLUME]
    row.unsided_count, row.unsided_volume = tally[UNSIDED_TRADES], tally[UNSIDED_VOLUME]
    if not valid_nb(book.scalars):
        row.microstate_id = 4  # no move is known
        return
    bid, ask, spot = book.scalars[BEST_BID_KEY], -book.scalars[BEST_ASK_KEY], spot_tick_nb(book.scalars)
    row.book_valid = 1
    row.mid_price = (bid + ask) * shape.tick_int / _TWO_DOLLARS
    row.spot_ref_price_int = spot * shape.tick_int
    row.best_bid_price_int, row.best_ask_price_int = bid * shape.tick_int, ask * shape.tick_int
    microstate = write_moves_nb(row, state, bid, ask)
    chain_at_nb(ticks.kinetics, end_ns, state.chain)
    sample_nb(state.rollup, ticks.kinetics, state.chain, state.forces, shape.dt_s)
    write_grid_nb(state, shape, spot, microstate, grid[:, at], state5[at], last_event_id[at])
