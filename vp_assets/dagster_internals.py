"""What is used of Dagster beyond its documented interface, in one place.

pyproject.toml bounds dagster above, and tests/assets/test_dagster_internals.py fails first when one of these changes.
"""

from __future__ import annotations

from dagster._core.definitions.data_version import DATA_VERSION_TAG
from dagster._core.events import EngineEventData
from dagster._core.launcher.base import LaunchRunContext, RunLauncher
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClass, ConfigurableClassData, serialize_value

__all__ = [
    "API_CLI_MODULE",
    "DATA_VERSION_TAG",
    "ConfigurableClass",
    "ConfigurableClassData",
    "EngineEventData",
    "ExecuteRunArgs",
    "LaunchRunContext",
    "RunLauncher",
    "execute_run",
    "serialize_value",
]

API_CLI_MODULE = "dagster._cli.api"  # what `execute_run` imports; a prepared process has it already


def execute_run(arguments: str) -> None:
    """`dagster api execute_run` in this process; `arguments` is a serialised ExecuteRunArgs."""
    from dagster._cli.api import api_cli

    api_cli(["execute_run", arguments], standalone_mode=False)
