"""Dagster and MLflow on Postgres, by the file that is deployed: two processes at once, one history."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from mlflow.tracking import MlflowClient

from tests.assets.conftest import EXPERIMENT, World, write_configs
from tests.assets.postgres import cluster

REPOSITORY = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs("postgres"),
]


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory, world: World) -> Iterator[dict[str, str]]:
    """An environment whose Dagster and MLflow live in Postgres, with the world's raw day in an empty lake."""
    root = tmp_path_factory.mktemp("postgres")
    home = root / "home"
    home.mkdir()
    shutil.copy(REPOSITORY / "deploy" / "dagster.yaml", home)
    configs = write_configs(root / "configs")
    (configs / "experiments" / "minute_sweep.yaml").write_text(EXPERIMENT.replace("backend: none", "backend: mlflow"))
    shutil.copytree(world.lake / "raw", root / "lake" / "raw")
    with cluster("dagster", "mlflow") as urls:
        yield {
            **{name: value for name, value in os.environ.items() if not name.startswith("VP_")},
            "VP_LAKE_ROOT": str(root / "lake"),
            "VP_CONFIG_DIR": str(configs),
            "DAGSTER_HOME": str(home),
            "DAGSTER_POSTGRES_URL": urls["dagster"],
            "MLFLOW_TRACKING_URI": urls["mlflow"],
        }


def test_two_processes_share_one_history(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-m", "vp_assets.cli", "run", "minute_sweep", "--json"]
    both = [
        subprocess.Popen(command, env=environ, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    ended = [process.communicate(timeout=240) for process in both]
    assert [process.returncode for process in both] == [0, 0], [said.decode()[-2000:] for _, said in ended]
    said = [json.loads(out) for out, _ in ended]
    assert said[0]["best"] == said[1]["best"]

    monkeypatch.setenv("DAGSTER_POSTGRES_URL", environ["DAGSTER_POSTGRES_URL"])
    with dg.DagsterInstance.from_config(environ["DAGSTER_HOME"]) as instance:
        runs = instance.get_runs()
        assert len(runs) == 4  # a raw day and a chain each
        assert all(run.is_success for run in runs)
        found = instance.fetch_materializations(dg.AssetKey(["minute", "bins"]), limit=10).records
        versions = {record.asset_materialization.tags["dagster/data_version"] for record in found}
        assert len(found) == 2
        assert len(versions) == 1
    assert not list(Path(environ["DAGSTER_HOME"]).rglob("*.db"))  # nothing was kept in SQLite

    client = MlflowClient(environ["MLFLOW_TRACKING_URI"])
    experiment = client.get_experiment_by_name("minute_sweep")
    assert experiment is not None
    tracked = client.search_runs([experiment.experiment_id])
    assert {run.data.tags["sweep_address"] for run in tracked} == {said[0]["steps"][-1]["address"]}
