"""A day that was recorded live becomes a raw day of source `live`: compressed, read to its end, committed.

A bought day of the same date has the better word wherever raw days are looked for.
"""

from __future__ import annotations

import datetime as dt
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import zstandard

from vp_engine.feed import F_SNAPSHOT, DbnFile
from vp_engine.lake import Lake, import_raw
from vp_engine.lake.raw import Imported
from vp_engine.lake.store import temporary_name
from vp_engine.specs import VPRuntimeConfig

SOURCE = "live"


def commit_day(lake: Lake, config: VPRuntimeConfig, path: Path, day: dt.date) -> Imported:
    """Take a finished recording into the lake and delete it; DataError leaves it where it is."""
    compressed = path.with_name(temporary_name(path.name + ".zst"))
    try:
        with path.open("rb") as source, compressed.open("wb") as target:
            zstandard.ZstdCompressor(write_checksum=True).copy_stream(source, target)
        taken = import_raw(lake, config, compressed, SOURCE, day=day, condition=_condition(path), replace=True)
    finally:
        compressed.unlink(missing_ok=True)
    path.unlink()
    return taken


def _condition(path: Path) -> str:
    """What a reader of the manifest should know: when the recording begins, how often the line was lost."""
    gaps, first_ns = 0, 0
    for batch in DbnFile(path).batches():
        first_ns = first_ns or int(batch["ts_recv"][0])
        made = (batch["sequence"] == 0) & ((batch["flags"] & F_SNAPSHOT) == 0)
        gaps += int((made & (batch["action"] == ord("R"))).sum())
    begins = np.datetime64(first_ns, "ns").astype("datetime64[s]").item()
    return f"recorded from {begins:%H:%M:%S} UTC, {gaps} gaps"


class DayCommitter:
    """Commits on a thread of its own, so that the line is read on meanwhile. `close` waits and raises what failed."""

    def __init__(self, lake: Lake, config: VPRuntimeConfig) -> None:
        self._lake, self._config = lake, config
        self._worker = ThreadPoolExecutor(1, "commit-day")
        self._under_way: list[Future[Imported]] = []

    def __call__(self, path: Path, day: dt.date) -> None:
        """Take this finished day."""
        self._under_way.append(self._worker.submit(commit_day, self._lake, self._config, path, day))

    def close(self) -> list[Imported]:
        """What came in."""
        self._worker.shutdown()
        return [one.result() for one in self._under_way]
