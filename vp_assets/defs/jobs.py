"""The one scheduled job: everything that a day brings, from its raw day to its sweeps.

A run names its day and selects what is due. What fails is tried again; the retries are the job's, so that a command
line and a run by hand fail at once. Pools bound how much runs beside each other, whatever asked for it; their limits
are the instance's (dagster.yaml, or Deployment > Concurrency in the UI).
"""

from __future__ import annotations

import dagster as dg

from vp_assets.defs.assets.books import book_key
from vp_assets.defs.assets.datasets import bins_key
from vp_assets.defs.assets.raw import KEY as RAW_KEY
from vp_assets.defs.assets.sweeps import sweep_key
from vp_assets.research.requests import Chain

JOB = "every_day"
RETRIES = dg.RetryPolicy(max_retries=2, delay=60, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


def daily_pipelines(chain: Chain) -> list[str]:
    """Pipelines without a day of their own, by name."""
    return sorted(name for name, spec in chain.specs.pipelines.items() if spec.capture.dt is None)


def daily_experiments(chain: Chain, pipeline: str) -> list[str]:
    """Experiments over one pipeline, by name."""
    return sorted(name for name in chain.specs.experiments if chain.specs.pipeline_of(name).name == pipeline)


def pipeline_keys(chain: Chain, pipeline: str) -> list[dg.AssetKey]:
    """Keys of everything that one day of a pipeline makes, in order."""
    sweeps = [sweep_key(experiment) for experiment in daily_experiments(chain, pipeline)]
    return [book_key(pipeline), bins_key(pipeline), *sweeps]


def build_job(chain: Chain) -> dg.UnresolvedAssetJobDefinition:
    """Raw day, book caches, bins and sweeps of every pipeline without a day of its own."""
    keys = [key for pipeline in daily_pipelines(chain) for key in pipeline_keys(chain, pipeline)]
    return dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.assets(RAW_KEY, *keys),
        op_retry_policy=RETRIES,
        description="One day through every pipeline that has no day of its own.",
    )
