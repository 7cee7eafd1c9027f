"""Level-3 book as a dict of orders. Ticks are absolute (price / tick), sizes in contracts.

`TwinBook.apply` moves the book by one record and says what it did: depth deltas, flow, ticks it touched.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from twin.records import F_LAST, F_MAYBE_BAD_BOOK, F_SNAPSHOT, UNDEF_PRICE

SIDES = ("B", "A")


@dataclass
class Order:
    side: str
    tick: int
    size: int
    pending_fill: int = 0


@dataclass
class Trade:
    """The last trade, and the contracts that fills of resting orders have explained of it."""

    ts_event: int
    side: str
    size: int
    filled: int = 0


@dataclass
class Effect:
    """What one record did: (side, tick, delta) of depth, (channel, tick, size) of flow, ticks touched."""

    depth: list[tuple[str, int, int]] = field(default_factory=list)
    flow: list[tuple[str, int, int]] = field(default_factory=list)
    touched: list[int] = field(default_factory=list)


def tick_of(price_int: int, tick_int: int) -> int:
    """floor(price/tick + 1/2)."""
    return (2 * price_int + tick_int) // (2 * tick_int)


class TwinBook:
    """Orders by id, contracts by side and tick, counters by name."""

    def __init__(self, tick_int: int) -> None:
        self.tick_int = tick_int
        self.orders: dict[int, Order] = {}
        self.levels: dict[str, dict[int, int]] = {side: {} for side in SIDES}
        self.counters: Counter[str] = Counter()
        self.trade: Trade | None = None
        self.numbered: dict[int, tuple[int, int]] = {}  # last sequence number and ts_event by publisher
        self.snapshot_ts: int | None = None  # time of the snapshot under way
        self.carried: dict[int, Order] = {}  # what rested when it began
        self._best: dict[str, int | None] = {side: None for side in SIDES}

    # -- quotes ------------------------------------------------------------------------------------------------

    def best(self, side: str) -> int | None:
        """Best tick of a side, None if it is empty; scanned again only after the best level emptied."""
        if self._best[side] is None and self.levels[side]:
            self._best[side] = max(self.levels[side]) if side == "B" else min(self.levels[side])
        return self._best[side]

    @property
    def valid(self) -> bool:
        bid, ask = self.best("B"), self.best("A")
        return self.snapshot_ts is None and bid is not None and ask is not None and bid < ask

    @property
    def spot(self) -> int:
        """floor((bid + ask)/2 + 1/2); only asked of a valid book."""
        bid, ask = self.best("B"), self.best("A")
        assert bid is not None
        assert ask is not None
        return (bid + ask + 1) // 2

    def _move_level(self, side: str, tick: int, delta: int) -> None:
        levels = self.levels[side]
        size = levels.get(tick, 0) + delta
        assert size >= 0, "depth below zero"
        best = self._best[side]
        if size == 0:
            levels.pop(tick, None)
            if best == tick:
                self._best[side] = None
        else:
            levels[tick] = size
            if best is not None and (tick > best if side == "B" else tick < best):
                self._best[side] = tick

    def clear(self) -> None:
        self.orders.clear()
        for side in SIDES:
            self.levels[side].clear()
            self._best[side] = None

    # -- snapshots ---------------------------------------------------------------------------------------------

    def pass_time(self, ts: int) -> None:
        """The clock stands at ts: a snapshot of an earlier time has ended."""
        if self.snapshot_ts is not None and ts > self.snapshot_ts:
            self.end_snapshot()

    def before(self, flags: int, ts: int) -> None:
        """What a record's flag and time mean for the snapshot, before the record itself is applied."""
        self.pass_time(ts)
        if not flags & F_SNAPSHOT:
            self.end_snapshot()

    def begin_snapshot(self, ts: int) -> None:
        """Everything rests anew from here on."""
        self.carried = {order_id: replace(order) for order_id, order in self.orders.items()}
        self.clear()
        self.snapshot_ts = ts

    def end_snapshot(self) -> None:
        """The book is restated: count how it differs from the one carried so far, if there was one."""
        self.snapshot_ts = None
        if self.carried:
            for order_id in self.carried.keys() | self.orders.keys():
                old, new = self.carried.get(order_id), self.orders.get(order_id)
                if old is None:
                    self.counters["snapshot_extra"] += 1
                elif new is None:
                    self.counters["snapshot_missing"] += 1
                elif (old.side, old.tick, old.size) != (new.side, new.tick, new.size):
                    self.counters["snapshot_changed"] += 1
        self.carried = {}

    # -- records -----------------------------------------------------------------------------------------------

    def apply(self, record: dict[str, Any], ts: int) -> Effect:
        """Move the book by one record whose `before` has been called. Snapshot records have no effect on flow."""
        snapshot = bool(record["flags"] & F_SNAPSHOT)
        if snapshot and self.snapshot_ts is None:
            self.begin_snapshot(ts)
        self._watch_sequence(record)
        if record["flags"] & F_MAYBE_BAD_BOOK:
            self.counters["maybe_bad_book"] += 1
        action = chr(record["action"])
        effect = Effect()
        if action == "A":
            self._add(record, effect)
        elif action == "C":
            self._cancel(record["order_id"], record["size"], effect)
        elif action == "M":
            self._modify(record, effect)
        elif action == "F" and not snapshot:
            self._fill(record, effect)
        elif action == "R":
            self.clear()
        elif action == "T" and not snapshot:
            self._trade(record)
        if snapshot:
            effect = Effect()
            if record["flags"] & F_LAST:
                self.end_snapshot()
        elif record["flags"] & F_LAST:
            bid, ask = self.best("B"), self.best("A")
            if bid is not None and ask is not None and bid >= ask:
                self.counters["crossed_events"] += 1
        return effect

    def _watch_sequence(self, record: dict[str, Any]) -> None:
        publisher, sequence, ts_event = record["publisher_id"], record["sequence"], record["ts_event"]
        if chr(record["action"]) == "R" or record["flags"] & F_SNAPSHOT:
            self.numbered.pop(publisher, None)
        elif sequence:
            last, last_ts = self.numbered.get(publisher, (0, 0))
            if sequence < last and ts_event <= last_ts:
                self.counters["sequence_regressions"] += 1
            self.numbered[publisher] = (sequence, ts_event)

    def _tick(self, price_int: int) -> int:
        if price_int % self.tick_int:
            self.counters["off_grid"] += 1
        return tick_of(price_int, self.tick_int)

    def _insert(self, order_id: int, order: Order, effect: Effect) -> None:
        self.orders[order_id] = order
        self._move_level(order.side, order.tick, order.size)
        effect.depth.append((order.side, order.tick, order.size))
        effect.flow.append(("add", order.tick, order.size))
        effect.touched.append(order.tick)

    def _remove(self, order_id: int, effect: Effect) -> Order:
        order = self.orders.pop(order_id)
        self._move_level(order.side, order.tick, -order.size)
        effect.depth.append((order.side, order.tick, -order.size))
        effect.touched.append(order.tick)
        return order

    def _add(self, record: dict[str, Any], effect: Effect) -> None:
        if record["price"] == UNDEF_PRICE:
            self.counters["undef_price"] += 1
            return
        if chr(record["side"]) not in SIDES:
            self.counters["no_side"] += 1
            return
        if record["size"] == 0:
            self.counters["zero_size_add"] += 1
            return
        order = Order(chr(record["side"]), self._tick(record["price"]), record["size"])
        if record["order_id"] in self.orders:
            self.counters["duplicate_add"] += 1
            self._remove(record["order_id"], effect)
        self._insert(record["order_id"], order, effect)

    def _cancel(self, order_id: int, size: int, effect: Effect) -> None:
        order = self.orders.get(order_id)
        if order is None:
            self.counters["unknown_cancel"] += 1
            return
        removed = min(size, order.size)
        executed = min(order.pending_fill, removed)
        order.pending_fill -= executed
        order.size -= removed
        self._move_level(order.side, order.tick, -removed)
        if order.size == 0:
            del self.orders[order_id]
        effect.depth.append((order.side, order.tick, -removed))
        effect.flow.append(("pull", order.tick, removed - executed))
        effect.touched.append(order.tick)

    def _modify(self, record: dict[str, Any], effect: Effect) -> None:
        if record["price"] == UNDEF_PRICE:
            self.counters["undef_price"] += 1
            return
        order_id, new = record["order_id"], record["size"]
        order = self.orders.get(order_id)
        if order is None:
            self.counters["unknown_modify"] += 1
            self._add(record, effect)
            return
        tick = self._tick(record["price"])
        side = order.side if chr(record["side"]) not in SIDES else chr(record["side"])
        old = order.size
        executed = min(order.pending_fill, old)
        if new == 0:
            self._cancel(order_id, old, effect)
        elif (tick, side) == (order.tick, order.side):
            change = new - (old - executed)
            order.size, order.pending_fill = new, 0
            self._move_level(side, tick, new - old)
            effect.depth.append((side, tick, new - old))
            if change > 0:
                effect.flow.append(("add", tick, change))
            elif change < 0:
                effect.flow.append(("pull", tick, -change))
            effect.touched.append(tick)
        else:
            gone = self._remove(order_id, effect)
            effect.flow.append(("pull", gone.tick, old - executed))
            self._insert(order_id, Order(side, tick, new), effect)

    def _trade(self, record: dict[str, Any]) -> None:
        side, size = chr(record["side"]), record["size"]
        self.trade = Trade(record["ts_event"], side, size)
        self.counters["traded_sided" if side in SIDES else "traded_unsided"] += size
        if side in SIDES:
            self.counters["unattributed"] += size

    def _fill(self, record: dict[str, Any], effect: Effect) -> None:
        price, size, side = record["price"], record["size"], chr(record["side"])
        trade = self.trade
        if trade is not None and (trade.ts_event != record["ts_event"] or trade.side not in SIDES):
            trade = None
        if trade is not None and trade.side == side:
            self.counters["aggressor_fills"] += 1
            return
        if trade is None:
            self.counters["filled_unsided"] += size
        else:
            self.counters["filled_sided"] += size
            before, trade.filled = trade.filled, trade.filled + size
            beyond = max(trade.filled - trade.size, 0) - max(before - trade.size, 0)
            self.counters["overfilled"] += beyond
            self.counters["unattributed"] -= size - beyond
        order = self.orders.get(record["order_id"])
        if order is not None:
            order.pending_fill += size
            tick: int | None = order.tick
        else:
            self.counters["unknown_fill"] += 1
            tick = None if price == UNDEF_PRICE else tick_of(price, self.tick_int)
        if tick is not None:
            effect.flow.append(("fill", tick, size))
            effect.touched.append(tick)
