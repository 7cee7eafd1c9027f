"""Results of sweeps as the REST side shows them: rows filtered and ranked, one run in detail. Sweeps are written once
and never again, so the joined table of all of them is kept until another one is there.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vp_engine.errors import VPError
from vp_engine.evaluation.verdicts import verdict, verdict_of_test_days, verdict_text
from vp_engine.evaluation.walk_forward import Pooled
from vp_engine.lake import Dataset, Lake, find_dataset
from vp_engine.lake.results import plain, rank
from vp_engine.specs import dump_yaml
from vp_engine.specs.serving import PromotionRecord
from vp_serving.replay.catalog import ReplayCatalog, row_at
from vp_serving.rest import responses
from vp_serving.rest.judged import TradesShelf
from vp_serving.rest.links import Links
from vp_serving.wire.messages import Wire
from vp_serving.wire.query import QueryError, stream_url

Reason = Callable[[str], str | None]
_EQUAL = ("signal", "signal_kind", "dataset_id", "experiment", "serving", "dt")


class RunShelf:
    """Read-only view of the results of one lake. Every method may block."""

    def __init__(self, catalog: ReplayCatalog, links: Links) -> None:
        self._catalog = catalog
        self._results = catalog.results
        self._links = links
        self._trades = TradesShelf(catalog.lake)
        self._lock = threading.Lock()
        self._joined: tuple[tuple[str, ...], pa.Table] | None = None

    @property
    def _lake(self) -> Lake:
        return self._catalog.lake

    def _table(self) -> pa.Table:
        """Every row of every sweep, joined with what was tried."""
        self._catalog.require_lake()
        sweeps = tuple(sorted(self._results.sweeps()))
        with self._lock:
            if self._joined is None or self._joined[0] != sweeps:
                self._joined = sweeps, self._results.query_runs(min_signals=0, top_n=None)
            return self._joined[1]

    def runs(self, query: responses.RunsQuery, reason: Reason) -> responses.Runs:
        """Rows as asked for; `reason` says why a run cannot be streamed, None if it can."""
        table = rank(_filtered(self._table(), query), query.sort, query.min_signals)
        n_matching = table.num_rows
        if not query.include_test:
            table = table.filter(pc.not_equal(table["day_role"], "test"))
        n_test_left_out = n_matching - table.num_rows
        if query.best_per_run:
            runs = table["run_id"].to_numpy(zero_copy_only=False).astype(str)
            table = table.take(np.sort(np.unique(runs, return_index=True)[1]))
        page = table.slice(query.offset, query.top_n).to_pylist()
        why: dict[str, str | None] = {info.address: None for info in self._catalog.infos()}
        rows = []
        for row in map(plain, page):
            if row["dataset_address"] not in why:
                why[row["dataset_address"]] = reason(row["run_id"])
            rows.append(_run_row(row, why[row["dataset_address"]]))
        end = query.offset + len(rows)
        return responses.Runs(
            runs=rows,
            total=table.num_rows,
            n_test_left_out=n_test_left_out,
            offset=query.offset,
            next_offset=end if end < table.num_rows else None,
        )

    def detail(self, run_id: str, reason: Reason) -> Wire:
        """One run with all its threshold rows (RunDetail); NotFoundError if there is none."""
        self._catalog.require_lake()
        detail = self._results.detail(run_id)
        rows = detail.pop("rows")
        best, yaml = None, None
        try:
            spec = self._catalog.judged_run(run_id, None).serving
            best, yaml = spec.signal.threshold if spec.signal else None, dump_yaml(spec)
        except VPError:
            pass
        why = reason(run_id)
        return responses.RunDetail.model_validate(
            {
                **detail,
                "rows": [_threshold_row(row, detail["n_trials"]) for row in rows],
                "best_threshold": best,
                "reason": why,
                "yaml": yaml,
                "can_stream": why is None,
                "streaming_url": stream_url(run_id=run_id),
                "trades_url": f"/v1/experiments/runs/{run_id}/trades",
                "links_url": f"/v1/experiments/runs/{run_id}/links",
                "promoted": self._promoted(run_id),
            }
        )

    def _promoted(self, run_id: str) -> list[responses.PromotedAs]:
        """Serving specs that were promoted from this run."""
        try:
            specs = self._catalog.specs().serving.values()
        except VPError:
            return []  # `/ready` and `/v1/serving` say what is wrong with the specs
        return [
            responses.PromotedAs(
                name=spec.name,
                threshold=spec.promoted.threshold,
                figures=dict(spec.promoted.figures),
                train_days=list(spec.promoted.train_days),
                test_days=list(spec.promoted.test_days),
                days_text=days_text(spec.promoted),
                streaming_url=stream_url(serving=spec.name),
            )
            for spec in specs
            if spec.promoted is not None and spec.promoted.run_id == run_id
        ]

    def trades(self, run_id: str, threshold: float | None) -> responses.RunTrades:
        """Trades of a run at a threshold, by default its best; NotFoundError without the run or its dataset."""
        detail = self._results.detail(run_id)
        if threshold is None:
            chosen = self._catalog.judged_run(run_id, None).serving.signal
            threshold = chosen.threshold if chosen is not None else None
            if threshold is None:
                raise QueryError("threshold", f"run `{run_id}` has no best threshold; give `threshold`")
        row = row_at(detail["rows"], threshold)
        info = find_dataset(self._lake, detail["dataset_address"])
        if info is None:
            raise QueryError("run_id", f"dataset `{detail['dataset_id']}` of the run is not in the lake", "not_found")
        return self._trades.get(Dataset(info), detail, row["threshold"])

    def links(self, run_id: str) -> responses.RunLinks:
        """Where else a run can be looked at; NotFoundError if there is none."""
        detail = self._results.detail(run_id)
        return self._links.of_run(detail, self._catalog.tracked_under(detail))


def days_text(record: PromotionRecord) -> str:
    """What chose a promoted spec, and what its test days say."""
    if not record.train_days and not record.test_days:
        return "Chosen on its own day, with no test day to hold it against."
    figures: dict[str, Any] = dict.fromkeys(Pooled._fields, math.nan) | dict(record.test_figures)
    tested = Pooled(**figures) if record.test_figures else None
    days = f"{len(record.train_days)} train {'day' if len(record.train_days) == 1 else 'days'}"
    return f"Chosen on {days}. {verdict_of_test_days(tested)}"


def _filtered(table: pa.Table, query: responses.RunsQuery) -> pa.Table:
    """Rows that pass every filter but the least number of trades."""
    for name in _EQUAL:
        if (wanted := getattr(query, name)) is not None:
            table = table.filter(pc.equal(table[name], wanted))
    for name in ("p_holm", "spa_p_value"):
        if (most := getattr(query, f"max_{name}")) is not None:
            table = table.filter(pc.less_equal(table[name], most))  # not defined is not below
    if query.min_deflated_sharpe is not None:
        table = table.filter(pc.greater_equal(table["deflated_sharpe"], query.min_deflated_sharpe))
    return table


def _threshold_row(row: dict[str, Any], n_trials: int) -> Wire:
    url = stream_url(run_id=row["run_id"], threshold=row["threshold"])
    words = {"verdict": verdict(row), "verdict_text": verdict_text(row, n_trials)}
    return responses.ThresholdRow.model_validate({**row, **words, "streaming_url": url})


def _run_row(row: dict[str, Any], why: str | None) -> Wire:
    row.pop("serving_spec")
    url = stream_url(run_id=row["run_id"], threshold=row["threshold"])
    facts = {"verdict": verdict(row), "can_stream": why is None, "reason": why, "streaming_url": url}
    return responses.RunRow.model_validate({**row, **facts})
