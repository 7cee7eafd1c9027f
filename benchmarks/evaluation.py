"""10,000 evaluations of one signal over an hour: thresholds x cooldowns x take-profits x stop-losses, on one core, and
the same evaluations by a plain double loop.

`python -m benchmarks.evaluation` prints the rows and what they mean.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import plain_evaluation as plain
from benchmarks.noise import MadeDataset
from benchmarks.signals import BLOCK_BINS, hour
from benchmarks.timing import Measure, machine, measure
from vp_engine.evaluation import Trial, evaluate, expand
from vp_engine.evaluation.barriers import Barriers, market_of_bins
from vp_engine.evaluation.bootstrap import DRAWS, HITS
from vp_engine.evaluation.groups import signal_values, sweep_input
from vp_engine.sample import SampleSpec, write_sample
from vp_engine.schema import BinBlock
from vp_engine.specs import ExperimentSpec, ServingSpec, VPRuntimeConfig, load_instrument

WHOLE = "10,000 evaluations, to both tables"
PLAIN = "plain Python double loop, without p"
PLAIN_P = "plain Python double loop, with its p"
OUTCOMES = "outcomes of every bin, 100 pairs of barriers"
PLAIN_OUTCOMES = "plain Python double loop over bins, one pair"
SWEEP = "sweep of erd over two scorings, an hour"
THRESHOLDS = [round(0.02 + 0.01 * at, 2) for at in range(10)]
COOLDOWNS = list(range(20, 120, 10))
DISTANCES = list(range(2, 12))
PLAIN_BINS = 3000  # entries of the plain loop's outcomes
SAMPLED = 12  # evaluations that the plain loop does
_SERVING = ServingSpec.parse({"name": "bench", "pipeline": "bench"})


def dataset_of(config: VPRuntimeConfig, blocks: list[BinBlock]) -> MadeDataset:
    """The blocks as what a sweep reads."""

    def column(name: str) -> np.ndarray:
        return np.concatenate([block.state5 if name == "state5_code" else block.field(name) for block in blocks])

    return MadeDataset(np.concatenate([block.bins for block in blocks]), column, config, "be" * 32)


def trials_of(config: VPRuntimeConfig) -> tuple[ExperimentSpec, list[Trial]]:
    """1,000 trials of ten thresholds each."""
    spec = ExperimentSpec.parse(
        {
            "name": "bench", "serving": "bench", "signals": ["derivative"],
            "eval": {"tp_ticks": DISTANCES, "sl_ticks": DISTANCES, "cooldown_bins": COOLDOWNS},
            "sweep": {"thresholds": {"derivative": THRESHOLDS}},
        }
    )  # fmt: skip
    return spec, expand(spec, _SERVING, config)


def of_plain(dataset: MadeDataset, trial: Trial) -> Iterator[Measure]:
    """The same evaluations, a few of them spread over all, one after the other."""
    bins = dataset.bins
    values = signal_values(sweep_input(dataset, ["derivative"]), trial).tolist()  # type: ignore[arg-type]
    tick = dataset.config.tick_int
    mid = ((bins["best_bid_price_int"] + bins["best_ask_price_int"]) // tick).tolist()
    valid = bins["book_valid"].tolist()
    judged = trial.evaluation
    tp, sl = DISTANCES[len(DISTANCES) // 2], DISTANCES[len(DISTANCES) // 2 - 1]

    def double_loop() -> int:
        plain.outcomes(mid, valid, tp, sl, judged.max_hold_bins, PLAIN_BINS)
        return PLAIN_BINS

    yield measure(PLAIN_OUTCOMES, "bins", double_loop, runs=2)
    every = list(itertools.product(THRESHOLDS, COOLDOWNS, DISTANCES, DISTANCES))
    some = [
        plain.Rules(*every[at], judged.max_hold_bins, judged.warmup_bins)
        for at in np.linspace(0, len(every) - 1, SAMPLED).astype(int)
    ]

    def loops() -> int:
        for rules in some:
            plain.figures(plain.trades(values, mid, valid, rules))
        return SAMPLED

    def loops_with_p() -> int:
        for rules in some:
            found = plain.trades(values, mid, valid, rules)
            if plain.figures(found)[0] > 1:
                plain.p_value(found, len(values), rules, DRAWS, HITS)
        return SAMPLED

    yield measure(PLAIN, "rows", loops, runs=2)
    yield measure(PLAIN_P, "rows", loops_with_p, runs=2)


def of_blocks(config: VPRuntimeConfig, blocks: list[BinBlock]) -> Iterator[Measure]:
    """Rows of this file: evaluations, the plain loop, and a sweep on one core and on two."""
    dataset = dataset_of(config, blocks)
    spec, trials = trials_of(config)

    def sweep() -> int:
        return int(evaluate(dataset, trials, experiment=spec, max_workers=1).runs.num_rows)  # type: ignore[arg-type]

    def outcomes() -> int:
        barriers = Barriers(market_of_bins(dataset.bins, config.tick_int))
        for tp, sl in itertools.product(DISTANCES, DISTANCES):
            barriers.outcomes(tp, sl, trials[0].evaluation.max_hold_bins)
        return len(DISTANCES) ** 2 * dataset.n_bins

    yield measure(OUTCOMES, "bins", outcomes)
    yield measure(WHOLE, "rows", sweep)
    yield from of_plain(dataset, trials[0])
    scored = ExperimentSpec.parse(
        {
            "name": "bench",
            "serving": "bench",
            "signals": ["erd"],
            "sweep": {"scoring": {"zscore_window_bins": [200, 300]}},
        }
    )  # fmt: skip
    two = expand(scored, _SERVING, config)
    for workers in (1, 2):
        name = f"{SWEEP}, {workers} worker{'s' if workers > 1 else ''}"
        yield measure(
            name,
            "bins",
            lambda n=workers: evaluate(dataset, two, max_workers=n) and len(blocks) * BLOCK_BINS,  # type: ignore[arg-type]
            runs=2,
        )


def ratios(rows: dict[str, Measure]) -> list[tuple[str, float]]:
    """What the absolute figures mean."""
    one, two = (rows[f"{SWEEP}, {n} worker{s}"] for n, s in ((1, ""), (2, "s")))
    return [
        ("outcomes of a bin in both directions against the plain double loop, bins/s",
         rows[OUTCOMES].rate / rows[PLAIN_OUTCOMES].rate),
        ("an evaluation with its p, both tables included, against the plain double loop with its p, rows/s",
         rows[WHOLE].rate / rows[PLAIN_P].rate),
        ("the same against the plain double loop that makes no p, rows/s", rows[WHOLE].rate / rows[PLAIN].rate),
        ("two workers against one, sweep of two scorings", two.rate / one.rate),
    ]  # fmt: skip


def run() -> Iterator[Measure]:
    """All rows, on the synthetic day."""
    config = load_instrument()
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "day.mbo.dbn.zst"
        write_sample(raw, SampleSpec())
        yield from of_blocks(config, hour(raw, config))


if __name__ == "__main__":
    print(machine(), f"load {os.getloadavg()[0]:.1f}")
    found: dict[str, Measure] = {}
    for row in run():
        found[row.name] = row
        print(f"{row.name:44} {row.seconds:8.3f} s (least {row.low:.3f}) {row.micros:12,.1f} µs a {row.unit[:-1]}")
    for words, value in ratios(found):
        print(f"{words}: {value:,.1f} x")
    print(f"processor seconds in all: {time.process_time():.0f}")
