"""Where else a run can be looked at: its asset in Dagster, its sweep in MLflow. MLflow is asked which of its runs
tracks the sweep; what it said is kept, its silence only for a while."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from vp_serving.rest.responses import RunLinks
from vp_serving.settings import ServingSettings

TIMEOUT_S = 2.0
ASK_AGAIN_S = 30.0


class Links:
    """Addresses on the servers that the settings name. Methods may block for `TIMEOUT_S`."""

    def __init__(self, settings: ServingSettings) -> None:
        self._dagster = settings.dagster_url
        self._mlflow = settings.mlflow_url
        self._tracked: dict[str, tuple[float, str | None, str | None]] = {}
        self._lock = threading.Lock()

    def of_run(self, detail: Mapping[str, Any], mlflow_experiment: str) -> RunLinks:
        """Links of a run as `ResultsDB.detail` gives it; `mlflow_experiment` is the name its sweep is tracked under."""
        dagster: str | None = None
        mlflow: str | None = None
        why_not_dagster: str | None = "VP_DAGSTER_URL is not set"
        why_not_mlflow: str | None = "VP_MLFLOW_URL is not set"
        if self._dagster is not None:
            query = urlencode({"view": "partitions", "partition": detail["dt"]})
            dagster, why_not_dagster = f"{self._dagster}/assets/{quote(detail['experiment'])}/sweep?{query}", None
        if self._mlflow is not None:
            mlflow, why_not_mlflow = self._tracked_run(self._mlflow, mlflow_experiment, detail["sweep_address"])
        return RunLinks(dagster=dagster, dagster_reason=why_not_dagster, mlflow=mlflow, mlflow_reason=why_not_mlflow)

    def _tracked_run(self, base: str, experiment: str, sweep: str) -> tuple[str | None, str | None]:
        with self._lock:
            asked, address, reason = self._tracked.get(sweep, (float("-inf"), None, None))
        if address is not None or time.monotonic() - asked < ASK_AGAIN_S:
            return address, reason
        try:
            address = _find(base, experiment, sweep)
            reason = None if address is not None else f"MLflow at {base} tracks no such sweep"
        except (OSError, ValueError, KeyError, TypeError):
            reason = f"MLflow at {base} does not answer"
        with self._lock:
            self._tracked[sweep] = (time.monotonic(), address, reason)
        return address, reason


def _find(base: str, experiment: str, sweep: str) -> str | None:
    """Address of the run's page, or None where MLflow has none. OSError or ValueError where it cannot be asked."""
    try:
        found = _ask(f"{base}/api/2.0/mlflow/experiments/get-by-name?{urlencode({'experiment_name': experiment})}")
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise
    of = found["experiment"]["experiment_id"]
    wanted = {"experiment_ids": [of], "filter": f"tags.sweep_address = '{sweep}'", "max_results": 1}
    runs = _ask(f"{base}/api/2.0/mlflow/runs/search", wanted).get("runs", [])
    return f"{base}/#/experiments/{of}/runs/{runs[0]['info']['run_id']}" if runs else None


def _ask(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        return dict(json.load(answer))
