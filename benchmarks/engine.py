"""Engine rates: decompression alone, book and kinetics, one bin's work, the whole chain from file to dataset."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import zstandard

from benchmarks import plain_twin
from benchmarks.plain_book import run_plain_book
from benchmarks.timing import Measure, measure, measure_prepared
from vp_engine.book.checkpoint import BookCheckpoint
from vp_engine.book.state import new_book
from vp_engine.engine import Engine, FileRecords
from vp_engine.feed import DbnFile
from vp_engine.feed.records import MBO_DTYPE
from vp_engine.field.kinetics import BLOCK_SLOTS, chain_at_nb
from vp_engine.field.tick_engine import OUT_OF_RECORDS, consume_nb
from vp_engine.jit import kernel
from vp_engine.lake import Lake
from vp_engine.lake.datasets import write_dataset
from vp_engine.sample import SampleSpec, sample_records, write_sample
from vp_engine.schema import BinBlock, empty_block
from vp_engine.specs import Capture, VPRuntimeConfig, load_instrument, resolve_capture
from vp_engine.spectrum.bins import write_grid_nb
from vp_engine.spectrum.rollup import sample_nb
from vp_engine.spectrum.scoring import SpectrumScorer
from vp_engine.stream import build_checkpoint, stream_events

WINDOW = ("09:25", "10:25")
PLAIN_RECORDS = 200_000
BUSY_ZSTD, BUSY_CHAIN = "busy data: zstd decompression alone", "busy data: raw .zst to committed dataset"
TABLES = ((10_000, 2_000_000), (1_000_000, 1_000_000))  # resting orders, events
BUSY_EVENTS_PER_S = 10_000  # a thousand a bin
BUSY_MINUTES = 5
_FIRST_BINS = """
import sys, time
began = time.perf_counter()
from pathlib import Path
from vp_engine.specs import load_instrument, resolve_capture
from vp_engine.stream import stream_events
config = load_instrument()
capture = resolve_capture(config, "2026-02-06", "09:25", "09:26")
minute = lambda: sum(block.bins.size for block in stream_events([Path(sys.argv[1])], config, capture))
imported = time.perf_counter()
minute()
first = time.perf_counter()
minute()
print(imported - began, first - imported, time.perf_counter() - first)
"""


class Day(NamedTuple):
    """The synthetic day on disk and what is needed to replay its hour."""

    config: VPRuntimeConfig
    raw: Path
    capture: Capture
    checkpoint: BookCheckpoint


def make_day(folder: Path) -> Day:
    """Write the default day below `folder`."""
    config, spec = load_instrument(), SampleSpec()
    raw = folder / "day.mbo.dbn.zst"
    write_sample(raw, spec)
    capture = resolve_capture(config, spec.day.isoformat(), *WINDOW)
    return Day(config, raw, capture, build_checkpoint(raw, config, capture))


def _decompress(path: Path) -> int:
    """Bytes after zstd, nothing else done; returns records."""
    size = 0
    with path.open("rb") as source, zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True) as out:
        while piece := out.read(1 << 20):
            size += len(piece)
    return size // MBO_DTYPE.itemsize


def _flowing(config: VPRuntimeConfig) -> Engine:
    """An engine over an empty book that tracks flow from the first record on."""
    engine = Engine(config, 0, new_book(config.n_absolute_ticks))
    engine.start_flow()
    return engine


def _consume(engine: Engine, records: np.ndarray) -> int:
    """Every record through book and kinetics, no bins."""
    at = 0
    while at < records.size:
        code, at = consume_nb(records, at, 1 << 62, engine.shape.tick_int, engine.state.ticks)
        if code != OUT_OF_RECORDS:
            engine.settle(code, FileRecords([], ""))
    return int(records.size)


def _loaded(config: VPRuntimeConfig, snapshot: np.ndarray) -> Engine:
    """An engine whose book holds the snapshot."""
    engine = _flowing(config)
    _consume(engine, snapshot)
    return engine


def events(day: Day) -> Iterator[Measure]:
    """Events a second: file, plain book, kernels."""
    config, source = day.config, DbnFile(day.raw)
    ids = source.instrument_ids(config.symbol)
    records = np.concatenate(list(source.batches(ids)))
    records.setflags(write=False)
    yield measure("zstd decompression alone", "events", lambda: _decompress(day.raw))
    yield measure("feed: file to record batches", "events", lambda: sum(b.size for b in DbnFile(day.raw).batches(ids)))
    yield measure("plain Python book", "events", lambda: _plain(records, config.tick_int), runs=3)
    yield from plain_twin.run(records, config)
    yield measure_prepared(
        "book and kinetics, sample day", "events", lambda: _flowing(config), lambda engine: _consume(engine, records)
    )
    for resting, n_events in TABLES:
        flow = sample_records(n_events, resting_orders=resting, churn_share=0.5)
        snapshot, after = flow[: flow.size - n_events], flow[flow.size - n_events :]
        for part in (snapshot, after):
            part.setflags(write=False)
        yield measure_prepared(
            f"book and kinetics, {resting:,} resting orders", "events",
            lambda snapshot=snapshot: _loaded(config, snapshot), lambda engine, after=after: _consume(engine, after),
        )  # fmt: skip


def _plain(records: np.ndarray, tick_int: int) -> int:
    part = records[:PLAIN_RECORDS]
    run_plain_book(part, tick_int)
    return int(part.size)


@kernel
def _repeat_bin_nb(n_bins, state, shape, spot, grid, state5, last_event_id):  # type: ignore[no-untyped-def]
    """Sample every slot and write the window, n_bins times; events moved every 16th block since the bin before."""
    for n in range(n_bins):
        state.ticks.kinetics.awake[:] = 1
        state.ticks.kinetics.moved[n & 15 :: 16] = 1
        sample_nb(state.rollup, state.ticks.kinetics, state.chain, state.forces, shape.dt_s)
        write_grid_nb(state, shape, spot, 4, grid, state5, last_event_id)


def _one_bin(day: Day) -> Measure:
    """Spectrum over every slot, all blocks awake, and the window's extraction: what one bin costs at the worst."""
    engine = Engine(day.config, day.capture.start_ns, day.checkpoint.restore(day.config.n_absolute_ticks))
    state = engine.state
    state.ticks.kinetics.sums[:] = np.random.default_rng(1).random(state.ticks.kinetics.sums.shape)
    chain_at_nb(state.ticks.kinetics, 1, state.chain)
    anchor = int(day.checkpoint.scalars["anchor"])
    block = empty_block(1, day.config.grid_radius_ticks)

    def work() -> int:
        _repeat_bin_nb(1000, state, engine.shape, anchor, block.grid[:, 0], block.state5[0], block.last_event_id[0])
        return 1000

    n_slots = BLOCK_SLOTS * state.ticks.kinetics.awake.size
    return measure(f"spectrum over {n_slots:,} slots and window extraction", "bins", work)


def bins(day: Day) -> Iterator[Measure]:
    """Bins a second: one bin's work, scoring, the chain to memory and to a committed dataset."""
    config, capture = day.config, day.capture
    yield _one_bin(day)

    def stream() -> Iterator[BinBlock]:
        return iter(stream_events([day.raw], config, capture, day.checkpoint))

    blocks = list(stream())

    def score(scorer: SpectrumScorer) -> int:
        for block in blocks:
            scorer.update(block)
        return capture.n_bins

    yield measure_prepared("scoring 101 cells x 3 channels", "bins", lambda: SpectrumScorer(config), score)
    blocks.clear()
    yield measure("raw .zst to bins in memory", "bins", lambda: sum(block.bins.size for block in stream()))

    yield measure("raw .zst to committed dataset", "bins", lambda: _dataset(day))


def _dataset(day: Day) -> int:
    """The day's capture, committed to a lake that goes away again; returns its bins."""
    with tempfile.TemporaryDirectory(dir=day.raw.parent) as root:
        source = stream_events([day.raw], day.config, day.capture, day.checkpoint)
        write_dataset(
            Lake(root), source, config=day.config, capture=day.capture, pipeline="bench", address="0" * 64,
            inputs={}, counters=lambda: source.counters,
        )  # fmt: skip
    return day.capture.n_bins


def busy(folder: Path) -> Iterator[Measure]:
    """A thousand events a bin: decompression alone, and the chain to a committed dataset."""
    end = dt.datetime(2026, 2, 6, 9, 30) + dt.timedelta(minutes=BUSY_MINUTES)
    spec = SampleSpec(start=dt.time(9, 30), end=end.time(), events_per_s=float(BUSY_EVENTS_PER_S))
    config, raw = load_instrument(), folder / "busy.mbo.dbn.zst"
    write_sample(raw, spec)
    capture = resolve_capture(config, spec.day.isoformat(), "09:30", f"{end:%H:%M}")
    day = Day(config, raw, capture, build_checkpoint(raw, config, capture))
    yield measure(BUSY_ZSTD, "events", lambda: _decompress(raw))
    yield measure(BUSY_CHAIN, "bins", lambda: _dataset(day))


def first_call(day: Day) -> Iterator[Measure]:
    """Starts of a process with the kernels in the cache: imports, and what the first minute of bins costs more than
    the second time it is asked for, which is loading compiled code."""
    runs = []
    for _ in range(4):
        ran = subprocess.run([sys.executable, "-c", _FIRST_BINS, day.raw], capture_output=True, text=True, check=True)
        runs.append([float(word) for word in ran.stdout.split()])
    imports, first, again = np.array(runs[1:]).T
    for name, seconds in (("imports of the engine", imports), ("first call, warm kernel cache", first - again)):
        low, middle, high = np.sort(seconds)
        yield Measure(name, "starts", 1, float(middle), float(low), float(high), 3)


def run() -> Iterator[Measure]:
    """Rows in the order of the engine."""
    with tempfile.TemporaryDirectory() as folder:
        day = make_day(Path(folder))
        yield from events(day)
        yield from bins(day)
        yield from busy(Path(folder))
        yield from first_call(day)
