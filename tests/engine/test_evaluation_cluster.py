"""Sweeps on a Dask cluster give the rows of a sweep in one process."""

from __future__ import annotations

import pytest
from distributed import LocalCluster
from evaluation_lake import CONFIG, SERVING, experiment, make_lake, same_tables

from vp_engine.errors import ConfigError
from vp_engine.evaluation import evaluate, expand


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(
        n_workers=2, threads_per_worker=2, processes=False, dashboard_address=":0", protocol="tcp", host="127.0.0.1"
    ) as made:
        yield made


def test_rows_are_those_of_one_process(cluster, tmp_path):
    dataset = make_lake(tmp_path)[1]
    trials = expand(experiment(), SERVING, CONFIG)
    seen = []
    alone = evaluate(dataset, trials, max_workers=1)
    for _ in range(2):  # the second time the workers hold the first sweep's evaluators
        there = evaluate(dataset, trials, lambda *at: seen.append(at), dask_scheduler=cluster.scheduler_address)
        assert same_tables(alone.runs_meta, there.runs_meta)
        assert same_tables(alone.runs, there.runs)
    assert seen[-1] == (len(trials), len(trials))


@pytest.fixture
def dataset(tmp_path):
    return make_lake(tmp_path)[1]


def test_what_a_task_raises_is_raised(cluster, dataset):
    trials = expand(experiment(), SERVING, CONFIG)
    bad = trials[-1]._replace(thresholds=(-1.0,))
    with pytest.raises(ConfigError, match="`threshold` must be above 0"):
        evaluate(dataset, [*trials[:-1], bad], dask_scheduler=cluster.scheduler_address)


def test_nobody_at_the_address_is_one_line(monkeypatch, dataset):
    monkeypatch.setattr("vp_engine.evaluation.cluster.CONNECT_S", 0.3)
    with pytest.raises(ConfigError, match="no Dask scheduler answers at"):
        evaluate(dataset, expand(experiment(), SERVING, CONFIG), dask_scheduler="tcp://127.0.0.1:9")


def test_a_cluster_without_workers_is_said(dataset):
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0", protocol="tcp", host="127.0.0.1") as empty,
        pytest.raises(ConfigError, match="has no workers"),
    ):
        evaluate(dataset, expand(experiment(), SERVING, CONFIG), dask_scheduler=empty.scheduler_address)
