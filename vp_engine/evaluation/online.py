"""What a signal costs live: bins of a dataset are really fed one at a time, as the server feeds them, and every update
is timed. Times in milliseconds of wall clock on this machine; nothing is estimated or divided up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from vp_engine.errors import ConfigError
from vp_engine.evaluation.sweep import sweep_input
from vp_engine.lake.datasets import Dataset
from vp_engine.signals import get_signal, make_signal, run_signal
from vp_engine.signals.base import FittedModels
from vp_engine.specs.runtime import build_config_with_overrides
from vp_engine.spectrum.scoring import SpectrumScorer

WARM_BINS = 50  # fed to a throw-away signal first, so that kernels are loaded
_REPORT_EVERY = 500

Progress = Callable[[int, int], None]


class Timing(NamedTuple):
    """Distribution of n times in ms; NaN where n is 0."""

    n: int
    p50: float
    p95: float
    p99: float
    max: float
    mean: float


class OtherValue(NamedTuple):
    """A bin whose value depends on how its input is cut."""

    bin_seq: int
    one_at_a_time: float
    in_blocks: float


class OnlineReport(NamedTuple):
    """One run. whole: scorer and signal of each bin without a refit; scorer, signal: its parts (scorer 0 times for a
    signal that reads no scores); refit: updates in which a model was trained. first_other: the first bin whose value is
    not that of the dataset in blocks, with both values, or None."""

    signal: str
    dataset_id: str
    n_bins: int
    budget_ms: float
    whole: Timing
    scorer: Timing
    signal_only: Timing
    refit: Timing
    over_budget: int
    first_other: OtherValue | None

    @property
    def same_bits(self) -> bool:
        """Whether the values are those of the dataset in blocks."""
        return self.first_other is None

    @property
    def budget_share(self) -> dict[str, float]:
        """Share of the budget that updates take, by name of the figure; refits are in `max_with_refits` only."""
        shares = {name: getattr(self.whole, name) / self.budget_ms for name in ("p50", "p95", "p99", "max")}
        return shares | {"max_with_refits": float(np.nanmax([self.whole.max, self.refit.max])) / self.budget_ms}


def timing(times_ms: np.ndarray) -> Timing:
    """Distribution of times float64 (n,)."""
    if times_ms.size == 0:
        nan = float("nan")
        return Timing(0, nan, nan, nan, nan, nan)
    p50, p95, p99 = (float(value) for value in np.percentile(times_ms, (50, 95, 99)))
    return Timing(int(times_ms.size), p50, p95, p99, float(times_ms.max()), float(times_ms.mean()))


def simulate_online(
    dataset: Dataset,
    signal: str,
    params: Mapping[str, Any] | None = None,
    scoring: Mapping[str, Any] | None = None,
    *,
    budget_ms: float,
    max_bins: int | None = None,
    models: FittedModels | None = None,
    on_progress: Progress | None = None,
) -> OnlineReport:
    """Feed the first `max_bins` bins (all if None) one by one. scoring: fields of the runtime config that differ from
    the dataset's. A learning signal trains along unless it is given its models.

    ConfigError for a budget or number of bins that is not above 0, or a parameter that does not exist.
    """
    if not 0 < budget_ms < float("inf"):
        raise ConfigError(f"`bin-budget-ms` must be > 0 and finite, was {budget_ms:g}")
    if max_bins is not None and max_bins < 1:
        raise ConfigError(f"`bins` must be at least 1, was {max_bins}")
    kind = get_signal(signal)
    source = sweep_input(dataset, [signal])
    n = min(dataset.n_bins, max_bins or dataset.n_bins)
    source = source._replace(
        config=build_config_with_overrides(source.config, scoring or {}),
        bins=source.bins[:n],
        columns={name: column[:n] for name, column in source.columns.items()},
    )

    def fresh() -> tuple[Any, SpectrumScorer | None]:
        made = make_signal(signal, dict(params or {}), source.config, models)
        return made, SpectrumScorer(source.config) if kind.reads_scores else None

    warm, warm_scorer = fresh()
    for _, block in zip(range(WARM_BINS), source.blocks(1, kind), strict=False):
        warm.update(block, warm_scorer.update(block) if warm_scorer is not None else None)

    live, scorer = fresh()
    spent = np.zeros((2, n))  # ms in the scorer and in the signal
    refitted = np.zeros(n, bool)
    values = np.empty(n)
    n_refits = 0
    for at, block in enumerate(source.blocks(1, kind)):
        began = time.perf_counter_ns()
        scores = scorer.update(block) if scorer is not None else None
        scored = time.perf_counter_ns()
        values[at] = live.update(block, scores)[0]
        ended = time.perf_counter_ns()
        spent[:, at] = (scored - began) / 1e6, (ended - scored) / 1e6
        refits = getattr(live, "n_refits", 0)
        refitted[at], n_refits = refits != n_refits, refits
        if on_progress is not None and (at + 1) % _REPORT_EVERY == 0:
            on_progress(at + 1, n)
    if on_progress is not None:
        on_progress(n, n)
    at_once = run_signal(make_signal(signal, dict(params or {}), source.config, models), source.blocks(reader=kind))
    differs = np.flatnonzero((values != at_once) & ~(np.isnan(values) & np.isnan(at_once)))
    first = int(differs[0]) if differs.size else None
    whole = spent.sum(axis=0)
    return OnlineReport(
        signal=signal,
        dataset_id=dataset.dataset_id,
        n_bins=n,
        budget_ms=float(budget_ms),
        whole=timing(whole[~refitted]),
        scorer=timing(spent[0] if scorer is not None else spent[0, :0]),
        signal_only=timing(spent[1, ~refitted]),
        refit=timing(whole[refitted]),
        over_budget=int(np.count_nonzero(whole > budget_ms)),
        first_other=None if first is None else OtherValue(first, float(values[first]), float(at_once[first])),
    )
