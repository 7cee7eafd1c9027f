"""Sweeps on a Dask cluster give the rows of a sweep in one process."""

from __future__ import annotations

import pytest
from distributed import LocalCluster
from evaluation_lake import CONFIG, SERVING, experiment, make_lake, same_tables

from vp_engine.errors import ConfigError
from vp_engine.evaluation import evaluate, expand
from vp_engine.evaluation.cluster import run_on_cluster


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


def _fail(shared: str, at: int, group: int) -> tuple[int, int]:
    if group == 3:
        raise ConfigError(f"{shared} {group}")
    return at, group


def test_what_a_task_raises_is_raised(cluster):
    with pytest.raises(ConfigError, match="bad group 3"):
        list(run_on_cluster(cluster.scheduler_address, _fail, "bad group", range(5)))


def test_nobody_at_the_address_is_one_line(monkeypatch):
    monkeypatch.setattr("vp_engine.evaluation.cluster.CONNECT_S", 0.3)
    with pytest.raises(ConfigError, match="no Dask scheduler answers at"):
        list(run_on_cluster("tcp://127.0.0.1:9", _fail, "", [1]))


def test_a_cluster_without_workers_is_said():
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0", protocol="tcp", host="127.0.0.1") as empty,
        pytest.raises(ConfigError, match="has no workers"),
    ):
        list(run_on_cluster(empty.scheduler_address, _fail, "", [1]))
