"""Random event streams as MBO record arrays: ordinary trading, and everything an exchange file can throw at a book.

A stream is played from moves `(kind, a, b, gap)`, four small integers each, so that hypothesis can shrink it and a
seed can draw a long one. Prices in 1e-9 dollars, times in ns; ticks are absolute.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import databento_dbn as dbn
import numpy as np
from hypothesis import strategies as st
from twin.book import tick_of
from twin.records import F_LAST, F_MAYBE_BAD_BOOK, F_SNAPSHOT, UNDEF_PRICE, make_records

BASE_NS = 1_703_505_600_000_000_000  # 2023-12-25 12:00 UTC
TICK_INT = 250_000_000
CENTRE = 19_200
SYMBOL = "ESH4"
INSTRUMENT_ID = 17077
GAPS_NS = (0, 0, 0, 1, 1_000, 300_000, 2_000_000, 9_000_000, 40_000_000, 100_000_000, 170_000_000, 1_300_000_000)
OTHER = {"B": "A", "A": "B"}

# Kinds of move and how often each is drawn.
KINDS: dict[str, int] = {
    "add": 30, "cancel": 12, "cancel_part": 6, "cancel_over": 1, "cancel_zero": 1, "unknown_cancel": 1,
    "modify_up": 4, "modify_down": 4, "modify_same": 2, "modify_move": 6, "modify_flip": 1, "modify_no_side": 2,
    "modify_zero": 1, "modify_off_grid": 1, "unknown_modify": 1, "modify_undef": 1,
    "trade": 8, "trade_part": 5, "trade_modify": 4, "iceberg": 3, "fill_only": 4, "fill_big": 1,
    "aggressor_fill": 2, "unknown_fill": 1, "auction": 2, "cross": 2, "trade_alone": 1, "overfill": 1,
    "add_far": 3, "add_cross": 1, "duplicate_add": 1, "add_zero": 1, "add_undef": 1, "add_no_side": 1,
    "add_off_grid": 1, "late": 1, "clear": 1, "snapshot": 1, "walk": 2, "quotes": 3, "other": 1,
    "doubted": 1, "repeated": 1,
}  # fmt: skip
KIND_NAMES = tuple(KINDS)
_DRAWN = tuple(name for name, weight in KINDS.items() for _ in range(weight))
Move = tuple[int, int, int, int]


def kind_of(move: Move) -> str:
    """What a move does."""
    return _DRAWN[move[0] % len(_DRAWN)]


def kind_number(kind: str) -> int:
    """First number of a move that does `kind`."""
    return _DRAWN.index(kind)


class Stream(NamedTuple):
    """Records of one symbol and the window to run over them."""

    records: np.ndarray
    start_ns: int
    end_ns: int
    warmup_start_ns: int


class Player:
    """Turns moves into records, keeping track of roughly what rests so that most moves mean something."""

    def __init__(self, walk: int = 40, far: int = 3_000, halves: bool = True, faults: bool = False) -> None:
        self.walk, self.far, self.halves, self.faults = walk, far, halves, faults
        self.rows: list[dict] = []
        self.resting: dict[int, list] = {}  # id: [side, tick, size]
        self.ts = BASE_NS
        self.centre = CENTRE
        self.next_id = 1

    def put(self, action: str, side: str, order_id: int, price: int, size: int, flags: int = F_LAST) -> None:
        """One record at the present time."""
        row = {"ts": self.ts, "action": action, "side": side, "order_id": order_id, "price": price, "size": size}
        self.rows.append(row | {"flags": flags})

    def add(self, side: str, tick: int, size: int, flags: int = F_LAST) -> None:
        self.resting[self.next_id] = [side, tick, size]
        self.put("A", side, self.next_id, tick * TICK_INT, size, flags)
        self.next_id += 1

    def quotes(self, n: int = 3, flags: int = F_LAST) -> None:
        for level in range(1, n + 1):
            self.add("B", self.centre - level, level, flags)
            self.add("A", self.centre + level, level + 1, flags)

    def trade(self, order_id: int, size: int, then: str) -> None:
        """An execution of a resting order as T, F and what the book makes of it."""
        side, tick, rest = self.resting[order_id]
        price = tick * TICK_INT
        self.put("T", OTHER[side], 0, price, size, 0)
        self.put("F", side, order_id, price, size, 0)
        left = rest - size
        if then == "cancel" or left <= 0:
            self.put("C", side, order_id, price, size)
        else:
            if then == "iceberg":
                left += 1 + size // 2
            self.put("M", side, order_id, price, left)
        self.keep(order_id, left)

    def keep(self, order_id: int, size: int) -> None:
        if size <= 0:
            self.resting.pop(order_id, None)
        else:
            self.resting[order_id][2] = size

    def snapshot(self, a: int, b: int) -> None:
        """A restated book, with or without leading R and closing F_LAST; orders lost or larger, maybe a new price."""
        if b % 3 == 0:
            self.centre += (a % (2 * self.walk + 1)) - self.walk
            self.resting.clear()
        kept = {order_id: order for order_id, order in self.resting.items() if (order_id + a) % 4}
        self.resting.clear()
        if a % 2:
            self.put("R", "N", 0, UNDEF_PRICE, 0, F_SNAPSHOT)
        for order_id, (side, tick, held) in kept.items():
            size = held + ((order_id + a) % 4 == 3)
            self.resting[order_id] = [side, tick, size]
            self.put("A", side, order_id, tick * TICK_INT, size, F_SNAPSHOT)
        self.quotes(2, F_SNAPSHOT)
        if b % 2:
            self.rows[-1]["flags"] = F_SNAPSHOT | F_LAST

    def play(self, move: Move) -> None:
        """One move: 1 record, or several of one event."""
        kind, a, b, gap = _DRAWN[move[0] % len(_DRAWN)], *move[1:]
        self.ts += GAPS_NS[gap % len(GAPS_NS)]
        flags = F_LAST if b % 5 else 0
        side = "BA"[a % 2]
        sign = -1 if side == "B" else 1
        size = 1 + b % 9
        tick = self.centre + sign * (1 + (a // 2) % 7)
        price = tick * TICK_INT
        nudge = TICK_INT // 2 if self.halves and a % 3 == 0 else TICK_INT // 5
        if not kind.startswith(("add", "unknown")) and self.resting:
            order_id = list(self.resting)[a % len(self.resting)]
            self.touch(kind, order_id, a, b, flags)
        elif kind == "add_far":
            self.add(side, self.centre + sign * (b * 37 % self.far), size, flags)
        elif kind == "add_cross":
            self.add(side, self.centre - 2 * sign, size, flags)
        elif kind == "add_zero":
            self.put("A", side, self.next_id, price, 0, flags)
        elif kind == "add_undef":
            self.put("A", side, self.next_id, UNDEF_PRICE, size, flags)
        elif kind == "add_no_side":
            self.put("A", "N", self.next_id, price, size, flags)
        elif kind == "add_off_grid":
            self.add(side, tick, size, flags)
            self.rows[-1]["price"] += nudge if b % 2 else -nudge
        elif kind == "unknown_cancel":
            self.put("C", side, 10**9 + a, price, size, flags)
        elif kind == "unknown_modify":
            self.resting[self.next_id] = [side, tick, size]
            self.put("M", side, self.next_id, price, size, flags)
            self.next_id += 1
        elif kind == "unknown_fill":
            self.put("F", side, 10**9 + a, price, size, flags)
        else:
            self.add(side, tick, size, flags)

    def touch(self, kind: str, order_id: int, a: int, b: int, flags: int) -> None:
        """A move that means an order that rests, or the market as a whole."""
        side, tick, size = self.resting[order_id]
        price = tick * TICK_INT
        part = 1 + b % size
        if kind in ("cancel", "cancel_part", "cancel_over", "cancel_zero"):
            gone = {"cancel": size, "cancel_part": part, "cancel_over": size + 3, "cancel_zero": 0}[kind]
            self.put("C", side, order_id, price, gone, flags)
            self.keep(order_id, size - gone)
        elif kind in ("modify_up", "modify_down", "modify_same", "modify_no_side", "modify_off_grid"):
            new = {"modify_up": size + part, "modify_down": max(size - part, 1)}.get(kind, size + b % 3)
            off = TICK_INT // 5 if kind == "modify_off_grid" else 0
            self.put("M", "N" if kind == "modify_no_side" else side, order_id, price + off, new, flags)
            self.keep(order_id, new)
        elif kind in ("modify_move", "modify_flip"):
            new_side = OTHER[side] if kind == "modify_flip" else side
            sign = -1 if new_side == "B" else 1
            moved = tick if kind == "modify_flip" and a % 2 else self.centre + sign * (1 + b % 7)
            self.resting[order_id] = [new_side, moved, part]
            self.put("M", new_side, order_id, moved * TICK_INT, part, flags)
        elif kind == "modify_zero":
            self.put("M", side, order_id, price + TICK_INT * (a % 2), 0, flags)
            self.keep(order_id, 0)
        elif kind == "modify_undef":
            self.put("M", side, order_id, UNDEF_PRICE, part, flags)
        elif kind in ("trade", "trade_part", "trade_modify", "iceberg"):
            then = {"trade_modify": "modify", "iceberg": "iceberg"}.get(kind, "cancel")
            self.trade(order_id, size if kind == "trade" else part, then)
        elif kind in ("fill_only", "fill_big"):  # what the book makes of it comes later, or never
            self.put("F", side, order_id, price, part if kind == "fill_only" else 2 * size + 1, flags)
        elif kind == "aggressor_fill":
            self.put("T", side, 0, price + TICK_INT * (b % 3), part + b % 2, 0)
            self.put("F", side, order_id, price + TICK_INT * (b % 3), part, flags)
        elif kind == "cross":  # both parties rest, at other prices than the cross's, and the trade comes later
            self.put("F", side, order_id, price + TICK_INT * (1 + b % 3), part, 0)
            self.put("C", side, order_id, price, part, flags)
            self.keep(order_id, size - part)
        elif kind == "overfill":
            self.put("T", OTHER[side], 0, price, part, 0)
            self.put("F", side, order_id, price, part + b % 3, flags)
        elif kind == "auction":
            self.put("T", "N", 0, self.centre * TICK_INT, part, 0)
            self.put("F", "N", order_id, self.centre * TICK_INT, part, 0)
            self.put("C", side, order_id, price, part, flags)
            self.keep(order_id, size - part)
        elif kind == "trade_alone":
            self.put("T", side, 0, price, part, flags)
        elif kind == "duplicate_add":
            self.resting[order_id] = [side, tick + a % 2, part]
            self.put("A", side, order_id, (tick + a % 2) * TICK_INT, part, flags)
        elif kind == "late":
            self.ts -= 5_000_000
            self.put("A", side, order_id + 10**8, price, part, flags)
            self.ts += 5_000_000
        elif kind == "clear":
            self.resting.clear()
            self.put("R", "N", 0, UNDEF_PRICE, 0, flags)
        elif kind == "snapshot":
            self.snapshot(a, b)
        elif kind == "walk":
            self.centre += (b % (2 * self.walk + 1)) - self.walk
            for other, (other_side, other_tick, other_size) in list(self.resting.items()):
                crossing = other_tick >= self.centre if other_side == "B" else other_tick <= self.centre
                if crossing:
                    self.put("C", other_side, other, other_tick * TICK_INT, other_size, 0)
                    self.keep(other, 0)
            self.quotes(2, flags)
        elif kind == "quotes":
            self.quotes(1, flags)
        elif kind == "doubted":
            self.put("A", side, self.next_id, price, part, flags | (F_MAYBE_BAD_BOOK if self.faults else 0))
            self.resting[self.next_id] = [side, tick, part]
            self.next_id += 1
        elif kind == "repeated":
            self.put("N", "N", 0, UNDEF_PRICE, 0, flags)
            if self.faults:
                self.rows[-1]["sequence"] = max(len(self.rows) - b, 0)
        else:
            self.put("N", "N", 0, UNDEF_PRICE, 0, flags)


def play(
    moves: Iterable[Move],
    *,
    opening: int = 0,
    warmup_ms: int = 1_500,
    prefix_ms: int = 500,
    bin_ms: int = 100,
    **player: int | bool,
) -> Stream:
    """A stream of these moves. opening: 0 none, else a snapshot with R (odd) and F_LAST (bit 1).

    The first prefix_ms come before the warm-up; the window ends on a whole second after the last record.
    """  # fmt: skip
    made = Player(**player)
    if opening:
        made.snapshot(opening & 1, opening >> 1)
        made.ts += 1_000_000
    else:
        made.quotes()
    for move in moves:
        made.play(move)
    start = BASE_NS + (prefix_ms + warmup_ms) * 1_000_000
    seconds = max(1, -(-(made.ts - start) // 1_000_000_000))
    return Stream(make_records(made.rows), start, start + seconds * 1_000_000_000, start - warmup_ms * 1_000_000)


def moves(max_moves: int = 150) -> st.SearchStrategy[list[Move]]:
    """Hypothesis strategy of move lists; every part shrinks towards an add of one contract at the same instant."""
    small = st.integers(0, 255)
    return st.lists(
        st.tuples(st.integers(0, len(_DRAWN) - 1), small, small, st.integers(0, len(GAPS_NS) - 1)),
        min_size=1,
        max_size=max_moves,
    )


def random_moves(seed: int, n: int) -> list[Move]:
    """n moves drawn by a seed."""
    rng = np.random.default_rng(seed)
    drawn = np.column_stack([rng.integers(0, top, n) for top in (len(_DRAWN), 256, 256, len(GAPS_NS))])
    return [tuple(move) for move in drawn.tolist()]


def mirrored(stream: Stream, about_tick: int = CENTRE) -> Stream:
    """The same stream with prices reflected about a tick and sides swapped. Times, sizes and ids stay."""
    records = stream.records.copy()
    priced = records["price"] != UNDEF_PRICE
    records["price"][priced] = 2 * about_tick * TICK_INT - records["price"][priced]
    bid, ask = stream.records["side"] == ord("B"), stream.records["side"] == ord("A")
    records["side"][bid], records["side"][ask] = ord("A"), ord("B")
    return stream._replace(records=records)


def ticks_of(stream: Stream) -> np.ndarray:
    """Absolute ticks of the priced records, for a look at how far a stream goes."""
    prices = stream.records["price"]
    return np.array([tick_of(int(price), TICK_INT) for price in prices[prices != UNDEF_PRICE]])


def write_dbn(path: Path, records: np.ndarray) -> Path:
    """The records as a DBN file, version 3, uncompressed, of one symbol."""
    day = np.datetime64(BASE_NS, "ns").astype("datetime64[D]").astype(object)
    interval = SimpleNamespace(start_date=day, end_date=day + timedelta(days=1), symbol=str(INSTRUMENT_ID))
    midnight = int(np.datetime64(day, "ns").astype(np.int64))
    metadata = dbn.Metadata(
        dataset="GLBX.MDP3",
        start=midnight,
        end=midnight + 86_400_000_000_000,
        stype_in=dbn.SType.RAW_SYMBOL,
        stype_out=dbn.SType.INSTRUMENT_ID,
        schema=dbn.Schema.MBO,
        symbols=[SYMBOL],
        mappings=[SimpleNamespace(raw_symbol=SYMBOL, intervals=[interval])],
        version=3,
    )
    path.write_bytes(bytes(metadata) + records.tobytes())
    return path
