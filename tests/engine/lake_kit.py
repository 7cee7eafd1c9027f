"""What the lake's tests share: blocks of random bins, small DBN files, and a writer that runs in its own process."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import databento_dbn
import numpy as np
import zstandard

from vp_engine.feed import F_LAST, F_SNAPSHOT, MBO_DTYPE
from vp_engine.lake import DatasetInfo, Lake, write_dataset
from vp_engine.schema import BinBlock, empty_block
from vp_engine.specs import Capture, VPRuntimeConfig, build_config_with_overrides, load_instrument, resolve_capture

DAY = dt.date(2026, 2, 6)
DAY_NS = int(dt.datetime(2026, 2, 6, tzinfo=dt.UTC).timestamp()) * 10**9
ADDRESS = "0123456789abcdef" * 4
NAME = "MNQH6_20260206_0930_0934__random__0123456789ab"


def at_once(writers: int, work: Callable[[int], object]) -> list[Exception]:
    """Call work(0), work(1), … in threads that begin together; what they raised."""
    barrier, errors = threading.Barrier(writers), list[Exception]()

    def one(number: int) -> None:
        try:
            barrier.wait()
            work(number)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def small_config(**overrides: object) -> VPRuntimeConfig:
    """The packaged instrument with a grid of 11 rows."""
    return build_config_with_overrides(load_instrument(), {"grid_radius_ticks": 5, **overrides})


def small_capture(config: VPRuntimeConfig) -> Capture:
    """Four minutes: 2,400 bins, two row groups and a part."""
    return resolve_capture(config, DAY, "09:30", "09:34")


def random_bins(config: VPRuntimeConfig, capture: Capture, seed: int = 1) -> BinBlock:
    """Every bin of the capture: any finite float32 (zeros, subnormals and both signs of zero too), any integer."""
    rng = np.random.default_rng(seed)
    block = empty_block(capture.n_bins, config.grid_radius_ticks)
    bits = rng.integers(0, 2**32, block.grid.shape, dtype=np.uint32)
    floats = bits.view(np.float32)
    block.grid[...] = np.where(np.isfinite(floats), floats, np.float32(0))
    block.grid[:, ::3] = 0
    block.state5[...] = rng.integers(-2, 3, block.state5.shape)
    block.last_event_id[...] = rng.integers(0, 2**62, block.last_event_id.shape)
    for name in block.bins.dtype.names:
        kind = block.bins.dtype[name]
        if kind.kind == "f":
            block.bins[name] = rng.standard_normal(capture.n_bins)
        else:
            limits = np.iinfo(kind)
            block.bins[name] = rng.integers(limits.min // 4, limits.max // 4, capture.n_bins, dtype=kind)
    block.bins["bin_seq"] = np.arange(capture.n_bins)
    block.bins["bin_start_ns"] = capture.start_ns + np.arange(capture.n_bins) * capture.bin_ns
    block.bins["book_valid"] = rng.integers(0, 2, capture.n_bins)
    for name in ("bin_event_count", "trade_count", "buy_volume", "sell_volume"):
        block.bins[name] = rng.integers(0, 50, capture.n_bins)
    return block


def parts(block: BinBlock, size: int) -> Iterator[BinBlock]:
    """The block in pieces of `size` bins."""
    for first in range(0, len(block.bins), size):
        yield block.part(first, min(first + size, len(block.bins)))


def write_random(
    lake: Lake, *, seed: int = 1, size: int = 600, address: str = ADDRESS, inputs: dict[str, object] | None = None
) -> DatasetInfo:
    """A committed dataset of random bins."""
    config = small_config()
    capture = small_capture(config)
    return write_dataset(
        lake,
        parts(random_bins(config, capture, seed), size),
        config=config,
        capture=capture,
        pipeline="random",
        address=address,
        inputs=inputs or {"raw": ["a" * 64], "book": "b" * 64},
        counters=lambda: {"off_grid": 3},
    )


def same_block(one: BinBlock, other: BinBlock) -> bool:
    """Equal in every bit (but for the padding between bin fields)."""
    arrays = zip(one[1:], other[1:], strict=True)
    return same_bins(one.bins, other.bins) and all(a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in arrays)


def same_bins(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal in every bit of every field."""
    return one.dtype == other.dtype and all(one[name].tobytes() == other[name].tobytes() for name in one.dtype.names)


def in_process(code: str, *args: str) -> subprocess.Popen[str]:
    """Python code in a process of its own, with this module importable and pipes to both ends."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


def dbn_file(
    path: Path,
    *,
    symbol: str = "MNQH6",
    dataset: str = "GLBX.MDP3",
    first_ns: int = DAY_NS,
    step_ns: int = 10**9,
    n: int = 100,
    seed: int = 0,
) -> Path:
    """A day of n Adds, the first ten of them a snapshot; zstd if the name ends in .zst."""
    start = np.datetime64(first_ns, "ns").astype("datetime64[D]").astype(object)
    interval = SimpleNamespace(start_date=start, end_date=start + dt.timedelta(days=1), symbol="42")
    head = databento_dbn.Metadata(
        dataset=dataset, start=first_ns, end=first_ns + 86_400 * 10**9, stype_in=databento_dbn.SType.RAW_SYMBOL,
        stype_out=databento_dbn.SType.INSTRUMENT_ID, schema=databento_dbn.Schema.MBO, symbols=[symbol],
        mappings=[SimpleNamespace(raw_symbol=symbol, intervals=[interval])], version=3,
    ).encode()  # fmt: skip
    records = np.zeros(n, MBO_DTYPE)
    records["length"], records["rtype"], records["instrument_id"] = 14, 160, 42
    records["ts_event"] = records["ts_recv"] = first_ns + step_ns * np.arange(n)
    records["ts_event"][:10] -= 10**12
    records["order_id"], records["price"], records["size"] = 1 + np.arange(n), 20_000 * 10**9, 1 + seed
    records["action"], records["side"], records["flags"] = ord("A"), ord("B"), F_LAST
    records["flags"][:10] = F_SNAPSHOT
    data = bytes(head) + records.tobytes()
    path.write_bytes(zstandard.ZstdCompressor().compress(data) if path.suffix == ".zst" else data)
    return path
