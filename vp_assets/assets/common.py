"""What all assets share: owners, groups, the type of what a factory makes."""

from __future__ import annotations

import dagster as dg

OWNERS = ["team:research"]
RAW_GROUP, DATASET_GROUP, RESEARCH_GROUP = "raw", "datasets", "research"
Built = dg.AssetsDefinition
Events = dg.MaterializeResult | dg.AssetCheckResult
