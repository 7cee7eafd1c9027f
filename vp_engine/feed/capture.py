"""What a raw file holds: one pass that admits it or says why not."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from vp_engine.errors import DataError
from vp_engine.feed.dbn import DbnFile
from vp_engine.feed.records import F_BAD_TS_RECV, F_SNAPSHOT
from vp_engine.feed.symbols import SymbolSource
from vp_engine.hashing import sha256_file
from vp_engine.units import UNDEF_PRICE

CLEAR = ord("R")
BOOK_CHANGING = np.frombuffer(b"ACMR", np.uint8)
PRICED = np.frombuffer(b"AM", np.uint8)
MAX_PRICES = 4096  # distinct ones that a scan keeps


class RawInfo(NamedTuple):
    """Facts of one raw file. Times in ns UTC on the event clock; all counts but `records` are of the locked symbol.

    coverage_start_ns, coverage_end_ns: what the file holds whole, before it is cut to its day. complete_start: the book
    is known from the first record on. symbol_source: how the contract's instrument ids are known. prices: distinct
    prices of adds and modifies, int64 in 1e-9 $, at most MAX_PRICES of them.
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
    )


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
