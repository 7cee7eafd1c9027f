"""From a gateway's snapshot to a book that goes on where the recording stopped.

A session opens with the latest snapshot, up to a minute old, and with what has happened since. Records received by
`floor_ns` were recorded before, or lie before the day's file begins: they are folded into the snapshot, so that no
order flow is counted twice.
"""

from __future__ import annotations

import numpy as np

from vp_engine.book.order_table import BID
from vp_engine.book.snapshots import resting_orders
from vp_engine.book.state import new_book
from vp_engine.engine import Engine, FedRecords
from vp_engine.feed.made import made_records, snapshot_records
from vp_engine.feed.records import F_LAST, F_SNAPSHOT
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.units import NS_PER_S

QUIET_NS = NS_PER_S  # a snapshot behind which nothing comes for this long is all there is


def adds_of(orders: np.ndarray, tick_int: int, ts_ns: int, instrument_id: int, publisher_id: int) -> np.ndarray:
    """Resting orders ORDER_DTYPE (n,) as the records of a snapshot, MBO_DTYPE (n,)."""
    out = made_records(orders.size, instrument_id, publisher_id)
    out["ts_event"], out["action"] = ts_ns, ord("A")
    out["order_id"], out["size"] = orders["order_id"], orders["size"]
    out["price"] = orders["tick"] * tick_int
    out["side"] = np.where(orders["side"] == BID, ord("B"), ord("A"))
    return out


class Resync:
    """Records of one session up to the point where the recording goes on.

    n_at_floor: how many records received at the very floor are recorded; None: all there are count as recorded.
    """

    def __init__(self, config: VPRuntimeConfig, floor_ns: int, n_at_floor: int | None = None) -> None:
        self._config, self._floor, self._n_at_floor = config, floor_ns, n_at_floor
        self._held: list[np.ndarray] = []
        self.skipped = 0  # records before a snapshot began: nothing can be built on them

    def offer(self, records: np.ndarray) -> np.ndarray | None:
        """Take records MBO_DTYPE (n,); everything from the snapshot on, folded, once that is known."""
        if not self._held:
            begins = np.flatnonzero((records["flags"] & F_SNAPSHOT) != 0)
            first = int(begins[0]) if begins.size else records.size
            self.skipped += first
            records = records[first:]
        if records.size:
            self._held.append(records)
        return self._settled(final=False)

    def end(self) -> np.ndarray | None:
        """The same where nothing more has come for a while; None if no snapshot has."""
        return self._settled(final=True)

    def _settled(self, final: bool) -> np.ndarray | None:
        if not self._held:
            return None
        held = self._held[0] if len(self._held) == 1 else np.concatenate(self._held)
        self._held = [held]
        snapshot = (held["flags"] & F_SNAPSHOT) != 0
        behind = np.flatnonzero(~snapshot)
        n_snapshot = int(behind[0]) if behind.size else held.size
        whole = behind.size > 0 or (held["flags"][n_snapshot - 1] & F_LAST) != 0
        at_floor = ~snapshot & (held["ts_recv"] == self._floor)
        beyond = np.cumsum(at_floor) > (held.size if self._n_at_floor is None else self._n_at_floor)
        new = np.flatnonzero(~snapshot & ((held["ts_recv"] > self._floor) | (at_floor & beyond)))
        fresh = held["ts_recv"][0] >= self._floor
        if not whole and not final:
            return None
        if not new.size and not fresh and not final:
            return None  # what was recorded before is still being repeated
        n_folded = int(new[0]) if new.size else held.size
        if fresh:
            return held  # the vendor's own snapshot, as it came
        return np.concatenate([self._folded(held[:n_snapshot], held[:n_folded]), held[n_folded:]])

    def _folded(self, snapshot: np.ndarray, records: np.ndarray) -> np.ndarray:
        """The book behind `records` as a snapshot at the floor; orders keep the vendor's ranks and times."""
        first = records[0]
        ids = (int(first["instrument_id"]), int(first["publisher_id"]))
        scratch = Engine(self._config, 0, new_book(self._config.n_absolute_ticks, records.size))
        fed = FedRecords()
        fed.take(records)
        scratch.consume_until(fed, 1 << 62)
        orders = resting_orders(scratch.book)
        adds = adds_of(orders, self._config.tick_int, self._floor, *ids)
        order, left, right = np.intersect1d(orders["order_id"], snapshot["order_id"], return_indices=True)
        rank = np.full(orders.size, snapshot.size + 1, np.int64)
        if order.size:
            rank[left] = right
            for name in ("ts_event", "sequence", "channel_id"):
                adds[name][left] = snapshot[name][right]
        return snapshot_records(adds[np.lexsort((orders["order_id"], rank))], self._floor, *ids)
