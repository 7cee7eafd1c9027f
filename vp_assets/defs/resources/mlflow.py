"""MLflow as a resource: where it is; what is written there is `vp_assets.research.tracking`'s business."""

from __future__ import annotations

from typing import Any

import dagster as dg


class MlflowTracking(dg.ConfigurableResource[Any]):
    """`tracking_uri`: a server or sqlite:///file; `artifacts`: folder beside a local database."""

    tracking_uri: str
    artifacts: str

    def log(self, experiment_name: str | None, **record: Any) -> str:
        """Write one run for a sweep (fields of `SweepRecord`); its id."""
        from vp_assets.research.tracking import SweepRecord, log_sweep

        return log_sweep(self.tracking_uri, self.artifacts, experiment_name, SweepRecord(**record))
