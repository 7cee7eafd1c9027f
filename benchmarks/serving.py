"""The stream: bins a second to one client, many clients on time, what a bin costs and where that goes, memory.

`python -m benchmarks.serving [--lake DIR]` prints the rows alone; the lake is made in a temporary folder when none is
given. The service, its clients and this process are separate; all share the machine's cores.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.service import ROOT, Service, running
from benchmarks.stream_clients import Seen
from benchmarks.timing import RUNS, Measure, machine
from vp_engine.lake import Dataset, Lake, list_datasets
from vp_engine.schema import BinBlock
from vp_engine.specs import SpecBook, load_instrument
from vp_serving.client import StreamClient
from vp_serving.replay.hub import BLOCK_BINS
from vp_serving.replay.scorer import BinScorer, SignalRunner
from vp_serving.wire.frames import FrameEncoder

SERVING, PIPELINE = "derivative_baseline", "mnq_60m_baseline"
FIRST, AGAIN = "stream at speed 0, one client", "the same bins once more, which are still held"
DECODED = "processor time: a client's, decoding all"
READ, SCORE = "processor time: dataset to bins", "processor time: scores, state model, signal"
ARROW, FRAMES = "processor time: grids to Arrow", "processor time: bins to messages, JSON and Arrow"
FAST_BINS, FAST_MOST_S, PLACES = 8000, 30.0, (600, 10_600, 20_600)  # each run where no bin was asked for before
CLIENTS, PROCESSES, PACED_S = 50, 2, 30.0
LATE_P99_MS, FAST_BINS_PER_S = 20, 2000  # what is aimed at
COST_BINS, FIRST_FIRING = 6000, 300


class Fast(NamedTuple):
    """One client at speed 0: bins and seconds of each run, processor µs of the service per bin over all runs."""

    runs: list[tuple[int, float]]
    cpu_us: float

    def row(self, name: str) -> Measure:
        """The runs as one row, over the number of bins of one run."""
        low, *_, high = each = sorted(seconds / bins for bins, seconds in self.runs)
        amount = self.runs[0][0]
        return Measure(name, "bins", amount, amount * each[len(each) // 2], amount * low, amount * high, len(each))


class Paced(NamedTuple):
    """Many clients at speed 1: lateness of every bin in ms, bins, drops; MB of the service before and with them; cores
    it kept busy."""

    late_ms: list[float]
    bins: int
    dropped: int
    before_mb: float
    with_mb: float
    cores: float


def make_lake(folder: Path) -> Path:
    """A lake with the synthetic day and the hour that the baseline specs name, by the commands a user has."""
    for words in (("sample",), ("generate", PIPELINE)):
        subprocess.run(
            [sys.executable, "-m", "vp_assets.cli", *words], check=True, capture_output=True, cwd=ROOT,
            env=dict(os.environ) | {"VP_LAKE_ROOT": str(folder)},
        )  # fmt: skip
    return folder


class Clients:
    """A process of clients under way."""

    def __init__(self, service: Service, query: str, count: int, seconds: float, bins: int = 10**9) -> None:
        most = (str(count), str(seconds), str(bins))
        command = [sys.executable, "-m", "benchmarks.stream_clients", service.url, f"serving={SERVING}&{query}", *most]
        self._told = tempfile.TemporaryFile("w+")  # noqa: SIM115  a pipe would fill before it is read
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=self._told)
        self._give_up_s = seconds + 60.0

    def over(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def seen(self) -> Seen:
        """What the clients saw, once they are done."""
        try:
            if self._process.wait(self._give_up_s):
                raise RuntimeError("the clients failed")
        finally:
            self._process.kill()
        self._told.seek(0)
        return Seen(*json.load(self._told))


def fast(service: Service, places: Sequence[int]) -> Fast:
    """Bins as fast as one client takes them, from each of these places."""
    began = service.cpu_s()
    seen = [Clients(service, f"speed=0&from_bin={at}", 1, FAST_MOST_S, FAST_BINS).seen() for at in places]
    # What was written and not read, since the client went, is counted by the service alone: a few dozen bins a run.
    return Fast([(one.bins, one.seconds) for one in seen], 1e6 * (service.cpu_s() - began) / (len(seen) * FAST_BINS))


def paced(service: Service, count: int = CLIENTS, seconds: float = PACED_S) -> Paced:
    """Clients of one replay at market speed, each from the start, in two processes."""
    before, began = service.resident_mb(), service.cpu_s()
    groups = [Clients(service, "speed=1", count // PROCESSES, seconds) for _ in range(PROCESSES)]
    held = before
    give_up = time.monotonic() + seconds + 60
    while not all(group.over() for group in groups) and time.monotonic() < give_up:
        held = max(held, service.resident_mb())
        time.sleep(0.5)
    seen = [group.seen() for group in groups]
    cores = (service.cpu_s() - began) / max(one.seconds for one in seen)
    late = list(itertools.chain.from_iterable(one.late_ms for one in seen))
    return Paced(late, sum(one.bins for one in seen), sum(one.dropped for one in seen), before, held, cores)


def cost(name: str, work: Callable[[], int], runs: int = RUNS) -> Measure:
    """Processor time of all threads for `work`, which returns how many bins it did; one run to warm up."""
    amount, spent = work(), []
    for _ in range(runs):
        began = time.process_time()
        amount = work()
        spent.append(time.process_time() - began)
    return Measure(name, "bins", amount, statistics.median(spent), min(spent), max(spent), runs)


def costs(lake: Path) -> Iterator[Measure]:
    """What each step of a bin costs, one after the other in this process."""
    specs = SpecBook.load(ROOT / "configs", None, load_instrument())
    config, signal = specs.serving_config(SERVING), specs.serving[SERVING].signal
    dataset = next(Dataset(info) for info in list_datasets(Lake(lake)) if info.pipeline == PIPELINE)

    def blocks() -> Iterator[BinBlock]:
        return itertools.islice(dataset.blocks(block_bins=BLOCK_BINS), COST_BINS // BLOCK_BINS)

    held = list(blocks())

    def score() -> int:
        chain = BinScorer(config, SignalRunner(specs.serving[SERVING], config, FIRST_FIRING))
        return sum(chain.score(block).block.bins.size for block in held)

    yield cost(READ, lambda: sum(block.bins.size for block in blocks()))
    yield cost(SCORE, score)
    chain = BinScorer(config, SignalRunner(specs.serving[SERVING], config, FIRST_FIRING))
    scored = [chain.score(block) for block in held]
    named = (signal.name, signal.threshold) if signal is not None else (None, None)
    encoder = FrameEncoder(config.grid_radius_ticks, config.projection_horizons_ms, *named)
    yield cost(ARROW, lambda: sum(len(encoder.grid.encode(block)) for block in scored))
    yield cost(FRAMES, lambda: sum(len(encoder.encode(block)) for block in scored))


async def _decode(url: str) -> int:
    """Bins of a stream, all decoded."""
    async with StreamClient(url, serving=SERVING, speed=0, from_bin=PLACES[0]) as stream:
        for _ in range(COST_BINS):
            await anext(stream)
    return COST_BINS


class Found(NamedTuple):
    """Everything that was measured, once."""

    rows: list[Measure]
    facts: list[tuple[str, str]]


@functools.cache
def found(lake: Path | None = None) -> Found:
    """All measurements. A lake is made where none is given."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lake = lake or make_lake(folder / "lake")
        with running(lake, folder / "service.log") as service:
            Clients(service, "speed=0", 1, FAST_MOST_S, 500).seen()  # what a first stream makes anew
            one, again = fast(service, PLACES), fast(service, PLACES[-1:] * 3)
            decoded = cost(DECODED, lambda: asyncio.run(_decode(service.url)), runs=3)
        with running(lake, folder / "service.log") as service:
            many = paced(service)
        steps = list(costs(lake))
    rows = [one.row(FIRST), again.row(AGAIN), decoded, *steps]
    return Found(rows, _facts(one, again, many, {row.name: row for row in steps}))


def _facts(one: Fast, again: Fast, many: Paced, steps: dict[str, Measure]) -> list[tuple[str, str]]:
    p50, p99, worst = np.quantile(many.late_ms, (0.5, 0.99, 1.0))
    known = steps[READ].micros + steps[SCORE].micros + steps[FRAMES].micros
    parts = (
        ("dataset to bins", steps[READ].micros),
        ("scores, state model, signal", steps[SCORE].micros),
        ("JSON and the rest of a message", steps[FRAMES].micros - steps[ARROW].micros),
        ("grids to Arrow", steps[ARROW].micros),
        ("queue, event loop, socket", one.cpu_us - known),
    )
    return [
        (f"one client at speed 0, aimed at {FAST_BINS_PER_S:,} bins/s and more",
         f"{min(bins / seconds for bins, seconds in one.runs):,.0f} in the slowest run"),
        ("processor time of the service a bin at speed 0",
         f"{one.cpu_us:.0f} µs; of bins still held, {again.cpu_us:.0f} µs"),
        *((f"of it: {name}", f"{micros:.0f} µs, {100 * micros / one.cpu_us:.0f} %") for name, micros in parts),
        (f"{CLIENTS} clients at speed 1, lateness p50 and p99, aimed at a p99 under {LATE_P99_MS} ms",
         f"{p50:.1f} and {p99:.1f} ms, at most {worst:.0f} ms, {many.dropped} of {many.bins:,} bins dropped"),
        (f"service with {CLIENTS} clients at speed 1", f"{many.cores:.2f} cores busy, {many.with_mb:,.0f} MB"),
        ("memory of one more client", f"{(many.with_mb - many.before_mb) / CLIENTS:.1f} MB"),
    ]  # fmt: skip


def run() -> Iterator[Measure]:
    """All rows."""
    yield from found().rows


def facts() -> list[tuple[str, str]]:
    """What is no rate."""
    return found().facts


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, help="a lake with the synthetic day and the baseline's dataset")
    lake = parser.parse_args().lake
    print(machine())
    for row in found(lake).rows:
        print(f"{row.name:48} {row.rate:10,.0f} {row.unit}/s {row.micros:10.2f} µs a {row.unit.removesuffix('s')}")
    for name, text in found(lake).facts:
        print(f"{name}: {text}")


if __name__ == "__main__":
    main()
