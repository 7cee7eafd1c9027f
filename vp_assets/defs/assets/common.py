"""What all assets share: owners, groups, the type of what a factory makes."""

from __future__ import annotations

from typing import Any

import dagster as dg

OWNERS = ["team:research"]
RAW_GROUP = "raw"  # every other group is a spec: the UI shows a key's last part alone, the group says whose it is
RAW_POOL, ENGINE_POOL, SWEEP_POOL = "raw", "engine", "sweep"  # what runs beside each other is bounded by pool
Built = dg.AssetsDefinition
Events = dg.MaterializeResult[Any] | dg.AssetCheckResult
