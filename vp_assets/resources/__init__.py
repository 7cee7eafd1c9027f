"""Connections that assets ask for: the vendor of days, SQL over the lake, MLflow."""

from vp_assets.resources.databento import Databento
from vp_assets.resources.duckdb import LakeSQL
from vp_assets.resources.mlflow import MlflowTracking

__all__ = ["Databento", "LakeSQL", "MlflowTracking"]
