"""Every field once: name, dtype, unit, meaning. Parquet, Arrow on the wire, docs and frontend types come from here.

A grid has one row per tick k = -R..+R around spot; a bin has one value per field. Floats are float32 everywhere,
so that stored and live values are the same bits; int64 prices are in 1e-9 dollars, times in ns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

SCHEMA_VERSION = 2  # of datasets: rises when columns come or go; older ones must be generated again


class Field(NamedTuple):
    """One column: numpy dtype string, unit ('' if none) and meaning in one sentence."""

    name: str
    dtype: str
    unit: str
    meaning: str


CHANNELS = ("add", "pull", "fill", "rest_depth", "bid_depth", "ask_depth")
_ORDERS = (("v", "velocity", "lots/s"), ("a", "acceleration", "lots/s²"), ("j", "jerk", "lots/s³"))
_CHANNEL_WORDS = {
    "add": "liquidity added",
    "pull": "liquidity pulled, executions excluded",
    "fill": "liquidity executed",
    "rest_depth": "resting depth, both sides",
    "bid_depth": "resting bid depth",
    "ask_depth": "resting ask depth",
}

_FORCES = (
    Field("pressure_variant", "f4", "lots/s", "force of liquidity building"),
    Field("vacuum_variant", "f4", "lots/s", "force of liquidity draining"),
    Field("add_mass", "f4", "lots", "decayed sum of adds"),
    Field("pull_mass", "f4", "lots", "decayed sum of pulls"),
    Field("fill_mass", "f4", "lots", "decayed sum of fills"),
    Field("rest_depth", "f4", "lots", "resting contracts, both sides"),
    Field("bid_depth", "f4", "lots", "resting bid contracts"),
    Field("ask_depth", "f4", "lots", "resting ask contracts"),
)
_KINETICS = tuple(
    Field(f"{letter}_{channel}", "f4", unit, f"{word} of {_CHANNEL_WORDS[channel]}")
    for letter, word, unit in _ORDERS
    for channel in CHANNELS
)
_SPECTRUM = (
    Field("composite", "f4", "", "weighted mean of the normalised force over the rollup windows"),
    Field("composite_d1", "f4", "1/s", "first difference of composite per second"),
    Field("composite_d2", "f4", "1/s²", "second difference of composite"),
    Field("composite_d3", "f4", "1/s³", "third difference of composite"),
)
_K = Field("k", "i4", "ticks", "row's distance from spot")
_SCORES = (
    Field("flow_score", "f4", "", "weighted tanh of the robust z of d1..d3, in -1..1"),
    Field("flow_state_code", "i1", "", "+1 building, -1 draining, 0 neutral"),
)
_MOVES = (
    Field("best_ask_move_ticks", "i4", "ticks", "change of the best ask since the last valid bin"),
    Field("best_bid_move_ticks", "i4", "ticks", "change of the best bid since the last valid bin"),
    Field("ask_reprice_sign", "i1", "", "sign of the ask move"),
    Field("bid_reprice_sign", "i1", "", "sign of the bid move"),
    Field("microstate_id", "i1", "", "3(ask sign + 1) + (bid sign + 1)"),
)
_STATE5 = Field("state5_code", "i1", "", "-2 bear vacuum .. +2 bull vacuum, by side of spot")
_CHASE = (
    Field("chase_up_flag", "i1", "", "both quotes moved up"),
    Field("chase_down_flag", "i1", "", "both quotes moved down"),
)
_LAST_EVENT = Field("last_event_id", "i8", "", "event counter at the tick's last A, C, M or F")
_FILL_SIZE = Field("fill_size", "f4", "lots", "contracts filled at this tick in this bin")

# The order of the float block that the bin kernel writes: (GRID_F32, n_bins, rows).
GRID_F32: tuple[Field, ...] = (*_FORCES, *_KINETICS, *_SPECTRUM, _FILL_SIZE)
GRID_F32_NAMES = tuple(field.name for field in GRID_F32)

_BIN_SEQ = Field("bin_seq", "i8", "", "bin number from the capture's start")
# grid_clean.parquet: one row per bin and k.
GRID_STORED: tuple[Field, ...] = (_BIN_SEQ, _K, *_FORCES, *_KINETICS, *_SPECTRUM, _STATE5, _LAST_EVENT, _FILL_SIZE)
# The Arrow table of one bin on the wire; projection columns follow.
GRID_WIRE: tuple[Field, ...] = (
    _K, *_FORCES, *_KINETICS, *_SPECTRUM, *_SCORES, *_MOVES, _STATE5, *_CHASE, _LAST_EVENT, _FILL_SIZE,
)  # fmt: skip

# bins.parquet: one row per bin.
BIN_FIELDS: tuple[Field, ...] = (
    _BIN_SEQ,
    Field("bin_start_ns", "i8", "ns", "first instant of the bin"),
    Field("bin_end_ns", "i8", "ns", "first instant after the bin"),
    Field("ts_ns", "i8", "ns", "instant the values hold at: the bin's end"),
    Field("bin_event_count", "i8", "", "records kept for the symbol in the bin"),
    Field("event_id", "i8", "", "records kept since the engine's start"),
    Field("book_valid", "i1", "", "1 when both sides quote, bid < ask, and no snapshot is under way"),
    Field("mid_price", "f8", "$", "(bid + ask)/2, 0 while the book is invalid"),
    Field("spot_ref_price_int", "i8", "1e-9 $", "price of row k = 0"),
    Field("best_bid_price_int", "i8", "1e-9 $", "best bid, 0 while the book is invalid"),
    Field("best_ask_price_int", "i8", "1e-9 $", "best ask, 0 while the book is invalid"),
    *_MOVES,
    *_CHASE,
    Field("trade_count", "i8", "", "trades in the bin that have an aggressor"),
    Field("buy_volume", "i8", "lots", "contracts traded by buying aggressors"),
    Field("sell_volume", "i8", "lots", "contracts traded by selling aggressors"),
    Field("unsided_count", "i8", "", "trades in the bin without an aggressor: auctions, crosses, hidden, implied"),
    Field("unsided_volume", "i8", "lots", "contracts of those trades"),
)

# What the state model says of one bin.
STATE_MODEL_FIELDS: tuple[Field, ...] = (
    Field("score", "f8", "", "clipped weighted tanh of z1..z3"),
    Field("ready", "i1", "", "every channel in use has its minimum of samples"),
    Field("sample_count", "i8", "", "valid bins seen"),
    Field("base", "f8", "", "bull minus bear intensity"),
    Field("d1", "f8", "1/s", "first difference of base"),
    Field("d2", "f8", "1/s²", "second difference of base"),
    Field("d3", "f8", "1/s³", "third difference of base"),
    Field("z1", "f8", "", "robust z of d1"),
    Field("z2", "f8", "", "robust z of d2"),
    Field("z3", "f8", "", "robust z of d3"),
    Field("bull_intensity", "f8", "", "weighted share of bull rows"),
    Field("bear_intensity", "f8", "", "weighted share of bear rows"),
    Field("mixed_intensity", "f8", "", "share of mixed rows"),
    Field("dominant_state5_code", "i1", "", "code of largest intensity"),
)


def numpy_dtype(fields: Iterable[Field]) -> np.dtype:
    """Structured dtype of one record of these fields, C-aligned so that compiled code reads it fast."""
    return np.dtype([(field.name, field.dtype) for field in fields], align=True)


def arrow_schema(fields: Iterable[Field]) -> pa.Schema:
    """Arrow schema of these fields, none nullable."""
    return pa.schema(
        [pa.field(field.name, pa.from_numpy_dtype(np.dtype(field.dtype)), nullable=False) for field in fields]
    )


def projection_field(horizon_ms: int) -> Field:
    """Column of the projected score at one horizon."""
    return Field(f"proj_score_h{horizon_ms}", "f4", "", f"flow score projected {horizon_ms} ms ahead")


def wire_fields(horizons_ms: Sequence[int]) -> tuple[Field, ...]:
    """Columns of a wire table with these projection horizons, in order."""
    return (*GRID_WIRE, *(projection_field(horizon) for horizon in horizons_ms))


BIN_DTYPE = numpy_dtype(BIN_FIELDS)
STATE_MODEL_DTYPE = numpy_dtype(STATE_MODEL_FIELDS)


class BinBlock(NamedTuple):
    """n consecutive bins, from the engine or read back from a dataset.

    bins: BIN_DTYPE (n,); grid: float32 (len(GRID_F32), n, rows); state5: int8 (n, rows);
    last_event_id: int64 (n, rows). Rows are k = -R..+R. Invalid bins hold zeros.
    """

    bins: np.ndarray
    grid: np.ndarray
    state5: np.ndarray
    last_event_id: np.ndarray

    def field(self, name: str) -> np.ndarray:
        """One grid column as (n, rows): a view, no copy."""
        if name == "state5_code":
            return self.state5
        if name == "last_event_id":
            return self.last_event_id
        column: np.ndarray = self.grid[GRID_F32_NAMES.index(name)]
        return column

    def part(self, first: int, last: int) -> BinBlock:
        """Bins [first, last) as views."""
        span = slice(first, last)
        return BinBlock(self.bins[span], self.grid[:, span], self.state5[span], self.last_event_id[span])

    @property
    def radius(self) -> int:
        """R: rows are k = -R..+R."""
        return int(self.state5.shape[1]) // 2


def empty_block(n_bins: int, radius: int) -> BinBlock:
    """A block of zeros to write into."""
    rows = 2 * radius + 1
    return BinBlock(
        np.zeros(n_bins, BIN_DTYPE),
        np.zeros((len(GRID_F32), n_bins, rows), np.float32),
        np.zeros((n_bins, rows), np.int8),
        np.zeros((n_bins, rows), np.int64),
    )
