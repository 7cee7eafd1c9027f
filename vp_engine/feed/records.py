"""The MBO record as it lies in a DBN file, and the walk over files that hold other records too.

Layout of DBN versions 1 to 3 (the MBO message never changed): 56 bytes, little endian, packed.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from vp_engine.jit import kernel

MBO_DTYPE = np.dtype(
    [
        ("length", "u1"),  # in 4-byte words
        ("rtype", "u1"),
        ("publisher_id", "u2"),
        ("instrument_id", "u4"),
        ("ts_event", "u8"),
        ("order_id", "u8"),
        ("price", "i8"),
        ("size", "u4"),
        ("flags", "u1"),
        ("channel_id", "u1"),
        ("action", "u1"),
        ("side", "u1"),
        ("ts_recv", "u8"),
        ("ts_in_delta", "i4"),
        ("sequence", "u4"),
    ]
)
MBO_BYTES = MBO_DTYPE.itemsize
MBO_RTYPE = 160
MBO_WORDS = MBO_BYTES // 4
HEADER_BYTES = 16  # the smallest record is a bare header

F_LAST = 128
F_SNAPSHOT = 32
F_BAD_TS_RECV = 8

WALK_OK, WALK_BAD_LENGTH = 0, 1


@kernel
def walk_records_nb(data, out):
    """Copy the MBO records of a run of mixed records. data (n,) uint8; out (m, 56) uint8, m >= n // 56.

    Returns (status, bytes consumed, records seen, MBO records copied). A record cut off by the end of `data`
    is left unconsumed; a length under the header's is WALK_BAD_LENGTH at `records seen`.
    """
    at = np.int64(0)
    seen = 0
    kept = 0
    while at < data.size:
        n_bytes = 4 * np.int64(data[at])
        if n_bytes < HEADER_BYTES:
            return WALK_BAD_LENGTH, at, seen, kept
        if at + n_bytes > data.size:
            break
        if data[at + 1] == MBO_RTYPE:
            if n_bytes < MBO_BYTES:
                return WALK_BAD_LENGTH, at, seen, kept
            for i in range(MBO_BYTES):
                out[kept, i] = data[at + i]
            kept += 1
        at += n_bytes
        seen += 1
    return WALK_OK, at, seen, kept
