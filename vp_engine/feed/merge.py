"""Several stretches of one contract's day as one, in order of receive time, each record once.

A record that several stretches hold, equal in every byte, is one that was fetched several times. Within a stretch equal
records stand: venues send them (a real ES day has twelve pairs in one packet each).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import zstandard

from vp_engine.feed.dbn import DbnFile
from vp_engine.feed.records import MBO_BYTES, MBO_DTYPE

_NEVER = 1 << 63


class Stretch(NamedTuple):
    """The contract's records [first, after) of a file, whose receive times never run back; after is None for its end.
    start_ns, end_ns: of those, only what was received in [start_ns, end_ns), ns UTC."""

    path: Path
    symbol: str
    first: int
    after: int | None
    start_ns: int
    end_ns: int


class Merged(NamedTuple):
    """How many records were written, and how many repeated ones were left out."""

    records: int
    repeated: int


def stretches(path: Path, symbol: str, turns: Iterable[int], start_ns: int, end_ns: int) -> list[Stretch]:
    """A file cut where its receive times run back, before the records `turns` of the contract."""
    edges = pairwise([0, *turns, None])
    return [Stretch(path, symbol, first or 0, after, start_ns, end_ns) for first, after in edges]


def write_merged(target: Path, head: bytes, parts: Iterable[Stretch]) -> Merged:
    """Write one compressed DBN file: the header, then the records of all stretches. Equal input gives equal bytes."""
    records = repeated = 0
    with target.open("wb") as out, zstandard.ZstdCompressor(write_checksum=True).stream_writer(out) as sink:
        sink.write(head)
        for batch, dropped in merged(parts):
            sink.write(np.ascontiguousarray(batch).tobytes())
            records += batch.size
            repeated += dropped
    return Merged(records, repeated)


def merged(parts: Iterable[Stretch]) -> Iterator[tuple[np.ndarray, int]]:
    """Records MBO_DTYPE (n,), by receive time and then by the order of the stretches, each batch with the number of
    repeated ones left out. A few batches of each stretch are in memory at a time."""
    readers = [_Reader(part) for part in parts]
    while True:
        for reader in readers:
            reader.fill()
        readers = [reader for reader in readers if reader.records.size]
        if not readers:
            return
        lasts = [int(reader.records["ts_recv"][-1]) for reader in readers if not reader.over]
        yield without_repeats([reader.before(min(lasts, default=_NEVER)) for reader in readers])


class _Reader:
    """A stretch from its front. records: what is read and not taken yet; over: nothing more is to be read."""

    def __init__(self, part: Stretch) -> None:
        self._batches = _batches(part)
        self.records = np.zeros(0, MBO_DTYPE)
        self.over = False

    def fill(self) -> None:
        """Read until two receive times are there, so that all of the first are."""
        waiting = [self.records] if self.records.size else []
        while not self.over and (not waiting or waiting[0]["ts_recv"][0] == waiting[-1]["ts_recv"][-1]):
            batch = next(self._batches, None)
            if batch is None:
                self.over = True
            else:
                waiting.append(batch)
        if len(waiting) > 1:
            self.records = np.concatenate(waiting)
        elif waiting:
            self.records = waiting[0]

    def before(self, end_ns: int) -> np.ndarray:
        """Take what was received before `end_ns`."""
        n = int(np.searchsorted(self.records["ts_recv"], np.uint64(end_ns)))
        taken, self.records = self.records[:n], self.records[n:]
        return taken


def _batches(part: Stretch) -> Iterator[np.ndarray]:
    at = 0
    for batch in DbnFile(part.path).records_of(part.symbol):
        if part.after is not None and at >= part.after:
            return
        cut = batch[max(part.first - at, 0) : None if part.after is None else part.after - at]
        at += batch.size
        cut = cut[(cut["ts_recv"] >= np.uint64(part.start_ns)) & (cut["ts_recv"] < np.uint64(part.end_ns))]
        if cut.size:
            yield cut


def without_repeats(parts: list[np.ndarray]) -> tuple[np.ndarray, int]:
    """Records of several stretches by receive time, and how many were left out: of equal ones there are as many as the
    stretch that has most of them. parts: MBO_DTYPE (n,), each sorted by receive time."""
    parts = [part for part in parts if part.size]
    if len(parts) <= 1:
        return (parts[0] if parts else np.zeros(0, MBO_DTYPE)), 0
    together = np.concatenate(parts)
    origin = np.repeat(np.arange(len(parts)), [part.size for part in parts])
    _, value = np.unique(together.view(f"V{MBO_BYTES}"), return_inverse=True)
    value = value.reshape(-1)
    by_part = np.lexsort((value, origin))
    begins = np.ones(together.size, bool)
    begins[1:] = (np.diff(value[by_part]) != 0) | (np.diff(origin[by_part]) != 0)
    place = np.arange(together.size)
    nth = np.empty(together.size, np.int64)
    nth[by_part] = place - np.maximum.accumulate(np.where(begins, place, 0))
    by_value = np.lexsort((origin, nth, value))
    first = np.ones(together.size, bool)
    first[1:] = (np.diff(value[by_value]) != 0) | (np.diff(nth[by_value]) != 0)
    kept = np.zeros(together.size, bool)
    kept[by_value] = first
    order = np.argsort(together["ts_recv"], kind="stable")
    return together[order[kept[order]]], int(together.size - kept.sum())
