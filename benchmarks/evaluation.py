"""10,000 evaluations of one signal over an hour: thresholds x cooldowns x take-profits x stop-losses, on one core, and
the same evaluations by a plain double loop, whose figures must be the same.

`python -m benchmarks.evaluation` prints the rows and what they mean. Three of them say what a row costs: its figures
alone; with its p; and to both tables, which adds what is judged over all rows (Holm, deflated Sharpe, SPA) and the
names of the runs. The plain loop makes the same figures, and the same p by a bootstrap that stops as early.
"""

from __future__ import annotations

import itertools
import math
import os
import time
from collections.abc import Iterator, Sequence
from unittest import mock

import numpy as np
import pyarrow as pa

from benchmarks import plain_evaluation as plain
from benchmarks.noise import MadeDataset
from benchmarks.signals import BLOCK_BINS, sample_hour
from benchmarks.timing import Measure, machine, measure
from vp_engine.evaluation import Trial, evaluate, expand, rows
from vp_engine.evaluation.barriers import Barriers, market_of_bins
from vp_engine.evaluation.bootstrap import DRAWS, HITS, MeanTest
from vp_engine.evaluation.groups import Evaluator, signal_values, sweep_input
from vp_engine.evaluation.spa import piece_bins_of
from vp_engine.schema import BinBlock
from vp_engine.specs import ExperimentSpec, ServingSpec, VPRuntimeConfig, load_instrument
from vp_engine.units import NS_PER_MS

COUNTED = "10,000 evaluations, figures without p"
WITH_P = "10,000 evaluations, figures and p"
WHOLE = "10,000 evaluations, to both tables"
PLAIN = "plain Python double loop, figures without p"
PLAIN_P = "plain Python double loop, figures and p"
OUTCOMES = "outcomes of every bin, 100 pairs of barriers"
PLAIN_OUTCOMES = "plain Python double loop over bins, one pair"
SWEEP = "sweep of erd over two scorings, an hour"
THRESHOLDS = [round(0.02 + 0.01 * at, 2) for at in range(10)]
COOLDOWNS = list(range(20, 120, 10))
DISTANCES = list(range(2, 12))
PLAIN_BINS = 3000  # entries of the plain loop's outcomes
SAMPLED = 48  # evaluations that the plain loop does
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


def _rules(trial: Trial, threshold: float) -> plain.Rules:
    judged = trial.evaluation
    return plain.Rules(
        threshold, judged.cooldown_bins, judged.tp_ticks, judged.sl_ticks, judged.max_hold_bins, judged.warmup_bins
    )


def _same(runs: pa.Table, at: int, found: dict[str, float], bin_ms: float) -> None:
    """The plain loop's figures are those of the table's row."""
    for name, value in found.items():
        column, scale = ("median_time_to_outcome_ms", bin_ms) if name == "median_held_bins" else (name, 1.0)
        written = float(runs[column][at].as_py())
        if not (math.isclose(written, value * scale, rel_tol=1e-9) or (math.isnan(written) and math.isnan(value))):
            raise AssertionError(f"{name} of row {at} is {written}, the plain loop makes {value * scale}")


def of_plain(dataset: MadeDataset, trials: Sequence[Trial], runs: pa.Table) -> Iterator[Measure]:
    """The same evaluations, a few of them spread over all, one after the other; `runs` is the sweep's table."""
    bins = dataset.bins
    values = signal_values(sweep_input(dataset, ["derivative"]), trials[0]).tolist()  # type: ignore[arg-type]
    tick = dataset.config.tick_int
    mid = ((bins["best_bid_price_int"] + bins["best_ask_price_int"]) // tick).tolist()
    valid = bins["book_valid"].tolist()
    hold = trials[0].evaluation.max_hold_bins
    tp, sl = DISTANCES[len(DISTANCES) // 2], DISTANCES[len(DISTANCES) // 2 - 1]

    def double_loop() -> int:
        plain.outcomes(mid, valid, tp, sl, hold, PLAIN_BINS)
        return PLAIN_BINS

    yield measure(PLAIN_OUTCOMES, "bins", double_loop, runs=2)
    places = np.linspace(0, len(trials) * len(THRESHOLDS) - 1, SAMPLED).astype(int).tolist()
    some = [_rules(trials[at // len(THRESHOLDS)], THRESHOLDS[at % len(THRESHOLDS)]) for at in places]
    for at, rules in zip(places, some, strict=True):
        _same(runs, at, plain.figures(plain.trades(values, mid, valid, rules)), dataset.config.bin_ns / NS_PER_MS)

    def loops() -> int:
        for rules in some:
            plain.figures(plain.trades(values, mid, valid, rules))
        return SAMPLED

    def loops_with_p() -> int:
        for rules in some:
            found = plain.trades(values, mid, valid, rules)
            if plain.figures(found)["n_signals"] > 1:
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

    def counted() -> int:
        sharing = rows.Sharing(piece_bins_of([trials[0].evaluation.max_hold_bins]))
        return len(Evaluator(sweep_input(dataset, ["derivative"]), sharing).count(trials).trial)  # type: ignore[arg-type]

    def without_p() -> int:
        with mock.patch.object(rows, "mean_test", lambda net, *_: MeanTest(*np.full((2, len(net)), np.nan))):
            return counted()

    yield measure(COUNTED, "rows", without_p)
    yield measure(WITH_P, "rows", counted)
    yield measure(WHOLE, "rows", sweep)
    runs = evaluate(dataset, trials, experiment=spec, max_workers=1).runs  # type: ignore[arg-type]
    yield from of_plain(dataset, trials, runs)
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


def ratios(found: dict[str, Measure]) -> list[tuple[str, float]]:
    """What the absolute figures mean."""
    one, two = (found[f"{SWEEP}, {n} worker{s}"] for n, s in ((1, ""), (2, "s")))
    return [
        ("outcomes of a bin in both directions against the plain double loop, bins/s",
         found[OUTCOMES].rate / found[PLAIN_OUTCOMES].rate),
        ("an evaluation's figures against the plain double loop, rows/s", found[COUNTED].rate / found[PLAIN].rate),
        ("an evaluation's figures and p against the plain double loop, rows/s",
         found[WITH_P].rate / found[PLAIN_P].rate),
        ("the same to both tables, all rows judged, against the plain double loop that judges none, rows/s",
         found[WHOLE].rate / found[PLAIN_P].rate),
        ("two workers against one, sweep of two scorings", two.rate / one.rate),
    ]  # fmt: skip


def run() -> Iterator[Measure]:
    """All rows, on the synthetic day."""
    config = load_instrument()
    yield from of_blocks(config, sample_hour(config))


if __name__ == "__main__":
    print(machine(), f"load {os.getloadavg()[0]:.1f}")
    found: dict[str, Measure] = {}
    for row in run():
        found[row.name] = row
        print(f"{row.name:44} {row.seconds:8.3f} s (least {row.low:.3f}) {row.micros:12,.1f} µs a {row.unit[:-1]}")
    for words, value in ratios(found):
        print(f"{words}: {value:,.1f} x")
    print(f"processor seconds in all: {time.process_time():.0f}")
