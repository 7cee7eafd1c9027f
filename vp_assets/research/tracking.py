"""MLflow, thin: one run per sweep with the winner's figures, the table and the plots; trials stay in Parquet.

MLflow is imported when a sweep is tracked and never otherwise (`backend: none` needs none of it).
"""

from __future__ import annotations

import logging
import math
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlparse

_LOCAL = "sqlite:///"
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")  # spoken to without a server: this process writes artifacts
_KIND, _MODEL_TRAINING = "mlflow.experimentKind", "custom_model_development"  # else the UI opens its GenAI pages
_FIGURES = (
    "n_signals", "tp_rate", "sl_rate", "timeout_rate", "barrier_tp_rate", "break_even_rate", "mean_pnl_ticks",
    "net_mean_pnl_ticks", "net_mean_low_ticks", "net_mean_high_ticks", "sharpe", "p_value", "p_holm",
    "deflated_sharpe", "spa_p_value",
)  # fmt: skip


class SweepRecord(NamedTuple):
    """What one sweep leaves in MLflow. best: the selected row, or None when no row has enough signals; plots: PNG by
    the name of their file."""

    experiment: str
    day: str
    sweep_address: str
    dataset_id: str
    n_runs: int
    n_rows: int
    best: Mapping[str, Any] | None
    table_markdown: str
    plots: Mapping[str, bytes]
    spec_yaml: str
    tags: Mapping[str, str]


def log_sweep(tracking_uri: str, artifacts: str, experiment_name: str | None, record: SweepRecord) -> str:
    """Write one finished MLflow run and return its id. A sweep that is tracked already keeps its run."""
    _quiet()
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.tracking import MlflowClient

    _make_folders(tracking_uri, artifacts)
    client = MlflowClient(tracking_uri=tracking_uri)
    experiment_id = _experiment(client, experiment_name or record.experiment, tracking_uri, artifacts)
    tags = {
        "sweep_address": record.sweep_address,
        "dataset_id": record.dataset_id,
        "day": record.day,
        **{str(key): str(value) for key, value in record.tags.items()},
    }
    known = client.search_runs([experiment_id], f"tags.sweep_address = '{record.sweep_address}'", max_results=1)
    if known:
        return str(known[0].info.run_id)
    run = client.create_run(experiment_id, run_name=f"{record.experiment} {record.day}", tags=tags)
    run_id, now = str(run.info.run_id), int(time.time() * 1000)
    best = dict(record.best or {})
    metrics = {
        "n_runs": record.n_runs,
        "n_rows": record.n_rows,
        **{f"best_{name}": best.get(name) for name in _FIGURES},
    }
    params = {name: value for name, value in best.items() if name in ("run_id", "signal", "threshold", "parameters")}
    client.log_batch(
        run_id,
        metrics=[
            Metric(name, float(value), now, 0)
            for name, value in metrics.items()
            if value is not None and _is_figure(value)
        ],
        params=[Param(f"best_{name}", str(value)[:500]) for name, value in params.items()],
        tags=[RunTag("best_run_id", str(best["run_id"]))] if "run_id" in best else [],
    )
    client.log_text(run_id, record.table_markdown, "best_runs.md")
    client.log_text(run_id, record.spec_yaml, "experiment.yaml")
    with tempfile.TemporaryDirectory() as folder:
        for name, content in record.plots.items():
            file = Path(folder) / name
            file.write_bytes(content)
            client.log_artifact(run_id, str(file))
    client.set_terminated(run_id)
    return run_id


def _experiment(client: Any, name: str, tracking_uri: str, artifacts: str) -> str:
    """Id of the experiment, made on first use. Over a database its artifacts are in the lake; a server has its own
    place for them."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        if _KIND not in found.tags:
            client.set_experiment_tag(found.experiment_id, _KIND, _MODEL_TRAINING)
        return str(found.experiment_id)
    place = Path(artifacts).absolute().as_uri() if _is_database(tracking_uri) else None
    return str(client.create_experiment(name, artifact_location=place, tags={_KIND: _MODEL_TRAINING}))


def _is_database(tracking_uri: str) -> bool:
    return tracking_uri.split(":")[0].split("+")[0] in _DATABASES


def _make_folders(tracking_uri: str, artifacts: str) -> None:
    if tracking_uri.startswith(_LOCAL):
        Path(unquote(urlparse(tracking_uri).path)[1:] or "/").parent.mkdir(parents=True, exist_ok=True)
    if _is_database(tracking_uri):
        Path(artifacts).mkdir(parents=True, exist_ok=True)


def _quiet() -> None:
    """MLflow and alembic narrate the making of a database; nobody asked."""
    for name in ("mlflow", "mlflow.store.db.utils", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _is_figure(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
