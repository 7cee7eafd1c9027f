"""What a snapshot says against the book that was carried up to it, order by order.

A file opens with the book, and a capture that runs on from the day before already has one: they should be the same.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vp_engine.book.levels import clear_nb
from vp_engine.book.order_table import EMPTY
from vp_engine.book.state import SNAPSHOT_CHANGED, SNAPSHOT_EXTRA, SNAPSHOT_MISSING, BookState


class SnapshotDifferences(NamedTuple):
    """Orders carried and not restated, restated and not carried, and in both with another side, tick or size."""

    missing: int
    extra: int
    changed: int


def resting_orders(book: BookState) -> np.ndarray:
    """Every order of a book, ORDER_DTYPE (n,), a copy in no order."""
    held: np.ndarray = book.orders[book.orders["side"] != EMPTY]
    return held


def snapshot_differences(carried: np.ndarray, restated: np.ndarray) -> SnapshotDifferences:
    """Two books by order id, ORDER_DTYPE (n,) and (m,). Fills still to be followed up are no part of a snapshot."""
    both, left, right = np.intersect1d(
        carried["order_id"], restated["order_id"], assume_unique=True, return_indices=True
    )
    same = np.ones(both.size, bool)
    for name in ("side", "tick", "size"):
        same &= carried[name][left] == restated[name][right]
    return SnapshotDifferences(carried.size - both.size, restated.size - both.size, int((~same).sum()))


def set_aside(book: BookState) -> np.ndarray:
    """Empty a book that a snapshot begins to restate; its orders, ORDER_DTYPE (n,)."""
    carried = resting_orders(book)
    clear_nb(book.orders, book.depth, book.scalars)
    return carried


def count_differences(book: BookState, carried: np.ndarray) -> None:
    """Count how a book, as a finished snapshot left it, differs from the orders that were set aside."""
    found = snapshot_differences(carried, resting_orders(book))
    book.counters[[SNAPSHOT_MISSING, SNAPSHOT_EXTRA, SNAPSHOT_CHANGED]] += np.array(found)
