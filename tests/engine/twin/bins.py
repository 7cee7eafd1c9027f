"""One capture, record by record, to bins: bin n covers [start + n w, start + (n+1) w) and reports the state at its end.

Records before the warm-up move the book only. Flow is tracked at ticks inside the slots alone, which exist from the
first valid book on and move with it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from twin.book import Effect, TwinBook
from twin.forces import tick_fields
from twin.kinetics import TickSums
from twin.records import F_SNAPSHOT, clock_of
from twin.spectrum import TwinSpectrum
from vp_engine.schema import BIN_DTYPE, GRID_F32_NAMES, BinBlock

EDGE_TICKS = 512  # slots from either end at which the slots move
TINY = 1e-9
STATE5_MIRROR = {  # (ask sign, bid sign): (code above spot, code below)
    (1, 1): (2, 1), (1, 0): (2, 1), (0, 1): (2, 1),
    (-1, -1): (-1, -2), (0, -1): (-1, -2), (-1, 0): (-1, -2),
    (1, -1): (0, 0), (-1, 1): (0, 0), (0, 0): (0, 0),
}  # fmt: skip
STATE5_SEED = STATE5_MIRROR | {(1, 0): (-1, -2), (1, -1): (-1, -2)}


@dataclass
class TwinResult:
    """bins: BIN_DTYPE (n,). emitted: bin numbers (m,) with grids; grid: float64 (field, m, rows), not yet float32.

    state5: int8 (n, rows); last_event_id: int64 (m, rows); counters by name.
    """

    bins: np.ndarray
    emitted: np.ndarray
    grid: np.ndarray
    state5: np.ndarray
    last_event_id: np.ndarray
    counters: dict[str, int]

    def field(self, name: str) -> np.ndarray:
        """One grid column (m, rows), float64."""
        return self.grid[GRID_F32_NAMES.index(name)]

    def block(self) -> BinBlock:
        """The emitted bins as the engine hands them out, rounded to float32."""
        return BinBlock(
            self.bins[self.emitted], self.grid.astype(np.float32), self.state5[self.emitted], self.last_event_id
        )

    def by_tick(self, name: str, i: int, tick_int: int) -> dict[int, float]:
        """Column `name` of emitted bin i by absolute tick."""
        values = self.last_event_id[i] if name == "last_event_id" else self.field(name)[i]
        spot = int(self.bins["spot_ref_price_int"][self.emitted[i]]) // tick_int
        radius = len(values) // 2
        return {spot + k: values[k + radius] for k in range(-radius, radius + 1)}


class _Engine:
    """Book, sums, spectrum and slots of one run."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.book = TwinBook(config.tick_int)
        self.sums = TickSums(config.taus)
        self.spectrum = TwinSpectrum(config.spectrum_windows, config.spectrum_weights, config.dt_s)
        self.n_slots = config.n_absolute_ticks
        self.anchor: int | None = None  # tick of slot n_slots/2
        self.clock = -1
        self.n_events = 0
        self.n_events_before = 0  # events up to the bin's start
        self.tracking = False  # true from the warm-up on
        self.last_event: dict[int, int] = {}
        self.fills: dict[int, int] = {}
        self.trades = {"N": 0, "B": 0, "A": 0}
        self.n_trades = {"N": 0, "B": 0, "A": 0}

    def in_slots(self, tick: int) -> bool:
        return self.anchor is not None and 0 <= tick - self.anchor + self.n_slots // 2 < self.n_slots

    def follow_market(self) -> None:
        """Set the anchor in the first valid book; move it when spot comes near an edge."""
        if not self.book.valid:
            return
        spot = self.book.spot
        if self.anchor is None:
            self.anchor = spot
            return
        slot = spot - self.anchor + self.n_slots // 2
        if slot < EDGE_TICKS or slot >= self.n_slots - EDGE_TICKS:
            self.book.counters["reanchors"] += 1
            self.centre(spot)

    def centre(self, spot: int) -> None:
        """Slots around spot; what is known of ticks that fall out of them is forgotten."""
        self.anchor = spot
        keep = np.array([self.in_slots(int(tick)) for tick in self.sums.ticks[: self.sums.n]], bool)
        self.sums.forget(keep)
        self.spectrum.forget(keep)
        self.last_event = {tick: event for tick, event in self.last_event.items() if self.in_slots(tick)}
        self.fills = {tick: size for tick, size in self.fills.items() if self.in_slots(tick)}

    def start_warmup(self, ts: int) -> None:
        """Flow counts from here on; the slots are centred anew, as after loading a checkpoint."""
        self.pass_time(ts)
        self.tracking = True
        if self.book.valid:
            self.centre(self.book.spot)

    def pass_time(self, ts: int) -> None:
        """The clock stands at ts; a snapshot that ended by it may have made the book valid."""
        under_way = self.book.snapshot_ts is not None
        self.book.pass_time(ts)
        if under_way and self.book.snapshot_ts is None:
            self.follow_market()

    def step(self, record: dict[str, Any], ts: int) -> None:
        under_way = self.book.snapshot_ts is not None
        self.book.before(record["flags"], ts)
        if under_way and self.book.snapshot_ts is None:
            self.follow_market()
        self.n_events += 1
        effect = self.book.apply(record, ts)
        if self.tracking:
            self.track(effect, ts)
            if chr(record["action"]) == "T" and not record["flags"] & F_SNAPSHOT:
                self.n_trades[chr(record["side"])] += 1
                self.trades[chr(record["side"])] += record["size"]
        self.follow_market()

    def track(self, effect: Effect, ts: int) -> None:
        impulses = [(f"{'bid' if side == 'B' else 'ask'}_depth", tick, delta) for side, tick, delta in effect.depth]
        for channel, tick, delta in impulses + effect.flow:
            if self.in_slots(tick):
                self.sums.impulse(channel, tick, delta, ts)
                if channel == "fill":
                    self.fills[tick] = self.fills.get(tick, 0) + delta
        for tick in effect.touched:
            if self.in_slots(tick):
                self.last_event[tick] = self.n_events

    def grid(self, ts: int) -> tuple[np.ndarray, np.ndarray]:
        """Fields (field, rows) in float64 and last_event_id (rows,) of a valid book at ts, after its spectrum."""
        radius, spot = self.config.grid_radius_ticks, self.book.spot
        ticks = range(spot - radius, spot + radius + 1)
        row = np.array([self.sums.row_of.get(tick, -1) for tick in ticks])
        fields = tick_fields(self.sums.at(ts), self.config.taus, self.config.forces)
        by_name = {"pressure_variant": fields.pressure, "vacuum_variant": fields.vacuum}
        for channel, values in fields.channels.items():
            by_name |= {f"{letter}_{channel}": getattr(values, letter) for letter in "vaj"}
            if channel in ("add", "pull", "fill"):
                by_name[f"{channel}_mass"] = values.mass
        now = self.spectrum.last
        by_name |= {"composite": now.composite, "composite_d1": now.d1, "composite_d2": now.d2, "composite_d3": now.d3}
        values = {
            name: np.where(row >= 0, column[row], 0.0) if self.sums.n else 0.0 for name, column in by_name.items()
        }
        bid, ask = (np.array([self.book.levels[side].get(tick, 0) for tick in ticks]) for side in ("B", "A"))
        fill_size = np.array([self.fills.get(tick, 0) for tick in ticks])
        values |= {"bid_depth": bid, "ask_depth": ask, "rest_depth": bid + ask, "fill_size": fill_size}
        out = np.zeros((len(GRID_F32_NAMES), len(ticks)))
        for f, name in enumerate(GRID_F32_NAMES):
            out[f] = values[name]
        out[np.abs(out) < TINY] = 0.0
        return out, np.array([self.last_event.get(tick, 0) for tick in ticks], np.int64)


def state5_row(ask_sign: int, bid_sign: int, radius: int, rule: str) -> np.ndarray:
    """Codes (rows,) of one bin from the signs of its quotes' moves."""
    above, below = (STATE5_MIRROR if rule == "mirror" else STATE5_SEED)[(ask_sign, bid_sign)]
    return np.array([below] * radius + [0] + [above] * radius, np.int8)


def twin_run(
    records: np.ndarray,
    config: Any,
    start_ns: int,
    end_ns: int,
    warmup_start_ns: int,
    emit: Collection[int] | None = None,
) -> TwinResult:
    """Bins of [start, end) from records of one symbol; grids of the bins in `emit` (None: of all)."""
    n_bins, left = divmod(end_ns - start_ns, config.bin_ns)
    assert left == 0, "window must be whole bins"
    engine = _Engine(config)
    radius = config.grid_radius_ticks
    wanted = sorted(range(n_bins) if emit is None else emit)
    where = {n: i for i, n in enumerate(wanted)}
    out = TwinResult(
        bins=np.zeros(n_bins, BIN_DTYPE),
        emitted=np.array(wanted, np.int64),
        grid=np.zeros((len(GRID_F32_NAMES), len(wanted), 2 * radius + 1)),
        state5=np.zeros((n_bins, 2 * radius + 1), np.int8),
        last_event_id=np.zeros((len(wanted), 2 * radius + 1), np.int64),
        counters={},
    )
    # The two kinds of thing that happen, in time order: records, and instants (the warm-up's start, bins' ends).
    boundaries = [warmup_start_ns, start_ns, *(start_ns + (n + 1) * config.bin_ns for n in range(n_bins))]
    passed = 0
    quotes: list[tuple[int, int]] = []
    for record, ts in _clocked(records, engine):
        while passed < len(boundaries) and ts >= boundaries[passed]:
            _boundary(engine, passed, boundaries, out, where, quotes)
            passed += 1
        if passed == len(boundaries):
            break
        engine.step(record, ts)
    for rest in range(passed, len(boundaries)):
        _boundary(engine, rest, boundaries, out, where, quotes)
    out.counters = {**engine.book.counters, "events_kept": engine.n_events}
    return out


def _clocked(records: np.ndarray, engine: _Engine):
    """Records as dicts with their event times, which never run backwards."""
    names = records.dtype.names
    assert names is not None
    for values in records.tolist():
        record = dict(zip(names, values, strict=True))
        ts = clock_of(record)
        if ts < engine.clock:
            engine.book.counters["clock_regressions"] += 1
        engine.clock = max(engine.clock, ts)
        yield record, engine.clock


def _boundary(
    engine: _Engine,
    i: int,
    boundaries: Sequence[int],
    out: TwinResult,
    where: dict[int, int],
    quotes: list[tuple[int, int]],
) -> None:
    """Instant i: 0 starts the warm-up, 1 the first bin, each later one ends a bin."""
    ts = boundaries[i]
    if i == 0:
        engine.start_warmup(ts)
    else:
        engine.pass_time(ts)
        if i >= 2:
            _end_bin(engine, i - 2, ts, out, where, quotes)
    engine.fills.clear()
    engine.trades = dict.fromkeys(engine.trades, 0)
    engine.n_trades = dict.fromkeys(engine.n_trades, 0)
    engine.n_events_before = engine.n_events


def _end_bin(
    engine: _Engine, n: int, ts: int, out: TwinResult, where: dict[int, int], quotes: list[tuple[int, int]]
) -> None:
    config, book, row = engine.config, engine.book, out.bins[n]
    row["bin_seq"], row["bin_start_ns"], row["bin_end_ns"], row["ts_ns"] = n, ts - config.bin_ns, ts, ts
    row["bin_event_count"] = engine.n_events - engine.n_events_before
    row["event_id"] = engine.n_events
    row["trade_count"] = engine.n_trades["B"] + engine.n_trades["A"]
    row["unsided_count"], row["unsided_volume"] = engine.n_trades["N"], engine.trades["N"]
    row["buy_volume"], row["sell_volume"] = engine.trades["B"], engine.trades["A"]
    row["book_valid"] = book.valid
    row["microstate_id"] = 3 * (0 + 1) + (0 + 1)  # an invalid bin has no moves: both signs are 0
    if not book.valid:
        return
    bid, ask = book.best("B"), book.best("A")
    assert bid is not None
    assert ask is not None
    row["best_bid_price_int"], row["best_ask_price_int"] = bid * config.tick_int, ask * config.tick_int
    row["mid_price"] = (bid + ask) * config.tick_int / 2 / 1e9
    row["spot_ref_price_int"] = book.spot * config.tick_int
    last_bid, last_ask = quotes[-1] if quotes else (bid, ask)
    quotes[:] = [(bid, ask)]
    row["best_bid_move_ticks"], row["best_ask_move_ticks"] = bid - last_bid, ask - last_ask
    bid_sign, ask_sign = int(np.sign(bid - last_bid)), int(np.sign(ask - last_ask))
    row["bid_reprice_sign"], row["ask_reprice_sign"] = bid_sign, ask_sign
    row["microstate_id"] = 3 * (ask_sign + 1) + (bid_sign + 1)
    row["chase_up_flag"] = ask_sign == bid_sign == 1
    row["chase_down_flag"] = ask_sign == bid_sign == -1
    out.state5[n] = state5_row(ask_sign, bid_sign, config.grid_radius_ticks, config.state5_rule)
    fields = tick_fields(engine.sums.at(ts), config.taus, config.forces)
    engine.spectrum.update(fields.pressure, fields.vacuum)
    if n in where:
        out.grid[:, where[n]], out.last_event_id[where[n]] = engine.grid(ts)
