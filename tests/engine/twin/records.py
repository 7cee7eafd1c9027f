"""MBO records as arrays: DBN's 56 bytes, little endian. Prices in 1e-9 dollars, times in ns, sizes in contracts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import databento
import numpy as np

F_LAST = 128
F_SNAPSHOT = 32
F_MAYBE_BAD_BOOK = 4
UNDEF_PRICE = 2**63 - 1

MBO_DTYPE = np.dtype(
    [
        ("length", "u1"),
        ("rtype", "u1"),
        ("publisher_id", "<u2"),
        ("instrument_id", "<u4"),
        ("ts_event", "<u8"),
        ("order_id", "<u8"),
        ("price", "<i8"),
        ("size", "<u4"),
        ("flags", "u1"),
        ("channel_id", "u1"),
        ("action", "u1"),
        ("side", "u1"),
        ("ts_recv", "<u8"),
        ("ts_in_delta", "<i4"),
        ("sequence", "<u4"),
    ]
)


def make_records(rows: Iterable[Mapping[str, Any]]) -> np.ndarray:
    """Records from mappings with ts, action, side, order_id, price, size, flags, maybe sequence; the rest is filled in.

    `ts` is the event clock: it becomes ts_recv of a snapshot record (whose ts_event lies hours before), ts_event of
    any other (received a little later).
    """
    rows = list(rows)
    out = np.zeros(len(rows), MBO_DTYPE)
    for i, row in enumerate(rows):
        snapshot = bool(row["flags"] & F_SNAPSHOT)
        record = out[i]
        record["length"], record["rtype"], record["instrument_id"] = 14, 160, 17077
        record["publisher_id"] = row.get("publisher_id", 1)
        record["ts_event"] = row["ts"] - 7_200_000_000_000 if snapshot else row["ts"]
        record["ts_recv"] = row["ts"] if snapshot else row["ts"] + 20_000
        record["order_id"], record["price"], record["size"] = row["order_id"], row["price"], row["size"]
        record["flags"], record["action"], record["side"] = row["flags"], ord(row["action"]), ord(row["side"])
        record["sequence"] = row.get("sequence", i + 1)
    return out


def read_dbn(path: Path) -> np.ndarray:
    """Every MBO record of a file with one instrument, through the vendor's own client."""
    raw = databento.DBNStore.from_file(path).to_ndarray("mbo")
    return np.ascontiguousarray(raw).view(MBO_DTYPE)


def clock_of(record: Mapping[str, Any]) -> int:
    """Event time: ts_recv of a snapshot record, else ts_event."""
    return int(record["ts_recv"] if record["flags"] & F_SNAPSHOT else record["ts_event"])
