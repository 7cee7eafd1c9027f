"""Results of sweeps: what was run (`runs_meta`, one row per run) and how it went (`runs`, one per run and threshold).

One Parquet file of each per sweep, named by its address, written once and never again; a manifest comes last, and a
sweep exists when it is there. A run is the same run in every sweep that holds it (`run_id`), but corrections for
many trials belong to a sweep: of the same row in several sweeps the one among the most trials is shown.
Floats are NaN where a figure is not defined. Pnl in ticks, rates as shares of the kept trades.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vp_engine.errors import ConfigError, LakeError, NotFoundError
from vp_engine.lake import paths
from vp_engine.lake.manifests import listed
from vp_engine.lake.objects import open_source, said
from vp_engine.lake.store import Lake, LakePath, beside
from vp_engine.schema import Field

RUNS_META_FIELDS: tuple[Field, ...] = (
    Field("run_id", "str", "", "16 hex of dataset address, signal, parameters and evaluation"),
    Field("sweep_address", "str", "", "address of the sweep this row was written by"),
    Field("trial_id", "str", "", "16 hex of signal, parameters and evaluation: the same on every day"),
    Field("experiment", "str", "", "experiment spec that asked first"),
    Field("serving", "str", "", "serving spec of the experiment"),
    Field("pipeline", "str", "", "pipeline spec of the dataset"),
    Field("dataset_id", "str", "", "dataset the run was judged on"),
    Field("dataset_address", "str", "", "its address, 64 hex"),
    Field("symbol", "str", "", "contract"),
    Field("tick_dollars", "f8", "$", "what one contract gains per tick; NaN of an older version"),
    Field("dt", "str", "", "Eastern date of the capture"),
    Field("day_role", "str", "", "train: chosen on; test: reports only; whole: no split; empty: of an older version"),
    Field("signal", "str", "", "signal"),
    Field("signal_kind", "str", "", "statistical or ml"),
    Field("prediction", "str", "", "score, probability or decision"),
    Field("parameters", "str", "", "JSON of every parameter of the signal, defaults included"),
    Field("evaluation", "str", "", "JSON of the evaluation: barriers, detection, costs"),
    Field("serving_spec", "str", "", "JSON of the serving spec, so that any row can be streamed"),
    Field("tp_ticks", "f8", "ticks", "take-profit distance of the mid"),
    Field("sl_ticks", "f8", "ticks", "stop-loss distance of the mid"),
    Field("max_hold_bins", "i8", "bins", "a trade is left max_hold_bins - 1 bins after entry at the latest"),
    Field("warmup_bins", "i8", "bins", "bins at the start in which nothing fires"),
    Field("cooldown_bins", "i8", "bins", "least distance of two firings"),
    Field("entry_delay_bins", "i8", "bins", "bins from the firing to the entry"),
    Field("fill", "str", "", "mid, or cross: enter and leave at the far quote"),
    Field("fee_ticks", "f8", "ticks", "fee per side"),
    Field("first_bin", "i8", "", "first evaluated bin: warm-up and calibration lie before it"),
    Field("n_bins", "i8", "", "bins of the dataset"),
    Field("n_valid_bins", "i8", "", "evaluated bins with a valid book"),
    Field("evaluated_hours", "f8", "h", "span from first_bin to the dataset's end"),
    Field("n_thresholds", "i8", "", "rows of this run"),
    Field("min_signals", "i8", "", "least trades of a row that its experiment chooses; 0 of an older version"),
    Field("n_trials", "i8", "", "rows of the sweep that are corrected for: those with enough signals to be judged"),
    Field("spa_p_value", "f8", "", "Hansen's SPA: P(best row of the sweep by luck); NaN under 20 holding times"),
    Field("code_version", "str", "", "versions of the evaluation and the signal that wrote the row"),
)

_OUTCOMES = tuple(
    Field(f"n_{side}_{exit_}", "i8", "", f"{side} trades that ended at {word}")
    for side in ("up", "down")
    for exit_, word in (("tp", "take-profit"), ("sl", "stop-loss"), ("timeout", "the time limit"))
)
RUNS_FIELDS: tuple[Field, ...] = (
    Field("run_id", "str", "", "run this row belongs to"),
    Field("sweep_address", "str", "", "sweep this row was written by"),
    Field("threshold", "f8", "", "threshold of the signal"),
    Field("n_signals", "i8", "", "kept trades"),
    Field("n_up", "i8", "", "of these, long"),
    Field("n_down", "i8", "", "of these, short"),
    Field("n_dropped", "i8", "", "firings without a valid book at the entry"),
    *_OUTCOMES,
    Field("tp_rate", "f8", "", "share that ended at take-profit"),
    Field("sl_rate", "f8", "", "share that ended at stop-loss"),
    Field("timeout_rate", "f8", "", "share that ended at the time limit"),
    Field("tp_rate_low", "f8", "", "lower end of the Wilson 95 % interval of tp_rate"),
    Field("tp_rate_high", "f8", "", "upper end"),
    Field("barrier_tp_rate", "f8", "", "of the trades that ended at a barrier, the share that ended at take-profit"),
    Field("barrier_tp_rate_low", "f8", "", "lower end of its Wilson 95 % interval, before correction"),
    Field("barrier_tp_rate_high", "f8", "", "upper end"),
    Field("break_even_rate", "f8", "", "barrier_tp_rate at which those trades earn nothing after fees"),
    Field("events_per_hour", "f8", "1/h", "kept trades over the evaluated span"),
    Field("median_time_to_outcome_ms", "f8", "ms", "entry to barrier, timeouts left out"),
    Field("mean_pnl_ticks", "f8", "ticks", "mean move in the trade's direction, before fees"),
    Field("net_mean_pnl_ticks", "f8", "ticks", "the same after fees"),
    Field("net_mean_low_ticks", "f8", "ticks", "lower end of the 95 % interval of the net mean, before correction"),
    Field("net_mean_high_ticks", "f8", "ticks", "upper end; from the draws of p_value"),
    Field("net_total_pnl_ticks", "f8", "ticks", "sum after fees"),
    Field("net_std_pnl_ticks", "f8", "ticks", "standard deviation after fees, ddof 1"),
    Field("sharpe", "f8", "", "net mean over standard deviation, per trade"),
    Field("skew", "f8", "", "skewness of the net pnl"),
    Field("kurtosis", "f8", "", "kurtosis of the net pnl, normal 3"),
    Field("n_independent", "i8", "", "largest number of trades of which no two overlap"),
    Field("n_effective", "f8", "", "trades by their average uniqueness: what overlapping ones are worth"),
    Field("p_value", "f8", "", "one-sided stationary bootstrap of the net pnl, before correction; 1e-5 is its least"),
    Field("p_binomial", "f8", "", "binomial p of barrier_tp_rate against break-even: shown, does not decide"),
    Field("p_holm", "f8", "", "the same after Holm's correction over the sweep; of more draws where 1e-5 is too much"),
    Field("deflated_sharpe", "f8", "", "P(true Sharpe above what the best of n_trials shows by luck)"),
)

T = TypeVar("T")
LESS_IS_BETTER = frozenset(
    {"sl_rate", "timeout_rate", "p_value", "p_binomial", "p_holm", "spa_p_value", "median_time_to_outcome_ms",
     "net_std_pnl_ticks", "break_even_rate", "n_dropped", "n_up_sl", "n_down_sl", "n_up_timeout", "n_down_timeout"}
)  # fmt: skip
SORTABLE = tuple(field.name for field in RUNS_FIELDS if field.dtype in ("f8", "i8"))
_MOST = 2**63 - 1  # int64: no row has so many
DEFAULT_MIN_SIGNALS = 5  # of a row that does not say what its experiment wants
_ARROW = {"str": pa.string(), "f8": pa.float64(), "i8": pa.int64()}
META_FILE, RUNS_FILE = "runs_meta.parquet", "runs.parquet"  # their names in a sweep's manifest
_JSON = ("parameters", "evaluation", "serving_spec")


def results_schema(fields: Iterable[Field]) -> pa.Schema:
    """Arrow schema with each column's unit and meaning in its metadata; none nullable."""
    return pa.schema(
        [
            pa.field(field.name, _ARROW[field.dtype], False, {"unit": field.unit, "meaning": field.meaning})
            for field in fields
        ]
    )


RUNS_META_SCHEMA = results_schema(RUNS_META_FIELDS)
RUNS_SCHEMA = results_schema(RUNS_FIELDS)


def rank(table: pa.Table, sort: str, min_signals: int | None = 0) -> pa.Table:
    """Rows with at least `min_signals` trades (None: as many as each row's own experiment wants), best by column `sort`
    first, undefined ones last. Ties: more trades, then run_id and threshold. ConfigError for a column that cannot be
    sorted by."""
    if sort not in SORTABLE:
        raise ConfigError(f"`sort` must be one of {', '.join(SORTABLE)}, was {sort!r}")
    if min_signals is None:
        own = table["min_signals"]
        least: Any = pc.if_else(pc.equal(own, 0), DEFAULT_MIN_SIGNALS, own)
    else:
        least = min(min_signals, _MOST)
    table = table.filter(pc.greater_equal(table["n_signals"], least))
    keys = table[sort].to_numpy().astype(float)
    keys = keys if sort in LESS_IS_BETTER else -keys
    order = np.lexsort(
        (
            table["threshold"].to_numpy(),
            table["run_id"].to_numpy(zero_copy_only=False).astype(str),
            -table["n_signals"].to_numpy(),
            keys,  # numpy sorts NaN last
        )
    )
    return table.take(pa.array(order))


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of either table for JSON: NaN becomes None, JSON columns become objects."""
    result: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, float) and not math.isfinite(value):
            result[name] = None
        else:
            result[name] = json.loads(value) if name in _JSON and isinstance(value, str) else value
    return result


class ResultsDB:
    """All sweeps of a lake, for reading and for adding one."""

    def __init__(self, lake: Lake, on_damage: Callable[[str, LakeError], None] | None = None) -> None:
        """With `on_damage` a damaged sweep is told to it, and left out of whatever reads several."""
        self.lake = lake
        self._on_damage = on_damage

    def exists(self, sweep_address: str) -> bool:
        """Whether the sweep's results are committed."""
        return self.lake.entry(self.lake.path(paths.results_manifest(sweep_address))) is not None

    def write(self, sweep_address: str, meta: pa.Table, runs: pa.Table) -> None:
        """Commit one sweep, and drop what was kept of it on the way; a sweep that is there stays as it is. LakeError
        where the tables do not belong together."""
        if not meta.schema.equals(RUNS_META_SCHEMA) or not runs.schema.equals(RUNS_SCHEMA):
            raise LakeError(f"sweep {sweep_address[:12]}: tables do not have the columns of runs_meta and runs")
        ids = meta["run_id"].to_pylist()
        if len(set(ids)) != len(ids):
            raise LakeError(f"sweep {sweep_address[:12]}: a run stands twice in runs_meta")
        if set(runs["run_id"].to_pylist()) - set(ids):
            raise LakeError(f"sweep {sweep_address[:12]}: runs names a run that runs_meta lacks")
        if not self.exists(sweep_address):
            self._commit(sweep_address, meta, runs)
        self.lake.remove(self.lake.path(paths.parts_dir(sweep_address)))

    def _commit(self, sweep_address: str, meta: pa.Table, runs: pa.Table) -> None:
        meta_path, runs_path = (self.lake.path(part) for part in paths.results_paths(sweep_address))
        where = self.lake.path(paths.results_manifest(sweep_address))
        with self.lake.staged(runs_path) as staged_runs, self.lake.staged(meta_path) as staged_meta:
            for table, staged in ((runs, staged_runs), (meta, staged_meta)):
                pq.write_table(table, staged, compression="zstd", write_page_checksum=True)
            files = {RUNS_FILE: (staged_runs, runs_path), META_FILE: (staged_meta, meta_path)}
            self.lake.commit_loose(where, _manifest(sweep_address, meta), files)

    def sweeps(self) -> list[str]:
        """Addresses of the committed sweeps."""
        found = self.lake.entries(self.lake.path(paths.RUNS_META), f"*{paths.MANIFEST_SUFFIX}")
        return [path.name.removesuffix(paths.MANIFEST_SUFFIX) for path in found]

    def files(self, sweep_address: str) -> tuple[LakePath, LakePath]:
        """Where (runs_meta, runs) of a sweep are; NotFoundError if there is none."""
        where = self.lake.path(paths.results_manifest(sweep_address))
        if self.lake.entry(where) is None:
            raise NotFoundError(f"no results of sweep {sweep_address[:12]}; run the experiment first")
        held = listed(self.lake.read_manifest(where), where)
        try:
            return beside(where, held[META_FILE][0]), beside(where, held[RUNS_FILE][0])
        except KeyError:
            raise LakeError(f"{where}: not the manifest of a sweep; delete it and run the experiment again") from None

    def _table(self, path: LakePath, schema: pa.Schema, **options: Any) -> pa.Table:
        """A file of results, with every column of `schema`."""
        try:
            with said(path, OSError, pa.ArrowException):
                table = pq.read_table(open_source(path), page_checksum_verification=True, **options)
                return _completed(table, schema)
        except (OSError, pa.ArrowException) as error:
            reason = " ".join(str(error).split())
            raise LakeError(f"{path}: cannot be read ({reason}); run the experiment again") from None

    def read(self, sweep_address: str) -> tuple[pa.Table, pa.Table]:
        """(runs_meta, runs) of one sweep; NotFoundError if there is none, LakeError if it cannot be read."""
        meta, runs = self.files(sweep_address)
        return self._table(meta, RUNS_META_SCHEMA), self._table(runs, RUNS_SCHEMA)

    def whole(self, read: Callable[[str], T], sweeps: Iterable[str] | None = None) -> Iterator[T]:
        """What `read` gives for each sweep, all of them if `sweeps` is None; LakeError for a damaged one, unless that
        is told to `on_damage`."""
        for address in self.sweeps() if sweeps is None else sweeps:
            try:
                found = read(address)
            except LakeError as error:
                if self._on_damage is None:
                    raise
                self._on_damage(address, error)
                continue
            yield found

    def _joined(self, sweeps: Iterable[str] | None = None, include_test: bool = True) -> pa.Table:
        """Rows of `runs` with their meta columns, each (run_id, threshold) once, perhaps without those of sweeps over
        test days."""
        parts = []
        for meta, runs in self.whole(self.read, sweeps):
            if not include_test:
                meta = meta.filter(pc.not_equal(meta["day_role"], "test"))
            parts.append(runs.join(meta.drop_columns(["sweep_address"]), keys="run_id", join_type="inner"))
        if not parts:
            return pa.schema(
                [*RUNS_SCHEMA, *(field for field in RUNS_META_SCHEMA if field.name not in ("run_id", "sweep_address"))]
            ).empty_table()
        table = pa.concat_tables(parts, promote_options="permissive").combine_chunks()
        table = table.sort_by([("n_trials", "descending"), ("sweep_address", "ascending")])
        return _first_of(table, ("run_id", "threshold"))

    def query_runs(
        self,
        signal: str | None = None,
        dataset_id: str | None = None,
        sort: str = "net_mean_pnl_ticks",
        min_signals: int | None = None,
        top_n: int | None = 50,
        *,
        sweep_address: str | Sequence[str] | None = None,
        experiment: str | None = None,
        best_per_run: bool = False,
        include_test: bool = True,
    ) -> pa.Table:
        """Rows of `runs` with the columns of `runs_meta`, best by `sort` first (`rank`); no match gives an empty table.

        min_signals None: each experiment's own. top_n None: all. sweep_address: one or several; experiment: the one
        that asked first; best_per_run keeps the best threshold of each run; include_test False leaves out sweeps over
        test days, which have no say in a choice. ConfigError for a bad sort, NotFoundError for a sweep that is not
        there.
        """
        table = self._joined([sweep_address] if isinstance(sweep_address, str) else sweep_address, include_test)
        for name, wanted in (("signal", signal), ("dataset_id", dataset_id), ("experiment", experiment)):
            if wanted is not None:
                table = table.filter(pc.equal(table[name], wanted))
        table = rank(table, sort, min_signals)
        if best_per_run:
            table = _first_of(table, ("run_id",))
        return table if top_n is None else table.slice(0, top_n)

    def query_best(
        self,
        signal: str | None = None,
        dataset_id: str | None = None,
        sort: str = "net_mean_pnl_ticks",
        min_signals: int | None = None,
        top_n: int | None = 50,
    ) -> pa.Table:
        """The best threshold of each run, best run first; as `query_runs`, without test days."""
        return self.query_runs(signal, dataset_id, sort, min_signals, top_n, best_per_run=True, include_test=False)

    def detail(self, run_id: str) -> dict[str, Any]:
        """One run for JSON: its runs_meta columns (JSON columns as objects) and `rows`, its rows of `runs` by
        threshold; undefined figures are None. NotFoundError if no sweep holds the run."""
        best: tuple[dict[str, Any], pa.Table] | None = None
        wanted = [("run_id", "=", run_id)]

        def read(address: str) -> tuple[list[dict[str, Any]], pa.Table | None]:
            meta, runs = self.files(address)
            found = self._table(meta, RUNS_META_SCHEMA, filters=wanted).to_pylist()
            return found, self._table(runs, RUNS_SCHEMA, filters=wanted) if found else None

        for found, rows in self.whole(read):
            if found and (best is None or found[0]["n_trials"] > best[0]["n_trials"]):
                best = found[0], rows
        if best is None:
            raise NotFoundError(f"no run `{run_id}` in the results; `vp compare` lists what there is")
        ranked = best[1].sort_by("threshold").to_pylist()
        return {**plain(best[0]), "rows": [plain(row) for row in ranked]}

    def best_row(self, run_id: str, sort: str = "net_mean_pnl_ticks", min_signals: int = 5) -> dict[str, Any]:
        """The row of `detail(run_id)` that ranks first; NotFoundError where no row has enough signals."""
        detail = self.detail(run_id)
        rows = pa.Table.from_pylist([_with_nan(row) for row in detail["rows"]], RUNS_SCHEMA)
        ranked = rank(rows, sort, min_signals).to_pylist()
        if not ranked:
            raise NotFoundError(f"no threshold of run `{run_id}` has {min_signals} signals; name one by `threshold`")
        return plain(ranked[0])


def _manifest(sweep_address: str, meta: pa.Table) -> dict[str, Any]:
    """What a sweep's manifest says besides its files: what it was made of, and by which code."""
    columns = ("dataset_address", "experiment", "dt", "code_version")
    told = {name: sorted(set(meta[name].to_pylist())) for name in columns}
    return {
        "schema_version": 1,
        "kind": "results",
        "address": sweep_address,
        "inputs": {"datasets": told["dataset_address"]},
        "experiments": told["experiment"],
        "days": told["dt"],
        "code_versions": told["code_version"],
    }


def _completed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with the columns of `schema` that an older version of the evaluation did not write: NaN, 0 or empty."""
    absent = {"double": math.nan, "int64": 0, "string": ""}
    for field in schema:
        if field.name not in table.column_names:
            column = pa.repeat(pa.scalar(absent[str(field.type)], field.type), table.num_rows)
            table = table.append_column(field, column)
    return table


def _with_nan(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: float("nan") if value is None else value for name, value in row.items()}


def _first_of(table: pa.Table, keys: tuple[str, ...]) -> pa.Table:
    """The first row of each distinct key, in the table's order."""
    seen: set[tuple[Any, ...]] = set()
    kept = []
    for index, key in enumerate(zip(*(table[name].to_pylist() for name in keys), strict=True)):
        if key not in seen:
            seen.add(key)
            kept.append(index)
    return table.take(pa.array(kept, pa.int64()))
