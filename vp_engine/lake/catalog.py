"""SQL over the lake: an in-memory DuckDB whose views read the files that manifests list.

Views: days, datasets, bins, grid, runs_meta, runs, best, serving_specs. Nothing is stored, so nothing can be stale
but the list of files, which `refresh` reads again. Times in ns UTC.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from functools import partial
from types import TracebackType
from typing import Any

import duckdb
import pyarrow as pa

from vp_engine.errors import ConfigError, LakeError
from vp_engine.lake import paths
from vp_engine.lake.blocks import open_parquet
from vp_engine.lake.datasets import DatasetInfo, iter_datasets
from vp_engine.lake.raw import RawDay, list_raw
from vp_engine.lake.results import RUNS_META_SCHEMA, RUNS_SCHEMA, ResultsDB
from vp_engine.lake.store import Lake, LakePath
from vp_engine.schema import BIN_FIELDS, GRID_STORED, arrow_schema
from vp_engine.specs.book import SpecBook

VIEWS = ("days", "datasets", "bins", "grid", "runs_meta", "runs", "best", "serving_specs")
_HIDDEN = "files"  # schema of what the views stand on

_TEXT, _INT = pa.string(), pa.int64()
_DAYS = pa.schema(
    [("day", pa.date32()), ("symbol", _TEXT), ("source", _TEXT), ("dataset", _TEXT), ("records", _INT), ("kept", _INT),
     ("first_ts_ns", _INT), ("last_ts_ns", _INT), ("complete_start", pa.bool_()), ("n_bad_flags", _INT),
     ("dbn_version", _INT), ("condition", _TEXT), ("quarantine", _TEXT), ("admitted", _TEXT), ("bytes", _INT),
     ("address", _TEXT), ("path", _TEXT)]
)  # fmt: skip
_DATASETS = pa.schema(
    [("dataset_id", _TEXT), ("pipeline", _TEXT), ("symbol", _TEXT), ("dt", pa.date32()), ("start_ns", _INT),
     ("end_ns", _INT), ("bin_ns", _INT), ("n_bins", _INT), ("valid_bins", _INT), ("events", _INT), ("trades", _INT),
     ("volume", _INT), ("bytes", _INT), ("counters", _TEXT), ("params", _TEXT), ("address", _TEXT), ("path", _TEXT)]
)  # fmt: skip
_SERVING = pa.schema(
    [("name", _TEXT), ("description", _TEXT), ("pipeline", _TEXT), ("signal", _TEXT), ("threshold", pa.float64()),
     ("promoted", pa.bool_()), ("experiment", _TEXT), ("run_id", _TEXT), ("dataset_address", _TEXT), ("path", _TEXT)]
)  # fmt: skip

# The best threshold row of each signal on each dataset, test days left out; a NaN would sort above every number.
_BEST = """
CREATE OR REPLACE VIEW best AS
SELECT m.dataset_id, m.signal, m.experiment, r.* FROM runs r JOIN runs_meta m USING (run_id, sweep_address)
WHERE r.n_signals >= 5 AND NOT isnan(r.net_mean_pnl_ticks) AND m.day_role <> 'test'
QUALIFY row_number() OVER (
    PARTITION BY m.dataset_id, m.signal
    ORDER BY r.net_mean_pnl_ticks DESC, r.n_signals DESC, m.n_trials DESC, r.run_id, r.threshold
) = 1
"""


class Catalog:
    """A DuckDB connection with the lake's views. One thread at a time; `with` closes it."""

    def __init__(self, lake: Lake, specs: SpecBook | None = None) -> None:
        self.lake = lake
        self.specs = specs
        self.left_out: list[str] = []  # what is damaged and stands in no view, a line each
        self.connection = duckdb.connect(":memory:")
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute(f"CREATE SCHEMA {_HIDDEN}")
        if not lake.is_local:  # DuckDB reads through the lake's own file system: one way to credentials and endpoint
            self.connection.register_filesystem(lake.root.fs)
        self.refresh()

    def __enter__(self) -> Catalog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the memory back."""
        self.connection.close()

    def refresh(self) -> None:
        """Read anew what is committed."""
        self.left_out = []
        datasets = [info for info in iter_datasets(self.lake, self._leave_out) if self._opens(info)]
        results = ResultsDB(self.lake, self._leave_out)
        sweeps = list(results.whole(partial(_opened, results)))
        days = list_raw(self.lake, on_damage=self._leave_out)
        self._table("days", _DAYS, (_day_row(day) for day in days))
        self._table("datasets", _DATASETS, (_dataset_row(info) for info in datasets))
        self._table("serving_specs", _SERVING, self._serving_rows())
        self._files("bins", arrow_schema(BIN_FIELDS), [info.file(paths.BINS_FILE) for info in datasets], by_id=True)
        self._files("grid", arrow_schema(GRID_STORED), [info.file(paths.GRID_FILE) for info in datasets], by_id=True)
        self._files("runs_meta", RUNS_META_SCHEMA, [meta for meta, _ in sweeps])
        self._files("runs", RUNS_SCHEMA, [runs for _, runs in sweeps])
        self.connection.execute(_BEST)

    def _leave_out(self, what: object, error: LakeError) -> None:
        self.left_out.append(str(error))

    def _opens(self, info: DatasetInfo) -> bool:
        """Whether the files of a dataset are Parquet; one that is not would take the whole view down."""
        try:
            for name in (paths.BINS_FILE, paths.GRID_FILE):
                open_parquet(info.file(name)).close()
        except LakeError as error:
            self._leave_out(info, error)
            return False
        return True

    def sql(self, query: str) -> pa.Table:
        """Result of a query, empty for a statement without one; ConfigError in DuckDB's own words if it is wrong,
        LakeError if a stored file cannot be read."""
        try:
            result = self.connection.sql(query)
            found = result.to_arrow_table() if result is not None else pa.table({})
        except duckdb.Error as error:
            words = " ".join(str(error).split())
            # Of bytes that are no Parquet DuckDB raises its base class, or names the file that it failed to read.
            if type(error) is duckdb.Error or "Failed to read file" in words:
                raise LakeError(
                    f"SQL: a stored file cannot be read ({words}); `vp verify` says which one is damaged"
                ) from None
            raise ConfigError(f"SQL: {words}") from None
        return found.rename_columns(_apart(found.column_names))

    def _table(self, name: str, schema: pa.Schema, rows: Iterable[dict[str, Any]]) -> None:
        """A view of rows in memory."""
        self._hide(name, pa.Table.from_pylist(list(rows), schema))
        self.connection.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM {_HIDDEN}.{name}")

    def _hide(self, name: str, table: pa.Table) -> None:
        """Keep a table where SHOW TABLES does not list it."""
        self.connection.register("incoming", table)
        self.connection.execute(f"CREATE OR REPLACE TABLE {_HIDDEN}.{name} AS SELECT * FROM incoming")
        self.connection.unregister("incoming")

    def _files(self, name: str, schema: pa.Schema, files: Sequence[LakePath], by_id: bool = False) -> None:
        """A view of Parquet files; with `by_id` the folder's name is a column `dataset_id` in front."""
        if not files:
            columns = [pa.field("dataset_id", _TEXT), *schema] if by_id else [*schema]
            self._table(name, pa.schema(columns), ())
            return
        listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in files)
        if by_id:
            query = (
                "SELECT split_part(filename, '/', -2) AS dataset_id, * EXCLUDE (filename) "
                f"FROM read_parquet([{listed}], filename = true, hive_partitioning = false)"
            )
        else:  # an older version of the evaluation wrote fewer columns: those are NULL
            self._hide(name, schema.empty_table())
            query = (
                f"SELECT * FROM {_HIDDEN}.{name} UNION ALL BY NAME "
                f"SELECT * FROM read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
            )
        self.connection.execute(f"CREATE OR REPLACE VIEW {name} AS {query}")

    def _serving_rows(self) -> Iterable[dict[str, Any]]:
        if self.specs is None:
            return
        for name, spec in sorted(self.specs.serving.items()):
            record = spec.promoted
            yield {
                "name": name,
                "description": spec.description,
                "pipeline": spec.pipeline,
                "signal": spec.signal.name if spec.signal else None,
                "threshold": spec.signal.threshold if spec.signal else None,
                "promoted": record is not None,
                "experiment": record.experiment if record else None,
                "run_id": record.run_id if record else None,
                "dataset_address": record.dataset_address if record else None,
                "path": str(self.specs.serving_path(name)),
            }


def _opened(results: ResultsDB, sweep_address: str) -> tuple[LakePath, LakePath]:
    """(runs_meta, runs) of a sweep, both seen to be Parquet; LakeError if one is not."""
    files = results.files(sweep_address)
    for path in files:
        results.lake.size(path)
        open_parquet(path).close()
    return files


def _apart(names: Sequence[str]) -> list[str]:
    """Columns of a result under names of their own, `a`, `a_1`: by name one of two would be lost."""
    apart: list[str] = []
    for name in names:
        free = (made for n in itertools.count() if (made := f"{name}_{n}" if n else name) not in apart)
        apart.append(next(free))
    return apart


def _day_row(day: RawDay) -> dict[str, Any]:
    manifest = day.manifest
    return {**manifest.model_dump(include=set(_DAYS.names)), "address": manifest.address, "path": str(day.path)}


def _dataset_row(info: DatasetInfo) -> dict[str, Any]:
    manifest, capture = info.manifest, info.capture
    return {
        **manifest["summary"],
        "dataset_id": info.dataset_id,
        "pipeline": info.pipeline,
        "symbol": capture.symbol,
        "dt": capture.dt,
        "start_ns": capture.start_ns,
        "end_ns": capture.end_ns,
        "bin_ns": capture.bin_ns,
        "n_bins": info.n_bins,
        "bytes": sum(manifest["bytes"].values()),
        "counters": json.dumps(manifest["counters"], sort_keys=True),
        "params": json.dumps(manifest["params"], sort_keys=True),
        "address": info.address,
        "path": str(info.path),
    }
