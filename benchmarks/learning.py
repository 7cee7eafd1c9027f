"""Seconds of each learning signal over an hour of bins, training included, and what a live bin costs between fits.

`python -m benchmarks.learning LAKE DATASET` prints one row per signal. Processor seconds: a fit runs on one thread, and
the machine may be shared.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import NamedTuple

from vp_engine.evaluation.sweep import SweepInput, sweep_input
from vp_engine.lake import open_dataset
from vp_engine.signals import make_signal
from vp_engine.signals.ml import ML_SIGNALS, WalkForwardSignal

LIVE_BINS = 300  # after the first fit


class Row(NamedTuple):
    """Processor seconds over all bins, of them in fits; number of fits; median milliseconds of one live bin."""

    name: str
    seconds: float
    fit_seconds: float
    n_refits: int
    live_ms: float


def learner(source: SweepInput, name: str, **params: int) -> WalkForwardSignal:
    """The signal with its defaults."""
    made = make_signal(name, params, source.config)
    assert isinstance(made, WalkForwardSignal)
    return made


def measure(source: SweepInput, name: str) -> Row:
    """One pass over the dataset and one over some live bins."""
    signal = learner(source, name)
    spent = 0.0
    fit = signal.fit

    def timed(*given: object) -> object:
        nonlocal spent
        began = time.process_time()
        model = fit(*given)  # type: ignore[arg-type]
        spent += time.process_time() - began
        return model

    signal.fit = timed  # type: ignore[method-assign, assignment]
    began = time.process_time()
    for block in source.blocks():
        signal.update(block)
    return Row(name, time.process_time() - began, spent, signal.n_refits, live_ms(source, name))


def live_ms(source: SweepInput, name: str) -> float:
    """Median milliseconds of a bin on its own, after the first fit and before the second."""
    signal = learner(source, name, refit_bins=10**9)
    costs: list[float] = []
    for block in source.blocks(1):
        began = time.process_time()
        signal.update(block)
        if signal.n_refits:
            costs.append(time.process_time() - began)
        if len(costs) == LIVE_BINS + 1:
            break
    return 1000 * statistics.median(costs[1:])


def main() -> None:
    """Measure every learning signal on a dataset of a lake."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lake")
    parser.add_argument("dataset")
    asked = parser.parse_args()
    dataset = open_dataset(asked.lake, asked.dataset)
    source = sweep_input(dataset, [signal.name for signal in ML_SIGNALS])
    print(f"| signal, {dataset.n_bins:,} bins | seconds | in fits | fits | live bin |\n|---|---:|---:|---:|---:|")
    for signal in ML_SIGNALS:
        row = measure(source, signal.name)
        print(f"| `{row.name}` | {row.seconds:.1f} | {row.fit_seconds:.1f} | {row.n_refits} | {row.live_ms:.2f} ms |")


if __name__ == "__main__":
    main()
