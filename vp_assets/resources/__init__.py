"""Connections that assets ask for: SQL over the lake, MLflow."""

from vp_assets.resources.duckdb import LakeSQL
from vp_assets.resources.mlflow import MlflowTracking

__all__ = ["LakeSQL", "MlflowTracking"]
