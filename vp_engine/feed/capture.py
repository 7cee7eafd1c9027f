"""What a raw file holds: one pass that admits it or says why not."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from vp_engine.errors import DataError
from vp_engine.feed.dbn import DbnFile
from vp_engine.feed.records import F_BAD_TS_RECV, F_SNAPSHOT
from vp_engine.hashing import sha256_file


class RawInfo(NamedTuple):
    """Facts of one raw file. Times in ns UTC on the event clock; all counts but `records` are of the locked symbol."""

    sha256: str
    bytes: int
    version: int
    dataset: str
    records: int
    kept: int
    first_ts_ns: int
    last_ts_ns: int
    has_snapshot: bool
    n_bad_flags: int
    instrument_ids: tuple[int, ...]


def event_clock(records: np.ndarray) -> np.ndarray:
    """Event time of each record, int64 ns: ts_recv within a snapshot, else ts_event (not yet clamped)."""
    in_snapshot = (records["flags"] & F_SNAPSHOT) != 0
    return np.where(in_snapshot, records["ts_recv"], records["ts_event"]).astype(np.int64)


def scan(path: Path, symbol: str) -> RawInfo:
    """Read the file to its end. DataError if it is missing, foreign, cut, corrupt, or holds no record of `symbol`."""
    source = DbnFile(path)
    ids = source.instrument_ids(symbol)
    wanted = np.array(sorted(ids), np.uint32)
    records = kept = n_bad_flags = 0
    first_ns, last_ns = 0, 0
    has_snapshot = False
    for batch in source.batches():
        records += batch.size
        mine = batch[np.isin(batch["instrument_id"], wanted)]
        if not mine.size:
            continue
        clock = event_clock(mine)
        in_snapshot = (mine["flags"] & F_SNAPSHOT) != 0
        first_ns = first_ns if kept else int(clock[0])
        last_ns = max(last_ns, int(clock.max()))
        has_snapshot = has_snapshot or bool(in_snapshot.any())
        n_bad_flags += int((((mine["flags"] & F_BAD_TS_RECV) != 0) & ~in_snapshot).sum())
        kept += mine.size
    if not kept:
        raise DataError(f"{path.name}: holds no MBO record of {symbol}")
    return RawInfo(
        sha256=sha256_file(path),
        bytes=path.stat().st_size,
        version=source.version,
        dataset=source.dataset,
        records=records,
        kept=kept,
        first_ts_ns=first_ns,
        last_ts_ns=last_ns,
        has_snapshot=has_snapshot,
        n_bad_flags=n_bad_flags,
        instrument_ids=tuple(sorted(ids)),
    )
