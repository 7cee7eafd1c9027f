"""MLflow: one run per sweep, found again instead of written twice; absent, it costs a warning and no sweep."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from tests.assets.conftest import EXPERIMENT, Vp, World
from vp_assets.research.tracking import SweepRecord, log_sweep

RECORD = SweepRecord(
    experiment="tried",
    day="2026-02-06",
    sweep_address="ab" * 32,
    dataset_id="MNQH6_20260206_0930_0931__minute__0123456789ab",
    n_runs=8,
    n_rows=48,
    best={"run_id": "0" * 16, "signal": "derivative", "threshold": 0.1, "tp_rate": 0.5, "p_holm": float("nan")},
    table_markdown="| a |",
    plots={"trials.png": b"a picture"},
    spec_yaml="name: tried\n",
    tags={"why": "test"},
)


def test_one_run_per_sweep(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow/mlflow.db"
    run_id = log_sweep(uri, str(tmp_path / "artifacts"), None, RECORD)
    assert log_sweep(uri, str(tmp_path / "artifacts"), None, RECORD) == run_id
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("tried")
    runs = client.search_runs([experiment.experiment_id])
    assert [run.info.run_id for run in runs] == [run_id]
    assert runs[0].data.metrics == {"n_runs": 8.0, "n_rows": 48.0, "best_tp_rate": 0.5}
    assert runs[0].data.tags["sweep_address"] == RECORD.sweep_address
    assert runs[0].data.tags["why"] == "test"
    assert {item.path for item in client.list_artifacts(run_id)} == {"best_runs.md", "experiment.yaml", "trials.png"}
    assert list((tmp_path / "artifacts").rglob("best_runs.md"))
    assert [file.read_bytes() for file in (tmp_path / "artifacts").rglob("trials.png")] == [b"a picture"]


def test_backend_none_never_loads_mlflow(world: World) -> None:
    script = (
        "import sys; from vp_assets.cli import run;"
        f"code = run(['run', 'minute_sweep', '--json', '--lake-root', {str(world.lake)!r},"
        f" '--config-dir', {str(world.configs)!r}]); sys.exit(code or int('mlflow' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_server_that_is_down_costs_a_warning(
    world: World, vp: Vp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nowhere://at-all")
    spec = tmp_path / "tracked.yaml"
    text = EXPERIMENT.replace("name: minute_sweep", "name: tracked").replace("backend: none", "backend: mlflow")
    spec.write_text(text.replace("max_hold_bins: 100", "max_hold_bins: 90"))
    said = vp("run", spec, "--json")
    assert said.code == 0
    assert said.data["steps"][-1]["store_hit"] is False
    assert said.data["best"]

    server = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)  # it is back: what it missed is sent by the next run
    again = vp("run", spec, "--json")
    assert again.data["steps"][-1]["store_hit"] is True
    client = MlflowClient(server)
    experiment = client.get_experiment_by_name("tracked")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert [run.data.tags["sweep_address"] for run in runs] == [again.data["steps"][-1]["address"]]
    assert "trials.png" in {item.path for item in client.list_artifacts(runs[0].info.run_id)}
    client.delete_run(runs[0].info.run_id)
    vp("run", spec, "--json")  # it was taken once: what a person deletes there stays deleted
    assert client.search_runs([experiment.experiment_id]) == []


def test_log_sweep_when_the_experiment_is_new_or_old_then_it_is_of_the_kind_model_training(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = MlflowClient(uri)
    client.create_experiment("old")
    for name in ("old", "new"):
        log_sweep(uri, str(tmp_path / "artifacts"), name, RECORD)
        assert client.get_experiment_by_name(name).tags["mlflow.experimentKind"] == "custom_model_development"


@pytest.mark.parametrize(
    ("uri", "in_the_lake"),
    [
        ("sqlite:////x/mlflow.db", True),
        ("postgresql+psycopg2://a:b@host/mlflow", True),
        ("mysql+pymysql://host/mlflow", True),
        ("http://host:5000", False),
    ],
)
def test_experiment_when_mlflow_is_a_database_then_its_artifacts_are_in_the_lake(
    tmp_path: Path, uri: str, in_the_lake: bool
) -> None:
    from unittest.mock import Mock

    from vp_assets.research.tracking import _experiment

    client = Mock(**{"get_experiment_by_name.return_value": None, "create_experiment.return_value": "1"})
    _experiment(client, "tried", uri, str(tmp_path))
    place = client.create_experiment.call_args.kwargs["artifact_location"]
    assert place == (tmp_path.as_uri() if in_the_lake else None)
