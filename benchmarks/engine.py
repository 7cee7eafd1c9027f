"""Engine rates on one synthetic day: decompression alone, book and kinetics, bins, the whole chain to a dataset."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import zstandard

from benchmarks.plain_book import run_plain_book
from benchmarks.timing import Measure, measure
from vp_engine.book.state import (
    new_book,
)
from vp_engine.feed import DbnFile
from vp_engine.field.tick_engine import FLOW_ON
from vp_engine.lake import Lake
from vp_engine.lake.datasets import write_dataset
from vp_engine.sample import SampleSpec, write_sample
from vp_engine.specs import load_instrument, resolve_capture
from vp_engine.spectrum.scoring import SpectrumScorer
from vp_engine.stream import _Chain, build_checkpoint, consume_nb, stream_events

WINDOW = ("09:25", "10:25")
PLAIN_RECORDS = 200_000


def _decompress(path: Path) -> int:
    """Bytes after zstd, nothing else done; returns records."""
    size = 0
    with path.open("rb") as source, zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True) as out:
        while piece := out.read(1 << 20):
            size += len(piece)
    return size // 56


def _book_and_kinetics(records: np.ndarray) -> int:
    """Every record through book and kinetics, no bins."""
    config = load_instrument()
    chain = _Chain(config, 0, new_book(config.n_absolute_ticks))
    chain.state.ticks.tally[FLOW_ON] = 1
    at = 0
    while at < records.size:
        code, at = consume_nb(records, at, 1 << 62, config.tick_int, chain.state.ticks)
        chain.settle(code, None)
    return int(records.size)


def run() -> Iterator[Measure]:
    """Rows in the order of the chain."""
    config = load_instrument()
    spec = SampleSpec()
    capture = resolve_capture(config, spec.day.isoformat(), *WINDOW)
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "day.mbo.dbn.zst"
        write_sample(raw, spec)
        source = DbnFile(raw)
        ids = source.instrument_ids(config.symbol)
        records = np.concatenate(list(source.batches(ids)))
        records.setflags(write=False)
        checkpoint = build_checkpoint(raw, config, capture)

        yield measure("zstd decompression alone", "events", lambda: _decompress(raw))
        yield measure("feed: file to record batches", "events", lambda: sum(b.size for b in DbnFile(raw).batches(ids)))
        yield measure("plain Python book", "events", lambda: _plain(records, config.tick_int), runs=3, warm=False)
        yield measure("book and kinetics", "events", lambda: _book_and_kinetics(records))

        blocks = list(stream_events([raw], config, capture, checkpoint))

        def bins() -> int:
            return sum(block.bins.size for block in stream_events([raw], config, capture, checkpoint))

        yield measure("raw .zst to bins in memory", "bins", bins)

        def score() -> int:
            scorer = SpectrumScorer(config)
            for block in blocks:
                scorer.update(block)
            return capture.n_bins

        yield measure("scoring 101 cells x 3 channels", "bins", score)

        def dataset() -> int:
            with tempfile.TemporaryDirectory(dir=folder) as root:
                stream = stream_events([raw], config, capture, checkpoint)
                write_dataset(
                    Lake(root), stream, config=config, capture=capture, pipeline="bench", address="0" * 64,
                    inputs={}, counters=lambda: stream.counters,
                )  # fmt: skip
            return capture.n_bins

        yield measure("raw .zst to committed dataset", "bins", dataset, runs=3)


def _plain(records: np.ndarray, tick_int: int) -> int:
    part = records[:PLAIN_RECORDS]
    run_plain_book(part, tick_int)
    return int(part.size)


def today() -> str:
    """Date of the run."""
    return dt.datetime.now(dt.UTC).date().isoformat()
