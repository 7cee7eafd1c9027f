"""Looking up runs in a lake of many sweeps: one run in detail, a page of rows, through the service's own application.

`python -m benchmarks.results_lookup [--sweeps 250] [--runs 8]` makes the sweeps in a temporary folder and prints the
median and the slowest of the requests. No network: the application is called in this process.
"""

from __future__ import annotations

import argparse
import datetime as dt
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from fastapi.testclient import TestClient

from vp_engine.lake import Lake
from vp_engine.lake.results import RUNS_META_SCHEMA, RUNS_SCHEMA, ResultsDB
from vp_serving.server.app import create_app
from vp_serving.settings import load_settings

ROOT = Path(__file__).parents[1]
REPEATS = 15
_FILL = {"string": "", "int64": 10, "double": 0.5}


def write_sweeps(lake: Lake, sweeps: int, runs: int) -> list[str]:
    """Commit synthetic sweeps of `runs` runs with three thresholds each; the ids of the runs."""
    results, ids = ResultsDB(lake), []
    for number in range(sweeps):
        address = f"{number:064x}"
        own = [f"{number * runs + at:016x}" for at in range(runs)]
        day = (dt.date(2025, 1, 1) + dt.timedelta(number)).isoformat()
        told = {"run_id": own, "dt": [day] * runs, "signal": ["derivative"] * runs, "serving": ["none"] * runs}
        told |= {name: ["{}"] * runs for name in ("parameters", "evaluation")} | {"serving_spec": ["null"] * runs}
        told |= {"prediction": ["score"] * runs, "signal_kind": ["statistical"] * runs, "experiment": ["none"] * runs}
        rows = {"run_id": np.repeat(own, 3).tolist(), "threshold": [0.1, 0.2, 0.3] * runs}
        meta = _table(RUNS_META_SCHEMA, {"sweep_address": [address] * runs, **told}, runs)
        results.write(address, meta, _table(RUNS_SCHEMA, {"sweep_address": [address] * 3 * runs, **rows}, 3 * runs))
        ids += own
    return ids


def _table(schema: pa.Schema, given: dict[str, list[object]], rows: int) -> pa.Table:
    columns = {field.name: given.get(field.name, [_FILL[str(field.type)]] * rows) for field in schema}
    return pa.Table.from_pydict(columns, schema)


def measured(work: Callable[[int], object], repeats: int = REPEATS) -> str:
    """Median and slowest of some calls, as text."""
    spent = []
    for at in range(repeats):
        began = time.perf_counter()
        work(at)
        spent.append(1e3 * (time.perf_counter() - began))
    return f"first {spent[0]:.0f} ms, median {statistics.median(spent):.1f} ms, slowest {max(spent):.0f} ms"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sweeps", type=int, default=250)
    parser.add_argument("--runs", type=int, default=8, help="runs of each sweep")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "lake")
        began = time.perf_counter()
        ids = write_sweeps(lake, given.sweeps, given.runs)
        print(f"{given.sweeps} sweeps, {len(ids)} runs written in {time.perf_counter() - began:.1f} s")
        paths = {"VP_LAKE_ROOT": str(lake.root), "VP_CONFIG_DIR": str(ROOT / "configs")}
        client = TestClient(create_app(load_settings({"log_level": "error"}, paths)), base_url="http://127.0.0.1")

        def get(path: str) -> None:
            assert client.get(path).status_code == 200, path

        step = len(ids) // REPEATS
        print("run in detail, another each time:", measured(lambda at: get(_detail(ids[at * step]))))
        print("run in detail, the same each time:", measured(lambda _: get(_detail(ids[-1]))))
        print("a page of rows:", measured(lambda _: get("/v1/experiments/runs?sort=tp_rate&top_n=50")))


def _detail(run_id: str) -> str:
    return f"/v1/experiments/runs/{run_id}/detail"


if __name__ == "__main__":
    main()
