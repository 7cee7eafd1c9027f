"""Rows of a sweep that is not finished: one Parquet file per few seconds of work, in a folder named by the sweep.

A sweep that was killed finds them and goes on; when its results are committed the folder goes. A file that cannot be
read, or whose pages are not those that were written, is passed over: its rows are counted again.
"""

from __future__ import annotations

import hashlib
import time

import pyarrow as pa
import pyarrow.parquet as pq

from vp_engine.lake import paths
from vp_engine.lake.objects import open_source
from vp_engine.lake.store import Lake

EVERY_S = 2.0  # at most this much work is lost


class SweepParts:
    """What is counted of one sweep. every_s: seconds between two files."""

    def __init__(self, lake: Lake, sweep_address: str, every_s: float = EVERY_S) -> None:
        self._lake, self._every_s = lake, every_s
        self._folder = lake.path(paths.parts_dir(sweep_address))
        self._waiting: list[pa.Table] = []
        self._since = time.monotonic()

    def read(self) -> pa.Table | None:
        """All rows that were kept, None where there are none."""
        found: list[pa.Table] = []
        for path in self._lake.entries(self._folder, "*.parquet"):
            try:
                table = pq.read_table(open_source(path), page_checksum_verification=True)
            except (OSError, pa.ArrowInvalid):
                continue
            if not found or table.schema.equals(found[0].schema):
                found.append(table)
        return pa.concat_tables(found) if found else None

    def add(self, part: pa.Table) -> None:
        """Some more rows; they are on disk when it is time for a file."""
        self._waiting.append(part)
        if time.monotonic() - self._since >= self._every_s:
            self.flush()

    def flush(self) -> None:
        """Write what waits. Named by the runs it holds, so two processes that do the same write the same."""
        if not self._waiting:
            return
        table = pa.concat_tables(self._waiting)
        name = hashlib.sha256("\n".join(table["run_id"].to_pylist()).encode()).hexdigest()[:16]
        with self._lake.commit_file(self._folder / f"{name}.parquet") as temporary:
            pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
        self._waiting, self._since = [], time.monotonic()
