"""The latency log: one JSON line per bin sent inside an Eastern time window, and a summary line every N bins.

It is the only thing the service writes. Lag is from a bin's deadline to its write, in ms.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from vp_engine.units import ns_to_et, parse_clock
from vp_serving.settings import LatencyLog
from vp_serving.wire.frames import Frame


class LatencyWriter:
    """Appends to the file of one service; connections share it on the event loop."""

    def __init__(self, settings: LatencyLog) -> None:
        self._start = parse_clock(settings.start_et) if settings.start_et else None
        self._end = parse_clock(settings.end_et) if settings.end_et else None
        self._every = settings.summary_every_bins
        self._file = settings.path.open("a", buffering=1 << 16)
        self._lags_ms: list[float] = []
        self._skipped = 0

    def add(self, frame: Frame, lag_s: float, queued: int, skipped: int) -> None:
        """Note one bin that was sent."""
        clock = ns_to_et(frame.ts_ns).time()
        if (self._start and clock < self._start) or (self._end and clock >= self._end):
            return
        lag_ms = round(lag_s * 1000, 3)
        self._line(type="bin", bin_seq=frame.bin_seq, ts_ns=str(frame.ts_ns), lag_ms=lag_ms, queued=queued)
        self._lags_ms.append(lag_ms)
        self._skipped += skipped
        if len(self._lags_ms) >= self._every:
            self._summary()

    def close(self) -> None:
        """Write what is left and close the file."""
        if self._lags_ms:
            self._summary()
        self._file.close()

    def _summary(self) -> None:
        p50, p95, p99, worst = np.percentile(self._lags_ms, (50, 95, 99, 100)).round(3).tolist()
        self._line(
            type="summary", bins=len(self._lags_ms), dropped=self._skipped,
            lag_ms_p50=p50, lag_ms_p95=p95, lag_ms_p99=p99, lag_ms_max=worst,
        )  # fmt: skip
        self._lags_ms.clear()
        self._skipped = 0
        self._file.flush()

    def _line(self, **values: Any) -> None:
        self._file.write(json.dumps(values, separators=(",", ":")) + "\n")
