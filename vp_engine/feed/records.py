"""The MBO record as it lies in a DBN file, and the walk over files that hold other records too, such as the messages
of a live recording that say which instrument id a symbol has.

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
MAPPING_RTYPE = 22  # SymbolMappingMsg
HEADER_BYTES = 16  # the smallest record is a bare header

F_LAST = 128
F_SNAPSHOT = 32
F_BAD_TS_RECV = 8
F_MAYBE_BAD_BOOK = 4

WALK_OK, WALK_BAD_LENGTH, WALK_HEADER = range(3)
MAX_MAPPINGS = 1024  # of one walk; more of them end it early
_D, _B, _N = (ord(letter) for letter in "DBN")


@kernel
def walk_records_nb(data, out, mappings):
    """Copy the MBO records of a run of mixed records. data (n,) uint8; out (m, 56) uint8, m >= n // 56.

    mappings int64 (MAX_MAPPINGS, 2) gets, for each symbol mapping message, its byte in `data` and the number of MBO
    records copied before it. Returns (status, bytes consumed, records seen, MBO records copied, mappings). A record cut
    off by the end of `data` is left unconsumed; a length under the header's is WALK_BAD_LENGTH at `records seen`, the
    header of another DBN file there is WALK_HEADER.
    """
    at = np.int64(0)
    seen = 0
    kept = 0
    mapped = 0
    while at < data.size and mapped < mappings.shape[0]:
        n_bytes = 4 * np.int64(data[at])
        if at + 2 < data.size and data[at] == _D and data[at + 1] == _B and data[at + 2] == _N:
            return WALK_HEADER, at, seen, kept, mapped
        if n_bytes < HEADER_BYTES:
            return WALK_BAD_LENGTH, at, seen, kept, mapped
        if at + n_bytes > data.size:
            break
        if data[at + 1] == MAPPING_RTYPE:
            mappings[mapped, 0] = at
            mappings[mapped, 1] = kept
            mapped += 1
        if data[at + 1] == MBO_RTYPE:
            if n_bytes < MBO_BYTES:
                return WALK_BAD_LENGTH, at, seen, kept, mapped
            for i in range(MBO_BYTES):
                out[kept, i] = data[at + i]
            kept += 1
        at += n_bytes
        seen += 1
    return WALK_OK, at, seen, kept, mapped
