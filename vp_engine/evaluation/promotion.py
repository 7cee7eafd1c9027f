"""From a result row to a serving spec that streams it: parameters and threshold pinned, origin and figures recorded."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from vp_engine.errors import ConfigError, NotFoundError, SignalError
from vp_engine.hashing import canonical_json, sha256_text
from vp_engine.lake.models import models_address
from vp_engine.lake.results import rank
from vp_engine.lake.results_fields import RUNS_FIELDS
from vp_engine.signals import get_signal
from vp_engine.signals.source import place_of_signal
from vp_engine.specs.experiment import ExperimentSpec
from vp_engine.specs.serving import PromotionRecord, ServingSpec, SignalSpec

NAME_HEX = 8
_NO_FIGURES = ("run_id", "sweep_address", "threshold")


def promoted_name(experiment: str, run_id: str, threshold: float) -> str:
    """`<experiment>_promoted_<8 hex of (run_id, threshold)>`."""
    return f"{experiment}_promoted_{sha256_text(canonical_json([run_id, float(threshold)]))[:NAME_HEX]}"


def select_row(
    runs_meta: pa.Table,
    runs: pa.Table,
    experiment: ExperimentSpec,
    run_id: str | None = None,
    threshold: float | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(meta row, run row) to promote: the one named, or the best by the experiment's `selection` among those left.

    A row named by both run_id and threshold is taken whatever it did. NotFoundError for a run or threshold that is
    not there; ConfigError where no row has enough signals.
    """
    selection = experiment.selection
    rows = runs
    if run_id is not None:
        rows = rows.filter(pc.equal(rows["run_id"], run_id))
        if rows.num_rows == 0:
            raise NotFoundError(f"no run `{run_id}` among the {runs_meta.num_rows} of experiment `{experiment.name}`")
    if threshold is not None:
        there = sorted(set(rows["threshold"].to_pylist()))
        rows = rows.filter(pc.equal(rows["threshold"], float(threshold)))
        if rows.num_rows == 0:
            raise NotFoundError(f"no row with threshold {threshold}; there are {', '.join(map(str, there))}")
    named = run_id is not None and threshold is not None
    ranked = rank(rows, selection.sort, 0 if named else selection.min_signals)
    if ranked.num_rows == 0:
        most = max(rows["n_signals"].to_pylist(), default=0)
        raise ConfigError(
            f"experiment `{experiment.name}`: no row has the {selection.min_signals} signals that `selection` asks for "
            f"(the most is {most}); lower `selection.min_signals` or try lower thresholds"
        )
    chosen = ranked.slice(0, 1).to_pylist()[0]
    if not named and not math.isfinite(chosen[selection.sort]):
        raise ConfigError(f"experiment `{experiment.name}`: `{selection.sort}` is not defined for any row")
    meta = runs_meta.filter(pc.equal(runs_meta["run_id"], chosen["run_id"])).to_pylist()
    if not meta:
        raise NotFoundError(f"run `{chosen['run_id']}` is missing from runs_meta")
    return meta[0], chosen


def _defined(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Figures without those that are not defined."""
    return {
        name: value for name, value in figures.items() if not (isinstance(value, float) and not math.isfinite(value))
    }


def _decoded(value: Any) -> dict[str, Any]:
    """A JSON column as an object, decoded or not."""
    return dict(json.loads(value) if isinstance(value, str) else value)


def promoted_spec(
    serving_base: ServingSpec,
    meta_row: Mapping[str, Any],
    run_row: Mapping[str, Any],
    experiment: ExperimentSpec,
    days: Mapping[str, Sequence[str]] | None = None,
    test_figures: Mapping[str, Any] | None = None,
) -> ServingSpec:
    """The run's parameters over the base serving spec, threshold and cooldown pinned, with a record of the judgement.

    days: Eastern dates by role (train, test), and test_figures those of all test days together, where the experiment
    tells its days apart. Rows are as `select_row` or `ResultsDB.detail` give them. Figures that are not defined are
    left out. The record of a signal that learns names its models, which `keep_models` puts into the lake.
    """
    if meta_row["run_id"] != run_row["run_id"]:
        raise ConfigError(f"run row {run_row['run_id']} does not belong to run {meta_row['run_id']}")
    params = _decoded(meta_row["parameters"])
    scoring = params.pop("scoring", {})
    evaluation = _decoded(meta_row["evaluation"])
    threshold = float(run_row["threshold"])
    figures = {
        field.name: run_row[field.name]
        for field in RUNS_FIELDS
        if field.name not in _NO_FIGURES and run_row[field.name] is not None and math.isfinite(run_row[field.name])
    }
    name = promoted_name(experiment.name, meta_row["run_id"], threshold)
    record = PromotionRecord(
        experiment=experiment.name,
        serving=serving_base.name,
        run_id=meta_row["run_id"],
        threshold=threshold,
        dataset_address=meta_row["dataset_address"],
        signal_version=_signal_version(meta_row),
        models=models_address(meta_row["signal"], _decoded(meta_row["parameters"]), meta_row["dataset_address"]),
        eval={key: value for key, value in evaluation.items() if value is not None},
        selection=experiment.selection.model_dump(mode="json"),
        figures=figures,
        train_days=tuple((days or {}).get("train", ())),
        test_days=tuple((days or {}).get("test", ())),
        test_figures=_defined(test_figures or {}),
    )
    fields = serving_base.model_dump(mode="json") | {
        "name": name,
        "description": f"{meta_row['signal']} at {threshold:g}, promoted by {experiment.name}",
        "scoring": {**serving_base.scoring, **scoring},
        "signal": SignalSpec(
            name=meta_row["signal"], params=params, threshold=threshold, cooldown_bins=evaluation["cooldown_bins"]
        ).model_dump(mode="json"),
        "promoted": record.model_dump(mode="json"),
    }
    return ServingSpec.parse(fields, f"promotion `{name}`")


def _signal_version(meta_row: Mapping[str, Any]) -> str | None:
    """Code version of a run's signal, of `5+tilt.1.0a1b2c3d` what follows the signal's name; None if it is not told."""
    _, found, version = str(meta_row.get("code_version") or "").partition(f"+{meta_row['signal']}.")
    return version if found else None


def require_same_signal(spec: ServingSpec) -> None:
    """SignalError if a promoted spec's signal is written otherwise than when it was judged: its figures are not those
    of the values that it would give now. Nothing for other specs."""
    judged = spec.promoted.signal_version if spec.promoted is not None else None
    if spec.signal is None or judged is None:
        return
    kind = get_signal(spec.signal.name)
    if kind.code_version != judged:
        raise SignalError(
            f"signal `{kind.name}` ({place_of_signal(kind)}) has changed since `{spec.name}` was judged: its code was "
            f"{judged} and is {kind.code_version}; run and promote the experiment again, or bring the old code back"
        )
