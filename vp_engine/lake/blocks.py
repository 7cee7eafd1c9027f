"""Blocks of bins to Parquet and back, in row groups of whole bins. The same bins give the same bytes.

`bins.parquet` has one row per bin; `grid_clean.parquet` one row per bin and k, k rising inside a bin, so a column
reshapes to (n_bins, rows). Zstd level 1; floats are byte-stream-split, which integers cannot be for DuckDB's sake.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vp_engine.arrow import arrow_array, numpy_array
from vp_engine.errors import DataError, LakeError
from vp_engine.lake.objects import open_source, said
from vp_engine.lake.paths import BINS_FILE, GRID_FILE
from vp_engine.lake.store import LakePath
from vp_engine.schema import (
    BIN_FIELDS,
    GRID_F32_NAMES,
    GRID_STORED,
    SCHEMA_VERSION,
    BinBlock,
    Field,
    arrow_schema,
    empty_block,
)

ROW_GROUP_BINS = 1000
BLOCK_FIELDS = (*GRID_F32_NAMES, "state5_code", "last_event_id")
_DICTIONARY = ("k", "bin_seq", "state5_code", "book_valid")  # few values, long runs
_SORTED = ("bin_seq", "bin_start_ns", "event_id")  # statistics only where a reader can skip by them


def stored_schema(fields: Sequence[Field]) -> pa.Schema:
    """Arrow schema of a stored file, with the version that readers check."""
    return arrow_schema(fields).with_metadata({"spymaster.schema_version": str(SCHEMA_VERSION)})


def parquet_writer(path: Path, fields: Sequence[Field]) -> pq.ParquetWriter:
    """A writer whose bytes depend on the rows and their grouping alone."""
    names = [field.name for field in fields]
    dictionary = [name for name in names if name in _DICTIONARY]
    encoding = {
        field.name: "BYTE_STREAM_SPLIT" if field.dtype.startswith("f") else _integer_encoding(field)
        for field in fields
        if field.name not in dictionary
    }
    return pq.ParquetWriter(
        path,
        stored_schema(fields),
        version="2.6",
        compression="zstd",
        compression_level=1,
        use_dictionary=dictionary,
        column_encoding=encoding,
        write_statistics=[name for name in names if name in _SORTED],
        write_page_checksum=True,
        data_page_version="1.0",
        store_schema=True,
    )


def _integer_encoding(field: Field) -> str:
    """Differences for counters and times, plain for the narrow codes."""
    return "DELTA_BINARY_PACKED" if field.dtype in ("i4", "i8") else "PLAIN"


def bins_table(block: BinBlock) -> pa.Table:
    """Rows of bins.parquet."""
    arrays = [arrow_array(block.bins[field.name]) for field in BIN_FIELDS]
    return pa.Table.from_arrays(arrays, schema=stored_schema(BIN_FIELDS))


def grid_table(block: BinBlock) -> pa.Table:
    """Rows of grid_clean.parquet."""
    n_bins, rows = block.state5.shape
    radius = rows // 2
    keys = {
        "bin_seq": np.repeat(block.bins["bin_seq"], rows),
        "k": np.tile(np.arange(-radius, radius + 1, dtype=np.int32), n_bins),
    }
    arrays = [arrow_array(keys[field.name] if field.name in keys else block.field(field.name)) for field in GRID_STORED]
    return pa.Table.from_arrays(arrays, schema=stored_schema(GRID_STORED))


def regrouped(blocks: Iterable[BinBlock], radius: int, size: int, n_buffers: int = 1) -> Iterator[BinBlock]:
    """The same bins in blocks of `size` (the last may be shorter).

    A yielded block is overwritten `n_buffers` blocks later.
    """
    buffers = [empty_block(size, radius) for _ in range(n_buffers)]
    turn = filled = 0
    for block in blocks:
        taken, n_bins = 0, len(block.bins)
        while taken < n_bins:
            count = min(size - filled, n_bins - taken)
            target, source = buffers[turn].part(filled, filled + count), block.part(taken, taken + count)
            for into, values in zip(target, source, strict=True):
                into[...] = values
            filled += count
            taken += count
            if filled == size:
                yield buffers[turn]
                turn, filled = (turn + 1) % n_buffers, 0
    if filled:
        yield buffers[turn].part(0, filled)


class BlockWriter:
    """Writes row groups in a thread of its own (zstd releases the GIL) while the caller computes the next one.

    Counts what it has seen: n_bins, n_valid, n_events, n_trades, volume.
    """

    def __init__(self, folder: Path, radius: int, start_ns: int, bin_ns: int) -> None:
        self.radius = radius
        self.start_ns, self.bin_ns = start_ns, bin_ns
        self.n_bins = self.n_valid = self.n_events = self.n_trades = self.volume = 0
        self._bins = parquet_writer(folder / BINS_FILE, BIN_FIELDS)
        self._grid = parquet_writer(folder / GRID_FILE, GRID_STORED)

    def write(self, blocks: Iterable[BinBlock]) -> None:
        """Write every block; DataError if bins are missing, repeated or not finite. Holds two row groups."""
        pending: Future[None] | None = None
        with ThreadPoolExecutor(1, thread_name_prefix="parquet") as pool:
            try:
                for group in regrouped(blocks, self.radius, ROW_GROUP_BINS, n_buffers=3):
                    self._count(group)
                    if pending is not None:
                        pending.result()
                    pending = pool.submit(self._write_group, group)
                if pending is not None:
                    pending.result()
            finally:
                pool.shutdown(wait=True)
                self._bins.close()
                self._grid.close()

    def _write_group(self, group: BinBlock) -> None:
        self._bins.write_table(bins_table(group), row_group_size=ROW_GROUP_BINS)
        self._grid.write_table(grid_table(group), row_group_size=ROW_GROUP_BINS * group.state5.shape[1])

    def _count(self, group: BinBlock) -> None:
        bins = group.bins
        expected = np.arange(self.n_bins, self.n_bins + len(bins))
        if not np.array_equal(bins["bin_seq"], expected):
            raise DataError(f"bins are not contiguous: expected {self.n_bins}, found {bins['bin_seq'][0]}")
        if not np.array_equal(bins["bin_start_ns"], self.start_ns + expected * self.bin_ns):
            raise DataError(f"bin {self.n_bins} or one after it does not start where the capture says")
        if not np.isfinite(group.grid).all():
            field, row, _ = (int(at[0]) for at in np.nonzero(~np.isfinite(group.grid)))
            raise DataError(f"`{GRID_F32_NAMES[field]}` is not finite in bin {self.n_bins + row}")
        self.n_bins += len(bins)
        self.n_valid += int(bins["book_valid"].sum())
        self.n_events += int(bins["bin_event_count"].sum())
        self.n_trades += int(bins["trade_count"].sum())
        self.volume += int(bins["buy_volume"].sum() + bins["sell_volume"].sum())


def open_parquet(path: LakePath, metadata: pq.FileMetaData | None = None) -> pq.ParquetFile:
    """A stored file to read from, pages checked as they are read; LakeError if it is no Parquet file.

    Of an object the ranges that hold the wanted columns are fetched. A local file is read, not mapped: reading a mapped
    file that was cut short meanwhile ends the process (SIGBUS), with every other stream of a service.
    """
    try:
        with said(path, OSError, pa.ArrowException):
            return pq.ParquetFile(
                open_source(path),
                metadata=metadata,
                memory_map=False,
                pre_buffer=not isinstance(path, Path),
                page_checksum_verification=True,
            )
    except (OSError, pa.ArrowInvalid) as error:
        raise LakeError(f"{path}: cannot be read as Parquet ({_one_line(error)})") from None


def read_group(file: pq.ParquetFile, path: LakePath, group: int | None, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Columns of one row group, or of all if it is None, as flat arrays; LakeError if a page does not match its
    checksum."""
    columns = list(names)
    try:
        with said(path, OSError, pa.ArrowException):
            table = file.read(columns) if group is None else file.read_row_group(group, columns)
    except (OSError, pa.ArrowInvalid, pa.ArrowException) as error:
        which = "a row group" if group is None else f"row group {group}"
        raise LakeError(f"{path}: {which} is damaged ({_one_line(error)}); generate it again") from None
    return {name: numpy_array(table.column(name)) for name in names}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
