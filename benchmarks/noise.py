"""Does the whole chain find anything where there is nothing? `python -m benchmarks.noise [--seeds N] [--learning N]`

Each seed makes a dataset whose grid says nothing of its prices, sweeps it as an experiment would, and notes whether
the sweep calls anything significant. Two kinds of nothing: a grid of persistent noise over a random walk, and, with
`--dataset`, the grid of a stored dataset over its own moves in random order and with random signs. The shares must
stay at their nominal level; the table and its Wilson intervals are printed as Markdown.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from scipy.signal import lfilter

from vp_engine.evaluation import evaluate, expand
from vp_engine.evaluation.statistics import wilson_interval
from vp_engine.lake import Dataset, Lake, open_dataset
from vp_engine.schema import BIN_DTYPE
from vp_engine.specs import ExperimentSpec, PipelineSpec, ServingSpec, load_instrument

STATISTICAL = ("derivative", "ads", "pfp", "ads_pfp_svac", "erd", "iirc", "jad", "msd", "spg")
LEARNING = ("svm_sp", "gbm_mf", "knn_cl", "lsvm_der", "xgb_snap", "pca_ad")
LEVEL = 0.05
N_BINS = 12_000
HOLD_BINS = 400  # thirty holding times, as an hour of the default 1200 has
LEARNING_BINS = 8000  # shorter, with as many holding times: six signals train for some ten seconds a seed
LEARNING_EVAL = {"tp_ticks": [4], "sl_ticks": [4], "max_hold_bins": 250, "cooldown_bins": [20]}
_PERSISTENCE = (0.0, 0.8, 0.98)  # of a column from bin to bin
_POSITIVE = ("pressure_variant", "vacuum_variant", "v_add", "v_pull", "v_fill")

_PIPELINE = PipelineSpec.parse(
    {
        "name": "noise",
        "capture": {
            "product_type": "future_mbo", "symbol": "MNQH6", "dt": "2026-02-06",
            "start_time": "09:30", "end_time": "09:50",
        },
    }
)  # fmt: skip
_SERVING = ServingSpec.parse({"name": "noise", "pipeline": "noise"})
CONFIG = _SERVING.config(load_instrument(), _PIPELINE)


class Nothing(NamedTuple):
    """What one sweep said: smallest Holm p, SPA p, largest deflated Sharpe, and its rows' p-values (judged ones)."""

    best_holm: float
    spa: float
    best_deflated: float
    p_values: np.ndarray


def quotes(seed: int, moves: np.ndarray) -> np.ndarray:
    """BIN_DTYPE (n,) of a one-tick market whose bid makes these moves, int64 (n,) ticks."""
    n = moves.size
    bins = np.zeros(n, BIN_DTYPE)
    bid = 80_000 + np.cumsum(moves)
    bins["bin_seq"] = np.arange(n)
    bins["bin_start_ns"] = np.arange(n) * CONFIG.bin_ns
    bins["bin_end_ns"] = bins["ts_ns"] = bins["bin_start_ns"] + CONFIG.bin_ns
    bins["book_valid"] = 1
    bins["best_bid_price_int"] = bid * CONFIG.tick_int
    bins["best_ask_price_int"] = bins["spot_ref_price_int"] = (bid + 1) * CONFIG.tick_int
    return bins


class MadeDataset:
    """A dataset in memory, as far as a sweep reads one. columns makes a grid column (n, rows) by name."""

    def __init__(self, bins: np.ndarray, columns: Callable[[str], np.ndarray], config: Any, address: str) -> None:
        self.bins, self.config, self.address = bins, config, address
        self.n_bins, self.dataset_id = bins.size, f"noise_{address[:8]}"
        self.capture, self.info = _PIPELINE.resolve(load_instrument()), SimpleNamespace(pipeline="noise")
        self._columns = columns

    def __getitem__(self, name: str) -> np.ndarray:
        return self._columns(name)


def pure_noise(seed: int, n_bins: int = N_BINS) -> MadeDataset:
    """A random walk under a grid of noise that persists from bin to bin, each column in its own way."""
    rng = np.random.default_rng(seed)
    walk = rng.choice([-1, 0, 1], n_bins, p=[0.1, 0.8, 0.1])

    def column(name: str) -> np.ndarray:
        own = np.random.default_rng([seed, *name.encode()])
        values = own.standard_normal((n_bins, CONFIG.rows), np.float32)
        keep = own.choice(_PERSISTENCE)
        values = lfilter([np.sqrt(1 - keep**2)], [1.0, -keep], values, axis=0).astype(np.float32)
        if name == "state5_code":
            return np.clip(np.rint(values), -2, 2).astype(np.int8)
        return np.exp(values) if name in _POSITIVE else values

    return MadeDataset(quotes(seed, walk), column, CONFIG, f"{seed:064x}")


class Held:
    """A stored dataset whose columns are read once, the first N_BINS bins of them."""

    def __init__(self, stored: Dataset) -> None:
        self.bins, self.config, self.n_bins = stored.bins, stored.config, stored.n_bins
        self._stored, self._read = stored, dict[str, np.ndarray]()

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._read:
            self._read[name] = self._stored[name][:N_BINS]
        return self._read[name]


def shuffled(dataset: Held, seed: int, n_bins: int = N_BINS) -> MadeDataset:
    """A stored dataset's grid over its own bid moves, in random order and with random signs."""
    rng = np.random.default_rng(seed)
    n = min(n_bins, dataset.n_bins)
    moves = np.diff(dataset.bins["best_bid_price_int"][:n] // dataset.config.tick_int, prepend=0)
    moves[0] = 0
    moves = rng.permutation(moves) * rng.choice([-1, 1], n)
    return MadeDataset(quotes(seed, moves), lambda name: dataset[name][:n], dataset.config, f"{seed:064x}")


def experiment(signals: Iterable[str], **overrides: Any) -> ExperimentSpec:
    """The sweep that every seed is put through."""
    return ExperimentSpec.parse(
        {
            "name": "noise",
            "serving": "noise",
            "signals": list(signals),
            "eval": {"tp_ticks": [8], "sl_ticks": [4, 8], "max_hold_bins": HOLD_BINS, "cooldown_bins": [20]},
            **overrides,
        }
    )


def sweep(dataset: MadeDataset, spec: ExperimentSpec, workers: int | None = 1) -> Nothing:
    """The whole chain over one dataset: signals, detection, outcomes, judgement."""
    trials = expand(spec, _SERVING, dataset.config)
    meta, runs = evaluate(dataset, trials, experiment=spec, max_workers=workers)  # type: ignore[arg-type]
    judged = ~np.isnan(runs["p_holm"].to_numpy())
    if not judged.any():
        return Nothing(1.0, float("nan"), 0.0, np.empty(0))
    return Nothing(
        float(np.nanmin(runs["p_holm"].to_numpy())),
        float(meta["spa_p_value"][0].as_py()),
        float(np.nanmax(runs["deflated_sharpe"].to_numpy())),
        runs["p_value"].to_numpy()[judged],
    )


def lines(title: str, found: list[Nothing]) -> list[str]:
    """Rows of the table: share of sweeps, or of rows, that pass at LEVEL by luck."""
    every = np.concatenate([one.p_values for one in found])
    shares = {
        "sweeps whose best Holm p is at most": np.array([one.best_holm <= LEVEL for one in found]),
        "sweeps whose SPA p is at most": np.array([one.spa <= LEVEL for one in found if one.spa == one.spa]),
        "sweeps whose best deflated Sharpe is at least 1 −": np.array(
            [one.best_deflated >= 1 - LEVEL for one in found]
        ),
        "rows whose own p, before correction, is at most": every <= LEVEL,
    }
    made = []
    for name, hits in shares.items():
        low, high = wilson_interval(np.array([hits.sum()]), np.array([hits.size]))
        interval = f"{100 * low[0]:.1f} to {100 * high[0]:.1f} %"
        made.append(
            f"| {title} | {name} {LEVEL:g} | {hits.sum():,} of {hits.size:,} | {hits.mean():.1%} | {interval} |"
        )
    return made


def main() -> None:
    """Run the seeds and print the table."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--seeds", type=int, default=200)
    given.add_argument("--learning", type=int, default=200, help="seeds of the learning signals, which train for long")
    given.add_argument("--lake", type=Path, help="a lake, with --dataset")
    given.add_argument("--dataset", help="a dataset whose moves are shuffled as well")
    asked = given.parse_args()
    makers: dict[str, Callable[[int, int], MadeDataset]] = {"noise": pure_noise}
    if asked.dataset:
        grid = Held(open_dataset(Lake(asked.lake), asked.dataset))
        makers["shuffled"] = lambda seed, n_bins: shuffled(grid, seed, n_bins)
    table = ["| data, signals | what | by luck | share | 95 % interval |", "|---|---|---:|---:|---:|"]
    for kind, make in makers.items():
        kinds = (
            ("statistical", experiment(STATISTICAL), N_BINS, asked.seeds),
            ("learning", experiment(LEARNING, eval=LEARNING_EVAL), LEARNING_BINS, asked.learning),
        )
        for words, spec, n_bins, seeds in kinds:
            began, found = time.perf_counter(), []
            for seed in range(seeds):
                found.append(sweep(make(seed, n_bins), spec))
                print(f"\r{kind}, {words}: {seed + 1} of {seeds}", end="", file=sys.stderr, flush=True)
            print(f"\n{kind}, {words}: {seeds} sweeps in {time.perf_counter() - began:.0f} s", file=sys.stderr)
            if found:
                table += lines(f"{kind}, {words}", found)
    print("\n".join(table))


if __name__ == "__main__":
    main()
