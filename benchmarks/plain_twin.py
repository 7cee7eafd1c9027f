"""The tests' slow twin as a yardstick: book and kinetics in plain Python and numpy, one record at a time, no bins."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.timing import Measure, measure
from vp_engine.specs import VPRuntimeConfig

NAME = "plain Python twin: book and kinetics"
RECORDS = 30_000
TESTS = Path(__file__).parents[1] / "tests" / "engine"


def run(records: np.ndarray, config: VPRuntimeConfig) -> Iterator[Measure]:
    """One row. records MBO_DTYPE (n,), the opening snapshot first; the first RECORDS of them are taken, with flow
    tracked from the first on, as the kernels' row has it."""
    sys.path.insert(0, str(TESTS))
    from twin.bins import _clocked, _Engine

    part = records[:RECORDS]

    def work() -> int:
        engine = _Engine(config)
        engine.start_warmup(int(part["ts_recv"][0]))
        for record, ts in _clocked(part, engine):
            engine.step(record, ts)
        return int(part.size)

    yield measure(NAME, "events", work, runs=3)
