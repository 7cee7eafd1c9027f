"""Small DBN days as the vendor would send them: an opening snapshot, then one order a second."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import databento_dbn
import numpy as np
import zstandard

from vp_engine.feed import F_BAD_TS_RECV, F_LAST, F_SNAPSHOT, MBO_DTYPE

SYMBOL, INSTRUMENT_ID = "MNQH6", 42
TICK, SPOT = 250_000_000, 86_000
SNAPSHOT_ORDERS = 4


def day_ns(day: dt.date) -> int:
    """First nanosecond of a UTC day."""
    return int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp()) * 10**9


def header(day: dt.date, mapped: bool = True) -> bytes:
    """DBN metadata of one UTC day."""
    interval = SimpleNamespace(start_date=day, end_date=day + dt.timedelta(days=1), symbol=str(INSTRUMENT_ID))
    made = databento_dbn.Metadata(
        dataset="GLBX.MDP3", start=day_ns(day), end=day_ns(day) + 86_400 * 10**9,
        stype_in=databento_dbn.SType.RAW_SYMBOL, stype_out=databento_dbn.SType.INSTRUMENT_ID,
        schema=databento_dbn.Schema.MBO, symbols=[SYMBOL], version=3,
        mappings=[SimpleNamespace(raw_symbol=SYMBOL, intervals=[interval])] if mapped else [],
    )  # fmt: skip
    return bytes(made.encode())


def orders(ts_ns: np.ndarray, first_id: int, sequence: int, flags: int = F_LAST) -> np.ndarray:
    """Adds at these times, bids and asks in turn around the spot, ids counting up. MBO_DTYPE (n,)."""
    made = np.zeros(ts_ns.size, MBO_DTYPE)
    made["length"], made["rtype"], made["publisher_id"], made["instrument_id"] = 14, 160, 1, INSTRUMENT_ID
    made["ts_event"] = made["ts_recv"] = ts_ns
    made["order_id"] = first_id + np.arange(ts_ns.size)
    made["action"], made["flags"] = ord("A"), flags
    made["sequence"] = sequence + np.arange(ts_ns.size)
    step = 1 + made["order_id"] % 5
    bid = made["order_id"] % 2 == 0
    made["side"] = np.where(bid, ord("B"), ord("A"))
    made["price"] = (SPOT + np.where(bid, -1, 1) * step.astype(np.int64)) * TICK
    made["size"] = 1 + made["order_id"] % 7
    return made


def snapshot(ts_ns: int, first_id: int = 1, n: int = SNAPSHOT_ORDERS) -> np.ndarray:
    """A book of n orders, restated at one time. MBO_DTYPE (n,)."""
    made = orders(np.full(n, ts_ns), first_id, 0, F_SNAPSHOT | F_BAD_TS_RECV)
    made["ts_event"] = ts_ns - 3_600 * 10**9
    made["flags"][-1] |= F_LAST
    return made


def day_records(day: dt.date, n: int = 40) -> np.ndarray:
    """Snapshot and n orders, a second apart from noon UTC on."""
    noon = day_ns(day) + 12 * 3_600 * 10**9
    return np.concatenate([snapshot(day_ns(day)), orders(noon + np.arange(n) * 10**9, 100, 1)])


def day_file(day: dt.date, n: int = 40) -> tuple[bytes, int]:
    """A compressed file, in blocks that can be read one by one as in a large file, and its number of records."""
    records = day_records(day, n)
    frame = zstandard.ZstdCompressor().compressobj()
    blocks = [frame.compress(part) + frame.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
              for part in (header(day), records[: n // 4].tobytes(), records[n // 4 :].tobytes())]  # fmt: skip
    return b"".join(blocks) + frame.flush(), records.size
