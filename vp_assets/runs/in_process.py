"""In-process Dagster runs for the command line: the assets that the UI shows, recorded where the UI looks.

Runs land in DAGSTER_HOME, or else in a home below the lake, so a UI over that home shows them. Dagster's own log
lines are kept off the terminal; what an asset raises comes through.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import sqlite3
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import dagster as dg

from vp_assets import progress
from vp_assets.dagster_internals import DATA_VERSION_TAG
from vp_assets.defs.assets.books import book_key
from vp_assets.defs.assets.datasets import bins_key
from vp_assets.defs.assets.raw import KEY as RAW_KEY
from vp_assets.defs.assets.sweeps import sweep_key
from vp_assets.defs.dead_runs import HOST_TAG, bury_dead, this_host
from vp_assets.defs.definitions import build_definitions
from vp_assets.research.requests import Chain
from vp_assets.settings import Settings, require_plain_paths

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_UNFINISHED = ".unfinished"  # lies in a home while its tables are made
_LAUNCHER = "module: vp_assets.runs.launcher"
_OLD_LAUNCHER = "module: vp_assets.launcher"  # in homes written before the launcher moved to its folder
_NEW_HOME = f"""\
# Written once for this lake; edit freely.
telemetry:
  enabled: false
nux:
  enabled: false
run_launcher:
  {_LAUNCHER}
  class: PreparedRunLauncher   # a run is a copy of a process that has imported everything
run_coordinator:
  module: dagster
  class: QueuedRunCoordinator
  config:
    dequeue_interval_seconds: 1
concurrency:
  runs:
    max_concurrent_runs: 2
  pools:
    granularity: run   # a killed run leaves no slot behind
    default_limit: 2
run_monitoring:
  enabled: true
  start_timeout_seconds: 600
"""


class Materialized(NamedTuple):
    """One asset of one run: its key, partition, address, whether it was there already, and plain metadata."""

    key: str
    partition: str | None
    address: str
    store_hit: bool
    metadata: dict[str, Any]


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The Dagster instance of these settings, made on first use. The caller closes it. ConfigError, before anything is
    written, for a path that cannot stand in a SQLite URL."""
    home = settings.dagster_home
    require_plain_paths(settings)
    home.mkdir(parents=True, exist_ok=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    lock = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two that open a new home at once would both make its tables
        unfinished = home / _UNFINISHED
        if unfinished.exists():
            _drop_half_made(home)
        new = not (home / "history").exists()
        if new:
            unfinished.touch()
        config = home / "dagster.yaml"
        if not config.exists():
            _write_config(config, _NEW_HOME)
        elif _OLD_LAUNCHER in (text := config.read_text()):
            _write_config(config, text.replace(_OLD_LAUNCHER, _LAUNCHER))
        instance = dg.DagsterInstance.from_config(str(home))
        instance.get_runs_count()
        instance.all_asset_keys()
        unfinished.unlink(missing_ok=True)
        return instance
    finally:
        os.close(lock)


def _write_config(config: Path, text: str) -> None:
    """Write a home's dagster.yaml in one step."""
    written = config.with_name(f".{config.name}.new")
    written.write_text(text)
    written.replace(config)


def _drop_half_made(home: Path) -> None:
    """Delete the tables of a home whose making was killed, unless something has run there since."""
    try:
        with closing(sqlite3.connect(home / "history" / "runs.db")) as connection:
            if connection.execute("SELECT 1 FROM runs LIMIT 1").fetchone() is not None:
                return
    except sqlite3.Error:  # no file, no table, or no database
        pass
    for folder in ("history", "schedules"):
        shutil.rmtree(home / folder, ignore_errors=True)


class Runner:
    """Runs over one chain, in this process. Use as a context; `report` hears (stage, done, total)."""

    def __init__(self, chain: Chain, report: progress.Listener, by: str) -> None:
        self._chain = chain
        self._report = report
        self._tags = {"spymaster/by": by, HOST_TAG: this_host()}
        self._stack = ExitStack()

    def __enter__(self) -> Runner:
        self._stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        self._report("Dagster", 0, 1)
        self._chain.lake.sweep_temporaries()
        self._instance = self._stack.enter_context(open_instance(self._chain.settings))
        bury_dead(self._instance)
        self._job = build_definitions(self._chain.settings, self._chain).resolve_implicit_global_asset_job_def()
        self._report("Dagster", 1, 1)
        self._stack.enter_context(progress.listening(self._report))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def materialize(
        self,
        keys: Sequence[dg.AssetKey],
        partition: str | None = None,
        config: Mapping[dg.AssetKey, Mapping[str, Any]] | None = None,
    ) -> list[Materialized]:
        """One run over these assets and one partition; raises what an asset raises."""
        ops = {key.to_python_identifier(): {"config": dict(values)} for key, values in (config or {}).items()}
        result = self._job.execute_in_process(
            asset_selection=list(keys),
            partition_key=partition,
            instance=self._instance,
            run_config={**_QUIET, **({"ops": ops} if ops else {})},
            tags=self._tags,
        )
        return [_materialized(event.materialization) for event in result.get_asset_materialization_events()]

    def materialize_day(self, pipeline: str, day: str, keys: Sequence[dg.AssetKey]) -> list[Materialized]:
        """These keys of one day of a pipeline, after the raw days it reads: in one run where the day has the same
        partition in both, else in a run per raw day and one for the rest."""
        raw_days = [utc_day.isoformat() for utc_day in self._chain.capture(pipeline, day).utc_days()]
        if raw_days == [day] and self._chain.specs.pipelines[pipeline].capture.dt is None:
            return self.materialize([RAW_KEY, *keys], day)
        return [step for raw_day in raw_days for step in self.materialize([RAW_KEY], raw_day)] + self.materialize(
            keys, day
        )

    def data_versions(self, asset: str) -> dict[str, str]:
        """Address by partition of what an asset (`pipeline/bins`) was last materialised as."""
        tags = self._instance.event_log_storage.get_latest_tags_by_partition(
            dg.AssetKey(asset.split("/")), dg.DagsterEventType.ASSET_MATERIALIZATION, [DATA_VERSION_TAG]
        )
        return {day: found[DATA_VERSION_TAG] for day, found in tags.items() if DATA_VERSION_TAG in found}


def chain_keys(pipeline: str, experiments: Sequence[str] = ()) -> list[dg.AssetKey]:
    """Keys of a pipeline's day and of sweeps over it, in order."""
    return [book_key(pipeline), bins_key(pipeline), *map(sweep_key, experiments)]


def _materialized(event: dg.AssetMaterialization) -> Materialized:
    """Metadata for machines: plain values; Markdown (pictures, tables) is for the UI."""
    values = {
        name: entry.value for name, entry in event.metadata.items() if not isinstance(entry, dg.MarkdownMetadataValue)
    }
    key = "/".join(event.asset_key.path)
    return Materialized(key, event.partition, str(values.get("address", "")), bool(values.get("store_hit")), values)
