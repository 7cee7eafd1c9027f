"""Signals over an hour of bins: each statistical signal as a sweep runs it, scores ready, and one bin as live.

`python -m benchmarks.signals` prints the rows alone.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.timing import Measure, machine, measure
from vp_engine.evaluation.scored import dataset_scores, score_blocks
from vp_engine.sample import SampleSpec, write_sample
from vp_engine.schema import BinBlock
from vp_engine.signals import list_signals, make_signal, run_signal
from vp_engine.specs import VPRuntimeConfig, load_instrument, resolve_capture
from vp_engine.spectrum.scoring import Scores
from vp_engine.stream import stream_events

WINDOW = ("09:25", "10:25")
BLOCK_BINS = 600
LIVE_BINS = 600


def hour(raw: Path, config: VPRuntimeConfig) -> list[BinBlock]:
    """The window's bins of a raw day."""
    return list(stream_events([raw], config, resolve_capture(config, "2026-02-06", *WINDOW), block_bins=BLOCK_BINS))


def _over(name: str, config: VPRuntimeConfig, blocks: list[BinBlock], scores: Scores, size: int) -> int:
    """The signal over all bins, `size` at a time."""
    return run_signal(make_signal(name, {}, config), blocks, score_blocks(scores, size)).size


def of_blocks(config: VPRuntimeConfig, blocks: list[BinBlock]) -> Iterator[Measure]:
    """One row for the scores, two for every statistical signal."""
    yield measure("flow scores of an hour", "bins", lambda: len(dataset_scores(config, blocks).flow_score), runs=3)
    scores = dataset_scores(config, blocks)
    singles = [
        block.part(at, at + 1) for block, at in itertools.product(blocks[: LIVE_BINS // BLOCK_BINS], range(BLOCK_BINS))
    ]
    first = Scores(scores.flow_score[:LIVE_BINS], scores.flow_state_code[:LIVE_BINS], scores.projections[:, :LIVE_BINS])
    for info in list_signals():
        if info.kind == "statistical":
            name = info.name
            yield measure(
                f"signal {name}, an hour", "bins", lambda n=name: _over(n, config, blocks, scores, BLOCK_BINS)
            )
            yield measure(f"signal {name}, bin by bin", "bins", lambda n=name: _over(n, config, singles, first, 1))


def sample_hour(config: VPRuntimeConfig) -> list[BinBlock]:
    """The window's bins of the synthetic day."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "day.mbo.dbn.zst"
        write_sample(raw, SampleSpec())
        return hour(raw, config)


def run() -> Iterator[Measure]:
    """All rows, on the synthetic day."""
    config = load_instrument()
    yield from of_blocks(config, sample_hour(config))


if __name__ == "__main__":
    print(machine())
    for row in run():
        print(f"{row.name:40} {row.seconds * 1e3:10.2f} ms {row.micros:9.2f} µs a {row.unit.removesuffix('s')}")
