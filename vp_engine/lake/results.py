"""Results of sweeps: what was run (`runs_meta`, one row per run) and how it went (`runs`, one per run and threshold).

One Parquet file of each per sweep, named by its address, written once and never again; a manifest comes last, and a
sweep exists when it is there. A run is the same run in every sweep that holds it (`run_id`), but corrections for
many trials belong to a sweep: of the same row in several sweeps the one among the most trials is shown.
Floats are NaN where a figure is not defined. Pnl in ticks, rates as shares of the kept trades.
"""

from __future__ import annotations

import copy
import json
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vp_engine.errors import ConfigError, LakeError, NotFoundError, UnreachableError
from vp_engine.lake import paths
from vp_engine.lake.manifests import listed
from vp_engine.lake.objects import is_of_the_bytes, open_source, said
from vp_engine.lake.results_fields import RUNS_FIELDS, RUNS_META_FIELDS
from vp_engine.lake.results_tables import completed as completed_table
from vp_engine.lake.results_tables import first_of, with_nan
from vp_engine.lake.run_index import RunIndex, RunTrials, completed, store_index, stored_index, trials_of
from vp_engine.lake.store import Lake, LakePath, beside
from vp_engine.schema import Field

T = TypeVar("T")

LESS_IS_BETTER = frozenset(
    {"sl_rate", "timeout_rate", "p_value", "p_binomial", "p_holm", "spa_p_value", "median_time_to_outcome_ms",
     "net_std_pnl_ticks", "break_even_rate", "n_dropped", "n_up_sl", "n_down_sl", "n_up_timeout", "n_down_timeout"}
)  # fmt: skip
SORTABLE = tuple(field.name for field in RUNS_FIELDS if field.dtype in ("f8", "i8"))
_MOST = 2**63 - 1  # int64: no row has so many
DEFAULT_SORT = "net_mean_pnl_ticks"
DEFAULT_MIN_SIGNALS = 5  # of a row that does not say what its experiment wants
_ARROW = {"str": pa.string(), "f8": pa.float64(), "i8": pa.int64()}
META_FILE, RUNS_FILE = "runs_meta.parquet", "runs.parquet"  # their names in a sweep's manifest
_DETAILS = 64  # runs in detail that are kept
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
        untold = pc.and_(pc.equal(own, 0), pc.equal(table["selection_sort"], ""))  # of an older version
        least: Any = pc.if_else(untold, DEFAULT_MIN_SIGNALS, own)
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


def own_selection(meta_row: Mapping[str, Any]) -> tuple[str, int]:
    """(column, least trades) by which the experiment behind a run chooses."""
    sort, least = meta_row["selection_sort"], int(meta_row["min_signals"])
    return (sort, least) if sort else (DEFAULT_SORT, least or DEFAULT_MIN_SIGNALS)


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
        self._index: RunIndex | None = None
        self._details: OrderedDict[str, dict[str, Any]] = OrderedDict()  # of the sweeps of `_index`, asked for lately
        self._lock = threading.Lock()

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
            known = {sweep_address: trials_of(meta)}
            store_index(self.lake, self.sweeps, lambda address: known.get(address) or self._trials(address))
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
                return completed_table(table, schema)
        except (OSError, pa.ArrowException) as error:
            reason = " ".join(str(error).split())
            if not is_of_the_bytes(error):
                raise UnreachableError(f"{path}: cannot be read now ({reason})") from None
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
        pairs = list(self.whole(self.read, sweeps))
        if not pairs:
            return pa.schema(
                [*RUNS_SCHEMA, *(field for field in RUNS_META_SCHEMA if field.name not in ("run_id", "sweep_address"))]
            ).empty_table()
        meta, runs = (pa.concat_tables(part, promote_options="permissive") for part in zip(*pairs, strict=True))
        if not include_test:
            meta = meta.filter(pc.not_equal(meta["day_role"], "test"))
        table = runs.join(meta, keys=["run_id", "sweep_address"], join_type="inner").combine_chunks()
        table = table.sort_by([("n_trials", "descending"), ("sweep_address", "ascending")])
        return first_of(table, ("run_id", "threshold"))

    def query_runs(
        self,
        signal: str | None = None,
        dataset_id: str | None = None,
        sort: str = DEFAULT_SORT,
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
            table = first_of(table, ("run_id",))
        return table if top_n is None else table.slice(0, top_n)

    def query_best(
        self,
        signal: str | None = None,
        dataset_id: str | None = None,
        sort: str = DEFAULT_SORT,
        min_signals: int | None = None,
        top_n: int | None = 50,
    ) -> pa.Table:
        """The best threshold of each run, best run first; as `query_runs`, without test days."""
        return self.query_runs(signal, dataset_id, sort, min_signals, top_n, best_per_run=True, include_test=False)

    def _trials(self, sweep_address: str) -> RunTrials:
        meta, _ = self.files(sweep_address)
        return trials_of(self._table(meta, RUNS_META_SCHEMA, columns=["run_id", "n_trials"]))

    def index(self) -> RunIndex:
        """Which sweeps hold a run: the stored index, with what it lacks read and kept in memory."""
        sweeps = self.sweeps()
        with self._lock:
            if self._index is None or self._index.damaged or list(self._index.sweeps) != sweeps:
                found = completed(self._index or stored_index(self.lake), sweeps, self._trials, self._on_damage)
                if self._index is None or found != self._index:
                    self._index = found
                    self._details.clear()
            return self._index

    def detail(self, run_id: str) -> dict[str, Any]:
        """One run for JSON: its runs_meta columns (JSON columns as objects) and `rows`, its rows of `runs` by
        threshold; undefined figures are None. NotFoundError if no sweep holds the run, LakeError if none that does can
        be read. Of what was asked for lately no file is opened again while the lake's sweeps are the same."""
        index = self.index()
        with self._lock:
            if run_id in self._details:
                self._details.move_to_end(run_id)
                return copy.deepcopy(self._details[run_id])
        holding = index.holding(run_id)
        if not holding:
            left_out = f" ({len(index.damaged)} damaged sweeps were left out)" if index.damaged else ""
            raise NotFoundError(f"no run `{run_id}` in the results{left_out}; `vp compare` lists what there is")
        read = partial(self._run, run_id)
        found = next(self.whole(read, holding[:-1]), None) or read(holding[-1])
        with self._lock:
            if index is self._index:
                self._details[run_id] = found
                while len(self._details) > _DETAILS:
                    self._details.popitem(last=False)
        return copy.deepcopy(found)

    def _run(self, run_id: str, sweep_address: str) -> dict[str, Any]:
        """A run as `detail` gives it, from one sweep that holds it."""
        meta, runs = self.files(sweep_address)
        only = [("run_id", "=", run_id)]
        (told,) = self._table(meta, RUNS_META_SCHEMA, filters=only).to_pylist()
        rows = self._table(runs, RUNS_SCHEMA, filters=only).sort_by("threshold").to_pylist()
        return {**plain(told), "rows": [plain(row) for row in rows]}

    def best_row(self, run_id: str, sort: str | None = None, min_signals: int | None = None) -> dict[str, Any]:
        """The row of `detail(run_id)` that ranks first. None: by the selection that its sweep was made with, whatever
        its experiment's spec says today. NotFoundError where no row has enough signals."""
        detail = self.detail(run_id)
        own_sort, own_least = own_selection(detail)
        sort = own_sort if sort is None else sort
        min_signals = own_least if min_signals is None else min_signals
        rows = pa.Table.from_pylist([with_nan(row) for row in detail["rows"]], RUNS_SCHEMA)
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
