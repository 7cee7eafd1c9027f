"""DuckDB over the lake's Parquet as a resource: views in memory, no shared database file."""

from __future__ import annotations

from typing import Any

import dagster as dg

from vp_engine.lake import Lake
from vp_engine.lake.catalog import Catalog


class LakeSQL(dg.ConfigurableResource[Any]):
    """`lake_root`: folder or URL of the lake."""

    lake_root: str

    def catalog(self) -> Catalog:
        """A connection with the views of the catalogue; `with` closes it."""
        return Catalog(Lake(self.lake_root))
