"""`<experiment>/sweep`: every trial of an experiment on one day's bins."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from vp_assets.defs import metadata
from vp_assets.defs.assets import checks
from vp_assets.defs.assets.common import OWNERS, SWEEP_POOL, Built, Events
from vp_assets.defs.assets.datasets import bins_key
from vp_assets.defs.partitions import capture_days, require_key
from vp_assets.defs.resources import MlflowTracking
from vp_assets.defs.writers import SweepRun
from vp_assets.research.plots import trials_png
from vp_assets.research.requests import Chain, SweepRequest
from vp_engine.evaluation.trials import code_version, experiment_signals
from vp_engine.evaluation.walk_forward import DayResults
from vp_engine.hashing import sha256_text
from vp_engine.lake import Dataset, paths
from vp_engine.lake.admission import NoSession
from vp_engine.lake.repair import has_whole_sweep
from vp_engine.specs import dump_yaml


def sweep_key(experiment: str) -> dg.AssetKey:
    """Key of an experiment's results."""
    return dg.AssetKey([experiment, "sweep"])


def build_sweep(chain: Chain, experiment: str) -> Built:
    """The asset of one experiment."""
    spec, pipeline, key = (
        chain.specs.experiments[experiment],
        chain.specs.pipeline_of(experiment),
        sweep_key(experiment),
    )
    signals = experiment_signals(spec, chain.specs.serving[spec.serving])
    days = capture_days(pipeline, chain.first_day)

    @dg.asset(
        key=key,
        partitions_def=days,
        ins={"dataset": dg.AssetIn(bins_key(pipeline.name), dagster_type=Any)},  # a dataset, or a day without one
        io_manager_key="sweep_io",
        pool=SWEEP_POOL,
        group_name=experiment,
        kinds={"parquet", "mlflow"} if spec.tracking.backend == "mlflow" else {"parquet"},
        owners=OWNERS,
        code_version=code_version(signals),
        check_specs=checks.specs(key, checks.SWEEP, days),
        description=spec.description or f"Sweep of {', '.join(signals)} over the bins of `{pipeline.name}`.",
    )
    def sweep(
        context: dg.AssetExecutionContext, dataset: Dataset | NoSession, tracking: MlflowTracking
    ) -> Iterator[Events]:
        day = require_key(days, context.partition_key, experiment)
        if isinstance(dataset, NoSession):
            yield from checks.closed_day(key, checks.SWEEP, dataset)
            return
        request = chain.sweep(experiment, day)
        stored = request if has_whole_sweep(chain.results, request.address) else None
        made = SweepRun(request, dataset, chain.settings.dask_scheduler, chain.lake)
        value = day_results(chain, stored) if stored is not None else made
        yield dg.MaterializeResult(value=value, data_version=dg.DataVersion(request.address))
        problem = track(chain, tracking, request)
        if problem is not None:
            context.log.warning(problem)
        results = checks.sweep(key, chain.results, request.address, problem)
        yield from checks.gated(results, f"delete sweep {request.address[:12]} from the results and run again")

    return sweep


def day_results(chain: Chain, request: SweepRequest) -> DayResults:
    """The committed results of one day."""
    return DayResults(request.day, request.address, *chain.results.read(request.address))


def track(chain: Chain, tracking: MlflowTracking, request: SweepRequest) -> str | None:
    """Track a sweep if its experiment asks for it and this server has not taken it yet; what went wrong, or None.

    Results are committed by now: a tracking server that is down costs a warning, not the sweep, and the next run that
    finds the results sends them.
    """
    sent = chain.lake.path(paths.tracked_path(request.address, sha256_text(tracking.tracking_uri)))
    if request.experiment.tracking.backend == "none" or chain.lake.exists(sent):
        return None
    meta, runs = chain.results.read(request.address)
    best = metadata.best_rows(meta, runs, request.experiment)
    plots = {"trials.png": trials_png(f"{request.experiment.name} {request.day}", best)} if best else {}
    try:
        run_id = tracking.log(
            request.experiment.tracking.experiment_name,
            experiment=request.experiment.name,
            day=request.day,
            sweep_address=request.address,
            dataset_id=meta["dataset_id"][0].as_py(),
            n_runs=meta.num_rows,
            n_rows=runs.num_rows,
            best=best[0] if best else None,
            table_markdown=metadata.runs_table(best),
            plots=plots,
            spec_yaml=dump_yaml(request.experiment),
            tags=request.experiment.tracking.tags,
        )
        chain.lake.commit_document(sent, {"mlflow_run_id": run_id, "sweep_address": request.address})
    except Exception as error:  # MLflow's, SQLAlchemy's and HTTP's own types
        return f"MLflow at {tracking.tracking_uri} did not take the sweep: {type(error).__name__}: {error}"
    return None
