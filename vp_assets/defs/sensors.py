"""What watches the runs: one sensor says when one fails, one buries those whose process is gone.

Both run from the start; neither starts anything.
"""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from vp_assets.defs import alerts
from vp_assets.defs.dead_runs import bury_dead
from vp_assets.research.requests import Chain


def build_sensors(chain: Chain) -> list[dg.SensorDefinition]:
    """The sensors of a code location."""
    webhook = chain.settings.alert_webhook

    @dg.run_failure_sensor(
        name="alert_on_failure",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Says in the log, and to the webhook if there is one, which run failed and why.",
    )
    def alert_on_failure(context: dg.RunFailureSensorContext) -> None:
        failure = describe(
            context.dagster_run, list(context.get_step_failure_events()), context.failure_event.message or ""
        )
        context.log.error(failure.text)
        problem = alerts.post(webhook, failure) if webhook is not None else None
        if problem is not None:
            context.log.error(problem)

    @dg.sensor(
        name="bury_dead_runs",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Marks runs as failed whose process was killed, so that they hold no place in the queue.",
    )
    def bury_dead_runs(context: dg.SensorEvaluationContext) -> Iterator[dg.SkipReason]:
        buried = bury_dead(context.instance)
        yield dg.SkipReason(f"buried {', '.join(run_id[:8] for run_id in buried)}" if buried else "no run is dead")

    return [alert_on_failure, bury_dead_runs]


def describe(run: dg.DagsterRun, steps: list[dg.DagsterEvent], message: str) -> alerts.Failure:
    """The facts of a failed run. Its reason is the innermost error of its first failed step, which is what the
    engine said; Dagster's own words stand for a run that died."""
    reason = message
    if steps:
        error = steps[0].step_failure_data.error
        while error is not None and error.cause is not None:
            error = error.cause
        if error is not None:
            kind, _, words = error.message.partition(": ")
            reason = words if kind.startswith("vp_engine.errors.") else error.message
    return alerts.Failure(
        run_id=run.run_id,
        job=run.job_name,
        day=run.tags.get("dagster/partition"),
        assets=sorted(key.to_user_string() for key in run.asset_selection or ()),
        error=alerts.one_line(reason),
        by=run.tags.get("spymaster/by") or run.tags.get("dagster/backfill"),
    )
