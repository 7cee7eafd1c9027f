"""The state at a bin's end as one row of every field. Rows are k = -R..+R around spot, rising with price.

Values are rounded to float32 once, here; magnitudes under 1e-9 become 0. While the book is invalid the grid, mid,
spot and quotes are zeros, and no history is moved.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vp_engine.book.order_book import (
    BEST_ASK_KEY,
    BEST_BID_KEY,
    EVENT_ID,
    slot_of_nb,
    spot_tick_nb,
    valid_nb,
)
from vp_engine.field.forces import forces_nb
from vp_engine.field.kinetics import (
    BID_DEPTH,
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
    TickState,
)
from vp_engine.jit import inlined, kernel
from vp_engine.schema import GRID_F32_NAMES
from vp_engine.spectrum.rollup import Rollup, sample_nb
from vp_engine.units import PRICE_SCALE

_TINY = 1e-9
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
def write_channels_nb(grid, sums, chain):
    """v, a, j of the six channels and the three masses of one tick. grid float32 (fields,); sums (5, 4)."""
    for channel in range(3):
        grid[_MASS + channel] = emit_nb(mass_nb(sums[channel], chain))
    rest_v = rest_a = rest_j = 0.0
    for channel in range(5):
        v, a, j = (
            velocity_nb(sums[channel], chain),
            acceleration_nb(sums[channel], chain),
            jerk_nb(sums[channel], chain),
        )
        at = channel if channel < BID_DEPTH else channel + 1  # rest_depth stands before its two sides
        grid[_V + at], grid[_A + at], grid[_J + at] = emit_nb(v), emit_nb(a), emit_nb(j)
        if channel >= BID_DEPTH:
            rest_v += v
            rest_a += a
            rest_j += j
    grid[_V + BID_DEPTH], grid[_A + BID_DEPTH], grid[_J + BID_DEPTH] = emit_nb(rest_v), emit_nb(rest_a), emit_nb(rest_j)


@inlined
def write_tick_nb(grid, state, slot):
    """All float fields of one tick. grid float32 (fields,)."""
    ticks, rollup = state.ticks, state.rollup
    sums = ticks.kinetics.sums[slot]
    pressure, vacuum = forces_nb(sums, state.chain, state.forces)
    grid[_PRESSURE], grid[_PRESSURE + 1] = emit_nb(pressure), emit_nb(vacuum)
    write_channels_nb(grid, sums, state.chain)
    bids, asks = ticks.book.depth[0, slot], ticks.book.depth[1, slot]
    grid[_DEPTH], grid[_DEPTH + 1], grid[_DEPTH + 2] = np.float32(bids + asks), np.float32(bids), np.float32(asks)
    for order in range(4):
        grid[_COMPOSITE + order] = emit_nb(rollup.level[order, slot])
    grid[_FILL_SIZE] = np.float32(ticks.fill_size[slot])


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
    cell = np.zeros(grid.shape[0], np.float32)
    for row in range(2 * shape.radius + 1):
        k = row - shape.radius
        if k != 0:
            state5[row] = state.state5_codes[1 if k > 0 else 0, microstate]
        slot = slot_of_nb(state.ticks.book, spot + k)
        if slot >= 0:
            write_tick_nb(cell, state, slot)
            grid[:, row] = cell
            last_event_id[row] = state.ticks.last_event_id[slot]


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
    if not valid_nb(book):
        row.microstate_id = 4  # no move is known
        return
    bid, ask, spot = book.scalars[BEST_BID_KEY], -book.scalars[BEST_ASK_KEY], spot_tick_nb(book)
    row.book_valid = 1
    row.mid_price = (bid + ask) * shape.tick_int * (0.5 * PRICE_SCALE)
    row.spot_ref_price_int = spot * shape.tick_int
    row.best_bid_price_int, row.best_ask_price_int = bid * shape.tick_int, ask * shape.tick_int
    microstate = write_moves_nb(row, state, bid, ask)
    chain_at_nb(ticks.kinetics, end_ns, state.chain)
    sample_nb(state.rollup, ticks.kinetics, state.chain, state.forces, shape.dt_s)
    write_grid_nb(state, shape, spot, microstate, grid[:, at], state5[at], last_event_id[at])
