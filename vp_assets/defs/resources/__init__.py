"""Connections that assets ask for: the vendor of days, SQL over the lake, MLflow."""

from vp_assets.defs.resources.databento import Databento
from vp_assets.defs.resources.duckdb import LakeSQL
from vp_assets.defs.resources.mlflow import MlflowTracking

__all__ = ["Databento", "LakeSQL", "MlflowTracking"]
