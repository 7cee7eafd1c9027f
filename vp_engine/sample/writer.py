"""Synthetic days as DBN version 3 files, compressed with zstd: what a download of the same day would look like.

The file appears under its name only when it is whole. One spec gives the same bytes every time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import zstandard

from vp_engine.errors import DataError
from vp_engine.feed.header import day_header
from vp_engine.feed.symbols import path_name
from vp_engine.sample.market import sample_day
from vp_engine.sample.spec import DATASET, SampleSpec

SAMPLE_CODE_VERSION = "1"  # changes with the bytes that a spec gives
_ZSTD_LEVEL = 3
_ZSTD_THREADS = 2  # a fixed number: the bytes depend on it


class SampleInfo(NamedTuple):
    """A file written: records with those of the snapshot, its orders, event times in UTC ns, bytes, seconds it took."""

    path: Path
    records: int
    snapshot_orders: int
    first_ts_ns: int
    last_ts_ns: int
    bytes: int
    seconds: float


def sample_file_name(spec: SampleSpec) -> str:
    """Vendor's pattern with the contract: GLBX.MDP3-20260206.MNQH6.mbo.dbn.zst."""
    return f"{DATASET}-{spec.day:%Y%m%d}.{path_name(spec.symbol)}.mbo.dbn.zst"


def write_sample(path: Path, spec: SampleSpec, on_progress: Callable[[float], None] | None = None) -> SampleInfo:
    """Write the day to `path` (.dbn.zst), atomically; an older file there is replaced.

    on_progress gets the share of records' expected number, 0 to 1. DataError if the folder cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    started = time.perf_counter()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as target:
                records, snapshot_orders, first_ts_ns, last_ts_ns = _write_records(target, spec, on_progress)
                target.flush()
                os.fsync(target.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error
    seconds = time.perf_counter() - started
    return SampleInfo(path, records, snapshot_orders, first_ts_ns, last_ts_ns, path.stat().st_size, seconds)


def _write_records(
    target: BinaryIO, spec: SampleSpec, on_progress: Callable[[float], None] | None
) -> tuple[int, int, int, int]:
    """Header and records through zstd; returns (records, snapshot orders, first and last event time in the file)."""
    expected = spec.resting_orders + float(spec.rates().sum())
    compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, threads=_ZSTD_THREADS, write_checksum=True)
    records = snapshot_orders = first_ts_ns = last_ts_ns = 0
    with compressor.stream_writer(target, closefd=False) as out:
        out.write(day_header(DATASET, spec.symbol, spec.day, spec.instrument_id))
        for batch in sample_day(spec):
            if records == 0:
                snapshot_orders = batch.size - 1
                first_ts_ns = int(batch["ts_recv"][0])
            last_ts_ns = int(batch["ts_event"][-1])
            records += batch.size
            out.write(batch.view(np.uint8).data)
            if on_progress is not None:
                on_progress(min(records / expected, 1.0))
    return records, snapshot_orders, first_ts_ns, last_ts_ns


def _sync_folder(folder: Path) -> None:
    """Make a rename in the folder last."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
