"""A plain Python exchange that checks every record against what may happen next, and remembers what it saw.

Prices in 1e-9 dollars, sizes in contracts. An impossible record is an AssertionError with its place.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from vp_engine.feed import F_LAST, F_SNAPSHOT, MBO_DTYPE

_AT = {name: place for place, name in enumerate(MBO_DTYPE.names)}


class PlainBook:
    """Resting orders by id; `levels[side][price]` is contracts; sides are "B" and "A"."""

    def __init__(self) -> None:
        self.orders = {}  # id: [side, price, size], in order of queue priority within a price
        self.levels = {"B": defaultdict(int), "A": defaultdict(int)}
        self.best = {"B": None, "A": None}
        self.counts = Counter()
        self.filled = Counter()
        self.traded = Counter()
        self.refreshes = 0
        self.spreads = Counter()
        self.quotes = []  # (ts, bid, ask, bid size, ask size) at F_LAST
        self._fills = {}
        self._event_ts = None

    def play(self, records) -> PlainBook:
        """All records in order."""
        for place, row in enumerate(records.tolist()):
            self._record(row, place)
        return self

    def _record(self, row, place) -> None:
        action, side = chr(row[_AT["action"]]), chr(row[_AT["side"]])
        flags, ts = row[_AT["flags"]], row[_AT["ts_event"]]
        snapshot = bool(flags & F_SNAPSHOT)
        self.counts[action] += 1
        if not snapshot:
            assert self._event_ts in (None, ts), f"one event with two times at record {place}"
            self._event_ts = ts
        self._apply(action, side, row[_AT["order_id"]], row[_AT["price"]], row[_AT["size"]], place)
        if flags & F_LAST:
            assert not self._fills, f"fills without their cancel or modify at record {place}"
            self._event_ts = None
            self._quote(ts, place)

    def _apply(self, action, side, order_id, price, size, place) -> None:
        if action == "R":
            assert not self.orders
            return
        assert size > 0, f"empty record {place}"
        if action == "A":
            assert order_id not in self.orders, f"order {order_id} added twice at record {place}"
            self.orders[order_id] = [side, price, size]
            self._shift(side, price, size, place)
        elif action == "T":
            self.traded[side] += size
            self._trade(side, price, place)
        else:
            own_side, own_price, own_size = self.orders[order_id]
            assert side == own_side, f"side of order {order_id} at record {place}"
            if action == "F":
                assert price == own_price
                assert size + self._fills.get(order_id, 0) <= own_size, f"order {order_id} overfilled at {place}"
                assert self._last_trade == ("A" if side == "B" else "B", price), f"fill without its trade at {place}"
                self.filled[side] += size
                self._fills[order_id] = size
            elif action == "C":
                assert (price, size) == (own_price, own_size), f"cancel of another size or price at record {place}"
                assert self._fills.pop(order_id, size) == size
                del self.orders[order_id]
                self._shift(side, own_price, -own_size, place)
            else:
                assert action == "M"
                self._modify(order_id, price, size, place)

    def _trade(self, side, price, place) -> None:
        """An aggressor trades at the touch, or further on once it has used up everything better."""
        passive, sign = ("A", 1) if side == "B" else ("B", -1)
        better = {level: size for level, size in self.levels[passive].items() if (level - price) * sign < 0}
        for order_id, size in self._fills.items():
            _, level, _ = self.orders[order_id]
            better[level] -= size
        assert not any(better.values()), f"trade through resting orders at record {place}"
        self._last_trade = (side, price)

    def _modify(self, order_id, price, size, place) -> None:
        side, own_price, own_size = self.orders[order_id]
        filled = self._fills.pop(order_id, 0)
        if filled:
            assert price == own_price
            refreshed = size != own_size - filled
            assert not refreshed or filled == own_size, f"iceberg {order_id} refreshed too early at record {place}"
            self.refreshes += refreshed
        keeps_place = price == own_price and size < own_size and not (filled and filled == own_size)
        if not keeps_place:
            del self.orders[order_id]
        self.orders[order_id] = [side, price, size]
        self._shift(side, own_price, -own_size, place)
        self._shift(side, price, size, place)

    def _shift(self, side, price, by, place) -> None:
        levels = self.levels[side]
        levels[price] += by
        assert levels[price] >= 0, f"depth below zero at record {place}"
        if levels[price] == 0:
            del levels[price]
        choose = max if side == "B" else min
        best = self.best[side]
        if by > 0 and (best is None or choose(price, best) == price):
            self.best[side] = price
        elif by < 0 and price == best and price not in levels:
            self.best[side] = choose(levels, default=None)

    def _quote(self, ts, place) -> None:
        bid, ask = self.best["B"], self.best["A"]
        assert bid is not None, f"a side is empty at record {place}"
        assert ask is not None, f"a side is empty at record {place}"
        assert bid < ask, f"crossed after F_LAST at record {place}"
        self.quotes.append((ts, bid, ask, self.levels["B"][bid], self.levels["A"][ask]))
