"""The yardstick: a level-3 book with the same rules in plain Python, one record at a time, dicts and ints."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

_ADD, _CANCEL, _MODIFY, _CLEAR, _FILL = (ord(letter) for letter in "ACMRF")


def run_plain_book(records: np.ndarray, tick_int: int) -> tuple[int, int]:
    """Resting orders and contracts after the records. records MBO_DTYPE (n,)."""
    orders: dict[int, list[int]] = {}  # id: side, tick, size, pending fill
    depth: defaultdict[tuple[int, int], int] = defaultdict(int)
    columns = (records[name].tolist() for name in ("action", "side", "order_id", "price", "size"))
    for action, side, order_id, price, size in zip(*columns, strict=True):
        order = orders.get(order_id)
        if action == _CLEAR:
            orders.clear()
            depth.clear()
        elif action == _FILL:
            if order is not None:
                order[3] += size
        elif action == _CANCEL:
            if order is not None:
                gone = min(size, order[2])
                order[2] -= gone
                order[3] -= min(order[3], gone)
                depth[order[0], order[1]] -= gone
                if order[2] == 0:
                    del orders[order_id]
        elif action in (_ADD, _MODIFY):
            tick = (2 * price + tick_int) // (2 * tick_int)
            if order is not None:
                depth[order[0], order[1]] -= order[2]
            orders[order_id] = [side, tick, size, 0]
            depth[side, tick] += size
    return len(orders), sum(depth.values())
