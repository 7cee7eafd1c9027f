"""The file of a day that is still being written: DBN without compression, MBO records alone, so a crash leaves whole
records and at most one torn one.

Opening it again cuts what is torn. It becomes a raw day once the day is over.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from pathlib import Path

import numpy as np

from vp_engine.errors import DataError
from vp_engine.feed.dbn import PRELUDE_BYTES, DbnFile
from vp_engine.feed.header import day_header
from vp_engine.feed.records import F_SNAPSHOT, MBO_BYTES, MBO_DTYPE, MBO_RTYPE, MBO_WORDS
from vp_engine.feed.symbols import path_name

_NAME = re.compile(r".+-(\d{4})(\d{2})(\d{2})\.[^/]+\.mbo\.dbn")


def day_file_name(dataset: str, symbol: str, day: dt.date) -> str:
    """Name of a day being written, the one it keeps as a raw day."""
    return f"{dataset.lower().replace('.', '-')}-{day:%Y%m%d}.{path_name(symbol)}.mbo.dbn"


def day_file_pattern(dataset: str, symbol: str) -> str:
    """What those names match; those of another contract do not."""
    return f"{dataset.lower().replace('.', '-')}-????????.{path_name(symbol)}.mbo.dbn"


def day_of(path: Path) -> dt.date | None:
    """UTC day of such a file, from its name; None for another name."""
    match = _NAME.fullmatch(path.name)
    return dt.date(*(int(part) for part in match.groups())) if match else None


class DayFile:
    """One contract's day, open for appending.

    records: how many are in it. last_recv_ns: the latest ts_recv, and n_at_last: how many the exchange sent with it.
    """

    def __init__(self, folder: Path, dataset: str, symbol: str, day: dt.date, instrument_id: int) -> None:
        self.day, self.instrument_id = day, instrument_id
        self.path = folder / day_file_name(dataset, symbol, day)
        folder.mkdir(parents=True, exist_ok=True)
        self.cut_bytes = mend(self.path)
        self.records = self.last_recv_ns = self.n_at_last = 0
        if self.path.exists():
            self._continue(symbol)
            self._out = self.path.open("ab")
        else:
            self._out = self.path.open("xb")
            self._out.write(day_header(dataset, symbol, day, instrument_id))
        self.sync()

    def _continue(self, symbol: str) -> None:
        there = DbnFile(self.path)
        ids = there.instrument_ids(symbol)
        if ids != {self.instrument_id}:
            raise DataError(
                f"{self.path.name}: holds instrument {sorted(ids)}, the gateway now sends {self.instrument_id}; "
                "move the file away"
            )
        for batch in there.batches():
            self._count(batch)

    def append(self, records: np.ndarray) -> None:
        """Write records MBO_DTYPE (n,) behind the others."""
        if records.size:
            self._out.write(np.ascontiguousarray(records).tobytes())
            self._out.flush()
            self._count(records)

    def _count(self, records: np.ndarray) -> None:
        self.records += records.size
        latest = int(records["ts_recv"].max())
        if latest > self.last_recv_ns:
            self.last_recv_ns, self.n_at_last = latest, 0
        sent = (records["sequence"] != 0) & ((records["flags"] & F_SNAPSHOT) == 0)
        self.n_at_last += int((sent & (records["ts_recv"] == self.last_recv_ns)).sum())

    def sync(self) -> None:
        """Down to the disk."""
        self._out.flush()
        os.fsync(self._out.fileno())

    def close(self) -> None:
        """Sync and close; again is nothing."""
        if not self._out.closed:
            self.sync()
            self._out.close()


def mend(path: Path) -> int:
    """Cut a day's file behind its last whole record; the bytes that went. A file torn in its head goes altogether."""
    if not path.exists():
        return 0
    size = path.stat().st_size
    with path.open("rb") as source:
        head = source.read(PRELUDE_BYTES)
    start = PRELUDE_BYTES + int.from_bytes(head[4:8], "little")
    if head[:3] != b"DBN" or size < start:
        path.unlink()
        return size
    whole = (size - start) // MBO_BYTES
    if whole:  # a machine that lost its power may leave zeros where records were to be
        held = np.memmap(path, MBO_DTYPE, "r", offset=start, shape=(whole,))
        good = (held["length"] == MBO_WORDS) & (held["rtype"] == MBO_RTYPE)
        whole = whole if good.all() else int(np.argmin(good))
        del held
    end = start + whole * MBO_BYTES
    if end < size:
        os.truncate(path, end)
    return size - end
