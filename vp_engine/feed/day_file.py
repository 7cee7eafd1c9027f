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
from vp_engine.units import utc_midnight_ns

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

    The header says that the day begins with the first record and has an open end, until `finish` says that the day was
    recorded to its end. records: how many are in it. last_recv_ns: the latest ts_recv, and n_at_last: how many the
    exchange sent with it.
    """

    def __init__(self, folder: Path, dataset: str, symbol: str, day: dt.date, instrument_id: int) -> None:
        self.day, self.instrument_id = day, instrument_id
        self._dataset, self._symbol = dataset, symbol
        self._first_recv_ns = 0
        self.path = folder / day_file_name(dataset, symbol, day)
        folder.mkdir(parents=True, exist_ok=True)
        self.cut_bytes = mend(self.path)
        self.records = self.last_recv_ns = self.n_at_last = 0
        if self.path.exists():
            self._continue(symbol)
            self._out = self.path.open("ab")
        else:
            self._out = self.path.open("xb")
            self._out.write(self._head())
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
            self._first_recv_ns = self._first_recv_ns or int(batch["ts_recv"][0])
            self._count(batch)

    def append(self, records: np.ndarray) -> None:
        """Write records MBO_DTYPE (n,) behind the others."""
        if records.size:
            if not self.records:
                self._first_recv_ns = int(records["ts_recv"][0])
                self._rewrite_head()
            self._out.write(np.ascontiguousarray(records).tobytes())
            self._out.flush()
            self._count(records)

    def finish(self) -> None:
        """The day is over and was recorded to its end."""
        self._rewrite_head(over=True)

    def _head(self, over: bool = False) -> bytes:
        start_ns = max(self._first_recv_ns, utc_midnight_ns(self.day))
        return day_header(
            self._dataset, self._symbol, self.day, self.instrument_id, start_ns=start_ns, open_end=not over
        )

    def _rewrite_head(self, over: bool = False) -> None:
        """Put a header over the one that is there. Ours have the same length, so the records stay where they are; a
        file that somebody else began keeps its own."""
        self._out.flush()
        head = self._head(over)
        with self.path.open("r+b") as file:
            if file.read(PRELUDE_BYTES) == head[:PRELUDE_BYTES]:
                file.seek(0)
                file.write(head)

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
