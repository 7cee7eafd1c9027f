"""What a raw file holds: one pass that admits it or says why not."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vp_engine.errors import DataError
from vp_engine.feed.dbn import DbnFile
from vp_engine.feed.records import F_BAD_TS_RECV, F_SNAPSHOT
from vp_engine.feed.symbols import SymbolSource
from vp_engine.hashing import sha256_file
from vp_engine.units import NS_PER_DAY, NS_PER_S, UNDEF_PRICE, utc_date, utc_midnight_ns

CLEAR = ord("R")
BOOK_CHANGING = np.frombuffer(b"ACMR", np.uint8)
PRICED = np.frombuffer(b"AM", np.uint8)
MAX_PRICES = 4096  # distinct ones that a scan keeps
MAX_TURNS = 16  # places at which receive times run back that a scan notes; merging reads the file once for each
LATENESS_NS = 5 * NS_PER_S  # a day is cut by receive time: its first event may be this much older


class RawInfo(NamedTuple):
    """Facts of one raw file. Times in ns UTC on the event clock; all counts but `records` are of the locked symbol.

    coverage_start_ns, coverage_end_ns: what the file holds whole, before it is cut to its day. complete_start: the book
    is known from the first record on. symbol_source: how the contract's instrument ids are known. prices: distinct
    prices of adds and modifies, int64 in 1e-9 $, at most MAX_PRICES of them. turns: before which of the symbol's
    records the receive time runs back, None if more than MAX_TURNS times. days: UTC days of the receive times.
    """

    sha256: str
    bytes: int
    version: int
    dataset: str
    records: int
    kept: int
    first_ts_ns: int
    last_ts_ns: int
    coverage_start_ns: int
    coverage_end_ns: int
    complete_start: bool
    n_bad_flags: int
    instrument_ids: tuple[int, ...]
    symbol_source: SymbolSource
    prices: np.ndarray
    turns: tuple[int, ...] | None
    days: tuple[dt.date, ...]

    def day_coverage(self, day: dt.date) -> tuple[int, int]:
        """What the file holds whole of a UTC day: [first, end), ns UTC."""
        midnight = utc_midnight_ns(day)
        return max(self.coverage_start_ns, midnight), min(self.coverage_end_ns, midnight + NS_PER_DAY)


def event_clock(records: np.ndarray) -> np.ndarray:
    """Event time of each record, int64 ns: ts_recv within a snapshot, else ts_event (not yet clamped)."""
    in_snapshot = (records["flags"] & F_SNAPSHOT) != 0
    return np.where(in_snapshot, records["ts_recv"], records["ts_event"]).astype(np.int64)


def scan(path: Path, symbol: str) -> RawInfo:
    """Read the file to its end. DataError if it is missing, foreign, cut, corrupt, or holds no record of `symbol`."""
    source = DbnFile(path)
    identity = source.identify(symbol)
    records = sum(batch.size for batch in source.batches())
    kept = n_bad_flags = 0
    first_ns, last_ns = 0, 0
    complete_start: bool | None = None
    prices = np.zeros(0, np.int64)
    turns: list[int] = []
    days: set[int] = set()
    last_recv = np.uint64(0)
    for batch in source.records_of(symbol):
        clock = event_clock(batch)
        in_snapshot = (batch["flags"] & F_SNAPSHOT) != 0
        first_ns = first_ns if kept else int(clock[0])
        last_ns = max(last_ns, int(clock.max()))
        if complete_start is None:
            complete_start = _begins_whole(batch)
        n_bad_flags += int((((batch["flags"] & F_BAD_TS_RECV) != 0) & ~in_snapshot).sum())
        if prices.size < MAX_PRICES:
            priced = np.isin(batch["action"], PRICED) & (batch["price"] != UNDEF_PRICE)
            prices = _nearest(np.union1d(prices, batch["price"][priced]), batch["price"][priced])
        received = batch["ts_recv"]
        if len(turns) <= MAX_TURNS:
            before = np.concatenate(([last_recv], received[:-1]))
            turns += (kept + np.flatnonzero(received < before)[: MAX_TURNS + 1]).tolist()
        days.update(np.unique(received // np.uint64(NS_PER_DAY)).tolist())
        last_recv = received[-1]
        kept += batch.size
    if not kept:
        raise DataError(f"{path.name}: holds no MBO record of {symbol}")
    open_end = source.end_ns is None or (source.limit is not None and records >= source.limit)
    return RawInfo(
        sha256=sha256_file(path),
        bytes=path.stat().st_size,
        version=source.version,
        dataset=source.dataset,
        records=records,
        kept=kept,
        first_ts_ns=first_ns,
        last_ts_ns=last_ns,
        coverage_start_ns=source.start_ns,
        coverage_end_ns=last_ns if open_end or source.end_ns is None else source.end_ns,
        complete_start=bool(complete_start),
        n_bad_flags=n_bad_flags,
        instrument_ids=tuple(sorted(identity.ids)),
        symbol_source=identity.source,
        prices=prices,
        turns=tuple(turns) if len(turns) <= MAX_TURNS else None,
        days=_days(days, first_ns, last_ns),
    )


def _days(received: set[int], first_ns: int, last_ns: int) -> tuple[dt.date, ...]:
    """The UTC days of a file. The last record's, if no event is older: receive times may lie just beyond."""
    last = utc_date(last_ns)
    if first_ns >= utc_midnight_ns(last) - LATENESS_NS:
        return (last,)
    return tuple(sorted(utc_date(day * NS_PER_DAY) for day in received))


def _nearest(prices: np.ndarray, quoted: np.ndarray) -> np.ndarray:
    """At most MAX_PRICES of the sorted distinct prices: a run without gaps, about the middle of the records' own, so
    that far stub orders are not what is looked at."""
    if prices.size <= MAX_PRICES:
        return prices
    at = int(np.searchsorted(prices, np.median(quoted)))
    first = min(max(at - MAX_PRICES // 2, 0), prices.size - MAX_PRICES)
    return prices[first : first + MAX_PRICES]


def _begins_whole(records: np.ndarray) -> bool | None:
    """Whether the first record that changes the book clears it or opens a snapshot; None if none of them changes it."""
    changes = records[np.isin(records["action"], BOOK_CHANGING)]
    if not changes.size:
        return None
    return bool(changes["action"][0] == CLEAR or changes["flags"][0] & F_SNAPSHOT)
