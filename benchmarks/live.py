"""What a live line carries: records a second from a loopback gateway through the vendor's client, the day's file and
the engine to bins, beside a replay of the file that this leaves.

`python -m benchmarks.live [--records N]`. The gateway sends as fast as it is read; the quotient is the honest figure.
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.assets.gateway.days import SYMBOL, orders, snapshot
from tests.assets.gateway.live import LiveGateway, mapping
from tests.assets.gateway.server import KEY
from vp_engine.feed.live import LiveFeed
from vp_engine.live import LiveSession
from vp_engine.specs import Capture, load_instrument
from vp_engine.stream import stream_events

PER_SECOND = 20_000  # records of market time: a busy second of a liquid contract
TIMEOUT_S = 120.0


class Speed(NamedTuple):
    """Records a second, live and replayed; bins that both closed; live records that came late."""

    live: float
    replayed: float
    bins: int
    late: int


def traffic(n: int, start_ns: int) -> np.ndarray:
    """n records: an order comes and goes, PER_SECOND of market time. MBO_DTYPE (n,)."""
    made = orders(start_ns + np.arange(n) * (10**9 // PER_SECOND), 1_000, 1)
    made["order_id"] = 1_000 + np.arange(n) // 2
    made["action"][1::2] = ord("C")
    for name in ("side", "price", "size"):
        made[name][1::2] = made[name][::2]
    return made


def measure(n: int, folder: Path) -> Speed:
    """One session over n records, then the replay of its file."""
    config, begin = load_instrument(), time.time_ns()
    start = begin // 10**9 * 10**9
    seconds = n // PER_SECOND + 1
    today = dt.datetime.now(dt.UTC).date()
    capture = Capture(SYMBOL, today, start, start + seconds * 10**9, start - 1_800 * 10**9, config.bin_ns)
    gateway = LiveGateway(today, [mapping(begin), snapshot(begin, n=20), traffic(n, begin).tobytes(), None])
    feed = LiveFeed(KEY, config.dataset, SYMBOL, "127.0.0.1", gateway.port)
    session = LiveSession(feed, folder, config, capture, lambda block: None)
    last = time.perf_counter() + TIMEOUT_S
    began = time.perf_counter()
    session.run(lambda: session.status.records >= n + 20 or time.perf_counter() > last)
    live = session.status.records / (time.perf_counter() - began)
    gateway.close()
    (file,) = folder.glob("*.dbn")
    began = time.perf_counter()
    bins = sum(block.bins.size for block in stream_events([file], config, capture))
    return Speed(live, n / (time.perf_counter() - began), bins, session.status.late)


def main() -> None:
    """Warm the kernels, then measure once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=500_000)
    n = parser.parse_args().records
    for size in (2 * PER_SECOND, n):
        with tempfile.TemporaryDirectory() as folder:
            speed = measure(size, Path(folder))
    print(f"live {speed.live:,.0f} records/s, {speed.late} late; replay {speed.replayed:,.0f} records/s "
          f"({speed.replayed / speed.live:.1f} x), {speed.bins} bins")  # fmt: skip


if __name__ == "__main__":
    main()
