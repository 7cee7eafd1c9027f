"""What there is to stream: specs, datasets and results of one lake, as they are at each request."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from vp_engine.errors import LakeError, NotFoundError, VPError
from vp_engine.evaluation.promotion import promoted_spec
from vp_engine.lake import DatasetInfo, Lake
from vp_engine.lake.datasets import iter_datasets
from vp_engine.lake.paths import promoted_serving_dir
from vp_engine.lake.results import ResultsDB
from vp_engine.lake.store import LakePath
from vp_engine.specs import ServingSpec, SpecBook, VPRuntimeConfig
from vp_engine.specs.experiment import ExperimentSpec
from vp_serving.settings import ServingSettings
from vp_serving.wire.query import QueryError

log = structlog.get_logger("vp_serving")


def _log_damage(sweep: str, error: LakeError) -> None:
    log.warning("sweep left out", reason=str(error))


class JudgedRun(NamedTuple):
    """A result row: how to stream it, and the dataset and Eastern date it was judged on."""

    serving: ServingSpec
    dataset_address: str
    dt: str


class ReplayCatalog:
    """Read-only view of specs and lake. Every method may block."""

    def __init__(self, settings: ServingSettings) -> None:
        self.settings = settings
        self.lake = Lake(settings.lake_root, settings.cache_dir, settings.cache_bytes)
        self.results = ResultsDB(self.lake, _log_damage)  # every sweep that is whole; a damaged one is logged
        self._specs: tuple[tuple[tuple[str, object], ...], SpecBook] | None = None

    @property
    def base(self) -> VPRuntimeConfig:
        """The instrument with the service's flags applied."""
        return self.settings.base

    def specs(self) -> SpecBook:
        """All specs of the instrument, promoted ones included; read again when a file of them has changed."""
        files = self._spec_files()
        kept = self._specs
        if kept is None or kept[0] != files:
            kept = files, SpecBook.load(Path(self.settings.config_dir), promoted_serving_dir(self.lake), self.base)
            self._specs = kept
        return kept[1]

    def _spec_files(self) -> tuple[tuple[str, object], ...]:
        """Every file of specs with what changes when it does, so that specs are read again only then."""
        found: list[tuple[str, object]] = []
        for path in sorted(Path(self.settings.config_dir).glob("*/*")):
            with contextlib.suppress(FileNotFoundError):
                facts = path.stat()
                found.append((str(path), (facts.st_ino, facts.st_mtime_ns, facts.st_size)))
        promoted = self.lake.entries(promoted_serving_dir(self.lake))
        return *found, *((str(path), self.lake.entry(path)) for path in promoted)

    def judged_run(self, run_id: str, threshold: float | None) -> JudgedRun:
        """A result row as a serving spec: the threshold asked for, else the run's best by its experiment."""
        results = self.results
        try:
            detail = results.detail(run_id)
        except NotFoundError as error:
            raise QueryError("run_id", str(error), "not_found") from None
        if detail["serving_spec"] is None:
            raise QueryError("run_id", f"run `{run_id}` was judged without a serving spec and cannot be streamed")
        experiment = self._experiment(detail)
        if threshold is None:
            row = results.best_row(run_id)
        else:
            row = row_at(detail["rows"], threshold)
        base = ServingSpec.parse(detail["serving_spec"], f"serving spec of run `{run_id}`")
        spec = promoted_spec(base, detail, row, experiment)
        return JudgedRun(spec, detail["dataset_address"], detail["dt"])

    def _experiment(self, detail: dict[str, Any]) -> ExperimentSpec:
        """The experiment behind a run; one with its name and the default selection where its file is gone."""
        name = detail["experiment"]
        experiments = self.specs().experiments
        return experiments[name] if name in experiments else ExperimentSpec(name=name, serving=detail["serving"])

    def tracked_under(self, detail: dict[str, Any]) -> str:
        """Name of the MLflow experiment that a run's sweep is tracked under."""
        try:
            return self._experiment(detail).tracking.experiment_name or detail["experiment"]
        except VPError:
            return str(detail["experiment"])

    def require_lake(self) -> None:
        """LakeError while the lake cannot be read, as when its disk is not mounted: it is not an empty one."""
        if self.lake.is_local and (problem := self.lake.problem()) is not None:
            raise LakeError(problem)

    def infos(self, on_damage: Callable[[str, LakeError], None] | None = None) -> list[DatasetInfo]:
        """Every dataset that is whole; a damaged one is logged and handed to `on_damage` by name."""

        def note(folder: LakePath, error: LakeError) -> None:
            log.warning("dataset left out", reason=str(error))
            if on_damage is not None:
                on_damage(folder.name, error)

        self.require_lake()
        return list(iter_datasets(self.lake, note))


def row_at(rows: list[dict[str, Any]], threshold: float) -> dict[str, Any]:
    """The row with this threshold; QueryError that names those there are."""
    for row in rows:
        if row["threshold"] == threshold:
            return row
    known = ", ".join(f"{row['threshold']:g}" for row in rows)
    raise QueryError("threshold", f"`threshold` must be one of the run's, {known}, was {threshold:g}")
