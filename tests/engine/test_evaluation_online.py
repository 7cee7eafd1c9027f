"""Live cost by feeding one bin at a time: nothing is left out of the times, values are those of the whole dataset."""

from __future__ import annotations

import math

import numpy as np
import pytest
from evaluation_lake import make_lake

from vp_engine.errors import ConfigError
from vp_engine.evaluation.online import simulate_online, timing


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return make_lake(tmp_path_factory.mktemp("lake"))[1]


def test_every_bin_is_timed_and_gives_the_same_bits(dataset):
    seen = []
    report = simulate_online(dataset, "derivative", budget_ms=100, on_progress=lambda *at: seen.append(at))
    assert report.same_bits
    assert (report.n_bins, report.whole.n, report.refit.n, report.scorer.n) == (3000, 3000, 0, 0)
    assert 0 < report.whole.p50 <= report.whole.p95 <= report.whole.p99 <= report.whole.max
    assert report.budget_share["p99"] == pytest.approx(report.whole.p99 / 100)
    assert seen[-1] == (3000, 3000)


def test_the_scorer_counts_for_a_signal_that_reads_scores(dataset):
    report = simulate_online(dataset, "erd", {"entropy_window_bins": 30}, budget_ms=1e-9, max_bins=200)
    assert report.same_bits
    assert (report.scorer.n, report.over_budget) == (200, 200)
    assert report.scorer.mean + report.signal_only.mean == pytest.approx(report.whole.mean)


def test_refits_are_told_apart(dataset):
    short = {"first_bins": 60, "refit_bins": 40, "label_ticks": 1.0, "label_hold_bins": 30, "min_labels": 4}
    report = simulate_online(dataset, "lsvm_der", short, budget_ms=100, max_bins=300)
    assert report.same_bits
    assert report.refit.n == 6  # at valid bins 60, 100, ... 260
    assert report.whole.n + report.refit.n == 300


def test_no_times_are_no_figures():
    assert math.isnan(timing(np.empty(0)).p50)


@pytest.mark.parametrize(("given", "words"), [({"budget_ms": 0}, "budget"), ({"budget_ms": 1, "max_bins": 0}, "bins")])
def test_what_cannot_be_measured(dataset, given, words):
    with pytest.raises(ConfigError, match=words):
        simulate_online(dataset, "derivative", **given)
