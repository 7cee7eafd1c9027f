"""What Dagster loads: assets from the specs, the IO managers of the lake, and connections. Only merges."""

from __future__ import annotations

import dagster as dg

from vp_assets.defs.assets.factory import build_assets
from vp_assets.defs.io_managers import io_managers
from vp_assets.defs.jobs import build_job
from vp_assets.defs.resources import Databento, LakeSQL, MlflowTracking
from vp_assets.defs.schedules import build_schedule
from vp_assets.defs.sensors import build_sensors
from vp_assets.research.requests import Chain
from vp_assets.settings import Settings, load_settings


def build_definitions(settings: Settings, chain: Chain | None = None) -> dg.Definitions:
    """Definitions over one lake and one folder of specs."""
    chain = chain if chain is not None else Chain(settings)
    job = build_job(chain)
    return dg.Definitions(
        assets=build_assets(chain),
        jobs=[job],
        schedules=[build_schedule(chain, job)],
        sensors=build_sensors(chain),
        executor=dg.in_process_executor,  # a chain has nothing to run beside itself; sweeps fan out inside their step
        resources={
            **io_managers(chain),
            "tracking": MlflowTracking(tracking_uri=settings.mlflow_tracking_uri, artifacts=settings.mlflow_artifacts),
            "databento": Databento(settings),
            "sql": LakeSQL(lake_root=settings.lake_root),
        },
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The code location, over the environment's lake and specs."""
    return build_definitions(load_settings())
