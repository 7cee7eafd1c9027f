"""Records that no exchange has sent, so that a recorded day says everything that the engine was told.

A clear says that records are missing from here on, a time record that bins up to a moment are closed, a snapshot what
rests. All have sequence 0. Whoever replays the file meets them where the live engine met them.
"""

from __future__ import annotations

import numpy as np

from vp_engine.feed.records import F_BAD_TS_RECV, F_LAST, F_SNAPSHOT, MBO_DTYPE, MBO_RTYPE, MBO_WORDS
from vp_engine.units import UNDEF_PRICE


def made_records(n: int, instrument_id: int, publisher_id: int) -> np.ndarray:
    """n records without an action, a price or a side, MBO_DTYPE (n,)."""
    out = np.zeros(n, MBO_DTYPE)
    out["length"], out["rtype"] = MBO_WORDS, MBO_RTYPE
    out["instrument_id"], out["publisher_id"] = instrument_id, publisher_id
    out["price"], out["action"], out["side"] = UNDEF_PRICE, ord("N"), ord("N")
    return out


def time_record(ts_ns: int, recv_ns: int, instrument_id: int, publisher_id: int) -> np.ndarray:
    """Nothing happens, but it is `ts_ns` now. MBO_DTYPE (1,)."""
    out = made_records(1, instrument_id, publisher_id)
    out["ts_event"], out["ts_recv"] = ts_ns, recv_ns
    return out


def clear_record(ts_ns: int, recv_ns: int, instrument_id: int, publisher_id: int) -> np.ndarray:
    """Every order goes: what rests is not known any more. MBO_DTYPE (1,)."""
    out = time_record(ts_ns, recv_ns, instrument_id, publisher_id)
    out["action"] = ord("R")
    return out


def snapshot_records(adds: np.ndarray, ts_ns: int, instrument_id: int, publisher_id: int) -> np.ndarray:
    """A book restated at one time: a clear, then `adds` MBO_DTYPE (n,) as they stand. MBO_DTYPE (n + 1,)."""
    out = made_records(adds.size + 1, instrument_id, publisher_id)
    out["ts_event"][0] = ts_ns
    out["action"][0] = ord("R")
    out[1:] = adds
    out["ts_recv"] = ts_ns
    out["flags"] = F_SNAPSHOT | F_BAD_TS_RECV
    out["flags"][-1] |= F_LAST
    return out
